//! DEBUG: tools for tests of servers and clients. Everything stands still while one runs.
//!
//! Off unless `enable-debug-command` says otherwise, as in stock.

mod data;
mod protocol;

use super::config::caller;
use crate::help;
use conf::{Caller, ProtectedAction};
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, ReplyShape};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The longest DEBUG SLEEP, in seconds.
const SLEEP_S_MAX: f64 = 86_400.0;

/// The highest DEBUG QUICKLIST-PACKED-THRESHOLD.
const PACKED_THRESHOLD_MAX: i64 = 4 << 30;

/// DEBUG.
pub const DEBUG: Command = Command {
    spec: CommandSpec {
        name: "debug",
        since: "1.0.0",
        group: Group::Server,
        summary: "Commands for tests.",
        complexity: "Depends on the subcommand.",
        flags: &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale, Flag::WholeKeyspace],
        args: &[Arg::bytes("subcommand"), Arg::bytes("arg").optional().multiple()],
        reply: &[ReplyShape::Any("Depends on the subcommand.")],
        ..CommandSpec::EMPTY
    },
    run: debug,
    subcommands: &[],
};

/// A subcommand: its name, the words it takes, what it does, and how it runs.
struct Tool {
    name: &'static str,
    words: &'static str,
    least: usize,
    most: usize,
    summary: &'static str,
    run: fn(&mut Context<'_>, &mut Args<'_>) -> CommandResult,
}

const TOOLS: &[Tool] = &[
    Tool {
        name: "aof-flush-sleep",
        words: "<microseconds>",
        least: 1,
        most: 1,
        summary: "Makes each sync of the append-only file take so much longer.",
        run: flush_sleep,
    },
    Tool {
        name: "config-rewrite-force-all",
        words: "",
        least: 0,
        most: 0,
        summary: "Writes every setting into the configuration file.",
        run: |cx, _| super::config::rewrite::write(cx, true),
    },
    Tool {
        name: "dict-resizing",
        words: "<0|1>",
        least: 1,
        most: 1,
        summary: "Is answered; tables grow and shrink by one bucket at a time.",
        run: dict_resizing,
    },
    Tool {
        name: "digest",
        words: "",
        least: 0,
        most: 0,
        summary: "Answers a digest of all keys, equal to that of any server with the same data.",
        run: data::digest,
    },
    Tool {
        name: "digest-value",
        words: "<key> [<key> ...]",
        least: 0,
        most: usize::MAX,
        summary: "Answers a digest of the value of each key.",
        run: data::digest_value,
    },
    Tool {
        name: "error",
        words: "<text>",
        least: 1,
        most: 1,
        summary: "Answers this error.",
        run: error,
    },
    Tool {
        name: "log",
        words: "<message>",
        least: 1,
        most: 1,
        summary: "Writes a message into the log.",
        run: log,
    },
    Tool {
        name: "mallctl",
        words: "<name> [<value>]",
        least: 1,
        most: 2,
        summary: "Answers a number of the allocator, and sets it.",
        run: mallctl,
    },
    Tool {
        name: "loadaof",
        words: "",
        least: 0,
        most: 0,
        summary: "Makes the append-only file durable and loads it again.",
        run: data::load_append_only,
    },
    Tool {
        name: "object",
        words: "<key>",
        least: 1,
        most: 1,
        summary: "Answers how a value is held.",
        run: data::object,
    },
    Tool {
        name: "pause-cron",
        words: "<0|1>",
        least: 1,
        most: 1,
        summary: "Whether the node's housekeeping rests.",
        run: pause_cron,
    },
    Tool {
        name: "populate",
        words: "<count> [<prefix>] [<size>]",
        least: 1,
        most: 3,
        summary: "Makes many string keys, which replicas are not told of.",
        run: data::populate,
    },
    Tool {
        name: "protocol",
        words: "<type>",
        least: 1,
        most: 1,
        summary: "Answers a value of a type of the protocol.",
        run: protocol::protocol,
    },
    Tool {
        name: "quicklist-packed-threshold",
        words: "<size>",
        least: 1,
        most: 1,
        summary: "Bytes from which an element of a list has a node to itself; 0 is as ever.",
        run: packed_threshold,
    },
    Tool {
        name: "reload",
        words: "[NOSAVE]",
        least: 0,
        most: 1,
        summary: "Saves the data set and loads it again; with NOSAVE loads what was saved before.",
        run: data::reload,
    },
    Tool {
        name: "replybuffer",
        words: "<peak-reset-time|resizing> <value>",
        least: 2,
        most: 2,
        summary: "Is answered; output buffers are given back as soon as they are empty.",
        run: reply_buffer,
    },
    Tool {
        name: "set-active-expire",
        words: "<0|1>",
        least: 1,
        most: 1,
        summary: "Whether expired keys are looked for; they are never shown.",
        run: set_active_expire,
    },
    Tool {
        name: "set-skip-checksum-validation",
        words: "<0|1>",
        least: 1,
        most: 1,
        summary: "Whether checksums of snapshots and of RESTORE's payloads are believed unseen.",
        run: skip_checksums,
    },
    Tool {
        name: "sleep",
        words: "<seconds>",
        least: 1,
        most: 1,
        summary: "Lets the whole server stand still.",
        run: sleep,
    },
    Tool {
        name: "turn-cpu",
        words: "<0|1>",
        least: 1,
        most: 1,
        summary: "Whether loops measure how long their threads run in a turn (INFO debug, \
                  eventloop_cpu_max; eventloop_cpu_long for those above 2 ms).",
        run: turn_cpu,
    },
];

