//! What the types with elements share: packs inside strings, counts, and sets.

use super::{LoadError, LoadedValue, Loader};
use crate::format::value_type;
use std::io;
use structures::intset::Intset;
use structures::listpack::{self, Listpack};

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

    /// The elements of a listpack in a string.
    pub(super) fn listpack(&mut self) -> Result<Vec<Vec<u8>>, LoadError> {
        let bytes = self.bytes()?;
        let pack = Listpack::validate(&bytes);
        let pack = pack.ok_or_else(|| self.source.malformed("a damaged listpack"))?;
        Ok(pack.iter().map(listpack::Item::to_vec).collect())
    }

    pub(super) fn set(&mut self, kind: u8) -> Result<LoadedValue, LoadError> {
        Ok(LoadedValue::Set(match kind {
            value_type::SET => self.strings()?,
            value_type::SET_LISTPACK => self.listpack()?,
            _ => {
                let bytes = self.bytes()?;
                let set = Intset::validate(&bytes);
                let set = set.ok_or_else(|| self.source.malformed("a damaged intset"))?;
                set.iter().map(|value| listpack::Item::Int(value).to_vec()).collect()
            }
        }))
    }
}

/// `elements` in pairs; `None` if one is left over.
pub(super) fn pairs(elements: Vec<Vec<u8>>) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut pairs = Vec::with_capacity(elements.len() / 2);
    let mut elements = elements.into_iter();
    while let Some(first) = elements.next() {
        pairs.push((first, elements.next()?));
    }
    Some(pairs)
}
