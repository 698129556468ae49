//! Whether an address that somebody names is this node's own.
//!
//! Sentinels name a node by the address that was configured for its group, by the one its primary
//! saw it connect from, or by the one it announces: a number or a name, here or beyond a NAT. So an
//! address is our own if it is what we announce, or our port on an address of an interface of this
//! machine. The kernel lists those (rtnetlink: a dump of `RTM_GETADDR`); what can be bound proves
//! nothing, for `net.ipv4.ip_nonlocal_bind` lets every address be bound.
//!
//! ```text
//! reply:     header                              ifaddrmsg             attributes
//!            len u32 type u16 flags u16 seq pid | family u8 7 bytes | (len u16 type u16 bytes pad)*
//! ```

use conf::Settings;
use engine::replication::Address;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};
use std::io;
use std::net::{IpAddr, TcpListener, ToSocketAddrs};
use std::time::Duration;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
/// A request, and one for everything.
const NLM_F_REQUEST_DUMP: u16 = 0x301;
const HEADER_BYTES: usize = 16;
const IFADDRMSG_BYTES: usize = 8;
const ATTRIBUTE_BYTES: usize = 4;
/// The address of the interface, or of its peer if there is one.
const IFA_ADDRESS: u16 = 1;
/// The address of the interface where there is a peer.
const IFA_LOCAL: u16 = 2;
/// The kernel's own bound on one part of a dump.
const PART_BYTES_MAX: usize = 32 << 10;
/// How long the kernel may take.
const ANSWER_MAX: Duration = Duration::from_secs(1);
/// Parts of a dump that are read at most.
const PARTS_MAX: usize = 10_000;

/// The addresses under which this node is known.
#[derive(Debug)]
pub(super) struct Own {
    port: u16,
    announced_port: u16,
    announced_host: String,
    /// The addresses of this machine; `None` if the kernel does not tell.
    interfaces: Option<Vec<IpAddr>>,
}

impl Own {
    /// What holds at this moment.
    pub(super) fn look(settings: &Settings) -> Own {
        let port = |number: i64| u16::try_from(number).unwrap_or(0);
        let own = port(settings.port.get());
        let announced = port(settings.replica_announce_port.get());
        Own {
            port: own,
            announced_port: if announced == 0 { own } else { announced },
            announced_host: settings.replica_announce_ip.string(),
            interfaces: interfaces().ok(),
        }
    }

    /// Whether `address` is this node. A name is looked up.
    pub(super) fn is(&self, address: &Address) -> bool {
        let announced = !self.announced_host.is_empty()
            && self.announced_host.eq_ignore_ascii_case(&address.host);
        if announced && address.port == self.announced_port {
            return true;
        }
        let is_our_port = address.port == self.port || address.port == self.announced_port;
        is_our_port
            && (address.host.as_str(), address.port)
                .to_socket_addrs()
                .is_ok_and(|mut found| found.any(|found| self.is_local(found.ip().to_canonical())))
    }

    fn is_local(&self, ip: IpAddr) -> bool {
        ip.is_loopback()
            || match &self.interfaces {
                Some(interfaces) => interfaces.contains(&ip),
                None => TcpListener::bind((ip, 0)).is_ok(),
            }
    }
}

