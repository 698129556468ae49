//! New connections: what is listened on, which loop takes a connection, and who is turned away.

use super::Running;
use super::handle::Accepted;
use crate::connection::Connection;
use crate::listener::Binding;
use engine::Session;
use engine::client::Origin;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::Ordering;

/// Connections accepted from one listener in one turn.
const ACCEPTS_MAX: usize = 256;

impl Running<'_> {
    pub(super) fn listen(&mut self, at: usize) -> io::Result<()> {
        let Some(listener) = self.home.listeners.get(at) else { return Ok(()) };
        self.driver.listen(at, listener.socket.as_fd())
    }

    pub(super) fn change_listeners(&mut self, binding: Binding) {
        for (at, listener) in self.home.listeners.iter().enumerate() {
            // One that the driver does not know was stopped for a lack of descriptors.
            self.driver.stop_listening(at, listener.socket.as_fd());
        }
        self.deaf.clear();
        self.home.listeners.retain(|listener| binding.kept.contains(&listener.name));
        self.home.listeners.extend(binding.opened);
        for at in 0..self.home.listeners.len() {
            if let Err(error) = self.listen(at) {
                tracing::warn!("Cannot watch a listening socket: {error}");
            }
        }
    }

    pub(super) fn accept(&mut self, at: usize) {
        for _ in 0..ACCEPTS_MAX {
            let Some(listener) = self.home.listeners.get(at) else { return };
            let is_unix = listener.is_unix();
            let socket = match listener.accept() {
                Ok(socket) => socket,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // One that went away before it was taken.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) => {
                    tracing::warn!("Accepting client connection: {error}");
                    // Descriptors or memory are wanting: the connection keeps waiting, and the driver
                    // would tell of it without end.
                    if self.driver.stop_listening(at, listener.socket.as_fd()) {
                        self.deaf.push(at);
                    }
                    return;
                }
            };
            let accepted = Accepted { socket, is_unix };
            let home = self.choose_home();
            if home == self.home.index {
                self.adopt(accepted);
            } else {
                let handle = &self.home.handles[home];
                handle.inbox.lock().push(accepted);
                handle.wake();
            }
        }
    }

    /// The loop with the fewest connections, the next in turn among equals.
    fn choose_home(&mut self) -> usize {
        let loops = self.home.handles.len();
        let load = |home: usize| self.home.handles[home].connections.load(Ordering::Relaxed);
        let chosen = (0..loops)
            .map(|step| (self.next_home + step) % loops)
            .min_by_key(|&home| load(home))
            .unwrap_or(0);
        self.next_home = (chosen + 1) % loops;
        self.home.handles[chosen].connections.fetch_add(1, Ordering::Relaxed);
        chosen
    }

    pub(super) fn adopt(&mut self, accepted: Accepted) {
        let Accepted { socket, is_unix } = accepted;
        let settings = &self.node.settings;
        let (address, local_address, is_local) = describe(&socket, is_unix, settings);
        let refusal =
            if self.node.clients.count() as u64 >= settings.maxclients.get().unsigned_abs() {
                self.node.clients.rejected.fetch_add(1, Ordering::Relaxed);
                Some("-ERR max number of clients reached\r\n")
            } else if settings.protected_mode.get()
                && settings.requirepass.get().is_empty()
                && !is_local
            {
                Some(PROTECTED)
            } else {
                None
            };
        if let Some(text) = refusal {
            // Best effort: the peer may be gone.
            let _ = rustix::net::send(&socket, text.as_bytes(), rustix::net::SendFlags::NOSIGNAL);
            self.forget_connection();
            return;
        }
        if !is_unix {
            tune(&socket, u64::try_from(settings.tcp_keepalive.get()).unwrap_or(0));
        }
        let info = self.node.clients.add(Origin {
            address,
            local_address,
            fd: socket.as_raw_fd(),
            loop_index: self.home.index,
            unix_socket: is_unix,
            primary: false,
        });
        let id = info.id;
        let session = Session::new(info, settings.requirepass.get().is_empty());
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        if let Err(error) = self.driver.add(slot, socket.as_fd()) {
            tracing::warn!("Cannot watch a client's socket: {error}");
            self.node.clients.remove(id);
            self.free.push(slot);
            self.forget_connection();
            return;
        }
        self.by_id.insert(id, slot);
        self.slots[slot] = Some(Box::new(Connection::new(socket, session)));
    }

    pub(super) fn forget_connection(&self) {
        self.home.handle().connections.fetch_sub(1, Ordering::Relaxed);
    }
}

const PROTECTED: &str = "-DENIED Redis is running in protected mode because protected mode is \
enabled and no password is set for the default user. In this mode connections are only accepted \
from the loopback interface. If you want to connect from external computers to Redis you may adopt \
one of the following solutions: 1) Just disable protected mode sending the command 'CONFIG SET \
protected-mode no' from the loopback interface by connecting to Redis from the same host the server \
is running, however MAKE SURE Redis is not publicly accessible from internet if you do so. Use \
CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable the protected \
mode by editing the Redis configuration file, and setting the protected mode option to 'no', and \
then restarting the server. 3) If you started the server manually just for testing, restart it with \
the '--protected-mode no' option. 4) Setup a an authentication password for the default user. NOTE: \
You only need to do one of the above things in order for the server to start accepting connections \
from the outside.\r\n";

fn describe(socket: &OwnedFd, is_unix: bool, settings: &conf::Settings) -> (String, String, bool) {
    if is_unix {
        let path = String::from_utf8_lossy(&settings.unixsocket.get()).into_owned();
        return (format!("{path}:0"), format!("{path}:0"), true);
    }
    let text = |address: rustix::io::Result<rustix::net::SocketAddrAny>| {
        let address = address.ok().and_then(|any| std::net::SocketAddr::try_from(any).ok());
        let local = address.is_some_and(|address| address.ip().to_canonical().is_loopback());
        (address.map_or_else(|| "?:0".to_owned(), |address| address.to_string()), local)
    };
    let (peer, is_local) = text(
        rustix::net::getpeername(socket).and_then(|any| any.ok_or(rustix::io::Errno::NOTCONN)),
    );
    let (own, _) = text(rustix::net::getsockname(socket));
    (peer, own, is_local)
}

fn tune(socket: &OwnedFd, keepalive_s: u64) {
    use rustix::net::sockopt;
    use std::time::Duration;
    // A socket that refuses an option works without it.
    let _ = sockopt::set_tcp_nodelay(socket, true);
    if keepalive_s > 0 {
        let _ = sockopt::set_socket_keepalive(socket, true);
        let _ = sockopt::set_tcp_keepidle(socket, Duration::from_secs(keepalive_s));
        let interval = (keepalive_s / 3).max(1);
        let _ = sockopt::set_tcp_keepintvl(socket, Duration::from_secs(interval));
        let _ = sockopt::set_tcp_keepcnt(socket, 3);
    }
}
