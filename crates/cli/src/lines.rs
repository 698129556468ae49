//! Where the lines of a session without a command come from: a terminal with editing and history, or a
//! pipe.

use crate::console::Console;
use crate::history;
use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{Config, Editor};
use std::io;
use std::path::PathBuf;

/// The longest line read from a pipe, in bytes.
const LINE_BYTES_MAX: u64 = 512 * 1024 * 1024;

pub(crate) enum Lines {
    Terminal(Box<Terminal>),
    Piped,
}

pub(crate) struct Terminal {
    editor: Editor<(), MemHistory>,
    /// Oldest first.
    kept: Vec<String>,
    path: Option<PathBuf>,
}

impl Lines {
    /// The source that fits `console`.
    pub(crate) fn new(console: &Console) -> Lines {
        if !console.input_is_terminal {
            return Lines::Piped;
        }
        let config = Config::builder()
            .max_history_size(history::LINES_MAX)
            .and_then(|config| config.history_ignore_dups(true))
            .map(rustyline::config::Builder::build)
            .unwrap_or_default();
        match Editor::with_history(config.clone(), MemHistory::with_config(&config)) {
            Ok(mut editor) => {
                let path = history::path(&console.environment);
                let kept = path.as_ref().map(history::load).unwrap_or_default();
                for line in &kept {
                    let _ = editor.add_history_entry(line);
                }
                Lines::Terminal(Box::new(Terminal { editor, kept, path }))
            }
            // A terminal that cannot be edited on is read as a pipe.
            Err(_) => Lines::Piped,
        }
    }

    /// The next line without its end; `None` at the end of the input or when the user ends it.
    pub(crate) fn next(
        &mut self,
        console: &mut Console,
        prompt: &str,
    ) -> io::Result<Option<Vec<u8>>> {
        match self {
            Lines::Terminal(terminal) => match terminal.editor.readline(prompt) {
                Ok(line) => Ok(Some(line.into_bytes())),
                Err(ReadlineError::Eof | ReadlineError::Interrupted) => Ok(None),
                Err(ReadlineError::Io(error)) => Err(error),
                Err(error) => Err(io::Error::other(error)),
            },
            Lines::Piped => piped_line(console),
        }
    }

    /// Keeps a line for the next sessions. A file that cannot be written keeps nothing, silently.
    pub(crate) fn keep(&mut self, line: &[u8]) {
        let Lines::Terminal(terminal) = self else {
            return;
        };
        let line = String::from_utf8_lossy(line).into_owned();
        if terminal.kept.last() == Some(&line) {
            return;
        }
        let _ = terminal.editor.add_history_entry(&line);
        terminal.kept.push(line);
        let surplus = terminal.kept.len().saturating_sub(history::LINES_MAX);
        terminal.kept.drain(..surplus);
        if let Some(path) = &terminal.path {
            let _ = history::save(path, terminal.kept.iter());
        }
    }
}

fn piped_line(console: &mut Console) -> io::Result<Option<Vec<u8>>> {
    use std::io::{BufRead, Read};
    let mut line = Vec::new();
    let read = (&mut console.input).take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    Ok((read > 0).then_some(line))
}
