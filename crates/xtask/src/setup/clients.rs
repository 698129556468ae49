//! The three client libraries whose users must notice nothing, and the commands that run their
//! programs in `tests/clients/`.

use super::apt_install;
use crate::failure::{During, Failure, Outcome, ensure};
use crate::{run, workspace};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// A client library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// redis-py.
    Python,
    /// ioredis.
    Node,
    /// go-redis.
    Go,
}

/// All of them.
pub const ALL: [Client; 3] = [Client::Python, Client::Node, Client::Go];

impl Client {
    /// The name users know the library by.
    pub fn library(self) -> &'static str {
        match self {
            Client::Python => "redis-py",
            Client::Node => "ioredis",
            Client::Go => "go-redis",
        }
    }

    /// The command that runs the program; its options follow.
    pub fn command(self) -> Command {
        let folder = self.folder();
        match self {
            Client::Python => {
                let mut command = Command::new(environment().join("bin/python3"));
                command.arg(folder.join("drill.py"));
                command
            }
            Client::Node => {
                let mut command = Command::new("node");
                command.arg(folder.join("drill.js"));
                command
            }
            Client::Go => Command::new(go_program()),
        }
    }

    /// Fetches the library and builds the program, if its lock file changed since the last time.
    ///
    /// # Errors
    /// When a tool is missing or a registry cannot be reached.
    pub fn prepare(self) -> Outcome {
        let done = workspace::root().join("target/clients").join(self.library());
        let wanted = self.fingerprint()?;
        let known = fs::read_to_string(&done).unwrap_or_default();
        if known == wanted && self.works() {
            return Ok(());
        }
        match self {
            Client::Python => prepare_python(),
            Client::Node => prepare_node(self.folder()),
            Client::Go => prepare_go(self.folder()),
        }?;
        ensure(self.works(), || format!("{} does not run", self.library()))?;
        fs::create_dir_all(done.parent().unwrap_or(&done))?;
        Ok(fs::write(&done, wanted)?)
    }

    fn folder(self) -> PathBuf {
        let name = match self {
            Client::Python => "python",
            Client::Node => "node",
            Client::Go => "go",
        };
        workspace::root().join("tests/clients").join(name)
    }

    /// The files that what is fetched and built depends on.
    fn fingerprint(self) -> Outcome<String> {
        let names: &[&str] = match self {
            Client::Python => &["requirements.txt"],
            Client::Node => &["package-lock.json"],
            Client::Go => &["go.mod", "go.sum", "main.go", "record.go"],
        };
        let mut text = String::new();
        for name in names {
            let path = self.folder().join(name);
            text += &fs::read_to_string(&path).during(|| workspace::name_of(&path))?;
        }
        Ok(text)
    }

    /// Whether the program starts: all of them print their options and exit well.
    fn works(self) -> bool {
        run::output(self.command().arg("--help")).is_ok()
    }
}

fn environment() -> PathBuf {
    workspace::root().join("target/venv")
}

fn go_program() -> PathBuf {
    workspace::root().join("target/clients/go-drill")
}

fn missing(tool: &str, whence: &str) -> Failure {
    Failure::new(format!("{tool} is missing; install {whence}"))
}

fn prepare_python() -> Outcome {
    if !run::exists("python3") {
        return Err(missing("python3", "Debian's python3 and python3-venv"));
    }
    let venv = environment();
    let make = || run::output(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv));
    if make().is_err() {
        apt_install(&["python3-venv"])?;
        make()?;
    }
    let mut pip = Command::new(venv.join("bin/python3"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    pip.args(["--require-hashes", "-r"]);
    pip.arg(Client::Python.folder().join("requirements.txt"));
    run::output(&mut pip).map(drop)
}

fn prepare_node(folder: PathBuf) -> Outcome {
    if !run::exists("node") || !run::exists("npm") {
        return Err(missing("node or npm", "Node.js 18 or later with npm"));
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(folder);
    run::output(&mut npm).map(drop)
}

fn prepare_go(folder: PathBuf) -> Outcome {
    if !run::exists("go") {
        return Err(missing("go", "Go 1.26 or later"));
    }
    let mut go = Command::new("go");
    go.args(["build", "-trimpath", "-o"]).arg(go_program()).arg(".").current_dir(folder);
    run::output(&mut go).map(drop)
}
