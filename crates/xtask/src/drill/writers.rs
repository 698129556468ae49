//! A client program of `tests/clients/` while it runs: what it prints, read as it comes.

use super::absent;
use crate::failure::{During, Failure, Outcome, ensure};
use crate::group::Group;
use crate::process::Process;
use crate::setup::clients::Client;
use crate::wait;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::mpsc::{self, Receiver};
use std::thread;

/// How long a library may take to its first write.
const READY_MS: u64 = 20_000;

/// A running client program.
pub struct Writer {
    process: Process,
    lines: Receiver<String>,
    seen: Vec<String>,
}

/// The least gap between two acknowledged writes that a client tells of. A failover can be over in
/// 200 ms, and a client writes every millisecond or two.
const GAP_MS: u64 = 20;
/// A reply may reach the client so long after its server was killed.
const ON_ITS_WAY_MS: u64 = 50;

/// What it reports at its end.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// Writes tried, those that failed among them.
    pub tried: u64,
    /// Writes acknowledged.
    pub acknowledged: u64,
    /// Acknowledged, but not found afterwards.
    pub lost: u64,
}

impl Writer {
    /// Starts the program against `group`; its errors go to a file in `folder`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(client: Client, group: &Group, run: u32, folder: &Path) -> Outcome<Writer> {
        let mut command = client.command();
        command.args(["--sentinels", &group.sentinels()]);
        command.args(["--label", &format!("{run}:{}", client.library())]);
        command.args(["--gap-ms", &GAP_MS.to_string()]);
        let (server, sentinel) = group.passwords();
        for (name, value) in [("--password", server), ("--sentinel-password", sentinel)] {
            command.args(value.map(|value| [name, value]).into_iter().flatten());
        }
        let log = folder.join(format!("{}-{run}.log", client.library()));
        let mut process = Process::piped(command, &log)?;
        let output = process.output().ok_or_else(|| absent("a pipe"))?;
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Writer { process, lines, seen: Vec::new() })
    }

    /// Waits for its first acknowledged write.
    ///
    /// # Errors
    /// When there is none.
    pub fn ready(&mut self) -> Outcome {
        self.until("a client's first write", READY_MS, |line| (line == "ready").then_some(()))
    }

    /// The Unix time of its first acknowledged write after the gap that was open at `killed`.
    ///
    /// # Errors
    /// When it does not come back.
    pub fn returned(&mut self, killed: u64, limit_ms: u64) -> Outcome<u64> {
        self.until("a client's return", limit_ms, |line| {
            let mut words = line.strip_prefix("gap ")?.split(' ');
            let from: u64 = words.next()?.parse().ok()?;
            let to: u64 = words.next()?.parse().ok()?;
            (from <= killed + ON_ITS_WAY_MS && to > killed).then_some(to)
        })
    }

    /// Stops it and returns its report.
    ///
    /// # Errors
    /// When it fails or reports nothing.
    pub fn finish(mut self, limit_ms: u64) -> Outcome<Report> {
        drop(self.process.input());
        let line = self.until("a client's report", limit_ms, |line| {
            line.starts_with('{').then(|| line.to_owned())
        })?;
        let status = self.process.wait(limit_ms)?;
        ensure(status.success(), || format!("a client ended with {status}"))?;
        Ok(Report {
            tried: number(&line, "tried")?,
            acknowledged: number(&line, "acknowledged")?,
            lost: number(&line, "lost")?,
        })
    }

    /// The first line, of those seen and those to come, that `wanted` takes.
    fn until<T>(
        &mut self,
        what: &str,
        limit_ms: u64,
        wanted: impl Fn(&str) -> Option<T>,
    ) -> Outcome<T> {
        wait::until(what, limit_ms, || {
            self.seen.extend(self.lines.try_iter());
            if let Some(found) = self.seen.iter().find_map(|line| wanted(line)) {
                return Some(Ok(found));
            }
            self.process.ended().map(|status| {
                self.seen.extend(self.lines.try_iter());
                let found = self.seen.iter().find_map(|line| wanted(line));
                found.ok_or_else(|| Failure::new(format!("a client ended with {status}")))
            })
        })?
    }
}

/// The number after `"name":` in a line of JSON.
fn number(line: &str, name: &str) -> Outcome<u64> {
    let (_, rest) = line.split_once(&format!("\"{name}\":")).ok_or_else(|| absent(name))?;
    let digits: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().during(|| format!("{name} in {line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_in_a_report() {
        let line = r#"{"client":"x","tried": 12,"lost":3,"errors":{"tried":1}}"#;
        assert_eq!(number(line, "tried").ok(), Some(12));
        assert_eq!(number(line, "lost").ok(), Some(3));
        assert!(number(line, "acknowledged").is_err());
    }
}
