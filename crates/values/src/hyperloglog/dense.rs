//! Dense registers: six bits each, the first in the lowest bits of the first byte.

use super::{REGISTERS, Sighting};

const BITS: usize = 6;
const MASK: u16 = (1 << BITS) - 1;

/// The bytes of all registers.
pub(super) const BYTES: usize = REGISTERS * BITS / 8;

/// The two bytes that register `at` lies in, and how far up.
fn window(registers: &[u8], at: usize) -> (u16, usize) {
    let (byte, shift) = (at * BITS / 8, at * BITS % 8);
    let of = |at: usize| u16::from(registers.get(at).copied().unwrap_or(0));
    (of(byte) | of(byte + 1) << 8, shift)
}

/// Register `at`.
pub(super) fn get(registers: &[u8], at: usize) -> u8 {
    let (window, shift) = window(registers, at);
    (window >> shift & MASK).to_le_bytes()[0]
}

/// Raises a register to what was seen; false if it was as high.
pub(super) fn raise(registers: &mut [u8], seen: Sighting) -> bool {
    let (at, run) = (seen.register, seen.run);
    if get(registers, at) >= run {
        return false;
    }
    let (window, shift) = window(registers, at);
    let window = window & !(MASK << shift) | u16::from(run) << shift;
    for (byte, new) in registers.iter_mut().skip(at * BITS / 8).zip(window.to_le_bytes()) {
        *byte = new;
    }
    true
}

/// All registers, from the first on.
pub(super) fn runs(registers: &[u8]) -> impl Iterator<Item = u8> {
    let (groups, _) = registers.as_chunks::<3>();
    groups
        .iter()
        .flat_map(|&[a, b, c]| [a & 63, a >> 6 | (b & 15) << 2, b >> 4 | (c & 3) << 4, c >> 2])
}
