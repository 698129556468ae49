//! Which history of writes a node holds, and whether a replica of some history may continue from it.
//!
//! A history is named by a replication id; `(id, offset)` names its first `offset` bytes. A promoted
//! replica begins a new id and remembers the one it followed as its second, valid up to the offset
//! at which it was promoted, so that its former siblings may continue from it:
//!
//! ```text
//! id A:  0 ......................... 500 | A goes on elsewhere, we do not know how
//! id B:                              500 ............ 900        replid B, replid2 A up to 500
//! ```
//!
//! Off by one: our offsets count bytes, and PSYNC asks for the number of the *next* byte, counted
//! from one. A replica that holds 500 bytes asks for 501. INFO's `second_repl_offset` is such a
//! number too (501 above), as is `repl_backlog_first_byte_offset`.
//!
//! Source: Redis documentation, "Replication"; behaviour observed with 7.0.15.

use crate::encode::integer;
use base::{Offset, RunId};

/// The held part of the command stream, as the log reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The bytes of the stream before the first held one.
    pub first: Offset,
    /// The end of the stream.
    pub end: Offset,
}

/// The ids under which a node's data is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct History {
    /// The id of the history this node writes or follows.
    pub replid: RunId,
    /// The id it had before it was promoted; zeros if there is none.
    pub replid2: RunId,
    /// How many bytes of `replid2`'s history are also ours.
    pub second_offset: Option<Offset>,
}

/// What a replica asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// `PSYNC ? -1`: the replica has nothing to continue from.
    Anything,
    /// The replica holds the bytes of `replid` before `from`.
    Continue {
        /// The history it holds.
        replid: RunId,
        /// The first byte it lacks.
        from: Offset,
    },
}

/// What the replica gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The stream from `from` on; `replid` is the id it bears from now on.
    Continue {
        /// Our present id, which may be newer than the one asked for.
        replid: RunId,
        /// The first byte to be sent.
        from: Offset,
    },
    /// A snapshot, then the stream.
    FullResync(FullReason),
}

/// Why a replica may not continue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FullReason {
    /// It did not ask to.
    #[error("the replica has no history")]
    Asked,
    /// Its history is not ours, or went on after ours had parted from it.
    #[error("the replica holds another history")]
    UnknownHistory,
    /// We no longer hold what it lacks, or it claims more than there is.
    #[error("the backlog does not hold what the replica lacks")]
    OutOfBacklog,
}

impl History {
    /// The history of a node that follows nobody and never did.
    pub const fn new(replid: RunId) -> History {
        History { replid, replid2: RunId::zero(), second_offset: None }
    }

    /// Begins a new history at `at`, where the present one ends for us: at a promotion, and when
    /// our primary goes on under a new id.
    pub fn shift(&mut self, at: Offset, replid: RunId) {
        *self = History { replid, replid2: self.replid, second_offset: Some(at) };
    }

    /// `second_repl_offset` of INFO: the first byte that is not shared with `replid2`, counted from
    /// one; -1 if there is no second id.
    pub fn second_repl_offset(&self) -> i64 {
        self.second_offset
            .map_or(-1, |at| i64::try_from(at.0).unwrap_or(i64::MAX).saturating_add(1))
    }

    /// Decides whether a replica may continue instead of receiving a full snapshot. O(1).
    ///
    /// `window` is what the backlog holds, `None` while there is no backlog.
    pub fn decide(&self, request: Request, window: Option<Window>) -> Decision {
        let Request::Continue { replid, from } = request else {
            return Decision::FullResync(FullReason::Asked);
        };
        let shared = self.second_offset.is_some_and(|at| from <= at) && replid == self.replid2;
        if replid != self.replid && !shared {
            return Decision::FullResync(FullReason::UnknownHistory);
        }
        match window {
            Some(window) if window.first <= from && from <= window.end => {
                Decision::Continue { replid: self.replid, from }
            }
            _ => Decision::FullResync(FullReason::OutOfBacklog),
        }
    }
}

