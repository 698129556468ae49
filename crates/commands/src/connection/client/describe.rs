//! One line of CLIENT LIST, in stock's fields and order.

use engine::Node;
use engine::client::{Class, ClientInfo};
use engine::tracking::flag;
use std::fmt::Write;
use std::sync::atomic::Ordering;

/// Bytes of output that stock holds beside its list of replies.
const REPLY_BYTES: usize = 1 << 10;

/// Appends the line of `client`, without a line end.
pub(super) fn describe(node: &Node, client: &ClientInfo, out: &mut Vec<u8>) {
    let now = base::clock::monotonic();
    let seconds = |since: u64| now.0.saturating_sub(since) / 1000;
    let (name, library, version) = {
        let names = client.names.lock();
        (names.name.clone(), names.library.clone(), names.library_version.clone())
    };
    let size = |counter: &std::sync::atomic::AtomicUsize| counter.load(Ordering::Relaxed);
    let (query, free) = (size(&client.query_buffer), size(&client.query_buffer_free));
    let (queued, output) = (size(&client.queued_bytes), size(&client.output_bytes));
    let multi = match client.queued.load(Ordering::Relaxed) {
        u32::MAX => -1,
        count => i64::from(count),
    };
    let command = node.table.all().get(size(&client.last_command));
    let command = command.map_or("NULL", |command| &command.full_name);
    let user = if client.class() == Class::Primary { "(superuser)" } else { "default" };
    // What stock holds beside its list of replies, and in the list.
    let (held, more) = (output.min(REPLY_BYTES), output.saturating_sub(REPLY_BYTES));
    let listed = size(&client.output_room);
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        " age={} idle={} flags={} db={} sub={} psub={} ssub={} multi={multi} watch={} qbuf={query} \
         qbuf-free={free} argv-mem=0 multi-mem={queued} rbs={listed} rbp={listed} obl={held} \
         oll={} omem={more} tot-mem={} events=r cmd={command} user={user} redir={} resp={}",
        seconds(client.created.0),
        seconds(client.last_interaction.load(Ordering::Relaxed)),
        flags(client),
        client.db.load(Ordering::Relaxed),
        client.channels.load(Ordering::Relaxed),
        client.patterns.load(Ordering::Relaxed),
        client.shard_channels.load(Ordering::Relaxed),
        client.watching.load(Ordering::Relaxed),
        more.div_ceil(REPLY_BYTES),
        size(&client.memory).max(query + free + queued + output),
        redirect(client),
        if client.resp3.load(Ordering::Relaxed) { 3 } else { 2 },
    );
    let (id, fd) = (client.id, client.fd);
    let (address, local) = (&client.address, &client.local_address);
    out.extend_from_slice(format!("id={id} addr={address} laddr={local} fd={fd} name=").as_bytes());
    out.extend_from_slice(&name);
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(b" lib-name=");
    out.extend_from_slice(&library);
    out.extend_from_slice(b" lib-ver=");
    out.extend_from_slice(&version);
    let tail = format!(
        " tot-net-in={} tot-net-out={} tot-cmds={}",
        client.total_in.load(Ordering::Relaxed),
        client.total_out.load(Ordering::Relaxed),
        client.commands.load(Ordering::Relaxed),
    );
    out.extend_from_slice(tail.as_bytes());
}

/// Who is told of keys that change: -1 without tracking, 0 for the connection itself.
fn redirect(client: &ClientInfo) -> i64 {
    let to = client.redirect.load(Ordering::Relaxed);
    if client.tracks(flag::ON) { i64::try_from(to).unwrap_or(i64::MAX) } else { -1 }
}

/// The letters of `flags=`.
pub(super) fn flags(client: &ClientInfo) -> String {
    let class = client.class();
    let holds = |flag: &std::sync::atomic::AtomicBool| flag.load(Ordering::Relaxed);
    let rows = [
        (holds(&client.monitors), 'O'),
        (class == Class::Replica, 'S'),
        (class == Class::Primary, 'M'),
        (client.subscribes(), 'P'),
        (client.queued.load(Ordering::Relaxed) != u32::MAX, 'x'),
        (holds(&client.blocked), 'b'),
        (client.tracks(flag::ON), 't'),
        (client.tracks(flag::BROKEN), 'R'),
        (client.tracks(flag::BCAST), 'B'),
        (holds(&client.closing), 'c'),
        (client.unix_socket, 'U'),
        (holds(&client.no_evict), 'e'),
        (holds(&client.no_touch), 'T'),
    ];
    let letters: String = rows.iter().filter(|(set, _)| *set).map(|(_, letter)| *letter).collect();
    if letters.is_empty() { "N".to_owned() } else { letters }
}
