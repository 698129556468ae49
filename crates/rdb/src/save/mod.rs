//! Writing a snapshot: header, fields, dbs, records, end.
//!
//! The work is split so that it can be spread over threads. An [`Encoder`] turns a key and its value
//! into the bytes of a record, appended to any `Vec`; the one [`Writer`] only copies records out and
//! sums them up. The version written is the oldest that can hold the data.

pub mod collection;
mod fragments;
mod stream;
pub mod string;

use crate::checksum::Checksum;
use crate::format::{self, Attributes, length, opcode};
use base::{Millis, Offset, RunId};
use std::io;
use structures::lzf::Compressor;

pub use collection::{ListNode, SavedField, SavedValue};
pub use string::StringRef;

/// How a snapshot is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// The version in the header; what is written must have existed in it.
    pub version: u16,
    /// Pack strings of more than 20 bytes where that makes them shorter (`rdbcompression`).
    pub compression: bool,
    /// End with a checksum instead of zeros (`rdbchecksum`).
    pub checksum: bool,
    /// Sync a file while it is written, so that the end has little left to wait for
    /// (`rdb-save-incremental-fsync`).
    pub incremental_sync: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            version: format::VERSION_WRITTEN,
            compression: true,
            checksum: true,
            incremental_sync: false,
        }
    }
}

/// Where in the history of the replicated stream a snapshot was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replication {
    /// The db that the stream has selected.
    pub stream_db: u32,
    /// The name of the history.
    pub id: RunId,
    /// The first byte of the stream that is not in the snapshot.
    pub offset: Offset,
}

/// The fields about the snapshot itself that stock writes and reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Info<'a> {
    /// A version that clients of stock understand, such as `7.2.4`.
    pub redis_version: &'a str,
    /// Unix time of the cut.
    pub created: Millis,
    /// Bytes of memory in use.
    pub used_memory: u64,
    /// Where the stream goes on, if the server has one.
    pub replication: Option<Replication>,
    /// Whether the snapshot is the beginning of an append-only file.
    pub aof_base: bool,
}

/// Makes records. One per thread; it keeps the compressor's memory.
#[derive(Debug, Default)]
pub struct Encoder {
    compressor: Option<Compressor>,
}

impl Encoder {
    /// An encoder that packs long strings if `compression` says so.
    pub fn new(compression: bool) -> Encoder {
        Encoder { compressor: compression.then(Compressor::new) }
    }

    /// Appends everything that comes before the value: attributes, type and key.
    fn begin_key(&mut self, out: &mut Vec<u8>, kind: u8, key: &[u8], attributes: &Attributes) {
        if let Some(Millis(at)) = attributes.expire_at {
            out.push(opcode::EXPIRE_MS);
            out.extend_from_slice(&i64::try_from(at).unwrap_or(i64::MAX).to_le_bytes());
        }
        if let Some(seconds) = attributes.lru_idle_s {
            out.push(opcode::IDLE);
            push_length(out, seconds);
        }
        if let Some(frequency) = attributes.lfu_frequency {
            out.extend_from_slice(&[opcode::FREQUENCY, frequency]);
        }
        out.push(kind);
        self.push_bytes(out, key);
    }
}

/// Appends a length in the fewest bytes.
pub(crate) fn push_length(out: &mut Vec<u8>, len: u64) {
    if let Ok(short @ 0..0x40) = u8::try_from(len) {
        out.push(short);
    } else if let Ok(medium @ 0..0x4000) = u16::try_from(len) {
        let [high, low] = medium.to_be_bytes();
        out.extend_from_slice(&[length::BITS_14 | high, low]);
    } else if let Ok(long) = u32::try_from(len) {
        out.push(length::BITS_32);
        out.extend_from_slice(&long.to_be_bytes());
    } else {
        out.push(length::BITS_64);
        out.extend_from_slice(&len.to_be_bytes());
    }
}

/// Puts a snapshot together. Ends with [`Writer::finish`]; dropped before, it leaves a beginning that
/// no loader accepts.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    encoder: Encoder,
    record: Vec<u8>,
    checksum: Option<Checksum>,
    written: u64,
}

