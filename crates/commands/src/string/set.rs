//! SET key value [NX | XX | IFEQ v | IFNE v | IFDEQ d | IFDNE d] [GET]
//! [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL].
//!
//! An expiry is logged as the absolute millisecond and without the condition, which held; GET is not
//! logged, since it changes nothing.

use super::compare::{Comparison, IFDEQ, IFDNE, IFEQ, IFNE};
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
            Arg::one_of(
                "condition",
                &[Arg::word("nx", "NX"), Arg::word("xx", "XX"), IFEQ, IFNE, IFDEQ, IFDNE],
            )
            .optional(),
            Arg::word("get", "GET").optional(),
            EXPIRATION,
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
            ("8.4.0", "Added the `IFEQ`, `IFNE`, `IFDEQ` and `IFDNE` options."),
        ],
        ..CommandSpec::EMPTY
    },
    run: set,
    subcommands: &[],
};

/// The options that say what becomes of the expiry, in the documentation.
pub(super) const EXPIRATION: Arg = Arg::one_of(
    "expiration",
    &[
        Arg::integer("seconds").token("EX"),
        Arg::integer("milliseconds").token("PX"),
        Arg::unix_time("unix-time-seconds").token("EXAT"),
        Arg::unix_time("unix-time-milliseconds").token("PXAT"),
        Arg::word("keepttl", "KEEPTTL"),
    ],
)
.optional();

/// What becomes of the expiry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Expiry {
    #[default]
    Cleared,
    Kept,
    Stated(Form, i64),
}

impl Expiry {
    /// The instant, if one is stated.
    ///
    /// # Errors
    /// `InvalidExpire` for `command` if it is not positive or too large.
    pub(super) fn stated(self, now: Millis, command: &str) -> Result<Option<Millis>, CommandError> {
        match self {
            Expiry::Stated(form, number) => form.positive(number, now, command).map(Some),
            Expiry::Cleared | Expiry::Kept => Ok(None),
        }
    }
}

/// The options on the expiry, as they are taken.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Expiries<'a> {
    keeps: bool,
    stated: Option<(Form, &'a [u8])>,
}

impl<'a> Expiries<'a> {
    /// Takes an option on the expiry; false if none stands next.
    ///
    /// # Errors
    /// `Syntax` if it contradicts one before it, or its number is missing.
    pub(super) fn take(&mut self, args: &mut Args<'a>) -> Result<bool, CommandError> {
        if args.take_token("KEEPTTL") {
            self.keeps = true;
            return if self.stated.is_none() { Ok(true) } else { Err(CommandError::Syntax) };
        }
        let form = [("EX", EX), ("PX", PX), ("EXAT", EXAT), ("PXAT", PXAT)]
            .into_iter()
            .find(|(token, _)| args.take_token(token));
        let Some((_, form)) = form else { return Ok(false) };
        if self.keeps || self.stated.is_some_and(|(other, _)| other != form) {
            return Err(CommandError::Syntax);
        }
        self.stated = Some((form, args.bytes()?));
        Ok(true)
    }

    /// What they say together.
    ///
    /// # Errors
    /// `NotInteger` if the number is none.
    pub(super) fn finish(self) -> Result<Expiry, CommandError> {
        match self.stated {
            Some((form, number)) => values::string::parse_i64(number)
                .map(|number| Expiry::Stated(form, number))
                .ok_or(CommandError::NotInteger),
            None if self.keeps => Ok(Expiry::Kept),
            None => Ok(Expiry::Cleared),
        }
    }
}

/// On what the string is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition<'a> {
    Absent,
    Present,
    Compares(Comparison<'a>),
}

#[derive(Debug, Default)]
struct Options<'a> {
    condition: Option<Condition<'a>>,
    get: bool,
    expiry: Expiry,
}

