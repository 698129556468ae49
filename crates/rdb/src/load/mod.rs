//! Reading a snapshot: a puller of items over any `io::Read`.
//!
//! The loader asks its input for more bytes only when it needs one, so a socket that carries a
//! snapshot and then something else may be given to it; what was read too far is handed back by
//! [`Loader::into_rest`]. Items come in the order of the file; each key carries its attributes. That
//! no item follows is said only after the checksum was compared.

mod collection;
mod fields;
mod hash;
mod list;
mod member_expiry;
mod module;
mod piece;
mod sorted_set;
mod source;
mod span;
mod stream;
mod string;
mod ziplist;

use crate::format::{self, Attributes, opcode, value_type};
use crate::stream::StreamImage;
use base::Millis;
pub use fields::Fields;
pub use hash::HashField;
pub use member_expiry::MemberExpiry;
pub use module::ModuleData;
pub use piece::{Piece, RawKeys};
use source::Source;
use std::io;
use structures::lzf::LzfError;
use values::Opaque;

/// The longest string accepted unless told otherwise: what an entry holds. Whoever wrote the snapshot may have
/// had any `proto-max-bulk-len`.
pub const STRING_LEN_MAX: u64 = structures::KEY_BYTES_MAX as u64;

/// One thing a snapshot says.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// A field about the snapshot: `redis-ver`, `repl-id`, ... Unknown ones are to be ignored.
    Aux {
        /// The name.
        key: Vec<u8>,
        /// The value; numbers are decimal.
        value: Vec<u8>,
    },
    /// The db of the following keys.
    SelectDb(u32),
    /// How large the db is going to be. A hint that may be wrong.
    ResizeDb {
        /// Keys.
        keys: u64,
        /// Keys with an expiry.
        expires: u64,
    },
    /// How large a slot is going to be. A hint that may be wrong.
    SlotInfo {
        /// The number of the slot.
        slot: u64,
        /// Keys.
        keys: u64,
        /// Keys with an expiry.
        expires: u64,
    },
    /// The code of a function library.
    Function(Vec<u8>),
    /// The state of a slot import (Valkey 9), passed over.
    SlotImportSkipped,
    /// What a module keeps outside the keyspace, if it is to be kept.
    ModuleData(ModuleData),
    /// Data of a module, passed over.
    ModuleSkipped {
        /// The nine letters that name the module's type.
        module: String,
        /// The key whose value it was; none for data outside the keyspace.
        key: Option<Vec<u8>>,
    },
    /// A key.
    Key(LoadedKey),
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadedKey {
    /// The name.
    pub key: Vec<u8>,
    /// The value.
    pub value: LoadedValue,
    /// Expiry and marks of use. An expiry in the past is not acted on here.
    pub attributes: Attributes,
}

/// A part of a list as the file had it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadedNode {
    /// Elements in a listpack, which is sound.
    Packed(Vec<u8>),
    /// Elements one by one.
    Elements(Vec<Vec<u8>>),
}

/// A value as the file had it. Packs are sound as packs; what is in them was not looked at.
#[derive(Clone, Debug, PartialEq)]
pub enum LoadedValue {
    /// A string of bytes.
    String(Vec<u8>),
    /// A string that is the decimal form of this integer.
    Int(i64),
    /// The parts of a list in order.
    List(Vec<LoadedNode>),
    /// The members of a set in the file's order; that none is twice is not checked here.
    Set(Vec<Vec<u8>>),
    /// The members of a set in a listpack.
    SetPack(Vec<u8>),
    /// The members of a set in an intset: ascending, each once.
    Intset(Vec<u8>),
    /// Members and scores, none of which is a NaN; duplicates are not checked for.
    SortedSet(Vec<(Vec<u8>, f64)>),
    /// Members and scores by turns in a listpack of an even number of elements.
    SortedSetPack(Vec<u8>),
    /// The fields of a hash; duplicates are not checked for.
    Hash(Vec<HashField>),
    /// Fields and values by turns in a listpack of an even number of elements.
    HashPack(Vec<u8>),
    /// A stream, whose blocks are listpacks of any content.
    Stream(Box<StreamImage>),
    /// What a module has made, if it is to be kept.
    Module(Opaque),
}

