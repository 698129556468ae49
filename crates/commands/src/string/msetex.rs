//! MSETEX numkeys key value [key value ...] [NX | XX] [EX | PX | EXAT | PXAT | KEEPTTL]: sets several
//! strings with one expiry, all or none.
//!
//! Logged as the MSET or the SETs it amounts to, which every replica knows.

use super::set::{Expiries, Expiry};
use base::Millis;
use engine::effects::Event;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, BeginSearch, CommandSpec, FindKeys, Flag, Group, KeyFlag, KeySpec, ReplyShape};

/// MSETEX.
pub const MSETEX: Command = Command {
    spec: CommandSpec {
        name: "msetex",
        since: "8.4.0",
        group: Group::String,
        summary: "Sets the strings at several keys, with one expiry.",
        complexity: "O(N) in the keys.",
        flags: &[Flag::Write, Flag::DenyOom, Flag::MovableKeys],
        keys: &[KeySpec {
            begin: BeginSearch::Index(1),
            find: FindKeys::Count { count_at: 0, first: 1, step: 2 },
            flags: &[KeyFlag::Overwrite, KeyFlag::Update],
        }],
        args: &[
            Arg::integer("numkeys"),
            Arg::block("data", &[Arg::key("key"), Arg::bytes("value")]).multiple(),
            Arg::one_of("condition", &[Arg::word("nx", "NX"), Arg::word("xx", "XX")]).optional(),
            super::set::EXPIRATION,
        ],
        reply: &[ReplyShape::Integer("1 if all were set, 0 if none was.")],
        tips: &["request_policy:multi_shard", "response_policy:agg_min"],
        ..CommandSpec::EMPTY
    },
    run: msetex,
    subcommands: &[],
};

struct Request<'a> {
    pairs: Vec<(&'a [u8], &'a [u8])>,
    /// True for XX, false for NX.
    must_exist: Option<bool>,
    expiry: Expiry,
}

fn parse<'a>(args: &mut Args<'a>) -> Result<Request<'a>, CommandError> {
    let count = values::string::parse_i64(args.bytes()?)
        .and_then(|count| i32::try_from(count).ok())
        .and_then(|count| usize::try_from(count).ok())
        .filter(|count| *count > 0)
        .ok_or_else(|| CommandError::text("ERR invalid numkeys value"))?;
    if args.left() / 2 < count {
        return Err(CommandError::text("ERR wrong number of key-value pairs"));
    }
    let mut pairs = Vec::with_capacity(count);
    for _ in 0..count {
        pairs.push((args.key()?, args.bytes()?));
    }
    let (mut must_exist, mut expiries) = (None, Expiries::default());
    while args.left() > 0 {
        if args.take_token("NX") && must_exist != Some(true) {
            must_exist = Some(false);
        } else if args.take_token("XX") && must_exist != Some(false) {
            must_exist = Some(true);
        } else if !expiries.take(args)? {
            return Err(CommandError::Syntax);
        }
    }
    Ok(Request { pairs, must_exist, expiry: expiries.finish()? })
}

fn msetex(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let Request { pairs, must_exist, expiry } = parse(args)?;
    let stated = expiry.stated(cx.now, "msetex")?;
    let mut held = pairs.iter().map(|(key, _)| cx.keys.peek(key).is_some());
    if must_exist.is_some_and(|wanted| !held.all(|held| held == wanted)) {
        cx.reply.integer(0);
        return Ok(());
    }
    for &(key, value) in &pairs {
        let kept = cx.keys.peek(key).and_then(keyspace::Entry::expire_at);
        let kept = kept.filter(|_| expiry == Expiry::Kept);
        cx.keys.put_string(key, value, stated.or(kept));
        cx.effects.changed(cx.keys.db, key, Event::Set);
        if stated.is_some() {
            cx.effects.notify(cx.keys.db, key, Event::Expire);
        }
    }
    log(cx, &pairs, stated, expiry == Expiry::Kept);
    cx.reply.integer(1);
    Ok(())
}

fn log(cx: &mut Context<'_>, pairs: &[(&[u8], &[u8])], stated: Option<Millis>, keeps: bool) {
    let db = cx.keys.db;
    let mut room = itoa::Buffer::new();
    let at = stated.map(|at| room.format(at.0).as_bytes());
    if at.is_none() && !keeps {
        let mut words: Vec<&[u8]> = vec![b"MSET"];
        words.extend(pairs.iter().flat_map(|&(key, value)| [key, value]));
        cx.effects.log_instead(db, &words);
        return;
    }
    for &(key, value) in pairs {
        match at {
            Some(at) => cx.effects.log_instead(db, &[b"SET", key, value, b"PXAT", at]),
            None => cx.effects.log_instead(db, &[b"SET", key, value, b"KEEPTTL"]),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    const SYNTAX: &str = "-ERR syntax error\r\n";
    const COUNT: &str = "-ERR invalid numkeys value\r\n";
    const PAIRS: &str = "-ERR wrong number of key-value pairs\r\n";
    const INVALID: &str = "-ERR invalid expire time in 'msetex' command\r\n";

    #[test]
    fn all_or_none() {
        let mut server = Server::new();
        for (line, expected) in [
            ("msetex 1 a", "-ERR wrong number of arguments for 'msetex' command\r\n"),
            ("msetex a 1 b", COUNT),
            ("msetex 0 a 1", COUNT),
            ("msetex -1 a 1", COUNT),
            ("msetex 2147483648 a 1", COUNT),
            ("msetex 2147483647 a 1", PAIRS),
            ("msetex 2 a 1 b", PAIRS),
            ("msetex 1 a 1 foo", SYNTAX),
            ("msetex 1 a 1 nx xx", SYNTAX),
            ("msetex 1 a 1 ex 1 keepttl", SYNTAX),
            ("msetex 1 a 1 ex 0", INVALID),
            ("msetex 1 a 1 ex x", "-ERR value is not an integer or out of range\r\n"),
            ("exists a", ":0\r\n"),
            ("msetex 2 a 1 b 2 xx", ":0\r\n"),
            ("msetex 2 a 1 b 2 nx ex 100", ":1\r\n"),
            ("mget a b", "*2\r\n$1\r\n1\r\n$1\r\n2\r\n"),
            ("ttl b", ":100\r\n"),
            ("msetex 2 c 1 b 3 nx", ":0\r\n"),
            ("exists c", ":0\r\n"),
            ("msetex 2 c 1 b 3 keepttl", ":1\r\n"),
            ("ttl b", ":100\r\n"),
            ("ttl c", ":-1\r\n"),
            ("msetex 2 a 5 b 6 PXAT 99999999999999 XX", ":1\r\n"),
            ("pexpiretime a", ":99999999999999\r\n"),
            ("msetex 1 a 7", ":1\r\n"),
            ("ttl a", ":-1\r\n"),
        ] {
            server.check(line, expected);
        }
    }

    #[test]
    fn logged_as_what_it_amounts_to() {
        let mut server = Server::new();
        server.check_log("msetex 2 a 1 b 2 nx", &["MSET a 1 b 2"]);
        server.check_log("msetex 2 a 1 b 2 nx", &[]);
        server.check_log("msetex 1 a 1 keepttl", &["SET a 1 KEEPTTL"]);
        server.check_log(
            "msetex 2 a 1 b 2 exat 99999999999",
            &["MULTI", "SET a 1 PXAT 99999999999000", "SET b 2 PXAT 99999999999000", "EXEC"],
        );
    }
}
