//! `redis://[[user]:password@]host[:port][/db]`, the address of a server in one word.
//!
//! User, password and host may be percent-encoded. A word before `@` without a colon is the password. A
//! `valkey://` scheme means the same.

use thiserror::Error;

/// What an address said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uri {
    /// User.
    pub user: Option<String>,
    /// Password.
    pub password: Option<String>,
    /// Host name or address, IPv6 without brackets.
    pub host: Option<String>,
    /// Port.
    pub port: Option<u16>,
    /// Database.
    pub db: Option<u32>,
}

/// Why an address cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum UriError {
    /// It does not begin with a known scheme.
    #[error("Invalid URI scheme")]
    Scheme,
    /// It asks for TLS.
    #[error("TLS (rediss://) is not built yet")]
    Tls,
    /// It ends within a percent-encoded byte.
    #[error("Incomplete URI encoding")]
    IncompleteEncoding,
    /// A percent sign without two hexadecimal digits, or what is encoded is not UTF-8.
    #[error("Illegal character in URI encoding")]
    Encoding,
    /// The port is no port.
    #[error("Invalid server port.")]
    Port,
    /// The database is no number.
    #[error("Invalid database number in URI")]
    Db,
}

/// Reads `text`.
///
/// # Errors
/// What is wrong with it.
pub fn parse(text: &str) -> Result<Uri, UriError> {
    let (scheme, rest) = text.split_once("://").ok_or(UriError::Scheme)?;
    match scheme.to_ascii_lowercase().as_str() {
        "redis" | "valkey" => {}
        "rediss" | "valkeys" => return Err(UriError::Tls),
        _ => return Err(UriError::Scheme),
    }
    let mut uri = Uri::default();
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let location = match authority.rsplit_once('@') {
        Some((secrets, location)) => {
            let (user, password) = match secrets.split_once(':') {
                Some((user, password)) => (user, password),
                None => ("", secrets),
            };
            uri.user = not_empty(&decode(user)?);
            uri.password = Some(decode(password)?);
            location
        }
        None => authority,
    };
    let (host, port) = split_port(location);
    uri.host = not_empty(&decode(host)?);
    if let Some(port) = port {
        uri.port = Some(port.parse().map_err(|_| UriError::Port)?);
    }
    let db = path.split(['?', '#']).next().unwrap_or_default();
    if !db.is_empty() {
        uri.db = Some(db.parse().map_err(|_| UriError::Db)?);
    }
    Ok(uri)
}

fn not_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// Host and port; an IPv6 address stands in brackets.
fn split_port(location: &str) -> (&str, Option<&str>) {
    if let Some((host, rest)) = location.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return (host, rest.strip_prefix(':'));
    }
    match location.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (location, None),
    }
}

fn decode(text: &str) -> Result<String, UriError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let (Some(high), Some(low)) = (rest.next(), rest.next()) else {
            return Err(UriError::IncompleteEncoding);
        };
        let digit = |byte: u8| char::from(byte).to_digit(16).ok_or(UriError::Encoding);
        let decoded = digit(high)? * 16 + digit(low)?;
        bytes.push(u8::try_from(decoded).map_err(|_| UriError::Encoding)?);
    }
    String::from_utf8(bytes).map_err(|_| UriError::Encoding)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Parts<'a> = (Option<&'a str>, Option<&'a str>, Option<&'a str>, Option<u16>, Option<u32>);

    #[test]
    fn reads_every_part() {
        let rows: &[(&str, Parts<'_>)] = &[
            ("redis://", (None, None, None, None, None)),
            ("redis://h", (None, None, Some("h"), None, None)),
            ("redis://h:1/2", (None, None, Some("h"), Some(1), Some(2))),
            ("REDIS://h/", (None, None, Some("h"), None, None)),
            ("redis://p@h", (None, Some("p"), Some("h"), None, None)),
            ("redis://:p@h", (None, Some("p"), Some("h"), None, None)),
            ("valkey://u:p%3a%40@h:7", (Some("u"), Some("p:@"), Some("h"), Some(7), None)),
            ("redis://u:p@[::1]:7/0", (Some("u"), Some("p"), Some("::1"), Some(7), Some(0))),
        ];
        for (text, (user, password, host, port, db)) in rows {
            let expected = Uri {
                user: user.map(str::to_owned),
                password: password.map(str::to_owned),
                host: host.map(str::to_owned),
                port: *port,
                db: *db,
            };
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn refuses_what_it_cannot_read() {
        let rows: &[(&str, UriError)] = &[
            ("h:1", UriError::Scheme),
            ("http://h", UriError::Scheme),
            ("rediss://h", UriError::Tls),
            ("redis://%zz@h", UriError::Encoding),
            ("redis://%4", UriError::IncompleteEncoding),
            ("redis://h:x", UriError::Port),
            ("redis://h:70000", UriError::Port),
            ("redis://h/x", UriError::Db),
        ];
        for (text, expected) in rows {
            assert_eq!(parse(text), Err(*expected), "{text}");
        }
    }
}
