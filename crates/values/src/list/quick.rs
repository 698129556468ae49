//! A long list: nodes in a ring, so that both ends are at hand and an index is found by skipping nodes.
//!
//! Invariants: no node is empty; the nodes within `compress_depth` of an end are not compressed once a
//! change has been made with that depth; `bytes` and `compressed` are the sums over all nodes.

use super::node::{Body, Node, Part, place, remove_equal};
use super::{End, ListLimits};
use crate::relocate::{self, NODE_ELEMENTS};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use structures::Mover;
use structures::listpack::{Item, ListpackBuf};

/// A long list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quick {
    nodes: VecDeque<Node>,
    len: usize,
    /// Heap bytes of the nodes.
    bytes: usize,
    /// How many nodes are compressed.
    compressed: usize,
}

/// The nodes of a list as they were when they were lent.
#[derive(Clone, Debug)]
pub struct LentNodes(Vec<Arc<Body>>);

impl LentNodes {
    /// The nodes in order.
    pub fn parts(&self) -> impl ExactSizeIterator<Item = Part<'_>> {
        self.0.iter().map(|body| body.open())
    }
}

impl Quick {
    /// A list of the elements of `pack`, which become its only node.
    pub(super) fn of_pack(pack: ListpackBuf) -> Quick {
        let mut list = Quick::default();
        if !pack.is_empty() {
            list.len = pack.len();
            list.insert_node(0, Node::of_pack(pack));
        }
        list
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>() + self.bytes
    }