fn debug(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let allowed = match cx.node.settings.enable_debug_command.get() {
        ProtectedAction::Yes => true,
        ProtectedAction::Local => caller(cx) == Caller::Local,
        ProtectedAction::No => false,
    };
    if !allowed {
        return Err(CommandError::text(
            "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", \
             you can run it from a local connection, otherwise you need to set this option in the \
             configuration file, and then restart the server.",
        ));
    }
    let name = args.bytes()?.to_ascii_lowercase();
    if name == b"help" {
        let lines = TOOLS.iter().flat_map(|tool| {
            let head = format!("{} {}", tool.name.to_ascii_uppercase(), tool.words);
            [head.trim_end().to_owned(), format!("    {}", tool.summary)]
        });
        help::write(cx, "debug", &lines.collect::<Vec<_>>());
        return Ok(());
    }
    let found = TOOLS.iter().find(|tool| {
        tool.name.as_bytes() == name && (tool.least..=tool.most).contains(&args.left())
    });
    let tool = found.ok_or_else(|| help::wrong_words(args))?;
    cx.keys.release();
    (tool.run)(cx, args)
}

fn mallctl(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let name = args.bytes()?;
    let value = if args.left() > 0 { Some(args.integer()?) } else { None };
    let number = engine::memory::number(name, value)
        .ok_or_else(|| CommandError::text("ERR The allocator has no number of that name"))?;
    cx.reply.integer(number);
    Ok(())
}

fn error(_cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    Err(CommandError::Text(String::from_utf8_lossy(args.bytes()?).into_owned()))
}

fn log(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let message = String::from_utf8_lossy(args.bytes()?).into_owned();
    tracing::warn!("DEBUG LOG: {message}");
    cx.reply.ok();
    Ok(())
}

fn flush_sleep(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let micros = values::string::parse_i64(args.bytes()?).unwrap_or(0);
    cx.node.append_only.flush_sleep_us.store(micros.unsigned_abs(), Ordering::Relaxed);
    cx.reply.ok();
    Ok(())
}

fn set_active_expire(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let on = values::string::parse_i64(args.bytes()?).unwrap_or(0) != 0;
    cx.node.active_expire.store(on, Ordering::Relaxed);
    cx.reply.ok();
    Ok(())
}

fn pause_cron(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let paused = values::string::parse_i64(args.bytes()?).unwrap_or(0) != 0;
    cx.node.cron_paused.store(paused, Ordering::Relaxed);
    cx.reply.ok();
    Ok(())
}

fn turn_cpu(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let on = values::string::parse_i64(args.bytes()?).unwrap_or(0) != 0;
    cx.node.stats.measures_turn_cpu.store(on, Ordering::Relaxed);
    cx.reply.ok();
    Ok(())
}

fn skip_checksums(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let skips = values::string::parse_i64(args.bytes()?).unwrap_or(0) != 0;
    cx.node.skip_checksums.store(skips, Ordering::Relaxed);
    cx.reply.ok();
    Ok(())
}

fn dict_resizing(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    args.bytes()?;
    cx.reply.ok();
    Ok(())
}

fn packed_threshold(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let size = conf::parse_bytes(args.bytes()?).filter(|&size| size <= PACKED_THRESHOLD_MAX);
    let size = size.and_then(|size| usize::try_from(size).ok()).ok_or_else(|| {
        CommandError::text("ERR argument must be a memory value bigger than 1 and smaller than 4gb")
    })?;
    cx.node.list_long_bytes_min.store(size, Ordering::Relaxed);
    cx.reply.ok();
    Ok(())
}

fn reply_buffer(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    if !args.take_token("peak-reset-time") && !args.take_token("resizing") {
        return Err(CommandError::Syntax);
    }
    cx.reply.ok();
    Ok(())
}

fn sleep(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let seconds = std::str::from_utf8(args.bytes()?).ok().and_then(|text| text.parse::<f64>().ok());
    let seconds = seconds.filter(|seconds| *seconds > 0.0).unwrap_or(0.0).min(SLEEP_S_MAX);
    std::thread::sleep(Duration::try_from_secs_f64(seconds).unwrap_or_default());
    cx.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests;
