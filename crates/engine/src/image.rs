//! Values outside the keyspace: in snapshots and DUMP payloads, in digests, and built from what a
//! snapshot or payload says.
//!
//! Each type with elements has a file here that implements [`Image`]; strings, which have no elements,
//! stand in this one. What comes in is foreign: it is checked, then built.

mod hash;
mod list;
mod set;
mod sorted_set;
mod stream;

pub(crate) use stream::rest as stream_rest;

use crate::keys::{INLINE_BYTES_MAX, Text, edit, kind_of, new_entry, new_text, view};
use base::Millis;
use conf::Settings;
use keyspace::{Change, Entry};
use rdb::{LoadedValue, SavedValue, StringRef};
use std::sync::Arc;
use structures::{NewValue, ValueRef};
use values::digest::ValueDigest;
use values::string::encoding_name;
use values::{
    Collection, Hash, HashLimits, Kind, List, ListLimits, Object, Opaque, Set, SetLimits,
    SortedSet, SortedSetLimits, Stream,
};

/// Why a foreign value is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadValue {
    /// A collection without elements, which no key can hold.
    #[error("an empty collection")]
    Empty,
    /// A member or field twice.
    #[error("a duplicate element")]
    Duplicate,
    /// Anything else that no server would have written.
    #[error("damaged content")]
    Damaged,
}

/// How large packed values may be, by the settings.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Of lists and their nodes.
    pub list: ListLimits,
    /// Of sets.
    pub set: SetLimits,
    /// Of hashes.
    pub hash: HashLimits,
    /// Of sorted sets.
    pub sorted_set: SortedSetLimits,
}

impl Limits {
    /// The limits that are set now.
    pub fn of(settings: &Settings) -> Limits {
        Limits {
            list: list::limits(settings),
            set: set::limits(settings),
            hash: hash::limits(settings),
            sorted_set: sorted_set::limits(settings),
        }
    }
}

/// A collection as it is outside.
trait Image: Collection {
    /// As it is saved. Borrowed where it can be.
    fn saved<'a>(value: Self::Ref<'a>) -> SavedValue<'a>
    where
        Self: 'a;
    /// What OBJECT ENCODING says.
    fn encoding(value: Self::Ref<'_>) -> &'static str;
    /// Adds its elements to a digest, in stock's way.
    fn digest(value: Self::Ref<'_>, begun: ValueDigest) -> ValueDigest;
}

/// The value of `entry` as it is saved.
pub fn saved(entry: &Entry) -> SavedValue<'_> {
    match kind_of(entry) {
        Kind::List => saved_as::<List>(entry),
        Kind::Set => saved_as::<Set>(entry),
        Kind::Hash => saved_as::<Hash>(entry),
        Kind::SortedSet => saved_as::<SortedSet>(entry),
        Kind::Stream => saved_as::<Stream>(entry),
        Kind::Module => SavedValue::Module(opaque(entry).map_or(b"", Opaque::bytes)),
        Kind::String => saved_text(entry),
    }
}

/// What a module has made, if that is the value of `entry`.
pub fn opaque(entry: &Entry) -> Option<&Opaque> {
    match entry.value() {
        ValueRef::Boxed(Object::Module(value)) => Some(value),
        _ => None,
    }
}

fn saved_as<C: Image>(entry: &Entry) -> SavedValue<'_> {
    view::<C>(entry).map_or(SavedValue::String(StringRef::Bytes(b"")), C::saved)
}

fn saved_text(entry: &Entry) -> SavedValue<'_> {
    SavedValue::String(match Text::of(entry) {
        Ok(Text::Int(number)) => StringRef::Int(number),
        Ok(Text::Bytes(bytes)) => StringRef::Bytes(bytes),
        Err(_) => StringRef::Bytes(b""),
    })
}

/// What OBJECT ENCODING says of the value of `entry`. O(1).
pub fn encoding(entry: &Entry) -> &'static str {
    match kind_of(entry) {
        Kind::List => encoding_as::<List>(entry),
        Kind::Set => encoding_as::<Set>(entry),
        Kind::Hash => encoding_as::<Hash>(entry),
        Kind::SortedSet => encoding_as::<SortedSet>(entry),
        Kind::Stream => encoding_as::<Stream>(entry),
        Kind::Module => "raw",
        Kind::String => match Text::of(entry) {
            Ok(Text::Int(_)) => encoding_name(true, 0, false),
            Ok(Text::Bytes(bytes)) => {
                // A boxed string has been changed in place or is too long to lie beside its key.
                let grown = matches!(entry.value(), ValueRef::Boxed(_));
                encoding_name(false, bytes.len(), grown || bytes.len() > INLINE_BYTES_MAX)
            }
            Err(_) => "raw",
        },
    }
}

