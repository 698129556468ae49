//! The program under test: Redoubt or stock Redis, started in the same ways.

use crate::failure::{Outcome, ensure};
use crate::run;
use crate::setup::stock::Stock;
use crate::workspace;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Whose command line a program has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `redoubt server CONF`, `redoubt sentinel CONF`, `redoubt up`.
    Redoubt,
    /// `redis-server CONF`, `redis-server CONF --sentinel`.
    Stock,
}

/// A program and how to call it.
#[derive(Clone, Debug)]
pub struct Program {
    /// Whose command line it has.
    pub kind: Kind,
    path: PathBuf,
    stock: Option<Stock>,
    /// A program that runs it, with its options.
    under: Vec<String>,
}

impl Program {
    /// Stock Redis, fetched if need be.
    ///
    /// # Errors
    /// When it cannot be fetched.
    pub fn stock() -> Outcome<Program> {
        let stock = Stock::find()?;
        Ok(Program {
            kind: Kind::Stock,
            path: stock.server(),
            stock: Some(stock),
            under: Vec::new(),
        })
    }

    /// Redoubt's release build, built if need be.
    ///
    /// # Errors
    /// When it does not build.
    pub fn redoubt() -> Outcome<Program> {
        run::loudly("cargo", &["build", "--quiet", "--release", "--package", "redoubt"])?;
        Program::at(Kind::Redoubt, &workspace::root().join("target/release/redoubt"))
    }

    /// The program at `path`.
    ///
    /// # Errors
    /// When there is no file.
    pub fn at(kind: Kind, path: &Path) -> Outcome<Program> {
        ensure(path.is_file(), || format!("{} is not there", path.display()))?;
        Ok(Program { kind, path: std::path::absolute(path)?, stock: None, under: Vec::new() })
    }

    /// The program that `--program PATH --kind redoubt|stock` names; ours or stock without a path.
    ///
    /// # Errors
    /// When it is not there, or the kind is unknown.
    pub fn chosen(path: Option<&str>, kind: &str) -> Outcome<Program> {
        ensure(matches!(kind, "redoubt" | "stock"), || {
            format!("--kind {kind}: must be redoubt or stock")
        })?;
        let kind = if kind == "stock" { Kind::Stock } else { Kind::Redoubt };
        match (path, kind) {
            (Some(path), kind) => Program::at(kind, Path::new(path)),
            (None, Kind::Stock) => Program::stock(),
            (None, Kind::Redoubt) => Program::redoubt(),
        }
    }

    /// The name a table shows.
    pub fn label(&self) -> &'static str {
        match (self.kind, &self.stock) {
            (Kind::Redoubt, _) => "redoubt",
            (Kind::Stock, Some(_)) => "stock 7.0.15",
            (Kind::Stock, None) => "other",
        }
    }

    /// The same, run by another program that takes it behind its own options.
    pub fn under(&self, words: Vec<String>) -> Program {
        Program { under: words, ..self.clone() }
    }

    /// The program alone.
    pub fn command(&self) -> Command {
        let start = |first: &Path| match &self.stock {
            Some(stock) => stock.command(first),
            None => Command::new(first),
        };
        let Some((runner, options)) = self.under.split_first() else { return start(&self.path) };
        let mut command = start(Path::new(runner));
        command.args(options).arg(&self.path);
        command
    }

    /// A server with the settings of a file.
    pub fn server(&self, settings: &Path) -> Command {
        let mut command = self.command();
        if self.kind == Kind::Redoubt {
            command.arg("server");
        }
        command.arg(settings);
        command
    }

    /// The load generator. `None` if it is not known where that is.
    pub fn benchmark(&self) -> Option<Command> {
        if self.kind == Kind::Redoubt {
            let mut command = self.command();
            command.arg("benchmark");
            return Some(command);
        }
        let path = self.path.with_file_name("redis-benchmark");
        let there = path.is_file();
        there.then(|| match &self.stock {
            Some(stock) => stock.command(&path),
            None => Command::new(&path),
        })
    }

    /// A sentinel of its own with the settings of a file, which it rewrites.
    pub fn sentinel(&self, settings: &Path) -> Command {
        let mut command = self.command();
        match self.kind {
            Kind::Redoubt => command.arg("sentinel").arg(settings),
            Kind::Stock => command.arg(settings).arg("--sentinel"),
        };
        command
    }
}
