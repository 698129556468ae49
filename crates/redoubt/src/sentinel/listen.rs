//! Listening sockets and outgoing connections, none of which ever block.

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};

/// Connections the system queues for one listener.
pub(super) const BACKLOG: i32 = 511;

/// The addresses that `bind` names; with each, true if it may be missing on this machine.
pub(super) fn addresses(bind: &[String]) -> Result<Vec<(IpAddr, bool)>, String> {
    let everywhere = ["*".to_owned(), "-::*".to_owned()];
    let bind = if bind.is_empty() { &everywhere[..] } else { bind };
    bind.iter()
        .map(|text| {
            let (name, optional) =
                text.strip_prefix('-').map_or((text.as_str(), false), |n| (n, true));
            let address = match name {
                "*" => Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
                "::*" => Some(IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
                name => name.parse().ok(),
            };
            address.map(|address| (address, optional)).ok_or_else(|| text.clone())
        })
        .collect()
}

/// Listens on `address`.
pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(TcpListener::from(socket))
}

/// Begins to connect to `address`; the socket becomes writable when it is decided.
pub(super) fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    match rustix::net::connect(&socket, &address) {
        Ok(()) | Err(rustix::io::Errno::INPROGRESS) => {}
        Err(error) => return Err(error.into()),
    }
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bind_names_addresses() {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let all = [("0.0.0.0", false), ("::", true)];
        for (text, expected) in [
            ("", &all[..]),
            ("* -::*", &all[..]),
            ("127.0.0.1 -::1", &[("127.0.0.1", false), ("::1", true)]),
        ] {
            let expected: Vec<(IpAddr, bool)> =
                expected.iter().map(|(address, may)| (address.parse().unwrap(), *may)).collect();
            assert_eq!(addresses(&words(text)), Ok(expected), "{text}");
        }
        assert_eq!(addresses(&words("nonsense")), Err("nonsense".to_owned()));
    }
}
