//! Sorted sets: scores in decimal, as doubles, or both halves in one pack.

use super::{LoadError, LoadedValue, Loader};
use crate::format::value_type;
use std::io;

/// Lengths that stand for scores which have no digits.
const NAN: u8 = 253;
const INFINITY: u8 = 254;
const NEGATIVE_INFINITY: u8 = 255;

/// What is wrong with an odd number of elements.
const ODD: &str = "a member without a score";

impl<R: io::Read> Loader<R> {
    pub(super) fn sorted_set(&mut self, kind: u8) -> Result<LoadedValue, LoadError> {
        match kind {
            value_type::ZSET_ZIPLIST => {
                return self.ziplist_of_pairs(ODD).map(LoadedValue::SortedSetPack);
            }
            value_type::ZSET_LISTPACK => {
                return self.pack_of_pairs(ODD).map(LoadedValue::SortedSetPack);
            }
            _ => {}
        }
        let (count, mut members) = self.count()?;
        for _ in 0..count {
            let member = self.bytes()?;
            let score = if kind == value_type::ZSET_2 {
                Some(f64::from_le_bytes(self.source.array()?))
            } else {
                self.decimal()?
            };
            members.push((member, self.checked_score(score)?));
        }
        Ok(LoadedValue::SortedSet(members))
    }

    fn decimal(&mut self) -> Result<Option<f64>, LoadError> {
        Ok(match self.source.byte()? {
            NAN => None,
            INFINITY => Some(f64::INFINITY),
            NEGATIVE_INFINITY => Some(f64::NEG_INFINITY),
            len => parsed(&self.source.bytes(usize::from(len))?),
        })
    }

    fn checked_score(&self, score: Option<f64>) -> Result<f64, LoadError> {
        let number = score.filter(|score| !score.is_nan());
        number.ok_or_else(|| self.source.malformed("a score that is no number"))
    }
}

fn parsed(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}