    /// The nodes in order.
    pub fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        self.nodes.iter().map(Node::open)
    }

    /// References to the nodes as they are now. O(nodes).
    pub fn lend(&mut self) -> LentNodes {
        LentNodes(self.nodes.iter_mut().map(Node::lend).collect())
    }

    /// Moves what it owns where `mover` wants it, as [`crate::Object::relocate`]; `reached` is the number
    /// of a node.
    pub(super) fn relocate(&mut self, reached: u128, elements: usize, mover: &mut Mover) -> u128 {
        if reached == 0 {
            mover.ring(&mut self.nodes);
        }
        relocate::through(reached, elements, |at| {
            let at = usize::try_from(at).unwrap_or(usize::MAX);
            let Some(node) = self.nodes.get_mut(at) else { return (0, 0) };
            node.relocate(mover);
            (NODE_ELEMENTS, if at + 1 < self.nodes.len() { at as u64 + 1 } else { 0 })
        })
    }

    /// How many nodes there are.
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// Bytes of all nodes, those of compressed ones counted as they were before. O(nodes).
    pub fn plain_bytes(&self) -> usize {
        self.nodes.iter().map(Node::len_bytes).sum()
    }

    /// The only node's pack if the list has become small enough to be no more than that.
    pub(super) fn take_small(&mut self, limits: ListLimits) -> Option<ListpackBuf> {
        let [Some(node), None] = [self.nodes.front(), self.nodes.get(1)] else { return None };
        if node.is_long() || !limits.is_half(node.len_bytes(), node.count()) {
            return None;
        }
        self.nodes.pop_front()?.into_pack()
    }

    /// Visits the elements from number `from` on, or (`backwards`) from it to the first, until `visit`
    /// says false.
    pub(super) fn walk(
        &self,
        from: usize,
        backwards: bool,
        visit: &mut impl FnMut(Item<'_>) -> bool,
    ) {
        let Some((mut at, mut offset)) = self.locate(from) else { return };
        while let Some(node) = self.nodes.get(at) {
            if !node.open().walk(offset, backwards, visit) {
                return;
            }
            if backwards {
                let Some(before) = at.checked_sub(1) else { return };
                at = before;
                offset = self.nodes[at].count() - 1;
            } else {
                at += 1;
                offset = 0;
            }
        }
    }

    /// The node of element number `index`, and its number there. O(nodes), from the nearer end.
    fn locate(&self, index: usize) -> Option<(usize, usize)> {
        let behind = self.len.checked_sub(index).filter(|&behind| behind > 0)?;
        if index <= self.len / 2 {
            let mut left = index;
            for (at, node) in self.nodes.iter().enumerate() {
                if left < node.count() {
                    return Some((at, left));
                }
                left -= node.count();
            }
        } else {
            let mut left = behind;
            for (at, node) in self.nodes.iter().enumerate().rev() {
                if left <= node.count() {
                    return Some((at, node.count() - left));
                }
                left -= node.count();
            }
        }
        None
    }

    /// Adds an element at an end. O(1) up to the size of a node.
    pub(super) fn push(&mut self, end: End, element: &[u8], limits: ListLimits) {
        let at = if end == End::Left { 0 } else { self.nodes.len().saturating_sub(1) };
        if self.nodes.get(at).is_some_and(|node| node.takes(element.len(), limits)) {
            self.change(at, |node| node.edit(|pack| push(pack, end, element)));
        } else {
            let behind = if end == End::Left { 0 } else { self.nodes.len() };
            self.insert_node(behind, Node::of(element, limits));
        }
        self.len += 1;
        self.settle(at, limits);
    }

    /// Adds a pack that is not empty as a node at the end.
    pub(super) fn push_pack(&mut self, pack: ListpackBuf, limits: ListLimits) {
        self.len += pack.len();
        self.insert_node(self.nodes.len(), Node::of_pack(pack));
        self.settle(self.nodes.len() - 1, limits);
    }

    /// Adds an element as number `index`, at the end if there are fewer.
    pub(super) fn insert(&mut self, index: usize, element: &[u8], limits: ListLimits) {
        let (at, offset) = match self.locate(index) {
            None => return self.push(End::Right, element, limits),
            Some((0, 0)) => return self.push(End::Left, element, limits),
            Some(place) => place,
        };
        if self.nodes[at].takes(element.len(), limits) {
            self.change(at, |node| node.edit(|pack| insert(pack, offset, element)));
        } else if offset == 0 && self.nodes[at - 1].takes(element.len(), limits) {
            self.change(at - 1, |node| node.edit(|pack| pack.push_back(element)));
        } else {
            let at = if offset > 0 { self.split(at, offset) } else { at };
            self.insert_node(at, Node::of(element, limits));
            self.merge(at, limits);
            self.merge(at - 1, limits);
        }
        self.len += 1;
        self.settle(at, limits);
    }

    /// Makes element number `index`, which there is, another.
    pub(super) fn set(&mut self, index: usize, element: &[u8], limits: ListLimits) {
        let Some((at, offset)) = self.locate(index) else { return };
        let (node, is_long) = (&self.nodes[at], limits.is_long(element.len()));
        let grown = node.len_bytes() + element.len();
        if node.is_long() && is_long {
            self.change(at, |node| node.set_long(element));
        } else if !node.is_long()
            && !is_long
            && (node.count() == 1 || !limits.exceeds(grown, node.count()))
        {
            self.change(at, |node| node.edit(|pack| replace(pack, offset, element)));
        } else {
            self.remove(index..index + 1, limits);
            return self.insert(index, element, limits);
        }
        self.settle(at, limits);
    }

    /// Takes the elements of these numbers out. O(nodes) and a move in two nodes.
    pub(super) fn remove(&mut self, range: Range<usize>, limits: ListLimits) {
        let is_inner = range.start > 0 && range.end < self.len;
        let Some((mut at, mut offset)) = self.locate(range.start) else { return };
        let mut left = range.end.min(self.len) - range.start;
        self.len -= left;
        while left > 0 {
            let mut whole = at;
            while offset == 0 && self.nodes.get(whole).is_some_and(|node| node.count() <= left) {
                left -= self.nodes[whole].count();
                whole += 1;
            }
            self.remove_nodes(at..whole);
            if left > 0 {
                let count = left.min(self.nodes[at].count() - offset);
                self.change(at, |node| node.edit(|pack| cut(pack, offset, count)));
                left -= count;
                at += 1;
            }
            offset = 0;
        }
        let at = at.min(self.nodes.len()).saturating_sub(1);
        if is_inner {
            self.merge(at, limits);
        }
        self.settle(at, limits);
    }

    /// Takes at most `count_max` elements that are `wanted` out, the first or (`backwards`) the last
    /// ones. Gives how many. O(bytes).
    pub(super) fn remove_equal(
        &mut self,
        wanted: &[u8],
        count_max: usize,
        backwards: bool,
        limits: ListLimits,
    ) -> usize {
        let (mut removed, mut is_gone) = (0, vec![false; self.nodes.len()]);
        for step in 0..self.nodes.len() {
            if removed == count_max {
                break;
            }
            let at = if backwards { self.nodes.len() - 1 - step } else { step };
            let node = &self.nodes[at];
            if !node.open().has(wanted) {
                continue;
            }
            let left = count_max - removed;
            let mut count = 1;
            if !node.is_long() {
                let edit = |pack: &mut _| remove_equal(pack, wanted, left, backwards);
                count = self.change(at, |node| node.edit(edit)).unwrap_or(0);
            }
            is_gone[at] = self.nodes[at].is_long() || self.nodes[at].count() == 0;
            removed += count;
        }
        self.len -= removed;
        if is_gone.contains(&true) {
            let mut gone = is_gone.into_iter();
            self.nodes.retain(|_| !gone.next().unwrap_or(false));
        }
        self.bytes = self.nodes.iter().map(Node::heap_bytes).sum();
        self.compressed = self.nodes.iter().filter(|node| node.is_compressed()).count();
        for at in 0..self.nodes.len() {
            self.settle_one(at, limits);
        }
        removed
    }

    /// Changes a node, its bytes being counted.
    fn change<T>(&mut self, at: usize, change: impl FnOnce(&mut Node) -> T) -> T {
        let node = &mut self.nodes[at];
        let (bytes, compressed) = (node.heap_bytes(), usize::from(node.is_compressed()));
        let result = change(node);
        self.bytes = self.bytes + node.heap_bytes() - bytes;
        self.compressed = self.compressed + usize::from(node.is_compressed()) - compressed;
        result
    }

    fn insert_node(&mut self, at: usize, node: Node) {
        self.bytes += node.heap_bytes();
        self.compressed += usize::from(node.is_compressed());
        self.nodes.insert(at, node);
    }

    fn remove_nodes(&mut self, range: Range<usize>) {
        for node in self.nodes.drain(range) {
            self.bytes -= node.heap_bytes();
            self.compressed -= usize::from(node.is_compressed());
        }
    }

    /// Parts a node before its element number `offset`, which is not the first. Gives the place of the
    /// second part.
    fn split(&mut self, at: usize, offset: usize) -> usize {
        if let Some(tail) = self.change(at, |node| node.split_off(offset)) {
            self.insert_node(at + 1, tail);
        }
        at + 1
    }

    /// Makes a node and the one behind it one, if they are small enough.
    fn merge(&mut self, at: usize, limits: ListLimits) {
        let (Some(node), Some(next)) = (self.nodes.get(at), self.nodes.get(at + 1)) else { return };
        if !node.may_join(next, limits) {
            return;
        }
        let next = next.clone();
        self.change(at, |node| node.join(&next));
        self.remove_nodes(at + 1..at + 2);
    }

    /// Compresses or unpacks nodes after a change at `at`, as their distance from the ends asks for.
    /// O(depth).
    fn settle(&mut self, at: usize, limits: ListLimits) {
        let (depth, count) = (limits.compress_depth, self.nodes.len());
        if depth == 0 || (self.compressed == 0 && depth.saturating_mul(2) >= count) {
            return;
        }
        for outer in 0..depth.min(count) {
            self.settle_one(outer, limits);
            self.settle_one(count - 1 - outer, limits);
        }
        // A change moves borders by two nodes at most.
        for near in [at, depth, count.saturating_sub(depth + 1)] {
            for at in near.saturating_sub(2)..=near.saturating_add(2) {
                self.settle_one(at, limits);
            }
        }
    }

    fn settle_one(&mut self, at: usize, limits: ListLimits) {
        let (depth, count) = (limits.compress_depth, self.nodes.len());
        if depth == 0 || at >= count {
            return;
        }
        if at < depth || count - at <= depth {
            if self.nodes[at].is_compressed() {
                self.change(at, Node::unpack);
            }
        } else {
            self.change(at, Node::compress);
        }
    }
}

