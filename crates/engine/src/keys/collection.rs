//! Collections in entries: packed bytes inline, or a boxed value.

use super::{INLINE_BYTES_MAX, Keys};
use crate::error::CommandError;
use base::Millis;
use keyspace::{Change, Entry};
use structures::{NewValue, ValueMut, ValueRef};
use values::{Collection, Kind};

/// What became of a collection that was edited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edited<T> {
    /// What the edit answered.
    pub value: T,
    /// The key was absent before.
    pub created: bool,
    /// The collection became empty, and its key was taken out.
    pub removed: bool,
}

/// The collection in `entry`.
///
/// # Errors
/// `WrongType` if it holds another type.
#[inline]
pub fn view<C: Collection>(entry: &Entry) -> Result<C::Ref<'_>, CommandError> {
    let (kind, form) = Kind::of_tag(entry.tag());
    if kind != C::KIND {
        return Err(CommandError::WrongType);
    }
    match entry.value() {
        ValueRef::Bytes(bytes) => Ok(C::view(form, bytes)),
        ValueRef::Boxed(object) => C::of(object).map(C::as_ref).ok_or(CommandError::WrongType),
        ValueRef::Int(_) => Err(CommandError::WrongType),
    }
}

/// An entry of `key` with `value`.
pub fn new_entry<C: Collection>(key: &[u8], value: C, expire_at: Option<Millis>) -> Entry {
    let packed = value.packed().filter(|(_, bytes)| bytes.len() <= INLINE_BYTES_MAX);
    let (tag, mut entry) = if let Some((form, bytes)) = packed {
        (C::KIND.tag(form), Entry::new(key, NewValue::Bytes(bytes), expire_at))
    } else {
        let value = NewValue::Boxed(value.into_object());
        (C::KIND.tag(0), Entry::new(key, value, expire_at))
    };
    entry.set_tag(tag);
    entry
}

/// Puts `value` in the place of an inline one.
fn store<C: Collection>(mut change: Change<'_>, value: C) {
    let packed = value.packed().filter(|(_, bytes)| bytes.len() <= INLINE_BYTES_MAX);
    if let Some((form, bytes)) = packed {
        change.set_tagged(C::KIND.tag(form), NewValue::Bytes(bytes));
    } else {
        change.set_tagged(C::KIND.tag(0), NewValue::Boxed(value.into_object()));
    }
}

/// Edits the collection behind `change`, of whose type it is, in a way that empties nothing.
pub(crate) fn edit<C: Collection>(mut change: Change<'_>, edit: impl FnOnce(&mut C) -> bool) {
    let inline = match change.entry().value() {
        ValueRef::Bytes(bytes) => Some(C::unpack(Kind::of_tag(change.entry().tag()).1, bytes)),
        _ => None,
    };
    if let Some(mut collection) = inline {
        if edit(&mut collection) {
            store(change, collection);
        }
    } else if let ValueMut::Boxed(object) = change.value_mut()
        && let Some(collection) = C::of_mut(object)
    {
        edit(collection);
    }
}

/// Edits a boxed value in place, which goes inline if it has become packed. Gives the answer, and
/// whether the value is empty now.
fn edit_boxed<C: Collection, T>(
    mut change: Change<'_>,
    edit: impl FnOnce(&mut C) -> Result<T, CommandError>,
) -> Result<(T, bool), CommandError> {
    let ValueMut::Boxed(object) = change.value_mut() else { return Err(CommandError::WrongType) };
    let value = C::of_mut(object).ok_or(CommandError::WrongType)?;
    let answer = edit(value)?;
    if value.is_empty() {
        return Ok((answer, true));
    }
    let packed = value.packed().filter(|(_, bytes)| bytes.len() <= INLINE_BYTES_MAX);
    if let Some((form, bytes)) = packed {
        let bytes = bytes.to_vec();
        change.set_tagged(C::KIND.tag(form), NewValue::Bytes(&bytes));
    }
    Ok((answer, false))
}

