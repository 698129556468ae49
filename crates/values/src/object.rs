//! The boxed form of a value that does not lie inline beside its key.
//!
//! Short strings and integers live in the entry itself; what is longer, or grows by being appended
//! to, is an `Object`. A later type is one more variant here and one folder beside `string`.

use crate::fragment::{FRAGMENTED_BYTES_MIN, FRAGMENTED_TEXT_BYTES_MIN, Fragmented};
use crate::string::RawString;
use crate::{Collection, Hash, List, Opaque, Set, SetRef, SortedSet, SortedSetRef};
use base::Millis;
use std::sync::Arc;

/// The type of a value as TYPE answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Bytes or an integer.
    String,
    /// Elements in the order in which they were put in.
    List,
    /// Members, each once.
    Set,
    /// Members in the order of their scores.
    SortedSet,
    /// Fields with values.
    Hash,
    /// Entries by id, and groups of consumers.
    Stream,
    /// What only a module that is not there understands.
    Module,
}

impl Kind {
    /// The name that TYPE answers and SCAN's TYPE option accepts; for modules those are the names of
    /// their types.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::String => "string",
            Kind::List => "list",
            Kind::Set => "set",
            Kind::SortedSet => "zset",
            Kind::Hash => "hash",
            Kind::Stream => "stream",
            Kind::Module => "module",
        }
    }

    /// The number of the type in stock's digests and module interface.
    pub const fn number(self) -> u32 {
        match self {
            Kind::String => 0,
            Kind::List => 1,
            Kind::Set => 2,
            Kind::SortedSet => 3,
            Kind::Hash => 4,
            Kind::Module => 5,
            Kind::Stream => 6,
        }
    }

    /// The tag of an entry with such a value in packed form number `form` (0 for other forms).
    pub const fn tag(self, form: u8) -> u8 {
        match (self, form) {
            (Kind::String, _) => 0,
            (Kind::List, _) => 1,
            (Kind::Set, 0) => 2,
            (Kind::SortedSet, _) => 3,
            (Kind::Hash, 0) => 4,
            (Kind::Module, _) => 5,
            (Kind::Stream, _) => 6,
            (Kind::Set, _) => 7,
            (Kind::Hash, _) => 8,
        }
    }

    /// What an entry's tag says: the type, and the number of the packed form.
    ///
    /// # Panics
    /// On a tag that `tag` does not give.
    pub const fn of_tag(tag: u8) -> (Kind, u8) {
        match tag {
            0 => (Kind::String, 0),
            1 => (Kind::List, 0),
            2 => (Kind::Set, 0),
            3 => (Kind::SortedSet, 0),
            4 => (Kind::Hash, 0),
            5 => (Kind::Module, 0),
            6 => (Kind::Stream, 0),
            7 => (Kind::Set, 1),
            8 => (Kind::Hash, 1),
            _ => panic!("a tag that no entry has"),
        }
    }
}

/// A boxed value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    /// A string above the inline limit, or one that is appended to and so keeps spare capacity.
    Text(RawString),
    /// A list.
    List(List),
    /// A set.
    Set(Set),
    /// A hash.
    Hash(Hash),
    /// A sorted set.
    SortedSet(SortedSet),
    /// Entries by id.
    Stream(Box<crate::Stream>),
    /// A value of a module that is not there.
    Module(Arc<Opaque>),
}

impl Object {
    /// The type of the value.
    pub const fn kind(&self) -> Kind {
        match self {
            Object::Text(_) => Kind::String,
            Object::List(_) => Kind::List,
            Object::Set(_) => Kind::Set,
            Object::Hash(_) => Kind::Hash,
            Object::SortedSet(_) => Kind::SortedSet,
            Object::Stream(_) => Kind::Stream,
            Object::Module(_) => Kind::Module,
        }
    }

    /// The heap bytes the value holds beside `size_of::<Object>()`, spare capacity included. O(1).
    pub fn heap_bytes(&self) -> usize {
        match self {
            Object::Text(text) => text.heap_bytes(),
            Object::List(list) => list.heap_bytes(),
            Object::Set(set) => set.heap_bytes(),
            Object::Hash(hash) => hash.heap_bytes(),
            Object::SortedSet(s) => s.heap_bytes(),
            Object::Stream(stream) => size_of::<crate::Stream>() + stream.heap_bytes(),
            Object::Module(value) => size_of::<Opaque>() + value.heap_bytes(),
        }
    }

