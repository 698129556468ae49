//! A stream as a snapshot has it: blocks of entries as listpacks, counters, groups of consumers.
//!
//! What the blocks hold is the business of `values`; here they are bytes that are a listpack.

use base::Millis;

/// The id of an entry: milliseconds and sequence number.
pub type StreamId = (u64, u64);

/// A stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamImage {
    /// Master ids and listpacks, ascending.
    pub blocks: Vec<(StreamId, Vec<u8>)>,
    /// Entries that are not deleted.
    pub len: u64,
    /// The greatest id ever given.
    pub last_id: StreamId,
    /// The id of the first entry; zero in files older than 7.0, which do not say.
    pub first_id: StreamId,
    /// The greatest id that was deleted.
    pub max_deleted_id: StreamId,
    /// Entries ever added; `len` in files older than 7.0.
    pub entries_added: u64,
    /// Whether the file says `first_id`, `max_deleted_id` and `entries_added`.
    pub is_counted: bool,
    /// The groups.
    pub groups: Vec<StreamGroup>,
}

/// A group of consumers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamGroup {
    /// Its name.
    pub name: Vec<u8>,
    /// The last id delivered.
    pub last_id: StreamId,
    /// Entries read, if known.
    pub entries_read: Option<u64>,
    /// Entries delivered but not acknowledged, ascending.
    pub pending: Vec<StreamPending>,
    /// The consumers.
    pub consumers: Vec<StreamConsumer>,
}

/// An entry delivered but not acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamPending {
    /// Its id.
    pub id: StreamId,
    /// When it was last delivered.
    pub delivered_at: Millis,
    /// How often.
    pub deliveries: u64,
}

/// A consumer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamConsumer {
    /// Its name.
    pub name: Vec<u8>,
    /// When it last tried anything.
    pub seen_at: Millis,
    /// When it last got anything; `None` if never, or if the file does not say.
    pub active_at: Option<Millis>,
    /// The ids that it was given, ascending; all are in the group's `pending`.
    pub pending: Vec<StreamId>,
}
