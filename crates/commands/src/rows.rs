//! Tests over all rows at once: that each is sound in itself, and that what clients read of it
//! (COMMAND INFO and DOCS) is what stock 7.0.15 answers.
//!
//! `rows/stock.txt` states, for a part of the commands, what stock answered to COMMAND INFO and DOCS:
//! arity, flags, categories, tips, keys, versions in which it changed, and arguments.

use engine::Command;
use engine::command::{CommandTable, Registered};
use spec::{Arg, ArgKind, BeginSearch, FindKeys, Flag, Group, KeyFlag};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

const STOCK: &str = include_str!("rows/stock.txt");

fn table() -> CommandTable {
    CommandTable::new(&crate::all(), &[])
}

#[test]
fn names_are_lower_case_and_unique() {
    fn check(commands: &[&'static Command], depth: usize) {
        let mut seen = BTreeSet::new();
        for command in commands {
            let name = command.spec.name;
            assert!(!name.is_empty() && !name.bytes().any(|b| b.is_ascii_uppercase()), "{name}");
            assert!(seen.insert(name), "{name} twice");
            assert!(!command.spec.summary.is_empty() && !command.spec.since.is_empty(), "{name}");
            assert!(depth == 0 || command.subcommands.is_empty(), "{name}");
            check(command.subcommands, depth + 1);
        }
    }
    check(&crate::all(), 0);
}

#[test]
fn keys_stand_within_the_arity() {
    for command in table().all() {
        let words = usize::try_from(command.arity.unsigned_abs()).unwrap();
        for keys in command.command.spec.keys.iter().filter(|keys| !keys.is_no_key()) {
            let BeginSearch::Index(index) = keys.begin else { continue };
            assert!(index >= command.name_words, "{}", command.full_name);
            // PFMERGE may have no sources.
            if command.full_name == "pfmerge" && index == words {
                continue;
            }
            assert!(index < words, "{}", command.full_name);
            if let FindKeys::Range { .. } = keys.find {
                let mut found = keys.positions(words, |_| b"word").expect("the fewest words fit");
                assert!(found.all(|at| at < words), "{}", command.full_name);
            }
        }
    }
}

#[test]
fn flags_say_what_is_done_to_the_keys() {
    for command in table().all() {
        let (name, spec) = (&command.full_name, &command.command.spec);
        let (write, read) = (command.flags.has(Flag::Write), command.flags.has(Flag::ReadOnly));
        assert!(!(write && read), "{name}");
        let changes = spec.keys.iter().any(|keys| {
            let reads = [KeyFlag::ReadOnly, KeyFlag::NotKey];
            !keys.flags.iter().any(|flag| reads.contains(flag))
        });
        // PFCOUNT remembers what it has counted in the value, whose meaning stays.
        let writes = write || name == "pfcount";
        // XREADGROUP reads the entries; what it writes is who was given them.
        let writes = writes && name != "xreadgroup";
        assert_eq!(changes, writes && !spec.keys.is_empty(), "{name}");
        let has_keys = spec.keys.iter().any(|keys| !keys.is_no_key());
        let reads = has_keys && !changes && spec.group != Group::Transactions;
        assert!(!reads || read || name == "xreadgroup", "{name}");
    }
}

fn argument(arg: &Arg, depth: usize, out: &mut String) {
    let _ = write!(out, "{:1$}{2} {3}", "", 2 * depth, arg.name, arg.type_name());
    for word in [arg.token, arg.multiple.then_some("multiple"), arg.optional.then_some("optional")]
    {
        let _ = word.map(|word| write!(out, " {word}"));
    }
    out.push('\n');
    if let ArgKind::OneOf(inner) | ArgKind::Block(inner) = arg.kind {
        for arg in inner {
            argument(arg, depth + 1, out);
        }
    }
}

fn words<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.collect::<BTreeSet<_>>().into_iter().fold(String::new(), |all, word| all + " " + word)
}

/// A row in the form of `stock.txt`.
fn described(command: &Registered) -> String {
    let spec = &command.command.spec;
    let flags = words(spec.flags.iter().filter_map(|flag| flag.name()));
    let mut out = format!("{} {}{flags}\n", command.full_name, command.arity);
    let _ = writeln!(out, "  since {} group {}", spec.since, spec.group.name());
    if command.subcommands.is_empty() {
        let categories = spec::categories(spec);
        let _ = writeln!(out, "  acl{}", words(categories.iter().map(|one| one.name())));
    }
    if !spec.tips.is_empty() {
        let _ = writeln!(out, "  tips {}", spec.tips.join(" "));
    }
    for keys in spec.keys {
        let (BeginSearch::Index(from), FindKeys::Range { last, step, limit }) =
            (keys.begin, keys.find)
        else {
            continue;
        };
        let flags: Vec<_> = keys.flags.iter().map(|flag| flag.name()).collect();
        let flags = flags.join(" ");
        let _ = writeln!(out, "  keys from {from} last {last} step {step} limit {limit}: {flags}");
    }
    for (version, _) in spec.history {
        let _ = writeln!(out, "  history {version}");
    }
    for arg in spec.args {
        argument(arg, 2, &mut out);
    }
    out
}

#[test]
fn rows_agree_with_stock() {
    let mut stock: BTreeMap<&str, String> = BTreeMap::new();
    let mut name = "";
    for line in STOCK.lines() {
        if !line.starts_with(' ') {
            name = line.split(' ').next().unwrap_or_default();
        }
        let _ = writeln!(stock.entry(name).or_default(), "{line}");
    }
    for command in table().all() {
        if let Some(expected) = stock.remove(&*command.full_name) {
            assert_eq!(described(command), expected);
        }
    }
    assert!(stock.is_empty(), "not built: {:?}", stock.keys());
}
