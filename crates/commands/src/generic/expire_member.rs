//! EXPIREMEMBER, PEXPIREMEMBER, EXPIREMEMBERAT and PEXPIREMEMBERAT of `KeyDB`: a member of a set, or a
//! field of a hash, expires by itself.
//!
//! A field is as HEXPIRE leaves it. A member of a set that has ended is taken out when somebody looks at
//! the set, or within a tenth of a second, by the primary, whose log says SREM; until then replicas
//! show it. The log carries the absolute millisecond, and an instant that has passed removes at once.
//! A snapshot says it in `KeyDB`'s words, which stock passes over; DUMP does not say it.
//!
//! Source: `KeyDB` documentation, EXPIREMEMBER.

use crate::expire_time::{EX, EXAT, Form, PX, PXAT, millis};
use crate::hash::expire::expire_field;
use engine::effects::Event;
use engine::keys::kind_of;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::{Kind, Set};

/// EXPIREMEMBER.
pub const EXPIREMEMBER: Command = Command {
    spec: CommandSpec {
        name: "expiremember",
        since: "0.1.0",
        group: Group::Generic,
        summary: "Lets a member of a set or a field of a hash expire in so many seconds, or milliseconds with the unit ms.",
        complexity: "O(1); O(N) in a small set or hash, which becomes a table.",
        flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Update])],
        args: &[
            Arg::key("key"),
            Arg::bytes("member"),
            Arg::integer("delay"),
            Arg::one_of("unit", &[Arg::word("seconds", "S"), Arg::word("milliseconds", "MS")])
                .optional(),
        ],
        reply: &[ReplyShape::Integer("1 if it was set; 0 if there is no such key or member.")],
        ..CommandSpec::EMPTY
    },
    run: |cx, args| expire_member(cx, args, EX),
    subcommands: &[],
};

/// PEXPIREMEMBER.
pub const PEXPIREMEMBER: Command = Command {
    spec: CommandSpec {
        name: "pexpiremember",
        summary: "Lets a member of a set or a field of a hash expire in so many milliseconds.",
        args: &[Arg::key("key"), Arg::bytes("member"), Arg::integer("milliseconds")],
        ..EXPIREMEMBER.spec
    },
    run: |cx, args| expire_member(cx, args, PX),
    subcommands: &[],
};

/// EXPIREMEMBERAT.
pub const EXPIREMEMBERAT: Command = Command {
    spec: CommandSpec {
        name: "expirememberat",
        summary: "Lets a member of a set or a field of a hash expire at a Unix time in seconds.",
        args: &[Arg::key("key"), Arg::bytes("member"), Arg::unix_time("unix-time-seconds")],
        ..EXPIREMEMBER.spec
    },
    run: |cx, args| expire_member(cx, args, EXAT),
    subcommands: &[],
};

/// PEXPIREMEMBERAT.
pub const PEXPIREMEMBERAT: Command = Command {
    spec: CommandSpec {
        name: "pexpirememberat",
        summary: "Lets a member of a set or a field of a hash expire at a Unix time in milliseconds.",
        args: &[Arg::key("key"), Arg::bytes("member"), Arg::unix_time("unix-time-milliseconds")],
        ..EXPIREMEMBER.spec
    },
    run: |cx, args| expire_member(cx, args, PXAT),
    subcommands: &[],
};

fn expire_member(cx: &mut Context<'_>, args: &mut Args<'_>, form: Form) -> CommandResult {
    let (key, member, number) = (args.key()?, args.bytes()?, args.integer()?);
    let form = match args.next() {
        None => form,
        Some(unit) if unit.eq_ignore_ascii_case(b"s") => EX,
        Some(unit) if unit.eq_ignore_ascii_case(b"ms") => PX,
        Some(_) => return Err(CommandError::Syntax),
    };
    let instant = form.instant(number, cx.now, cx.command.command.spec.name)?;
    let is_set = cx.keys.peek(key).is_some_and(|entry| kind_of(entry) == Kind::Set);
    let expire = if is_set { expire_in_set } else { expire_field };
    let is_done = expire(cx, key, member, instant)?;
    cx.reply.integer(i64::from(is_done));
    Ok(())
}

