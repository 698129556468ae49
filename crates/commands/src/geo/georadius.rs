//! GEORADIUS and GEORADIUSBYMEMBER with their read-only variants: searches of circles, superseded by
//! GEOSEARCH and GEOSEARCHSTORE.

use super::search::{COUNT, Form, ORDER, WITHCOORD, WITHDIST, WITHHASH, run};
use super::words::UNIT;
use engine::Command;
use spec::{Arg, BeginSearch, CommandSpec, FindKeys, Flag, Group, KeyFlag, KeySpec, ReplyShape};

/// GEORADIUS.
pub const GEORADIUS: Command = Command {
    spec: CommandSpec {
        name: "georadius",
        since: "3.2.0",
        group: Group::Geo,
        summary: "Finds members within a distance of a place.",
        complexity: "O(N+log(M)) in the members in the box around the circle and all members.",
        flags: &[Flag::Write, Flag::DenyOom, Flag::MovableKeys],
        keys: &[SOURCE, behind("STORE", 6), behind("STOREDIST", 6)],
        args: &[
            Arg::key("key"),
            Arg::double("longitude"),
            Arg::double("latitude"),
            Arg::double("radius"),
            UNIT,
            WITHCOORD,
            WITHDIST,
            WITHHASH,
            COUNT,
            ORDER,
            Arg::key("key").token("STORE").optional(),
            Arg::key("key").token("STOREDIST").optional(),
        ],
        reply: &[
            ReplyShape::Array("The members, each with what was asked for beside it."),
            ReplyShape::Integer("How many were stored."),
        ],
        history: &[
            ("6.2.0", "Added the `ANY` option for `COUNT`."),
            ("7.0.0", "Added support for uppercase unit names."),
        ],
        deprecated: Some((
            "6.2.0",
            "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument",
        )),
        ..CommandSpec::EMPTY
    },
    run: |cx, args| run(cx, args, Form::Radius { by_member: false, stores: true }),
    subcommands: &[],
};

/// `GEORADIUS_RO`.
pub const GEORADIUS_RO: Command = Command {
    spec: CommandSpec {
        name: "georadius_ro",
        since: "3.2.10",
        summary: "Finds members within a distance of a place, storing nothing.",
        flags: &[Flag::ReadOnly],
        keys: &[SOURCE],
        args: without_stores(GEORADIUS.spec.args),
        reply: FOUND,
        history: &[("6.2.0", "Added the `ANY` option for `COUNT`.")],
        deprecated: Some(("6.2.0", "`GEOSEARCH` with the `BYRADIUS` argument")),
        ..GEORADIUS.spec
    },
    run: |cx, args| run(cx, args, Form::Radius { by_member: false, stores: false }),
    subcommands: &[],
};

/// GEORADIUSBYMEMBER.
pub const GEORADIUSBYMEMBER: Command = Command {
    spec: CommandSpec {
        name: "georadiusbymember",
        summary: "Finds members within a distance of a member.",
        keys: &[SOURCE, behind("STORE", 5), behind("STOREDIST", 5)],
        args: &[
            Arg::key("key"),
            Arg::bytes("member"),
            Arg::double("radius"),
            UNIT,
            WITHCOORD,
            WITHDIST,
            WITHHASH,
            COUNT,
            ORDER,
            Arg::key("key").token("STORE").optional(),
            Arg::key("key").token("STOREDIST").optional(),
        ],
        history: &[("7.0.0", "Added support for uppercase unit names.")],
        deprecated: Some((
            "6.2.0",
            "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments",
        )),
        ..GEORADIUS.spec
    },
    run: |cx, args| run(cx, args, Form::Radius { by_member: true, stores: true }),
    subcommands: &[],
};

/// `GEORADIUSBYMEMBER_RO`.
pub const GEORADIUSBYMEMBER_RO: Command = Command {
    spec: CommandSpec {
        name: "georadiusbymember_ro",
        summary: "Finds members within a distance of a member, storing nothing.",
        args: without_stores(GEORADIUSBYMEMBER.spec.args),
        history: &[],
        deprecated: Some(("6.2.0", "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments")),
        ..GEORADIUS_RO.spec
    },
    run: |cx, args| run(cx, args, Form::Radius { by_member: true, stores: false }),
    subcommands: &[],
};

const SOURCE: KeySpec = KeySpec::one(1, &[KeyFlag::ReadOnly, KeyFlag::Access]);
const FOUND: &[ReplyShape] =
    &[ReplyShape::Array("The members, each with what was asked for beside it.")];

/// The arguments of a variant that stores nothing: all but the last two.
const fn without_stores(args: &'static [Arg]) -> &'static [Arg] {
    args.split_at(args.len() - 2).0
}

/// The key behind a word, which is searched from word `from` on.
const fn behind(word: &'static str, from: i64) -> KeySpec {
    KeySpec {
        begin: BeginSearch::Keyword(word, from),
        find: FindKeys::Range { last: 0, step: 1, limit: 0 },
        flags: &[KeyFlag::Overwrite, KeyFlag::Update],
    }
}
