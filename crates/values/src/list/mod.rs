//! Lists: elements in the order in which they were put in, reached from both ends.
//!
//! A short list is a listpack, whose bytes are stock's. One that outgrows a node becomes a ring of
//! nodes ([`Quick`]), and a listpack again when it has only one node left that is half full.

mod limits;
mod node;
mod quick;

pub use limits::ListLimits;
pub use node::Part;
pub use quick::{LentNodes, Quick};

use crate::collection::in_object;
use crate::{Collection, Kind, Object, foreign};
use std::borrow::Cow;
use std::ops::Range;
use structures::Mover;
use structures::listpack::{Item, Listpack, ListpackBuf};

/// One end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The beginning.
    Left,
    /// The end.
    Right,
}

/// A list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List(Form);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    Packed(ListpackBuf),
    Large(Box<Quick>),
}

/// A view of a list.
#[derive(Clone, Copy, Debug)]
pub enum ListRef<'a> {
    /// A listpack.
    Packed(Listpack<'a>),
    /// Nodes.
    Large(&'a Quick),
}

impl Default for List {
    fn default() -> List {
        List(Form::Packed(ListpackBuf::new()))
    }
}

impl List {
    /// Adds the elements of a sound pack that somebody else made at the end, as a node of its own if
    /// that may be. O(bytes).
    pub fn push_pack(&mut self, bytes: Vec<u8>, limits: ListLimits) {
        let pack = Listpack::of(&bytes);
        let len = pack.len();
        let whole = !pack.is_empty()
            && !limits.exceeds(bytes.len(), len)
            && pack.iter().all(foreign::is_alike);
        if !whole {
            let mut digits = itoa::Buffer::new();
            pack.iter().for_each(|item| self.push(End::Right, item.bytes(&mut digits), limits));
            return;
        }
        match &mut self.0 {
            Form::Packed(own) if own.is_empty() => *own = ListpackBuf::from_trusted(bytes),
            Form::Packed(own)
                if !limits.exceeds(own.as_bytes().len() + bytes.len(), own.len() + len) =>
            {
                own.append(pack);
            }
            _ => {
                self.grow(bytes.len(), len, limits);
                if let Form::Large(list) = &mut self.0 {
                    list.push_pack(ListpackBuf::from_trusted(bytes), limits);
                }
            }
        }
    }

    /// Prepares for `count` more elements of `bytes` bytes in all: a listpack that would be too large
    /// with them becomes a ring of nodes.
    pub fn grow(&mut self, bytes: usize, count: usize, limits: ListLimits) {
        if let Form::Packed(pack) = &mut self.0
            && limits.exceeds(pack.as_bytes().len().saturating_add(bytes), pack.len() + count)
        {
            self.0 = Form::Large(Box::new(Quick::of_pack(std::mem::take(pack))));
        }
    }

    /// Adds an element at an end.
    pub fn push(&mut self, end: End, element: &[u8], limits: ListLimits) {
        self.grow(element.len(), 1, limits);
        match &mut self.0 {
            Form::Packed(pack) => quick::push(pack, end, element),
            Form::Large(list) => list.push(end, element, limits),
        }
    }

    /// Adds an element as number `index`, at the end if there are fewer.
    pub fn insert(&mut self, index: usize, element: &[u8], limits: ListLimits) {
        self.grow(element.len(), 1, limits);
        match &mut self.0 {
            Form::Packed(pack) => quick::insert(pack, index, element),
            Form::Large(list) => list.insert(index, element, limits),
        }
    }

    /// Makes element number `index` another; false if there is no such.
    pub fn set(&mut self, index: usize, element: &[u8], limits: ListLimits) -> bool {
        if index >= self.as_ref().len() {
            return false;
        }
        self.grow(element.len(), 1, limits);
        match &mut self.0 {
            Form::Packed(pack) => quick::replace(pack, index, element),
            Form::Large(list) => list.set(index, element, limits),
        }
        self.shrink(limits);
        true
    }

    /// Takes the elements of these numbers out.
    pub fn remove(&mut self, range: Range<usize>, limits: ListLimits) {
        match &mut self.0 {
            Form::Packed(pack) => quick::cut(pack, range.start, range.len()),
            Form::Large(list) => list.remove(range, limits),
        }
        self.shrink(limits);
    }

    /// Takes `count` elements at an end out, all if there are fewer.
    pub fn remove_at(&mut self, end: End, count: usize, limits: ListLimits) {
        let len = self.as_ref().len();
        let count = count.min(len);
        let from = if end == End::Left { 0 } else { len - count };
        self.remove(from..from + count, limits);
    }

    /// Takes at most `count_max` elements that are `wanted` out, the first or (`backwards`) the last
    /// ones. Gives how many.
    pub fn remove_equal(
        &mut self,
        wanted: &[u8],
        count_max: usize,
        backwards: bool,
        limits: ListLimits,
    ) -> usize {
        let removed = match &mut self.0 {
            Form::Packed(pack) => node::remove_equal(pack, wanted, count_max, backwards),
            Form::Large(list) => list.remove_equal(wanted, count_max, backwards, limits),
        };
        self.shrink(limits);
        removed
    }

    /// Makes a ring of nodes that has become small a listpack.
    fn shrink(&mut self, limits: ListLimits) {
        if let Form::Large(list) = &mut self.0
            && let Some(pack) = list.take_small(limits)
        {
            self.0 = Form::Packed(pack);
        }
    }

    /// References to the nodes of a long list. O(nodes).
    pub fn lend(&mut self) -> Option<LentNodes> {
        match &mut self.0 {
            Form::Packed(_) => None,
            Form::Large(list) => Some(list.lend()),
        }
    }

    /// Moves what it owns where `mover` wants it, as [`Object::relocate`].
    pub(crate) fn relocate(&mut self, reached: u128, elements: usize, mover: &mut Mover) -> u128 {
        match &mut self.0 {
            Form::Packed(pack) => {
                pack.relocate(mover);
                0
            }
            Form::Large(list) => {
                mover.boxed(list);
                list.relocate(reached, elements, mover)
            }
        }
    }

    /// Heap bytes. O(1).
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            Form::Packed(pack) => pack.as_bytes().len(),
            Form::Large(list) => size_of::<Quick>() + list.heap_bytes(),
        }
    }
}

