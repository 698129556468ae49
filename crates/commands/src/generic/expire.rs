//! EXPIRE, PEXPIRE, EXPIREAT, PEXPIREAT and PERSIST: when a key ends.
//!
//! Whatever the unit, the log carries the absolute millisecond (PEXPIREAT); an instant that has passed
//! deletes the key at once and is logged as that. A replica never deletes by itself: it stores the
//! instant and waits for its primary's deletion.

use crate::expire_time::{EX, EXAT, Form, PX, PXAT, millis};
use base::Millis;
use engine::effects::Event;
use engine::{Args, Command, CommandError, CommandResult, Context};
use keyspace::Entry;
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};

/// EXPIRE.
pub const EXPIRE: Command = Command {
    spec: CommandSpec {
        name: "expire",
        since: "1.0.0",
        group: Group::Generic,
        summary: "Lets a key expire in so many seconds.",
        flags: &[Flag::Write, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Update])],
        args: &[Arg::key("key"), Arg::integer("seconds"), CONDITION],
        reply: &[ReplyShape::Integer(
            "1 if it was set; 0 if there is no such key or the condition does not hold.",
        )],
        history: &[("7.0.0", "Added options: `NX`, `XX`, `GT` and `LT`.")],
        ..CommandSpec::EMPTY
    },
    run: |cx, args| expire(cx, args, EX),
    subcommands: &[],
};

/// PEXPIRE.
pub const PEXPIRE: Command = Command {
    spec: CommandSpec {
        name: "pexpire",
        since: "2.6.0",
        summary: "Lets a key expire in so many milliseconds.",
        args: &[Arg::key("key"), Arg::integer("milliseconds"), CONDITION],
        ..EXPIRE.spec
    },
    run: |cx, args| expire(cx, args, PX),
    subcommands: &[],
};

/// EXPIREAT.
pub const EXPIREAT: Command = Command {
    spec: CommandSpec {
        name: "expireat",
        since: "1.2.0",
        summary: "Lets a key expire at a Unix time in seconds.",
        args: &[Arg::key("key"), Arg::unix_time("unix-time-seconds"), CONDITION],
        ..EXPIRE.spec
    },
    run: |cx, args| expire(cx, args, EXAT),
    subcommands: &[],
};

/// PEXPIREAT.
pub const PEXPIREAT: Command = Command {
    spec: CommandSpec {
        name: "pexpireat",
        since: "2.6.0",
        summary: "Lets a key expire at a Unix time in milliseconds.",
        args: &[Arg::key("key"), Arg::unix_time("unix-time-milliseconds"), CONDITION],
        ..EXPIRE.spec
    },
    run: |cx, args| expire(cx, args, PXAT),
    subcommands: &[],
};

/// PERSIST.
pub const PERSIST: Command = Command {
    spec: CommandSpec {
        name: "persist",
        since: "2.2.0",
        group: Group::Generic,
        summary: "Removes the expiry of a key.",
        flags: &[Flag::Write, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Update])],
        args: &[Arg::key("key")],
        reply: &[ReplyShape::Integer("1 if it was removed; 0 if there is no such key or expiry.")],
        ..CommandSpec::EMPTY
    },
    run: persist,
    subcommands: &[],
};

pub(crate) const CONDITION: Arg = Arg::one_of(
    "condition",
    &[Arg::word("nx", "NX"), Arg::word("xx", "XX"), Arg::word("gt", "GT"), Arg::word("lt", "LT")],
)
.optional();

/// Under which circumstances an expiry is set; several may be named.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a word of its own")]
pub(crate) struct Condition {
    absent: bool,
    present: bool,
    later: bool,
    earlier: bool,
}

impl Condition {
    fn parse(args: &mut Args<'_>) -> Result<Condition, CommandError> {
        let mut condition = Condition::default();
        while let Some(word) = args.peek() {
            if !condition.take(args) {
                let word = String::from_utf8_lossy(word);
                return Err(CommandError::Text(format!("ERR Unsupported option {word}")));
            }
        }
        if condition.absent && (condition.present || condition.later || condition.earlier) {
            return Err(CommandError::text(
                "ERR NX and XX, GT or LT options at the same time are not compatible",
            ));
        }
        if condition.later && condition.earlier {
            return Err(CommandError::text(
                "ERR GT and LT options at the same time are not compatible",
            ));
        }
        Ok(condition)
    }

    /// Takes the next word if it is a condition.
    pub(crate) fn take(&mut self, args: &mut Args<'_>) -> bool {
        let named = [
            ("NX", &mut self.absent),
            ("XX", &mut self.present),
            ("GT", &mut self.later),
            ("LT", &mut self.earlier),
        ];
        let found = named.into_iter().find(|(token, _)| args.take_token(token));
        found.map(|(_, held)| *held = true).is_some()
    }

    /// Whether more than one is named.
    pub(crate) fn is_several(self) -> bool {
        let named = [self.absent, self.present, self.later, self.earlier];
        named.into_iter().filter(|&held| held).count() > 1
    }

    /// Whether `instant` may replace `before`; no expiry counts as later than any.
    pub(crate) fn holds(self, before: Option<Millis>, instant: i64) -> bool {
        match before.map(|at| i64::try_from(at.0).unwrap_or(i64::MAX)) {
            None => !self.present && !self.later,
            Some(before) => {
                !self.absent
                    && (!self.later || instant > before)
                    && (!self.earlier || instant < before)
            }
        }
    }
}

