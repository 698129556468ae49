//! HOTKEYS: which keys take most processor time and network bytes.
//!
//! Source: Redis documentation, "HOTKEYS START", "HOTKEYS GET"; for the texts of errors and the nesting of
//! the reply, its own tests (`tests/unit/hotkeys.tcl`).

use crate::help;
use base::Millis;
use engine::hotkeys::Options;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, ReplyShape};

/// Keys shown if no number is given.
const COUNT_DEFAULT: usize = 10;
/// The most keys that are shown.
const COUNT_MAX: i64 = 64;

/// The last slot of a cluster.
const SLOT_LAST: i64 = 16_383;

/// What the subcommands have in common.
const ROW: CommandSpec = CommandSpec {
    since: "8.6.0",
    group: Group::Server,
    flags: &[Flag::Admin, Flag::NoScript],
    ..CommandSpec::EMPTY
};

/// HOTKEYS.
pub const HOTKEYS: Command = Command {
    spec: CommandSpec {
        name: "hotkeys",
        since: "8.6.0",
        group: Group::Server,
        summary: "Commands about keys that are used much.",
        complexity: "Depends on the subcommand.",
        ..CommandSpec::EMPTY
    },
    run: help::no_subcommand,
    subcommands: &[&GET, &HELP, &RESET, &START, &STOP],
};

const GET: Command = Command {
    spec: CommandSpec {
        name: "get",
        summary: "Answers which keys took most while they were tracked.",
        complexity: "O(K) in the keys shown.",
        reply: &[
            ReplyShape::Array("One map: figures of the time that was tracked, and the keys."),
            ReplyShape::Null("Nothing was tracked."),
        ],
        ..ROW
    },
    run: get,
    subcommands: &[],
};

const HELP: Command = help::help(CommandSpec { since: "8.6.0", group: Group::Server, ..help::ROW });

const RESET: Command = Command {
    spec: CommandSpec {
        name: "reset",
        summary: "Forgets what was tracked.",
        reply: &[ReplyShape::Status("OK")],
        ..ROW
    },
    run: reset,
    subcommands: &[],
};

const START: Command = Command {
    spec: CommandSpec {
        name: "start",
        summary: "Begins to track keys by processor time, network bytes or both.",
        args: &[
            Arg::block(
                "metrics",
                &[
                    Arg::integer("count"),
                    Arg::word("cpu", "CPU").optional(),
                    Arg::word("net", "NET").optional(),
                ],
            )
            .token("METRICS")
            .optional(),
            Arg::integer("k").token("COUNT").optional(),
            Arg::integer("seconds").token("DURATION").optional(),
            Arg::integer("ratio").token("SAMPLE").optional(),
            Arg::block("slots", &[Arg::integer("count"), Arg::integer("slot").multiple()])
                .token("SLOTS")
                .optional(),
        ],
        reply: &[ReplyShape::Status("OK")],
        ..ROW
    },
    run: start,
    subcommands: &[],
};

const STOP: Command = Command {
    spec: CommandSpec {
        name: "stop",
        summary: "Ends tracking; what was found stays.",
        reply: &[ReplyShape::Status("OK")],
        ..ROW
    },
    run: stop,
    subcommands: &[],
};

fn bounded(args: &mut Args<'_>, name: &str, least: i64, most: i64) -> Result<u64, CommandError> {
    let number = args.integer()?;
    if (least..=most).contains(&number) {
        Ok(number.unsigned_abs())
    } else {
        Err(CommandError::Text(format!("ERR {name} must be between {least} and {most}")))
    }
}

/// What METRICS asks for; what is unknown may stand beside what is known.
fn metrics(args: &mut Args<'_>) -> Result<Options, CommandError> {
    let mut options =
        Options { cpu: false, net: false, count: COUNT_DEFAULT, duration: None, sample_ratio: 1 };
    for _ in 0..bounded(args, "METRICS count", 1, 2)? {
        let (name, asked) = match args.next() {
            Some(word) if word.eq_ignore_ascii_case(b"CPU") => ("CPU", &mut options.cpu),
            Some(word) if word.eq_ignore_ascii_case(b"NET") => ("NET", &mut options.net),
            Some(_) => continue,
            None => {
                return Err(CommandError::text(
                    "ERR METRICS count does not match number of metric types provided",
                ));
            }
        };
        if *asked {
            return Err(CommandError::Text(format!("ERR METRICS {name} defined more than once")));
        }
        *asked = true;
    }
    if options.cpu || options.net {
        return Ok(options);
    }
    Err(CommandError::text("ERR METRICS no valid metrics passed. Supported: CPU|NET"))
}

