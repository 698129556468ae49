//! `redoubt up` where users make mistakes, stop it, start it again, and lose a node for a moment.
//!
//! A start that cannot be: one line on standard error, exit 1, nothing left running.

use super::Stage;
use crate::failure::{Failure, Outcome, ensure};
use crate::group::{self, Group, NODES, Options};
use crate::process::{self, Process};
use crate::wire::Wire;
use crate::{ports, wait};
use base::clock;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};

/// How long `up` may take to refuse.
const REFUSE_MS: u64 = 15_000;
/// How long a group may take to say that it is ready.
const READY_MS: u64 = 60_000;
/// Keys that must never be missing.
const KEYS: usize = 1_000;

fn up(stage: &Stage, folder: &Path, port: u16, sentinel_port: u16) -> Command {
    let mut command = stage.ours.command();
    command.arg("up").arg("--dir").arg(folder);
    command.args(["--port", &port.to_string(), "--sentinel-port", &sentinel_port.to_string()]);
    command
}

/// Starts `up`, which must refuse.
fn refuses(stage: &Stage, mut command: Command, ports: &[u16]) -> Outcome {
    let out = stage.folder.join("refused.out");
    let err = stage.folder.join("refused.err");
    command.stdin(Stdio::null());
    let mut process = Process::piped(command, &err)?;
    let mut pipe = process.output().ok_or_else(|| Failure::new("no pipe"))?;
    let status = process.wait(REFUSE_MS)?;
    std::io::copy(&mut pipe, &mut fs::File::create(&out)?)?;
    let said = fs::read_to_string(&err)?;
    ensure(status.code() == Some(1), || format!("ended with {status}: {said}"))?;
    let lines = said.lines().filter(|line| !line.trim().is_empty()).count();
    ensure(lines == 1, || format!("{lines} lines instead of one: {said}"))?;
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    wait::until("free ports", 2_000, || ports.iter().all(free).then_some(()))
        .map_err(|_| Failure::new("something was left running"))
}

/// Somebody listens on one of the servers' ports.
pub fn port_in_use(stage: &Stage) -> Outcome {
    let (port, sentinel_port) = (ports::free(NODES)?, ports::free(NODES)?);
    let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, port + 1))?;
    let command = up(stage, &stage.folder.join("group"), port, sentinel_port);
    refuses(stage, command, &[port, port + 2, sentinel_port, sentinel_port + 1, sentinel_port + 2])
}

/// Somebody listens on one of the sentinels' ports.
pub fn sentinel_port_in_use(stage: &Stage) -> Outcome {
    let (port, sentinel_port) = (ports::free(NODES)?, ports::free(NODES)?);
    let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, sentinel_port + 2))?;
    let command = up(stage, &stage.folder.join("group"), port, sentinel_port);
    refuses(stage, command, &[port, port + 1, port + 2, sentinel_port, sentinel_port + 1])
}

/// The folder cannot be made, since what should hold it is a file: not even root can write there.
pub fn folder_not_writable(stage: &Stage) -> Outcome {
    let (port, sentinel_port) = (ports::free(NODES)?, ports::free(NODES)?);
    let file = stage.folder.join("file");
    fs::write(&file, "not a folder")?;
    let command = up(stage, &file.join("group"), port, sentinel_port);
    refuses(stage, command, &[port, port + 1, port + 2])
}

/// Another `up` runs on the same folder: the second refuses, the first goes on.
pub fn twice(stage: &Stage) -> Outcome {
    let folder = stage.folder.join("group");
    let group = Group::start(&stage.ours, &folder, &Options::default())?;
    let (port, sentinel_port) = (ports::free(NODES)?, ports::free(NODES)?);
    refuses(stage, up(stage, &folder, port, sentinel_port), &[port, port + 1, port + 2])?;
    group.ready().map(drop)
}

/// Starts `up` by hand and waits for the line that says it can serve.
fn started(stage: &Stage, folder: &Path, port: u16, sentinel_port: u16) -> Outcome<Process> {
    let log = stage.folder.join(format!("up-{}.log", clock::unix_us()));
    let command = up(stage, folder, port, sentinel_port);
    let process = Process::start(command, &log)?.asking_first();
    wait::until("`group mymaster ready: primary ...`", READY_MS, || {
        let said = fs::read_to_string(&log).ok()?;
        said.contains("group mymaster ready: primary 127.0.0.1:").then_some(())
    })?;
    Ok(process)
}

