//! Listening sockets: TCP addresses of `bind` and the unix socket.

use conf::Settings;
use rustix::net::{SocketFlags, accept_with};
use socket2::{Domain, SockAddr, Socket, Type};
use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::PathBuf;

/// Why no socket could be opened.
#[derive(Debug)]
pub struct BindError {
    /// The address or path.
    pub address: String,
    /// What the system said.
    pub source: io::Error,
}

impl std::fmt::Display for BindError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Could not create server listening socket {}: {}", self.address, self.source)
    }
}

impl std::error::Error for BindError {}

/// A listening socket.
#[derive(Debug)]
pub struct Listener {
    pub(crate) socket: OwnedFd,
    /// The path, for a unix socket; removed when the listener is dropped.
    path: Option<PathBuf>,
}

impl Listener {
    /// Whether it is a unix socket.
    pub(crate) fn is_unix(&self) -> bool {
        self.path.is_some()
    }

    /// The next waiting connection, nonblocking.
    pub(crate) fn accept(&self) -> io::Result<OwnedFd> {
        Ok(accept_with(self.socket.as_fd(), SocketFlags::NONBLOCK | SocketFlags::CLOEXEC)?)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // It may be gone already; then there is nothing to remove.
            let _ = fs::remove_file(path);
        }
    }
}

/// Opens what `bind`, `port` and `unixsocket` ask for.
///
/// # Errors
/// The first address that cannot be opened. As in stock, an address that begins with `-` may be one
/// that this machine does not have, and a protocol it does not have is passed over.
pub fn bind_all(settings: &Settings) -> Result<Vec<Listener>, BindError> {
    let mut listeners = Vec::new();
    let backlog = i32::try_from(settings.tcp_backlog.get()).unwrap_or(511);
    let port = u16::try_from(settings.port.get()).unwrap_or(0);
    if port != 0 {
        for name in settings.bind.get().iter() {
            let name = String::from_utf8_lossy(name).into_owned();
            let (optional, host) = match name.strip_prefix('-') {
                Some(host) => (true, host),
                None => (false, name.as_str()),
            };
            match bind_tcp(host, port, backlog) {
                Ok(listener) => listeners.push(listener),
                Err(source) if optional && is_absent(&source) => {}
                Err(source) => {
                    return Err(BindError { address: format!("{host}:{port}"), source });
                }
            }
        }
    }
    let path = settings.unixsocket.get();
    if !path.is_empty() {
        let path = PathBuf::from(String::from_utf8_lossy(&path).into_owned());
        let mode = u32::try_from(settings.unixsocketperm.get()).unwrap_or(0);
        let bound = bind_unix(&path, mode, backlog);
        let address = path.display().to_string();
        listeners.push(bound.map_err(|source| BindError { address, source })?);
    }
    Ok(listeners)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported)
        || error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error())
}

fn bind_tcp(host: &str, port: u16, backlog: i32) -> io::Result<Listener> {
    let address = match host {
        "*" => SocketAddr::new(IpAddr::from([0, 0, 0, 0]), port),
        "::*" => SocketAddr::new(IpAddr::from([0u16; 8]), port),
        host => (host, port)
            .to_socket_addrs()?
            .next()
            .ok_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable))?,
    };
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    socket.set_nonblocking(true)?;
    Ok(Listener { socket: socket.into(), path: None })
}

fn bind_unix(path: &PathBuf, mode: u32, backlog: i32) -> io::Result<Listener> {
    if fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket()) {
        fs::remove_file(path)?;
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    if mode != 0 {
        // Before listening: nobody can connect meanwhile.
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    }
    socket.listen(backlog)?;
    socket.set_nonblocking(true)?;
    Ok(Listener { socket: socket.into(), path: Some(path.clone()) })
}