fn expire(cx: &mut Context<'_>, args: &mut Args<'_>, form: Form) -> CommandResult {
    let (key, number) = (args.key()?, args.bytes()?);
    let condition = Condition::parse(args)?;
    let number = values::string::parse_i64(number).ok_or(CommandError::NotInteger)?;
    let instant = form.instant(number, cx.now, cx.command.command.spec.name)?;
    let before = cx.keys.peek(key).map(Entry::expire_at);
    let holds = before.is_some_and(|before| condition.holds(before, instant));
    if holds {
        expire_key(cx, key, millis(instant));
    }
    cx.reply.integer(i64::from(holds));
    Ok(())
}

/// Lets `key`, which is there, expire at `at`: deletes it if that has passed.
pub(crate) fn expire_key(cx: &mut Context<'_>, key: &[u8], at: Millis) {
    let db = cx.keys.db;
    if at <= cx.now && cx.node.originates() {
        let lazy = cx.node.settings.lazyfree_lazy_expire.get();
        if let Some(entry) = cx.keys.remove(key) {
            cx.node.lazyfree.entry(entry, lazy);
        }
        cx.effects.changed(db, key, Event::Delete);
        let verb: &[u8] = if lazy { b"UNLINK" } else { b"DEL" };
        cx.effects.log_instead(db, &[verb, key]);
        return;
    }
    cx.keys.set_expire_at(key, Some(at));
    cx.effects.changed(db, key, Event::Expire);
    let mut room = itoa::Buffer::new();
    cx.effects.log_instead(db, &[b"PEXPIREAT", key, room.format(at.0).as_bytes()]);
}

/// Removes the expiry of `key`. Whether it had one.
pub(crate) fn persist_key(cx: &mut Context<'_>, key: &[u8]) -> bool {
    let had = cx.keys.peek(key).and_then(Entry::expire_at).is_some();
    if had {
        cx.keys.set_expire_at(key, None);
        cx.effects.changed(cx.keys.db, key, Event::Persist);
    }
    had
}

fn persist(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let key = args.key()?;
    let removed = persist_key(cx, key);
    cx.reply.integer(i64::from(removed));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn numbers_and_their_limits() {
        let mut server = Server::new();
        let invalid = |name: &str| format!("-ERR invalid expire time in '{name}' command\r\n");
        for (line, expected) in [
            ("set k v", "+OK\r\n"),
            ("expire k abc", "-ERR value is not an integer or out of range\r\n"),
            ("expire k 9223372036854775807", &invalid("expire")),
            ("expire k 9223372036854775", &invalid("expire")),
            ("expire k -9223372036854775808", &invalid("expire")),
            ("expire nope 9223372036854775807", &invalid("expire")),
            ("pexpire k 9223372036854775807", &invalid("pexpire")),
            ("pexpire k 9223372036854770000", &invalid("pexpire")),
            ("expireat k 9223372036854776", &invalid("expireat")),
            ("pexpireat k 9223372036854775807", ":1\r\n"),
            ("pexpiretime k", ":9223372036854775807\r\n"),
            ("expire nope 1", ":0\r\n"),
            ("expire k -9223372036854775", ":1\r\n"),
            ("exists k", ":0\r\n"),
            ("pexpire k -9223372036854775808", ":0\r\n"),
            ("expire k", "-ERR wrong number of arguments for 'expire' command\r\n"),
        ] {
            server.check(line, expected);
        }
    }

    #[test]
    fn conditions() {
        let mut server = Server::new();
        let nx = "-ERR NX and XX, GT or LT options at the same time are not compatible\r\n";
        let both = "-ERR GT and LT options at the same time are not compatible\r\n";
        for (line, expected) in [
            ("set k v", "+OK\r\n"),
            ("expire k 10 foo", "-ERR Unsupported option foo\r\n"),
            ("expire k abc foo", "-ERR Unsupported option foo\r\n"),
            ("expire k 10 nx xx", nx),
            ("expire k 10 nx gt lt", nx),
            ("expire k 10 gt lt", both),
            ("expire k abc gt lt", both),
            ("expire k 10 gt gt", ":0\r\n"),
            ("expire k 10 xx gt", ":0\r\n"),
            ("expire k 10 lt", ":1\r\n"),
            ("expire k 20 xx lt", ":0\r\n"),
            ("expire k 20 gt", ":1\r\n"),
            ("expire k 15 GT", ":0\r\n"),
            ("expire k 30 NX", ":0\r\n"),
            ("ttl k", ":20\r\n"),
            ("expire k -1 nx", ":0\r\n"),
            ("expire k -1 gt", ":0\r\n"),
            ("exists k", ":1\r\n"),
            ("expire k -1 lt", ":1\r\n"),
            ("exists k", ":0\r\n"),
        ] {
            server.check(line, expected);
        }
    }

    #[test]
    fn persist_removes_the_expiry() {
        let mut server = Server::new();
        server.check("persist nope", ":0\r\n");
        server.check("set k v", "+OK\r\n");
        server.check("persist k", ":0\r\n");
        server.check("expire k 100", ":1\r\n");
        server.check("persist k", ":1\r\n");
        server.check("ttl k", ":-1\r\n");
    }

    #[test]
    fn the_log_says_the_instant_or_the_deletion() {
        let mut server = Server::new();
        server.line("set k v");
        server.check_log("expireat k 99999999999", &["PEXPIREAT k 99999999999000"]);
        server.check_log("expire k 10 nx", &[]);
        server.check_log("expire k abc", &[]);
        server.check_log("expire nope 10", &[]);
        server.check_log("persist k", &["persist k"]);
        server.check_log("persist k", &[]);
        server.check_log("expire k 0", &["DEL k"]);
        server.check_log("expire k 0", &[]);
        server.node().settings.lazyfree_lazy_expire.set(true);
        server.line("set k v");
        server.check_log("pexpireat k 1", &["UNLINK k"]);
    }
}
