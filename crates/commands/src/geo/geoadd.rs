//! GEOADD key [NX | XX] [CH] longitude latitude member [...]: puts places into a sorted set.
//!
//! It is a ZADD of geohashes, runs as such and is logged as such.

use super::words::position;
use engine::args::OwnedRequest;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};

/// GEOADD.
pub const GEOADD: Command = Command {
    spec: CommandSpec {
        name: "geoadd",
        since: "3.2.0",
        group: Group::Geo,
        summary: "Adds members with their places; creates the key if it is absent.",
        complexity: "O(log(N)) for each member, N being the members that are there.",
        flags: &[Flag::Write, Flag::DenyOom],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Update])],
        args: &[
            Arg::key("key"),
            Arg::one_of("condition", &[Arg::word("nx", "NX"), Arg::word("xx", "XX")]).optional(),
            Arg::word("change", "CH").optional(),
            Arg::block(
                "longitude_latitude_member",
                &[Arg::double("longitude"), Arg::double("latitude"), Arg::bytes("member")],
            )
            .multiple(),
        ],
        reply: &[ReplyShape::Integer("How many members were added; with CH, added or moved.")],
        history: &[("6.2.0", "Added the `CH`, `NX` and `XX` options.")],
        ..CommandSpec::EMPTY
    },
    run: geoadd,
    subcommands: &[],
};

fn geoadd(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let key = args.key()?;
    let (mut words, mut nx, mut xx): (Vec<Vec<u8>>, _, _) =
        (vec![b"zadd".to_vec(), key.to_vec()], false, false);
    while let Some(word) = args.peek() {
        if args.take_token("NX") {
            nx = true;
        } else if args.take_token("XX") {
            xx = true;
        } else if !args.take_token("CH") {
            break;
        }
        words.push(word.to_vec());
    }
    if !args.left().is_multiple_of(3) || (nx && xx) {
        return Err(CommandError::Syntax);
    }
    while args.left() > 0 {
        words.push(position(args)?.hash().to_string().into_bytes());
        words.push(args.bytes()?.to_vec());
    }
    let owned = OwnedRequest::from_words(words.iter().map(Vec::as_slice));
    crate::sorted_set::add(cx, &mut Args::new(owned.request(), 1))?;
    if cx.effects.dirty() > 0 {
        cx.effects.log_instead(cx.keys.db, &owned.request().words());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn adds_and_moves() {
        let mut server = Server::new();
        let syntax = "-ERR syntax error\r\n";
        for (line, expected) in [
            ("geoadd nyc -73.9454966 40.747533 lic", ":1\r\n"),
            ("geoadd nyc -73.9454966 40.747533 lic", ":0\r\n"),
            ("zscore nyc lic", "$16\r\n1791875804419201\r\n"),
            ("geoadd nyc CH 40.747533 -73.9454966 lic", ":1\r\n"),
            ("geoadd nyc nx -73.9454966 40.747533 lic", ":0\r\n"),
            ("geoadd nyc XX -73.9454966 40.747533 lic", ":0\r\n"),
            ("geoadd nyc ch nx -73.9454966 40.747533 lic", ":0\r\n"),
            ("geoadd nyc xx -73.9454966 40.747533 absent", ":0\r\n"),
            ("zcard nyc", ":1\r\n"),
            ("geoadd nyc xx nx -73.9454966 40.747533 lic", syntax),
            ("geoadd nyc ch xx foo -73.9454966 40.747533 lic", syntax),
            ("geoadd nyc foo bar lic", "-ERR value is not a valid float\r\n"),
            ("geoadd nyc 1 2 a inf 2 b", "-ERR invalid longitude,latitude pair inf,2.000000\r\n"),
            ("geoadd nyc 1 86 a", "-ERR invalid longitude,latitude pair 1.000000,86.000000\r\n"),
            ("zcard nyc", ":1\r\n"),
            ("geoadd nyc 1 2", "-ERR wrong number of arguments for 'geoadd' command\r\n"),
            ("set s x", "+OK\r\n"),
            (
                "geoadd s 1 2 a",
                "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
            ),
        ] {
            server.check(line, expected);
        }
    }

    #[test]
    fn logged_as_zadd() {
        let mut server = Server::new();
        server.check_log(
            "geoadd k CH 0 0 a 180 0 b",
            &["zadd k CH 3377699720527872 a 10133099161583616 b"],
        );
        server.check_log("geoadd k 0 0 a", &[]);
    }
}
