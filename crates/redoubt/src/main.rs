//! The `redoubt` binary: one program under several names.
//!
//! Called as `redis-server`, `redis-sentinel`, `redis-cli` or `redis-benchmark` (or their `valkey-`
//! names) it behaves as that program; called by its own name the first word says what it is to be.

mod check;
mod daemon;
mod identity;
mod logging;
mod migrate;
mod replication;
mod sentinel;
mod server;
mod syslog;
mod title;
mod up;

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

/// Used by every thread; a server gives it threads of its own if `jemalloc-bg-thread` says so.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const USAGE: &str = "\
Usage: redoubt COMMAND [arguments]

  up           a highly available group on this machine: three nodes, each a server and a sentinel
  server       one server: redoubt server [/path/to/redis.conf] [--option value ...] [-]
  sentinel     a stand-alone sentinel: redoubt sentinel /path/to/sentinel.conf [--option value ...]
  cli          the client: redoubt cli [options] [command ...]
  benchmark    load for a server, and what it takes: redoubt benchmark [options] [command ...]
  check-rdb    whether a snapshot is whole: redoubt check-rdb FILE
  check-aof    whether an append-only file is whole: redoubt check-aof [--fix] FILE

  --version    print the version
  --help       print this text

Every command answers --help. Called as redis-server, redis-sentinel, redis-cli, redis-benchmark,
redis-check-rdb or redis-check-aof, this program behaves as that one.
";

/// What the program is to be.
#[derive(Debug, PartialEq, Eq)]
enum Role {
    Server,
    Sentinel,
    Cli,
    Benchmark,
    CheckRdb,
    CheckAof,
    Up,
    Docs,
    Version,
    Usage,
    Unknown(String),
}

fn role_of(name: &str, first: Option<&str>) -> (Role, usize) {
    let by_name = match name.strip_prefix("redis-").or_else(|| name.strip_prefix("valkey-")) {
        Some("server") => Some(Role::Server),
        Some("sentinel") => Some(Role::Sentinel),
        Some("cli") => Some(Role::Cli),
        Some("benchmark") => Some(Role::Benchmark),
        Some("check-rdb") => Some(Role::CheckRdb),
        Some("check-aof") => Some(Role::CheckAof),
        _ => None,
    };
    if let Some(role) = by_name {
        return (role, 1);
    }
    let role = match first {
        Some("server") => Role::Server,
        Some("sentinel") => Role::Sentinel,
        Some("cli") => Role::Cli,
        Some("benchmark") => Role::Benchmark,
        Some("check-rdb") => Role::CheckRdb,
        Some("check-aof") => Role::CheckAof,
        Some("up") => Role::Up,
        Some("internal-docs") => Role::Docs,
        Some("--version" | "-v") => Role::Version,
        None | Some("--help" | "-h" | "help") => Role::Usage,
        Some(other) => Role::Unknown(other.to_owned()),
    };
    (role, 2)
}

fn main() -> ExitCode {
    let mut words: Vec<OsString> = std::env::args_os().collect();
    let program = words.first().map_or("redoubt".into(), |word| word.to_string_lossy());
    let called_as = program.clone().into_owned();
    let name = Path::new(&*program)
        .file_name()
        .map_or_else(|| "redoubt".to_owned(), |name| name.to_string_lossy().into_owned());
    let first = words.get(1).map(|word| word.to_string_lossy().into_owned());
    let (role, skip) = role_of(&name, first.as_deref());
    if matches!(role, Role::Server | Role::Sentinel) {
        title::make_room(&mut words);
    }
    let rest: Vec<OsString> = words.iter().skip(skip).cloned().collect();
    let texts: Vec<String> = rest.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let code = match role {
        Role::Server => server::main(&called_as, &texts, false),
        Role::Sentinel => server::main(&called_as, &texts, true),
        Role::Cli => cli::run(&name, &rest),
        Role::Benchmark => benchmark::run(&rest),
        Role::CheckRdb => {
            check::check_rdb(&texts, &mut std::io::stdout(), &check::Bar::on_terminal())
        }
        Role::CheckAof => {
            let (mut answers, bar) = (std::io::stdin().lock(), check::Bar::on_terminal());
            check::check_aof(&texts, &mut answers, &mut std::io::stdout(), &bar)
        }
        Role::Up => up::main(&rest),
        Role::Docs => print_docs(texts.first().map(String::as_str)),
        Role::Version => say(&format!("redoubt {}\n", env!("CARGO_PKG_VERSION"))),
        Role::Usage => say(USAGE),
        Role::Unknown(word) => complain(&format!("redoubt: unknown command '{word}'\n\n{USAGE}")),
    };
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

fn print_docs(which: Option<&str>) -> i32 {
    match which {
        Some("settings") => say(&conf::markdown()),
        Some("commands") => say(&commands::markdown()),
        _ => complain("redoubt: internal-docs takes 'settings' or 'commands'\n"),
    }
}

fn say(text: &str) -> i32 {
    i32::from(std::io::stdout().write_all(text.as_bytes()).is_err())
}

fn complain(text: &str) -> i32 {
    // Nobody can be told that standard error is closed.
    let _ = std::io::stderr().write_all(text.as_bytes());
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_or_the_first_word_decides() {
        for (name, first, role, skip) in [
            ("redis-server", Some("a.conf"), Role::Server, 1),
            ("valkey-sentinel", None, Role::Sentinel, 1),
            ("redis-cli", Some("ping"), Role::Cli, 1),
            ("valkey-benchmark", Some("-q"), Role::Benchmark, 1),
            ("redis-check-aof", Some("x"), Role::CheckAof, 1),
            ("redoubt", Some("check-rdb"), Role::CheckRdb, 2),
            ("redoubt", Some("server"), Role::Server, 2),
            ("redoubt", None, Role::Usage, 2),
            ("redoubt", Some("x"), Role::Unknown("x".into()), 2),
        ] {
            assert_eq!(role_of(name, first), (role, skip), "{name} {first:?}");
        }
    }
}