impl<'a> ListRef<'a> {
    /// The number of elements.
    #[inline]
    pub fn len(self) -> usize {
        match self {
            ListRef::Packed(pack) => pack.len(),
            ListRef::Large(list) => list.len(),
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// What OBJECT ENCODING says.
    pub const fn encoding(self) -> &'static str {
        match self {
            ListRef::Packed(_) => "listpack",
            ListRef::Large(_) => "quicklist",
        }
    }

    /// Visits the elements from number `from` on, until `visit` says false.
    pub fn walk(self, from: usize, visit: impl FnMut(Item<'_>) -> bool) {
        self.walk_either(from, false, visit);
    }

    /// Visits the elements from number `from` to the first, until `visit` says false.
    pub fn walk_back(self, from: usize, visit: impl FnMut(Item<'_>) -> bool) {
        self.walk_either(from, true, visit);
    }

    fn walk_either(self, from: usize, backwards: bool, mut visit: impl FnMut(Item<'_>) -> bool) {
        match self {
            ListRef::Packed(pack) => {
                node::walk(pack, from, backwards, &mut visit);
            }
            ListRef::Large(list) => list.walk(from, backwards, &mut visit),
        }
    }

    /// Element number `index`.
    pub fn get(self, index: usize) -> Option<Vec<u8>> {
        let mut found = None;
        self.walk(index, |item| {
            found = Some(item.to_vec());
            false
        });
        found
    }

    /// Its parts: those of nodes, or one listpack.
    pub fn parts(self) -> Vec<Part<'a>> {
        match self {
            ListRef::Packed(pack) => vec![Part::Pack(Cow::Borrowed(pack.as_bytes()))],
            ListRef::Large(list) => list.parts().collect(),
        }
    }
}

impl Collection for List {
    const KIND: Kind = Kind::List;
    type Ref<'a> = ListRef<'a>;

    fn view(_form: u8, bytes: &[u8]) -> ListRef<'_> {
        ListRef::Packed(Listpack::of(bytes))
    }

    fn as_ref(&self) -> ListRef<'_> {
        match &self.0 {
            Form::Packed(pack) => ListRef::Packed(pack.view()),
            Form::Large(list) => ListRef::Large(list),
        }
    }

    fn unpack(_form: u8, bytes: &[u8]) -> List {
        List(Form::Packed(ListpackBuf::from_trusted(bytes.to_vec())))
    }

    fn packed(&self) -> Option<(u8, &[u8])> {
        match &self.0 {
            Form::Packed(pack) => Some((0, pack.as_bytes())),
            Form::Large(_) => None,
        }
    }

    fn is_empty(&self) -> bool {
        self.as_ref().is_empty()
    }

    in_object!(List);
}

#[cfg(test)]
mod tests;
