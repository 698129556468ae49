//! What DUMP gives and RESTORE takes: one value, then who wrote it and a checksum.
//!
//! ```text
//! type: u8   value   version: u16 little-endian   CRC-64 of all before: u64 little-endian
//! ```

use crate::checksum::Checksum;
use crate::format;
use crate::load::{LoadedValue, Loader};
use crate::save::{Encoder, SavedValue};

/// The bytes of version and checksum.
const FOOTER_LEN: usize = 10;

/// The bytes of a payload beside the value's.
pub const FRAME_LEN: usize = FOOTER_LEN + 1;

/// Why a payload is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// It is of a newer version, or not what was written.
    #[error("DUMP payload version or checksum are wrong")]
    VersionOrChecksum,
    /// Its value cannot be read.
    #[error("Bad data format")]
    BadData,
}

/// The payload of `value`.
pub fn dump(encoder: &mut Encoder, value: SavedValue<'_>) -> Vec<u8> {
    let mut out = vec![value.kind()];
    encoder.push_value(&mut out, value);
    out.extend_from_slice(&format::VERSION_WRITTEN.to_le_bytes());
    let sum = checksum(&out);
    out.extend_from_slice(&sum.to_le_bytes());
    out
}

/// The value in `payload`; with `verify` false its checksum is not compared, with `keep_modules` it may
/// be that of a module.
///
/// # Errors
/// [`RestoreError`].
pub fn restore(
    payload: &[u8],
    verify: bool,
    keep_modules: bool,
) -> Result<LoadedValue, RestoreError> {
    let at = payload.len().checked_sub(FOOTER_LEN).ok_or(RestoreError::VersionOrChecksum)?;
    let (body, footer) = payload.split_at_checked(at).ok_or(RestoreError::VersionOrChecksum)?;
    let (version, sum) = footer.split_first_chunk().ok_or(RestoreError::VersionOrChecksum)?;
    let version = u16::from_le_bytes(*version);
    let summed = payload.get(..at + 2).map(checksum);
    let sum = sum.first_chunk().map(|&sum| u64::from_le_bytes(sum));
    if !format::is_known(version) || (verify && summed != sum) {
        return Err(RestoreError::VersionOrChecksum);
    }
    let mut loader = Loader::of_value(body, body.len(), version).keep_modules(keep_modules);
    loader.typed_value().map_err(|_| RestoreError::BadData)
}

fn checksum(bytes: &[u8]) -> u64 {
    let mut sum = Checksum::new();
    sum.update(bytes);
    sum.value()
}
