//! Streams: blocks of entries, counters, groups with what is pending, consumers.
//!
//! ```text
//! blocks   (id as 16 bytes big-endian in a string, listpack)*
//! len  last_ms last_seq
//! from type 19 on   first_ms first_seq  deleted_ms deleted_seq  entries_added
//! groups   (name  last_ms last_seq  [from type 19 on: entries_read]
//!           pending    (id: 16 bytes  delivered: i64  deliveries)*
//!           consumers  (name  seen: i64  [from type 21 on: active: i64]  pending (id: 16 bytes)*)*)*
//! ```
//!
//! Numbers without a type are lengths; each list begins with its count.

use super::{LoadError, LoadedValue, Loader};
use crate::format::value_type;
use crate::stream::{StreamConsumer, StreamGroup, StreamId, StreamImage, StreamPending};
use base::Millis;
use std::io;
use structures::listpack::Listpack;

/// What stands for "not known" where entries read are counted.
const ENTRIES_READ_UNKNOWN: u64 = u64::MAX;

impl<R: io::Read> Loader<R> {
    pub(super) fn stream(&mut self, kind: u8) -> Result<LoadedValue, LoadError> {
        let (count, mut blocks) = self.count()?;
        for _ in 0..count {
            blocks.push(self.block()?);
        }
        let len = self.source.length()?;
        let mut stream = StreamImage {
            blocks,
            len,
            last_id: self.id_lengths()?,
            entries_added: len,
            is_counted: kind >= value_type::STREAM_2,
            ..StreamImage::default()
        };
        if stream.is_counted {
            stream.first_id = self.id_lengths()?;
            stream.max_deleted_id = self.id_lengths()?;
            stream.entries_added = self.source.length()?;
        }
        let (count, mut groups) = self.count()?;
        for _ in 0..count {
            groups.push(self.group(kind)?);
        }
        stream.groups = groups;
        Ok(LoadedValue::Stream(Box::new(stream)))
    }

    fn block(&mut self) -> Result<(StreamId, Vec<u8>), LoadError> {
        let (id, pack) = (self.bytes()?, self.bytes()?);
        let id = id.first_chunk().filter(|_| id.len() == 16).copied().map(id_of);
        let id = id.ok_or_else(|| self.source.malformed("a stream block without an id"))?;
        if Listpack::validate(&pack).is_none_or(Listpack::is_empty) {
            return Err(self.source.malformed("stream block integrity check failed"));
        }
        Ok((id, pack))
    }

    fn group(&mut self, kind: u8) -> Result<StreamGroup, LoadError> {
        let (name, last_id) = (self.bytes()?, self.id_lengths()?);
        let entries_read = match kind {
            value_type::STREAM => None,
            _ => Some(self.source.length()?).filter(|&read| read != ENTRIES_READ_UNKNOWN),
        };
        let (count, mut pending) = self.count()?;
        for _ in 0..count {
            pending.push(StreamPending {
                id: id_of(self.source.array()?),
                delivered_at: self.time()?,
                deliveries: self.source.length()?,
            });
        }
        let (count, mut consumers) = self.count()?;
        for _ in 0..count {
            consumers.push(self.consumer(kind)?);
        }
        Ok(StreamGroup { name, last_id, entries_read, pending, consumers })
    }

    fn consumer(&mut self, kind: u8) -> Result<StreamConsumer, LoadError> {
        let (name, seen_at) = (self.bytes()?, self.time()?);
        let active_at = match kind {
            // Older servers had one time for both.
            value_type::STREAM | value_type::STREAM_2 => Some(seen_at),
            _ => super::unix_millis(i64::from_le_bytes(self.source.array()?)),
        };
        let (count, mut pending) = self.count()?;
        for _ in 0..count {
            pending.push(id_of(self.source.array()?));
        }
        Ok(StreamConsumer { name, seen_at, active_at, pending })
    }

    fn id_lengths(&mut self) -> Result<StreamId, LoadError> {
        Ok((self.source.length()?, self.source.length()?))
    }

    fn time(&mut self) -> Result<Millis, LoadError> {
        let time = i64::from_le_bytes(self.source.array()?);
        Ok(Millis(u64::try_from(time).unwrap_or(0)))
    }
}

/// The id in 16 bytes.
fn id_of(bytes: [u8; 16]) -> StreamId {
    let both = u128::from_be_bytes(bytes);
    (
        u64::try_from(both >> 64).unwrap_or(0),
        u64::try_from(both & u128::from(u64::MAX)).unwrap_or(0),
    )
}
