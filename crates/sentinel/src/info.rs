//! Reading the INFO reply of a primary or replica: the facts a sentinel uses, nothing else.
//!
//! Foreign text: unknown lines and malformed values are skipped, lists are bounded.

use crate::address::{Address, parse_host, parse_port};
use crate::config::text_number;
use crate::group::MEMBERS_MAX;
use crate::instance::Role;
use base::RunId;

/// What one INFO reply says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) run_id: Option<RunId>,
    pub(crate) role: Option<Role>,
    /// Replicas a primary lists.
    pub(crate) replicas: Vec<Address>,
    /// Whom a replica follows.
    pub(crate) primary_host: Option<String>,
    pub(crate) primary_port: Option<u16>,
    pub(crate) link_up: Option<bool>,
    /// Absent while the link is up; -1 if it never was.
    pub(crate) link_down_seconds: Option<i64>,
    pub(crate) priority: Option<u64>,
    pub(crate) replica_offset: Option<u64>,
    pub(crate) announced: Option<bool>,
    pub(crate) primary_offset: Option<u64>,
    /// `master_replid` and `master_replid2`.
    pub(crate) replids: Vec<RunId>,
    pub(crate) loading: bool,
    pub(crate) keys: u64,
}

/// Reads `text`. O(bytes).
pub(crate) fn parse(text: &[u8]) -> Report {
    let mut report = Report::default();
    for line in text.split(|&byte| byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Some(at) = line.iter().position(|&byte| byte == b':') else { continue };
        let (field, value) = (&line[..at], &line[at + 1..]);
        read_field(&mut report, field, value);
    }
    report
}

fn read_field(report: &mut Report, field: &[u8], value: &[u8]) {
    match field {
        b"run_id" => report.run_id = RunId::parse(value),
        b"role" => {
            report.role = match value {
                b"master" => Some(Role::Primary),
                b"slave" => Some(Role::Replica),
                _ => None,
            };
        }
        b"master_host" => report.primary_host = parse_host(value, true),
        b"master_port" => report.primary_port = parse_port(value),
        b"master_link_status" => report.link_up = Some(value == b"up"),
        b"master_link_down_since_seconds" => report.link_down_seconds = text_number(value),
        b"slave_priority" => report.priority = text_number(value),
        b"slave_repl_offset" => report.replica_offset = text_number(value),
        b"replica_announced" => report.announced = Some(value != b"0"),
        b"master_replid" | b"master_replid2" => {
            // Zeros stand for no second history.
            report.replids.extend(RunId::parse(value).filter(|id| *id != RunId::zero()));
        }
        b"master_repl_offset" => report.primary_offset = text_number(value),
        b"loading" => report.loading = value == b"1",
        _ if numbered(field, b"db") => {
            let keys: u64 = attribute(value, b"keys").and_then(text_number).unwrap_or(0);
            report.keys = report.keys.saturating_add(keys);
        }
        _ if numbered(field, b"slave") && report.replicas.len() < MEMBERS_MAX => {
            report.replicas.extend(listed_replica(value));
        }
        _ => {}
    }
}

/// True for `prefix` followed by digits only.
fn numbered(field: &[u8], prefix: &[u8]) -> bool {
    field
        .strip_prefix(prefix)
        .is_some_and(|rest| !rest.is_empty() && rest.iter().all(u8::is_ascii_digit))
}

/// The value of `name=value` in a comma-separated list.
fn attribute<'a>(list: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    list.split(|&byte| byte == b',')
        .find_map(|item| item.strip_prefix(name).and_then(|rest| rest.strip_prefix(b"=")))
}

/// `ip=10.0.0.1,port=6379,state=online,...`, or `10.0.0.1,6379,online` of servers before 2.8.
fn listed_replica(value: &[u8]) -> Option<Address> {
    let mut items = value.split(|&byte| byte == b',');
    let host = attribute(value, b"ip").or_else(|| items.next())?;
    let port = attribute(value, b"port").or_else(|| items.next())?;
    Some(Address::new(parse_host(host, true)?, parse_port(port)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_primary_lists_its_replicas() {
        let report = parse(
            b"# Server\r\nrun_id:8966719e5c5709654f0c0ff58bab2bcc6c37a7da\r\nrole:master\r\n\
              slave0:ip=127.0.0.1,port=7102,state=online,offset=14,lag=0\r\n\
              slave1:10.0.0.2,6379,online\r\nslave_x:1\r\nmaster_repl_offset:42\r\n\
              db0:keys=3,expires=0,avg_ttl=0\r\ndb5:keys=4,expires=0\r\n",
        );
        assert_eq!(report.role, Some(Role::Primary));
        assert_eq!(
            report.replicas,
            [Address::new("127.0.0.1", 7102), Address::new("10.0.0.2", 6379)]
        );
        assert_eq!((report.primary_offset, report.keys), (Some(42), 7));
        assert!(report.run_id.is_some());
    }

    #[test]
    fn a_replica_tells_whom_it_follows_and_how_well() {
        let report = parse(
            b"role:slave\r\nmaster_host:127.0.0.1\r\nmaster_port:7101\r\nmaster_link_status:down\r\n\
              master_link_down_since_seconds:-1\r\nslave_repl_offset:1\r\nslave_priority:50\r\n\
              replica_announced:0\r\nloading:1\r\n",
        );
        assert_eq!(report.primary_port, Some(7101));
        assert_eq!(report.link_up, Some(false));
        assert_eq!(report.link_down_seconds, Some(-1));
        assert_eq!((report.priority, report.replica_offset), (Some(50), Some(1)));
        assert_eq!((report.announced, report.loading), (Some(false), true));
    }

    #[test]
    fn junk_is_skipped() {
        for text in [&b""[..], b"\xff\xfe:::", b"run_id:zz", b"slave0:ip=,port=", b"role:king"] {
            assert_eq!(parse(text), Report::default(), "{text:?}");
        }
    }
}
