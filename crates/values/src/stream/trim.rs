//! Trimming: the oldest entries go until a length or a lowest id is reached.
//!
//! A trim that spares what groups still have to read or to acknowledge (ACKED) passes those entries over
//! and goes on behind them, so that it leaves holes; what it takes counts as deleted by name. If it is
//! approximate, a block goes when it may go as a whole and none of its entries is spared.

use super::{Block, Stream, StreamId, block};

/// What is to be left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrimTo {
    /// So many entries at most.
    Len(u64),
    /// Entries of this id and above.
    MinId(StreamId),
}

/// How to trim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trim {
    /// What is to be left.
    pub to: TrimTo,
    /// Only whole blocks go.
    pub approximate: bool,
    /// Entries that go at most; `None` is no limit.
    pub limit: Option<u64>,
}

impl Stream {
    /// Whether a trim would remove anything, which is asked before it does. O(entries of a block).
    pub fn would_trim(&self, trim: Trim) -> bool {
        let first = self.blocks().next().and_then(|(first, pack)| Block::of(first, pack));
        match first.map(|block| whole(block, self.len, 0, trim)) {
            None | Some(Step::Stop) => false,
            Some(Step::Whole) => true,
            Some(Step::Within) => !trim.approximate && !is_kept(self.first_id, self.len, trim),
        }
    }

    /// The ids of entries that a trim would remove, each given to `each`.
    pub fn each_trimmed(&self, trim: Trim, mut each: impl FnMut(StreamId)) {
        let (mut left, mut gone) = (self.len, 0);
        for (first, pack) in self.blocks() {
            let Some(block) = Block::of(first, pack) else { return };
            match whole(block, left, gone, trim) {
                Step::Stop => return,
                Step::Whole => {}
                Step::Within if trim.approximate => return,
                Step::Within => {
                    for entry in block.entries().filter(|entry| !entry.deleted) {
                        if is_kept(entry.id, left, trim) {
                            return;
                        }
                        each(entry.id);
                        left -= 1;
                    }
                    return;
                }
            }
            for entry in block.entries().filter(|entry| !entry.deleted) {
                each(entry.id);
            }
            left -= block.count as u64;
            gone += block.count as u64;
        }
    }

    /// The ids of entries that a trim would remove which spares those that a group has not read yet or
    /// not acknowledged. O(entries that every group has read).
    pub fn acknowledged_to_trim(&self, trim: Trim) -> Vec<StreamId> {
        let read = self.groups.values().map(|group| group.last_id).min().unwrap_or(StreamId::MAX);
        let (mut left, mut ids) = (self.len, Vec::new());
        for (first, pack) in self.blocks() {
            let Some(block) = Block::of(first, pack).filter(|_| first <= read) else { break };
            let step = whole(block, left, ids.len() as u64, trim);
            if matches!(step, Step::Stop) || matches!(step, Step::Within) && trim.approximate {
                break;
            }
            let before = ids.len();
            for entry in block.entries().filter(|entry| !entry.deleted) {
                if is_kept(entry.id, left, trim) {
                    return ids;
                }
                if !self.is_referenced(entry.id) {
                    ids.push(entry.id);
                    left -= 1;
                }
            }
            if trim.approximate && ids.len() - before < block.count {
                left += (ids.len() - before) as u64;
                ids.truncate(before);
            }
        }
        ids
    }

    /// Trims; gives how many entries went. O(blocks that go) and one block.
    pub fn trim(&mut self, trim: Trim) -> u64 {
        let mut gone = 0;
        while let Some(first) = self.blocks.first_entry() {
            let Some(block) = Block::of(*first.key(), first.get().view()) else { break };
            let count = block.count as u64;
            match whole(block, self.len, gone, trim) {
                Step::Stop => break,
                Step::Whole => {
                    self.block_bytes -= first.remove().as_bytes().len();
                    self.len -= count;
                    gone += count;
                }
                Step::Within => {
                    if !trim.approximate {
                        gone += self.trim_within_first(trim);
                    }
                    break;
                }
            }
        }
        if gone > 0 {
            self.find_first();
        }
        gone
    }

    fn trim_within_first(&mut self, trim: Trim) -> u64 {
        let Some(mut first) = self.blocks.first_entry() else { return 0 };
        let at = *first.key();
        let before = first.get().as_bytes().len();
        let Some(block) = Block::of(at, first.get().view()) else { return 0 };
        let mut left = self.len;
        let mut places = Vec::new();
        for entry in block.entries().filter(|entry| !entry.deleted) {
            if is_kept(entry.id, left, trim) {
                break;
            }
            places.push(entry.place());
            left -= 1;
        }
        let (count, deleted) = (block.count, block.deleted);
        if places.len() == count {
            // Only marks are left, of higher ids than those that went.
            first.remove();
            self.block_bytes -= before;
        } else {
            block::mark_all_deleted(first.get_mut().own(), &places, (count, deleted));
            self.block_bytes = self.block_bytes - before + first.get().as_bytes().len();
        }
        self.len = left;
        places.len() as u64
    }
}

enum Step {
    Stop,
    Whole,
    Within,
}

fn is_kept(id: StreamId, len: u64, trim: Trim) -> bool {
    match trim.to {
        TrimTo::Len(wanted) => len <= wanted,
        TrimTo::MinId(lowest) => id >= lowest,
    }
}

/// What becomes of the first block of a stream with `len` entries, `gone` of them trimmed already.
fn whole(block: Block<'_>, len: u64, gone: u64, trim: Trim) -> Step {
    let count = block.count as u64;
    let done = matches!(trim.to, TrimTo::Len(wanted) if len <= wanted);
    if done || trim.limit.is_some_and(|limit| gone + count > limit) {
        return Step::Stop;
    }
    let goes = match trim.to {
        TrimTo::Len(wanted) => len.checked_sub(count).is_some_and(|left| left >= wanted),
        TrimTo::MinId(lowest) => block.last_id().is_some_and(|last| last < lowest),
    };
    if goes { Step::Whole } else { Step::Within }
}
