//! DUMP and RESTORE: one value as bytes that any server of the family understands, and back.
//!
//! RESTORE is logged with the absolute millisecond at which the key expires. One that has expired
//! already is not put in: what REPLACE would have replaced is deleted, and the log says only that.

use crate::expire_time::{PX, PXAT, millis};
use base::Millis;
use engine::effects::Event;
use engine::image::{self, BadValue, Limits};
use engine::{Args, Command, CommandError, CommandResult, Context};
use rdb::format::value_type::{STREAM, STREAM_2, STREAM_3};
use rdb::{Attributes, Encoder, RestoreError, payload};
use smallvec::SmallVec;
use spec::{Arg, Category, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use std::sync::atomic::Ordering;

/// DUMP.
pub const DUMP: Command = Command {
    spec: CommandSpec {
        name: "dump",
        since: "2.6.0",
        group: Group::Generic,
        summary: "Answers the value at a key as bytes that RESTORE understands.",
        complexity: "O(N) in the size of the value.",
        flags: &[Flag::ReadOnly],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadOnly, KeyFlag::Access])],
        args: &[Arg::key("key")],
        reply: &[ReplyShape::Bulk("The bytes."), ReplyShape::Null("There is no such key.")],
        tips: &["nondeterministic_output"],
        ..CommandSpec::EMPTY
    },
    run: dump,
    subcommands: &[],
};

/// RESTORE.
pub const RESTORE: Command = Command {
    spec: CommandSpec {
        name: "restore",
        since: "2.6.0",
        group: Group::Generic,
        summary: "Makes a key of the bytes that DUMP has given.",
        complexity: "O(N) in the size of the value, O(N*log(N)) for sorted sets.",
        flags: &[Flag::Write, Flag::DenyOom],
        categories: &[Category::Dangerous],
        keys: &[KeySpec::one(1, &[KeyFlag::Overwrite, KeyFlag::Update])],
        args: &[
            Arg::key("key"),
            Arg::integer("ttl"),
            Arg::bytes("serialized-value"),
            Arg::word("replace", "REPLACE").optional(),
            Arg::word("absttl", "ABSTTL").optional(),
            Arg::integer("seconds").token("IDLETIME").optional(),
            Arg::integer("frequency").token("FREQ").optional(),
        ],
        reply: &[ReplyShape::Status("OK")],
        history: &[
            ("3.0.0", "Added the `REPLACE` modifier."),
            ("5.0.0", "Added the `ABSTTL` modifier."),
            ("5.0.0", "Added the `IDLETIME` and `FREQ` options."),
        ],
        ..CommandSpec::EMPTY
    },
    run: restore,
    subcommands: &[],
};

fn dump(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let key = args.key()?;
    let mut encoder = Encoder::new(cx.node.settings.rdbcompression.get());
    match cx.keys.find_whole(key).map(|entry| payload::dump(&mut encoder, image::saved(entry))) {
        Some(bytes) => cx.reply.bulk(&bytes),
        None => cx.reply.null(),
    }
    Ok(())
}

#[derive(Debug)]
struct Options {
    replace: bool,
    absolute: bool,
    /// When the key was last used, or how often.
    used: Attributes,
}

