//! Arrows point downwards only: every dependency between crates against the rows of `layers.toml`.

use crate::failure::{During, Failure, Outcome};
use crate::workspace;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use toml::{Table, Value};

/// The kinds of dependency a manifest may have.
const KINDS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

/// The rows, and the sideways arrows that they permit.
struct Layers {
    /// A crate's row, counted from the top.
    row_of: BTreeMap<String, usize>,
    /// Permitted arrows within a row.
    links: Vec<(String, String)>,
}

/// Every arrow that the rows do not permit.
pub fn check() -> Outcome<Vec<String>> {
    let layers = Layers::parse(&read(&workspace::root().join("layers.toml"))?)?;
    let mut findings = Vec::new();
    let folder = workspace::root().join("crates");
    for entry in fs::read_dir(&folder).during(|| folder.display().to_string())? {
        let manifest = entry?.path().join("Cargo.toml");
        if manifest.exists() {
            findings.extend(layers.arrows(&read(&manifest)?));
        }
    }
    findings.sort();
    Ok(findings)
}

fn read(path: &Path) -> Outcome<Table> {
    let text = fs::read_to_string(path).during(|| workspace::name_of(path))?;
    text.parse().during(|| workspace::name_of(path))
}

impl Layers {
    fn parse(table: &Table) -> Outcome<Layers> {
        let rows = table.get("row").and_then(Value::as_array);
        let rows = rows.ok_or_else(|| Failure::new("layers.toml has no [[row]]"))?;
        let mut layers = Layers { row_of: BTreeMap::new(), links: Vec::new() };
        for (row, value) in rows.iter().enumerate() {
            for name in strings(value.get("crates")) {
                layers.row_of.insert(name, row);
            }
            for link in value.get("links").and_then(Value::as_array).into_iter().flatten() {
                if let [from, to] = strings(Some(link)).as_slice() {
                    layers.links.push((from.clone(), to.clone()));
                }
            }
        }
        Ok(layers)
    }

    /// The forbidden arrows of one manifest.
    fn arrows(&self, manifest: &Table) -> Vec<String> {
        let name = manifest.get("package").and_then(|package| package.get("name"));
        let name = name.and_then(Value::as_str).unwrap_or("(a crate without a name)");
        let Some(&row) = self.row_of.get(name) else {
            return vec![format!("{name}: not in any row of layers.toml")];
        };
        let mut findings = Vec::new();
        for kind in KINDS {
            let dependencies = manifest.get(kind).and_then(Value::as_table);
            for to in dependencies.into_iter().flat_map(Table::keys) {
                let Some(&to_row) = self.row_of.get(to) else { continue };
                let linked = self.links.iter().any(|(a, b)| a == name && b == to);
                if to_row <= row && !linked {
                    findings.push(format!("{name} -> {to}: the arrow does not point downwards"));
                }
            }
        }
        findings
    }
}

fn strings(value: Option<&Value>) -> Vec<String> {
    let items = value.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_downward_and_linked_arrows_pass() {
        let layers = "[[row]]\ncrates = ['top', 'side']\nlinks = [['top', 'side']]\n\
                      [[row]]\ncrates = ['low', 'lower']";
        let layers = Layers::parse(&layers.parse().unwrap()).ok().unwrap();
        let arrows = |name: &str, kind: &str, to: &str| {
            let text = format!("[package]\nname = '{name}'\n[{kind}]\n{to} = '1'");
            layers.arrows(&text.parse().unwrap()).len()
        };
        assert_eq!(arrows("top", "dependencies", "low"), 0);
        assert_eq!(arrows("top", "dependencies", "side"), 0);
        assert_eq!(arrows("top", "dependencies", "serde"), 0);
        assert_eq!(arrows("side", "dependencies", "top"), 1);
        assert_eq!(arrows("low", "dependencies", "lower"), 1);
        assert_eq!(arrows("low", "dev-dependencies", "top"), 1);
        assert_eq!(arrows("unknown", "dependencies", "low"), 1);
    }
}
