//! `cargo xtask setup`: what the tests need beyond Rust, put under `target/` and nowhere else.
//!
//! Stock Redis comes out of Debian's packages without installing them, the Python client into its own
//! environment, the Node and Go clients from their lock files; valgrind alone is installed. What is
//! there is not fetched again. What cannot be had is named in one sentence, and costs those tests that need it, not the others.

pub mod clients;
pub mod stock;
pub mod valgrind;

use crate::failure::Outcome;
use crate::run;
use crate::verdicts::Verdicts;

/// Fetches everything.
pub fn everything(verdicts: &mut Verdicts) {
    verdicts.outcome("setup: stock redis", stock::Stock::find().map(drop));
    verdicts.outcome("setup: valgrind", valgrind::prepare());
    for client in clients::ALL {
        verdicts.outcome(&format!("setup: {}", client.library()), client.prepare());
    }
}

/// Installs Debian packages, which needs to be root.
///
/// # Errors
/// When apt-get is missing or refuses.
pub fn apt_install(packages: &[&str]) -> Outcome {
    println!("  installing {}", packages.join(" "));
    run::quietly("apt-get", &["update", "-qq"])?;
    let mut arguments = vec!["install", "-y", "-qq", "--no-install-recommends"];
    arguments.extend(packages);
    run::quietly("apt-get", &arguments)
}
