//! Digests that are equal exactly when two datasets are: DEBUG DIGEST and DEBUG DIGEST-VALUE.
//!
//! The numbers are stock's, so that a Redoubt node and a stock node can be compared directly.
//! With `mix(d, x) = SHA1(d ^ SHA1(x))` and `toggle(d, x) = d ^ SHA1(x)`, from 20 zero bytes:
//!
//! ```text
//! value    mix(type as u32 big-endian), then mix(bytes) for a string, mix(element) for each of a
//!          list, toggle(member) for each of a set, toggle(d) for each field of a hash or member of a
//!          sorted set, where d begins with zeros: mix(field), mix(value) or mix(score);
//!          toggle("!!expire!!") if the key expires
//! key      the value's steps, begun by mix(key)
//! dataset  per db that has keys, ascending: mix(db number as u32 big-endian),
//!          then toggle(digest of each key), in any order
//! ```
//!
//! The time at which a key expires is left out, since it may differ by the delay of a transfer.
//!
//! Source: behaviour observed with stock 7.0.15.

use crate::Kind;
use sha1::{Digest as _, Sha1};
use std::fmt;

/// The length of a digest.
pub const DIGEST_LEN: usize = 20;

/// What a key that expires adds.
const EXPIRE_MARK: &[u8] = b"!!expire!!";

/// A digest of 160 bits, shown as 40 hexadecimal digits. The default, all zeros, is that of nothing.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Digest([u8; DIGEST_LEN]);

impl Digest {
    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; DIGEST_LEN] {
        &self.0
    }

    /// Exclusive or. The order and grouping of several is of no account.
    pub fn xor(&mut self, other: Digest) {
        for (byte, other) in self.0.iter_mut().zip(other.0) {
            *byte ^= other;
        }
    }

    fn toggle(&mut self, bytes: &[u8]) {
        self.xor(sha1(bytes));
    }

    fn mix(&mut self, bytes: &[u8]) {
        self.toggle(bytes);
        *self = sha1(&self.0);
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The digest of one value, fed part by part.
#[derive(Clone, Copy, Debug)]
pub struct ValueDigest(Digest);

impl ValueDigest {
    /// A value of `kind` by itself: DEBUG DIGEST-VALUE.
    pub fn new(kind: Kind) -> ValueDigest {
        let mut digest = Digest::default();
        digest.mix(&kind.number().to_be_bytes());
        ValueDigest(digest)
    }

    /// A value of `kind` under `key`: what DEBUG DIGEST sums up.
    pub fn of_key(key: &[u8], kind: Kind) -> ValueDigest {
        let mut digest = Digest::default();
        digest.mix(key);
        digest.mix(&kind.number().to_be_bytes());
        ValueDigest(digest)
    }

    /// Adds an element whose place is of no account: a member, or a field with its value.
    pub fn unordered(mut self, parts: &[&[u8]]) -> ValueDigest {
        if let [part] = parts {
            self.0.toggle(part);
        } else {
            let mut element = Digest::default();
            for part in parts {
                element.mix(part);
            }
            self.0.toggle(element.as_bytes());
        }
        self
    }

    /// Adds the next part; parts are ordered. A string has one, its bytes.
    pub fn part(mut self, bytes: &[u8]) -> ValueDigest {
        self.0.mix(bytes);
        self
    }

    /// Completes the digest.
    pub fn finish(mut self, expires: bool) -> Digest {
        if expires {
            self.0.toggle(EXPIRE_MARK);
        }
        self.0
    }
}

/// The keys of one db, collected in any order, also in several pieces that are xor-ed together.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeysDigest {
    sum: Digest,
}

impl KeysDigest {
    /// Adds one key.
    pub fn add(&mut self, key: Digest) {
        self.sum.toggle(key.as_bytes());
    }

    /// Adds the keys of another piece of the same db.
    pub fn merge(&mut self, other: KeysDigest) {
        self.sum.xor(other.sum);
    }
}

/// The digest of a whole dataset.
#[derive(Clone, Copy, Debug, Default)]
pub struct DatasetDigest(Digest);

impl DatasetDigest {
    /// Adds a db that has at least one key. Call in ascending order of `db`, empty ones left out.
    pub fn add_db(&mut self, db: u32, keys: KeysDigest) {
        self.0.mix(&db.to_be_bytes());
        self.0.xor(keys.sum);
    }

    /// The digest; all zeros for an empty dataset.
    pub const fn finish(self) -> Digest {
        self.0
    }
}

fn sha1(bytes: &[u8]) -> Digest {
    Digest(Sha1::digest(bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_keys_and_pieces_is_of_no_account() {
        let key = |name: &[u8], value: &[u8]| {
            ValueDigest::of_key(name, Kind::String).part(value).finish(false)
        };
        let (mut forth, mut back) = (KeysDigest::default(), KeysDigest::default());
        forth.add(key(b"a", b"1"));
        forth.add(key(b"b", b"2"));
        back.add(key(b"b", b"2"));
        let mut piece = KeysDigest::default();
        piece.add(key(b"a", b"1"));
        back.merge(piece);
        let digest = |keys| {
            let mut dataset = DatasetDigest::default();
            dataset.add_db(0, keys);
            dataset.finish()
        };
        assert_eq!(digest(forth), digest(back));
        assert_ne!(digest(forth), digest(piece));
    }

    #[test]
    fn the_numbers_are_stocks() {
        // SET foo bar; DEBUG DIGEST-VALUE foo; DEBUG DIGEST; in db 3 SET n 42 EX 10000; DEBUG DIGEST.
        let value = ValueDigest::new(Kind::String).part(b"bar").finish(false);
        assert_eq!(value.to_string(), "68467c70ae30376e7ce005bcc8827f5ba7fd67dc");
        let (mut first, mut third) = (KeysDigest::default(), KeysDigest::default());
        first.add(ValueDigest::of_key(b"foo", Kind::String).part(b"bar").finish(false));
        third.add(ValueDigest::of_key(b"n", Kind::String).part(b"42").finish(true));
        let mut dataset = DatasetDigest::default();
        dataset.add_db(0, first);
        assert_eq!(dataset.finish().to_string(), "d2ab4820c1be0580ea28efbfe8bfa1dc05bb802a");
        dataset.add_db(3, third);
        assert_eq!(dataset.finish().to_string(), "63803425730a54e00b86a3929ca3bf55084c8024");
    }

    #[test]
    fn key_value_db_and_expiry_all_count() {
        let one = |db, key: &[u8], value: &[u8], expires| {
            let mut keys = KeysDigest::default();
            keys.add(ValueDigest::of_key(key, Kind::String).part(value).finish(expires));
            let mut dataset = DatasetDigest::default();
            dataset.add_db(db, keys);
            dataset.finish().to_string()
        };
        let base = one(0, b"k", b"v", false);
        assert_eq!(base.len(), 2 * DIGEST_LEN);
        for other in [
            one(1, b"k", b"v", false),
            one(0, b"x", b"v", false),
            one(0, b"k", b"x", false),
            one(0, b"k", b"v", true),
        ] {
            assert_ne!(base, other);
        }
        assert_eq!(DatasetDigest::default().finish().to_string(), "0".repeat(40));
    }
}
