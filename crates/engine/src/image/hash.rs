//! Hashes outside the keyspace.

use super::{BadValue, Image};
use base::Millis;
use conf::Settings;
use rdb::{HashField, SavedField, SavedValue};
use structures::listpack::{Item, Listpack};
use values::digest::ValueDigest;
use values::{Hash, HashLimits, HashRef};

/// The limits of packed hashes.
pub(super) fn limits(settings: &Settings) -> HashLimits {
    HashLimits {
        entries: settings.hash_max_listpack_entries.size(),
        value: settings.hash_max_listpack_value.size(),
    }
}

/// The hash of `fields`.
pub(super) fn build(fields: &[HashField], limits: HashLimits) -> Result<Hash, BadValue> {
    if fields.is_empty() {
        return Err(BadValue::Empty);
    }
    let mut hash = Hash::default();
    let mut set = |field: &HashField| hash.set(&field.field, &field.value, field.expire_at, limits);
    if fields.iter().all(&mut set) { Ok(hash) } else { Err(BadValue::Duplicate) }
}

/// The hash of a sound pack of pairs.
pub(super) fn build_packed(bytes: Vec<u8>, limits: HashLimits) -> Result<Hash, BadValue> {
    if Listpack::of(&bytes).is_empty() {
        return Err(BadValue::Empty);
    }
    Hash::of_pack(bytes, limits).or_else(|bytes| {
        let mut elements = Listpack::of(&bytes).iter().map(Item::to_vec);
        let mut fields = Vec::new();
        while let (Some(field), Some(value)) = (elements.next(), elements.next()) {
            fields.push(HashField { field, value, expire_at: None });
        }
        build(&fields, limits)
    })
}

impl Image for Hash {
    fn saved<'a>(hash: HashRef<'a>) -> SavedValue<'a>
    where
        Self: 'a,
    {
        match hash {
            HashRef::Packed(pack) => SavedValue::HashPack(pack.as_bytes()),
            HashRef::Large(_) if hash.soonest().is_none() => {
                SavedValue::Hash(hash.len(), Box::new(hash.iter(Millis(0))))
            }
            HashRef::Large(_) => {
                let mut fields = Vec::with_capacity(hash.len());
                hash.each(|field, value, expire_at| {
                    fields.push(SavedField { field, value, expire_at });
                });
                SavedValue::ExpiringHash(fields)
            }
        }
    }

    fn encoding(hash: HashRef<'_>) -> &'static str {
        hash.encoding()
    }

    fn digest(hash: HashRef<'_>, mut digest: ValueDigest) -> ValueDigest {
        let (mut name, mut text) = (itoa::Buffer::new(), itoa::Buffer::new());
        hash.each(|field, value, _| {
            digest = digest.unordered(&[field.bytes(&mut name), value.bytes(&mut text)]);
        });
        digest
    }
}
