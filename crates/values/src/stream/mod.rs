//! Streams: entries by rising id, in blocks of a hundred or so, and groups of consumers.
//!
//! A block is a listpack laid out as stock does ([`block`]), kept under its first id, so that
//! snapshots copy blocks as they are. An entry that is deleted stays in its block as a mark; a block
//! goes with its last entry. Unlike other collections an empty stream stays: it remembers its last id
//! and its groups.

pub mod block;
mod group;
mod id;
mod trim;

pub use block::{Block, Entry};
use group::COUNT_MAX;
pub use group::{Consumer, Group, Pending};
pub use id::StreamId;
pub use trim::{Trim, TrimTo};

use crate::collection::in_object;
use crate::relocate::NODE_ELEMENTS;
use crate::{Collection, Kind, Object, Shared};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use structures::Mover;
use structures::listpack::{Listpack, ListpackBuf};
use thiserror::Error;

/// Bytes of a block that is limited by nothing else.
const BLOCK_BYTES_MAX: usize = 1 << 30;

/// How large a block may become.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// `stream-node-max-bytes`; 0 is no limit.
    pub block_bytes: usize,
    /// `stream-node-max-entries`; 0 is no limit.
    pub block_entries: usize,
}

/// Why an entry was not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AddError {
    /// Its id is not above the last one.
    #[error("the id is not above the last one")]
    NotAbove,
    /// It does not fit into a block.
    #[error("the entry is too large")]
    TooLarge,
}

/// A stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stream {
    blocks: BTreeMap<StreamId, Shared<ListpackBuf>>,
    block_bytes: usize,
    len: u64,
    first_id: StreamId,
    /// The highest id that was ever added, or what XSETID said; lowered by [`Stream::set_last_id`] only.
    pub last_id: StreamId,
    /// The highest id that was deleted by name.
    pub max_deleted_id: StreamId,
    /// How many entries were ever added.
    pub entries_added: u64,
    groups: BTreeMap<Box<[u8]>, Group>,
}

#[allow(clippy::len_without_is_empty, reason = "`Collection::is_empty` says whether the key goes")]
impl Stream {
    /// The number of entries.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is no entry. Its key stays nevertheless.
    pub fn has_no_entry(&self) -> bool {
        self.len == 0
    }

    /// The lowest id that is there; the lowest of all if there is no entry.
    pub fn first_id(&self) -> StreamId {
        self.first_id
    }

    /// The number of blocks.
    pub fn block_count(&self) -> usize {
        self.blocks.len()
    }

    /// The nodes of stock's radix tree over the blocks' first ids, which clients are told.
    pub fn radix_node_count(&self) -> usize {
        let keys: Vec<[u8; 16]> = self.blocks.keys().map(|id| id.to_be_bytes()).collect();
        radix_nodes(&keys, 0).max(1)
    }

    /// The blocks by their first ids.
    pub fn blocks(&self) -> impl ExactSizeIterator<Item = (StreamId, Listpack<'_>)> {
        self.blocks.iter().map(|(&first, pack)| (first, pack.view()))
    }

    /// References to the blocks as they are now, by their first ids. O(blocks).
    pub fn lend(&mut self) -> Vec<(StreamId, Arc<ListpackBuf>)> {
        self.blocks.iter_mut().map(|(&first, pack)| (first, pack.lend())).collect()
    }

    /// Moves its blocks where `mover` wants them, but those that a walk has a reference to, as
    /// [`Object::relocate`]; `reached` is the id of a block.
    pub(crate) fn relocate(&mut self, reached: u128, elements: usize, mover: &mut Mover) -> u128 {
        let blocks = elements.div_ceil(NODE_ELEMENTS);
        let mut rest = self.blocks.range_mut(StreamId::from_bits(reached)..);
        for pack in rest.by_ref().take(blocks).filter_map(|(_, pack)| pack.alone()) {
            pack.relocate(mover);
        }
        rest.next().map_or(0, |(first, _)| first.to_bits())
    }

    /// Takes a block of a snapshot; one of nothing but marks is left out. `None` if it is none or does
    /// not lie behind the others; the counters but `len` are the snapshot's to set.
    pub fn push_block(&mut self, first: StreamId, bytes: Vec<u8>) -> Option<()> {
        let block = Block::of(first, Listpack::validate(&bytes)?).filter(|one| one.is_sound())?;
        let last = self.blocks.last_key_value();
        let last = last.and_then(|(&at, pack)| Block::of(at, pack.view())?.last_id());
        last.is_none_or(|last| last < first).then_some(())?;
        if block.count == 0 {
            return Some(());
        }
        self.len += block.count as u64;
        if self.blocks.is_empty() {
            self.first_id = block.entries().find(|entry| !entry.deleted)?.id;
        }
        self.block_bytes += bytes.len();
        self.blocks.insert(first, ListpackBuf::from_trusted(bytes).into());
        Some(())
    }

    /// The id an entry gets that is added at `now_ms`; `None` behind the last possible one.
    pub fn next_id(&self, now_ms: u64) -> Option<StreamId> {
        if now_ms > self.last_id.ms { Some(StreamId::new(now_ms, 0)) } else { self.last_id.next() }
    }

