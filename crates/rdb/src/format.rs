//! The numbers of the format: magic, versions, opcodes, types, and how lengths and integers are cut.
//!
//! ```text
//! 00llllll                      a length of 6 bits
//! 01llllll llllllll             14 bits
//! 10000000 + 4 bytes            32 bits, big-endian
//! 10000001 + 8 bytes            64 bits, big-endian
//! 11000000 + i8                 instead of a string: an integer, 11000001 + i16 and
//!                               11000010 + i32 little-endian
//! 11000011 + packed + len + ..  instead of a string: LZF, the packed length first
//! ```

use base::Millis;

/// The first bytes of a Redis snapshot; four digits of version follow.
pub const MAGIC_REDIS: &[u8] = b"REDIS";

/// The first bytes of a snapshot of Valkey 9 or later; three digits of version follow.
pub const MAGIC_VALKEY: &[u8] = b"VALKEY";

/// The length of magic and version together, in either spelling.
pub const HEADER_LEN: usize = 9;

/// The version written for strings with expiries. It is the oldest in which expiry times, LRU and
/// LFU marks are what they are now (stock 5.0), so every server in use loads it.
pub const VERSION_WRITTEN: u16 = 9;

/// The newest version of Redis that is read (7.4 to 8.x).
pub const VERSION_REDIS_MAX: u16 = 12;

/// The oldest version that begins with `VALKEY` (9.0).
pub const VERSION_VALKEY_MIN: u16 = 80;

/// The newest version of Valkey that is read (9.2).
pub const VERSION_VALKEY_MAX: u16 = 81;

/// The first version that ends with a checksum.
pub const VERSION_CHECKSUM_MIN: u16 = 5;

/// The first byte of a record that is not a key with its value.
pub mod opcode {
    /// State of a slot import (Valkey 9): name, count, pairs of slots. Another thing in other forks.
    pub const SLOT_IMPORT: u8 = 243;
    /// Sizes of one slot, three lengths. A hint.
    pub const SLOT_INFO: u8 = 244;
    /// A function library: one string.
    pub const FUNCTION: u8 = 245;
    /// A function library as the release candidates of 7.0 wrote it. Refused, as stock does.
    pub const FUNCTION_EARLY: u8 = 246;
    /// Data of a module outside the keyspace.
    pub const MODULE_AUX: u8 = 247;
    /// LRU idle time of the next key in seconds: one length.
    pub const IDLE: u8 = 248;
    /// LFU counter of the next key: one byte.
    pub const FREQUENCY: u8 = 249;
    /// A field about the snapshot: two strings.
    pub const AUX: u8 = 250;
    /// Keys and keys with expiry of the db: two lengths. A hint.
    pub const RESIZE_DB: u8 = 251;
    /// Expiry of the next key: Unix milliseconds, 8 bytes little-endian.
    pub const EXPIRE_MS: u8 = 252;
    /// Expiry of the next key: Unix seconds, 4 bytes little-endian. Not written since 2.6.
    pub const EXPIRE_S: u8 = 253;
    /// The db of the following keys: one length.
    pub const SELECT_DB: u8 = 254;
    /// The end; the checksum follows.
    pub const END: u8 = 255;
}

/// The first byte of a key with its value.
pub mod value_type {
    /// A string.
    pub const STRING: u8 = 0;
    /// A value of a module, self-describing.
    pub const MODULE: u8 = 7;
}

/// The low six bits of a length byte whose high bits are `11`.
pub(crate) mod special {
    pub const INT8: u8 = 0;
    pub const INT16: u8 = 1;
    pub const INT32: u8 = 2;
    pub const LZF: u8 = 3;
}

/// The high bits of a length byte.
pub(crate) mod length {
    pub const BITS_14: u8 = 0x40;
    pub const BITS_32: u8 = 0x80;
    pub const BITS_64: u8 = 0x81;
    pub const SPECIAL: u8 = 0xC0;
}

/// What is kept of a key beside its value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// When the key expires, in Unix time.
    pub expire_at: Option<Millis>,
    /// Seconds since the key was last used, kept under an LRU eviction policy.
    pub lru_idle_s: Option<u64>,
    /// The logarithmic counter of uses, kept under an LFU eviction policy.
    pub lfu_frequency: Option<u8>,
}
