//! COMMAND and COMMAND INFO: name, arity, flags, keys, categories, tips, subcommands.

use engine::{Args, CommandResult, Context, Registered};
use resp::reply::Writer;
use spec::{BeginSearch, FindKeys, Flag, KeySpec};

/// The flags in the order in which stock shows them.
const SHOWN: &[Flag] = &[
    Flag::Write,
    Flag::ReadOnly,
    Flag::DenyOom,
    Flag::Admin,
    Flag::PubSub,
    Flag::NoScript,
    Flag::Blocking,
    Flag::Loading,
    Flag::Stale,
    Flag::SkipMonitor,
    Flag::SkipSlowlog,
    Flag::Fast,
    Flag::NoAuth,
    Flag::NoAsyncLoading,
    Flag::NoMulti,
    Flag::MovableKeys,
    Flag::AllowBusy,
];

pub(super) fn all(cx: &mut Context<'_>, _args: &mut Args<'_>) -> CommandResult {
    let commands = cx.node.table.commands();
    cx.reply.array(commands.len());
    for command in commands {
        describe(&mut cx.reply, command);
    }
    Ok(())
}

pub(super) fn named(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    if args.left() == 0 {
        return all(cx, args);
    }
    cx.reply.array(args.left());
    while let Some(name) = args.next() {
        match cx.node.table.find_full(name) {
            Some(command) => describe(&mut cx.reply, command),
            None => cx.reply.null_array(),
        }
    }
    Ok(())
}

fn describe(reply: &mut Writer<'_>, command: &Registered) {
    let spec = &command.command.spec;
    reply.array(10);
    reply.bulk(&command.full_name);
    reply.integer(command.arity);
    let flags: Vec<&str> = SHOWN
        .iter()
        .filter(|flag| command.flags.has(**flag))
        .filter_map(|flag| flag.name())
        .collect();
    reply.set(flags.len());
    for flag in &flags {
        reply.simple(flag);
    }
    let (first, last, step) = legacy_range(spec.keys);
    for number in [first, last, step] {
        reply.integer(number);
    }
    let categories = spec::categories(spec);
    reply.set(categories.len());
    for category in &categories {
        reply.simple(format!("@{}", category.name()));
    }
    reply.set(spec.tips.len());
    for tip in spec.tips {
        reply.bulk(tip);
    }
    reply.set(spec.keys.len());
    for keys in spec.keys {
        key_spec(reply, keys);
    }
    reply.set(command.subcommands.len());
    for command in &command.subcommands {
        describe(reply, command);
    }
}

/// First key, last key and step, as clients from before key specifications expect them; zeros if the
/// keys do not stand at fixed places.
fn legacy_range(keys: &[KeySpec]) -> (i64, i64, i64) {
    let mut range: Option<(i64, i64, i64)> = None;
    for spec in keys {
        let (BeginSearch::Index(index) | BeginSearch::IndexUnless(index, _)) = spec.begin else {
            continue;
        };
        let FindKeys::Range { last, step, .. } = spec.find else { continue };
        let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let (index, step) = (number(index), number(step));
        let last = if last >= 0 { index + last } else { last };
        range = match range {
            None => Some((index, last, step)),
            Some((first, before, 1)) if step == 1 && before == index - 1 => Some((first, last, 1)),
            other => other,
        };
    }
    range.unwrap_or_default()
}

fn key_spec(reply: &mut Writer<'_>, spec: &KeySpec) {
    let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    reply.map(3);
    reply.bulk("flags");
    reply.set(spec.flags.len());
    for flag in spec.flags {
        reply.simple(flag.name());
    }
    reply.bulk("begin_search");
    match spec.begin {
        BeginSearch::Index(index) | BeginSearch::IndexUnless(index, _) => {
            search(reply, "index", 1);
            pair(reply, "index", number(index));
        }
        BeginSearch::Keyword(keyword, from) => by_keyword(reply, keyword, from),
        BeginSearch::Opened(opener) => by_keyword(reply, opener.token, -2),
        BeginSearch::Unknown { .. } => {
            search(reply, "unknown", 0);
            reply.bulk("find_keys");
            search(reply, "unknown", 0);
            return;
        }
    }
    reply.bulk("find_keys");
    match spec.find {
        FindKeys::Range { last, step, limit } => {
            search(reply, "range", 3);
            pair(reply, "lastkey", last);
            pair(reply, "keystep", number(step));
            pair(reply, "limit", number(limit));
        }
        FindKeys::Count { count_at, first, step } => {
            search(reply, "keynum", 3);
            pair(reply, "keynumidx", number(count_at));
            pair(reply, "firstkey", number(first));
            pair(reply, "keystep", number(step));
        }
    }
}

fn by_keyword(reply: &mut Writer<'_>, keyword: &str, from: i64) {
    search(reply, "keyword", 2);
    reply.bulk("keyword");
    reply.bulk(keyword);
    pair(reply, "startfrom", from);
}

/// The head of one step of a key specification with `len` parameters.
fn search(reply: &mut Writer<'_>, kind: &str, len: usize) {
    reply.map(2);
    reply.bulk("type");
    reply.bulk(kind);
    reply.bulk("spec");
    reply.map(len);
}

fn pair(reply: &mut Writer<'_>, name: &str, number: i64) {
    reply.bulk(name);
    reply.integer(number);
}
