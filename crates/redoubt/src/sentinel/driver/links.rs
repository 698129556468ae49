//! The connections to instances: opening them without waiting, sending, reading replies.

use super::{Driver, Link, Token, flush};
use crate::sentinel::connection::{Arrived, Connection};
use crate::sentinel::{encode, listen};
use ::sentinel::{Address, LinkId};
use base::{Millis, clock};
use resp::Decoder;
use rustix::event::epoll;
use std::net::{IpAddr, SocketAddr};

/// How long a connection to an instance may take to be established.
pub(super) const CONNECT_TIMEOUT_MS: u64 = 1_500;
/// The longest reply of an instance, in bytes; longer ones close the link.
pub(super) const REPLY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bytes that may wait for an instance to read them.
pub(super) const LINK_OUTPUT_BYTES_MAX: usize = 1024 * 1024;

impl Driver {
    pub(super) fn connect(&mut self, link: LinkId, address: &Address) {
        if let Ok(host) = address.host.parse::<IpAddr>() {
            self.connect_to(link, SocketAddr::new(host, address.port));
        } else if !self.resolver.ask(link, &address.host, address.port) {
            self.link_failed(link);
        }
    }

    pub(super) fn connect_to(&mut self, link: LinkId, address: SocketAddr) {
        let begun = listen::connect(address).and_then(|stream| {
            let flags = epoll::EventFlags::IN | epoll::EventFlags::OUT;
            epoll::add(&self.epoll, &stream, Token::Link(link).data(), flags)?;
            Ok(stream)
        });
        let Ok(stream) = begun else { return self.link_failed(link) };
        let mut connection = Connection::new(stream);
        connection.watches_write = true;
        let decoder = Decoder::with_frame_bytes_max(REPLY_BYTES_MAX);
        let deadline = Some(clock::monotonic() + Millis(CONNECT_TIMEOUT_MS));
        self.links.insert(link, Link { connection, decoder, deadline });
    }

    pub(super) fn send(&mut self, link: LinkId, command: &[Vec<u8>]) {
        let Some(state) = self.links.get_mut(&link) else { return };
        resp::command_into(state.connection.output(), command);
        if state.connection.unsent() > LINK_OUTPUT_BYTES_MAX {
            return self.link_failed(link);
        }
        self.flush_link(link);
    }

    pub(super) fn flush_link(&mut self, link: LinkId) {
        let Some(state) = self.links.get_mut(&link) else { return };
        if state.deadline.is_none()
            && flush(&self.epoll, &mut state.connection, Token::Link(link)).is_err()
        {
            self.link_failed(link);
        }
    }

    /// Drops a link without telling the machine, which asked for it.
    pub(super) fn forget_link(&mut self, link: LinkId) {
        if let Some(mut state) = self.links.remove(&link) {
            // What was sent before, an order to follow another primary perhaps, should still arrive.
            let _ = state.connection.flush();
        }
    }

    pub(super) fn link_failed(&mut self, link: LinkId) {
        self.links.remove(&link);
        self.machine.handle_closed(clock::monotonic(), link);
    }

    pub(super) fn close_late_links(&mut self) {
        let now = clock::monotonic();
        let late = |link: &Link| link.deadline.is_some_and(|deadline| now >= deadline);
        let late: Vec<LinkId> =
            self.links.iter().filter(|(_, link)| late(link)).map(|(&id, _)| id).collect();
        for link in late {
            self.link_failed(link);
        }
    }

    pub(super) fn link_event(&mut self, link: LinkId, flags: epoll::EventFlags) {
        if !self.establish(link, flags) {
            return;
        }
        let readable = epoll::EventFlags::IN | epoll::EventFlags::HUP | epoll::EventFlags::ERR;
        if flags.intersects(readable) {
            self.read_link(link);
        }
        self.perform();
        self.flush_link(link);
    }

    /// Finishes connecting. False if the link is not, or no longer, open.
    pub(super) fn establish(&mut self, link: LinkId, flags: epoll::EventFlags) -> bool {
        let Some(state) = self.links.get_mut(&link) else { return false };
        if state.deadline.is_none() {
            return true;
        }
        if flags.intersects(epoll::EventFlags::ERR | epoll::EventFlags::HUP) {
            self.link_failed(link);
            return false;
        }
        if !flags.contains(epoll::EventFlags::OUT) {
            return false;
        }
        let stream = &state.connection.stream;
        let (Ok(None), Ok(local)) = (stream.take_error(), stream.local_addr()) else {
            self.link_failed(link);
            return false;
        };
        state.deadline = None;
        self.machine.handle_connected(clock::monotonic(), link, &local.ip().to_string());
        self.perform();
        self.links.contains_key(&link)
    }

    pub(super) fn read_link(&mut self, link: LinkId) {
        let Some(state) = self.links.get_mut(&link) else { return };
        let arrived = state.connection.read();
        let mut failed = !matches!(arrived, Ok(Arrived::Open));
        let now = clock::monotonic();
        loop {
            match state.decoder.decode(&state.connection.input) {
                Ok(Some((value, consumed))) => {
                    state.connection.consume(consumed);
                    self.machine.handle_reply(now, link, &encode::from_value(value));
                }
                Ok(None) => break,
                Err(error) => {
                    tracing::warn!("An instance broke the protocol: {error}");
                    failed = true;
                    break;
                }
            }
        }
        if failed {
            self.link_failed(link);
        }
    }
}
