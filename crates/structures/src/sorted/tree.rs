//! A counted B+ tree of items ordered by (score, member). It owns no member: see `sorted`.
//!
//! Invariants: no node but the root is empty; all leaves have one depth; a child's `count` is the
//! number of items under it and its `first` the first of them.

use super::Sorted;
use crate::entry::untagged;
use crate::prefetch::prefetch;
use crate::{Entry, Mover};
use std::cmp::Ordering;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::slice;

/// Items of a leaf, and children of an inner node.
const WIDTH: usize = 64;

/// Points to an entry of the table, whose key is the member.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member(NonNull<u8>);

// SAFETY: 1. It is a shared view of an entry that the same `Sorted` owns, and moves with it. 2. Nothing
// in an entry is bound to a thread.
unsafe impl Send for Member {}
// SAFETY: 1. Through it one reads bytes that do not change.
unsafe impl Sync for Member {}

impl Member {
    pub(super) fn of(entry: &Entry<()>) -> Member {
        Member(entry.word())
    }

    /// The member's bytes, for as long as the sorted set is not changed.
    #[inline]
    pub(super) fn bytes(self, _owner: &Sorted) -> &[u8] {
        // SAFETY: 1. The item is in the tree of `_owner`, so its entry is in the table (invariants 1 and
        // 3 of `sorted`). 2. `&Sorted` keeps it there for the lifetime given out.
        unsafe { self.raw() }
    }

    /// Hints that its entry will be read.
    #[inline]
    pub(super) fn prefetch(self) {
        prefetch(untagged(self.0.as_ptr()).cast_const());
    }

    /// The entry that holds the member. `cargo bench -p structures --bench sorted`: 30 ns each in order
    /// (29 to 31 in three runs), where looking them up in the table takes 276 (255 to 293).
    #[inline]
    pub(super) fn entry<'a>(&'a self, _owner: &'a Sorted) -> &'a Entry<()> {
        // SAFETY: 1. An `Entry` is its word, and the word is that of a live entry (as in `bytes`). 2. What
        // is given out is shared, so it is neither dropped nor changed but in its atomics.
        unsafe { &*std::ptr::from_ref(&self.0).cast::<Entry<()>>() }
    }

    /// # Safety
    /// The entry is in the table for as long as `'a`.
    #[inline]
    unsafe fn raw<'a>(self) -> &'a [u8] {
        // SAFETY: 1. The word is that of a live entry (the caller). 2. The copy is never dropped, so the
        // table stays its owner. 3. A key's bytes do not move or change (invariant 2 of `sorted`).
        unsafe {
            let entry = ManuallyDrop::new(Entry::<()>::from_word(self.0.as_ptr()));
            let key = entry.key();
            slice::from_raw_parts(key.as_ptr(), key.len())
        }
    }
}

/// A member and its score.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub(super) score: f64,
    pub(super) member: Member,
}

impl Item {
    /// How the item stands to (score, member). Only called on items of the tree.
    fn compare(&self, score: f64, member: &[u8]) -> Ordering {
        let scores = self.score.partial_cmp(&score).unwrap_or(Ordering::Equal);
        // SAFETY: 1. Items of the tree have their entries in the table (invariants 1 and 3 of `sorted`),
        // and the bytes are let go at once.
        scores.then_with(|| unsafe { self.member.raw() }.cmp(member))
    }
}

#[derive(Debug)]
struct Child {
    node: Box<Node>,
    count: usize,
    first: Item,
}

impl Child {
    fn of(node: Node) -> Option<Child> {
        let (count, first) = (node.count(), node.first()?);
        Some(Child { node: Box::new(node), count, first })
    }
}

#[derive(Debug)]
enum Node {
    Leaf(Vec<Item>),
    Inner(Vec<Child>),
}

impl Node {
    fn count(&self) -> usize {
        match self {
            Node::Leaf(items) => items.len(),
            Node::Inner(children) => children.iter().map(|child| child.count).sum(),
        }
    }

    fn first(&self) -> Option<Item> {
        match self {
            Node::Leaf(items) => items.first().copied(),
            Node::Inner(children) => children.first().map(|child| child.first),
        }
    }

    fn width(&self) -> usize {
        match self {
            Node::Leaf(items) => items.len(),
            Node::Inner(children) => children.len(),
        }
    }

    /// Puts an item in; the right part of a node that had to be split.
    fn insert(&mut self, item: Item, member: &[u8]) -> Option<Node> {
        match self {
            Node::Leaf(items) => {
                let at = items.partition_point(|one| one.compare(item.score, member).is_lt());
                items.insert(at, item);
                let cut = if at + 1 == items.len() { WIDTH - 4 } else { WIDTH / 2 };
                (items.len() > WIDTH).then(|| Node::Leaf(items.split_off(cut)))
            }
            Node::Inner(children) => {
                let at = place(children, item.score, member);
                let child = &mut children[at];
                let split = child.node.insert(item, member);
                child.count = child.node.count();
                child.first = child.node.first().unwrap_or(item);
                let fresh = split.and_then(Child::of)?;
                children.insert(at + 1, fresh);
                let cut = if at + 2 == children.len() { WIDTH - 4 } else { WIDTH / 2 };
                (children.len() > WIDTH).then(|| Node::Inner(children.split_off(cut)))
            }
        }
    }

    /// Replaces the pointer of an item that stays where it is in the order.
    fn repoint(&mut self, item: Item, member: &[u8]) {
        match self {
            Node::Leaf(items) => {
                let found = items.binary_search_by(|one| one.compare(item.score, member));
                if let Some(place) = found.ok().and_then(|at| items.get_mut(at)) {
                    *place = item;
                }
            }
            Node::Inner(children) => {
                let at = place(children, item.score, member);
                let child = &mut children[at];
                child.node.repoint(item, member);
                child.first = child.node.first().unwrap_or(child.first);
            }
        }
    }

