//! What DUMP gives and RESTORE takes: one value, then who wrote it and a checksum.
//!
//! ```text
//! type: u8   value   version: u16 little-endian   CRC-64 of all before: u64 little-endian
//! ```
//!
//! FUNCTION DUMP's has the records of function libraries in place of type and value.

use crate::checksum::Checksum;
use crate::format;
use crate::load::{Item, LoadedValue, Loader, RawKeys};
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
    let (body, version) = opened(payload, verify)?;
    let mut loader = Loader::of_value(body, body.len(), version).keep_modules(keep_modules);
    loader.typed_value().map_err(|_| RestoreError::BadData)
}

/// The codes of the function libraries in `payload`, which is one of FUNCTION DUMP.
///
/// # Errors
/// [`RestoreError`].
pub fn libraries(payload: &[u8]) -> Result<Vec<Vec<u8>>, RestoreError> {
    let (body, version) = opened(payload, true)?;
    let mut loader = RawKeys::of_payload(body.to_vec(), version).into_loader();
    let mut codes = Vec::new();
    while let Some(item) = loader.next_item().map_err(|_| RestoreError::BadData)? {
        match item {
            Item::Function(code) => codes.push(code),
            _ => return Err(RestoreError::BadData),
        }
    }
    Ok(codes)
}

/// What `payload` holds in front of its footer, and the version that wrote it.
fn opened(payload: &[u8], verify: bool) -> Result<(&[u8], u16), RestoreError> {
    let at = payload.len().checked_sub(FOOTER_LEN).ok_or(RestoreError::VersionOrChecksum)?;
    let (body, footer) = payload.split_at_checked(at).ok_or(RestoreError::VersionOrChecksum)?;
    let (version, sum) = footer.split_first_chunk().ok_or(RestoreError::VersionOrChecksum)?;
    let version = u16::from_le_bytes(*version);
    let summed = payload.get(..at + 2).map(checksum);
    let sum = sum.first_chunk().map(|&sum| u64::from_le_bytes(sum));
    if !format::is_known(version) || (verify && summed != sum) {
        return Err(RestoreError::VersionOrChecksum);
    }
    Ok((body, version))
}

fn checksum(bytes: &[u8]) -> u64 {
    let mut sum = Checksum::new();
    sum.update(bytes);
    sum.value()
}