fn encoding_as<C: Image>(entry: &Entry) -> &'static str {
    view::<C>(entry).map_or("raw", C::encoding)
}

/// The members of a set or sorted set that expire, which its form in a snapshot does not tell.
/// O(members), if any.
pub(crate) fn expiring_members(entry: &Entry) -> impl Iterator<Item = (&[u8], Millis)> {
    let object = match entry.value() {
        ValueRef::Boxed(object) => Some(object),
        _ => None,
    };
    object.into_iter().flat_map(Object::expiring_members)
}

/// Lets a member of a set or sorted set or a field of a hash expire; of other types nothing does.
pub(crate) fn expire_member(change: Change<'_>, member: &[u8], at: Millis) {
    match kind_of(change.entry()) {
        Kind::Set => edit(change, |set: &mut Set| set.set_expire_at(member, Some(at))),
        Kind::SortedSet => {
            edit(change, |set: &mut SortedSet| set.set_expire_at(member, Some(at)));
        }
        Kind::Hash => edit(change, |hash: &mut Hash| hash.set_expire_at(member, Some(at))),
        _ => {}
    }
}

/// Adds the value of `entry` to a digest begun with its kind. O(elements).
pub fn digest(begun: ValueDigest, entry: &Entry) -> ValueDigest {
    match kind_of(entry) {
        Kind::List => digest_as::<List>(begun, entry),
        Kind::Set => digest_as::<Set>(begun, entry),
        Kind::Hash => digest_as::<Hash>(begun, entry),
        Kind::SortedSet => digest_as::<SortedSet>(begun, entry),
        Kind::Stream => digest_as::<Stream>(begun, entry),
        Kind::Module => opaque(entry).map_or(begun, |value| begun.part(value.bytes())),
        Kind::String => Text::of(entry).map_or(begun, |text| begun.part(&text.to_vec())),
    }
}

fn digest_as<C: Image>(begun: ValueDigest, entry: &Entry) -> ValueDigest {
    view::<C>(entry).map_or(begun, |value| C::digest(value, begun))
}

/// An entry of `key` with a foreign value, in the form that `limits` ask for. O(elements).
///
/// # Errors
/// [`BadValue`].
pub fn entry(
    key: &[u8],
    value: LoadedValue,
    expire_at: Option<Millis>,
    limits: &Limits,
) -> Result<Entry, BadValue> {
    let text = |value| Entry::new(key, value, expire_at);
    Ok(match value {
        LoadedValue::Int(number) => text(NewValue::Int(number)),
        LoadedValue::String(bytes) if bytes.len() <= INLINE_BYTES_MAX => text(new_text(&bytes)),
        LoadedValue::String(bytes) => text(NewValue::Boxed(Object::Text(bytes.into()))),
        LoadedValue::List(nodes) => new_entry(key, list::build(nodes, limits.list)?, expire_at),
        LoadedValue::Set(members) => new_entry(key, set::build(&members, limits.set)?, expire_at),
        LoadedValue::SetPack(bytes) => {
            new_entry(key, set::build_packed(bytes, limits.set)?, expire_at)
        }
        LoadedValue::Intset(bytes) => {
            new_entry(key, set::build_intset(bytes, limits.set)?, expire_at)
        }
        LoadedValue::Hash(fields) => new_entry(key, hash::build(&fields, limits.hash)?, expire_at),
        LoadedValue::HashPack(bytes) => {
            new_entry(key, hash::build_packed(bytes, limits.hash)?, expire_at)
        }
        LoadedValue::SortedSet(members) => {
            new_entry(key, sorted_set::build(&members, limits.sorted_set)?, expire_at)
        }
        LoadedValue::SortedSetPack(bytes) => {
            new_entry(key, sorted_set::build_packed(bytes, limits.sorted_set)?, expire_at)
        }
        LoadedValue::Stream(image) => new_entry(key, stream::build(*image)?, expire_at),
        LoadedValue::Module(value) => {
            let mut entry = text(NewValue::Boxed(Object::Module(Arc::new(value))));
            entry.set_tag(Kind::Module.tag(0));
            entry
        }
    })
}

#[cfg(test)]
mod tests;
