//! Settings files: wrong ones end the start with file and line, the guide's load as they stand.

use super::Stage;
use crate::failure::{During, Failure, Outcome, ensure};
use crate::node::START_MS;
use crate::process::Process;
use crate::program::Kind;
use crate::wire::Wire;
use crate::{ports, wait, workspace};
use std::fs;
use std::path::Path;

/// Files that are wrong, and the line that is.
const BAD: [(&str, u32); 6] = [
    ("port 0\nnonsense yes\n", 2),
    ("# a comment\n\nport none\n", 3),
    ("appendonly perhaps\n", 1),
    ("maxmemory 12 parsecs of it\n", 1),
    ("save 900\n", 1),
    ("port 0\nrequirepass \"unbalanced\n", 2),
];

/// Every bad file: FATAL CONFIG FILE ERROR, the line, and for ours the file; exit 1.
pub fn bad(stage: &Stage) -> Outcome {
    for (number, (text, line)) in BAD.iter().enumerate() {
        let path = stage.folder.join(format!("bad-{number}.conf"));
        fs::write(&path, text)?;
        let output = stage.ours.server(&path).current_dir(&stage.folder).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned()
            + &String::from_utf8_lossy(&output.stdout);
        let wrong = |what: &str| format!("{text:?}: {what}, it said: {said}");
        ensure(output.status.code() == Some(1), || wrong("exit is not 1"))?;
        ensure(said.contains("FATAL CONFIG FILE ERROR"), || wrong("no FATAL CONFIG FILE ERROR"))?;
        ensure(said.contains(&format!("line {line}")), || wrong("the line is not named"))?;
        let names_file =
            stage.ours.kind == Kind::Stock || said.contains(&format!("bad-{number}.conf"));
        ensure(names_file, || wrong("the file is not named"))?;
    }
    Ok(())
}

/// The guide's files start a server or a sentinel. Addresses, ports and folders are this machine's;
/// every directive and every trailing comment is the guide's. Stock refuses trailing comments, so this
/// asks ours only.
pub fn guide(stage: &Stage) -> Outcome {
    if stage.ours.kind == Kind::Stock {
        return Ok(());
    }
    let folder = workspace::root().join("tests/interop/guide");
    let mut names: Vec<_> = fs::read_dir(&folder)?.flatten().map(|entry| entry.path()).collect();
    names.sort();
    ensure(!names.is_empty(), || "no files of the guide".to_owned())?;
    for path in names {
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        loads(stage, &name, &fs::read_to_string(&path)?).during(|| format!("{name}.conf"))?;
    }
    Ok(())
}

fn loads(stage: &Stage, name: &str, text: &str) -> Outcome {
    let data = stage.folder.join(name);
    fs::create_dir_all(&data)?;
    let (port, other) = (ports::free(1)?, ports::free(1)?);
    let mut lines: Vec<String> = text.lines().map(|line| local(line, port, other, &data)).collect();
    let has = |lines: &[String], directive: &str| {
        lines.iter().any(|line| line.split_whitespace().next() == Some(directive))
    };
    if !has(&lines, "port") {
        lines.push(format!("port {port}"));
    }
    if !has(&lines, "dir") {
        lines.push(format!("dir {}", data.display()));
    }
    let path = stage.folder.join(format!("{name}.conf"));
    fs::write(&path, lines.join("\n") + "\n")?;
    let is_sentinel = text.contains("sentinel monitor");
    let command = if is_sentinel { stage.ours.sentinel(&path) } else { stage.ours.server(&path) };
    let log = stage.folder.join(format!("{name}.log"));
    let mut process = Process::start(command, &log)?;
    let started = wait::until("a start", START_MS, || {
        if let Some(status) = process.ended() {
            return Some(Err(Failure::new(format!("ended with {status}"))));
        }
        started(port, &log).then_some(Ok(()))
    });
    started.and_then(|inner| inner).map_err(|failure| {
        let said = fs::read_to_string(&log).unwrap_or_default();
        Failure::new(format!("{failure}; it said: {said}"))
    })
}

/// A line of the guide with this machine's ports, addresses and folders.
fn local(line: &str, port: u16, other: u16, data: &Path) -> String {
    let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    match words.first().map(String::as_str) {
        Some("port") if words[1] != "0" => words[1] = port.to_string(),
        Some("tls-port") => words[1] = other.to_string(),
        Some("bind") => words[1] = "127.0.0.1".into(),
        Some("replicaof") => {
            words[1] = "127.0.0.1".into();
            words[2] = other.to_string();
        }
        Some("dir") => words[1] = data.display().to_string(),
        Some("logfile") => words[1] = "\"\"".into(),
        Some("sentinel") if words[1] == "monitor" => {
            words[3] = "127.0.0.1".into();
            words[4] = other.to_string();
        }
        _ => {}
    }
    words.join(" ")
}

/// Any answer, an error too, shows that it runs. A file that closes the plain port only logs.
fn started(port: u16, log: &Path) -> bool {
    let answers = Wire::open(port, 500, None).and_then(|mut wire| wire.call(&["PING"])).is_ok();
    answers || fs::read_to_string(log).unwrap_or_default().contains("Ready to accept")
}
