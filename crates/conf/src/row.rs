//! What is known about a setting besides its value: one [`Row`] of the table.
//!
//! Rows are constants made by small builders, so that a table line reads as a sentence:
//! `Row::bytes("repl-backlog-size", 1 << 20, 1, i64::MAX)`. A row without further words is live,
//! visible and mutable.

use crate::plain::{Plain, ValueError, parse};
use std::fmt;

/// Checks a text and brings it into its canonical form.
pub type TextCanon = fn(&[u8]) -> Result<Vec<u8>, ValueError>;

/// Checks words and brings them into their canonical form.
pub type WordsCanon = fn(&[Vec<u8>]) -> Result<Vec<Vec<u8>>, ValueError>;

/// One setting of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The name in files, CONFIG GET and CONFIG SET. Lower case.
    pub name: &'static str,
    /// Older or newer names that stock reports beside `name`.
    pub aliases: &'static [&'static str],
    /// Names that other servers use for it: understood, reported only when asked for by name.
    pub foreign: &'static [&'static str],
    /// Type, default and bounds.
    pub kind: Kind,
    /// What CONFIG SET may do.
    pub mutability: Mutability,
    /// Whether patterns of CONFIG GET leave it out.
    pub hidden: bool,
    /// Whether the value is a secret, kept out of logs and the slow log.
    pub sensitive: bool,
    /// Whether the part of the product it steers exists.
    pub status: Status,
    /// The section of the table.
    pub area: &'static str,
    /// One or two sentences for the documentation.
    pub summary: &'static str,
}

/// The type of a setting with its default and bounds.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `yes` or `no`.
    Flag {
        /// The value when nothing is said.
        default: bool,
    },
    /// An integer between two bounds, both allowed.
    Number {
        /// The value when nothing is said.
        default: i64,
        /// The least value.
        min: i64,
        /// The greatest value.
        max: i64,
        /// What is counted, and with it the notation.
        unit: Unit,
    },
    /// One of several words.
    Choice {
        /// The position of the default.
        default: u8,
        /// The words.
        words: &'static [&'static str],
    },
    /// A set of shutdown options.
    Shutdown,
    /// Any bytes.
    Text {
        /// The value when nothing is said; empty is "unset".
        default: &'static str,
        /// Checks a value and brings it into its canonical form.
        canon: TextCanon,
    },
    /// Several words.
    List {
        /// The value when nothing is said.
        default: &'static [&'static str],
        /// Checks the words and brings them into their canonical form.
        canon: WordsCanon,
    },
    /// The output limits of the three classes of clients.
    OutputLimits,
    /// When to snapshot.
    SaveRules,
    /// A host and a port, or nothing.
    Address,
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Just a number.
    Plain,
    /// Bytes; `k`, `kb`, `m`, `mb`, `g` and `gb` may follow.
    Bytes,
    /// Bytes, or a percentage of `maxmemory`, which is kept as a negative number.
    BytesOrPercent,
    /// File permissions in octal.
    Octal,
    /// Seconds.
    Seconds,
    /// Minutes.
    Minutes,
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
    /// Percent.
    Percent,
}

/// What CONFIG SET may do with a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutability {
    /// Change it.
    Mutable,
    /// Change it, if `enable-protected-configs` allows.
    Protected,
    /// Nothing; it is read at the start.
    Immutable,
}

/// Whether the part of the product that a setting steers exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It does what it says.
    Live,
    /// It is understood, stored and reported, and has no effect yet.
    NotBuilt(Part),
}

/// A part of the product that is still to be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the text of each part stands in its Display")]
pub enum Part {
    Acl,
    ActiveActive,
    AvailabilityZone,
    Cluster,
    CpuAffinity,
    CrashReport,
    DualChannel,
    Encodings,
    Eviction,
    Http,
    LogFormats,
    Modules,
    Scripting,
    Sockets,
    Supervision,
    Threads,
    Tiering,
    Tls,
}

