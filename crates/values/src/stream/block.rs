//! A block: the entries of a short run of ids in one listpack, laid out as stock does.
//!
//! ```text
//! block   count deleted fields field* 0 entry*      the fields are those of the first entry
//! entry   flags ms seq value* size                  flags SAME_FIELDS: the block's fields
//!         flags ms seq fields (field value)* size   otherwise
//! ```
//!
//! `ms` and `seq` are differences to the block's first id. `size` is the number of elements of the
//! entry before it, so that a block is walked backwards; the 0 behind the block's fields ends that.
//! A deleted entry stays with its flag set until the block goes, which it does with its last entry.
//!
//! Source: blocks that stock 7.0.15 dumps.

use super::StreamId;
use structures::listpack::{Item, Listpack, ListpackBuf};

const DELETED: i64 = 1;
const SAME_FIELDS: i64 = 2;

/// Elements of an entry beside fields and values: flags, ms, seq.
const ENTRY_ELEMENTS: i64 = 3;

/// Where the reading of a pack stands.
#[derive(Clone, Copy, Debug)]
struct Cursor<'a> {
    pack: Listpack<'a>,
    at: Option<usize>,
}

impl<'a> Cursor<'a> {
    fn take(&mut self) -> Option<Item<'a>> {
        let at = self.at?;
        self.at = self.pack.next(at);
        Some(self.pack.get(at))
    }

    fn int(&mut self) -> Option<i64> {
        match self.take()? {
            Item::Int(value) => Some(value),
            Item::Bytes(_) => None,
        }
    }

    fn count(&mut self) -> Option<usize> {
        usize::try_from(self.int()?).ok()
    }

    fn skip(&mut self, elements: usize) -> Option<()> {
        for _ in 0..elements {
            self.at = self.pack.next(self.at?);
        }
        Some(())
    }
}

/// A view of a block.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    first: StreamId,
    pack: Listpack<'a>,
    /// Entries that are not deleted.
    pub count: usize,
    /// Entries that are.
    pub deleted: usize,
    fields: usize,
    fields_at: Option<usize>,
    entries_at: Option<usize>,
}

impl<'a> Block<'a> {
    /// Views a pack as a block; `None` if it is none.
    pub fn of(first: StreamId, pack: Listpack<'a>) -> Option<Block<'a>> {
        let mut cursor = Cursor { pack, at: pack.first() };
        let (count, deleted, fields) = (cursor.count()?, cursor.count()?, cursor.count()?);
        let fields_at = cursor.at;
        cursor.skip(fields)?;
        (cursor.int()? == 0).then_some(())?;
        Some(Block { first, pack, count, deleted, fields, fields_at, entries_at: cursor.at })
    }

    /// The entries in order, deleted ones too.
    pub fn entries(self) -> Entries<'a> {
        Entries { block: self, next: self.entries_at }
    }

    /// The entries backwards, deleted ones too.
    pub fn backwards(self) -> Backwards<'a> {
        Backwards { block: self, end: self.pack.last() }
    }

    /// The id of the last entry, deleted or not.
    pub fn last_id(self) -> Option<StreamId> {
        self.backwards().next().map(|entry| entry.id)
    }

    /// Whether foreign bytes, already known to be a pack, are a block: each entry whole and sized
    /// right, ids rising, as many as it says.
    pub fn is_sound(self) -> bool {
        let (mut count, mut deleted, mut last) = (0, 0, None);
        let mut at = self.entries_at;
        while let Some(from) = at {
            let Some(entry) = self.entry(from).filter(|entry| Some(entry.id) > last) else {
                return false;
            };
            if entry.size() != entry.said_size() || entry.id < self.first {
                return false;
            }
            if entry.deleted {
                deleted += 1;
            } else {
                count += 1;
            }
            last = Some(entry.id);
            at = entry.end.and_then(|end| self.pack.next(end));
        }
        count == self.count && deleted == self.deleted
    }

    fn entry(self, at: usize) -> Option<Entry<'a>> {
        let mut cursor = Cursor { pack: self.pack, at: Some(at) };
        let flags = cursor.int()?;
        let (ms, seq) = (cursor.int()?.cast_unsigned(), cursor.int()?.cast_unsigned());
        let id = StreamId::new(self.first.ms.wrapping_add(ms), self.first.seq.wrapping_add(seq));
        let shared = flags & SAME_FIELDS != 0;
        let fields = if shared { self.fields } else { cursor.count()? };
        let body = cursor.at;
        cursor.skip(if shared { fields } else { fields.checked_mul(2)? })?;
        Some(Entry {
            id,
            deleted: flags & DELETED != 0,
            pack: self.pack,
            at,
            flags,
            fields,
            names: if shared { self.fields_at } else { None },
            shared,
            body,
            end: Some(cursor.at?),
        })
    }
}

