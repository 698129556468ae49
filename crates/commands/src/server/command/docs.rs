//! COMMAND DOCS: summaries, arguments and history.

use engine::{Args, CommandResult, Context, Registered};
use resp::reply::Writer;
use spec::{Arg, ArgKind, CommandSpec};

pub(super) fn docs(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let mut wanted: Vec<&Registered> = Vec::new();
    if args.left() == 0 {
        wanted.extend(cx.node.table.commands());
    }
    while let Some(name) = args.next() {
        wanted.extend(cx.node.table.find_full(name));
    }
    write_all(&mut cx.reply, &wanted);
    Ok(())
}

fn write_all(reply: &mut Writer<'_>, commands: &[&Registered]) {
    reply.map(commands.len());
    for command in commands {
        reply.bulk(&command.full_name);
        write(reply, command);
    }
}

fn write(reply: &mut Writer<'_>, command: &Registered) {
    let spec = &command.command.spec;
    let container = !command.subcommands.is_empty();
    // A container's arguments are its subcommands.
    let args = if container { &[][..] } else { spec.args };
    let place = reply.deferred();
    let mut len = 4;
    text(reply, "summary", spec.summary);
    text(reply, "since", spec.since);
    text(reply, "group", spec.group.name());
    text(reply, "complexity", spec.complexity);
    let flags = [("deprecated", spec.deprecated.is_some()), ("syscmd", spec.internal)];
    let flags = flags.into_iter().filter(|(_, holds)| *holds);
    if flags.clone().next().is_some() {
        len += 1;
        reply.bulk("doc_flags");
        reply.set(flags.clone().count());
        flags.for_each(|(flag, _)| reply.simple(flag));
    }
    if let Some((since, instead)) = spec.deprecated {
        len += 2;
        text(reply, "deprecated_since", since);
        text(reply, "replaced_by", instead);
    }
    if !spec.history.is_empty() {
        len += 1;
        reply.bulk("history");
        reply.set(spec.history.len());
        for (version, change) in spec.history {
            reply.array(2);
            reply.bulk(version);
            reply.bulk(change);
        }
    }
    if !args.is_empty() {
        len += 1;
        reply.bulk("arguments");
        arguments(reply, args, spec, &mut 0);
    }
    if container {
        len += 1;
        reply.bulk("subcommands");
        write_all(reply, &command.subcommands);
    }
    reply.finish_map(place, len);
}

/// `keys` counts the key arguments so far, to name the key specification of each.
fn arguments(reply: &mut Writer<'_>, args: &[Arg], spec: &CommandSpec, keys: &mut usize) {
    reply.array(args.len());
    for arg in args {
        let inner = match arg.kind {
            ArgKind::OneOf(inner) | ArgKind::Block(inner) => inner,
            _ => &[],
        };
        let flags: Vec<&str> = [
            (arg.optional, "optional"),
            (arg.multiple, "multiple"),
            (arg.multiple_token, "multiple_token"),
        ]
        .into_iter()
        .filter_map(|(set, name)| set.then_some(name))
        .collect();
        let is_key = matches!(arg.kind, ArgKind::Key) && !spec.keys.is_empty();
        let parts = [is_key, arg.token.is_some(), !flags.is_empty(), !inner.is_empty()];
        reply.map(2 + parts.iter().filter(|there| **there).count());
        text(reply, "name", arg.name);
        text(reply, "type", arg.type_name());
        if is_key {
            let index = (*keys).min(spec.keys.len() - 1);
            *keys += 1;
            reply.bulk("key_spec_index");
            reply.integer(i64::try_from(index).unwrap_or(i64::MAX));
        }
        if let Some(token) = arg.token {
            text(reply, "token", token);
        }
        if !flags.is_empty() {
            reply.bulk("flags");
            reply.set(flags.len());
            for flag in &flags {
                reply.simple(flag);
            }
        }
        if !inner.is_empty() {
            reply.bulk("arguments");
            arguments(reply, inner, spec, keys);
        }
    }
}

fn text(reply: &mut Writer<'_>, name: &str, value: &str) {
    reply.bulk(name);
    reply.bulk(value);
}
