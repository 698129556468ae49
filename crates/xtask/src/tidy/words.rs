//! What a file must begin with and which words it may not hold.

use super::File;
use crate::source;

/// Unfinished work, by the words that mark it. Split, so that this file does not hold them.
const UNFINISHED: [&str; 5] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("to", "do!("),
    concat!("unimple", "mented!("),
    concat!("#[ig", "nore"),
];
/// Paths of some machine, and addresses of registries in lock files.
const MACHINE: [&str; 4] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("\"resol", "ved\": \""),
];
/// The call that tests may not wait with.
const SLEEP: &str = concat!("thread::", "sleep");
/// The crates whose code may be `unsafe`.
const UNSAFE_IN: [&str; 2] = ["crates/structures/", "crates/net/"];

/// Rust files that do not begin with `//!`.
pub fn heads(files: &[File]) -> Vec<String> {
    let rust = files.iter().filter(|file| file.masked.is_some());
    rust.filter(|file| !file.text.starts_with("//! "))
        .map(|file| format!("{}: does not begin with `//! `", file.name))
        .collect()
}

/// Words that may not stay, wherever they are.
pub fn check(files: &[File]) -> Vec<String> {
    let mut findings = Vec::new();
    for file in files {
        for (number, line) in file.text.lines().enumerate() {
            let words = UNFINISHED.iter().chain(&MACHINE);
            for word in words.filter(|word| line.contains(**word)) {
                findings.push(format!("{}:{}: `{word}`", file.name, number + 1));
            }
        }
        findings.extend(sleeps(file));
    }
    findings
}

/// Places where a test sleeps.
fn sleeps(file: &File) -> Vec<String> {
    let Some(masked) = &file.masked else { return Vec::new() };
    let all_test = file.name.contains("/tests/") || file.name.ends_with("/tests.rs");
    let parts = source::test_parts(masked);
    let places = masked.match_indices(SLEEP).map(|(at, _)| at);
    places
        .filter(|at| all_test || parts.iter().any(|part| part.contains(at)))
        .map(|at| format!("{}:{}: a test sleeps", file.name, line_of(masked, at)))
        .collect()
}

/// `unsafe` outside the crates that may have it.
pub fn unsafe_code(files: &[File]) -> Vec<String> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| !UNSAFE_IN.iter().any(|c| file.name.starts_with(c))) {
        let Some(masked) = &file.masked else { continue };
        for word in ["unsafe ", "allow(unsafe_code"] {
            let places = masked.match_indices(word);
            let lines = places.map(|(at, _)| line_of(masked, at));
            findings.extend(lines.map(|line| format!("{}:{line}: `{word}`", file.name)));
        }
    }
    findings
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text[..at].matches('\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, text: &str) -> File {
        File { name: name.into(), text: text.into(), masked: Some(source::mask(text)) }
    }

    #[test]
    fn sleeping_is_refused_in_tests_only() {
        let sleep = format!("fn a() {{ {SLEEP}(x); }}");
        assert_eq!(check(&[file("crates/a/src/lib.rs", &sleep)]).len(), 0);
        assert_eq!(check(&[file("crates/a/tests/b.rs", &sleep)]).len(), 1);
        let inside = format!("#[cfg(test)]\nmod tests {{ {sleep} }}");
        assert_eq!(check(&[file("crates/a/src/lib.rs", &inside)]).len(), 1);
    }

    #[test]
    fn unfinished_work_and_machine_paths_are_refused() {
        for word in UNFINISHED.iter().chain(&MACHINE) {
            assert_eq!(check(&[file("a.rs", &format!("//! x {word}"))]).len(), 1, "{word}");
        }
        assert_eq!(heads(&[file("a.rs", "// x")]).len(), 1);
        assert_eq!(unsafe_code(&[file("crates/a/src/lib.rs", "unsafe { }")]).len(), 1);
        assert_eq!(unsafe_code(&[file("crates/net/src/lib.rs", "unsafe { }")]).len(), 0);
    }
}