    /// Whether a walk should not save it at once. O(1).
    pub fn is_large(&self) -> bool {
        self.heap_bytes()
            >= match self {
                Object::Text(_) => FRAGMENTED_TEXT_BYTES_MIN,
                _ => FRAGMENTED_BYTES_MIN,
            }
    }

    /// The value as one that is saved fragment by fragment, if its form is such.
    #[inline]
    pub fn fragmented(&self) -> Option<&dyn Fragmented> {
        match self {
            Object::Text(text) => Some(text),
            Object::Hash(hash) => hash.fragmented(),
            Object::Set(set) => set.fragmented(),
            Object::SortedSet(set) => set.fragmented(),
            _ => None,
        }
    }

    /// As [`Object::fragmented`].
    #[inline]
    pub fn fragmented_mut(&mut self) -> Option<&mut dyn Fragmented> {
        match self {
            Object::Text(text) => Some(text),
            Object::Hash(hash) => hash.fragmented_mut(),
            Object::Set(set) => set.fragmented_mut(),
            Object::SortedSet(set) => set.fragmented_mut(),
            _ => None,
        }
    }

    /// A time before which none of its elements ends by itself, if any ever does. O(1).
    #[inline]
    pub fn soonest(&self) -> Option<Millis> {
        match self {
            Object::Hash(hash) => hash.as_ref().soonest(),
            Object::Set(set) => set.as_ref().soonest(),
            Object::SortedSet(set) => set.as_ref().soonest(),
            _ => None,
        }
    }

    /// The elements of a set or sorted set that end by themselves, and when; those of a hash say so
    /// themselves. O(elements), if there are any.
    pub fn expiring_members(&self) -> impl Iterator<Item = (&[u8], Millis)> {
        let (set, sorted) = match self {
            Object::Set(set) => (Some(set.as_ref()), None),
            Object::SortedSet(set) => (None, Some(set.as_ref())),
            _ => (None, None),
        };
        let members = set.into_iter().flat_map(SetRef::expiring);
        members.chain(sorted.into_iter().flat_map(SortedSetRef::expiring))
    }

    /// Takes out elements that have ended by `now` in at most `buckets` buckets. True if all are out.
    pub fn sweep(&mut self, now: Millis, buckets: usize, removed: impl FnMut(&[u8])) -> bool {
        match self {
            Object::Hash(hash) => hash.sweep(now, buckets, removed),
            Object::Set(set) => set.sweep(now, buckets, removed),
            Object::SortedSet(set) => set.sweep(now, buckets, removed),
            _ => true,
        }
    }

    /// Whether it is a collection that has lost its last element, so that its key is to go.
    pub fn is_empty(&self) -> bool {
        match self {
            Object::List(list) => list.is_empty(),
            Object::Set(set) => set.is_empty(),
            Object::Hash(hash) => hash.is_empty(),
            Object::SortedSet(set) => set.is_empty(),
            Object::Stream(stream) => stream.is_empty(),
            Object::Text(_) | Object::Module(_) => false,
        }
    }

    /// All bytes of the boxed value: the object itself and its heap. O(1).
    pub fn memory_bytes(&self) -> usize {
        size_of::<Object>() + self.heap_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_tell_kind_and_form() {
        use Kind::{Hash, List, Module, Set, SortedSet, Stream, String};
        for (kind, forms) in
            [(String, 1), (List, 1), (Set, 2), (SortedSet, 1), (Hash, 2), (Stream, 1), (Module, 1)]
        {
            for form in 0..forms {
                assert_eq!(Kind::of_tag(kind.tag(form)), (kind, form));
            }
        }
    }

    #[test]
    fn memory_counts_spare_capacity() {
        let object = Object::Text(Vec::with_capacity(100).into());
        assert_eq!(object.memory_bytes(), 100 + size_of::<Object>());
        assert_eq!(object.kind().name(), "string");
    }
}
