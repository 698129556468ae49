//! Every crate of others that the workspace names is used, and has its reason in
//! `docs/dependencies.md`.

use crate::failure::{During, Outcome};
use crate::workspace;
use std::fs;
use toml::{Table, Value};

/// The document with a row for each.
const DOCUMENT: &str = "docs/dependencies.md";

/// Dependencies without a reason or without a user.
pub fn check() -> Outcome<Vec<String>> {
    let root = workspace::root();
    let manifest: Table = fs::read_to_string(root.join("Cargo.toml"))?.parse()?;
    let document = fs::read_to_string(root.join(DOCUMENT)).during(|| DOCUMENT.to_owned())?;
    let mut crates = String::new();
    for entry in fs::read_dir(root.join("crates"))? {
        crates += &fs::read_to_string(entry?.path().join("Cargo.toml")).unwrap_or_default();
    }
    let mut findings = without_reason(&manifest, &document);
    let unused = foreign(&manifest).filter(|name| !crates.contains(&format!("\n{name}.workspace")));
    findings.extend(unused.map(|name| format!("{name}: no crate uses it")));
    Ok(findings)
}

/// The names of dependencies that are not ours.
fn foreign(manifest: &Table) -> impl Iterator<Item = &String> {
    let all = manifest.get("workspace").and_then(|workspace| workspace.get("dependencies"));
    let all = all.and_then(Value::as_table).into_iter().flatten();
    all.filter(|(_, value)| value.get("path").is_none()).map(|(name, _)| name)
}

fn without_reason(manifest: &Table, document: &str) -> Vec<String> {
    foreign(manifest)
        .filter(|name| !document.contains(&format!("`{name}`")))
        .map(|name| format!("{name}: no reason in {DOCUMENT}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_foreign_crate_wants_a_reason() {
        let manifest =
            "[workspace.dependencies]\nbase = { path = 'x' }\none = '1'\ntwo = { version = '2' }";
        let found = without_reason(&manifest.parse().unwrap(), "| `one` | because |");
        assert_eq!(found, ["two: no reason in docs/dependencies.md"]);
    }
}
