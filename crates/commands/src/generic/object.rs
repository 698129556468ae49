//! OBJECT ENCODING, FREQ, IDLETIME, REFCOUNT: how a value is kept and when it was used.

use conf::{MaxmemoryPolicy, Settings};
use engine::image;
use engine::{Args, Command, CommandError, CommandResult, Context};
use keyspace::Entry;
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use structures::ValueRef;

/// OBJECT.
pub const OBJECT: Command = Command {
    spec: CommandSpec {
        name: "object",
        since: "2.2.3",
        group: Group::Generic,
        summary: "Holds commands that look into values.",
        complexity: "Depends on subcommand.",
        reply: &[],
        ..CommandSpec::EMPTY
    },
    run: |_, _| Err(CommandError::Syntax),
    subcommands: &[&ENCODING, &FREQ, &HELP, &IDLETIME, &REFCOUNT],
};

/// OBJECT ENCODING.
const ENCODING: Command = Command {
    spec: CommandSpec {
        name: "encoding",
        since: "2.2.3",
        group: Group::Generic,
        summary: "Answers how the value at a key is kept.",
        flags: &[Flag::ReadOnly],
        keys: &[KeySpec::one(2, &[KeyFlag::ReadOnly])],
        args: &[Arg::key("key")],
        reply: &[ReplyShape::Bulk("The encoding."), ReplyShape::Null("There is no such key.")],
        tips: &["nondeterministic_output"],
        ..CommandSpec::EMPTY
    },
    run: encoding,
    subcommands: &[],
};

/// OBJECT FREQ.
const FREQ: Command = Command {
    spec: CommandSpec {
        name: "freq",
        since: "4.0.0",
        summary: "Answers how often a key is used, on a logarithmic scale.",
        reply: &[ReplyShape::Integer("The counter."), ReplyShape::Null("There is no such key.")],
        ..ENCODING.spec
    },
    run: freq,
    subcommands: &[],
};

/// OBJECT IDLETIME.
const IDLETIME: Command = Command {
    spec: CommandSpec {
        name: "idletime",
        summary: "Answers for how many seconds a key has not been used.",
        reply: &[ReplyShape::Integer("Seconds."), ReplyShape::Null("There is no such key.")],
        ..ENCODING.spec
    },
    run: idletime,
    subcommands: &[],
};

/// OBJECT REFCOUNT.
const REFCOUNT: Command = Command {
    spec: CommandSpec {
        name: "refcount",
        summary: "Answers how many keys share the value.",
        reply: &[ReplyShape::Integer("The number."), ReplyShape::Null("There is no such key.")],
        ..ENCODING.spec
    },
    run: refcount,
    subcommands: &[],
};

/// OBJECT HELP.
const HELP: Command = Command {
    spec: CommandSpec {
        name: "help",
        since: "6.2.0",
        group: Group::Generic,
        summary: "Answers what the subcommands are.",
        flags: &[Flag::Loading, Flag::Stale],
        reply: &[ReplyShape::Array("Lines of text.")],
        ..CommandSpec::EMPTY
    },
    run: help,
    subcommands: &[],
};

const HELP_LINES: &[&str] = &[
    "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "ENCODING <key>",
    "    Return the kind of internal representation used in order to store the value",
    "    associated with a <key>.",
    "FREQ <key>",
    "    Return the access frequency index of the <key>. The returned integer is",
    "    proportional to the logarithm of the recent access frequency of the key.",
    "IDLETIME <key>",
    "    Return the idle time of the <key>, that is the approximated number of",
    "    seconds elapsed since the last access to the key.",
    "REFCOUNT <key>",
    "    Return the number of references of the value associated with the specified",
    "    <key>.",
    "HELP",
    "    Prints this help.",
];

/// Integers below this are one object to stock, shared by everybody.
const SHARED_INTEGERS: i64 = 10_000;
/// The reference count stock gives to what is shared.
const SHARED_REFERENCES: i64 = i32::MAX as i64;

fn encoding(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let name = cx.keys.find_untouched(args.key()?).map(|entry| image::encoding(entry));
    match name {
        Some(name) => cx.reply.bulk(name),
        None => cx.reply.null(),
    }
    Ok(())
}

fn is_lfu(cx: &Context<'_>) -> bool {
    cx.node.settings.maxmemory_policy.get().as_str().ends_with("lfu")
}

