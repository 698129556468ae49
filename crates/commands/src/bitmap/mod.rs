//! Bitmaps: strings as arrays of bits and of small integers.

mod bit;
mod bitcount;
mod bitfield;
mod bitop;
mod bitpos;
mod offset;

use engine::Command;

/// The group's commands.
pub const COMMANDS: &[&Command] = &[
    &bitcount::BITCOUNT,
    &bitfield::BITFIELD,
    &bitfield::BITFIELD_RO,
    &bitop::BITOP,
    &bitpos::BITPOS,
    &bit::GETBIT,
    &bit::SETBIT,
];
