//! The fields about a snapshot that a server acts on, collected from its items.
//!
//! Unknown fields are ignored, and so is a known one whose value makes no sense: a snapshot with a
//! strange field is still a snapshot. The history is taken only if both its name and its position
//! are there, as half of it would let a replica go on from a wrong place.

use super::{Item, Loader};
use crate::save::Replication;
use base::{Millis, Offset, RunId};
use std::io;
use values::string::parse_i64;

/// What the fields read so far say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    /// The version of the writer.
    pub redis_version: Option<String>,
    /// Unix time of the cut.
    pub created: Option<Millis>,
    /// Bytes of memory that the writer used.
    pub used_memory: Option<u64>,
    /// Whether the snapshot is the beginning of an append-only file.
    pub aof_base: bool,
    stream_db: u32,
    id: Option<RunId>,
    offset: Option<Offset>,
}

impl Fields {
    /// Takes note of one [`Item::Aux`](super::Item::Aux).
    pub fn note(&mut self, key: &[u8], value: &[u8]) {
        let number = || parse_i64(value).and_then(|number| u64::try_from(number).ok());
        match key {
            b"redis-ver" => self.redis_version = String::from_utf8(value.to_vec()).ok(),
            b"ctime" => self.created = number().map(|seconds| Millis(seconds.saturating_mul(1000))),
            b"used-mem" => self.used_memory = number(),
            // Until 7.0 the field had another name.
            b"aof-base" | b"aof-preamble" => self.aof_base = number() == Some(1),
            b"repl-stream-db" => {
                self.stream_db = number().and_then(|db| u32::try_from(db).ok()).unwrap_or(0);
            }
            b"repl-id" => self.id = RunId::parse(value),
            b"repl-offset" => self.offset = number().map(Offset),
            _ => {}
        }
    }

    /// Reads what a snapshot says of itself, and whether it has keys. One that cannot be read so far
    /// says less; whoever loads it is told why. O(fields).
    pub fn of_head(input: impl io::Read) -> (Fields, bool) {
        let mut loader = Loader::new(input).verify_checksum(false);
        let mut fields = Fields::default();
        while let Ok(Some(item)) = loader.next_item() {
            match item {
                Item::Aux { key, value } => fields.note(&key, &value),
                Item::Key(_) => return (fields, true),
                _ => {}
            }
        }
        (fields, false)
    }

    /// Where the stream goes on, if the writer said.
    pub fn replication(&self) -> Option<Replication> {
        Some(Replication { stream_db: self.stream_db, id: self.id?, offset: self.offset? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Info, Item, Loader, Options, Writer};

    fn read(bytes: &[u8]) -> Fields {
        let mut loader = Loader::new(bytes);
        let mut fields = Fields::default();
        while let Some(item) = loader.next_item().unwrap() {
            if let Item::Aux { key, value } = item {
                fields.note(&key, &value);
            }
        }
        fields
    }

    #[test]
    fn what_was_written_is_noted() {
        let id = RunId::parse(b"02b6f7b5f112b171221ca6c8d00164c18d5949db").unwrap();
        for offset in [0, 123_456, i64::MAX.unsigned_abs()] {
            let replication = Some(Replication { stream_db: 3, id, offset: Offset(offset) });
            let mut writer = Writer::begin(Vec::new(), Options::default()).unwrap();
            let info = Info {
                redis_version: "7.2.4",
                created: Millis(1_795_376_515_000),
                used_memory: u64::from(u32::MAX),
                replication,
                aof_base: true,
            };
            writer.info(&info).unwrap();
            let fields = read(&writer.finish().unwrap());
            assert_eq!(fields.redis_version.as_deref(), Some("7.2.4"));
            assert_eq!(fields.created, Some(info.created));
            assert_eq!(fields.used_memory, Some(info.used_memory));
            assert!(fields.aof_base);
            assert_eq!(fields.replication(), replication);
        }
    }

    #[test]
    fn half_a_history_is_none() {
        let rows: [&[(&str, &str)]; 4] = [
            &[("repl-id", "02b6f7b5f112b171221ca6c8d00164c18d5949db")],
            &[("repl-offset", "5")],
            &[("repl-id", "short"), ("repl-offset", "5")],
            &[("repl-id", "02b6f7b5f112b171221ca6c8d00164c18d5949db"), ("repl-offset", "-1")],
        ];
        for row in rows {
            let mut fields = Fields::default();
            for (key, value) in row {
                fields.note(key.as_bytes(), value.as_bytes());
            }
            assert_eq!(fields.replication(), None, "{row:?}");
        }
    }
}