impl<W: io::Write> Writer<W> {
    /// Writes the header. Give a buffered `out`: small things are written one by one.
    ///
    /// # Errors
    /// Those of `out`, here and below.
    pub fn begin(out: W, options: Options) -> io::Result<Writer<W>> {
        let mut writer = Writer {
            out,
            encoder: Encoder::new(options.compression),
            record: Vec::new(),
            checksum: options.checksum.then(Checksum::new),
            written: 0,
        };
        if options.version < format::VERSION_VALKEY_MIN {
            writer.records(format!("REDIS{:04}", options.version).as_bytes())?;
        } else {
            writer.records(format!("VALKEY{:03}", options.version).as_bytes())?;
        }
        Ok(writer)
    }

    /// The bytes written so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Writes the fields of `info` in stock's order.
    ///
    /// # Errors
    /// Those of the output.
    pub fn info(&mut self, info: &Info<'_>) -> io::Result<()> {
        self.aux(b"redis-ver", StringRef::Bytes(info.redis_version.as_bytes()))?;
        self.aux(b"redis-bits", StringRef::Int(64))?;
        self.aux(b"ctime", integer(info.created.0 / 1000))?;
        self.aux(b"used-mem", integer(info.used_memory))?;
        if let Some(replication) = info.replication {
            self.aux(b"repl-stream-db", integer(u64::from(replication.stream_db)))?;
            self.aux(b"repl-id", StringRef::Bytes(replication.id.as_str().as_bytes()))?;
            self.aux(b"repl-offset", integer(replication.offset.0))?;
        }
        self.aux(b"aof-base", integer(u64::from(info.aof_base)))
    }

    /// Writes one field.
    ///
    /// # Errors
    /// Those of the output.
    pub fn aux(&mut self, key: &[u8], value: StringRef<'_>) -> io::Result<()> {
        self.record(|encoder, record| {
            record.push(opcode::AUX);
            encoder.push_bytes(record, key);
            encoder.push_string(record, value);
        })
    }

    /// Says that the following records belong to `db`, which has about `keys` keys, `expires` of them
    /// with an expiry.
    ///
    /// # Errors
    /// Those of the output.
    pub fn select(&mut self, db: u32, keys: u64, expires: u64) -> io::Result<()> {
        self.record(|_, record| {
            record.push(opcode::SELECT_DB);
            push_length(record, u64::from(db));
            record.push(opcode::RESIZE_DB);
            push_length(record, keys);
            push_length(record, expires);
        })
    }

    /// Writes one function library, `code` as FUNCTION LOAD takes it. Exists from version 10 on.
    ///
    /// # Errors
    /// Those of the output.
    pub fn function(&mut self, code: &[u8]) -> io::Result<()> {
        self.record(|encoder, record| {
            record.push(opcode::FUNCTION);
            encoder.push_bytes(record, code);
        })
    }

    /// Writes one string with its key.
    ///
    /// # Errors
    /// Those of the output.
    pub fn string(
        &mut self,
        key: &[u8],
        value: StringRef<'_>,
        attributes: &Attributes,
    ) -> io::Result<()> {
        self.record(|encoder, record| encoder.encode_string_key(record, key, value, attributes))
    }

    /// Writes records made by an [`Encoder`], any number of whole ones.
    ///
    /// # Errors
    /// Those of the output.
    pub fn records(&mut self, encoded: &[u8]) -> io::Result<()> {
        self.out.write_all(encoded)?;
        if let Some(checksum) = &mut self.checksum {
            checksum.update(encoded);
        }
        self.written += encoded.len() as u64;
        Ok(())
    }

    /// Hands what is buffered on, for a receiver that waits.
    ///
    /// # Errors
    /// Those of the output.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Writes the end and the checksum, and flushes.
    ///
    /// # Errors
    /// Those of the output.
    pub fn finish(mut self) -> io::Result<W> {
        self.records(&[opcode::END])?;
        let sum = self.checksum.take().map_or(0, |checksum| checksum.value());
        self.out.write_all(&sum.to_le_bytes())?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn record(&mut self, encode: impl FnOnce(&mut Encoder, &mut Vec<u8>)) -> io::Result<()> {
        let mut record = std::mem::take(&mut self.record);
        record.clear();
        encode(&mut self.encoder, &mut record);
        let result = self.records(&record);
        self.record = record;
        result
    }
}

fn integer(value: u64) -> StringRef<'static> {
    StringRef::Int(i64::try_from(value).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