/// Why a snapshot is refused. `offset` is the byte it was noticed at.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The input failed.
    #[error("cannot read the snapshot at offset {offset}: {source}")]
    Io {
        /// Where.
        offset: u64,
        /// The input's error.
        source: io::Error,
    },
    /// The input ended before the snapshot did.
    #[error("the snapshot ends early, at offset {offset}")]
    UnexpectedEnd {
        /// Where.
        offset: u64,
    },
    /// The input does not begin as a snapshot does.
    #[error("this is no snapshot: it begins with {0:?}")]
    BadMagic(String),
    /// The version is newer, or is none.
    #[error("cannot handle snapshots of version {0}")]
    UnsupportedVersion(String),
    /// A type of value, or an opcode, that is not known.
    #[error("value type {kind} at offset {offset} is not supported")]
    UnsupportedType {
        /// The number of the type.
        kind: u8,
        /// Where.
        offset: u64,
    },
    /// A string longer than the limit.
    #[error("a string of {len} bytes at offset {offset} is longer than the limit of {max}")]
    TooLong {
        /// Its length.
        len: u64,
        /// The limit.
        max: u64,
        /// Where.
        offset: u64,
    },
    /// A packed string that cannot be unpacked.
    #[error("{source} at offset {offset}")]
    Packed {
        /// What is wrong with it.
        source: LzfError,
        /// Where.
        offset: u64,
    },
    /// Bytes that mean nothing.
    #[error("{what} at offset {offset}")]
    Malformed {
        /// What is wrong.
        what: &'static str,
        /// Where.
        offset: u64,
    },
    /// The bytes are not those that were written.
    #[error("RDB CRC error: wrong checksum, expected {expected:016x}, got {computed:016x}")]
    Checksum {
        /// The one in the file.
        expected: u64,
        /// The one of the bytes read.
        computed: u64,
    },
}

/// Reads a snapshot item by item.
#[derive(Debug)]
pub struct Loader<R> {
    source: Source<R>,
    verify: bool,
    has_checksum: bool,
    keeps_modules: bool,
    version: u16,
    state: State,
    /// The beginning of a record that is read by itself, and the offset of that.
    large: Option<(Vec<u8>, u64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Header,
    Records,
    /// Records that were cut out: they end where the bytes do.
    Cut,
    Finished,
    Failed,
}

impl<R: io::Read> Loader<R> {
    /// A loader of `input`. Nothing is read yet.
    pub fn new(input: R) -> Loader<R> {
        Loader {
            source: Source::new(input),
            verify: true,
            has_checksum: false,
            keeps_modules: false,
            version: 0,
            state: State::Header,
            large: None,
        }
    }

    /// A loader of one value as DUMP gives it: `len` bytes written by `version`.
    pub(crate) fn of_value(input: R, len: usize, version: u16) -> Loader<R> {
        let source = Source::with_buffer(input, len);
        Loader {
            source,
            verify: false,
            has_checksum: false,
            keeps_modules: false,
            version,
            state: State::Records,
            large: None,
        }
    }

    /// Reads type and value.
    pub(crate) fn typed_value(&mut self) -> Result<LoadedValue, LoadError> {
        let offset = self.source.offset();
        match self.source.byte()? {
            kind if is_value(kind) => self.value(kind),
            value_type::MODULE if self.keeps_modules => self.module_value(),
            kind => Err(unsupported(kind, offset)),
        }
    }

    /// With true, data of modules is kept as it is instead of passed over.
    pub fn keep_modules(mut self, keep: bool) -> Loader<R> {
        self.keeps_modules = keep;
        self
    }

    /// With false, the checksum is read but not compared (`rdbchecksum no`).
    pub fn verify_checksum(mut self, verify: bool) -> Loader<R> {
        self.verify = verify;
        self
    }

    /// Whether the snapshot, which has been read to its end, has a checksum.
    pub fn has_checksum(&self) -> bool {
        self.has_checksum
    }

    /// The version in the header; zero before the first item.
    pub fn version(&self) -> u16 {
        self.version
    }

    /// The bytes of the snapshot read so far.
    pub fn offset(&self) -> u64 {
        self.source.offset()
    }

    /// The next item; `None` when the snapshot is complete and its checksum right.
    ///
    /// # Errors
    /// [`LoadError`]. After one, further calls say `None` never: the same kind of error stays.
    pub fn next_item(&mut self) -> Result<Option<Item>, LoadError> {
        let result = match self.state {
            State::Header => self.header().and_then(|()| self.item()),
            State::Cut if self.source.is_drained() => Ok(None),
            State::Records | State::Cut => self.item(),
            State::Finished => Ok(None),
            State::Failed => Err(self.source.malformed("reading went on after an error")),
        };
        if result.is_err() {
            self.state = State::Failed;
        }
        result
    }

    /// The input, and the bytes that were read from it but are behind the end of the snapshot.
    pub fn into_rest(self) -> (R, Vec<u8>) {
        self.source.into_rest()
    }

    fn header(&mut self) -> Result<(), LoadError> {
        let header: [u8; format::HEADER_LEN] = self.source.array()?;
        let shown = || String::from_utf8_lossy(&header).into_owned();
        let (digits, range) = if let Some(digits) = header.strip_prefix(format::MAGIC_REDIS) {
            (digits, 1..=format::VERSION_REDIS_MAX)
        } else if let Some(digits) = header.strip_prefix(format::MAGIC_VALKEY) {
            (digits, format::VERSION_VALKEY_MIN..=format::VERSION_VALKEY_MAX)
        } else {
            return Err(LoadError::BadMagic(shown()));
        };
        self.version = std::str::from_utf8(digits)
            .ok()
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok())
            .filter(|version| range.contains(version))
            .ok_or_else(|| LoadError::UnsupportedVersion(shown()))?;
        self.state = State::Records;
        Ok(())
    }

