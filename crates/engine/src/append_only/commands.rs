//! A base as commands (`aof-use-rdb-preamble no`): a snapshot, retold as the requests that make it.
//!
//! Strings, lists, sets, sorted sets and hashes become commands that one would type; a stream, whose
//! groups no command makes as they are, becomes a RESTORE of its payload, and so does what a module has
//! made. A function library becomes a FUNCTION LOAD. Members that end are told by what `KeyDB` calls that. What modules
//! keep outside the keyspace no command can tell; it is left out.

use crate::image::{self, Limits};
use crate::keys::{Text, kind_of, view};
use aof::{Appender, Note};
use base::disk::Disk;
use base::{Millis, Offset, RunId, double};
use keyspace::Entry;
use rdb::file::IncrementalSync;
use rdb::{Encoder, Item, LoadedKey, Loader, MemberExpiry, payload};
use std::io::BufReader;
use std::path::Path;
use values::{Hash, Kind, List, Set, SortedSet};

/// Elements of one request, as in stock.
const ELEMENTS_MAX: usize = 64;
/// Bytes that are written at once.
const PIECE_BYTES: usize = 1 << 20;

/// Writes what the snapshot at `from` holds to `to`, as requests, and makes it durable. `noted_s` is the
/// Unix second that is noted in front, if it is to be; the stream goes on behind it in that database and at
/// that place of its history.
///
/// # Errors
/// The text of what went wrong.
pub(super) fn transcribe(
    disk: &dyn Disk,
    from: &Path,
    to: &Path,
    noted_s: Option<u64>,
    incremental_sync: bool,
    (stream_db, place): (u32, (RunId, Offset)),
) -> Result<(), String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", to.display());
    let input = BufReader::with_capacity(PIECE_BYTES, disk.read(from).map_err(|e| failed(&e))?);
    let mut loader = Loader::new(input).keep_modules(true);
    let mut out = Appender::create(disk, to).map_err(|error| failed(&error))?;
    let (mut piece, mut sync) = (Vec::new(), IncrementalSync::new(incremental_sync));
    if let Some(noted_s) = noted_s {
        Note::Time(noted_s).write(&mut piece);
    }
    let (mut name, mut expiry) = (Vec::new(), MemberExpiry::default());
    while let Some(item) = loader.next_item().map_err(|error| failed(&error))? {
        match item {
            Item::SelectDb(db) => oplog::encode_select(db, &mut piece),
            Item::Function(code) => words(&[b"FUNCTION", b"LOAD", &code], &mut piece),
            Item::Key(key) => {
                (name, expiry) = (key.key.clone(), MemberExpiry::default());
                requests(key, &mut piece).map_err(|error| failed(&error))?;
            }
            Item::Aux { key, value } => {
                if let Some((member, Millis(at))) = expiry.take(&key, value) {
                    let at = at.to_string();
                    let line: [&[u8]; 4] = [b"PEXPIREMEMBERAT", &name, &member, at.as_bytes()];
                    words(&line, &mut piece);
                }
            }
            _ => {}
        }
        if piece.len() >= PIECE_BYTES {
            out.write(&piece).map_err(|error| failed(&error))?;
            if sync.is_due(piece.len()) {
                out.sync().map_err(|error| failed(&error))?;
            }
            piece.clear();
        }
    }
    // What a replica's stream goes on in, which says so only when it changes.
    oplog::encode_select(stream_db, &mut piece);
    out.write(&piece).map_err(|error| failed(&error))?;
    out.seal(place).map_err(|error| failed(&error))?;
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

/// Requests `name key element...`, under way; an element may be several words.
struct Elements<'a> {
    name: &'a [u8],
    key: &'a [u8],
    words: Vec<Vec<u8>>,
    count: usize,
    out: &'a mut Vec<u8>,
}

impl<'a> Elements<'a> {
    fn new(name: &'a [u8], key: &'a [u8], out: &'a mut Vec<u8>) -> Elements<'a> {
        Elements { name, key, words: Vec::new(), count: 0, out }
    }

    fn add(&mut self, element: &[&[u8]]) {
        self.words.extend(element.iter().map(|word| word.to_vec()));
        self.count += 1;
        if self.count == ELEMENTS_MAX {
            self.end();
        }
    }

    fn end(&mut self) {
        if self.count > 0 {
            let mut line: Vec<&[u8]> = vec![self.name, self.key];
            line.extend(self.words.iter().map(Vec::as_slice));
            words(&line, self.out);
            self.words.clear();
            self.count = 0;
        }
    }
}

/// Adds the requests that make `key`.
fn requests(key: LoadedKey, out: &mut Vec<u8>) -> Result<(), image::BadValue> {
    let LoadedKey { key, value, attributes } = key;
    let entry = image::entry(&key, value, attributes.expire_at, &Limits::default())?;
    match kind_of(&entry) {
        Kind::String => {
            let text = Text::of(&entry).map(|text| text.to_vec()).unwrap_or_default();
            words(&[b"SET", &key, &text], out);
        }
        Kind::List => list(&key, &entry, out),
        Kind::Set => set(&key, &entry, out),
        Kind::SortedSet => sorted_set(&key, &entry, out),
        Kind::Hash => hash(&key, &entry, out),
        Kind::Stream | Kind::Module => {
            let bytes = payload::dump(&mut Encoder::new(false), image::saved(&entry));
            words(&[b"RESTORE", &key, b"0", &bytes], out);
        }
    }
    if let Some(at) = attributes.expire_at {
        words(&[b"PEXPIREAT", &key, at.0.to_string().as_bytes()], out);
    }
    Ok(())
}

fn list(key: &[u8], entry: &Entry, out: &mut Vec<u8>) {
    let (mut room, mut elements) = (itoa::Buffer::new(), Elements::new(b"RPUSH", key, out));
    if let Ok(list) = view::<List>(entry) {
        list.walk(0, |item| {
            elements.add(&[item.bytes(&mut room)]);
            true
        });
    }
    elements.end();
}

fn set(key: &[u8], entry: &Entry, out: &mut Vec<u8>) {
    let (mut room, mut elements) = (itoa::Buffer::new(), Elements::new(b"SADD", key, out));
    for member in view::<Set>(entry).iter().flat_map(|set| set.iter()) {
        elements.add(&[member.bytes(&mut room)]);
    }
    elements.end();
}

fn sorted_set(key: &[u8], entry: &Entry, out: &mut Vec<u8>) {
    let (mut room, mut elements) = (itoa::Buffer::new(), Elements::new(b"ZADD", key, out));
    for (member, score) in view::<SortedSet>(entry).iter().flat_map(|set| set.iter(0..set.len())) {
        let mut text = Vec::new();
        double::write(&mut text, score);
        elements.add(&[&text, member.bytes(&mut room)]);
    }
    elements.end();
}

fn hash(key: &[u8], entry: &Entry, out: &mut Vec<u8>) {
    let (mut name, mut text) = (itoa::Buffer::new(), itoa::Buffer::new());
    let mut expiring = Vec::new();
    let mut elements = Elements::new(b"HMSET", key, out);
    if let Ok(hash) = view::<Hash>(entry) {
        hash.each(|field, value, expire_at| {
            let field = field.bytes(&mut name);
            elements.add(&[field, value.bytes(&mut text)]);
            expiring.extend(expire_at.map(|at| (field.to_vec(), at)));
        });
    }
    elements.end();
    for (field, Millis(at)) in expiring {
        let at = at.to_string();
        words(&[b"HPEXPIREAT", key, at.as_bytes(), b"FIELDS", b"1", &field], out);
    }
}
