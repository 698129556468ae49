//! MONITOR: connections that are told of every command that runs.
//!
//! A line is made once, under the locks of the command it tells of, and goes to the mailbox of each
//! loop that has a monitor; their output limits are those of other clients. Without a monitor a
//! command costs one load.

use crate::args::{OwnedRequest, Request};
use crate::command::Registered;
use crate::mailbox::{Message, Push, Via};
use crate::node::Node;
use crate::session::Session;
use base::lock::{Mutex, Rank};
use spec::Flag;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The connections that monitor.
#[derive(Debug)]
pub struct Monitors {
    count: AtomicUsize,
    clients: Mutex<Vec<(u64, usize)>>,
}

impl Default for Monitors {
    fn default() -> Monitors {
        Monitors { count: AtomicUsize::new(0), clients: Mutex::new(Rank::PubSub, Vec::new()) }
    }
}

impl Monitors {
    /// Whether there is any. One relaxed load.
    #[inline]
    pub fn any(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }

    /// Makes the session a monitor.
    pub fn add(&self, session: &mut Session) {
        if session.monitors {
            return;
        }
        session.monitors = true;
        session.info.monitors.store(true, Ordering::Relaxed);
        let mut clients = self.clients.lock();
        clients.push((session.info.id, session.info.loop_index));
        self.count.store(clients.len(), Ordering::Relaxed);
    }

    /// The session monitors no more.
    pub fn remove(&self, session: &mut Session) {
        if !session.monitors {
            return;
        }
        session.monitors = false;
        session.info.monitors.store(false, Ordering::Relaxed);
        let mut clients = self.clients.lock();
        clients.retain(|&(id, _)| id != session.info.id);
        self.count.store(clients.len(), Ordering::Relaxed);
    }

    /// Tells of `request`, passwords hidden, unless the command is one of those that are not shown.
    #[cold]
    pub fn feed(&self, node: &Node, session: &Session, command: &Registered, request: Request<'_>) {
        if command.flags.has(Flag::Admin) || command.flags.has(Flag::SkipMonitor) {
            return;
        }
        let hidden = crate::commandlog::redacted(&command.full_name, request);
        let line = line(session, hidden.as_ref().map_or(request, OwnedRequest::request));
        let line: Arc<[u8]> = line.into();
        let clients = self.clients.lock();
        for (index, mailbox) in node.mailboxes().iter().enumerate() {
            let here = clients.iter().filter(|(_, home)| *home == index);
            let ids: Vec<u64> = here.map(|(id, _)| *id).collect();
            if !ids.is_empty() {
                let (resp2, resp3) = (Arc::clone(&line), Arc::clone(&line));
                let push = Push { clients: ids, via: Via::Monitor, resp2, resp3 };
                mailbox.send(Message::Push(push));
            }
        }
    }
}

/// `+seconds.micros [db address] "word" ...`.
fn line(session: &Session, request: Request<'_>) -> Vec<u8> {
    let now = base::clock::unix_us();
    let mut head = String::new();
    let address = &session.info.address;
    // Writing to a string cannot fail.
    let _ = write!(head, "+{}.{:06} [{} ", now / 1_000_000, now % 1_000_000, session.db);
    if session.info.unix_socket {
        let _ = write!(head, "unix:{}", address.strip_suffix(":0").unwrap_or(address));
    } else {
        head.push_str(address);
    }
    let mut line = head.into_bytes();
    line.push(b']');
    for word in request.words() {
        line.push(b' ');
        quote(word, &mut line);
    }
    line.extend_from_slice(b"\r\n");
    line
}

/// Appends `word` in quotes, as `redis-cli` shows it.
fn quote(word: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for &byte in word {
        match byte {
            b'\\' | b'"' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x07 => out.extend_from_slice(b"\\a"),
            0x08 => out.extend_from_slice(b"\\b"),
            b' '..=b'~' => out.push(byte),
            _ => out.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn words_are_quoted() {
        for (word, expected) in [
            (&b"a b"[..], "\"a b\""),
            (b"\"\\", "\"\\\"\\\\\""),
            (b"\r\n\t\x07\x08", "\"\\r\\n\\t\\a\\b\""),
            (b"\x00\xff", "\"\\x00\\xff\""),
        ] {
            let mut out = Vec::new();
            quote(word, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
