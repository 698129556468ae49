//! The trace of a run: every event as a line, hashed always and written out if somebody listens.
//!
//! Two runs of one seed are the same run exactly if their hashes are equal, so that the hash is the
//! test of determinism. The hash is FNV-1a over the lines, 64 bits.

use base::Millis;
use std::fmt::{self, Write as _};
use std::io::Write;

/// FNV-1a's start.
const HASH_START: u64 = 0xcbf2_9ce4_8422_2325;
/// FNV-1a's prime.
const HASH_PRIME: u64 = 0x0100_0000_01b3;

/// Adds `bytes` to an FNV-1a hash.
pub(crate) fn hash_bytes(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(HASH_PRIME))
}

/// The trace of one run.
pub struct Trace {
    hash: u64,
    lines: u64,
    line: String,
    sink: Option<Box<dyn Write>>,
}

impl Trace {
    /// A trace that is hashed, and written to `sink` if there is one.
    pub fn new(sink: Option<Box<dyn Write>>) -> Trace {
        Trace { hash: HASH_START, lines: 0, line: String::new(), sink }
    }

    /// Adds a line.
    pub(crate) fn note(&mut self, now: Millis, what: fmt::Arguments<'_>) {
        self.line.clear();
        // Writing to a string cannot fail.
        let _ = writeln!(self.line, "{now} {what}");
        self.hash = hash_bytes(self.hash, self.line.as_bytes());
        self.lines += 1;
        if let Some(sink) = &mut self.sink {
            // A trace that cannot be written is of no use to anybody; the run goes on.
            let _ = sink.write_all(self.line.as_bytes());
        }
    }

    /// The hash of all lines so far.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// How many lines there were.
    pub fn lines(&self) -> u64 {
        self.lines
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace")
            .field("hash", &self.hash)
            .field("lines", &self.lines)
            .finish_non_exhaustive()
    }
}

/// The hash of nothing, where a node's digest begins.
pub(crate) const EMPTY_DIGEST: u64 = HASH_START;
