//! What the log says of groups.

use engine::effects::Effects;
use values::stream::{Group, Pending, StreamId};

/// A group of a key, to be logged about.
#[derive(Clone, Copy, Debug)]
pub(super) struct GroupLog<'a> {
    pub db: u32,
    pub key: &'a [u8],
    pub group: &'a [u8],
}

impl GroupLog<'_> {
    /// That an entry is held as `pending` says, or is to be let go if it is not there any more.
    pub(super) fn claim(
        &self,
        effects: &mut Effects,
        id: StreamId,
        pending: &Pending,
        last_id: StreamId,
    ) {
        let (mut at, mut count) = (itoa::Buffer::new(), itoa::Buffer::new());
        let words: [&[u8]; 14] = [
            b"XCLAIM",
            self.key,
            self.group,
            &pending.consumer,
            b"0",
            &id.to_bytes(),
            b"TIME",
            at.format(pending.delivered_at_ms).as_bytes(),
            b"RETRYCOUNT",
            count.format(pending.deliveries).as_bytes(),
            b"FORCE",
            b"JUSTID",
            b"LASTID",
            &last_id.to_bytes(),
        ];
        effects.log_instead(self.db, &words);
    }

    /// How far the group has read.
    pub(super) fn position(&self, effects: &mut Effects, group: &Group) {
        let mut room = itoa::Buffer::new();
        let read = match group.entries_read {
            Some(read) => room.format(read),
            None => "-1",
        };
        let id = group.last_id.to_bytes();
        let words: [&[u8]; 7] =
            [b"XGROUP", b"SETID", self.key, self.group, &id, b"ENTRIESREAD", read.as_bytes()];
        effects.log_instead(self.db, &words);
    }

    /// That there is a consumer of that name.
    pub(super) fn consumer(&self, effects: &mut Effects, name: &[u8]) {
        effects.log_instead(self.db, &[b"XGROUP", b"CREATECONSUMER", self.key, self.group, name]);
    }
}
