//! Hashes: fields with values, and with times of expiry in the forms of Redis 7.4 and Valkey 9.
//!
//! ```text
//! 24   earliest: i64   count   (expiry, field, value)*     expiry: 0 for none, else a length that is
//!                                                          the time less `earliest` plus 1
//! 22   count   (expiry, field, value)*                     before 7.4 was done: the time itself
//! 25   earliest: i64   listpack of field, value, time      0 for none
//! 23   listpack of field, value, time                      before 7.4 was done
//! 22   count   (field, value, time: i64)*                  in files of Valkey 9; -1 for none
//! ```

use super::{LoadError, LoadedValue, Loader, unix_millis};
use crate::format::{self, value_type};
use base::Millis;
use std::io;
use structures::listpack::{Item, Listpack};

/// What is wrong with an odd number of elements.
const ODD: &str = "a field without a value";

/// A field of a hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashField {
    /// Its name.
    pub field: Vec<u8>,
    /// Its value.
    pub value: Vec<u8>,
    /// When it expires, in Unix time. A time in the past is not acted on here.
    pub expire_at: Option<Millis>,
}

impl<R: io::Read> Loader<R> {
    pub(super) fn hash(&mut self, kind: u8) -> Result<LoadedValue, LoadError> {
        match kind {
            value_type::HASH_ZIPMAP => return self.zipmap().map(LoadedValue::HashPack),
            value_type::HASH_ZIPLIST => {
                return self.ziplist_of_pairs(ODD).map(LoadedValue::HashPack);
            }
            value_type::HASH_LISTPACK => return self.pack_of_pairs(ODD).map(LoadedValue::HashPack),
            _ => {}
        }
        Ok(LoadedValue::Hash(match kind {
            value_type::HASH => self.plain_fields()?,
            value_type::HASH_METADATA_EARLY if self.version >= format::VERSION_VALKEY_MIN => {
                self.timed_fields()?
            }
            value_type::HASH_METADATA_EARLY => self.expiring_fields(None)?,
            value_type::HASH_METADATA => {
                let earliest = u64::from_le_bytes(self.source.array()?);
                self.expiring_fields(Some(earliest))?
            }
            _ => {
                if kind == value_type::HASH_LISTPACK_EX {
                    self.source.array::<8>()?;
                }
                self.tripled()?
            }
        }))
    }

    fn plain_fields(&mut self) -> Result<Vec<HashField>, LoadError> {
        let (count, mut fields) = self.count()?;
        for _ in 0..count {
            let (field, value) = (self.bytes()?, self.bytes()?);
            fields.push(HashField { field, value, expire_at: None });
        }
        Ok(fields)
    }

    /// Fields with times that are relative to `earliest`, or absolute. They are signed, as in all other
    /// forms: no command could set, and no log could tell, a later one.
    fn expiring_fields(&mut self, earliest: Option<u64>) -> Result<Vec<HashField>, LoadError> {
        let (count, mut fields) = self.count()?;
        for _ in 0..count {
            let expire_at = match (self.source.length()?, earliest) {
                (0, _) => None,
                (time, None) => Some(time),
                (past, Some(earliest)) => Some(earliest.saturating_add(past - 1)),
            };
            if expire_at.is_some_and(|at| i64::try_from(at).is_err()) {
                return Err(self.source.malformed("a field that ends beyond all time"));
            }
            let expire_at = expire_at.map(Millis);
            let (field, value) = (self.bytes()?, self.bytes()?);
            fields.push(HashField { field, value, expire_at });
        }
        Ok(fields)
    }

    /// Fields with eight bytes of time behind them.
    fn timed_fields(&mut self) -> Result<Vec<HashField>, LoadError> {
        let (count, mut fields) = self.count()?;
        for _ in 0..count {
            let (field, value) = (self.bytes()?, self.bytes()?);
            let expire_at = unix_millis(i64::from_le_bytes(self.source.array()?));
            fields.push(HashField { field, value, expire_at });
        }
        Ok(fields)
    }

    fn tripled(&mut self) -> Result<Vec<HashField>, LoadError> {
        let bytes = self.pack()?;
        let mut elements = Listpack::of(&bytes).iter().map(Item::to_vec);
        let mut fields = Vec::new();
        while let Some(field) = elements.next() {
            let value = elements.next();
            let time = elements.next().and_then(|time| structures::listpack::integer(&time));
            let time = time.and_then(|time| u64::try_from(time).ok());
            let (Some(value), Some(time)) = (value, time) else {
                return Err(self.source.malformed("a field without a value or a time"));
            };
            let expire_at = (time != 0).then_some(Millis(time));
            fields.push(HashField { field, value, expire_at });
        }
        Ok(fields)
    }
}