/// Adds an element at an end of a pack.
pub(super) fn push(pack: &mut ListpackBuf, end: End, element: &[u8]) {
    match end {
        End::Left => pack.push_front(element),
        End::Right => pack.push_back(element),
    }
}

/// Adds an element as number `index` of a pack, at the end if there are fewer.
pub(super) fn insert(pack: &mut ListpackBuf, index: usize, element: &[u8]) {
    match place(pack.view(), index) {
        Some(at) => pack.insert_before(at, element),
        None => pack.push_back(element),
    }
}

/// Makes element number `index` of a pack another.
pub(super) fn replace(pack: &mut ListpackBuf, index: usize, element: &[u8]) {
    if let Some(at) = place(pack.view(), index) {
        pack.replace(at, element);
    }
}

/// Takes `count` elements from number `index` on out of a pack.
pub(super) fn cut(pack: &mut ListpackBuf, index: usize, count: usize) {
    if let Some(at) = place(pack.view(), index) {
        pack.remove(at, count);
    }
}

#[cfg(test)]
impl Quick {
    /// That the sums and the compression are as the invariants say.
    pub(super) fn check_sums(&self, limits: ListLimits) {
        let compressed = self.nodes.iter().filter(|node| node.is_compressed()).count();
        assert_eq!(self.bytes, self.nodes.iter().map(Node::heap_bytes).sum::<usize>());
        assert_eq!(self.compressed, compressed);
        let depth = limits.compress_depth;
        for (at, node) in self.nodes.iter().enumerate() {
            let is_outer = depth == 0 || at < depth || self.nodes.len() - at <= depth;
            assert!(!(is_outer && node.is_compressed()), "node {at} of {}", self.nodes.len());
            assert!(is_outer || node.is_compressed() || node.is_settled(), "node {at}");
        }
    }
}
