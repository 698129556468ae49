//! Running another program to its end, in the root of the workspace.

use crate::failure::{During, Failure, Outcome, ensure};
use crate::workspace;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// `program` with `arguments`, in the root of the workspace.
pub fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(workspace::root());
    command
}

/// Runs a program whose output the reader sees.
///
/// # Errors
/// When it is missing or says that it failed.
pub fn loudly(program: &str, arguments: &[&str]) -> Outcome {
    finish(&mut command(program, arguments))
}

/// Runs `command` whose output the reader sees.
///
/// # Errors
/// When it is missing or says that it failed.
pub fn finish(command: &mut Command) -> Outcome {
    let status = command.status().during(|| name_of(command))?;
    ensure(status.success(), || format!("{}: {status}", name_of(command)))
}

/// Runs a program and shows its output only if it fails.
///
/// # Errors
/// When it is missing or says that it failed; its output is then in the failure.
pub fn quietly(program: &str, arguments: &[&str]) -> Outcome {
    output(&mut command(program, arguments)).map(drop)
}

/// Runs `command` and returns what it wrote to standard output.
///
/// # Errors
/// When it is missing or says that it failed; what it wrote is then in the failure.
pub fn output(command: &mut Command) -> Outcome<String> {
    let output = command.stdin(Stdio::null()).output().during(|| name_of(command))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(Failure::new(format!("{}: {}\n{text}{errors}", name_of(command), output.status)))
}

/// Runs `command`, hands every line of its standard output to `line`, and says whether it succeeded.
///
/// # Errors
/// When it is missing or cannot be read.
pub fn lines(command: &mut Command, mut line: impl FnMut(&str)) -> Outcome<bool> {
    let mut child = command.stdout(Stdio::piped()).spawn().during(|| name_of(command))?;
    let pipe = child.stdout.take().ok_or_else(|| Failure::new("no pipe"))?;
    for text in BufReader::new(pipe).lines() {
        line(&text?);
    }
    Ok(child.wait()?.success())
}

/// Whether `program` can be run at all.
pub fn exists(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok()
}

fn name_of(command: &Command) -> String {
    let arguments: Vec<_> = command.get_args().take(3).map(|a| a.to_string_lossy()).collect();
    format!("{} {}", command.get_program().to_string_lossy(), arguments.join(" "))
}
