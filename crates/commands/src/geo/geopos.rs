//! GEOPOS key [member ...]: the places of members.

use super::words::answer_position;
use engine::{Args, Command, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::SortedSet;
use values::geo::Position;

/// GEOPOS.
pub const GEOPOS: Command = Command {
    spec: CommandSpec {
        name: "geopos",
        since: "3.2.0",
        group: Group::Geo,
        summary: "Answers the longitudes and latitudes of members.",
        complexity: "O(1) for each member.",
        flags: &[Flag::ReadOnly],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadOnly, KeyFlag::Access])],
        args: &[Arg::key("key"), Arg::bytes("member").optional().multiple()],
        reply: &[ReplyShape::Array("A pair for each member, null for one that is not there.")],
        ..CommandSpec::EMPTY
    },
    run: geopos,
    subcommands: &[],
};

fn geopos(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let key = args.key()?;
    let set = cx.keys.read::<SortedSet>(key)?;
    let mut places = Vec::with_capacity(args.left());
    while let Some(member) = args.next() {
        let score = set.as_ref().and_then(|set| set.score(member));
        places.push(score.map(Position::of_score));
    }
    cx.reply.array(places.len());
    for place in places {
        match place {
            Some(place) => answer_position(cx, place),
            None => cx.reply.null_array(),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    /// Coordinates are stock's.
    #[test]
    fn places_in_both_protocols() {
        let mut server = Server::new();
        server.check("geoadd k 0 0 d 180 85.05112878 b", ":2\r\n");
        let zero = "0.00000268220901489";
        server.check(
            "geopos k d nope b",
            &format!(
                "*3\r\n*2\r\n$19\r\n{zero}\r\n$19\r\n0.00000126736058093\r\n*-1\r\n\
                 *2\r\n$3\r\n180\r\n$19\r\n85.0511287799999991\r\n"
            ),
        );
        server.check("geopos k", "*0\r\n");
        server.check("geopos nope x", "*1\r\n*-1\r\n");
        server.line("hello 3");
        server.check(
            "geopos k d nope",
            &format!("*2\r\n*2\r\n,{zero}\r\n,0.00000126736058093\r\n_\r\n"),
        );
    }
}
