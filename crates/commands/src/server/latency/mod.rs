//! LATENCY: delays that the monitor has noted, and how long commands take.

mod doctor;
mod graph;

use crate::help;
use engine::latency::Series;
use engine::{Args, Command, CommandError, CommandResult, Context, Registered};
use spec::{Arg, CommandSpec, Flag, Group, ReplyShape};

const FLAGS: &[Flag] = &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale];
const TIPS: &[&str] =
    &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"];

/// What the subcommands have in common.
const ROW: CommandSpec = CommandSpec {
    since: "2.8.13",
    group: Group::Server,
    flags: FLAGS,
    tips: TIPS,
    ..CommandSpec::EMPTY
};

/// LATENCY.
pub const LATENCY: Command = Command {
    spec: CommandSpec {
        name: "latency",
        since: "2.8.13",
        group: Group::Server,
        summary: "Commands about delays.",
        complexity: "Depends on the subcommand.",
        ..CommandSpec::EMPTY
    },
    run: help::no_subcommand,
    subcommands: &[&DOCTOR, &GRAPH, &HELP, &HISTOGRAM, &HISTORY, &LATEST, &RESET],
};

const DOCTOR: Command = Command {
    spec: CommandSpec {
        name: "doctor",
        summary: "Answers a report on the delays, for people.",
        reply: &[ReplyShape::Bulk("The report.")],
        ..ROW
    },
    run: doctor,
    subcommands: &[],
};

const GRAPH: Command = Command {
    spec: CommandSpec {
        name: "graph",
        summary: "Draws the delays of a kind of event with letters.",
        args: &[Arg::bytes("event")],
        reply: &[ReplyShape::Bulk("The graph.")],
        ..ROW
    },
    run: graph,
    subcommands: &[],
};

const HELP: Command =
    help::help(CommandSpec { since: "2.8.13", group: Group::Server, ..help::ROW });

const HISTOGRAM: Command = Command {
    spec: CommandSpec {
        name: "histogram",
        since: "7.0.0",
        summary: "Answers how long commands take, as cumulative distributions.",
        complexity: "O(N) in the commands shown.",
        args: &[Arg::bytes("command").optional().multiple()],
        reply: &[ReplyShape::Map(
            "For each command: its calls, and how many took at most so many microseconds.",
        )],
        ..ROW
    },
    run: histogram,
    subcommands: &[],
};

const HISTORY: Command = Command {
    spec: CommandSpec {
        name: "history",
        summary: "Answers the delays of a kind of event.",
        args: &[Arg::bytes("event")],
        reply: &[ReplyShape::Array("For each second with a delay: Unix time and milliseconds.")],
        ..ROW
    },
    run: history,
    subcommands: &[],
};

const LATEST: Command = Command {
    spec: CommandSpec {
        name: "latest",
        summary: "Answers the last delay of each kind of event.",
        reply: &[ReplyShape::Array(
            "For each kind: name, Unix time, milliseconds, the longest delay of all time.",
        )],
        ..ROW
    },
    run: latest,
    subcommands: &[],
};

const RESET: Command = Command {
    spec: CommandSpec {
        name: "reset",
        summary: "Forgets the delays of some kinds of events, or all.",
        args: &[Arg::bytes("event").optional().multiple()],
        reply: &[ReplyShape::Integer("The kinds that were forgotten.")],
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        ..ROW
    },
    run: reset,
    subcommands: &[],
};

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn doctor(cx: &mut Context<'_>, _args: &mut Args<'_>) -> CommandResult {
    let report = doctor::report(cx.node);
    cx.reply.verbatim(*b"txt", report);
    Ok(())
}

fn graph(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let event = args.bytes()?;
    let (name, series) = cx.node.latency.find(event).ok_or_else(|| {
        let event = String::from_utf8_lossy(event);
        CommandError::Text(format!("ERR No samples available for event '{event}'"))
    })?;
    let graph = graph::draw(name, &series, base::clock::unix_us() / 1_000_000);
    cx.reply.verbatim(*b"txt", graph);
    Ok(())
}

fn history(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let series = cx.node.latency.find(args.bytes()?).map(|(_, series)| series);
    let samples = series.unwrap_or_default().samples;
    cx.reply.array(samples.len());
    for sample in samples {
        cx.reply.array(2);
        cx.reply.integer(number(sample.time_s));
        cx.reply.integer(number(sample.latency_ms));
    }
    Ok(())
}

