//! Streams outside the keyspace.
//!
//! Blocks are saved as they lie in memory. What comes in is checked entry by entry; counters are
//! taken on trust where stock does so, but none that the blocks contradict.

use super::{BadValue, Image};
use base::Millis;
use rdb::{SavedValue, StreamConsumer, StreamGroup, StreamImage, StreamPending};
use std::borrow::Cow;
use values::digest::ValueDigest;
use values::stream::{Group, Stream, StreamId};

const fn pair(id: StreamId) -> (u64, u64) {
    (id.ms, id.seq)
}

const fn id_of((ms, seq): (u64, u64)) -> StreamId {
    StreamId::new(ms, seq)
}

/// The stream of `image`.
pub(super) fn build(image: StreamImage) -> Result<Stream, BadValue> {
    let mut stream = Stream::default();
    for (first, pack) in image.blocks {
        stream.push_block(id_of(first), pack).ok_or(BadValue::Damaged)?;
    }
    if stream.len() != image.len {
        return Err(BadValue::Damaged);
    }
    let last_id = id_of(image.last_id);
    if stream.last().is_some_and(|last| last.id > last_id) {
        return Err(BadValue::Damaged);
    }
    stream.set_last_id(last_id);
    stream.max_deleted_id = id_of(image.max_deleted_id);
    stream.entries_added = image.entries_added;
    for group in &image.groups {
        let mut built = build_group(group)?;
        if !image.is_counted {
            // Older servers did not count; what can be told of the count is told.
            built.entries_read = stream.added_up_to(built.last_id);
        }
        if !stream.add_group(&group.name, built) {
            return Err(BadValue::Duplicate);
        }
    }
    Ok(stream)
}

fn build_group(group: &StreamGroup) -> Result<Group, BadValue> {
    let mut built = Group::new(id_of(group.last_id), group.entries_read);
    let ascend = |one: (u64, u64), other: (u64, u64)| one < other;
    if !group.pending.is_sorted_by(|one, other| ascend(one.id, other.id)) {
        return Err(BadValue::Duplicate);
    }
    let mut held = 0;
    for consumer in &group.consumers {
        if !built.create_consumer(&consumer.name, consumer.seen_at.0) {
            return Err(BadValue::Duplicate);
        }
        built.set_active(&consumer.name, consumer.active_at.map(|at| at.0));
        if !consumer.pending.is_sorted_by(|&one, &other| ascend(one, other)) {
            return Err(BadValue::Duplicate);
        }
        for &id in &consumer.pending {
            let found = group.pending.binary_search_by_key(&id, |pending| pending.id);
            let pending = found.ok().and_then(|at| group.pending.get(at));
            let StreamPending { delivered_at, deliveries, .. } =
                *pending.ok_or(BadValue::Damaged)?;
            built.assign(id_of(id), &consumer.name, delivered_at.0, deliveries);
        }
        held += consumer.pending.len();
    }
    // Each has one holder.
    let sizes = (built.pending().len(), group.pending.len());
    if sizes == (held, held) { Ok(built) } else { Err(BadValue::Damaged) }
}

fn group_image((name, group): (&[u8], &Group)) -> StreamGroup {
    let pending = group.pending().iter().map(|(&id, pending)| StreamPending {
        id: pair(id),
        delivered_at: Millis(pending.delivered_at_ms),
        deliveries: pending.deliveries,
    });
    let consumers = group.consumers().iter().map(|(name, consumer)| StreamConsumer {
        name: name.to_vec(),
        seen_at: Millis(consumer.seen_at_ms()),
        active_at: consumer.active_at_ms.map(Millis),
        pending: consumer.pending().iter().copied().map(pair).collect(),
    });
    StreamGroup {
        name: name.to_vec(),
        last_id: pair(group.last_id),
        entries_read: group.entries_read,
        pending: pending.collect(),
        consumers: consumers.collect(),
    }
}

/// All of `stream` but its blocks. O(what its groups have not acknowledged).
pub(crate) fn rest(stream: &Stream) -> StreamImage {
    let groups = stream.groups().iter().map(|(name, group)| (&**name, group));
    StreamImage {
        blocks: Vec::new(),
        len: stream.len(),
        last_id: pair(stream.last_id),
        first_id: pair(stream.first_id()),
        max_deleted_id: pair(stream.max_deleted_id),
        entries_added: stream.entries_added,
        is_counted: true,
        groups: groups.map(group_image).collect(),
    }
}

impl Image for Stream {
    fn saved<'a>(stream: &'a Stream) -> SavedValue<'a>
    where
        Self: 'a,
    {
        let blocks = stream.blocks().map(|(first, pack)| (pair(first), pack.as_bytes().to_vec()));
        SavedValue::Stream(Cow::Owned(StreamImage { blocks: blocks.collect(), ..rest(stream) }))
    }

    fn encoding(_: &Stream) -> &'static str {
        "stream"
    }

    fn digest(stream: &Stream, begun: ValueDigest) -> ValueDigest {
        let (mut name, mut text) = (itoa::Buffer::new(), itoa::Buffer::new());
        let mut digest = begun;
        for entry in stream.range(StreamId::MIN, StreamId::MAX) {
            digest = digest.part(format!("{}.{}", entry.id.ms, entry.id.seq).as_bytes());
            for (field, value) in entry.fields() {
                digest = digest.part(field.bytes(&mut name)).part(value.bytes(&mut text));
            }
        }
        digest
    }
}
