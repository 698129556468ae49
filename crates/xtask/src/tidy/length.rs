//! Files stop at 1,000 lines and functions at 70; beyond 500 a file is named, so that it is noticed.
//!
//! Tables and generated files are excepted when their head says so: a line of the first ten that
//! begins with `//! Table:` or holds `@generated`.

use super::File;
use crate::source;

/// Lines of a Rust file.
const FILE_LINES_MAX: usize = 1000;
/// Lines of a Rust file that are worth a warning.
const FILE_LINES_WARN: usize = 500;
/// Lines of a function, its signature and braces included.
const FUNCTION_LINES_MAX: usize = 70;
/// Where an exception must be declared.
const HEAD_LINES: usize = 10;

/// Files that are too long.
pub fn files(files: &[File]) -> Vec<String> {
    longer_than(files, FILE_LINES_MAX)
}

/// Files that grow too long.
pub fn warnings(files: &[File]) -> Vec<String> {
    longer_than(files, FILE_LINES_WARN)
}

fn longer_than(files: &[File], limit: usize) -> Vec<String> {
    let rust = files.iter().filter(|file| file.masked.is_some() && !excepted(&file.text));
    rust.map(|file| (file, file.text.lines().count()))
        .filter(|(_, lines)| *lines > limit)
        .map(|(file, lines)| format!("{}: {lines} lines", file.name))
        .collect()
}

/// Functions that are too long.
pub fn functions(files: &[File]) -> Vec<String> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| !excepted(&file.text)) {
        for function in file.masked.iter().flat_map(|masked| source::functions(masked)) {
            if function.length > FUNCTION_LINES_MAX {
                let source::Function { name, line, length } = function;
                findings.push(format!("{}:{line}: fn {name} has {length} lines", file.name));
            }
        }
    }
    findings
}

fn excepted(text: &str) -> bool {
    text.lines()
        .take(HEAD_LINES)
        .any(|line| line.starts_with("//! Table:") || line.contains("@generated"))
}