/// An entry, seen in its block.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Its id.
    pub id: StreamId,
    /// Whether it is deleted.
    pub(super) deleted: bool,
    pack: Listpack<'a>,
    at: usize,
    flags: i64,
    fields: usize,
    names: Option<usize>,
    shared: bool,
    body: Option<usize>,
    /// Where its size stands.
    end: Option<usize>,
}

impl<'a> Entry<'a> {
    /// The number of its fields.
    pub fn len(&self) -> usize {
        self.fields
    }

    /// Whether it has no field.
    pub fn is_empty(&self) -> bool {
        self.fields == 0
    }

    /// Its fields and their values.
    pub fn fields(&self) -> Fields<'a> {
        let cursor = |at| Cursor { pack: self.pack, at };
        let names = self.shared.then(|| cursor(self.names));
        Fields { names, body: cursor(self.body), left: self.fields }
    }

    fn size(&self) -> i64 {
        let fields = i64::try_from(self.fields).unwrap_or(i64::MAX);
        entry_size(fields, self.shared)
    }

    fn said_size(&self) -> i64 {
        match self.end.map(|end| self.pack.get(end)) {
            Some(Item::Int(size)) => size,
            _ => -1,
        }
    }
}

const fn entry_size(fields: i64, shared: bool) -> i64 {
    if shared { fields + ENTRY_ELEMENTS } else { 2 * fields + ENTRY_ELEMENTS + 1 }
}

/// The fields of an entry with their values.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    names: Option<Cursor<'a>>,
    body: Cursor<'a>,
    left: usize,
}

impl<'a> Iterator for Fields<'a> {
    type Item = (Item<'a>, Item<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let name = match &mut self.names {
            Some(names) => names.take()?,
            None => self.body.take()?,
        };
        Some((name, self.body.take()?))
    }
}

/// The entries of a block in order.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    block: Block<'a>,
    next: Option<usize>,
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        let entry = self.block.entry(self.next?)?;
        self.next = entry.end.and_then(|end| self.block.pack.next(end));
        Some(entry)
    }
}

/// The entries of a block, the last first.
#[derive(Clone, Debug)]
pub struct Backwards<'a> {
    block: Block<'a>,
    end: Option<usize>,
}

impl<'a> Iterator for Backwards<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        let pack = self.block.pack;
        let mut at = self.end?;
        let Item::Int(size) = pack.get(at) else { return None };
        if size <= 0 {
            return None;
        }
        for _ in 0..size {
            at = pack.previous(at)?;
        }
        self.end = pack.previous(at);
        self.block.entry(at)
    }
}

/// A new block with its first entry and room for `bytes` bytes.
pub(super) fn begin(words: &[&[u8]], bytes: usize) -> ListpackBuf {
    let mut pack = ListpackBuf::with_capacity(bytes);
    let head = [1, 0, to_int(words.len() / 2)].map(Item::Int);
    let names = words.iter().step_by(2).map(|name| Item::of(name));
    pack.extend(head.into_iter().chain(names).chain([Item::Int(0)]));
    push_entry(&mut pack, StreamId::MIN, StreamId::MIN, words, true);
    pack
}