impl Options {
    fn parse(args: &mut Args<'_>) -> Result<Options, CommandError> {
        let mut options = Options { replace: false, absolute: false, used: Attributes::default() };
        while args.left() > 0 {
            if args.take_token("REPLACE") {
                options.replace = true;
            } else if args.take_token("ABSTTL") {
                options.absolute = true;
            } else if options.used.lfu_frequency.is_none() && args.take_token("IDLETIME") {
                let seconds = u64::try_from(args.integer()?)
                    .map_err(|_| CommandError::text("ERR Invalid IDLETIME value, must be >= 0"))?;
                options.used.lru_idle_s = Some(seconds);
            } else if options.used.lru_idle_s.is_none() && args.take_token("FREQ") {
                let counter = u8::try_from(args.integer()?).map_err(|_| {
                    CommandError::text("ERR Invalid FREQ value, must be >= 0 and <= 255")
                })?;
                options.used.lfu_frequency = Some(counter);
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(options)
    }
}

/// The instant that `ttl` milliseconds mean; zero is never. One that no number can tell has passed, as in
/// stock, whose sum wraps: it is taken for the first millisecond.
fn expiry(cx: &Context<'_>, ttl: &[u8], absolute: bool) -> Result<Option<Millis>, CommandError> {
    let ttl = values::string::parse_i64(ttl).ok_or(CommandError::NotInteger)?;
    if ttl < 0 {
        return Err(CommandError::text("ERR Invalid TTL value, must be >= 0"));
    }
    let form = if absolute { PXAT } else { PX };
    Ok((ttl > 0).then(|| form.instant(ttl, cx.now, "restore").map_or(Millis(1), millis)))
}

/// Logs what stock logs of a payload that it refuses.
fn tell_of_damage(payload: &[u8], what: &str) {
    let form = payload.first().map_or("Value", |&kind| rdb::format::value_type::form(kind));
    tracing::warn!("{form} {what}");
}

fn restore(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, ttl, bytes) = (args.key()?, args.bytes()?, args.bytes()?);
    let options = Options::parse(args)?;
    if !options.replace && cx.keys.peek(key).is_some() {
        return Err(CommandError::text("BUSYKEY Target key name already exists."));
    }
    let expire_at = expiry(cx, ttl, options.absolute)?;
    let keeps = cx.node.settings.rdb_keep_unknown_modules.get();
    let verify = !cx.node.skip_checksums.load(Ordering::Relaxed);
    let value = payload::restore(bytes, verify, keeps).map_err(|error| {
        if error == RestoreError::BadData {
            tell_of_damage(bytes, "integrity check failed");
        }
        CommandError::Text(format!("ERR {error}"))
    })?;
    let entry =
        image::entry(key, value, expire_at, &Limits::of(&cx.node.settings)).map_err(|error| {
            let is_stream = matches!(bytes.first(), Some(&(STREAM | STREAM_2 | STREAM_3)));
            match error {
                BadValue::Duplicate if is_stream => {
                    tracing::warn!("Duplicate stream consumer detected");
                }
                BadValue::Duplicate => tell_of_damage(bytes, "with dup elements"),
                _ => {}
            }
            tell_of_damage(bytes, "integrity check failed");
            CommandError::text("ERR Bad data format")
        })?;
    let db = cx.keys.db;
    if expire_at.is_some_and(|at| at <= cx.now) && cx.node.originates() {
        if cx.delete(key) {
            let unlinks = cx.node.settings.lazyfree_lazy_server_del.get();
            let verb: &[u8] = if unlinks { b"UNLINK" } else { b"DEL" };
            cx.effects.log_instead(db, &[verb, key]);
        }
        cx.reply.ok();
        return Ok(());
    }
    cx.keys.put_entry(db, entry);
    let access = cx.node.access_clock().restored(&options.used);
    if let (Some(access), Some(entry)) = (access, cx.keys.peek(key)) {
        entry.set_access(access);
    }
    cx.effects.changed(db, key, Event::Restore);
    if let Some(at) = expire_at.filter(|_| !options.absolute) {
        let mut room = itoa::Buffer::new();
        let mut words: SmallVec<[&[u8]; 8]> = args.request().words();
        if let Some(word) = words.get_mut(2) {
            *word = room.format(at.0).as_bytes();
        }
        words.push(b"ABSTTL");
        cx.effects.log_instead(db, &words);
    }
    cx.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    /// What stock 7.0.15 gives for the string `v`.
    const STRING: &[u8] = b"\x00\x01v\x0a\x00\x91\x08\xce\xb2\x19\x38\x8a\xce";

    fn restore(server: &mut Server, head: &str, payload: &[u8], tail: &str) -> String {
        let words: Vec<&[u8]> = head
            .split(' ')
            .map(str::as_bytes)
            .chain([payload])
            .chain(tail.split(' ').filter(|word| !word.is_empty()).map(str::as_bytes))
            .collect();
        String::from_utf8_lossy(&server.run(&words).0).into_owned()
    }

    fn dump(server: &mut Server, key: &str) -> Vec<u8> {
        let reply = server.run(&[b"dump", key.as_bytes()]).0;
        let at = reply.iter().position(|&byte| byte == b'\n').expect("a bulk string") + 1;
        reply[at..reply.len() - 2].to_vec()
    }

    #[test]
    fn a_string_is_dumped_as_stock_does() {
        let mut server = Server::new();
        server.check("dump k", "$-1\r\n");
        server.line("append k v");
        assert_eq!(dump(&mut server, "k"), STRING);
    }

    #[test]
    fn every_type_comes_back() {
        let mut server = Server::new();
        for line in [
            "set string hello",
            "set int 12345",
            "sadd ints 3 1 2",
            "sadd set a b 1",
            "hset hash f v g 1",
            "zadd zset 1 a 2.5 b",
        ] {
            server.line(line);
            let key = line.split(' ').nth(1).unwrap();
            let bytes = dump(&mut server, key);
            let held = server.contents();
            server.line(&format!("del {key}"));
            assert_eq!(restore(&mut server, &format!("restore {key} 0"), &bytes, ""), "+OK\r\n");
            assert!(server.contents() == held, "{line}");
        }
    }

    #[test]
    fn errors() {
        let mut server = Server::new();
        server.line("set busy v");
        let damaged = "-ERR DUMP payload version or checksum are wrong\r\n";
        let (ttl, idle) = (
            "-ERR Invalid TTL value, must be >= 0\r\n",
            "-ERR Invalid IDLETIME value, must be >= 0\r\n",
        );
        let freq = "-ERR Invalid FREQ value, must be >= 0 and <= 255\r\n";
        let busy = "-BUSYKEY Target key name already exists.\r\n";
        let (syntax, number) =
            ("-ERR syntax error\r\n", "-ERR value is not an integer or out of range\r\n");
        for (head, tail, expected) in [
            ("restore busy 0", "", busy),
            ("restore busy -1", "", busy),
            ("restore busy 0", "nope", syntax),
            ("restore k -1", "", ttl),
            ("restore k x", "", number),
            ("restore k 0", "idletime -1", idle),
            ("restore k 0", "idletime", syntax),
            ("restore k 0", "freq 256", freq),
            ("restore k 0", "freq 1 idletime 1", syntax),
            ("restore k 0", "idletime x", number),
            ("restore busy 0", "replace", "+OK\r\n"),
        ] {
            assert_eq!(restore(&mut server, head, STRING, tail), expected, "{head} {tail}");
        }
        assert_eq!(restore(&mut server, "restore k 0", &STRING[..12], ""), damaged);
        assert_eq!(restore(&mut server, "restore k 0", b"", ""), damaged);
        server.check("get busy", "$1\r\nv\r\n");
        server.check("exists k", ":0\r\n");
    }

    #[test]
    fn expiries_are_absolute_in_the_log() {
        let mut server = Server::new();
        restore(&mut server, "restore k 0", STRING, "");
        server.logged();
        assert_eq!(restore(&mut server, "restore k 1", STRING, "replace absttl"), "+OK\r\n");
        assert_eq!(server.logged(), ["DEL k"]);
        assert_eq!(restore(&mut server, "restore k 1", STRING, "replace absttl"), "+OK\r\n");
        assert_eq!(server.logged(), [""; 0]);
        restore(&mut server, "restore k 99999999999999", STRING, "absttl");
        server.check("pexpiretime k", ":99999999999999\r\n");
        let logged = server.logged_words();
        assert_eq!(logged[0].len(), 5);
        restore(&mut server, "restore k 100000", STRING, "replace idletime 7");
        let logged = server.logged_words();
        assert_eq!((logged[0].len(), &logged[0][7][..]), (8, &b"ABSTTL"[..]));
        let at = String::from_utf8_lossy(&logged[0][2]).parse::<u64>().unwrap();
        assert!(at > base::clock::unix().0);
        server.check("object idletime k", ":7\r\n");
    }

    /// Stock's sum of clock and TTL wraps beyond the last millisecond, which makes it one that has passed.
    #[test]
    fn a_ttl_beyond_the_last_millisecond_has_passed() {
        let mut server = Server::new();
        let head = "restore k 9223372036854775807";
        assert_eq!(restore(&mut server, head, STRING, ""), "+OK\r\n");
        server.check("exists k", ":0\r\n");
        assert_eq!(server.logged(), [""; 0]);
        server.line("set k old");
        server.logged();
        assert_eq!(restore(&mut server, head, STRING, "replace"), "+OK\r\n");
        server.check("exists k", ":0\r\n");
        assert_eq!(server.logged(), ["DEL k"]);
        assert_eq!(restore(&mut server, head, STRING, "absttl"), "+OK\r\n");
        server.check("pexpiretime k", ":9223372036854775807\r\n");
    }
}
