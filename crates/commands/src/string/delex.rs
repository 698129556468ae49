//! DELEX key [IFEQ | IFNE | IFDEQ | IFDNE value] and DELIFEQ key value: delete a key if its string is
//! what the client thinks it is.
//!
//! They are logged as DEL, since the condition held.

use super::compare::{Comparison, IFDEQ, IFDNE, IFEQ, IFNE};
use engine::effects::Event;
use engine::keys::{Text, kind_of};
use engine::{Args, Command, CommandError, CommandResult, Context};
use keyspace::Entry;
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::Kind;

/// DELEX.
pub const DELEX: Command = Command {
    spec: CommandSpec {
        name: "delex",
        since: "8.4.0",
        group: Group::String,
        summary: "Deletes a key, if a condition on its string or on the string's digest holds.",
        complexity: "O(1) for IFEQ and IFNE, O(N) in the bytes of the string for IFDEQ and IFDNE.",
        flags: &[Flag::Write, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Delete, KeyFlag::VariableFlags])],
        args: &[Arg::key("key"), Arg::one_of("condition", &[IFEQ, IFNE, IFDEQ, IFDNE]).optional()],
        reply: &[ReplyShape::Integer("1 if the key was deleted, else 0.")],
        ..CommandSpec::EMPTY
    },
    run: delex,
    subcommands: &[],
};

/// DELIFEQ.
pub const DELIFEQ: Command = Command {
    spec: CommandSpec {
        name: "delifeq",
        since: "9.0.0",
        summary: "Deletes a key if its string equals a value.",
        complexity: "O(1)",
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Delete])],
        args: &[Arg::key("key"), Arg::bytes("value")],
        ..DELEX.spec
    },
    run: delifeq,
    subcommands: &[],
};

fn delex(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let key = args.key()?;
    if !matches!(args.left(), 0 | 2) {
        return Err(CommandError::Arity(cx.command.full_name.clone()));
    }
    let Some(kind) = cx.keys.peek(key).map(kind_of) else {
        cx.reply.integer(0);
        return Ok(());
    };
    if args.left() > 0 && kind != Kind::String {
        return Err(CommandError::text(
            "ERR Key should be of string type if conditions are specified",
        ));
    }
    let comparison = if args.left() > 0 {
        let invalid = "ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE";
        Some(Comparison::take(args)?.ok_or_else(|| CommandError::text(invalid))?)
    } else {
        None
    };
    delete_if(cx, key, comparison)
}

fn delifeq(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, value) = (args.key()?, args.bytes()?);
    delete_if(cx, key, Some(Comparison::Equal(value)))
}

fn delete_if(
    cx: &mut Context<'_>,
    key: &[u8],
    comparison: Option<Comparison<'_>>,
) -> CommandResult {
    let behind = cx.node.settings.lazyfree_lazy_user_del.get();
    let holds = |entry: &Entry| {
        let Some(comparison) = comparison else { return Ok(true) };
        comparison.holds(Text::of(entry)?.bytes(&mut itoa::Buffer::new()))
    };
    let deletes = cx.keys.peek(key).map_or(Ok(false), holds)?;
    if let Some(entry) = deletes.then(|| cx.keys.remove(key)).flatten() {
        cx.node.lazyfree.entry(entry, behind);
        cx.effects.changed(cx.keys.db, key, Event::Delete);
        cx.effects.log_instead(cx.keys.db, &[b"DEL", key]);
    }
    cx.reply.integer(i64::from(deletes));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    const INVALID: &str = "-ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE\r\n";
    const DIGEST: &str = "-ERR must be exactly 16 hexadecimal characters\r\n";
    const ARITY: &str = "-ERR wrong number of arguments for 'delex' command\r\n";

    /// Replies are those of the documentation.
    #[test]
    fn deletes_what_the_condition_allows() {
        let mut server = Server::new();
        for (line, expected) in [
            ("delex nope", ":0\r\n"),
            ("delex nope ifne x", ":0\r\n"),
            ("delex nope foo x", ":0\r\n"),
            ("delex nope ifeq", ARITY),
            ("set k \"Hello world\"", "+OK\r\n"),
            ("delex k ifeq", ARITY),
            ("delex k ifeq a b", ARITY),
            ("delex k foo bar", INVALID),
            ("delex k ifeq hello", ":0\r\n"),
            ("delex k ifne \"Hello world\"", ":0\r\n"),
            ("delex k ifdne B6ACB9D84A38FF74", ":0\r\n"),
            ("delex k ifdeq zzzzzzzzzzzzzzzz", ":0\r\n"),
            ("delex k ifdeq b6acb9d84a38ff7", DIGEST),
            ("delex k ifdeq B6ACB9D84A38FF74", ":1\r\n"),
            ("set k 12", "+OK\r\n"),
            ("delex k IFEQ 12", ":1\r\n"),
            ("set k 12", "+OK\r\n"),
            ("delex k ifne 13", ":1\r\n"),
            ("set k 12", "+OK\r\n"),
            ("delex k", ":1\r\n"),
            ("exists k", ":0\r\n"),
            ("delifeq k x", ":0\r\n"),
            ("set k x", "+OK\r\n"),
            ("delifeq k y", ":0\r\n"),
            ("delifeq k x", ":1\r\n"),
        ] {
            server.check(line, expected);
        }
    }

    #[test]
    fn deletions_are_logged_as_such() {
        let mut server = Server::new();
        for line in ["delex k", "delex k ifne w", "delex k ifeq v", "delifeq k v"] {
            server.line("set k v");
            server.check_log(line, &["DEL k"]);
            server.check_log(line, &[]);
        }
        server.line("set k v");
        server.check_log("delex k ifeq w", &[]);
        server.check_log("delifeq k w", &[]);
    }
}
