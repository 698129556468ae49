//! Looking at the nodes: what each says of itself, and what its sentinel says of the group.

use super::Options;
use resp::value::Value;
use std::time::Duration;
use wireclient::{Address, Client};

/// How long a node may take to answer a question.
const ANSWER_MS: u64 = 300;

/// What one node says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NodeView {
    /// It answers and serves.
    pub(crate) serves: bool,
    /// `master` or `slave`; empty if it does not answer.
    pub(crate) role: String,
    /// The end of its log, or what it has applied.
    pub(crate) offset: u64,
    /// A replica's link: `up` or `down`.
    pub(crate) link: String,
    /// Its connected replicas, if it is the primary.
    pub(crate) replicas: u64,
    /// Where its sentinel says the primary is.
    pub(crate) primary: Option<(String, u16)>,
    /// How many other sentinels its sentinel knows.
    pub(crate) other_sentinels: u64,
    /// How many replicas its sentinel knows.
    pub(crate) known_replicas: u64,
    /// The primary's flags as its sentinel sees them, such as `master,s_down`.
    pub(crate) flags: String,
}

/// Connections to one node, kept between looks.
#[derive(Default)]
pub(crate) struct Observer {
    server: Option<Client>,
    sentinel: Option<Client>,
}

impl Observer {
    /// Asks node `index`.
    pub(crate) fn look(&mut self, options: &Options, index: u16) -> NodeView {
        let mut view = NodeView::default();
        let server = Address::tcp("127.0.0.1", options.port + index);
        if let Some(text) =
            ask(&mut self.server, &server, &["INFO", "replication"]).and_then(text_of)
        {
            let field = |name: &str| {
                text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            };
            let number =
                |name: &str| field(name).and_then(|value| value.parse().ok()).unwrap_or_default();
            field("role").unwrap_or_default().clone_into(&mut view.role);
            field("master_link_status").unwrap_or_default().clone_into(&mut view.link);
            view.replicas = number("connected_slaves");
            view.offset = match view.role.as_str() {
                "slave" => number("slave_repl_offset"),
                _ => number("master_repl_offset"),
            };
            view.serves = matches!(
                ask(&mut self.server, &server, &["PING"]),
                Some(Value::Simple(reply)) if reply == b"PONG"
            );
        }
        let sentinel = Address::tcp("127.0.0.1", options.sentinel_port + index);
        if let Some(value) =
            ask(&mut self.sentinel, &sentinel, &["SENTINEL", "MASTER", &options.name])
        {
            let field = |name: &str| field_of(&value, name);
            let port = field("port").and_then(|port| port.parse().ok());
            view.primary = field("ip").zip(port);
            view.flags = field("flags").unwrap_or_default();
            let count = |name: &str| field(name).and_then(|count| count.parse().ok());
            view.other_sentinels = count("num-other-sentinels").unwrap_or_default();
            view.known_replicas = count("num-slaves").unwrap_or_default();
        }
        view
    }
}

/// Asks over a kept connection; a failure drops it, so that the next look connects anew.
fn ask(client: &mut Option<Client>, address: &Address, words: &[&str]) -> Option<Value> {
    let timeout = Duration::from_millis(ANSWER_MS);
    let mut open = if let Some(open) = client.take() {
        open
    } else {
        let mut open = Client::connect(address, timeout).ok()?;
        open.set_read_timeout(Some(timeout)).ok()?;
        open
    };
    let value = open.call(words).ok()?;
    *client = Some(open);
    Some(value)
}

fn text_of(value: Value) -> Option<String> {
    match value {
        Value::Bulk(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        _ => None,
    }
}

fn field_of(value: &Value, name: &str) -> Option<String> {
    let Value::Array(items) = value else { return None };
    items.chunks_exact(2).find_map(|pair| match pair {
        [Value::Bulk(found), Value::Bulk(value)] if found == name.as_bytes() => {
            Some(String::from_utf8_lossy(value).into_owned())
        }
        _ => None,
    })
}
