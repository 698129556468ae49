//! `redoubt cli`: the command-line client, with the options, outputs and exit codes of redis-cli 7.0.
//!
//! A command on the command line is sent once (or `-r` times) and its reply printed; without one, lines are
//! read from the terminal or a pipe. Replies meant for programs are bytes equal to redis-cli's.
//!
//! Deliberately absent so far: TLS, the monitors (`--stat`, `--latency`, `--bigkeys` ...), `--pipe`,
//! `--rdb`, `--eval`, `--scan` and the cluster manager; each is refused in one line.

mod console;
mod format;
mod help;
mod history;
mod lines;
mod options;
mod repl;
mod session;
mod syntax;

pub use console::Console;

use options::{Options, Request};
use session::{Ended, Session, Source};
use std::ffi::OsString;
use std::io::{self, BufRead, Read};

/// The longest argument taken from standard input, in bytes.
const STDIN_ARGUMENT_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// Runs the client on the process's own streams. `arguments` are the words after the program's name;
/// the result is the exit code.
pub fn run(program: &str, arguments: &[OsString]) -> i32 {
    run_on(&mut Console::of_process(), program, arguments)
}

/// Runs the client on `console`.
pub fn run_on(console: &mut Console, program: &str, arguments: &[OsString]) -> i32 {
    match options::parse(arguments, console.output_is_terminal) {
        Ok(Request::Help) => printed(&console.print(help::usage(program))),
        Ok(Request::Version) => printed(&console.print(help::version())),
        Ok(Request::Run(options)) => match start(console, *options) {
            Ok(()) => 0,
            Err(_) => 1,
        },
        Err(error) => {
            console.complain(error.to_string());
            1
        }
    }
}

fn printed(result: &io::Result<()>) -> i32 {
    i32::from(result.is_err())
}

fn start(console: &mut Console, mut options: Options) -> Result<(), Ended> {
    if options.password.is_some() && options.warns_about_password {
        console.complain(
            "Warning: Using a password with '-a' or '-u' option on the command line interface may \
             not be safe.",
        );
    }
    if options.asks_password {
        options.password = ask_password(console)?;
    } else if options.password.is_none() {
        options.password = console.environment.get("REDISCLI_AUTH").cloned();
    }
    if options.command.is_empty() {
        return repl::run(&mut Session::new(options, Source::Lines), console);
    }
    let Some(command) = command(console, &options)? else {
        return Err(Ended::ErrorReply);
    };
    let repeat = options.repeat;
    let mut session = Session::new(options, Source::Arguments);
    match command.as_slice() {
        [first, topic @ ..] if first.eq_ignore_ascii_case(b"help") || first.as_slice() == b"?" => {
            let topic: Vec<String> = topic
                .iter()
                .map(|word| String::from_utf8_lossy(word).to_ascii_lowercase())
                .collect();
            let topic: Vec<&str> = topic.iter().map(String::as_str).collect();
            session.connect(console)?;
            Ok(help::show(&mut session, console, &topic)?)
        }
        _ => session.run(console, &command, repeat),
    }
}

/// The command's arguments, unquoted and completed from standard input; `None` if they make no command,
/// which has been told.
fn command(console: &mut Console, options: &Options) -> io::Result<Option<Vec<Vec<u8>>>> {
    let mut command = options.command.clone();
    if options.input_is_quoted {
        for argument in &mut command {
            let words = resp::inline::split(argument).unwrap_or_default();
            let Ok([word]) = <[Vec<u8>; 1]>::try_from(words) else {
                console.print("Invalid quoted string\n")?;
                return Ok(None);
            };
            *argument = word;
        }
    }
    if options.last_argument_from_stdin {
        command.push(whole_input(console)?);
    } else if let Some(tag) = &options.stdin_tag {
        let Some(tagged) = command.iter_mut().find(|argument| *argument == tag) else {
            console.complain("Using -X option but stdin tag not match.");
            return Ok(None);
        };
        *tagged = whole_input(console)?;
    }
    Ok(Some(command))
}

fn whole_input(console: &mut Console) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    (&mut console.input).take(STDIN_ARGUMENT_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Asks for the password, with the terminal's echo off while it is typed.
fn ask_password(console: &mut Console) -> io::Result<Option<String>> {
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
    let terminal = io::stdin();
    let before = if console.input_is_terminal {
        console.print("Please input password: ")?;
        tcgetattr(&terminal).ok()
    } else {
        None
    };
    if let Some(modes) = &before {
        let mut silent = modes.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&terminal, OptionalActions::Now, &silent)?;
    }
    let mut line = String::new();
    let read = console.input.read_line(&mut line);
    if let Some(modes) = &before {
        tcsetattr(&terminal, OptionalActions::Now, modes)?;
        console.print("\n")?;
    }
    read?;
    Ok(Some(line.trim_end_matches(['\r', '\n']).to_owned()).filter(|line| !line.is_empty()))
}

#[cfg(test)]
mod tests;