    fn item(&mut self) -> Result<Option<Item>, LoadError> {
        let offset = self.source.offset();
        let item = match self.source.byte()? {
            opcode::END => return self.end().map(|()| None),
            opcode::AUX => Item::Aux { key: self.bytes()?, value: self.bytes()? },
            opcode::SELECT_DB => {
                let db = self.source.length()?;
                let db = u32::try_from(db).map_err(|_| self.source.malformed("db out of range"))?;
                Item::SelectDb(db)
            }
            opcode::RESIZE_DB => {
                Item::ResizeDb { keys: self.source.length()?, expires: self.source.length()? }
            }
            opcode::SLOT_INFO => Item::SlotInfo {
                slot: self.source.length()?,
                keys: self.source.length()?,
                expires: self.source.length()?,
            },
            opcode::SLOT_IMPORT if self.version >= format::VERSION_VALKEY_MIN => {
                self.skip_slot_import()?
            }
            opcode::FUNCTION => Item::Function(self.bytes()?),
            opcode::MODULE_AUX => self.module_aux()?,
            first => self.key(first, offset)?,
        };
        Ok(Some(item))
    }

    /// Reads attributes, type, key and value; `kind` is the first byte of that, read at `offset`.
    fn key(&mut self, mut kind: u8, mut offset: u64) -> Result<Item, LoadError> {
        let mut attributes = Attributes::default();
        loop {
            match kind {
                opcode::EXPIRE_MS => {
                    let at = i64::from_le_bytes(self.source.array()?);
                    attributes.expire_at = unix_millis(at);
                }
                opcode::EXPIRE_S => {
                    let at = i32::from_le_bytes(self.source.array()?);
                    attributes.expire_at = unix_millis(i64::from(at).saturating_mul(1000));
                }
                opcode::IDLE => attributes.lru_idle_s = Some(self.source.length()?),
                opcode::FREQUENCY => attributes.lfu_frequency = Some(self.source.byte()?),
                _ => break,
            }
            offset = self.source.offset();
            kind = self.source.byte()?;
        }
        match kind {
            value_type::MODULE => self.module_key(attributes),
            _ if !is_value(kind) => Err(unsupported(kind, offset)),
            _ => {
                let (key, value) = (self.bytes()?, self.value(kind)?);
                Ok(Item::Key(LoadedKey { key, value, attributes }))
            }
        }
    }

    /// Reads a value of the type `kind`.
    fn value(&mut self, kind: u8) -> Result<LoadedValue, LoadError> {
        use value_type as t;
        match kind {
            t::STRING => self.string(),
            t::LIST | t::LIST_ZIPLIST | t::LIST_QUICKLIST | t::LIST_QUICKLIST_2 => self.list(kind),
            t::SET | t::SET_INTSET | t::SET_LISTPACK => self.set(kind),
            t::ZSET | t::ZSET_2 | t::ZSET_ZIPLIST | t::ZSET_LISTPACK => self.sorted_set(kind),
            t::STREAM | t::STREAM_2 | t::STREAM_3 => self.stream(kind),
            _ => self.hash(kind),
        }
    }

    fn skip_slot_import(&mut self) -> Result<Item, LoadError> {
        self.skip_string()?;
        let ranges = self.source.length()?;
        for _ in 0..ranges {
            self.source.length()?;
            self.source.length()?;
        }
        Ok(Item::SlotImportSkipped)
    }

    fn end(&mut self) -> Result<(), LoadError> {
        if self.version >= format::VERSION_CHECKSUM_MIN {
            let computed = self.source.checksum();
            let expected = u64::from_le_bytes(self.source.array()?);
            // Zero says that the writer left the checksum out.
            self.has_checksum = expected != 0;
            if self.verify && expected != 0 && expected != computed {
                return Err(LoadError::Checksum { expected, computed });
            }
        }
        self.state = State::Finished;
        Ok(())
    }
}

/// What is said of a type that is not read.
fn unsupported(kind: u8, offset: u64) -> LoadError {
    if kind == value_type::MODULE_EARLY {
        let what = "a module's value in the form of Redis 4.0's release candidates, which only the \
                    module can read";
        return LoadError::Malformed { what, offset };
    }
    LoadError::UnsupportedType { kind, offset }
}

/// Whether `kind` is a type of value that is read.
fn is_value(kind: u8) -> bool {
    matches!(kind, value_type::STRING..=value_type::ZSET_2)
        || matches!(kind, value_type::HASH_ZIPMAP..=value_type::HASH_LISTPACK_EX)
}

/// A time in a file: stock reads -1 as none; before 1970 is as past as 1970.
fn unix_millis(at: i64) -> Option<Millis> {
    (at != -1).then(|| Millis(u64::try_from(at).unwrap_or(0)))
}

#[cfg(test)]
mod tests;
