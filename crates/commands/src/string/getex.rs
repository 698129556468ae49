//! GETEX key [EX s | PX ms | EXAT s | PXAT ms | PERSIST]: reads a string and changes its expiry.
//!
//! Logged as what it does: PEXPIREAT, PERSIST, or a deletion if the instant has passed.

use super::get::answer;
use crate::expire_time::{EX, EXAT, Form, PX, PXAT};
use crate::generic::expire::{expire_key, persist_key};
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};

/// GETEX.
pub const GETEX: Command = Command {
    spec: CommandSpec {
        name: "getex",
        since: "6.2.0",
        group: Group::String,
        summary: "Answers the string at a key after setting or removing its expiry.",
        flags: &[Flag::Write, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Update])],
        args: &[
            Arg::key("key"),
            Arg::one_of(
                "expiration",
                &[
                    Arg::integer("seconds").token("EX"),
                    Arg::integer("milliseconds").token("PX"),
                    Arg::unix_time("unix-time-seconds").token("EXAT"),
                    Arg::unix_time("unix-time-milliseconds").token("PXAT"),
                    Arg::word("persist", "PERSIST"),
                ],
            )
            .optional(),
        ],
        reply: &[ReplyShape::Bulk("The string."), ReplyShape::Null("There is no such key.")],
        ..CommandSpec::EMPTY
    },
    run: getex,
    subcommands: &[],
};

/// What becomes of the expiry; a stated number is read only once the key is known to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expiry<'a> {
    Kept,
    Removed,
    Stated(Form, &'a [u8]),
}

fn parse<'a>(args: &mut Args<'a>) -> Result<Expiry<'a>, CommandError> {
    let mut expiry = Expiry::Kept;
    while args.left() > 0 {
        let form = [("EX", EX), ("PX", PX), ("EXAT", EXAT), ("PXAT", PXAT)]
            .into_iter()
            .find(|(token, _)| args.take_token(token));
        expiry = match (form, expiry) {
            (Some((_, form)), Expiry::Kept) => Expiry::Stated(form, args.bytes()?),
            (Some((_, form)), Expiry::Stated(other, _)) if form == other => {
                Expiry::Stated(form, args.bytes()?)
            }
            (None, Expiry::Kept | Expiry::Removed) if args.take_token("PERSIST") => Expiry::Removed,
            _ => return Err(CommandError::Syntax),
        };
    }
    Ok(expiry)
}

fn getex(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let key = args.key()?;
    let expiry = parse(args)?;
    if !answer(cx, key)? {
        return Ok(());
    }
    match expiry {
        Expiry::Kept => {}
        Expiry::Removed => {
            if persist_key(cx, key) {
                cx.effects.log_instead(cx.keys.db, &[b"PERSIST", key]);
            }
        }
        Expiry::Stated(form, number) => {
            let number = values::string::parse_i64(number).ok_or(CommandError::NotInteger)?;
            let at = form.positive(number, cx.now, "getex")?;
            expire_key(cx, key, at);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn replies_and_errors() {
        let mut server = Server::new();
        let invalid = "-ERR invalid expire time in 'getex' command\r\n";
        for (line, expected) in [
            ("getex k", "$-1\r\n"),
            ("getex k ex 0", "$-1\r\n"),
            ("getex k ex abc", "$-1\r\n"),
            ("getex k foo", "-ERR syntax error\r\n"),
            ("set k v", "+OK\r\n"),
            ("getex k ex 0", invalid),
            ("getex k exat -1", invalid),
            ("getex k ex 9223372036854775807", invalid),
            ("getex k ex abc", "-ERR value is not an integer or out of range\r\n"),
            ("getex k ex", "-ERR syntax error\r\n"),
            ("getex k ex 10 px 5", "-ERR syntax error\r\n"),
            ("getex k persist ex 5", "-ERR syntax error\r\n"),
            ("getex k ex 5 persist", "-ERR syntax error\r\n"),
            ("getex k keepttl", "-ERR syntax error\r\n"),
            ("getex k nx", "-ERR syntax error\r\n"),
            ("ttl k", ":-1\r\n"),
            ("getex k ex 100", "$1\r\nv\r\n"),
            ("ttl k", ":100\r\n"),
            ("getex k", "$1\r\nv\r\n"),
            ("ttl k", ":100\r\n"),
            ("getex k persist persist", "$1\r\nv\r\n"),
            ("ttl k", ":-1\r\n"),
            ("getex k pxat 9223372036854775807", "$1\r\nv\r\n"),
            ("getex k exat 1", "$1\r\nv\r\n"),
            ("get k", "$-1\r\n"),
        ] {
            server.check(line, expected);
        }
    }

    #[test]
    fn the_log_says_what_was_done() {
        let mut server = Server::new();
        server.line("set k v");
        server.check_log("getex k", &[]);
        server.check_log("getex k persist", &[]);
        server.check_log("getex k exat 99999999999", &["PEXPIREAT k 99999999999000"]);
        server.check_log("getex k persist", &["PERSIST k"]);
        server.check_log("getex k ex 0", &[]);
        server.check_log("getex k pxat 1", &["DEL k"]);
        server.check_log("getex k pxat 1", &[]);
    }
}
