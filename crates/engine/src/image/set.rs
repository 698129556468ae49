//! Sets outside the keyspace.

use super::{BadValue, Image};
use conf::Settings;
use rdb::SavedValue;
use structures::intset::Intset;
use structures::listpack::{Item, Listpack};
use values::digest::ValueDigest;
use values::{Set, SetLimits, SetRef};

/// The limits of packed sets.
pub(super) fn limits(settings: &Settings) -> SetLimits {
    SetLimits {
        intset_entries: settings.set_max_intset_entries.size(),
        listpack_entries: settings.set_max_listpack_entries.size(),
        listpack_value: settings.set_max_listpack_value.size(),
    }
}

/// The set of `members`.
pub(super) fn build(members: &[Vec<u8>], limits: SetLimits) -> Result<Set, BadValue> {
    if members.is_empty() {
        return Err(BadValue::Empty);
    }
    let mut set = Set::default();
    set.reserve(members.len(), limits);
    if members.iter().all(|member| set.add(member, limits)) {
        Ok(set)
    } else {
        Err(BadValue::Duplicate)
    }
}

/// The set of a sound pack.
pub(super) fn build_packed(bytes: Vec<u8>, limits: SetLimits) -> Result<Set, BadValue> {
    if Listpack::of(&bytes).is_empty() {
        return Err(BadValue::Empty);
    }
    Set::of_pack(bytes, limits).or_else(|bytes| {
        let members: Vec<_> = Listpack::of(&bytes).iter().map(Item::to_vec).collect();
        build(&members, limits)
    })
}

/// The set of a sound intset.
pub(super) fn build_intset(bytes: Vec<u8>, limits: SetLimits) -> Result<Set, BadValue> {
    if Intset::of(&bytes).is_empty() {
        return Err(BadValue::Empty);
    }
    Set::of_intset(bytes, limits).or_else(|bytes| {
        let members: Vec<_> =
            Intset::of(&bytes).iter().map(|value| Item::Int(value).to_vec()).collect();
        build(&members, limits)
    })
}

impl Image for Set {
    fn saved<'a>(set: SetRef<'a>) -> SavedValue<'a>
    where
        Self: 'a,
    {
        match set {
            SetRef::Ints(ints) => SavedValue::Intset(ints.as_bytes()),
            SetRef::Packed(_) | SetRef::Large(_) => {
                SavedValue::Set(set.len(), Box::new(set.iter()))
            }
        }
    }

    fn encoding(set: SetRef<'_>) -> &'static str {
        set.encoding()
    }

    fn digest(set: SetRef<'_>, begun: ValueDigest) -> ValueDigest {
        let mut room = itoa::Buffer::new();
        set.iter().fold(begun, |digest, member| digest.unordered(&[member.bytes(&mut room)]))
    }
}