/// Answers a number about the entry at the key, null without one.
fn answer(
    cx: &mut Context<'_>,
    args: &mut Args<'_>,
    number: impl Fn(&Context<'_>, u32) -> Result<i64, CommandError>,
) -> CommandResult {
    let Some(access) = cx.keys.find_untouched(args.key()?).map(Entry::access) else {
        cx.reply.null();
        return Ok(());
    };
    let number = number(cx, access)?;
    cx.reply.integer(number);
    Ok(())
}

fn freq(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    answer(cx, args, |cx, access| {
        if is_lfu(cx) {
            return Ok(i64::from(cx.node.access_clock().frequency(access)));
        }
        Err(CommandError::text(
            "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please \
             note that when switching between policies at runtime LRU and LFU data will take some \
             time to adjust.",
        ))
    })
}

fn idletime(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    answer(cx, args, |cx, access| {
        if is_lfu(cx) {
            return Err(CommandError::text(
                "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that \
                 when switching between policies at runtime LRU and LFU data will take some time \
                 to adjust.",
            ));
        }
        Ok(i64::try_from(cx.node.access_clock().idle_s(access)).unwrap_or(i64::MAX))
    })
}

/// How many keys stock would let share the value: small integers, unless each must have an access clock
/// of its own for eviction.
pub(crate) fn references(entry: &Entry, settings: &Settings) -> i64 {
    use MaxmemoryPolicy::{AllkeysLfu, AllkeysLru, VolatileLfu, VolatileLru};
    let policy = settings.maxmemory_policy.get();
    let by_clock = matches!(policy, AllkeysLfu | AllkeysLru | VolatileLfu | VolatileLru);
    match entry.value() {
        ValueRef::Int(0..SHARED_INTEGERS) if !by_clock || settings.maxmemory.get() == 0 => {
            SHARED_REFERENCES
        }
        _ => 1,
    }
}

fn refcount(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let settings = &cx.node.settings;
    match cx.keys.find_untouched(args.key()?).map(|entry| references(entry, settings)) {
        Some(number) => cx.reply.integer(number),
        None => cx.reply.null(),
    }
    Ok(())
}

fn help(cx: &mut Context<'_>, _args: &mut Args<'_>) -> CommandResult {
    cx.reply.array(HELP_LINES.len());
    for line in HELP_LINES {
        cx.reply.simple(line);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn encodings() {
        let mut server = Server::new();
        let (short, long) = ("x".repeat(44), "x".repeat(45));
        for (line, name) in [
            ("set k 12", "int"),
            ("set k abc", "embstr"),
            (&format!("set k {short}"), "embstr"),
            (&format!("set k {long}"), "raw"),
            ("set k 012", "embstr"),
            ("set k abc", "embstr"),
            ("append k d", "raw"),
            ("set k 12", "int"),
            ("incr k", "int"),
            ("append k 3", "raw"),
            ("setrange k 0 x", "raw"),
        ] {
            server.line(line);
            server.check("object encoding k", &format!("${}\r\n{name}\r\n", name.len()));
        }
        server.check("object encoding nope", "$-1\r\n");
    }

    #[test]
    fn the_others() {
        let mut server = Server::new();
        let arity = |name: &str| format!("-ERR wrong number of arguments for '{name}' command\r\n");
        let no_lfu = "-ERR An LFU maxmemory policy is not selected, access frequency not tracked. \
                      Please note that when switching between policies at runtime LRU and LFU data \
                      will take some time to adjust.\r\n";
        for (line, expected) in [
            ("set k v", "+OK\r\n"),
            ("object refcount k", ":1\r\n"),
            ("object freq k", no_lfu),
            ("object idletime k", ":0\r\n"),
            ("object idletime nope", "$-1\r\n"),
            ("object freq nope", "$-1\r\n"),
            ("object refcount nope", "$-1\r\n"),
            ("object foo k", "-ERR unknown subcommand 'foo'. Try OBJECT HELP.\r\n"),
            ("object encoding", &arity("object|encoding")),
            ("object help a", &arity("object|help")),
            ("object", &arity("object")),
            ("set i 9999", "+OK\r\n"),
            ("object refcount i", ":2147483647\r\n"),
            ("set i 10000", "+OK\r\n"),
            ("object refcount i", ":1\r\n"),
        ] {
            server.check(line, expected);
        }
        let help = server.line("object help");
        assert!(help.starts_with("*15\r\n+OBJECT <subcommand> "), "{help}");
    }

    /// As the documentation of OBJECT has it of stock's shared integers.
    #[test]
    fn small_integers_are_nobodys_own_unless_a_policy_needs_their_clocks() {
        use conf::MaxmemoryPolicy::{AllkeysLfu, AllkeysLru, AllkeysRandom, VolatileLru};
        let mut server = Server::new();
        server.check("set i 1", "+OK\r\n");
        for (limit, policy, references) in [
            (0, AllkeysLru, ":2147483647\r\n"),
            (1 << 40, AllkeysRandom, ":2147483647\r\n"),
            (1 << 40, AllkeysLru, ":1\r\n"),
            (1 << 40, VolatileLru, ":1\r\n"),
            (1 << 40, AllkeysLfu, ":1\r\n"),
        ] {
            server.node().settings.maxmemory.set(limit);
            server.node().settings.maxmemory_policy.set(policy);
            server.check("object refcount i", references);
        }
    }

    #[test]
    fn under_lfu() {
        let mut server = Server::new();
        let settings = &server.node().settings;
        settings.maxmemory_policy.set(conf::MaxmemoryPolicy::AllkeysLfu);
        server.node().refresh();
        server.check("set k v", "+OK\r\n");
        server.check("object freq k", ":5\r\n");
        server.check(
            "object idletime k",
            "-ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that \
             when switching between policies at runtime LRU and LFU data will take some time to \
             adjust.\r\n",
        );
    }
}
