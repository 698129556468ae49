//! GEODIST key member1 member2 [unit]: how far two members are from each other.

use super::words::{UNIT, answer_distance, unit};
use engine::{Args, Command, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::SortedSet;
use values::geo::Position;

/// GEODIST.
pub const GEODIST: Command = Command {
    spec: CommandSpec {
        name: "geodist",
        since: "3.2.0",
        group: Group::Geo,
        summary: "Answers the distance between two members.",
        complexity: "O(1)",
        flags: &[Flag::ReadOnly],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadOnly, KeyFlag::Access])],
        args: &[Arg::key("key"), Arg::bytes("member1"), Arg::bytes("member2"), UNIT.optional()],
        reply: &[
            ReplyShape::Bulk("The distance in the unit, or in metres."),
            ReplyShape::Null("One of the members, or the key, is not there."),
        ],
        ..CommandSpec::EMPTY
    },
    run: geodist,
    subcommands: &[],
};

fn geodist(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, one, other) = (args.key()?, args.bytes()?, args.bytes()?);
    let word = args.next();
    // A unit too much is found before one that is none.
    args.end()?;
    let metres = word.map_or(Ok(1.0), unit)?;
    let places =
        cx.keys.read::<SortedSet>(key)?.and_then(|set| set.score(one).zip(set.score(other)));
    match places {
        Some((one, other)) => {
            let distance = Position::of_score(one).distance(Position::of_score(other));
            answer_distance(cx, distance / metres);
        }
        None => cx.reply.null(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    /// Distances are stock's.
    #[test]
    fn distances_in_every_unit() {
        let mut server = Server::new();
        for (line, expected) in [
            ("geoadd k 13.361389 38.115556 Palermo 15.087269 37.502669 Catania", ":2\r\n"),
            ("geodist k Palermo Catania", "$11\r\n166274.1516\r\n"),
            ("geodist k Palermo Catania M", "$11\r\n166274.1516\r\n"),
            ("geodist k Palermo Catania km", "$8\r\n166.2742\r\n"),
            ("geodist k Palermo Catania mi", "$8\r\n103.3182\r\n"),
            ("geodist k Palermo Catania FT", "$11\r\n545518.8700\r\n"),
            ("geodist k Palermo Palermo", "$6\r\n0.0000\r\n"),
            ("geodist k Palermo nope", "$-1\r\n"),
            ("geodist nope a b", "$-1\r\n"),
            ("geodist k a b m m", "-ERR syntax error\r\n"),
            ("geodist k a b xx", "-ERR unsupported unit provided. please use M, KM, FT, MI\r\n"),
        ] {
            server.check(line, expected);
        }
    }
}