impl Keys<'_> {
    /// The collection at `key`, counted as a hit or a miss.
    ///
    /// # Errors
    /// `WrongType` if the key holds another type.
    #[inline]
    pub fn read<C: Collection>(&mut self, key: &[u8]) -> Result<Option<C::Ref<'_>>, CommandError> {
        self.end_members(key, C::KIND);
        self.find(key).map(view::<C>).transpose()
    }

    /// The collection at `key`, neither counted nor touched.
    ///
    /// # Errors
    /// `WrongType` if the key holds another type.
    #[inline]
    pub fn peek_at<C: Collection>(
        &mut self,
        key: &[u8],
    ) -> Result<Option<C::Ref<'_>>, CommandError> {
        self.end_members(key, C::KIND);
        self.peek(key).map(view::<C>).transpose()
    }

    /// The entry of `key` as [`Keys::find`] gives it, without members that have ended: for those who take
    /// the whole value, of whatever type.
    pub fn find_whole(&mut self, key: &[u8]) -> Option<&Entry> {
        for kind in [Kind::Set, Kind::SortedSet] {
            self.end_members(key, kind);
        }
        self.find(key)
    }

    /// Edits the collection at `key`; `None` if there is none. One that is empty afterwards is taken
    /// out. The key counts as changed even if `edit` changes nothing, so read first. An error of a
    /// packed collection's `edit` leaves it as it was; with a large one that is up to `edit`.
    ///
    /// # Errors
    /// `WrongType` if the key holds another type, and those of `edit`.
    pub fn edit<C: Collection, T>(
        &mut self,
        key: &[u8],
        edit: impl FnOnce(&mut C) -> Result<T, CommandError>,
    ) -> Result<Option<Edited<T>>, CommandError> {
        let (db, clock) = (self.db, self.node.access_clock());
        self.end_members(key, C::KIND);
        self.note_change(key);
        let Some((shard, hash)) = self.shard(db, key) else { return Ok(None) };
        let Some(entry) = shard.find(db, hash, key) else { return Ok(None) };
        view::<C>(entry)?;
        entry.set_access(clock.touched(entry.access()));
        let (value, is_empty) = if let ValueRef::Bytes(bytes) = entry.value() {
            let mut collection = C::unpack(Kind::of_tag(entry.tag()).1, bytes);
            let value = edit(&mut collection)?;
            let is_empty = collection.is_empty();
            if let Some(change) = shard.change(db, hash, key).filter(|_| !is_empty) {
                store(change, collection);
            }
            (value, is_empty)
        } else {
            let change = shard.change(db, hash, key).ok_or(CommandError::NoSuchKey)?;
            edit_boxed(change, edit)?
        };
        if is_empty {
            shard.remove(db, hash, key);
        }
        Ok(Some(Edited { value, created: false, removed: is_empty }))
    }

    /// Edits the collection at `key`, a new one if there is none: that is not put in if it stays empty.
    ///
    /// # Errors
    /// `WrongType` if the key holds another type, and those of `edit`.
    pub fn edit_or_create<C: Collection, T>(
        &mut self,
        key: &[u8],
        edit: impl FnOnce(&mut C) -> Result<T, CommandError>,
    ) -> Result<Edited<T>, CommandError> {
        let mut edit = Some(edit);
        let edited = self.edit(key, |collection| match edit.take() {
            Some(edit) => edit(collection),
            None => Err(CommandError::NoSuchKey),
        })?;
        if let Some(edited) = edited {
            return Ok(edited);
        }
        let edit = edit.ok_or(CommandError::NoSuchKey)?;
        let mut collection = C::default();
        let value = edit(&mut collection)?;
        let created = !collection.is_empty();
        if created {
            self.put_collection(key, collection, None);
        }
        Ok(Edited { value, created, removed: false })
    }

    /// Puts a collection at `key`, whatever was there. True if something was.
    pub fn put_collection<C: Collection>(
        &mut self,
        key: &[u8],
        value: C,
        expire_at: Option<Millis>,
    ) -> bool {
        self.put_entry(self.db, new_entry(key, value, expire_at))
    }
}