/// The addresses of this machine's interfaces.
fn interfaces() -> io::Result<Vec<IpAddr>> {
    // Without a protocol it is NETLINK_ROUTE.
    let family = AddressFamily::NETLINK;
    let kernel = rustix::net::socket_with(family, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_timeout(&kernel, sockopt::Timeout::Recv, Some(ANSWER_MAX))?;
    rustix::net::send(&kernel, &request(), SendFlags::empty())?;
    let mut found = Vec::new();
    let mut part = vec![0; PART_BYTES_MAX];
    for _ in 0..PARTS_MAX {
        let (_, len) = rustix::net::recv(&kernel, part.as_mut_slice(), RecvFlags::empty())?;
        if read_part(part.get(..len).unwrap_or_default(), &mut found)? {
            return Ok(found);
        }
    }
    Err(io::ErrorKind::InvalidData.into())
}

fn request() -> Vec<u8> {
    let len = u32::try_from(HEADER_BYTES + IFADDRMSG_BYTES).unwrap_or(0);
    let mut bytes = len.to_ne_bytes().to_vec();
    bytes.extend(RTM_GETADDR.to_ne_bytes());
    bytes.extend(NLM_F_REQUEST_DUMP.to_ne_bytes());
    // Sequence, process and the message: zeros mean that all families and interfaces are wanted.
    bytes.resize(HEADER_BYTES + IFADDRMSG_BYTES, 0);
    bytes
}

/// Reads one part of the dump; true if it is the last one.
fn read_part(part: &[u8], found: &mut Vec<IpAddr>) -> io::Result<bool> {
    let mut rest = part;
    while let Some((len, kind)) = long(rest).zip(short(rest, 4)) {
        let Some(message) = rest.get(HEADER_BYTES..len) else { break };
        match kind {
            NLMSG_DONE => return Ok(true),
            NLMSG_ERROR => return Err(io::ErrorKind::Other.into()),
            RTM_NEWADDR => found.extend(address(message)),
            _ => {}
        }
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}

/// The address that one message is about.
fn address(message: &[u8]) -> Option<IpAddr> {
    let mut rest = message.get(IFADDRMSG_BYTES..)?;
    let mut best: Option<(u16, IpAddr)> = None;
    while let Some((len, kind)) = short(rest, 0).zip(short(rest, 2)) {
        let len = usize::from(len);
        let Some(bytes) = rest.get(ATTRIBUTE_BYTES..len) else { break };
        if matches!(kind, IFA_ADDRESS | IFA_LOCAL)
            && best.is_none_or(|(other, _)| kind > other)
            && let Some(ip) = ip(bytes)
        {
            best = Some((kind, ip));
        }
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
    best.map(|(_, ip)| ip)
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

fn long(bytes: &[u8]) -> Option<usize> {
    let bytes = bytes.get(..4)?.try_into().ok()?;
    usize::try_from(u32::from_ne_bytes(bytes)).ok()
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at + 2)?.try_into().ok()?;
    Some(u16::from_ne_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(interfaces: Option<&[&str]>) -> Own {
        let parse = |list: &[&str]| list.iter().map(|ip| ip.parse().unwrap()).collect();
        Own {
            port: 6379,
            announced_port: 7000,
            announced_host: "node1.example".to_owned(),
            interfaces: interfaces.map(parse),
        }
    }

    #[test]
    fn a_node_is_what_it_announces_or_its_port_on_this_machine() {
        let here = own(Some(&["192.0.2.2", "2001:db8::2"]));
        for (host, port, expected) in [
            ("node1.example", 7000, true),
            ("NODE1.example", 7000, true),
            ("node1.example", 7001, false),
            ("192.0.2.2", 6379, true),
            ("192.0.2.2", 7000, true),
            ("192.0.2.2", 6380, false),
            ("192.0.2.3", 6379, false),
            ("2001:db8::2", 6379, true),
            ("::ffff:192.0.2.2", 6379, true),
            ("127.0.0.5", 6379, true),
            ("localhost", 6379, true),
            ("localhost", 6380, false),
            ("a name that nobody has", 6379, false),
        ] {
            let address = Address { host: host.to_owned(), port };
            assert_eq!(here.is(&address), expected, "{host} {port}");
        }
        let untold = Address { host: "192.0.2.77".to_owned(), port: 6379 };
        assert!(!own(None).is(&untold), "it cannot be bound");
    }

    #[test]
    fn the_kernel_lists_what_can_be_reached() {
        let listed = interfaces().unwrap();
        assert!(listed.contains(&"127.0.0.1".parse().unwrap()), "{listed:?}");
    }

    #[test]
    fn messages_are_read_and_junk_is_passed_over() {
        let attribute = |kind: u16, bytes: &[u8]| {
            let mut text = u16::try_from(4 + bytes.len()).unwrap().to_ne_bytes().to_vec();
            text.extend(kind.to_ne_bytes());
            text.extend(bytes);
            text.resize(text.len().next_multiple_of(4), 0);
            text
        };
        let message = |kind: u16, attributes: &[Vec<u8>]| {
            let body = [vec![0; IFADDRMSG_BYTES], attributes.concat()].concat();
            let len = u32::try_from(HEADER_BYTES + body.len()).unwrap();
            let mut text = len.to_ne_bytes().to_vec();
            text.extend(kind.to_ne_bytes());
            text.resize(HEADER_BYTES, 0);
            text.extend(body);
            text
        };
        // A point-to-point interface: the peer's address, ours, and a label.
        let both = [
            attribute(IFA_ADDRESS, &[10, 0, 0, 9]),
            attribute(IFA_LOCAL, &[10, 0, 0, 1]),
            attribute(3, b"ppp0\0"),
        ];
        let one = [attribute(IFA_ADDRESS, &[0xfe; 16])];
        let dump = [
            message(RTM_NEWADDR, &both),
            message(RTM_NEWADDR, &one),
            message(RTM_NEWADDR, &[attribute(IFA_LOCAL, &[1, 2, 3])]),
            message(99, &both),
        ]
        .concat();
        let expected: Vec<IpAddr> = vec![[10, 0, 0, 1].into(), [0xfe; 16].into()];
        let mut found = Vec::new();
        assert!(!read_part(&dump, &mut found).unwrap());
        assert_eq!(found, expected);
        assert!(read_part(&message(NLMSG_DONE, &[]), &mut found).unwrap());
        assert!(read_part(&message(NLMSG_ERROR, &[]), &mut found).is_err());
        for len in 0..dump.len() {
            assert!(!read_part(&dump[..len], &mut Vec::new()).unwrap());
        }
        assert!(!read_part(&[0; 64], &mut Vec::new()).unwrap());
    }
}
