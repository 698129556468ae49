//! Streams as stock 7.0 writes them (type 19); `load/stream.rs` draws the form.

use super::collection::push_count;
use super::{Encoder, push_length};
use crate::stream::{StreamGroup, StreamId, StreamImage};
use base::Millis;

impl Encoder {
    pub(super) fn push_stream(&mut self, out: &mut Vec<u8>, stream: &StreamImage) {
        push_count(out, stream.blocks.len());
        for (id, pack) in &stream.blocks {
            self.push_block(out, *id, pack);
        }
        self.end_stream(out, stream);
    }

    /// Appends a block of a stream.
    pub fn push_block(&mut self, out: &mut Vec<u8>, id: StreamId, pack: &[u8]) {
        self.push_bytes(out, &id_bytes(id));
        self.push_bytes(out, pack);
    }

    /// Appends what follows the blocks of `stream`: counters and groups.
    pub fn end_stream(&mut self, out: &mut Vec<u8>, stream: &StreamImage) {
        push_length(out, stream.len);
        for id in [stream.last_id, stream.first_id, stream.max_deleted_id] {
            push_id(out, id);
        }
        push_length(out, stream.entries_added);
        push_count(out, stream.groups.len());
        for group in &stream.groups {
            self.push_group(out, group);
        }
    }

    fn push_group(&mut self, out: &mut Vec<u8>, group: &StreamGroup) {
        self.push_bytes(out, &group.name);
        push_id(out, group.last_id);
        push_length(out, group.entries_read.unwrap_or(u64::MAX));
        push_count(out, group.pending.len());
        for pending in &group.pending {
            out.extend_from_slice(&id_bytes(pending.id));
            push_time(out, pending.delivered_at);
            push_length(out, pending.deliveries);
        }
        push_count(out, group.consumers.len());
        for consumer in &group.consumers {
            self.push_bytes(out, &consumer.name);
            push_time(out, consumer.seen_at);
            push_count(out, consumer.pending.len());
            for id in &consumer.pending {
                out.extend_from_slice(&id_bytes(*id));
            }
        }
    }
}

fn id_bytes((ms, seq): StreamId) -> [u8; 16] {
    (u128::from(ms) << 64 | u128::from(seq)).to_be_bytes()
}

fn push_id(out: &mut Vec<u8>, (ms, seq): StreamId) {
    push_length(out, ms);
    push_length(out, seq);
}

fn push_time(out: &mut Vec<u8>, Millis(at): Millis) {
    out.extend_from_slice(&i64::try_from(at).unwrap_or(i64::MAX).to_le_bytes());
}
