//! SET key value [NX | XX] [GET] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL].
//!
//! An expiry is logged as the absolute millisecond and without the condition, which held; GET is not
//! logged, since it changes nothing.

use super::get::answer;
use crate::expire_time::{EX, EXAT, Form, PX, PXAT};
use base::Millis;
use engine::effects::Event;
use engine::{Args, Command, CommandError, CommandResult, Context};
use smallvec::SmallVec;
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};

/// SET.
pub const SET: Command = Command {
    spec: CommandSpec {
        name: "set",
        since: "1.0.0",
        group: Group::String,
        summary: "Sets the string at a key, whatever was there; its expiry goes unless kept.",
        complexity: "O(1)",
        flags: &[Flag::Write, Flag::DenyOom],
        keys: &[KeySpec::one(
            1,
            &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Update, KeyFlag::VariableFlags],
        )],
        args: &[
            Arg::key("key"),
            Arg::bytes("value"),
            Arg::one_of("condition", &[Arg::word("nx", "NX"), Arg::word("xx", "XX")]).optional(),
            Arg::word("get", "GET").optional(),
            Arg::one_of(
                "expiration",
                &[
                    Arg::integer("seconds").token("EX"),
                    Arg::integer("milliseconds").token("PX"),
                    Arg::unix_time("unix-time-seconds").token("EXAT"),
                    Arg::unix_time("unix-time-milliseconds").token("PXAT"),
                    Arg::word("keepttl", "KEEPTTL"),
                ],
            )
            .optional(),
        ],
        reply: &[
            ReplyShape::Status("OK"),
            ReplyShape::Bulk("The string before, with GET."),
            ReplyShape::Null("The condition did not hold; with GET: there was no such key."),
        ],
        history: &[
            ("2.6.12", "Added the `EX`, `PX`, `NX` and `XX` options."),
            ("6.0.0", "Added the `KEEPTTL` option."),
            ("6.2.0", "Added the `GET`, `EXAT` and `PXAT` option."),
            ("7.0.0", "Allowed the `NX` and `GET` options to be used together."),
        ],
        ..CommandSpec::EMPTY
    },
    run: set,
    subcommands: &[],
};

/// What becomes of the expiry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Expiry {
    #[default]
    Cleared,
    Kept,
    Stated(Form, i64),
}

#[derive(Debug, Default)]
struct Options {
    /// True for XX, false for NX.
    must_exist: Option<bool>,
    get: bool,
    expiry: Expiry,
}

impl Options {
    fn parse(args: &mut Args<'_>) -> Result<Options, CommandError> {
        let mut options = Options::default();
        let mut stated: Option<(Form, &[u8])> = None;
        while args.left() > 0 {
            let keeps = options.expiry == Expiry::Kept;
            let form = [("EX", EX), ("PX", PX), ("EXAT", EXAT), ("PXAT", PXAT)]
                .into_iter()
                .find(|(token, _)| args.take_token(token));
            if let Some((_, form)) = form {
                if keeps || stated.is_some_and(|(other, _)| other != form) {
                    return Err(CommandError::Syntax);
                }
                stated = Some((form, args.bytes()?));
            } else if args.take_token("NX") && options.must_exist != Some(true) {
                options.must_exist = Some(false);
            } else if args.take_token("XX") && options.must_exist != Some(false) {
                options.must_exist = Some(true);
            } else if args.take_token("GET") {
                options.get = true;
            } else if args.take_token("KEEPTTL") && stated.is_none() {
                options.expiry = Expiry::Kept;
            } else {
                return Err(CommandError::Syntax);
            }
        }
        if let Some((form, number)) = stated {
            let number = values::string::parse_i64(number).ok_or(CommandError::NotInteger)?;
            options.expiry = Expiry::Stated(form, number);
        }
        Ok(options)
    }
}

fn set(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, value) = (args.key()?, args.bytes()?);
    if args.left() > 0 {
        return set_with_options(cx, args, key, value);
    }
    cx.keys.put_string(key, value, None);
    cx.effects.changed(cx.keys.db, key, Event::Set);
    cx.reply.ok();
    Ok(())
}

fn set_with_options(
    cx: &mut Context<'_>,
    args: &mut Args<'_>,
    key: &[u8],
    value: &[u8],
) -> CommandResult {
    let options = Options::parse(args)?;
    let stated = match options.expiry {
        Expiry::Stated(form, number) => Some(form.positive(number, cx.now, "set")?),
        Expiry::Cleared | Expiry::Kept => None,
    };
    // First of all, so that a key that has expired is gone before it is read and set again.
    let before = cx.keys.peek(key).map(keyspace::Entry::expire_at);
    if options.get {
        answer(cx, key)?;
    }
    if options.must_exist.is_some_and(|wanted| wanted != before.is_some()) {
        if !options.get {
            cx.reply.null();
        }
        return Ok(());
    }
    let kept = before.flatten().filter(|_| options.expiry == Expiry::Kept);
    cx.keys.put_string(key, value, stated.or(kept));
    cx.effects.changed(cx.keys.db, key, Event::Set);
    if let Some(at) = stated {
        cx.effects.notify(cx.keys.db, key, Event::Expire);
        log_expiring(cx, key, value, at);
    } else if options.get {
        log_without_get(cx, args);
    }
    if !options.get {
        cx.reply.ok();
    }
    Ok(())
}

