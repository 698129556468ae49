//! A node of a long list: a listpack, or one long element; either may be compressed.
//!
//! A compressed node is unpacked into bytes of its own to be read, and in place to be changed. Whether
//! it is to be compressed is its list's business.

use super::ListLimits;
use crate::Shared;
use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;
use structures::Mover;
use structures::listpack::{Item, Listpack, ListpackBuf};
use structures::lzf::{self, Compressor};

/// Bytes below which compressing is not tried.
const COMPRESSED_BYTES_MIN: usize = 48;

/// Bytes that compressing has to save.
const SAVED_BYTES_MIN: usize = 8;

thread_local! {
    static COMPRESSOR: RefCell<Compressor> = RefCell::default();
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    count: usize,
    /// Compressing it as it is has failed.
    is_dense: bool,
    body: Shared<Body>,
}

/// What a node consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Body {
    Pack(ListpackBuf),
    Long(Vec<u8>),
    Compressed { bytes: Box<[u8]>, len: usize, is_long: bool },
}

impl Default for Body {
    fn default() -> Body {
        Body::Long(Vec::new())
    }
}

impl Body {
    /// Its bytes. O(1), or O(bytes) if they are compressed.
    pub(super) fn open(&self) -> Part<'_> {
        match self {
            Body::Pack(pack) => Part::Pack(Cow::Borrowed(pack.as_bytes())),
            Body::Long(bytes) => Part::Long(Cow::Borrowed(bytes)),
            Body::Compressed { bytes, len, is_long } => {
                let bytes = Cow::Owned(unpacked(bytes, *len));
                if *is_long { Part::Long(bytes) } else { Part::Pack(bytes) }
            }
        }
    }
}

