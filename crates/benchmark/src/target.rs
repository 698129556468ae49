//! The server: where it is, what is said to it first on each connection, and connections to it.

use crate::options::Options;
use crate::report::Persistence;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with, sockopt,
};
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;
use wireclient::{Address, Client, ClientError};

/// How long the server may take to say how it is configured.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Clone, Debug)]
enum Place {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// The server.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    place: Place,
    /// What every connection sends first, and how many replies that has.
    pub(crate) greeting: (Vec<u8>, u64),
    /// What it said of its persistence.
    pub(crate) persistence: Persistence,
}

impl Target {
    /// Finds the server that `options` name, and asks it how it is configured.
    ///
    /// # Errors
    /// Why it cannot be measured.
    pub(crate) fn find(options: &Options) -> Result<Target, String> {
        let address = match &options.socket {
            Some(path) => Address::Unix(path.clone()),
            None => Address::tcp(&*options.host, options.port),
        };
        let shown = address.to_string();
        let mut client = Client::connect(&address, PATIENCE).map_err(|error| match error {
            ClientError::Connect { source, .. } => {
                format!("Could not connect to Redis at {shown}: {}", base::reason(&source))
            }
            other => format!("Could not connect to Redis at {shown}: {other}"),
        })?;
        let said = |text| format!("Node {shown} replied with error:\n{text}");
        if let Some(password) = &options.password {
            client
                .auth(options.user.as_deref(), password)
                .map_err(|error| said(error.to_string()))?;
        }
        let save = setting(&mut client, "save").map_err(said)?;
        let append_only = setting(&mut client, "appendonly").map_err(said)?;
        let place = match address {
            Address::Unix(path) => Place::Unix(path),
            Address::Tcp { host, port } => Place::Tcp(reachable(&host, port)?),
        };
        let persistence = save.zip(append_only);
        Ok(Target { place, greeting: greeting(options), persistence })
    }

    /// A new connection, perhaps not complete yet.
    pub(crate) fn connect(&self) -> io::Result<OwnedFd> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let open = |family| socket_with(family, SocketType::STREAM, flags, None);
        let (socket, result) = match &self.place {
            Place::Tcp(address) => {
                let ipv4 = address.is_ipv4();
                let socket = open(if ipv4 { AddressFamily::INET } else { AddressFamily::INET6 })?;
                sockopt::set_tcp_nodelay(&socket, true)?;
                let result = connect(&socket, address);
                (socket, result)
            }
            Place::Unix(path) => {
                let socket = open(AddressFamily::UNIX)?;
                let result = connect(&socket, &SocketAddrUnix::new(path)?);
                (socket, result)
            }
        };
        match result {
            Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
            Err(error) => Err(error.into()),
        }
    }
}

/// The value of a setting; `None` if the server does not tell it.
fn setting(client: &mut Client, name: &str) -> Result<Option<String>, String> {
    let reply = client.call(&["CONFIG", "GET", name]).map_err(|error| error.to_string())?;
    if let Some(text) = reply.as_error() {
        let must_log_in = text.starts_with("NOAUTH");
        return if must_log_in { Err(text.into_owned()) } else { Ok(None) };
    }
    let value = reply.as_array().and_then(|pair| pair.get(1)).and_then(resp::Value::as_bytes);
    Ok(value.map(|value| String::from_utf8_lossy(value).into_owned()))
}

/// The first address of `host` that takes connections.
fn reachable(host: &str, port: u16) -> Result<SocketAddr, String> {
    let failed = |error: io::Error| format!("Could not connect to Redis at {host}:{port}: {error}");
    let mut addresses = (host, port).to_socket_addrs().map_err(failed)?;
    let open =
        |address: &SocketAddr| std::net::TcpStream::connect_timeout(address, PATIENCE).is_ok();
    addresses.find(open).ok_or_else(|| failed(io::ErrorKind::ConnectionRefused.into()))
}

fn greeting(options: &Options) -> (Vec<u8>, u64) {
    let (mut bytes, mut replies) = (Vec::new(), 0);
    let mut say = |words: &[&str]| {
        resp::command_into(&mut bytes, words);
        replies += 1;
    };
    match (&options.user, &options.password) {
        (Some(user), Some(password)) => say(&["AUTH", user, password]),
        (None, Some(password)) => say(&["AUTH", password]),
        _ => {}
    }
    if options.tracks {
        say(&["CLIENT", "TRACKING", "on"]);
    }
    if options.db != 0 {
        say(&["SELECT", &options.db.to_string()]);
    }
    if options.resp3 {
        say(&["HELLO", "3"]);
    }
    (bytes, replies)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greetings_come_in_stocks_order() {
        let options = Options {
            password: Some("pw".into()),
            tracks: true,
            db: 3,
            resp3: true,
            ..Options::default()
        };
        let (bytes, replies) = greeting(&options);
        let text = String::from_utf8(bytes).unwrap();
        let words: Vec<&str> = text.split("\r\n").filter(|w| !w.starts_with(['*', '$'])).collect();
        assert_eq!(words.join(" "), "AUTH pw CLIENT TRACKING on SELECT 3 HELLO 3 ");
        assert_eq!(replies, 4);
        assert_eq!(greeting(&Options::default()), (Vec::new(), 0));
    }
}
