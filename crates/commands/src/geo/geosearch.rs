//! GEOSEARCH and GEOSEARCHSTORE: searches of circles and boxes around a place or a member.

use super::search::{COUNT, Form, ORDER, WITHCOORD, WITHDIST, WITHHASH, run};
use super::words::UNIT;
use engine::Command;
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};

/// GEOSEARCH.
pub const GEOSEARCH: Command = Command {
    spec: CommandSpec {
        name: "geosearch",
        since: "6.2.0",
        group: Group::Geo,
        summary: "Finds members within a circle or a box.",
        complexity: "O(N+log(M)) in the members in the box around the shape and all members.",
        flags: &[Flag::ReadOnly],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadOnly, KeyFlag::Access])],
        args: &[Arg::key("key"), FROM, BY, ORDER, COUNT, WITHCOORD, WITHDIST, WITHHASH],
        reply: &[ReplyShape::Array("The members, each with what was asked for beside it.")],
        history: &[("7.0.0", "Added support for uppercase unit names.")],
        ..CommandSpec::EMPTY
    },
    run: |cx, args| run(cx, args, Form::Search { stores: false }),
    subcommands: &[],
};

/// GEOSEARCHSTORE.
pub const GEOSEARCHSTORE: Command = Command {
    spec: CommandSpec {
        name: "geosearchstore",
        summary: "Finds members within a circle or a box, and stores them in another key.",
        flags: &[Flag::Write, Flag::DenyOom],
        keys: &[
            KeySpec::one(1, &[KeyFlag::Overwrite, KeyFlag::Update]),
            KeySpec::one(2, &[KeyFlag::ReadOnly, KeyFlag::Access]),
        ],
        args: &[
            Arg::key("destination"),
            Arg::key("source"),
            FROM,
            BY,
            ORDER,
            COUNT,
            Arg::word("storedist", "STOREDIST").optional(),
        ],
        reply: &[ReplyShape::Integer("How many were stored.")],
        ..GEOSEARCH.spec
    },
    run: |cx, args| run(cx, args, Form::Search { stores: true }),
    subcommands: &[],
};

const FROM: Arg = Arg::one_of(
    "from",
    &[
        Arg::bytes("member").token("FROMMEMBER"),
        Arg::block("longitude_latitude", &[Arg::double("longitude"), Arg::double("latitude")])
            .token("FROMLONLAT"),
    ],
);

const BY: Arg = Arg::one_of(
    "by",
    &[
        Arg::block("circle", &[Arg::double("radius").token("BYRADIUS"), UNIT]),
        Arg::block("box", &[Arg::double("width").token("BYBOX"), Arg::double("height"), UNIT]),
    ],
);