    /// Adds an entry; `words` are its fields, each with its value behind it.
    ///
    /// # Errors
    /// See [`AddError`].
    pub fn add(&mut self, id: StreamId, words: &[&[u8]], limits: Limits) -> Result<(), AddError> {
        if id <= self.last_id {
            return Err(AddError::NotAbove);
        }
        let size: usize = words.iter().map(|word| word.len()).sum();
        if size > BLOCK_BYTES_MAX {
            return Err(AddError::TooLarge);
        }
        let bytes_max = match limits.block_bytes {
            0 => BLOCK_BYTES_MAX,
            limit => limit.min(BLOCK_BYTES_MAX),
        };
        let (mut is_added, mut last_bytes) = (false, 0);
        if let Some(mut last) = self.blocks.last_entry() {
            let (first, pack) = (*last.key(), last.get_mut().own());
            last_bytes = pack.as_bytes().len();
            is_added = block::add(pack, first, id, words, |entries| {
                last_bytes + size < bytes_max
                    && (limits.block_entries == 0 || entries < limits.block_entries)
            });
            if is_added {
                self.block_bytes += pack.as_bytes().len() - last_bytes;
            } else {
                pack.shrink_to_fit();
            }
        }
        if !is_added {
            // About as much as the one before it took.
            let pack = block::begin(words, last_bytes);
            self.block_bytes += pack.as_bytes().len();
            self.blocks.insert(id, pack.into());
        }
        if self.len == 0 {
            self.first_id = id;
        }
        self.len += 1;
        self.entries_added = self.entries_added.saturating_add(1);
        self.last_id = id;
        Ok(())
    }

    /// Sets the last id, which may be below ids that were deleted but not below any other. What is left of
    /// those goes, for the next entry will stand in their place. O(entries that go).
    pub fn set_last_id(&mut self, id: StreamId) {
        self.last_id = id;
        let Some(mut last) = self.blocks.last_entry() else { return };
        let (first, before) = (*last.key(), last.get().as_bytes().len());
        let block = Block::of(first, last.get().view());
        if block.and_then(Block::last_id).is_none_or(|last| last <= id) {
            return;
        }
        let pack = last.get_mut().own();
        block::drop_marks_above(pack, first, id);
        self.block_bytes = self.block_bytes - before + pack.as_bytes().len();
    }

