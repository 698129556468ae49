//! LMOVE and RPOPLPUSH: an element moves from one list to another, or around in one.

use super::{ENDS, end_of, limits, popped, pushed};
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::List;
use values::list::End;

/// The keys of these commands.
pub(super) const SOURCE_AND_DESTINATION: &[KeySpec] = &[
    KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Delete]),
    KeySpec::one(2, &[KeyFlag::ReadWrite, KeyFlag::Insert]),
];

/// LMOVE.
pub const LMOVE: Command = Command {
    spec: CommandSpec {
        name: "lmove",
        since: "6.2.0",
        group: Group::List,
        summary: "Takes an element at an end of a list and adds it at an end of another.",
        flags: &[Flag::Write, Flag::DenyOom],
        keys: SOURCE_AND_DESTINATION,
        args: &[
            Arg::key("source"),
            Arg::key("destination"),
            Arg::one_of("wherefrom", ENDS),
            Arg::one_of("whereto", ENDS),
        ],
        reply: &[ReplyShape::Bulk("The element."), ReplyShape::Null("There is no such key.")],
        ..CommandSpec::EMPTY
    },
    run: lmove,
    subcommands: &[],
};

/// RPOPLPUSH.
pub const RPOPLPUSH: Command = Command {
    spec: CommandSpec {
        name: "rpoplpush",
        since: "1.2.0",
        summary: "Takes the last element of a list and adds it at the beginning of another.",
        args: &[Arg::key("source"), Arg::key("destination")],
        deprecated: Some(("6.2.0", "`LMOVE` with the `RIGHT` and `LEFT` arguments")),
        ..LMOVE.spec
    },
    run: rpoplpush,
    subcommands: &[],
};

fn lmove(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (source, destination) = (args.key()?, args.key()?);
    let (from, to) = (end_of(args.bytes()?)?, end_of(args.bytes()?)?);
    move_element(cx, source, destination, from, to)
}

fn rpoplpush(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (source, destination) = (args.key()?, args.key()?);
    move_element(cx, source, destination, End::Right, End::Left)
}

/// Moves an element and answers it, or null.
fn move_element(
    cx: &mut Context<'_>,
    source: &[u8],
    destination: &[u8],
    from: End,
    to: End,
) -> CommandResult {
    if !try_move(cx, source, destination, from, to)? {
        cx.reply.null();
    }
    Ok(())
}

/// Moves an element and answers it; without a source nothing happens, and the answer is false.
pub(super) fn try_move(
    cx: &mut Context<'_>,
    source: &[u8],
    destination: &[u8],
    from: End,
    to: End,
) -> Result<bool, CommandError> {
    let Some(list) = cx.keys.peek_at::<List>(source)? else { return Ok(false) };
    let index = if from == End::Left { 0 } else { list.len().saturating_sub(1) };
    let Some(element) = list.get(index) else { return Ok(false) };
    cx.keys.peek_at::<List>(destination)?;
    let (limits, mut removed) = (limits(cx), false);
    if source == destination {
        cx.keys.edit::<List, ()>(source, |list| {
            list.remove_at(from, 1, limits);
            list.push(to, &element, limits);
            Ok(())
        })?;
    } else {
        cx.keys.edit_or_create::<List, ()>(destination, |list| {
            list.push(to, &element, limits);
            Ok(())
        })?;
        let edited = cx.keys.edit::<List, ()>(source, |list| {
            list.remove_at(from, 1, limits);
            Ok(())
        })?;
        removed = edited.is_some_and(|edited| edited.removed);
    }
    cx.changed(destination, pushed(to), 1, false);
    // One change, of two keys.
    cx.changed(source, popped(from), 0, removed);
    cx.reply.bulk(element);
    Ok(true)
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn an_element_moves() {
        let mut server = Server::new();
        let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
        for (line, expected) in [
            ("set s v", "+OK\r\n"),
            ("rpush l a b 3", ":3\r\n"),
            ("lmove l m right left", "$1\r\n3\r\n"),
            ("lmove l m LEFT Left", "$1\r\na\r\n"),
            ("lrange m 0 -1", "*2\r\n$1\r\na\r\n$1\r\n3\r\n"),
            ("rpoplpush l m", "$1\r\nb\r\n"),
            ("exists l", ":0\r\n"),
            ("rpoplpush l m", "$-1\r\n"),
            ("lmove l s left left", "$-1\r\n"),
            ("lmove m m left right", "$1\r\nb\r\n"),
            ("lrange m 0 -1", "*3\r\n$1\r\na\r\n$1\r\n3\r\n$1\r\nb\r\n"),
            ("lmove m s left right", wrong),
            ("lmove s m left right", wrong),
            ("lmove m s up right", "-ERR syntax error\r\n"),
            ("rpush one x", ":1\r\n"),
            ("rpoplpush one one", "$1\r\nx\r\n"),
            ("llen one", ":1\r\n"),
        ] {
            server.check(line, expected);
        }
        server.check_log("lmove m l left right", &["lmove m l left right"]);
        server.check_log("rpoplpush none l", &[]);
        let node = server.node();
        let changes = || node.changes.load(std::sync::atomic::Ordering::Relaxed);
        let before = changes();
        server.check("rpoplpush m l", "$1\r\nb\r\n");
        assert_eq!(changes() - before, 1);
    }
}