/// A node's bytes, to be read.
#[derive(Clone, Debug)]
pub enum Part<'a> {
    /// A listpack.
    Pack(Cow<'a, [u8]>),
    /// One long element.
    Long(Cow<'a, [u8]>),
}

impl Node {
    /// A node of one element.
    pub(super) fn of(element: &[u8], limits: ListLimits) -> Node {
        let body = if limits.is_long(element.len()) {
            Body::Long(element.to_vec())
        } else {
            let mut pack = ListpackBuf::new();
            pack.push_back(element);
            Body::Pack(pack)
        };
        Node { count: 1, is_dense: false, body: body.into() }
    }

    /// A node of a pack.
    pub(super) fn of_pack(pack: ListpackBuf) -> Node {
        Node { count: pack.len(), is_dense: false, body: Body::Pack(pack).into() }
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Bytes of the pack or element, not compressed.
    pub(super) fn len_bytes(&self) -> usize {
        match &*self.body {
            Body::Pack(pack) => pack.as_bytes().len(),
            Body::Long(bytes) => bytes.len(),
            Body::Compressed { len, .. } => *len,
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        match &*self.body {
            Body::Long(bytes) => bytes.capacity(),
            Body::Compressed { bytes, .. } => bytes.len(),
            Body::Pack(_) => self.len_bytes(),
        }
    }

    pub(super) fn is_long(&self) -> bool {
        matches!(*self.body, Body::Long(_) | Body::Compressed { is_long: true, .. })
    }

    pub(super) fn is_compressed(&self) -> bool {
        matches!(*self.body, Body::Compressed { .. })
    }

    /// Whether there is no use in compressing it as it is.
    #[cfg(test)]
    pub(super) fn is_settled(&self) -> bool {
        self.is_dense
    }

    /// Whether another element of `len` bytes may join it.
    pub(super) fn takes(&self, len: usize, limits: ListLimits) -> bool {
        !self.is_long()
            && !limits.is_long(len)
            && !limits.exceeds_with(self.len_bytes(), self.count, len)
    }

    /// Whether it and `other` may be one.
    pub(super) fn may_join(&self, other: &Node, limits: ListLimits) -> bool {
        let bytes = self.len_bytes() + other.len_bytes();
        !self.is_long() && !other.is_long() && !limits.exceeds(bytes, self.count + other.count)
    }

    /// Its bytes. O(1), or O(bytes) if they are compressed.
    pub(super) fn open(&self) -> Part<'_> {
        self.body.open()
    }

    /// A reference to its bytes as they are now.
    pub(super) fn lend(&mut self) -> Arc<Body> {
        self.body.lend()
    }

    /// Moves its bytes where `mover` wants them, unless a walk has a reference to them.
    pub(super) fn relocate(&mut self, mover: &mut Mover) {
        match self.body.alone() {
            Some(Body::Pack(pack)) => pack.relocate(mover),
            Some(Body::Long(bytes)) => mover.vec(bytes),
            Some(Body::Compressed { bytes, .. }) => mover.bytes(bytes),
            None => {}
        }
    }

    /// Its elements as a pack, to be changed by `edit`; nothing happens to a long element.
    pub(super) fn edit<T>(&mut self, edit: impl FnOnce(&mut ListpackBuf) -> T) -> Option<T> {
        self.unpack();
        self.is_dense = false;
        let Body::Pack(pack) = self.body.own() else { return None };
        let result = edit(pack);
        self.count = pack.len();
        Some(result)
    }

    /// Makes a long element another one.
    pub(super) fn set_long(&mut self, element: &[u8]) {
        self.is_dense = false;
        self.body = Body::Long(element.to_vec()).into();
    }

    /// Takes the elements from number `offset` on out of a pack, as a node of their own.
    pub(super) fn split_off(&mut self, offset: usize) -> Option<Node> {
        self.edit(|pack| {
            let mut tail = pack.clone();
            tail.truncate_front(offset);
            pack.truncate_back(tail.len());
            Node::of_pack(tail)
        })
    }

    /// Adds the elements of `other` behind its own.
    pub(super) fn join(&mut self, other: &Node) {
        if let Part::Pack(bytes) = other.open() {
            self.edit(|pack| pack.append(Listpack::of(&bytes)));
        }
    }

    /// Compresses it if that is worth it.
    pub(super) fn compress(&mut self) {
        if self.is_dense || self.is_compressed() {
            return;
        }
        let mut packed = Vec::new();
        if let Part::Pack(bytes) | Part::Long(bytes) = self.open()
            && bytes.len() >= COMPRESSED_BYTES_MIN
        {
            let most = bytes.len() - SAVED_BYTES_MIN;
            COMPRESSOR.with_borrow_mut(|compressor| {
                compressor.compress(&bytes, most, &mut packed);
            });
        }
        if packed.is_empty() {
            self.is_dense = true;
            return;
        }
        let (len, is_long) = (self.len_bytes(), self.is_long());
        self.body = Body::Compressed { bytes: packed.into(), len, is_long }.into();
    }

    /// Undoes `compress`.
    pub(super) fn unpack(&mut self) {
        if let Body::Compressed { bytes, len, is_long } = &*self.body {
            let bytes = unpacked(bytes, *len);
            let body = if *is_long {
                Body::Long(bytes)
            } else {
                Body::Pack(ListpackBuf::from_trusted(bytes))
            };
            self.body = body.into();
        }
    }

    /// The pack, if that is what it is.
    pub(super) fn into_pack(mut self) -> Option<ListpackBuf> {
        self.unpack();
        match self.body.into_own() {
            Body::Pack(pack) => Some(pack),
            Body::Long(_) | Body::Compressed { .. } => None,
        }
    }
}

fn unpacked(bytes: &[u8], len: usize) -> Vec<u8> {
    lzf::decompress(bytes, len).expect("it was compressed here")
}

impl Part<'_> {
    /// Visits the elements from number `from` on, or (`backwards`) from it to the first, until `visit`
    /// says false. False if it did.
    pub(super) fn walk(
        &self,
        from: usize,
        backwards: bool,
        visit: &mut impl FnMut(Item<'_>) -> bool,
    ) -> bool {
        match self {
            Part::Pack(bytes) => walk(Listpack::of(bytes), from, backwards, visit),
            Part::Long(bytes) => visit(Item::Bytes(bytes)),
        }
    }

    /// Whether an element is `wanted`.
    pub(super) fn has(&self, wanted: &[u8]) -> bool {
        match self {
            Part::Pack(bytes) => Listpack::of(bytes).find(None, wanted, 0).is_some(),
            Part::Long(bytes) => **bytes == *wanted,
        }
    }
}

/// Visits elements of a pack as [`Part::walk`] does.
pub(super) fn walk(
    pack: Listpack<'_>,
    from: usize,
    backwards: bool,
    visit: &mut impl FnMut(Item<'_>) -> bool,
) -> bool {
    let mut at = place(pack, from);
    if !backwards {
        return at.is_none_or(|at| pack.iter_from(at).all(visit));
    }
    while let Some(here) = at {
        if !visit(pack.get(here)) {
            return false;
        }
        at = pack.previous(here);
    }
    true
}

/// Where element number `index` of a pack is.
pub(super) fn place(pack: Listpack<'_>, index: usize) -> Option<usize> {
    pack.index(isize::try_from(index).ok()?)
}

/// Takes at most `count_max` elements that are `wanted` out of a pack, the first or (`backwards`) the
/// last ones. Gives how many. O(bytes).
pub(super) fn remove_equal(
    pack: &mut ListpackBuf,
    wanted: &[u8],
    count_max: usize,
    backwards: bool,
) -> usize {
    let view = pack.view();
    let mut found = Vec::new();
    let mut next = view.find(None, wanted, 0);
    while let Some(at) = next {
        found.push(at);
        if !backwards && found.len() == count_max {
            break;
        }
        next = view.next(at).and_then(|from| view.find(Some(from), wanted, 0));
    }
    if backwards {
        found.drain(..found.len().saturating_sub(count_max));
    }
    if let [at] = found[..] {
        pack.remove(at, 1);
    } else if !found.is_empty() {
        let mut kept = ListpackBuf::with_capacity(view.as_bytes().len());
        let (mut at, mut gone) = (view.first(), found.iter().peekable());
        while let Some(here) = at {
            if gone.next_if_eq(&&here).is_none() {
                match view.get(here) {
                    Item::Int(number) => kept.push_back_int(number),
                    Item::Bytes(bytes) => kept.push_back(bytes),
                }
            }
            at = view.next(here);
        }
        *pack = kept;
    }
    found.len()
}