impl Request {
    /// The arguments of PSYNC. An id that is none of ours, whatever its form, is simply unknown; a
    /// number below one names no byte.
    ///
    /// `None` if the offset is not an integer.
    pub fn parse(replid: &[u8], offset: &[u8]) -> Option<Request> {
        let number = integer(offset)?;
        let from = u64::try_from(number).ok().and_then(|number| number.checked_sub(1)).map(Offset);
        Some(match (RunId::parse(&replid.to_ascii_lowercase()), from) {
            (Some(replid), Some(from)) => Request::Continue { replid, from },
            (None, _) if replid == b"?" => Request::Anything,
            // Asked to continue, but by a name that nothing can have.
            (replid, _) => Request::Continue {
                replid: replid.unwrap_or(RunId::zero()),
                from: Offset(u64::MAX),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(digit: u8) -> RunId {
        RunId::parse(&[digit; 40]).unwrap()
    }

    #[test]
    fn decides_as_stock_does() {
        let mut history = History::new(id(b'a'));
        history.shift(Offset(500), id(b'b'));
        assert_eq!(history.second_repl_offset(), 501);
        let window = Some(Window { first: Offset(400), end: Offset(900) });
        let go = |from| Decision::Continue { replid: id(b'b'), from: Offset(from) };
        let full = Decision::FullResync;
        // The numbers are those on the wire: one more than the bytes the replica holds.
        let rows: &[(u8, &str, Option<Window>, Decision)] = &[
            (b'b', "401", window, go(400)),
            (b'b', "400", window, full(FullReason::OutOfBacklog)),
            (b'b', "901", window, go(900)),
            (b'b', "902", window, full(FullReason::OutOfBacklog)),
            (b'b', "901", None, full(FullReason::OutOfBacklog)),
            (b'a', "501", window, go(500)),
            (b'a', "502", window, full(FullReason::UnknownHistory)),
            (b'a', "399", window, full(FullReason::OutOfBacklog)),
            (b'c', "501", window, full(FullReason::UnknownHistory)),
            (b'0', "1", window, full(FullReason::UnknownHistory)),
            (b'b', "0", window, full(FullReason::OutOfBacklog)),
            (b'b', "-5", window, full(FullReason::OutOfBacklog)),
            (b'b', "9223372036854775807", window, full(FullReason::OutOfBacklog)),
        ];
        for (digit, number, window, expected) in rows {
            let request = Request::parse(&[*digit; 40], number.as_bytes()).unwrap();
            assert_eq!(history.decide(request, *window), *expected, "{digit} {number}");
        }
    }

    #[test]
    fn reads_requests() {
        assert_eq!(Request::parse(b"?", b"-1"), Some(Request::Anything));
        assert_eq!(Request::parse(b"?", b"x"), None);
        assert_eq!(Request::parse(&[b'a'; 40], b""), None);
        let upper = Request::parse(&[b'A'; 40], b"1");
        assert_eq!(upper, Some(Request::Continue { replid: id(b'a'), from: Offset(0) }));
        let history = History::new(id(b'a'));
        let window = Some(Window { first: Offset(0), end: Offset(0) });
        for replid in [&b""[..], b"short", &[b'z'; 40], &[b'a'; 41]] {
            let request = Request::parse(replid, b"1").unwrap();
            let decision = history.decide(request, window);
            assert_eq!(decision, Decision::FullResync(FullReason::UnknownHistory));
        }
    }

    #[test]
    fn a_new_history_has_no_second_id() {
        let history = History::new(id(b'a'));
        assert_eq!(history.second_repl_offset(), -1);
        let request = Request::Continue { replid: RunId::zero(), from: Offset(0) };
        let window = Some(Window { first: Offset(0), end: Offset(0) });
        let decision = history.decide(request, window);
        assert_eq!(decision, Decision::FullResync(FullReason::UnknownHistory));
    }
}
