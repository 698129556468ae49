//! The value of a setting as data, apart from the cell that holds it: parsing, printing, comparing.
//!
//! Loading, CONFIG SET and REWRITE all go through [`Plain`], so that each kind of value has one
//! parser and one notation.

pub mod parse;
pub mod show;

use crate::cell::{ClassLimit, Endpoint};
use crate::choice::ShutdownOn;
use crate::row::Kind;
use std::sync::Arc;

const MEGABYTE: u64 = 1 << 20;

/// The output limits when nothing is said, in the order normal, replica, pubsub.
pub const OUTPUT_LIMITS: [ClassLimit; 3] = [
    ClassLimit { hard_bytes: 0, soft_bytes: 0, soft_seconds: 0 },
    ClassLimit { hard_bytes: 256 * MEGABYTE, soft_bytes: 64 * MEGABYTE, soft_seconds: 60 },
    ClassLimit { hard_bytes: 32 * MEGABYTE, soft_bytes: 8 * MEGABYTE, soft_seconds: 60 },
];

/// The save rules when nothing is said: seconds and changes.
pub const SAVE_RULES: [(u64, u64); 3] = [(3600, 1), (300, 100), (60, 10000)];

/// The value of a setting.
#[derive(Clone, Debug, PartialEq)]
pub enum Plain {
    /// `yes` or `no`.
    Flag(bool),
    /// An integer.
    Number(i64),
    /// The position of a word.
    Choice(u8),
    /// Shutdown options.
    Shutdown(ShutdownOn),
    /// Bytes.
    Text(Arc<[u8]>),
    /// Words.
    List(Arc<Vec<Vec<u8>>>),
    /// Limits of normal clients, replicas, subscribers.
    OutputLimits(Arc<[ClassLimit; 3]>),
    /// Seconds and changes.
    SaveRules(Arc<Vec<(u64, u64)>>),
    /// A host and a port, or nothing.
    Address(Option<Arc<Endpoint>>),
}

impl Plain {
    /// The default that a kind declares.
    pub fn default_of(kind: &Kind) -> Plain {
        match *kind {
            Kind::Flag { default } => Plain::Flag(default),
            Kind::Number { default, .. } => Plain::Number(default),
            Kind::Choice { default, .. } => Plain::Choice(default),
            Kind::Shutdown => Plain::Shutdown(ShutdownOn::default()),
            Kind::Text { default, .. } => Plain::Text(Arc::from(default.as_bytes())),
            Kind::List { default, .. } => {
                Plain::List(Arc::new(default.iter().map(|word| word.as_bytes().to_vec()).collect()))
            }
            Kind::OutputLimits => Plain::OutputLimits(Arc::new(OUTPUT_LIMITS)),
            Kind::SaveRules => Plain::SaveRules(Arc::new(SAVE_RULES.to_vec())),
            Kind::Address => Plain::Address(None),
        }
    }

    /// Whether the value is "nothing" for a setting of `kind`: no, zero, empty.
    pub fn is_off(&self, kind: &Kind) -> bool {
        match (self, kind) {
            (Plain::Flag(on), _) => !on,
            (Plain::Number(number), _) => *number == 0,
            (Plain::Choice(at), Kind::Choice { words, .. }) => {
                words.get(usize::from(*at)) == Some(&"no")
            }
            (Plain::Text(text), _) => text.is_empty(),
            (Plain::List(words), _) => words.is_empty(),
            (Plain::SaveRules(rules), _) => rules.is_empty(),
            (Plain::Address(address), _) => address.is_none(),
            (Plain::Choice(_) | Plain::Shutdown(_) | Plain::OutputLimits(_), _) => false,
        }
    }
}

/// Why a value is refused. The texts are stock's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Too few or too many words.
    #[error("wrong number of arguments")]
    WordCount,
    /// Neither yes nor no.
    #[error("argument must be 'yes' or 'no'")]
    Flag,
    /// Not an integer.
    #[error("argument couldn't be parsed into an integer")]
    Integer,
    /// Not an octal number.
    #[error("argument couldn't be parsed as an octal number")]
    Octal,
    /// Not an amount of memory.
    #[error("argument must be a memory value")]
    Memory,
    /// Neither an amount of memory nor a percentage.
    #[error("argument must be a memory or percent value")]
    MemoryOrPercent,
    /// A percentage out of bounds.
    #[error("percentage argument must be less or equal to {0}")]
    Percent(i64),
    /// A number out of bounds.
    #[error("argument must be between {0} and {1} inclusive")]
    Bounds(i64, i64),
    /// Not one of the words.
    #[error("argument(s) must be one of the following: {}", .0.join(", "))]
    Choice(&'static [&'static str]),
    /// Two shutdown options that exclude each other.
    #[error("shutdown options SAVE and NOSAVE can't be used simultaneously")]
    ShutdownClash,
    /// Bad save rules.
    #[error("Invalid save parameters")]
    Save,
    /// Output limits come in groups of four words.
    #[error("Wrong number of arguments in buffer limit configuration.")]
    LimitWords,
    /// No such class of clients.
    #[error("Invalid client class specified in buffer limit configuration.")]
    LimitClass,
    /// A number of an output limit.
    #[error("Error in hard, soft or soft_seconds setting in buffer limit configuration.")]
    LimitValue,
    /// More addresses than a server listens on.
    #[error("Too many bind addresses specified.")]
    BindCount,
    /// A port out of bounds.
    #[error("Invalid master port")]
    PrimaryPort,
    /// Any other rule, in stock's words.
    #[error("{0}")]
    Rule(&'static str),
}