/// Lets a member of a set end at `instant`. False if there is none.
fn expire_in_set(
    cx: &mut Context<'_>,
    key: &[u8],
    member: &[u8],
    instant: i64,
) -> Result<bool, CommandError> {
    let set = cx.keys.peek_at::<Set>(key)?;
    if !set.is_some_and(|set| set.contains(member)) {
        return Ok(false);
    }
    let (db, at) = (cx.keys.db, millis(instant));
    if at <= cx.now && cx.node.originates() {
        let edited = cx.keys.edit::<Set, _>(key, |set| Ok(set.remove(member)))?;
        cx.changed(key, Event::SetRemove, 1, edited.is_some_and(|edited| edited.removed));
        cx.effects.log_instead(db, &[b"SREM", key, member]);
        return Ok(true);
    }
    cx.keys.edit::<Set, _>(key, |set| Ok(set.set_expire_at(member, Some(at))))?;
    cx.effects.changed_silently();
    let mut room = itoa::Buffer::new();
    let words: [&[u8]; 4] = [b"PEXPIREMEMBERAT", key, member, room.format(at.0).as_bytes()];
    cx.effects.log_instead(db, &words);
    Ok(true)
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    fn until_past() {
        let began = base::clock::unix();
        while base::clock::unix() <= began + base::Millis(3) {
            std::hint::spin_loop();
        }
    }

    #[test]
    fn members_of_sets_expire() {
        let mut server = Server::new();
        for (line, expected) in [
            ("sadd s a b c 1", ":4\r\n"),
            ("expiremember s x 100", ":0\r\n"),
            ("expiremember s a 100", ":1\r\n"),
            ("object encoding s", "$9\r\nhashtable\r\n"),
            ("pexpiremember s b 2", ":1\r\n"),
            ("expiremember s c 1 days", "-ERR syntax error\r\n"),
            ("sadd s a", ":0\r\n"),
            ("set t v", "+OK\r\n"),
            ("expiremember t a 100", WRONG_TYPE),
        ] {
            server.check(line, expected);
        }
        server.check_log(
            "pexpirememberat s c 99999999999999",
            &["PEXPIREMEMBERAT s c 99999999999999"],
        );
        server.check_log("expirememberat s 1 1", &["SREM s 1"]);
        until_past();
        server.logged();
        server.check("scard s", ":2\r\n");
        assert_eq!(server.logged(), ["SREM s b"]);
        server.check("sismember s b", ":0\r\n");
        server.check("scard s", ":2\r\n");
        // One that is taken out and put in anew lives on.
        server.line("srem s a");
        server.line("sadd s a");
        server.check("pexpirememberat s c 1", ":1\r\n");
        server.check("smembers s", "*1\r\n$1\r\na\r\n");
    }

    #[test]
    fn a_set_goes_with_its_last_member() {
        let mut server = Server::new();
        server.line("sadd s a");
        server.line("pexpiremember s a 1");
        until_past();
        server.logged();
        server.check_log("sadd s a", &["MULTI", "SREM s a", "sadd s a", "EXEC"]);
        server.check("scard s", ":1\r\n");
    }

    #[test]
    fn a_set_that_is_made_small_keeps_what_expires() {
        let mut server = Server::new();
        server.line("sadd s a b c d e f g h i j k l");
        for member in "abcdefghijkl".chars() {
            server.line(&format!("pexpirememberat s {member} 99999999999999"));
        }
        server.line("spop s 11");
        server.check("object encoding s", "$9\r\nhashtable\r\n");
    }

    #[test]
    fn snapshots_keep_when_members_end() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut server = Server::new();
        let path = dir.path().to_string_lossy().into_owned();
        server.node().settings.dir.set(path.as_bytes().into());
        server.line("config set enable-debug-command yes");
        server.node().settings.enable_debug_command.set(conf::ProtectedAction::Yes);
        server.line("sadd s a b c");
        server.line("sadd other a b");
        server.line("pexpiremember s a 2");
        server.line("pexpiremember other b 99999999");
        server.check("debug reload", "+OK\r\n");
        until_past();
        server.check("scard s", ":2\r\n");
        server.check("scard other", ":2\r\n");
        server.check("object encoding other", "$9\r\nhashtable\r\n");
    }

    /// Wherever the file is cut for the threads that load it.
    #[test]
    fn snapshots_of_many_and_of_large_sets_keep_it_too() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut server = Server::new();
        let path = dir.path().to_string_lossy().into_owned();
        server.node().settings.dir.set(path.as_bytes().into());
        server.node().settings.enable_debug_command.set(conf::ProtectedAction::Yes);
        for number in 0..4000 {
            server.line(&format!("sadd s{number} a b {number}"));
            server.line(&format!("pexpirememberat s{number} a 99999999999999"));
            server.line(&format!("sadd plain{number} a {number}x"));
        }
        let members: Vec<String> = (0..70_000).map(|number| number.to_string()).collect();
        server.line(&format!("sadd large {}", members.join(" ")));
        server.line("pexpirememberat large 69999 99999999999999");
        server.check("debug reload", "+OK\r\n");
        for number in 0..4000 {
            server.check(&format!("object encoding s{number}"), "$9\r\nhashtable\r\n");
            server.check(&format!("object encoding plain{number}"), "$8\r\nlistpack\r\n");
        }
        server.check("pexpirememberat large 69998 1", ":1\r\n");
        server.check("scard large", ":69999\r\n");
        let expiring = |server: &mut Server| {
            let shard = keyspace::Keyspace::shard_of(b"large");
            let hash = keyspace::Keyspace::hash(b"large");
            let shard = server.node().keyspace.lock(shard);
            let entry = shard.find(0, hash, b"large").expect("the set");
            engine::keys::view::<values::Set>(entry).expect("a set").expiring().count()
        };
        assert_eq!(expiring(&mut server), 1);
    }

    const WRONG_TYPE: &str =
        "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
}
