//! Everything outside the process that the client touches besides the server: its three streams, whether
//! they are terminals, and the environment. A value, so that tests can look at it.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufRead, BufReader, IsTerminal, Write};

/// The streams and the environment of a run.
pub struct Console {
    /// Standard input.
    pub input: Box<dyn BufRead>,
    /// Whether lines are typed by a person.
    pub input_is_terminal: bool,
    /// Standard output.
    pub output: Box<dyn Write>,
    /// Whether replies are read by a person.
    pub output_is_terminal: bool,
    /// Standard error.
    pub errors: Box<dyn Write>,
    /// The environment variables that are UTF-8.
    pub environment: BTreeMap<String, String>,
}

impl fmt::Debug for Console {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Console")
            .field("input_is_terminal", &self.input_is_terminal)
            .field("output_is_terminal", &self.output_is_terminal)
            .finish_non_exhaustive()
    }
}

impl Console {
    /// The process's own.
    pub fn of_process() -> Console {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Console {
            input: Box::new(BufReader::new(io::stdin())),
            input_is_terminal: io::stdin().is_terminal(),
            output: Box::new(io::stdout()),
            // As in redis-cli, FAKETTY lets tests ask for what a terminal gets.
            output_is_terminal: io::stdout().is_terminal() || std::env::var_os("FAKETTY").is_some(),
            errors: Box::new(io::stderr()),
            environment,
        }
    }

    /// Writes to standard output at once.
    pub(crate) fn print(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.output.write_all(bytes.as_ref())?;
        self.output.flush()
    }

    /// Writes a line to standard error. That it cannot be written is nothing to be told about.
    pub(crate) fn complain(&mut self, line: impl AsRef<[u8]>) {
        let _ = self.output.flush();
        let _ = self.errors.write_all(line.as_ref());
        let _ = self.errors.write_all(b"\n");
    }
}
