//! MEMORY: what keys take, and what the allocator can say and do.

mod doctor;
mod stats;

use super::info::facts::Facts;
use crate::help;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use structures::ValueRef;

/// Bytes of a slot of the table, the share of a key in its bucket.
const SLOT_BYTES: usize = size_of::<usize>();

/// MEMORY.
pub const MEMORY: Command = Command {
    spec: CommandSpec {
        name: "memory",
        since: "4.0.0",
        group: Group::Server,
        summary: "Commands about memory.",
        complexity: "Depends on the subcommand.",
        ..CommandSpec::EMPTY
    },
    run: help::no_subcommand,
    subcommands: &[&DOCTOR, &HELP, &MALLOC_STATS, &PURGE, &STATS, &USAGE],
};

const TIPS: &[&str] =
    &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"];

const DOCTOR: Command = Command {
    spec: CommandSpec {
        name: "doctor",
        since: "4.0.0",
        group: Group::Server,
        summary: "Answers a report on memory problems, for people.",
        reply: &[ReplyShape::Bulk("The report.")],
        tips: TIPS,
        ..CommandSpec::EMPTY
    },
    run: doctor,
    subcommands: &[],
};

const MALLOC_STATS: Command = Command {
    spec: CommandSpec {
        name: "malloc-stats",
        since: "4.0.0",
        group: Group::Server,
        summary: "Answers the statistics of the allocator, for people.",
        reply: &[ReplyShape::Bulk("The statistics.")],
        tips: TIPS,
        ..CommandSpec::EMPTY
    },
    run: malloc_stats,
    subcommands: &[],
};

const PURGE: Command = Command {
    spec: CommandSpec {
        name: "purge",
        since: "4.0.0",
        group: Group::Server,
        summary: "Asks the allocator to give pages back to the system.",
        reply: &[ReplyShape::Status("OK")],
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        ..CommandSpec::EMPTY
    },
    run: purge,
    subcommands: &[],
};

const STATS: Command = Command {
    spec: CommandSpec {
        name: "stats",
        since: "4.0.0",
        group: Group::Server,
        summary: "Answers what memory is used for.",
        reply: &[ReplyShape::Map("Bytes, counts and ratios by name.")],
        tips: TIPS,
        ..CommandSpec::EMPTY
    },
    run: stats,
    subcommands: &[],
};

const HELP: Command = help::help(CommandSpec { since: "4.0.0", group: Group::Server, ..help::ROW });

const USAGE: Command = Command {
    spec: CommandSpec {
        name: "usage",
        since: "4.0.0",
        group: Group::Server,
        summary: "Answers how many bytes a key and its value take.",
        complexity: "O(1).",
        flags: &[Flag::ReadOnly],
        keys: &[KeySpec::one(2, &[KeyFlag::ReadOnly])],
        args: &[Arg::key("key"), Arg::integer("count").token("SAMPLES").optional()],
        reply: &[ReplyShape::Integer("Bytes."), ReplyShape::Null("There is no such key.")],
        ..CommandSpec::EMPTY
    },
    run: usage,
    subcommands: &[],
};

fn doctor(cx: &mut Context<'_>, _args: &mut Args<'_>) -> CommandResult {
    let report = doctor::report(&Facts::new(cx.node));
    cx.reply.verbatim(*b"txt", report);
    Ok(())
}

fn stats(cx: &mut Context<'_>, _args: &mut Args<'_>) -> CommandResult {
    cx.keys.release();
    stats::write(&Facts::new(cx.node), &mut cx.reply);
    Ok(())
}

fn purge(cx: &mut Context<'_>, _args: &mut Args<'_>) -> CommandResult {
    if !engine::memory::purge() {
        return Err(CommandError::text("ERR Error purging dirty pages"));
    }
    cx.reply.ok();
    Ok(())
}

fn malloc_stats(cx: &mut Context<'_>, _args: &mut Args<'_>) -> CommandResult {
    let mut text = Vec::new();
    // Writing to memory cannot fail.
    let _ = tikv_jemalloc_ctl::stats_print::stats_print(
        &mut text,
        tikv_jemalloc_ctl::stats_print::Options::default(),
    );
    cx.reply.verbatim(*b"txt", text);
    Ok(())
}

fn usage(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let key = args.key()?;
    while args.left() > 0 {
        // Sizes are known without sampling: the count is read and checked only.
        if !args.take_token("SAMPLES") || args.left() == 0 || args.integer()? < 0 {
            return Err(CommandError::Syntax);
        }
    }
    let bytes = cx.keys.find_untouched(key).map(|entry| {
        let boxed = match entry.value() {
            ValueRef::Boxed(object) => object.memory_bytes(),
            _ => 0,
        };
        SLOT_BYTES + entry.allocated_bytes() + boxed
    });
    match bytes {
        Some(bytes) => cx.reply.integer(i64::try_from(bytes).unwrap_or(i64::MAX)),
        None => cx.reply.null(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn memory_is_told_in_numbers_and_words() {
        let mut server = Server::new();
        let names = |reply: &str| {
            let all = ["peak.allocated", "overhead.db.hashtable.lut", "dataset.percentage", "db.0"];
            all.iter().filter(|name| reply.contains(**name)).count()
        };
        assert_eq!(names(&server.line("memory stats")), 3);
        server.line("set k v");
        let reply = server.line("memory stats");
        assert_eq!(names(&reply), 4);
        assert!(reply.contains("$10\r\nkeys.count\r\n:1\r\n"), "{reply}");
        assert!(server.line("memory doctor").len() > 20);
        assert!(server.line("memory malloc-stats").contains("jemalloc"));
        server.check("memory purge", "+OK\r\n");
    }

    #[test]
    fn usage_counts_key_and_value() {
        let mut server = Server::new();
        server.check("set k v", "+OK\r\n");
        server.check("memory usage k", ":40\r\n");
        server.check("memory usage k samples 0", ":40\r\n");
        server.check("memory usage k samples", "-ERR syntax error\r\n");
        server.check("memory usage k samples -1", "-ERR syntax error\r\n");
        server.check("memory usage k foo", "-ERR syntax error\r\n");
        server.check("memory usage nope", "$-1\r\n");
        server.line(&format!("set k {}", "x".repeat(100_000)));
        let reply = server.line("memory usage k");
        let bytes: usize = reply.trim_matches([':', '\r', '\n']).parse().unwrap();
        assert!((100_000..130_000).contains(&bytes), "{reply}");
    }
}
