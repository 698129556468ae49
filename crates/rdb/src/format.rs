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

/// The version written: that of stock 7.0, the oldest with listpacks. Newer types of value (hashes whose
/// fields expire) are told by their type alone, so a reader that knows them needs no newer version.
pub const VERSION_WRITTEN: u16 = 10;

/// The newest version of Redis that is read (7.4 to 8.x).
pub const VERSION_REDIS_MAX: u16 = 12;

/// The oldest version that begins with `VALKEY` (9.0).
pub const VERSION_VALKEY_MIN: u16 = 80;

/// The newest version of Valkey that is read (9.2).
pub const VERSION_VALKEY_MAX: u16 = 81;

/// The first version that ends with a checksum.
pub const VERSION_CHECKSUM_MIN: u16 = 5;

/// The field that names a member of the key before it, which expires. `KeyDB`'s; stock passes it over.
pub const MEMBER_EXPIRY_KEY: &[u8] = b"keydb-subexpire-key";

/// The field that says when the member named before it expires, as a Unix time in milliseconds.
pub const MEMBER_EXPIRY_WHEN: &[u8] = b"keydb-subexpire-when";

/// Whether a file that begins with `head` is a snapshot, of either server.
pub fn is_snapshot(head: &[u8]) -> bool {
    head.starts_with(b"REDIS") || head.starts_with(b"VALKEY")
}

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
    /// A list: count, strings.
    pub const LIST: u8 = 1;
    /// A set: count, strings.
    pub const SET: u8 = 2;
    /// A sorted set: count, pairs of a string and a score in decimal.
    pub const ZSET: u8 = 3;
    /// A hash: count, pairs of strings.
    pub const HASH: u8 = 4;
    /// A sorted set: count, pairs of a string and a score as a double.
    pub const ZSET_2: u8 = 5;
    /// A value of a module as the release candidates of 4.0 wrote it. Refused, as stock does.
    pub const MODULE_EARLY: u8 = 6;
    /// A value of a module, self-describing.
    pub const MODULE: u8 = 7;
    /// A hash as a zipmap (before 2.6).
    pub const HASH_ZIPMAP: u8 = 9;
    /// A list as a ziplist.
    pub const LIST_ZIPLIST: u8 = 10;
    /// A set as an intset.
    pub const SET_INTSET: u8 = 11;
    /// A sorted set as a ziplist.
    pub const ZSET_ZIPLIST: u8 = 12;
    /// A hash as a ziplist.
    pub const HASH_ZIPLIST: u8 = 13;
    /// A list as ziplists.
    pub const LIST_QUICKLIST: u8 = 14;
    /// A stream.
    pub const STREAM: u8 = 15;
    /// A hash as a listpack.
    pub const HASH_LISTPACK: u8 = 16;
    /// A sorted set as a listpack.
    pub const ZSET_LISTPACK: u8 = 17;
    /// A list as listpacks and long elements.
    pub const LIST_QUICKLIST_2: u8 = 18;
    /// A stream that knows its first id, its greatest deleted id and how much was ever added.
    pub const STREAM_2: u8 = 19;
    /// A set as a listpack (7.2).
    pub const SET_LISTPACK: u8 = 20;
    /// A stream whose consumers know when they were last active (7.2).
    pub const STREAM_3: u8 = 21;
    /// A hash whose fields expire, by the release candidates of Redis 7.4; in files of Valkey 9 its own
    /// form of that, `HASH_2`.
    pub const HASH_METADATA_EARLY: u8 = 22;
    /// A hash whose fields expire as a listpack, by the release candidates of Redis 7.4.
    pub const HASH_LISTPACK_EX_EARLY: u8 = 23;
    /// A hash whose fields expire (Redis 7.4).
    pub const HASH_METADATA: u8 = 24;
    /// A hash whose fields expire as a listpack of triples (Redis 7.4).
    pub const HASH_LISTPACK_EX: u8 = 25;

    /// What stock's log calls the form of a value of this type.
    pub const fn form(kind: u8) -> &'static str {
        match kind {
            HASH_ZIPMAP => "Zipmap",
            LIST_ZIPLIST => "List ziplist",
            LIST_QUICKLIST => "Quicklist ziplist",
            LIST_QUICKLIST_2 => "Quicklist listpack",
            SET_INTSET => "Intset",
            SET_LISTPACK => "Set listpack",
            ZSET_ZIPLIST => "Zset ziplist",
            ZSET_LISTPACK => "Zset listpack",
            HASH_ZIPLIST => "Hash ziplist",
            HASH_LISTPACK | HASH_LISTPACK_EX | HASH_LISTPACK_EX_EARLY => "Hash listpack",
            STREAM | STREAM_2 | STREAM_3 => "Stream listpack",
            _ => "Value",
        }
    }
}

/// The low six bits of a length byte whose high bits are `11`.
pub(crate) mod special {
    pub const INT8: u8 = 0;
    pub const INT16: u8 = 1;
    pub const INT32: u8 = 2;
    pub const LZF: u8 = 3;
}

/// How a node of a list of type 18 is kept.
pub(crate) mod node {
    pub const PLAIN: u64 = 1;
    pub const PACKED: u64 = 2;
}

/// The high bits of a length byte.
pub(crate) mod length {
    pub const BITS_14: u8 = 0x40;
    pub const BITS_32: u8 = 0x80;
    pub const BITS_64: u8 = 0x81;
    pub const SPECIAL: u8 = 0xC0;
}

/// Whether snapshots and DUMP's payloads of `version` are read.
pub fn is_known(version: u16) -> bool {
    (1..=VERSION_REDIS_MAX).contains(&version)
        || (VERSION_VALKEY_MIN..=VERSION_VALKEY_MAX).contains(&version)
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
