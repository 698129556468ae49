//! What stops loading, and what is only worth a warning.

use super::Origin;
use crate::plain::ValueError;
use crate::row::Part;
use std::fmt;
use std::path::PathBuf;

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A line.
    #[error(
        "\n*** FATAL CONFIG FILE ERROR (Redoubt {}) ***\n{}, at line {line_number}\n>>> '{line}'\n{reason}",
        env!("CARGO_PKG_VERSION"),
        Reading(origin)
    )]
    Line {
        /// Where the line stands.
        origin: Origin,
        /// Its number there, from 1.
        line_number: usize,
        /// Its text.
        line: String,
        /// What is wrong with it.
        reason: LineError,
    },
    /// The main file cannot be read.
    #[error("Fatal error, can't open config file '{path}': {}", base::reason(source), path = path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The answer of the system.
        source: std::io::Error,
    },
}

struct Reading<'a>(&'a Origin);

impl fmt::Display for Reading<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Origin::File(path) => write!(f, "Reading the configuration file {}", path.display()),
            Origin::Stdin => f.write_str("Reading the configuration from standard input"),
            Origin::Arguments => f.write_str("Reading the configuration in the arguments"),
        }
    }
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// A quote without its partner.
    #[error("Unbalanced quotes in configuration line")]
    Quotes,
    /// Nobody knows the directive, or it takes other arguments.
    #[error("Bad directive or wrong number of arguments")]
    Directive,
    /// The value.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// A sentinel line in a server that is no sentinel.
    #[error("sentinel directive while not in sentinel mode")]
    NotSentinel,
    /// A file that includes itself, or too many files.
    #[error("too many included files")]
    Includes,
    /// An included file cannot be read.
    #[error("can't open config file '{path}': {}", base::reason(source), path = path.display())]
    Include {
        /// The file.
        path: PathBuf,
        /// The answer of the system.
        source: std::io::Error,
    },
}

/// What the user should hear about, though the server starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// The part of the product that a directive steers does not exist yet.
    NotBuilt {
        /// The directive, by its own name.
        directive: &'static str,
        /// The part.
        part: Part,
        /// The line.
        line_number: usize,
    },
    /// Nobody knows the directive, but it is clear what was meant.
    Retired {
        /// The directive as it stands.
        directive: &'static str,
        /// What to write instead.
        advice: &'static str,
        /// The line.
        line_number: usize,
    },
}

impl Warning {
    /// The directive it is about.
    pub fn directive(&self) -> &'static str {
        match self {
            Warning::NotBuilt { directive, .. } | Warning::Retired { directive, .. } => directive,
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::NotBuilt { directive, part, line_number } => {
                write!(f, "Configuration line {line_number}: '{directive}' has no effect: ")?;
                write!(f, "not built yet ({part})")?;
                match *directive {
                    "tls-port" => f.write_str("; no TLS port is opened"),
                    _ => Ok(()),
                }
            }
            Warning::Retired { directive, advice, line_number } => {
                write!(f, "Configuration line {line_number}: '{directive}' is ignored: {advice}")
            }
        }
    }
}
