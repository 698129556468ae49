//! A base as commands (`aof-use-rdb-preamble no`): a snapshot, retold as the requests that make it.
//!
//! Strings, lists, sets, sorted sets and hashes become commands that one would type; a stream, whose
//! groups no command makes as they are, becomes a RESTORE of its payload.

use crate::image::{self, Limits};
use aof::{Appender, Note};
use base::disk::Disk;
use base::{Millis, double};
use rdb::{Encoder, Item, LoadedKey, LoadedValue, Loader, payload};
use std::io::BufReader;
use std::path::Path;

/// Elements of one request, as in stock.
const ELEMENTS_MAX: usize = 64;
/// Bytes that are written at once.
const PIECE_BYTES: usize = 1 << 20;

/// Writes what the snapshot at `from` holds to `to`, as requests, and makes it durable. `noted_s` is the
/// Unix second that is noted in front, if it is to be.
///
/// # Errors
/// The text of what went wrong.
pub(super) fn transcribe(
    disk: &dyn Disk,
    from: &Path,
    to: &Path,
    noted_s: Option<u64>,
) -> Result<(), String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", to.display());
    let input = BufReader::with_capacity(PIECE_BYTES, disk.read(from).map_err(|e| failed(&e))?);
    let mut loader = Loader::new(input);
    let mut out = Appender::create(disk, to).map_err(|error| failed(&error))?;
    let mut piece = Vec::new();
    if let Some(noted_s) = noted_s {
        Note::Time(noted_s).write(&mut piece);
    }
    while let Some(item) = loader.next_item().map_err(|error| failed(&error))? {
        match item {
            Item::SelectDb(db) => oplog::encode_select(db, &mut piece),
            Item::Key(key) => requests(key, &mut piece).map_err(|error| failed(&error))?,
            _ => {}
        }
        if piece.len() >= PIECE_BYTES {
            out.write(&piece).map_err(|error| failed(&error))?;
            piece.clear();
        }
    }
    out.write(&piece).map_err(|error| failed(&error))?;
    out.sync().map_err(|error| failed(&error))
}

/// Adds one request.
fn request<'a>(words: impl ExactSizeIterator<Item = &'a [u8]>, out: &mut Vec<u8>) {
    let mut digits = itoa::Buffer::new();
    out.push(b'*');
    out.extend_from_slice(digits.format(words.len()).as_bytes());
    out.extend_from_slice(b"\r\n");
    for word in words {
        out.push(b'$');
        out.extend_from_slice(digits.format(word.len()).as_bytes());
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

fn words(words: &[&[u8]], out: &mut Vec<u8>) {
    request(words.iter().copied(), out);
}

/// Adds requests `name key element...`; an element may be several words.
fn elements<const N: usize>(name: &[u8], key: &[u8], all: &[[&[u8]; N]], out: &mut Vec<u8>) {
    for some in all.chunks(ELEMENTS_MAX) {
        let mut line: Vec<&[u8]> = vec![name, key];
        line.extend(some.iter().flatten());
        words(&line, out);
    }
}

/// Adds the requests that make `key`.
fn requests(key: LoadedKey, out: &mut Vec<u8>) -> Result<(), image::BadValue> {
    let LoadedKey { key, value, attributes } = key;
    let number = |at: Millis| at.0.to_string().into_bytes();
    match value {
        LoadedValue::String(bytes) => words(&[b"SET", &key, &bytes], out),
        LoadedValue::Int(int) => words(&[b"SET", &key, int.to_string().as_bytes()], out),
        LoadedValue::List(list) => {
            let all: Vec<_> = list.iter().map(|element| [&element[..]]).collect();
            elements(b"RPUSH", &key, &all, out);
        }
        LoadedValue::Set(set) => {
            let all: Vec<_> = set.iter().map(|member| [&member[..]]).collect();
            elements(b"SADD", &key, &all, out);
        }
        LoadedValue::SortedSet(set) => {
            let scores: Vec<Vec<u8>> = set
                .iter()
                .map(|&(_, score)| {
                    let mut text = Vec::new();
                    double::write(&mut text, score);
                    text
                })
                .collect();
            let all: Vec<_> =
                set.iter().zip(&scores).map(|((member, _), score)| [&score[..], member]).collect();
            elements(b"ZADD", &key, &all, out);
        }
        LoadedValue::Hash(fields) => {
            let all: Vec<_> =
                fields.iter().map(|field| [&field.field[..], &field.value[..]]).collect();
            elements(b"HMSET", &key, &all, out);
            for field in &fields {
                if let Some(at) = field.expire_at {
                    let line: [&[u8]; 6] =
                        [b"HPEXPIREAT", &key, &number(at), b"FIELDS", b"1", &field.field];
                    words(&line, out);
                }
            }
        }
        stream @ LoadedValue::Stream(_) => {
            let entry = image::entry(&key, stream, None, &Limits::default())?;
            let bytes = payload::dump(&mut Encoder::new(false), image::saved(&entry));
            words(&[b"RESTORE", &key, b"0", &bytes], out);
        }
    }
    if let Some(at) = attributes.expire_at {
        words(&[b"PEXPIREAT", &key, &number(at)], out);
    }
    Ok(())
}