impl Part {
    const fn text(self) -> &'static str {
        match self {
            Part::Acl => "access control lists",
            Part::ActiveActive => "active-active replication",
            Part::AvailabilityZone => "availability zones",
            Part::Cluster => "cluster mode",
            Part::CpuAffinity => "processor affinity",
            Part::CrashReport => "the memory check of crash reports",
            Part::DualChannel => "full synchronization over two connections",
            Part::Encodings => "collections and their compact encodings",
            Part::Eviction => "eviction",
            Part::Http => "the HTTP interface",
            Part::LogFormats => "other log formats",
            Part::Modules => "modules",
            Part::Scripting => "scripting",
            Part::Sockets => "this option of sockets",
            Part::Supervision => "supervision by upstart and systemd",
            Part::Threads => "placement of threads",
            Part::Tiering => "storage tiers",
            Part::Tls => "TLS",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl Row {
    /// A live, visible, mutable setting. O(1), usable in constants.
    pub const fn new(name: &'static str, kind: Kind) -> Row {
        Row {
            name,
            aliases: &[],
            foreign: &[],
            kind,
            mutability: Mutability::Mutable,
            hidden: false,
            sensitive: false,
            status: Status::Live,
            area: "",
            summary: "",
        }
    }

    pub(crate) const fn flag(name: &'static str, default: bool) -> Row {
        Row::new(name, Kind::Flag { default })
    }

    pub(crate) const fn number(name: &'static str, default: i64, min: i64, max: i64) -> Row {
        Row::new(name, Kind::Number { default, min, max, unit: Unit::Plain })
    }

    pub(crate) const fn bytes(name: &'static str, default: i64, min: i64, max: i64) -> Row {
        Row::number(name, default, min, max).unit(Unit::Bytes)
    }

    pub(crate) const fn text(name: &'static str, default: &'static str) -> Row {
        Row::new(name, Kind::Text { default, canon: parse::any_text })
    }

    pub(crate) const fn choice(
        name: &'static str,
        words: &'static [&'static str],
        default: u8,
    ) -> Row {
        Row::new(name, Kind::Choice { default, words })
    }

    pub(crate) const fn list(
        name: &'static str,
        default: &'static [&'static str],
        canon: WordsCanon,
    ) -> Row {
        Row::new(name, Kind::List { default, canon })
    }

    pub(crate) const fn unit(mut self, new: Unit) -> Row {
        if let Kind::Number { default, min, max, .. } = self.kind {
            self.kind = Kind::Number { default, min, max, unit: new };
        }
        self
    }

    pub(crate) const fn canon(mut self, new: TextCanon) -> Row {
        if let Kind::Text { default, .. } = self.kind {
            self.kind = Kind::Text { default, canon: new };
        }
        self
    }

    pub(crate) const fn aliases(mut self, aliases: &'static [&'static str]) -> Row {
        self.aliases = aliases;
        self
    }

    pub(crate) const fn foreign(mut self, names: &'static [&'static str]) -> Row {
        self.foreign = names;
        self
    }

    pub(crate) const fn immutable(mut self) -> Row {
        self.mutability = Mutability::Immutable;
        self
    }

    pub(crate) const fn protected(mut self) -> Row {
        self.mutability = Mutability::Protected;
        self
    }

    pub(crate) const fn hidden(mut self) -> Row {
        self.hidden = true;
        self
    }

    pub(crate) const fn sensitive(mut self) -> Row {
        self.sensitive = true;
        self
    }

    pub(crate) const fn not_built(mut self, part: Part) -> Row {
        self.status = Status::NotBuilt(part);
        self
    }

    /// The value when nothing is said.
    pub fn default_value(&self) -> Plain {
        Plain::default_of(&self.kind)
    }

    /// Whether its value is several words (CONFIG SET splits them at spaces).
    pub fn takes_words(&self) -> bool {
        matches!(
            self.kind,
            Kind::List { .. }
                | Kind::OutputLimits
                | Kind::SaveRules
                | Kind::Address
                | Kind::Shutdown
        )
    }
}
