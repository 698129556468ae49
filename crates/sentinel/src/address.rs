//! Where an instance was last seen: a host as its owner wrote it, and a port.
//!
//! A host is compared as text. With `resolve-hostnames no` (the default) only numeric addresses are
//! accepted, so text equality is address equality, as in stock.

use std::fmt;
use std::net::IpAddr;

/// The longest host name accepted, in bytes (DNS allows 253).
pub const HOST_LEN_MAX: usize = 253;

/// A host and a port. Port 0 marks an address known to be wrong: nothing connects to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// A numeric address, or a host name where `resolve-hostnames` allows it.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

impl Address {
    /// An address.
    pub fn new(host: impl Into<String>, port: u16) -> Address {
        Address { host: host.into(), port }
    }

    /// False if it must be resolved.
    pub fn is_numeric(&self) -> bool {
        self.host.parse::<IpAddr>().is_ok()
    }

    /// The name of an instance without another name: `host:port`, IPv6 hosts in brackets.
    pub fn name(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// Reads a host: a numeric address, or with `names` also anything a resolver could be asked.
pub fn parse_host(text: &[u8], names: bool) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?;
    if text.parse::<IpAddr>().is_ok() {
        return Some(text.to_owned());
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let named = names && !text.is_empty() && text.len() <= HOST_LEN_MAX && text.bytes().all(plain);
    named.then(|| text.to_owned())
}

/// Reads a port of `1..=65535`.
pub fn parse_port(text: &[u8]) -> Option<u16> {
    let port: u16 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (port != 0).then_some(port)
}

impl fmt::Display for Address {
    /// As events write it: `host port`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_numeric_unless_names_are_allowed() {
        for (text, names, expected) in [
            ("127.0.0.1", false, true),
            ("::1", false, true),
            ("localhost", false, false),
            ("localhost", true, true),
            ("a b", true, false),
            ("", true, false),
        ] {
            assert_eq!(parse_host(text.as_bytes(), names).is_some(), expected, "{text} {names}");
        }
    }

    #[test]
    fn ports_are_sixteen_bits_and_not_zero() {
        for (text, expected) in
            [("1", Some(1)), ("65535", Some(65535)), ("65536", None), ("0", None), ("x", None)]
        {
            assert_eq!(parse_port(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn names_bracket_ipv6() {
        assert_eq!(Address::new("::1", 6379).name(), "[::1]:6379");
        assert_eq!(Address::new("10.0.0.1", 6379).name(), "10.0.0.1:6379");
    }
}
