//! `cargo xtask gen`: the documents that come out of the program's own tables.
//!
//! The binary prints each on `redoubt internal-docs NAME`; `--check` compares instead of writing, so
//! that a document which lags behind its table fails the tests.

use crate::failure::{During, Outcome, ensure};
use crate::verdicts::Verdicts;
use crate::{run, workspace};
use std::fs;

/// Documents by the name they are asked for, and where they stand.
const DOCUMENTS: [(&str, &str); 2] =
    [("settings", "docs/settings.md"), ("commands", "docs/commands.md")];

/// Writes every document.
///
/// # Errors
/// When the program does not build or print one.
pub fn write() -> Outcome {
    for (name, path) in DOCUMENTS {
        fs::write(workspace::root().join(path), printed(name)?).during(|| path.to_owned())?;
        println!("wrote {path}");
    }
    Ok(())
}

/// Compares every document with what the program prints.
pub fn check(verdicts: &mut Verdicts) {
    for (name, path) in DOCUMENTS {
        let outcome = printed(name).and_then(|wanted| {
            let found = fs::read_to_string(workspace::root().join(path)).unwrap_or_default();
            ensure(found == wanted, || "is stale; run `cargo xtask gen`".to_owned())
        });
        verdicts.outcome(&format!("gen: {path}"), outcome);
    }
}

fn printed(name: &str) -> Outcome<String> {
    let arguments = ["run", "--quiet", "--package", "redoubt", "--", "internal-docs", name];
    run::output(&mut run::command("cargo", &arguments))
}
