//! Sparse registers: runs of equal ones.
//!
//! ```text
//! ZERO   00llllll            1 to 64 registers of zero (length - 1 is stored)
//! XZERO  01llllll llllllll   1 to 16384 registers of zero
//! VAL    1vvvvvll            1 to 4 registers of 1 to 32 (both - 1 are stored)
//! ```

use super::{HEADER_BYTES, HyperLogLogError, REGISTERS, Sighting};
use std::fmt::Write;

const ZERO_LEN_MAX: usize = 64;
const VAL_RUN_MAX: u8 = 32;
const VAL_LEN_MAX: usize = 4;
/// How many operations are looked at for neighbours to be joined, after a change.
const JOIN_SCAN_MAX: usize = 5;

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Operation {
    /// What the registers hold.
    run: u8,
    /// How many there are.
    len: usize,
    /// The bytes it takes.
    bytes: usize,
}

impl Operation {
    fn at(bytes: &[u8], at: usize) -> Option<Operation> {
        let first = *bytes.get(at)?;
        let low = usize::from(first & 0x3f);
        Some(if first & 0x80 != 0 {
            Operation { run: (first >> 2 & 0x1f) + 1, len: (low & 3) + 1, bytes: 1 }
        } else if first & 0x40 != 0 {
            let second = usize::from(*bytes.get(at + 1)?);
            Operation { run: 0, len: (low << 8 | second) + 1, bytes: 2 }
        } else {
            Operation { run: 0, len: low + 1, bytes: 1 }
        })
    }
}

/// Writes `len` registers of zero.
pub(super) fn push_zeros(out: &mut Vec<u8>, len: usize) {
    let Some(stored) = len.checked_sub(1) else { return };
    let [low, high, ..] = (stored as u64).to_le_bytes();
    if len > ZERO_LEN_MAX {
        out.extend([0x40 | high, low]);
    } else {
        out.push(low);
    }
}

/// Writes `len` registers of `run`.
fn push_runs(out: &mut Vec<u8>, run: u8, len: usize) {
    if run == 0 {
        push_zeros(out, len);
    } else if let Some(stored) = len.checked_sub(1) {
        out.push(0x80 | (run - 1) << 2 | (stored as u64).to_le_bytes()[0]);
    }
}

/// The runs, each with its length, all registers in the end; otherwise an error at last.
pub(super) fn runs(
    registers: &[u8],
) -> impl Iterator<Item = Result<(u8, usize), HyperLogLogError>> {
    let (mut at, mut covered, mut over) = (0, 0, false);
    std::iter::from_fn(move || {
        if over || (at >= registers.len() && covered == REGISTERS) {
            return None;
        }
        let found = Operation::at(registers, at).filter(|found| covered + found.len <= REGISTERS);
        let Some(found) = found else {
            over = true;
            return Some(Err(HyperLogLogError::Corrupted));
        };
        at += found.bytes;
        covered += found.len;
        Some(Ok((found.run, found.len)))
    })
}

/// The operation that covers a register, where it stands and its first register; and where the one
/// before it stands.
struct Place {
    operation: Operation,
    at: usize,
    first: usize,
    before: Option<usize>,
}

fn find(registers: &[u8], register: usize) -> Result<Place, HyperLogLogError> {
    let (mut at, mut first, mut before) = (0, 0, None);
    loop {
        let operation = Operation::at(registers, at).ok_or(HyperLogLogError::Corrupted)?;
        if register < first + operation.len {
            return Ok(Place { operation, at, first, before });
        }
        before = Some(at);
        at += operation.bytes;
        first += operation.len;
    }
}

/// One register.
pub(super) fn get(registers: &[u8], register: usize) -> Result<u8, HyperLogLogError> {
    find(registers, register).map(|place| place.operation.run)
}

/// What came of raising a register.
pub(super) enum Raised {
    /// It is as high; true if it was not before.
    Done(bool),
    /// It cannot be, in this form.
    DoesNotFit,
}

/// Raises a register of `bytes`, a whole `HyperLogLog`, to what was seen.
pub(super) fn raise(
    bytes: &mut Vec<u8>,
    seen: Sighting,
    bytes_max: usize,
) -> Result<Raised, HyperLogLogError> {
    if seen.run > VAL_RUN_MAX {
        return Ok(Raised::DoesNotFit);
    }
    let registers = bytes.get(HEADER_BYTES..).unwrap_or_default();
    let Place { operation, at, first, before } = find(registers, seen.register)?;
    if operation.run >= seen.run {
        return Ok(Raised::Done(false));
    }
    let mut fresh = Vec::with_capacity(5);
    push_runs(&mut fresh, operation.run, seen.register - first);
    push_runs(&mut fresh, seen.run, 1);
    push_runs(&mut fresh, operation.run, first + operation.len - 1 - seen.register);
    let grows = fresh.len() > operation.bytes;
    if grows && bytes.len() + fresh.len() - operation.bytes > bytes_max {
        return Ok(Raised::DoesNotFit);
    }
    let start = HEADER_BYTES + at;
    bytes.splice(start..start + operation.bytes, fresh);
    join(bytes, HEADER_BYTES + before.unwrap_or(0));
    Ok(Raised::Done(true))
}

/// Joins neighbours of one value, as far as one operation holds them, from the operation at `at` on.
fn join(bytes: &mut Vec<u8>, mut at: usize) {
    for _ in 0..JOIN_SCAN_MAX {
        let Some(this) = Operation::at(bytes, at) else { return };
        let next = Operation::at(bytes, at + this.bytes).filter(|next| {
            this.run > 0 && next.run == this.run && this.len + next.len <= VAL_LEN_MAX
        });
        if let Some(next) = next {
            let mut joined = Vec::with_capacity(1);
            push_runs(&mut joined, this.run, this.len + next.len);
            bytes.splice(at..at + 2, joined);
        } else {
            at += this.bytes;
        }
    }
}

/// The operations as text: `z:` and `Z:` with a length, `v:` with value and length.
pub(super) fn decoded(registers: &[u8]) -> String {
    let (mut at, mut out) = (0, String::new());
    while let Some(found) = Operation::at(registers, at) {
        let _ = match (found.run, found.bytes) {
            (0, 1) => write!(out, "z:{} ", found.len),
            (0, _) => write!(out, "Z:{} ", found.len),
            (run, _) => write!(out, "v:{run},{} ", found.len),
        };
        at += found.bytes;
    }
    out.truncate(out.trim_end().len());
    out
}