    /// Moves the nodes on the way to the leaf of the item of that rank, `first` being the rank of the
    /// first item under this one. Gives the rank behind that leaf.
    fn relocate(&mut self, rank: usize, first: usize, mover: &mut Mover) -> usize {
        match self {
            Node::Leaf(items) => {
                mover.vec(items);
                first + items.len()
            }
            Node::Inner(children) => {
                if rank == first {
                    mover.vec(children);
                }
                let mut first = first;
                for child in children {
                    if rank < first + child.count {
                        if rank == first {
                            mover.boxed(&mut child.node);
                        }
                        return child.node.relocate(rank, first, mover);
                    }
                    first += child.count;
                }
                first
            }
        }
    }

    /// Takes an item out: true if it was there.
    fn remove(&mut self, score: f64, member: &[u8]) -> bool {
        match self {
            Node::Leaf(items) => {
                let found = items.binary_search_by(|one| one.compare(score, member));
                found.map(|at| items.remove(at)).is_ok()
            }
            Node::Inner(children) => {
                let at = place(children, score, member);
                let child = &mut children[at];
                let removed = child.node.remove(score, member);
                child.count -= usize::from(removed);
                match child.node.first() {
                    Some(first) => child.first = first,
                    None => drop(children.remove(at)),
                }
                join(children, at);
                removed
            }
        }
    }
}

/// The child under which (score, member) stands or would stand.
fn place(children: &[Child], score: f64, member: &[u8]) -> usize {
    children.partition_point(|child| child.first.compare(score, member).is_le()).saturating_sub(1)
}

/// Joins child `at` with the next or the previous one if both together are small.
fn join(children: &mut Vec<Child>, at: usize) {
    let left = if at + 1 < children.len() { at } else { at.saturating_sub(1) };
    let [a, b] = [left, left + 1].map(|one| children.get(one).map(|child| child.node.width()));
    if a.zip(b).is_none_or(|(a, b)| a + b > WIDTH / 2) {
        return;
    }
    let right = children.remove(left + 1);
    let target = &mut children[left];
    target.count += right.count;
    match (&mut *target.node, *right.node) {
        (Node::Leaf(items), Node::Leaf(more)) => items.extend(more),
        (Node::Inner(children), Node::Inner(more)) => children.extend(more),
        _ => unreachable!("all leaves have one depth"),
    }
}

/// The tree.
#[derive(Debug)]
pub(super) struct Tree {
    root: Node,
}

impl Default for Tree {
    fn default() -> Tree {
        Tree { root: Node::Leaf(Vec::new()) }
    }
}

impl Tree {
    pub(super) fn insert(&mut self, item: Item) {
        // SAFETY: 1. The caller has put the entry into the table, and the bytes are let go at the end.
        let member = unsafe { item.member.raw() };
        if let Some(right) = self.root.insert(item, member) {
            let left = std::mem::replace(&mut self.root, Node::Leaf(Vec::new()));
            let children = [left, right].into_iter().filter_map(Child::of).collect();
            self.root = Node::Inner(children);
        }
    }

    /// Has the item of this score and member point to `item.member`, which is another place of the same
    /// entry. The old place can still be read.
    pub(super) fn repoint(&mut self, item: Item) {
        // SAFETY: 1. The caller has the entry, and the bytes are let go at the end.
        let member = unsafe { item.member.raw() };
        self.root.repoint(item, member);
    }

    /// Moves the nodes that begin on the way to the item of that rank. Gives the rank behind its leaf,
    /// `None` behind the last.
    pub(super) fn relocate(&mut self, rank: usize, mover: &mut Mover) -> Option<usize> {
        let count = self.root.count();
        let behind = self.root.relocate(rank, 0, mover);
        (rank < behind && behind < count).then_some(behind)
    }

    pub(super) fn remove(&mut self, score: f64, member: &[u8]) {
        self.root.remove(score, member);
        while let Node::Inner(children) = &mut self.root {
            match (children.len(), children.pop()) {
                (1, Some(only)) => self.root = *only.node,
                (_, Some(last)) => return children.push(last),
                (_, None) => self.root = Node::Leaf(Vec::new()),
            }
        }
    }

    /// The leaf of the item of that rank, and the item's place in it.
    pub(super) fn leaf(&self, mut rank: usize) -> Option<(&[Item], usize)> {
        let mut node = &self.root;
        loop {
            match node {
                Node::Leaf(items) => return (rank < items.len()).then_some((&items[..], rank)),
                Node::Inner(children) => {
                    let mut found = None;
                    for child in children {
                        if rank < child.count {
                            found = Some(&*child.node);
                            break;
                        }
                        rank -= child.count;
                    }
                    node = found?;
                }
            }
        }
    }

    /// How many items `is_before` holds for: a first part of them.
    pub(super) fn partition(&self, is_before: &mut impl FnMut(&Item) -> bool) -> usize {
        let (mut node, mut rank) = (&self.root, 0);
        loop {
            match node {
                Node::Leaf(items) => return rank + items.partition_point(is_before),
                Node::Inner(children) => {
                    let at = children.partition_point(|child| is_before(&child.first));
                    let Some(at) = at.checked_sub(1) else { return rank };
                    rank += children[..at].iter().map(|child| child.count).sum::<usize>();
                    node = &children[at].node;
                }
            }
        }
    }
}