fn primary_of(port: u16) -> Option<Wire> {
    (0..NODES).find_map(|node| {
        let mut wire = Wire::open(port + node, 1_000, None).ok()?;
        let role = wire.info("replication", "role").ok()?;
        (role == "master").then_some(wire)
    })
}

fn fill(wire: &mut Wire) -> Outcome {
    let sets: Vec<Vec<String>> =
        (0..KEYS).map(|key| vec!["SET".into(), format!("key:{key}"), key.to_string()]).collect();
    wire.pipeline(&sets)?;
    wire.ok(&["WAIT", "2", "5000"]).map(drop)
}

fn size_of(port: u16) -> Option<usize> {
    let reply = Wire::open(port, 1_000, None).ok()?.ok(&["DBSIZE"]).ok()?;
    usize::try_from(reply.as_integer()?).ok()
}

/// After a clean end and another start, the data is there and the roles are as they were.
pub fn resumes(stage: &Stage) -> Outcome {
    let folder = stage.folder.join("group");
    let (port, sentinel_port) = (ports::free(NODES)?, ports::free(NODES)?);
    let mut first = started(stage, &folder, port, sentinel_port)?;
    let mut primary = primary_of(port).ok_or_else(|| Failure::new("no primary"))?;
    fill(&mut primary)?;
    let status = first.terminate()?;
    ensure(status.success(), || format!("up ended with {status}"))?;
    let _second = started(stage, &folder, port, sentinel_port)?;
    for node in 0..NODES {
        wait::until("the data after another start", READY_MS, || {
            (size_of(port + node) == Some(KEYS)).then_some(())
        })?;
    }
    Ok(())
}

/// SIGTERM stops every node, and each saves what it has.
pub fn stops(stage: &Stage) -> Outcome {
    let folder = stage.folder.join("group");
    let (port, sentinel_port) = (ports::free(NODES)?, ports::free(NODES)?);
    let mut first = started(stage, &folder, port, sentinel_port)?;
    let ids: Vec<i32> =
        (0..NODES).map(|node| group::pid_of(&folder, port + node)).collect::<Outcome<_>>()?;
    let mut primary = primary_of(port).ok_or_else(|| Failure::new("no primary"))?;
    fill(&mut primary)?;
    first.terminate()?;
    ensure(!ids.iter().any(|id| process::is_alive(*id)), || "a node was left running".to_owned())?;
    let saved = fs::read_dir(&folder)?
        .flatten()
        .filter(|entry| entry.path().join("dump.rdb").is_file())
        .count();
    ensure(saved == usize::from(NODES), || format!("{saved} of {NODES} nodes saved"))
}

/// The primary dies and is back before anybody thinks it down, without what was never saved. In stock
/// it would serve as an empty primary and its replicas would empty themselves.
pub fn fast_restart(stage: &Stage) -> Outcome {
    let options =
        Options { down_after_ms: 15_000, failover_timeout_ms: 30_000, ..Options::default() };
    let mut group = Group::start(&stage.ours, &stage.folder.join("group"), &options)?;
    let primary = group.ready()?;
    fill(&mut group.server(primary)?)?;
    let replicas: Vec<u16> = (0..NODES).filter(|node| *node != primary).collect();
    group.kill(primary)?;
    let mut least = KEYS;
    wait::until("order after a fast restart", 2 * READY_MS, || {
        for node in &replicas {
            least = least.min(size_of(group.port + node).unwrap_or(KEYS));
        }
        let all = (0..NODES).all(|node| size_of(group.port + node) == Some(KEYS));
        (least < KEYS || (all && primary_of(group.port).is_some())).then_some(())
    })?;
    ensure(least == KEYS, || format!("a replica fell to {least} of {KEYS} keys"))?;
    group.ready()?;
    let sizes = (0..NODES).map(|node| size_of(group.port + node));
    ensure(sizes.into_iter().all(|size| size == Some(KEYS)), || "keys are missing".to_owned())
}
