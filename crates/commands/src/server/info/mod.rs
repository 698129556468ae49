//! INFO [section ...]: what the server knows of itself, as tables of fields.
//!
//! A section is a table, a file each; a field is a name and a function of the [`Facts`]. The order of
//! sections and fields is stock's. To add a field, add a line to its section.

mod clients;
mod counters;
mod cpu;
pub(super) mod facts;
mod keysizes;
mod keyspace;
pub(super) mod memory;
mod persistence;
mod replication;
mod server;
mod stats;

use engine::{Args, Command, CommandResult, Context};
use facts::Facts;
use spec::{Arg, Category, CommandSpec, Flag, Group, ReplyShape};
use std::fmt::Write;

/// INFO.
pub const INFO: Command = Command {
    spec: CommandSpec {
        name: "info",
        since: "1.0.0",
        group: Group::Server,
        summary: "Answers facts and statistics of the server, by section.",
        complexity: "O(1)",
        flags: &[Flag::Loading, Flag::Stale],
        categories: &[Category::Dangerous],
        args: &[Arg::bytes("section").optional().multiple()],
        reply: &[ReplyShape::Bulk("Lines `name:value`, sections begin with `# Name`.")],
        tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
        history: &[("7.0.0", "Takes several sections.")],
        ..CommandSpec::EMPTY
    },
    run: info,
    subcommands: &[],
};

/// One field: always there, or only when its function gives something.
enum Field {
    Always(&'static str, fn(&Facts<'_>) -> String),
    When(&'static str, fn(&Facts<'_>) -> Option<String>),
}

/// One section.
struct Section {
    /// What a client asks for.
    names: &'static [&'static str],
    /// Its head line.
    heading: &'static str,
    /// Part of a plain INFO.
    by_default: bool,
    /// No part of INFO ALL either.
    by_name_only: bool,
    /// Its fields.
    fields: &'static [Field],
    /// Writes the fields whose number varies, in the middle of `fields` (see [`Section::split_at`]).
    varying: Option<fn(&Facts<'_>, &mut String)>,
    /// Before which field `varying` writes; beyond the last one for "at the end".
    split_at: usize,
}

impl Section {
    const fn new(name: &'static [&'static str], heading: &'static str) -> Section {
        Section {
            names: name,
            heading,
            by_default: true,
            by_name_only: false,
            fields: &[],
            varying: None,
            split_at: usize::MAX,
        }
    }
}

const SECTIONS: &[Section] = &[
    Section { fields: server::FIELDS, ..Section::new(&["server"], "Server") },
    Section { fields: clients::FIELDS, ..Section::new(&["clients"], "Clients") },
    Section { fields: memory::FIELDS, ..Section::new(&["memory"], "Memory") },
    Section { fields: persistence::FIELDS, ..Section::new(&["persistence"], "Persistence") },
    Section { fields: stats::FIELDS, ..Section::new(&["stats"], "Stats") },
    Section {
        fields: replication::FIELDS,
        varying: Some(replication::replicas),
        split_at: replication::REPLICAS_AT,
        ..Section::new(&["replication"], "Replication")
    },
    Section { fields: cpu::FIELDS, ..Section::new(&["cpu"], "CPU") },
    Section::new(&["modules", "module_list"], "Modules"),
    Section {
        by_default: false,
        varying: Some(counters::commands),
        ..Section::new(&["commandstats"], "Commandstats")
    },
    Section { varying: Some(counters::errors), ..Section::new(&["errorstats"], "Errorstats") },
    Section {
        by_default: false,
        varying: Some(counters::latencies),
        ..Section::new(&["latencystats"], "Latencystats")
    },
    Section {
        fields: &[Field::Always("cluster_enabled", |_| "0".into())],
        ..Section::new(&["cluster"], "Cluster")
    },
    Section { varying: Some(keyspace::dbs), ..Section::new(&["keyspace"], "Keyspace") },
    Section {
        by_default: false,
        by_name_only: true,
        fields: stats::DEBUG_FIELDS,
        ..Section::new(&["debug"], "Debug")
    },
    Section {
        by_default: false,
        by_name_only: true,
        varying: Some(keysizes::distributions),
        ..Section::new(&["keysizes"], "Keysizes")
    },
];

fn info(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    cx.keys.release();
    let mut wanted = [false; SECTIONS.len()];
    let mut want = |which: &dyn Fn(&Section) -> bool| {
        for (wanted, section) in wanted.iter_mut().zip(SECTIONS) {
            *wanted |= which(section);
        }
    };
    if args.left() == 0 {
        want(&|section| section.by_default);
    }
    while let Some(word) = args.next() {
        match word.to_ascii_lowercase().as_slice() {
            b"default" => want(&|section| section.by_default),
            b"all" | b"everything" => want(&|section| !section.by_name_only),
            name => want(&|section| section.names.iter().any(|known| known.as_bytes() == name)),
        }
    }
    let facts = Facts::new(cx.node);
    let mut text = String::new();
    for (section, _) in SECTIONS.iter().zip(wanted).filter(|(_, wanted)| *wanted) {
        if !text.is_empty() {
            text.push_str("\r\n");
        }
        show(section, &facts, &mut text);
    }
    cx.reply.verbatim(*b"txt", text);
    Ok(())
}

fn show(section: &Section, facts: &Facts<'_>, text: &mut String) {
    let (before, after) = section.fields.split_at(section.split_at.min(section.fields.len()));
    // Writing to a string cannot fail.
    let _ = write!(text, "# {}\r\n", section.heading);
    show_fields(before, facts, text);
    if let Some(varying) = section.varying {
        varying(facts, text);
    }
    show_fields(after, facts, text);
}

fn show_fields(fields: &[Field], facts: &Facts<'_>, text: &mut String) {
    for field in fields {
        let (name, value) = match field {
            Field::Always(name, value) => (name, Some(value(facts))),
            Field::When(name, value) => (name, value(facts)),
        };
        if let Some(value) = value {
            let _ = write!(text, "{name}:{value}\r\n");
        }
    }
}

#[cfg(test)]
mod tests;