impl<'a> Options<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Options<'a>, CommandError> {
        let (mut options, mut expiries) = (Options::default(), Expiries::default());
        while args.left() > 0 {
            if args.take_token("GET") {
                options.get = true;
                continue;
            }
            let condition = if args.take_token("NX") {
                Some(Condition::Absent)
            } else if args.take_token("XX") {
                Some(Condition::Present)
            } else {
                Comparison::take(args)?.map(Condition::Compares)
            };
            // NX and XX may be said again, what compares may not.
            let agrees = match (options.condition, condition) {
                (None, _) | (_, None) => true,
                (Some(Condition::Compares(_)), _) => false,
                (Some(before), Some(now)) => before == now,
            };
            if !agrees || (condition.is_none() && !expiries.take(args)?) {
                return Err(CommandError::Syntax);
            }
            options.condition = condition.or(options.condition);
        }
        options.expiry = expiries.finish()?;
        Ok(options)
    }

    /// Whether the condition holds for `key`.
    fn allow(&self, cx: &mut Context<'_>, key: &[u8]) -> Result<bool, CommandError> {
        Ok(match self.condition {
            None => true,
            Some(Condition::Absent) => cx.keys.peek(key).is_none(),
            Some(Condition::Present) => cx.keys.peek(key).is_some(),
            Some(Condition::Compares(comparison)) => match cx.keys.peek_string(key)? {
                Some(text) => comparison.holds(text.bytes(&mut itoa::Buffer::new()))?,
                None => comparison.holds_for_nothing(),
            },
        })
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
    let stated = options.expiry.stated(cx.now, "set")?;
    // First of all, so that a key that has expired is gone before it is read and set again.
    let before = cx.keys.peek(key).map(keyspace::Entry::expire_at);
    let allowed = options.allow(cx, key)?;
    if options.get {
        answer(cx, key)?;
    }
    if !allowed {
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
    } else if let Some(Condition::Compares(_)) = options.condition {
        let words: [&[u8]; 4] = [b"SET", key, value, b"KEEPTTL"];
        let len = if options.expiry == Expiry::Kept { 4 } else { 3 };
        cx.effects.log_instead(cx.keys.db, &words[..len]);
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
            ("set k v ifeq", SYNTAX),
            ("set k v ifeq v nx", SYNTAX),
            ("set k v xx ifne v", SYNTAX),
            ("set k v ifeq v ifeq v", SYNTAX),
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

    /// Replies are those of the documentation.
    #[test]
    fn comparisons() {
        let mut server = Server::new();
        for (line, expected) in [
            ("set k v ifeq x", "$-1\r\n"),
            ("set k v ifdeq x", "$-1\r\n"),
            ("exists k", ":0\r\n"),
            ("set k v ifne x", "+OK\r\n"),
            ("set k w ifne v", "$-1\r\n"),
            ("set k w ifeq v get", "$1\r\nv\r\n"),
            ("set k x ifeq v get", "$1\r\nw\r\n"),
            ("get k", "$1\r\nw\r\n"),
            ("set k \"Hello world\" ifeq w ex 100", "+OK\r\n"),
            ("set k x ifdeq b6acb9d84a38ff7", "-ERR must be exactly 16 hexadecimal characters\r\n"),
            ("set k x ifdne b6acb9d84a38ff74", "$-1\r\n"),
            ("set k 12 ifdeq b6acb9d84a38ff74 keepttl", "+OK\r\n"),
            ("ttl k", ":100\r\n"),
            ("set k x ifeq 12", "+OK\r\n"),
            ("ttl k", ":-1\r\n"),
            ("set new x ifdne b6acb9d84a38ff74", "+OK\r\n"),
        ] {
            server.check(line, expected);
        }
        server.check_log("set k y ifeq x", &["SET k y"]);
        server.check_log("set k y ifeq x", &[]);
        server.check_log("set k z ifne x keepttl get", &["SET k z KEEPTTL"]);
        server.check_log("set k v ifeq z exat 99999999999", &["SET k v PXAT 99999999999000"]);
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
