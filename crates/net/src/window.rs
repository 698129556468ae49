//! The window: requests of all ready connections, parsed and prefetched together, run in order.

use engine::args::Request;
use engine::pipeline::Prepared;
use resp::request::Arguments;

/// Requests in one window.
pub(crate) const WINDOW_MAX: usize = 128;
/// Words for which room is kept; what a larger window took is given back.
const RANGES_KEPT_MAX: usize = 16 * 1024;
/// Bytes of typed lines for which room is kept.
const INLINE_BYTES_KEPT_MAX: usize = 64 * 1024;

/// One request of a window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending {
    /// The connection.
    pub(crate) slot: usize,
    /// Its ranges in the window.
    ranges: (usize, usize),
    /// Where its bytes begin: in the connection's input, or in the window's own bytes.
    base: usize,
    /// The bytes are the window's (a typed line).
    is_inline: bool,
    /// Where the next request begins in the connection's input.
    pub(crate) end: usize,
    /// What it names.
    pub(crate) prepared: Prepared,
}

/// Parsed requests.
#[derive(Debug, Default)]
pub(crate) struct Window {
    pub(crate) pending: Vec<Pending>,
    ranges: Vec<(u32, u32)>,
    inline_bytes: Vec<u8>,
}

impl Window {
    pub(crate) fn clear(&mut self) {
        self.pending.clear();
        self.ranges.clear();
        self.ranges.shrink_to(RANGES_KEPT_MAX);
        self.inline_bytes.clear();
        self.inline_bytes.shrink_to(INLINE_BYTES_KEPT_MAX);
    }

    /// Whether a request of that connection is among them.
    pub(crate) fn holds(&self, slot: usize) -> bool {
        self.pending.iter().any(|pending| pending.slot == slot)
    }

    /// What stands behind the last request of that connection, up to `end`, goes with it.
    pub(crate) fn extend_last(&mut self, slot: usize, end: usize) {
        if let Some(last) = self.pending.iter_mut().rev().find(|pending| pending.slot == slot) {
            last.end = end;
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.pending.len() >= WINDOW_MAX
    }

    /// Takes in the request that `arguments` describe; it began at `start` of `input`.
    pub(crate) fn push(
        &mut self,
        slot: usize,
        arguments: &Arguments,
        input: &[u8],
        start: usize,
        end: usize,
        prepare: impl FnOnce(Request<'_>) -> Prepared,
    ) {
        let first = self.ranges.len();
        let narrow = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        self.ranges.extend(arguments.ranges().iter().map(|r| (narrow(r.start), narrow(r.end))));
        let is_inline = arguments.is_inline();
        let base = if is_inline {
            let base = self.inline_bytes.len();
            self.inline_bytes.extend_from_slice(arguments.bytes(&[]));
            base
        } else {
            start
        };
        let bytes = if is_inline { &self.inline_bytes[base..] } else { &input[start..] };
        let prepared = prepare(Request { bytes, ranges: &self.ranges[first..] });
        let ranges = (first, self.ranges.len());
        self.pending.push(Pending { slot, ranges, base, is_inline, end, prepared });
    }

    /// The words of `pending`, whose connection has read `input`.
    pub(crate) fn request<'a>(&'a self, pending: &Pending, input: &'a [u8]) -> Request<'a> {
        let bytes = if pending.is_inline { &self.inline_bytes } else { input };
        Request {
            bytes: bytes.get(pending.base..).unwrap_or_default(),
            ranges: &self.ranges[pending.ranges.0..pending.ranges.1],
        }
    }
}