fn start(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    if !args.take_token("METRICS") {
        return Err(CommandError::text("ERR METRICS parameter is required"));
    }
    let mut options = metrics(args)?;
    while args.left() > 0 {
        if args.take_token("COUNT") {
            let count = bounded(args, "COUNT", 1, COUNT_MAX)?;
            options.count = usize::try_from(count).unwrap_or(COUNT_DEFAULT);
        } else if args.take_token("DURATION") {
            let seconds = bounded(args, "DURATION", 0, 1_000_000)?;
            options.duration = (seconds > 0).then(|| Millis(seconds * 1000));
        } else if args.take_token("SAMPLE") {
            let ratio = u64::try_from(args.integer()?).ok().filter(|&ratio| ratio > 0);
            let positive = || CommandError::text("ERR SAMPLE ratio must be positive");
            options.sample_ratio = ratio.ok_or_else(positive)?;
        } else if args.take_token("SLOTS") {
            return Err(CommandError::text(
                "ERR SLOTS parameter cannot be used in non-cluster mode",
            ));
        } else {
            return Err(CommandError::Syntax);
        }
    }
    if !cx.node.hotkeys.start(options) {
        return Err(CommandError::text("ERR hotkey tracking session already in progress"));
    }
    cx.reply.ok();
    Ok(())
}

fn stop(cx: &mut Context<'_>, _args: &mut Args<'_>) -> CommandResult {
    if !cx.node.hotkeys.stop() {
        return Err(CommandError::text("ERR hotkeys tracking is not active"));
    }
    cx.reply.ok();
    Ok(())
}

fn reset(cx: &mut Context<'_>, _args: &mut Args<'_>) -> CommandResult {
    if !cx.node.hotkeys.reset() {
        return Err(CommandError::text(
            "ERR hotkey tracking session in progress, stop tracking first",
        ));
    }
    cx.reply.ok();
    Ok(())
}

