//! Sorted sets outside the keyspace.

use super::{BadValue, Image};
use conf::Settings;
use rdb::SavedValue;
use structures::listpack::Listpack;
use values::digest::ValueDigest;
use values::{Collection as _, SortedSet, SortedSetLimits, SortedSetRef};

/// The limits of packed sorted sets.
pub(super) fn limits(settings: &Settings) -> SortedSetLimits {
    SortedSetLimits {
        entries: settings.zset_max_listpack_entries.size(),
        value: settings.zset_max_listpack_value.size(),
    }
}

/// The sorted set of `members`, in whatever order they come.
pub(super) fn build(
    members: &[(Vec<u8>, f64)],
    limits: SortedSetLimits,
) -> Result<SortedSet, BadValue> {
    if members.is_empty() {
        return Err(BadValue::Empty);
    }
    if members.iter().any(|(_, score)| score.is_nan()) {
        return Err(BadValue::Damaged);
    }
    let each = members.iter().map(|(member, score)| (&member[..], *score));
    let set = SortedSet::of_members(each, limits);
    if set.as_ref().len() == members.len() { Ok(set) } else { Err(BadValue::Duplicate) }
}

/// The sorted set of a sound pack of members and scores.
pub(super) fn build_packed(bytes: Vec<u8>, limits: SortedSetLimits) -> Result<SortedSet, BadValue> {
    if Listpack::of(&bytes).is_empty() {
        return Err(BadValue::Empty);
    }
    SortedSet::of_pack(bytes, limits).or_else(|bytes| {
        let (mut elements, mut members) = (Listpack::of(&bytes).iter(), Vec::new());
        while let (Some(member), Some(score)) = (elements.next(), elements.next()) {
            let score = score.to_vec();
            let score = std::str::from_utf8(&score).ok().and_then(|text| text.trim().parse().ok());
            members.push((member.to_vec(), score.ok_or(BadValue::Damaged)?));
        }
        build(&members, limits)
    })
}

impl Image for SortedSet {
    fn saved<'a>(set: SortedSetRef<'a>) -> SavedValue<'a>
    where
        Self: 'a,
    {
        match set {
            SortedSetRef::Packed(pack) => SavedValue::SortedSetPack(pack.as_bytes()),
            SortedSetRef::Large(_) => {
                SavedValue::SortedSet(set.len(), Box::new(set.iter(0..set.len()).rev()))
            }
        }
    }

    fn encoding(set: SortedSetRef<'_>) -> &'static str {
        set.encoding()
    }

    fn digest(set: SortedSetRef<'_>, begun: ValueDigest) -> ValueDigest {
        let mut room = itoa::Buffer::new();
        set.iter(0..set.len()).fold(begun, |digest, (member, score)| {
            let mut text = Vec::new();
            base::double::write(&mut text, score);
            digest.unordered(&[member.bytes(&mut room), &text])
        })
    }
}
