//! Entries as replies.

use resp::reply::Writer;
use values::stream::{Entry, StreamId};

/// An id.
pub(super) fn write_id(reply: &mut Writer<'_>, id: StreamId) {
    reply.bulk(id.to_bytes());
}

/// The fields and values of an entry.
pub(super) fn write_fields(reply: &mut Writer<'_>, entry: &Entry<'_>) {
    let mut room = itoa::Buffer::new();
    reply.array(2 * entry.len());
    for (name, value) in entry.fields() {
        reply.bulk(name.bytes(&mut room));
        reply.bulk(value.bytes(&mut room));
    }
}

/// An entry: its id and its fields.
pub(super) fn write_entry(reply: &mut Writer<'_>, entry: &Entry<'_>) {
    reply.array(2);
    write_id(reply, entry.id);
    write_fields(reply, entry);
}

/// Entries, as many as there are.
pub(super) fn write_entries<'a>(reply: &mut Writer<'_>, entries: impl Iterator<Item = Entry<'a>>) {
    let place = reply.deferred();
    let mut written = 0;
    for entry in entries {
        write_entry(reply, &entry);
        written += 1;
    }
    reply.finish_array(place, written);
}

/// A number that is never so large that it would not fit.
pub(super) fn write_count(reply: &mut Writer<'_>, count: impl TryInto<i64>) {
    reply.integer(count.try_into().unwrap_or(i64::MAX));
}

/// A number, or nothing where it is not known.
pub(super) fn write_known(reply: &mut Writer<'_>, count: Option<u64>) {
    match count {
        Some(count) => write_count(reply, count),
        None => reply.null(),
    }
}
