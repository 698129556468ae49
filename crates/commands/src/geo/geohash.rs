//! GEOHASH key [member ...]: geohashes in the text form that other systems read.

use engine::{Args, Command, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::SortedSet;
use values::geo::Position;

/// GEOHASH.
pub const GEOHASH: Command = Command {
    spec: CommandSpec {
        name: "geohash",
        since: "3.2.0",
        group: Group::Geo,
        summary: "Answers members' places as geohashes of eleven characters.",
        complexity: "O(1) for each member.",
        flags: &[Flag::ReadOnly],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadOnly, KeyFlag::Access])],
        args: &[Arg::key("key"), Arg::bytes("member").optional().multiple()],
        reply: &[ReplyShape::Array("A geohash for each member, null for one that is not there.")],
        ..CommandSpec::EMPTY
    },
    run: geohash,
    subcommands: &[],
};

fn geohash(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let key = args.key()?;
    let set = cx.keys.read::<SortedSet>(key)?;
    cx.reply.array(args.left());
    while let Some(member) = args.next() {
        match set.as_ref().and_then(|set| set.score(member)) {
            Some(score) => cx.reply.bulk(Position::of_score(score).text()),
            None => cx.reply.null(),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    /// The first is Wikipedia's example, but for the character that 52 bits cannot say.
    #[test]
    fn texts() {
        let mut server = Server::new();
        server.check("geoadd k -5.6 42.6 a 180 0 b", ":2\r\n");
        server.check(
            "geohash k a nope b",
            "*3\r\n$11\r\nezs42e44yx0\r\n$-1\r\n$11\r\n80000000000\r\n",
        );
        server.check("geohash k", "*0\r\n");
        server.check("geohash nope a", "*1\r\n$-1\r\n");
    }
}