/// Adds an entry to a block, `first` being the block's id, if it `has_room` with as many entries as it
/// has, deleted ones too. True if it was added.
pub(super) fn add(
    pack: &mut ListpackBuf,
    first: StreamId,
    id: StreamId,
    words: &[&[u8]],
    has_room: impl FnOnce(usize) -> bool,
) -> bool {
    let Some(block) = Block::of(first, pack.view()) else { return false };
    if !has_room(block.count + block.deleted) {
        return false;
    }
    let names = Fields {
        names: Some(Cursor { pack: pack.view(), at: block.fields_at }),
        body: Cursor { pack: pack.view(), at: block.fields_at },
        left: block.fields,
    };
    let mut own = words.iter().step_by(2);
    let shared =
        block.fields == words.len() / 2 && names.zip(&mut own).all(|((name, _), own)| name.is(own));
    let count = to_int(block.count) + 1;
    push_entry(pack, first, id, words, shared);
    set_counts(pack, Some(count), None);
    true
}

fn push_entry(
    pack: &mut ListpackBuf,
    first: StreamId,
    id: StreamId,
    words: &[&[u8]],
    shared: bool,
) {
    let fields = to_int(words.len() / 2);
    let flags = if shared { SAME_FIELDS } else { 0 };
    let (ms, seq) = (id.ms.wrapping_sub(first.ms), id.seq.wrapping_sub(first.seq));
    let head = [flags, ms.cast_signed(), seq.cast_signed()].map(Item::Int);
    let count = (!shared).then_some(Item::Int(fields));
    let body = words.iter().skip(usize::from(shared)).step_by(1 + usize::from(shared));
    let size = Item::Int(entry_size(fields, shared));
    pack.extend(head.into_iter().chain(count).chain(body.map(|word| Item::of(word))).chain([size]));
}

/// Marks entries as deleted, which are given in their order; `counts` are the block's so far: entries that
/// are left, and marked ones.
pub(super) fn mark_all_deleted(pack: &mut ListpackBuf, places: &[Place], counts: (usize, usize)) {
    // A foreign flag may take more bytes than it needs, and fewer once it is marked, which moves what
    // is behind it: so the last place comes first.
    for place in places.iter().rev() {
        pack.replace_int(place.at, place.flags | DELETED);
    }
    let (count, deleted) = (counts.0 - places.len(), counts.1 + places.len());
    set_counts(pack, Some(to_int(count)), Some(to_int(deleted)));
}

/// Takes off the end of a block, `first` being its id, what is marked as deleted and has an id above `last`,
/// so that entries with lower ids may be added.
pub(super) fn drop_marks_above(pack: &mut ListpackBuf, first: StreamId, last: StreamId) {
    let Some(block) = Block::of(first, pack.view()) else { return };
    let is_above = |entry: &Entry<'_>| entry.deleted && entry.id > last;
    let above = block.backwards().take_while(is_above);
    let (mut marks, mut elements) = (0, 0);
    for entry in above {
        marks += 1;
        // And the size itself.
        elements += usize::try_from(entry.size()).unwrap_or(0) + 1;
    }
    if marks > 0 {
        let deleted = to_int(block.deleted - marks);
        pack.truncate_back(elements);
        set_counts(pack, None, Some(deleted));
    }
}

/// Where an entry stands and its flags.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    at: usize,
    flags: i64,
}

impl Entry<'_> {
    pub(super) fn place(&self) -> Place {
        Place { at: self.at, flags: self.flags }
    }
}

fn set_counts(pack: &mut ListpackBuf, count: Option<i64>, deleted: Option<i64>) {
    let Some(first) = pack.view().first() else { return };
    if let Some((at, deleted)) = pack.view().next(first).zip(deleted) {
        pack.replace_int(at, deleted);
    }
    if let Some(count) = count {
        pack.replace_int(first, count);
    }
}

fn to_int(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
