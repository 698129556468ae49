//! What tools read by name: INFO's fields, settings, the rows of COMMAND, the fields of CLIENT LIST.
//! Whatever stock 7.0.15 has and is built here must be there under the same name.

use super::Stage;
use crate::failure::{Outcome, ensure};
use crate::node::Node;
use crate::ports;
use crate::program::Program;
use crate::wire::{Reading, Wire};
use resp::Value;
use std::collections::BTreeSet;

/// Fields of INFO that speak of what Redoubt does not have: a child process, modules, a compiler.
const INFO_NOT_OURS: [&str; 2] = ["gcc_version", "monotonic_clock"];

fn both(stage: &Stage) -> Outcome<[Node; 2]> {
    let server = |program: &Program, name: &str| {
        Node::server(program, &stage.folder.join(name), ports::free(1)?, &[])
    };
    Ok([server(&stage.ours, "ours")?, server(&stage.stock, "stock")?])
}

fn nothing_missing(ours: &BTreeSet<String>, stock: &BTreeSet<String>) -> Outcome {
    let missing: Vec<&String> = stock.difference(ours).collect();
    ensure(!stock.is_empty() && missing.is_empty(), || format!("missing: {missing:?}"))
}

/// Every field of every section of INFO.
pub fn info(stage: &Stage) -> Outcome {
    let [ours, stock] = both(stage)?;
    let fields = |node: &Node| -> Outcome<BTreeSet<String>> {
        let mut wire = node.wire()?;
        wire.ok(&["SET", "a", "1", "EX", "1000"])?;
        let text = wire.ok(&["INFO", "everything"])?.text();
        let (mut fields, mut section) = (BTreeSet::new(), String::new());
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("# ") {
                name.trim_end().clone_into(&mut section);
            } else if let Some((name, _)) = line.split_once(':') {
                // Rows per command are there for commands that were called.
                let is_fixed = !name.starts_with("cmdstat_") && !name.starts_with("latency_perc");
                if is_fixed && !INFO_NOT_OURS.contains(&name) {
                    fields.insert(format!("{section}: {name}"));
                }
            }
        }
        Ok(fields)
    };
    nothing_missing(&fields(&ours)?, &fields(&stock)?)
}

/// Every setting.
pub fn settings(stage: &Stage) -> Outcome {
    let [ours, stock] = both(stage)?;
    let names = |node: &Node| -> Outcome<BTreeSet<String>> {
        let reply = node.wire()?.ok(&["CONFIG", "GET", "*"])?;
        Ok(reply.items().chunks(2).map(|pair| pair[0].text()).collect())
    };
    nothing_missing(&names(&ours)?, &names(&stock)?)
}

/// Every field of a line of CLIENT LIST.
pub fn client_list(stage: &Stage) -> Outcome {
    let [ours, stock] = both(stage)?;
    let names = |node: &Node| -> Outcome<BTreeSet<String>> {
        let text = node.ask(&["CLIENT", "LIST"])?;
        let words = text.lines().next().unwrap_or_default().split(' ');
        Ok(words.filter_map(|word| word.split_once('=')).map(|(name, _)| name.to_owned()).collect())
    };
    nothing_missing(&names(&ours)?, &names(&stock)?)
}

/// Commands that 7.2 gave an option (WITHSCORE), so that their arity is open.
const GREW: [&str; 2] = ["zrank", "zrevrank"];

/// Arity, flags and key positions of every command that both have.
pub fn commands(stage: &Stage) -> Outcome {
    let [ours, stock] = both(stage)?;
    let names = |node: &Node| -> Outcome<BTreeSet<String>> {
        Ok(node.wire()?.ok(&["COMMAND", "LIST"])?.items().iter().map(Value::text).collect())
    };
    let (here, there) = (names(&ours)?, names(&stock)?);
    let (mut ours, mut stock) = (ours.wire()?, stock.wire()?);
    let mut differences = Vec::new();
    for name in here.intersection(&there).filter(|name| !name.contains('|')) {
        if GREW.contains(&name.as_str()) {
            continue;
        }
        let (a, b) = (row(&mut ours, name)?, row(&mut stock, name)?);
        if a != b {
            differences.push(format!("{name}: {a} against {b}"));
        }
    }
    ensure(differences.is_empty(), || differences.join("\n  "))
}

fn row(wire: &mut Wire, name: &str) -> Outcome<String> {
    let reply = wire.ok(&["COMMAND", "INFO", name])?;
    let row = reply.items().first().map(Value::items).unwrap_or_default();
    let number = |at: usize| row.get(at).and_then(Value::as_integer).unwrap_or(i64::MIN);
    let flags: BTreeSet<String> =
        row.get(2).map(Value::items).unwrap_or_default().iter().map(Value::text).collect();
    Ok(format!("arity {}, {flags:?}, keys {} {} {}", number(1), number(3), number(4), number(5)))
}