/// Logs a string that expires, whichever command set it.
pub(super) fn log_expiring(cx: &mut Context<'_>, key: &[u8], value: &[u8], at: Millis) {
    let mut room = itoa::Buffer::new();
    let at = room.format(at.0).as_bytes();
    cx.effects.log_instead(cx.keys.db, &[b"SET", key, value, b"PXAT", at]);
}

fn log_without_get(cx: &mut Context<'_>, args: &Args<'_>) {
    let words = args.request().words();
    let (head, options) = words.split_at(words.len().min(3));
    let options = options.iter().filter(|word| !word.eq_ignore_ascii_case(b"GET"));
    let kept: SmallVec<[&[u8]; 8]> = head.iter().chain(options).copied().collect();
    cx.effects.log_instead(cx.keys.db, &kept);
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    const INVALID: &str = "-ERR invalid expire time in 'set' command\r\n";
    const SYNTAX: &str = "-ERR syntax error\r\n";

    #[test]
    fn options_and_their_errors() {
        let mut server = Server::new();
        for (line, expected) in [
            ("set k", "-ERR wrong number of arguments for 'set' command\r\n"),
            ("set k v", "+OK\r\n"),
            ("set k v ex", SYNTAX),
            ("set k v ex 0", INVALID),
            ("set k v ex -1", INVALID),
            ("set k v ex abc", "-ERR value is not an integer or out of range\r\n"),
            ("set k v px 0", INVALID),
            ("set k v exat 0", INVALID),
            ("set k v pxat -5", INVALID),
            ("set k v ex 9223372036854775807", INVALID),
            ("set k v px 9223372036854775807", INVALID),
            ("set k v ex 9223372036854775", INVALID),
            ("set k v exat 9223372036854775807", INVALID),
            ("set k v pxat 9223372036854775807", "+OK\r\n"),
            ("set k v nx xx", SYNTAX),
            ("set k v ex 10 px 10", SYNTAX),
            ("set k v keepttl ex 10", SYNTAX),
            ("set k v ex 10 keepttl", SYNTAX),
            ("set k v nx nx", "$-1\r\n"),
            ("set k v foo", SYNTAX),
            ("set k v ex 10 ex 10", "+OK\r\n"),
        ] {
            server.check(line, expected);
        }
    }

    #[test]
    fn conditions_and_the_string_before() {
        let mut server = Server::new();
        for (line, expected) in [
            ("set k v nx", "+OK\r\n"),
            ("set k w NX get", "$1\r\nv\r\n"),
            ("get k", "$1\r\nv\r\n"),
            ("set new v nx get", "$-1\r\n"),
            ("get new", "$1\r\nv\r\n"),
            ("set absent v xx get", "$-1\r\n"),
            ("set absent v xx", "$-1\r\n"),
            ("get absent", "$-1\r\n"),
            ("set k w xx Get", "$1\r\nv\r\n"),
            ("get k", "$1\r\nw\r\n"),
        ] {
            server.check(line, expected);
        }
    }

    #[test]
    fn expiry_is_cleared_kept_or_set() {
        let mut server = Server::new();
        for (line, expected) in [
            ("set k v ex 100", "+OK\r\n"),
            ("ttl k", ":100\r\n"),
            ("set k w keepttl", "+OK\r\n"),
            ("ttl k", ":100\r\n"),
            ("set k v", "+OK\r\n"),
            ("ttl k", ":-1\r\n"),
            ("set k v pxat 99999999999999", "+OK\r\n"),
            ("pexpiretime k", ":99999999999999\r\n"),
            ("set k v exat 99999999999", "+OK\r\n"),
            ("expiretime k", ":99999999999\r\n"),
            ("set k v px 100000", "+OK\r\n"),
            ("ttl k", ":100\r\n"),
            ("set k v pxat 1", "+OK\r\n"),
            ("get k", "$-1\r\n"),
            ("set k v pxat 1", "+OK\r\n"),
            ("set k v xx", "$-1\r\n"),
            ("set k v pxat 1", "+OK\r\n"),
            ("set k w keepttl get", "$-1\r\n"),
            ("ttl k", ":-1\r\n"),
        ] {
            server.check(line, expected);
        }
    }

    #[test]
    fn the_log_says_something_absolute() {
        let mut server = Server::new();
        server.check_log("set k v", &["set k v"]);
        server.check_log("set k v get", &["set k v"]);
        server.check_log("SET k v xx GET keepttl", &["SET k v xx keepttl"]);
        server.check_log("set k v nx", &[]);
        server.check_log("set k v nx xx", &[]);
        server.check_log("set k v exat 99999999999 xx", &["SET k v PXAT 99999999999000"]);
        server.check_log("set k v pxat 1", &["SET k v PXAT 1"]);
        server.check_log("set k v xx", &["DEL k"]);
        let before = base::clock::unix().0;
        server.line("set k v ex 100");
        let logged = server.logged();
        let at = logged[0].strip_prefix("SET k v PXAT ").expect("an absolute expiry");
        let ahead = at.parse::<u64>().unwrap() - before;
        assert!((100_000..110_000).contains(&ahead), "{logged:?}");
    }
}