fn latest(cx: &mut Context<'_>, _args: &mut Args<'_>) -> CommandResult {
    let all = cx.node.latency.all();
    cx.reply.array(all.len());
    for (event, Series { samples, max_ms }) in all {
        let last = samples.back().map_or((0, 0), |last| (last.time_s, last.latency_ms));
        cx.reply.array(4);
        cx.reply.bulk(event);
        cx.reply.integer(number(last.0));
        cx.reply.integer(number(last.1));
        cx.reply.integer(number(max_ms));
    }
    Ok(())
}

fn reset(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let mut forgotten = 0;
    if args.left() == 0 {
        forgotten = cx.node.latency.clear();
    }
    while let Some(event) = args.next() {
        forgotten += usize::from(cx.node.latency.forget(event));
    }
    cx.reply.integer(i64::try_from(forgotten).unwrap_or(i64::MAX));
    Ok(())
}

fn histogram(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let table = &cx.node.table;
    let mut wanted: Vec<&Registered> = Vec::new();
    if args.left() == 0 {
        wanted.extend(table.all());
    }
    while let Some(name) = args.next() {
        // A container stands for itself and its subcommands; unknown names are passed over.
        let (parent, child) = match name.iter().position(|&byte| byte == b'|') {
            Some(bar) => (&name[..bar], Some(&name[bar + 1..])),
            None => (name, None),
        };
        let Some(command) = table.find(parent) else { continue };
        let full = name.to_ascii_lowercase();
        let named = command
            .subcommands
            .iter()
            .copied()
            .filter(|sub| child.is_none() || sub.full_name.as_bytes() == full);
        if child.is_none() {
            wanted.push(command);
        }
        wanted.extend(named);
    }
    let measured: Vec<_> = wanted
        .into_iter()
        .map(|command| (&command.full_name, cx.node.stats.latency(command.index)))
        .filter(|(_, measured)| measured.total() > 0)
        .collect();
    cx.reply.map(measured.len());
    for (name, measured) in measured {
        cx.reply.bulk(name);
        cx.reply.map(2);
        cx.reply.bulk("calls");
        cx.reply.integer(number(measured.total()));
        cx.reply.bulk("histogram_usec");
        let pairs = measured.cumulative();
        cx.reply.map(pairs.len());
        for (micros, count) in pairs {
            cx.reply.integer(number(micros));
            cx.reply.integer(number(count));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn delays_are_shown_and_forgotten() {
        let mut server = Server::new();
        let rows = [
            ("latency latest", "*0\r\n"),
            ("latency history command", "*0\r\n"),
            ("latency reset", ":0\r\n"),
            ("latency graph foo", "-ERR No samples available for event 'foo'\r\n"),
            ("latency help x", "-ERR wrong number of arguments for 'latency|help' command\r\n"),
        ];
        for (line, expected) in rows {
            server.check(line, expected);
        }
        server.node().latency.note(1, "fork", 5_000);
        server.node().latency.note(1, "fast-command", 12_000);
        let latest = server.line("latency latest");
        assert!(latest.starts_with("*2\r\n*4\r\n$12\r\nfast-command\r\n:"), "{latest}");
        assert!(latest.ends_with(":5\r\n:5\r\n"), "{latest}");
        assert!(server.line("latency history FORK").starts_with("*1\r\n*2\r\n:"));
        server.check("latency reset foo fork", ":1\r\n");
        server.check("latency reset", ":1\r\n");
        assert!(server.line("latency doctor").len() > 20);
    }

    #[test]
    fn histograms_are_of_commands_that_ran() {
        let mut server = Server::new();
        server.check("latency histogram", "*0\r\n");
        server.line("config resetstat");
        server.line("client id");
        server.line("client getname");
        let both = server.line("latency histogram client nope");
        assert!(both.starts_with("*4\r\n") && both.contains("client|id"), "{both}");
        let one = server.line("latency histogram client|id");
        let head =
            "*2\r\n$9\r\nclient|id\r\n*4\r\n$5\r\ncalls\r\n:1\r\n$14\r\nhistogram_usec\r\n*2\r\n:";
        assert!(one.starts_with(head), "{one}");
        server.line("config set latency-tracking no");
        server.line("config resetstat");
        server.line("get a");
        server.check("latency histogram get", "*0\r\n");
        server.line("config set latency-tracking yes");
        server.line("get a");
        let info = server.line("info latencystats");
        let line = info.lines().find(|line| line.starts_with("latency_percentiles_usec_get:"));
        let line = line.expect("a line");
        assert!(line.contains(":p50=") && line.contains(",p99=") && line.contains(",p99.9="));
    }
}
