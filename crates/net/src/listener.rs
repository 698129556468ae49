//! Listening sockets: TCP addresses of `bind` and the unix socket.

use conf::Settings;
use rustix::net::{SocketFlags, accept_with};
use socket2::{Domain, SockAddr, Socket, Type};
use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
    /// What it was opened for: `host:port`, or the path.
    pub(crate) name: String,
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

/// What is to be listened on, as far as it was not yet.
#[derive(Debug)]
pub struct Binding {
    /// Names of listeners that stay.
    pub(crate) kept: Vec<String>,
    /// New ones.
    pub(crate) opened: Vec<Listener>,
}

/// Opens what `bind`, `port` and `unixsocket` ask for and what is not among `held`.
///
/// # Errors
/// The first address that cannot be opened. As in stock, an address that begins with `-` may be one
/// that this machine does not have, and a protocol it does not have is passed over.
pub fn bind_all(settings: &Settings, held: &[String]) -> Result<Binding, BindError> {
    let mut binding = Binding { kept: Vec::new(), opened: Vec::new() };
    let backlog = i32::try_from(settings.tcp_backlog.get()).unwrap_or(511);
    let port = u16::try_from(settings.port.get()).unwrap_or(0);
    let hosts = if port == 0 { Arc::default() } else { settings.bind.get() };
    for name in hosts.iter() {
        let name = String::from_utf8_lossy(name).into_owned();
        let (optional, host) = match name.strip_prefix('-') {
            Some(host) => (true, host),
            None => (false, name.as_str()),
        };
        match binding.open(held, format!("{host}:{port}"), || bind_tcp(host, port, backlog)) {
            Err(error) if optional && is_absent(&error.source) => {}
            result => result?,
        }
    }
    let path = settings.unixsocket.string();
    if !path.is_empty() {
        let mode = u32::try_from(settings.unixsocketperm.get()).unwrap_or(0);
        binding.open(held, path.clone(), || bind_unix(Path::new(&path), mode, backlog))?;
    }
    Ok(binding)
}

impl Binding {
    fn open(
        &mut self,
        held: &[String],
        name: String,
        open: impl FnOnce() -> io::Result<Listener>,
    ) -> Result<(), BindError> {
        if held.contains(&name) {
            self.kept.push(name);
            return Ok(());
        }
        let mut listener = open().map_err(|source| BindError { address: name.clone(), source })?;
        listener.name = name;
        self.opened.push(listener);
        Ok(())
    }

    /// The names of all that is listened on afterwards.
    pub(crate) fn names(&self) -> Vec<String> {
        let opened = self.opened.iter().map(|listener| &listener.name);
        self.kept.iter().chain(opened).cloned().collect()
    }
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
    Ok(Listener { socket: socket.into(), name: String::new(), path: None })
}

fn bind_unix(path: &Path, mode: u32, backlog: i32) -> io::Result<Listener> {
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
    Ok(Listener { socket: socket.into(), name: String::new(), path: Some(path.to_owned()) })
}
