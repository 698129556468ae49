//! Valgrind out of Debian's packages, which counts instructions.

use super::apt_install;
use crate::failure::Outcome;
use crate::run;
use std::path::Path;

/// Installs it, if it is not there.
///
/// # Errors
/// When it is not there and cannot be installed.
pub fn prepare() -> Outcome {
    if run::exists("valgrind") && run::exists("vgdb") { Ok(()) } else { apt_install(&["valgrind"]) }
}

/// The words in front of a program whose instructions are to be counted once it is told so. Counts are
/// put into files that begin with `path`.
pub fn callgrind(path: &Path) -> Vec<String> {
    let file = format!("--callgrind-out-file={}", path.display());
    ["valgrind", "--tool=callgrind", "--trace-children=yes", &file, "--instr-atstart=no"]
        .map(str::to_owned)
        .into()
}
