//! What the types with elements share: packs inside strings, counts, and sets.

use super::{LoadError, LoadedValue, Loader};
use crate::format::value_type;
use std::io;
use structures::intset::Intset;
use structures::listpack::{Item, Listpack, ListpackBuf};

/// A set of more members than this, or of more bytes than the other, is not put into a listpack here.
const PACKED_ELEMENTS_MAX: u64 = 128;
/// See above.
const PACKED_BYTES_MAX: usize = 16 << 10;

/// Bytes of a usual element of a listpack.
const ELEMENT_BYTES: usize = 12;

/// Elements that room is made for on a promise.
const PROMISED_ELEMENTS_MAX: u64 = 1024;

impl<R: io::Read> Loader<R> {
    /// A count of elements, and room for so many of them as are believed before they are read.
    pub(super) fn count<T>(&mut self) -> Result<(u64, Vec<T>), LoadError> {
        let count = self.source.length()?;
        let room = usize::try_from(count.min(PROMISED_ELEMENTS_MAX)).unwrap_or(0);
        Ok((count, Vec::with_capacity(room)))
    }

    /// A count and as many strings.
    pub(super) fn strings(&mut self) -> Result<Vec<Vec<u8>>, LoadError> {
        let (count, mut strings) = self.count()?;
        for _ in 0..count {
            strings.push(self.bytes()?);
        }
        Ok(strings)
    }

    /// A sound listpack in a string.
    pub(super) fn pack(&mut self) -> Result<Vec<u8>, LoadError> {
        let bytes = self.bytes()?;
        match Listpack::validate(&bytes) {
            Some(_) => Ok(bytes),
            None => Err(self.source.malformed("listpack integrity check failed")),
        }
    }

    /// A sound listpack of an even number of elements in a string.
    pub(super) fn pack_of_pairs(&mut self, odd: &'static str) -> Result<Vec<u8>, LoadError> {
        let bytes = self.pack()?;
        if Listpack::of(&bytes).len().is_multiple_of(2) {
            Ok(bytes)
        } else {
            Err(self.source.malformed(odd))
        }
    }

    /// A set element by element: as a listpack while it is small.
    fn members(&mut self) -> Result<LoadedValue, LoadError> {
        let count = self.source.length()?;
        let about = usize::try_from(count.min(PACKED_ELEMENTS_MAX)).unwrap_or(0) * ELEMENT_BYTES;
        let (mut pack, mut packed) = (ListpackBuf::with_capacity(about), 0);
        while packed < count && count <= PACKED_ELEMENTS_MAX {
            if pack.as_bytes().len() > PACKED_BYTES_MAX {
                break;
            }
            self.string_into(&mut pack)?;
            packed += 1;
        }
        if packed == count {
            return Ok(LoadedValue::SetPack(pack.into_bytes()));
        }
        let mut members: Vec<_> = pack.view().iter().map(Item::to_vec).collect();
        for _ in packed..count {
            members.push(self.bytes()?);
        }
        Ok(LoadedValue::Set(members))
    }

    pub(super) fn set(&mut self, kind: u8) -> Result<LoadedValue, LoadError> {
        Ok(match kind {
            value_type::SET => self.members()?,
            value_type::SET_LISTPACK => LoadedValue::SetPack(self.pack()?),
            _ => {
                let bytes = self.bytes()?;
                if Intset::validate(&bytes).is_none() {
                    return Err(self.source.malformed("intset integrity check failed"));
                }
                LoadedValue::Intset(bytes)
            }
        })
    }
}
