//! A session of lines, typed or piped: each is a command to the server or to the client itself.
//!
//! The client's own: `exit`, `quit`, `clear`, `connect HOST PORT`, `help`, `:set hints|nohints` (accepted,
//! there are no hints yet), and a count before a command, which runs it so often.
//!
//! Source: behaviour observed with redis-cli 7.0.15.

use crate::console::Console;
use crate::format::Output;
use crate::help;
use crate::history;
use crate::lines::Lines;
use crate::session::{Ended, Session};
use std::io;

/// A command that took longer than this, in milliseconds, is followed by its duration.
const SLOW_MS: u64 = 500;

/// Runs lines until they end.
pub(crate) fn run(session: &mut Session, console: &mut Console) -> Result<(), Ended> {
    // A failure has been told; the first command tries again.
    let _ = session.connect(console);
    let mut lines = Lines::new(console);
    while let Some(line) = lines.next(console, &session.prompt())? {
        let Ok(arguments) = resp::inline::split(&line) else {
            console.print("Invalid argument(s)\n")?;
            continue;
        };
        if arguments.is_empty() {
            continue;
        }
        if !history::is_secret(&arguments) {
            lines.keep(&line);
        }
        match own_command(session, console, &arguments)? {
            Own::Exit => return Ok(()),
            Own::Done => {}
            Own::No => send(session, console, &arguments)?,
        }
    }
    Ok(())
}

/// Whether a line was for the client itself.
enum Own {
    No,
    Done,
    Exit,
}

fn own_command(
    session: &mut Session,
    console: &mut Console,
    arguments: &[Vec<u8>],
) -> io::Result<Own> {
    let words: Vec<String> =
        arguments.iter().map(|word| String::from_utf8_lossy(word).to_ascii_lowercase()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["exit" | "quit", ..] => return Ok(Own::Exit),
        ["clear"] => console.print("\x1b[H\x1b[2J")?,
        ["connect", host, port] => match port.parse() {
            Ok(port) => session.move_to(console, host, port),
            Err(_) => console.complain("Invalid server port."),
        },
        [":set", "hints" | "nohints"] => {}
        [":set", other] => {
            console.print(format!("unknown redis-cli preference '{other}'\n"))?;
        }
        [first, ..] if first.starts_with(':') => {
            console.print(format!("unknown redis-cli internal command '{first}'\n"))?;
        }
        ["help" | "?", topic @ ..] => help::show(session, console, topic)?,
        _ => return Ok(Own::No),
    }
    Ok(Own::Done)
}

/// Sends a line's command, as often as the number before it says.
fn send(session: &mut Session, console: &mut Console, arguments: &[Vec<u8>]) -> Result<(), Ended> {
    let (repeat, command) = match arguments {
        [first, command @ ..] if !command.is_empty() && is_number(first) => {
            let count = std::str::from_utf8(first).ok().and_then(|count| count.parse().ok());
            (count.unwrap_or(0), command)
        }
        _ => (1, arguments),
    };
    if repeat <= 0 {
        console.print("Invalid redis-cli repeat command option value.\n")?;
        return Ok(());
    }
    let began = base::clock::monotonic();
    let ended = session.run(console, command, repeat);
    let took_ms = base::clock::monotonic().0.saturating_sub(began.0);
    if took_ms >= SLOW_MS && session.options.output == Output::Standard {
        let seconds = std::time::Duration::from_millis(took_ms).as_secs_f64();
        console.print(format!("({seconds:.2}s)\n"))?;
    }
    match ended {
        Err(Ended::Output(error)) => Err(Ended::Output(error)),
        Ok(()) | Err(Ended::Connection | Ended::ErrorReply) => Ok(()),
    }
}

/// Whether a word is a number, of whatever size.
fn is_number(word: &[u8]) -> bool {
    let digits = word.strip_prefix(b"-").or(word.strip_prefix(b"+")).unwrap_or(word);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}
