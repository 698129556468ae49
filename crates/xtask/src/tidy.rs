//! `cargo xtask tidy`: the rules of the tree that no compiler checks.
//!
//! Arrows between crates (`layers.toml`), lengths of files and functions, the paragraph at the head of
//! every file, words that may not stay, and rustfmt's opinion. Each check is one verdict with all of
//! its findings, so that one run shows everything there is to do.

mod dependencies;
mod layers;
mod length;
mod words;

use crate::failure::{Failure, Outcome};
use crate::verdicts::Verdicts;
use crate::workspace;
use crate::{run, source};
use std::fs;
use std::path::PathBuf;

/// A file of ours, read once for all checks.
pub struct File {
    /// As a reader of the repository names it.
    pub name: String,
    /// Its bytes as text; files that are no text have none and are not checked.
    pub text: String,
    /// For Rust files, the text without comments and literals.
    pub masked: Option<String>,
}

/// Runs every check.
///
/// # Errors
/// When the tree cannot be read. What the checks find is in the verdicts.
pub fn check(verdicts: &mut Verdicts) -> Outcome {
    let files = read(&workspace::files()?)?;
    verdicts.findings("tidy: layers", &layers::check()?);
    verdicts.findings("tidy: file length", &length::files(&files));
    verdicts.findings("tidy: function length", &length::functions(&files));
    verdicts.findings("tidy: file heads", &words::heads(&files));
    verdicts.findings("tidy: words", &words::check(&files));
    verdicts.findings("tidy: unsafe", &words::unsafe_code(&files));
    verdicts.findings("tidy: dependencies", &dependencies::check()?);
    for warning in length::warnings(&files) {
        println!("  long: {warning}");
    }
    verdicts.outcome(
        "tidy: cargo fmt",
        run::quietly("cargo", &["fmt", "--all", "--check", "--", "-l"]),
    );
    Ok(())
}

/// Runs clippy over everything, warnings being errors.
pub fn lint(verdicts: &mut Verdicts) {
    let arguments = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
    verdicts.outcome("cargo clippy", run::loudly("cargo", &arguments));
}

fn read(paths: &[PathBuf]) -> Outcome<Vec<File>> {
    let mut files = Vec::with_capacity(paths.len());
    for path in paths {
        let name = workspace::name_of(path);
        let bytes = fs::read(path).map_err(|error| Failure::new(format!("{name}: {error}")))?;
        let Ok(text) = String::from_utf8(bytes) else { continue };
        let is_rust = path.extension().is_some_and(|extension| extension == "rs");
        let masked = is_rust.then(|| source::mask(&text));
        files.push(File { name, text, masked });
    }
    Ok(files)
}
