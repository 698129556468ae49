//! The socket to the primary.

use super::super::wake::Watch;
use engine::Node;
use engine::client::{ClientInfo, Origin};
use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, connect, recv, send, socket_with,
    sockopt,
};
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Bytes that may wait for the primary to take them: a few commands of the handshake, or ACKs.
const OUT_BYTES_MAX: usize = 1 << 20;

/// A connection to the primary, perhaps still being made. It stands among the node's clients until it
/// is taken out there.
pub(super) struct Connection {
    socket: OwnedFd,
    connected: bool,
    out: Vec<u8>,
    info: Arc<ClientInfo>,
}

impl Connection {
    /// Begins to connect.
    pub(super) fn open(node: &Node, host: &str, port: u16) -> io::Result<Connection> {
        let address = (host, port)
            .to_socket_addrs()?
            .next()
            .ok_or_else(|| io::Error::other(format!("{host} has no address")))?;
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(family, SocketType::STREAM, flags, None)?;
        let source = node.settings.bind_source_addr.string();
        if let Ok(source) = source.parse::<IpAddr>() {
            rustix::net::bind(&socket, &SocketAddr::new(source, 0))?;
        }
        match connect(&socket, &address) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(error) => return Err(error.into()),
        }
        let _ = sockopt::set_tcp_nodelay(&socket, true);
        let info = node.clients.add(Origin {
            address: format!("{host}:{port}"),
            fd: socket.as_raw_fd(),
            primary: true,
            ..Origin::default()
        });
        Ok(Connection { socket, connected: false, out: Vec::new(), info })
    }

    pub(super) fn info(&self) -> &Arc<ClientInfo> {
        &self.info
    }

    pub(super) fn watch(&self, read: bool) -> Watch<'_> {
        let write = !self.connected || !self.out.is_empty();
        Watch { fd: self.socket.as_fd(), read: read && self.connected, write }
    }

    /// Adds to what is sent, and sends what the socket takes.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.out.len() + bytes.len() > OUT_BYTES_MAX {
            return Err(io::Error::other("the primary does not read"));
        }
        self.out.extend_from_slice(bytes);
        if self.connected { self.flush() } else { Ok(()) }
    }

    /// The socket has room. True if that means that the connection has just been made.
    pub(super) fn write(&mut self) -> io::Result<bool> {
        if !self.connected {
            sockopt::socket_error(&self.socket)?.map_err(io::Error::from)?;
            self.connected = true;
            return Ok(true);
        }
        self.flush()?;
        Ok(false)
    }

    fn flush(&mut self) -> io::Result<()> {
        while !self.out.is_empty() {
            match send(&self.socket, &self.out, SendFlags::NOSIGNAL) {
                Ok(sent) => {
                    self.out.drain(..sent);
                    self.info.total_out.fetch_add(sent as u64, Ordering::Relaxed);
                }
                Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Reads what there is, at most `max` bytes; `None` if there is nothing now.
    pub(super) fn read(&mut self, max: usize) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = Vec::with_capacity(max);
        match recv(&self.socket, spare_capacity(&mut bytes), RecvFlags::empty()) {
            Ok((0, _)) => Err(io::Error::other("the primary closed the connection")),
            Ok((count, _)) => {
                self.info.total_in.fetch_add(count as u64, Ordering::Relaxed);
                let now = base::clock::monotonic();
                self.info.last_interaction.store(now.0, Ordering::Relaxed);
                Ok(Some(bytes))
            }
            Err(Errno::AGAIN | Errno::INTR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
