//! SORT and `SORT_RO`: the elements of a list, set or sorted set in an order, or what stands at keys
//! whose names are made of them.
//!
//! Keys of BY and GET are known only when the elements are, so with these words (and STORE) the command
//! has the whole keyspace; without them it locks its own key like any other (`KeySpec::unknown`).
//!
//! Where weights compare equal, elements do, byte by byte: so that replicas store the same list.

use crate::hash::field_expiry::remove_expired;
use engine::effects::Event;
use engine::keys::{Text, kind_of};
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, Category, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use std::cmp::Ordering;
use values::list::End;
use values::string::parse_double;
use values::{Hash, Kind, List, Set, SortedSet};

/// Words behind which there may be keys that nobody can name beforehand.
const PATTERNS: KeySpec =
    KeySpec::unknown(&["BY", "GET"], false, &[KeyFlag::ReadOnly, KeyFlag::Access]);

/// SORT.
pub const SORT: Command = Command {
    spec: CommandSpec {
        name: "sort",
        since: "1.0.0",
        group: Group::Generic,
        summary: "Answers or stores the elements of a list, set or sorted set in order.",
        complexity: "O(N+M*log(M)) for N elements of which M are answered; O(N) without sorting.",
        flags: &[Flag::Write, Flag::DenyOom, Flag::MovableKeys, Flag::WholeKeyspace],
        categories: &[Category::Set, Category::SortedSet, Category::List, Category::Dangerous],
        ungrouped: true,
        keys: &[
            KeySpec::one(1, &[KeyFlag::ReadOnly, KeyFlag::Access]),
            PATTERNS,
            KeySpec::unknown(&["STORE"], true, &[KeyFlag::Overwrite, KeyFlag::Update]),
        ],
        args: &[
            Arg::key("key"),
            Arg::pattern("pattern").token("BY").optional(),
            LIMIT,
            Arg::pattern("pattern").token("GET").optional().multiple_token(),
            ORDER,
            Arg::word("sorting", "ALPHA").optional(),
            Arg::key("destination").token("STORE").optional(),
        ],
        reply: &[
            ReplyShape::Array("The elements, or what GET asks for."),
            ReplyShape::Integer("With STORE: how many were stored."),
        ],
        ..CommandSpec::EMPTY
    },
    run: |cx, args| sort(cx, args, true),
    subcommands: &[],
};

/// `SORT_RO`.
pub const SORT_RO: Command = Command {
    spec: CommandSpec {
        name: "sort_ro",
        since: "7.0.0",
        summary: "Answers the elements of a list, set or sorted set in order.",
        flags: &[Flag::ReadOnly, Flag::MovableKeys, Flag::WholeKeyspace],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadOnly, KeyFlag::Access]), PATTERNS],
        args: &[
            Arg::key("key"),
            Arg::pattern("pattern").token("BY").optional(),
            LIMIT,
            Arg::pattern("pattern").token("GET").optional().multiple_token(),
            ORDER,
            Arg::word("sorting", "ALPHA").optional(),
        ],
        reply: &[ReplyShape::Array("The elements, or what GET asks for.")],
        ..SORT.spec
    },
    run: |cx, args| sort(cx, args, false),
    subcommands: &[],
};

const LIMIT: Arg = Arg::block("offset_count", &[Arg::integer("offset"), Arg::integer("count")])
    .token("LIMIT")
    .optional();
const ORDER: Arg =
    Arg::one_of("order", &[Arg::word("asc", "ASC"), Arg::word("desc", "DESC")]).optional();

/// What SORT is told.
#[derive(Debug)]
struct Options<'a> {
    by: Option<&'a [u8]>,
    /// A BY without `*`: the elements stay as they come.
    unsorted: bool,
    offset: i64,
    count: i64,
    get: Vec<&'a [u8]>,
    descending: bool,
    alpha: bool,
    store: Option<&'a [u8]>,
}

