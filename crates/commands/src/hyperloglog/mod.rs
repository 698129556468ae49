//! `HyperLogLog`: strings that estimate how many different elements were added.

mod pfadd;
mod pfcount;
mod pfdebug;
mod pfmerge;

use engine::keys::Text;
use engine::{Command, CommandError, CommandResult, Context};
use std::ops::Range;
use values::hyperloglog::{HyperLogLogError, encoding};

/// The group's commands.
pub const COMMANDS: &[&Command] =
    &[&pfadd::PFADD, &pfcount::PFCOUNT, &pfdebug::PFDEBUG, &pfmerge::PFMERGE, &pfdebug::PFSELFTEST];

/// Adding an element may change registers anywhere.
const ANYWHERE: Range<usize> = 0..usize::MAX;

fn refused(error: HyperLogLogError) -> CommandError {
    CommandError::text(error.to_string())
}

/// The bytes of a string whose header is a `HyperLogLog`'s.
///
/// # Errors
/// If the header is of something else.
fn checked<'a>(text: &Text<'a>) -> Result<&'a [u8], CommandError> {
    let bytes = match text {
        Text::Bytes(bytes) => *bytes,
        Text::Int(_) => b"",
    };
    encoding(bytes).map_err(refused)?;
    Ok(bytes)
}

/// Puts changed bytes at `key`, which keeps its expiry, as a string that is changed in place.
fn store(cx: &mut Context<'_>, key: &[u8], bytes: Vec<u8>) -> CommandResult {
    *cx.keys.write_string(key)?.at_least(0, ANYWHERE)? = bytes;
    Ok(())
}