fn get(cx: &mut Context<'_>, _args: &mut Args<'_>) -> CommandResult {
    let Some(report) = cx.node.hotkeys.report() else {
        cx.reply.null();
        return Ok(());
    };
    let options = report.options;
    let mut fields = vec![
        ("all-commands-all-slots-us", report.micros),
        ("net-bytes-all-commands-all-slots", report.bytes),
        ("collection-start-time-unix-ms", report.began.0),
        ("collection-duration-ms", report.lasted.0),
    ];
    if options.cpu {
        let [user, system] = report.process_ms;
        fields.push(("total-cpu-time-user-ms", user));
        fields.push(("total-cpu-time-sys-ms", system));
    }
    if options.net {
        fields.push(("total-net-bytes", report.bytes));
    }
    let mut lists = Vec::new();
    if options.cpu {
        lists.push(("by-cpu-time-us", report.by_cpu));
    }
    if options.net {
        lists.push(("by-net-bytes", report.by_net));
    }
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    cx.reply.array(1);
    cx.reply.map(3 + fields.len() + lists.len());
    cx.reply.bulk("tracking-active");
    cx.reply.integer(i64::from(report.active));
    cx.reply.bulk("sample-ratio");
    cx.reply.integer(number(options.sample_ratio));
    cx.reply.bulk("selected-slots");
    // All of them, since none can be chosen.
    cx.reply.array(1);
    cx.reply.array(2);
    cx.reply.integer(0);
    cx.reply.integer(SLOT_LAST);
    for (name, value) in fields {
        cx.reply.bulk(name);
        cx.reply.integer(number(value));
    }
    for (name, keys) in lists {
        cx.reply.bulk(name);
        cx.reply.array(2 * keys.len());
        for (key, taken) in keys {
            cx.reply.bulk(key);
            cx.reply.integer(number(taken));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn keys_are_ranked_by_bytes() {
        let mut server = Server::new();
        server.check("hotkeys get", "$-1\r\n");
        server.check("hotkeys start METRICS 2 CPU NET COUNT 2", "+OK\r\n");
        let again = "-ERR hotkey tracking session already in progress\r\n";
        server.check("hotkeys start METRICS 1 NET", again);
        server.line(&format!("set big {}", "x".repeat(500)));
        server.line("set small x");
        server.line("get big");
        server.line("mget middle small");
        let stop = "-ERR hotkey tracking session in progress, stop tracking first\r\n";
        server.check("hotkeys reset", stop);
        server.check("hotkeys stop", "+OK\r\n");
        server.line("set late xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
        let reply = server.line("hotkeys get");
        assert!(reply.starts_with("*1\r\n*24\r\n$15\r\ntracking-active\r\n:0\r\n"), "{reply}");
        let slots = "selected-slots\r\n*1\r\n*2\r\n:0\r\n:16383\r\n";
        assert!(reply.contains(slots), "{reply}");
        let ranked = reply.split("by-net-bytes\r\n").nth(1).expect("the list");
        assert!(ranked.starts_with("*4\r\n$3\r\nbig\r\n:"), "{reply}");
        assert!(ranked.contains("\r\n$5\r\nsmall\r\n:"), "{reply}");
        server.line("hello 3");
        let reply = server.line("hotkeys get");
        assert!(reply.starts_with("*1\r\n%12\r\n$15\r\ntracking-active\r\n:0\r\n"), "{reply}");
        assert!(reply.contains(slots), "{reply}");
        server.line("hello 2");
        server.check("hotkeys stop", "-ERR hotkeys tracking is not active\r\n");
        server.check("hotkeys reset", "+OK\r\n");
        server.check("hotkeys get", "$-1\r\n");
    }

    #[test]
    fn refuses_what_is_not_documented() {
        let mut server = Server::new();
        let unmatched = "-ERR METRICS count does not match number of metric types provided\r\n";
        let unknown = "-ERR METRICS no valid metrics passed. Supported: CPU|NET\r\n";
        let rows = [
            ("hotkeys start", "-ERR METRICS parameter is required\r\n"),
            ("hotkeys start COUNT 5", "-ERR METRICS parameter is required\r\n"),
            ("hotkeys start METRICS 3 CPU", "-ERR METRICS count must be between 1 and 2\r\n"),
            ("hotkeys start METRICS 2 CPU", unmatched),
            ("hotkeys start METRICS 1", unmatched),
            ("hotkeys start METRICS 1 CPU NET", "-ERR syntax error\r\n"),
            ("hotkeys start METRICS 1 GPU", unknown),
            ("hotkeys start METRICS 2 GPU NYET", unknown),
            ("hotkeys start METRICS 2 CPU CPU", "-ERR METRICS CPU defined more than once\r\n"),
            ("hotkeys start METRICS 2 NET NET", "-ERR METRICS NET defined more than once\r\n"),
            ("hotkeys start METRICS 1 CPU SAMPLE 0", "-ERR SAMPLE ratio must be positive\r\n"),
            ("hotkeys start METRICS 1 CPU SAMPLE -1", "-ERR SAMPLE ratio must be positive\r\n"),
            ("hotkeys start METRICS 1 CPU COUNT 0", "-ERR COUNT must be between 1 and 64\r\n"),
            (
                "hotkeys start METRICS 1 CPU SLOTS 1 0",
                "-ERR SLOTS parameter cannot be used in non-cluster mode\r\n",
            ),
            ("hotkeys start METRICS 1 CPU FOO", "-ERR syntax error\r\n"),
        ];
        for (line, expected) in rows {
            server.check(line, expected);
        }
    }

    /// One may ask for what later versions know.
    #[test]
    fn unknown_metrics_are_allowed_beside_known_ones() {
        let mut server = Server::new();
        server.check("hotkeys start METRICS 2 GPU cpu COUNT 3", "+OK\r\n");
        let reply = server.line("hotkeys get");
        assert!(reply.contains("by-cpu-time-us\r\n") && !reply.contains("by-net"), "{reply}");
    }
}