impl<'a> Options<'a> {
    fn parse(args: &mut Args<'a>, stores: bool) -> Result<Options<'a>, CommandError> {
        let mut options = Options {
            by: None,
            unsorted: false,
            offset: 0,
            count: -1,
            get: Vec::new(),
            descending: false,
            alpha: false,
            store: None,
        };
        while args.left() > 0 {
            if args.take_token("ASC") {
                options.descending = false;
            } else if args.take_token("DESC") {
                options.descending = true;
            } else if args.take_token("ALPHA") {
                options.alpha = true;
            } else if args.left() > 2 && args.take_token("LIMIT") {
                (options.offset, options.count) = (args.integer()?, args.integer()?);
            } else if stores && args.take_token("STORE") {
                options.store = Some(args.key()?);
            } else if args.take_token("BY") {
                let pattern = args.bytes()?;
                options.unsorted |= !pattern.contains(&b'*');
                options.by = Some(pattern);
            } else if args.take_token("GET") {
                options.get.push(args.bytes()?);
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(options)
    }

    /// Which of `len` elements LIMIT asks for.
    fn range(&self, len: usize) -> std::ops::Range<usize> {
        let start = usize::try_from(self.offset).unwrap_or(0).min(len);
        let count = usize::try_from(self.count).unwrap_or(len);
        start..start.saturating_add(count).min(len)
    }
}

/// Elements of the value at the key, and whether they are already those that LIMIT asks for.
fn elements(
    cx: &mut Context<'_>,
    key: &[u8],
    options: &mut Options<'_>,
) -> Result<Vec<Vec<u8>>, CommandError> {
    let Some(kind) = cx.keys.find(key).map(kind_of) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    match kind {
        Kind::List => {
            let Some(list) = cx.keys.peek_at::<List>(key)? else { return Ok(found) };
            list.walk(0, |item| {
                found.push(item.to_vec());
                true
            });
        }
        Kind::Set => {
            let Some(set) = cx.keys.peek_at::<Set>(key)? else { return Ok(found) };
            found.extend(set.iter().map(structures::listpack::Item::to_vec));
            // The order of a set is nobody's: what is stored must have one.
            if options.unsorted && options.store.is_some() {
                (options.unsorted, options.alpha, options.by) = (false, true, None);
            }
            return Ok(found);
        }
        Kind::SortedSet => {
            let Some(set) = cx.keys.peek_at::<SortedSet>(key)? else { return Ok(found) };
            found.extend(set.iter(0..set.len()).map(|(member, _)| member.to_vec()));
        }
        _ => return Err(CommandError::WrongType),
    }
    if options.unsorted && options.descending {
        found.reverse();
    }
    Ok(found)
}

/// What `pattern` stands for with `element` in the place of its `*`: the string at that key, or with
/// `->` a field of the hash there; `#` is the element itself.
/// A field that has ended is taken out, so that the log tells it before a STORE that goes by it.
fn looked_up(cx: &mut Context<'_>, pattern: &[u8], element: &[u8]) -> Option<Vec<u8>> {
    if pattern == b"#" {
        return Some(element.to_vec());
    }
    let star = pattern.iter().position(|&byte| byte == b'*')?;
    let (head, tail) = pattern.split_at(star);
    let tail = tail.get(1..)?;
    let arrow = tail.windows(2).position(|pair| pair == b"->").filter(|at| at + 2 < tail.len());
    let (tail, field) = match arrow.map(|at| tail.split_at(at)) {
        Some((tail, field)) => (tail, field.get(2..)),
        None => (tail, None),
    };
    let key = [head, element, tail].concat();
    match field {
        Some(field) => {
            let now = cx.keys.fields_now();
            let hash = cx.keys.read::<Hash>(&key).ok()??;
            let value = hash.get(field, now).map(structures::listpack::Item::to_vec);
            if value.is_none() {
                remove_expired(cx, &key, std::iter::once(field)).ok()?;
            }
            value
        }
        None => Text::of(cx.keys.find(&key)?).ok().map(|text| text.to_vec()),
    }
}

/// What an element is compared by.
#[derive(Debug, PartialEq, PartialOrd)]
enum Weight {
    /// Its weight is missing, or it has none but itself.
    None,
    Number(f64),
    Text(Vec<u8>),
}

impl Weight {
    fn cmp(&self, other: &Weight) -> Ordering {
        self.partial_cmp(other).unwrap_or(Ordering::Equal)
    }
}

/// The number that `text` spells, blanks before it left out.
fn number(text: &[u8]) -> Result<f64, CommandError> {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let start = text.iter().position(|byte| !is_blank(byte)).unwrap_or(text.len());
    let digits = text.get(start..).unwrap_or_default();
    if text.is_empty() {
        return Ok(0.0);
    }
    parse_double(digits)
        .ok_or_else(|| CommandError::text("ERR One or more scores can't be converted into double"))
}

fn weights(
    cx: &mut Context<'_>,
    options: &Options<'_>,
    elements: Vec<Vec<u8>>,
) -> Result<Vec<(Weight, Vec<u8>)>, CommandError> {
    let weigh = |element: Vec<u8>| {
        let found = options.by.map(|by| looked_up(cx, by, &element));
        let weight = match (found, options.alpha) {
            (None | Some(None), true) => Weight::None,
            (None, false) => Weight::Number(number(&element)?),
            (Some(None), false) => Weight::Number(0.0),
            (Some(Some(text)), false) => Weight::Number(number(&text)?),
            (Some(Some(text)), true) => Weight::Text(text),
        };
        Ok((weight, element))
    };
    elements.into_iter().map(weigh).collect()
}

fn sorted(
    cx: &mut Context<'_>,
    options: &Options<'_>,
    elements: Vec<Vec<u8>>,
) -> Result<Vec<Vec<u8>>, CommandError> {
    let range = options.range(elements.len());
    let mut weighed = weights(cx, options, elements)?;
    let compare = |a: &(Weight, Vec<u8>), b: &(Weight, Vec<u8>)| {
        let order = a.0.cmp(&b.0).then_with(|| a.1.cmp(&b.1));
        if options.descending { order.reverse() } else { order }
    };
    // What lies beyond the end that LIMIT asks for need not be in order.
    if range.end > 0 && range.end < weighed.len() {
        weighed.select_nth_unstable_by(range.end - 1, compare);
        weighed.truncate(range.end);
    }
    weighed.sort_unstable_by(compare);
    Ok(weighed.drain(..).skip(range.start).take(range.len()).map(|(_, it)| it).collect())
}

fn sort(cx: &mut Context<'_>, args: &mut Args<'_>, stores: bool) -> CommandResult {
    let key = args.key()?;
    let mut options = Options::parse(args, stores)?;
    let found = elements(cx, key, &mut options)?;
    let chosen = if options.unsorted {
        let range = options.range(found.len());
        found.into_iter().skip(range.start).take(range.len()).collect()
    } else {
        sorted(cx, &options, found)?
    };
    let Some(to) = options.store else {
        answer(cx, &options, &chosen);
        return Ok(());
    };
    store(cx, to, &options, &chosen);
    Ok(())
}

fn answer(cx: &mut Context<'_>, options: &Options<'_>, chosen: &[Vec<u8>]) {
    cx.reply.array(chosen.len() * options.get.len().max(1));
    for element in chosen {
        if options.get.is_empty() {
            cx.reply.bulk(element);
        }
        for pattern in &options.get {
            match looked_up(cx, pattern, element) {
                Some(text) => cx.reply.bulk(&text),
                None => cx.reply.null(),
            }
        }
    }
}

fn store(cx: &mut Context<'_>, to: &[u8], options: &Options<'_>, chosen: &[Vec<u8>]) {
    let db = cx.keys.db;
    let limits = crate::list::limits(cx);
    let (mut list, mut len) = (List::default(), 0);
    let mut push = |element: &[u8]| {
        list.push(End::Right, element, limits);
        len += 1;
    };
    for element in chosen {
        if options.get.is_empty() {
            push(element);
        }
        for pattern in &options.get {
            push(&looked_up(cx, pattern, element).unwrap_or_default());
        }
    }
    if len > 0 {
        cx.keys.put_collection(to, list, None);
        cx.effects.changed_by(db, to, Event::SortStore, len);
    } else {
        cx.delete(to);
    }
    cx.reply.integer(i64::try_from(len).unwrap_or(i64::MAX));
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    fn array(words: &str) -> String {
        let words: Vec<_> = words.split(' ').filter(|word| !word.is_empty()).collect();
        let bulk = |word: &&str| match *word {
            "~" => "$-1\r\n".to_owned(),
            "''" => "$0\r\n\r\n".to_owned(),
            word => format!("${}\r\n{word}\r\n", word.len()),
        };
        format!("*{}\r\n{}", words.len(), words.iter().map(bulk).collect::<String>())
    }

    /// Replies that are arrays, observed with stock 7.0.15.
    #[test]
    fn orders_limits_and_patterns() {
        let mut server = Server::new();
        for line in [
            "rpush l 3 1 2",
            "rpush f a 1",
            "rpush blank 0x10 1 1e1",
            "rpush e '' 1",
            "rpush inf inf -inf 1",
            "zadd z 1 a 5 b 2 c",
            "sadd set 2 1 10",
            "hset h-1 f 9 g 1",
            "hset h-2 f 5",
            "set x:1-> one",
        ] {
            server.line(line);
        }
        for (line, expected) in [
            ("sort l", "1 2 3"),
            ("sort l desc", "3 2 1"),
            ("sort l by nosort", "3 1 2"),
            ("sort l by nosort desc", "2 1 3"),
            ("sort l by nosort desc limit 1 1", "1"),
            ("sort l by nosort limit -1 2", "3 1"),
            ("sort l limit 5 1", ""),
            ("sort l limit 1 -5", "2 3"),
            ("sort l limit 0 2 limit 1 1", "2"),
            ("sort l limit 9223372036854775807 9223372036854775807", ""),
            ("sort l by nosort limit 2 9223372036854775807", "2"),
            ("sort l get # get x:* get nope", "1 ~ ~ 2 ~ ~ 3 ~ ~"),
            ("sort l get x:*->", "one ~ ~"),
            ("sort l by h-*->f get h-*->f get h-*->", "~ ~ 5 ~ 9 ~"),
            ("sort l by h-*->f alpha get #", "3 2 1"),
            ("sort l by h-*->f by nosort", "3 1 2"),
            ("sort nokey get #", ""),
            ("sort f alpha", "1 a"),
            ("sort f by x*", "1 a"),
            ("sort blank", "1 1e1 0x10"),
            ("sort e", "'' 1"),
            ("sort inf", "-inf 1 inf"),
            ("sort z by nosort", "a c b"),
            ("sort z by nosort desc", "b c a"),
            ("sort z alpha desc limit 0 2", "c b"),
            ("sort set desc", "10 2 1"),
            ("sort_ro set alpha", "1 10 2"),
        ] {
            server.check(line, &array(expected));
        }
    }

    #[test]
    fn what_is_stored() {
        let mut server = Server::new();
        server.line("rpush l 3 1 2");
        server.line("sadd set 2 1 10");
        for (line, len, expected) in [
            ("sort l store d", 3, "1 2 3"),
            ("sort set by nosort store d", 3, "1 10 2"),
            ("sort l get x* store d", 3, "'' '' ''"),
            ("sort l store nope store d", 3, "1 2 3"),
            ("sort l store l desc", 3, "3 2 1"),
        ] {
            server.check(line, &format!(":{len}\r\n"));
            let key = if line.contains("store l ") { "l" } else { "d" };
            server.check(&format!("lrange {key} 0 -1"), &array(expected));
        }
        server.check("exists nope", ":0\r\n");
        server.check_log("sort l limit 9 1 store d", &["sort l limit 9 1 store d"]);
        server.check("exists d", ":0\r\n");
        server.check_log("sort nokey store d", &[]);
        for line in ["multi", "sort l", "sort l get # store d", "get d"] {
            server.line(line);
        }
        let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
        server.check("exec", &format!("*3\r\n{}:3\r\n{wrong}", array("1 2 3")));
    }

    /// To a replica nothing has ended until its primary says so, which it does before what goes by it.
    #[test]
    fn ended_fields_are_taken_out_first() {
        let mut server = Server::new();
        server.follow("127.0.0.1", 1);
        let mut link = server.session_of_primary();
        for line in ["rpush l 1", "hset h1 f v g w", "hpexpireat h1 1000 fields 1 f"] {
            server.apply(&mut link, line);
        }
        server.check("sort_ro l by nosort get h*->f", &array("~"));
        server.apply(&mut link, "sort l by nosort get h*->f store d");
        server.check("lrange d 0 -1", &array("v"));
        let alone = server.node().keyspace.gate.exclusive();
        server.node().change_role(&alone, None);
        drop(alone);
        server.check_log(
            "sort l by nosort get h*->f get h*->g store d",
            &["MULTI", "HDEL h1 f", "sort l by nosort get h*->f get h*->g store d", "EXEC"],
        );
        server.check("lrange d 0 -1", &array("'' w"));
    }

    #[test]
    fn errors() {
        let mut server = Server::new();
        let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
        let syntax = "-ERR syntax error\r\n";
        let double = "-ERR One or more scores can't be converted into double\r\n";
        for (line, expected) in [
            ("rpush l a 1", ":2\r\n"),
            ("rpush n nan", ":1\r\n"),
            ("rpush big 1e400", ":1\r\n"),
            ("rpush tail '1 '", ":1\r\n"),
            ("set s v", "+OK\r\n"),
            ("sort s", wrong),
            ("sort l", double),
            ("sort l store d", double),
            ("sort n", double),
            ("sort big", double),
            ("sort tail", double),
            ("sort l store", syntax),
            ("sort l by", syntax),
            ("sort l get", syntax),
            ("sort l foo", syntax),
            ("sort l limit 1", syntax),
            ("sort l limit a 1", "-ERR value is not an integer or out of range\r\n"),
            ("sort_ro l store x", syntax),
            ("command getkeys sort abc store def", "*2\r\n$3\r\nabc\r\n$3\r\ndef\r\n"),
            ("command getkeys sort_ro abc", "*1\r\n$3\r\nabc\r\n"),
        ] {
            server.check(line, expected);
        }
    }
}