    /// The entries with ids of `from` to `to`, both included.
    pub fn range(&self, from: StreamId, to: StreamId) -> impl Iterator<Item = Entry<'_>> {
        let first = self.blocks.range(..=from).next_back().map_or(from, |(&first, _)| first);
        self.blocks
            .range((Bound::Included(first), Bound::Unbounded))
            .filter_map(|(&first, pack)| Block::of(first, pack.view()))
            .flat_map(Block::entries)
            .skip_while(move |entry| entry.id < from)
            .take_while(move |entry| entry.id <= to)
            .filter(|entry| !entry.deleted)
    }

    /// The entries with ids of `from` to `to`, both included, the highest first.
    pub fn range_backwards(&self, from: StreamId, to: StreamId) -> impl Iterator<Item = Entry<'_>> {
        self.blocks
            .range(..=to)
            .rev()
            .filter_map(|(&first, pack)| Block::of(first, pack.view()))
            .flat_map(Block::backwards)
            .skip_while(move |entry| entry.id > to)
            .take_while(move |entry| entry.id >= from)
            .filter(|entry| !entry.deleted)
    }

    /// The entry of that id.
    pub fn get(&self, id: StreamId) -> Option<Entry<'_>> {
        self.range(id, id).next()
    }

    /// The last entry.
    pub fn last(&self) -> Option<Entry<'_>> {
        self.range_backwards(StreamId::MIN, StreamId::MAX).next()
    }

    /// Deletes an entry by its id; false if it is not there. O(entries of a block).
    pub fn delete(&mut self, id: StreamId) -> bool {
        let Some((&first, pack)) = self.blocks.range_mut(..=id).next_back() else { return false };
        let Some(block) = Block::of(first, pack.view()) else { return false };
        let found = block.entries().find(|entry| entry.id >= id);
        let Some(entry) = found.filter(|entry| entry.id == id && !entry.deleted) else {
            return false;
        };
        let before = pack.as_bytes().len();
        if block.count == 1 {
            self.blocks.remove(&first);
            self.block_bytes -= before;
        } else {
            let (place, counts) = (entry.place(), (block.count, block.deleted));
            block::mark_all_deleted(pack.own(), &[place], counts);
            self.block_bytes = self.block_bytes - before + pack.as_bytes().len();
        }
        self.len -= 1;
        self.max_deleted_id = self.max_deleted_id.max(id);
        if id == self.first_id {
            self.find_first();
        }
        true
    }

    fn find_first(&mut self) {
        let first = self.range(StreamId::MIN, StreamId::MAX).next();
        self.first_id = first.map_or(StreamId::MIN, |entry| entry.id);
    }

    /// The groups by name.
    pub fn groups(&self) -> &BTreeMap<Box<[u8]>, Group> {
        &self.groups
    }

    /// A group.
    pub fn group(&self, name: &[u8]) -> Option<&Group> {
        self.groups.get(name)
    }

    /// Takes an entry from whoever holds it in any group. Gives the groups in which somebody did.
    pub fn acknowledge_everywhere(&mut self, id: StreamId) -> Vec<Box<[u8]>> {
        let groups = self.groups.iter_mut();
        groups.filter_map(|(name, group)| group.acknowledge(id).then(|| name.clone())).collect()
    }

    /// Whether some group has not read an entry yet, or has not acknowledged it.
    pub fn is_referenced(&self, id: StreamId) -> bool {
        self.groups.values().any(|group| group.last_id < id || group.pending().contains_key(&id))
    }

    /// A group, to be changed.
    pub fn group_mut(&mut self, name: &[u8]) -> Option<&mut Group> {
        self.groups.get_mut(name)
    }

    /// Adds a group; false if there is one of that name.
    pub fn add_group(&mut self, name: &[u8], group: Group) -> bool {
        let absent = !self.groups.contains_key(name);
        if absent {
            self.groups.insert(name.into(), group);
        }
        absent
    }

    /// Removes a group; false if there is none.
    pub fn remove_group(&mut self, name: &[u8]) -> bool {
        self.groups.remove(name).is_some()
    }

    /// Whether an entry of that id or a later one was deleted by name.
    pub fn was_deleted_from(&self, from: StreamId) -> bool {
        let is_past = self.max_deleted_id < self.first_id || self.max_deleted_id == StreamId::MIN;
        self.len > 0 && !is_past && from <= self.max_deleted_id
    }

    /// How many entries were added up to `id`, if that can be told.
    pub fn added_up_to(&self, id: StreamId) -> Option<u64> {
        if self.entries_added == 0 {
            return Some(0);
        }
        if (self.len == 0 && id <= self.last_id) || id == self.last_id {
            return Some(self.entries_added);
        }
        let unbroken = self.max_deleted_id == StreamId::MIN || self.max_deleted_id < self.first_id;
        if id > self.last_id || !unbroken || id > self.first_id {
            return None;
        }
        Some(self.entries_added.saturating_sub(self.len) + u64::from(id == self.first_id))
    }

    /// How many entries a group has not read yet, if that can be told.
    pub fn lag(&self, group: &Group) -> Option<u64> {
        if self.entries_added == 0 {
            return Some(0);
        }
        let known = group.entries_read.filter(|_| !self.was_deleted_from(group.last_id));
        let read = known.or_else(|| self.added_up_to(group.last_id))?;
        Some(self.entries_added.saturating_sub(read))
    }

    /// Notes that a group was given the entry `id`.
    pub fn advance(&mut self, name: &[u8], id: StreamId) {
        let Some(group) = self.groups.get(name).filter(|group| group.last_id < id) else { return };
        let counts = !self.was_deleted_from(id);
        let counted = group.entries_read.filter(|_| counts).map(|read| read.saturating_add(1));
        let read = counted.or_else(|| self.added_up_to(id)).map(|read| read.min(COUNT_MAX));
        if let Some(group) = self.groups.get_mut(name) {
            group.last_id = id;
            group.entries_read = read;
        }
    }

    /// Heap bytes: exact for the blocks, rough for the rest. O(groups).
    pub fn heap_bytes(&self) -> usize {
        self.block_bytes
            + self.blocks.len() * size_of::<(StreamId, ListpackBuf)>()
            + self.groups_bytes()
    }

    /// Those of them that its groups take. O(groups).
    pub fn groups_bytes(&self) -> usize {
        let groups: usize =
            self.groups.iter().map(|(name, one)| name.len() + one.heap_bytes()).sum();
        self.groups.len() * size_of::<(Box<[u8]>, Group)>() + groups
    }
}

/// The nodes below a node that all of `keys`, ascending, share up to byte `depth`: a run of bytes
/// without a branch is one node, and so is an end.
fn radix_nodes(keys: &[[u8; 16]], depth: usize) -> usize {
    let (Some(first), Some(last)) = (keys.first(), keys.last()) else { return 0 };
    let shared = (depth..16).take_while(|&at| first[at] == last[at]).count();
    let run = usize::from(shared > 0);
    if keys.len() == 1 {
        return run + 1;
    }
    let at = depth + shared;
    let branches = keys.chunk_by(|one, other| one[at] == other[at]);
    run + 1 + branches.map(|keys| radix_nodes(keys, at + 1)).sum::<usize>()
}

impl Collection for Stream {
    const KIND: Kind = Kind::Stream;
    type Ref<'a> = &'a Stream;

    fn view(_form: u8, _bytes: &[u8]) -> &Stream {
        unreachable!("a stream is always boxed")
    }

    fn as_ref(&self) -> &Stream {
        self
    }

    fn unpack(_form: u8, _bytes: &[u8]) -> Stream {
        unreachable!("a stream is always boxed")
    }

    fn packed(&self) -> Option<(u8, &[u8])> {
        None
    }

    fn is_empty(&self) -> bool {
        false
    }

    in_object!(Stream);
}

#[cfg(test)]
mod tests;
