//! What the machine asks its driver to do, and the replies that travel in both directions.
//!
//! Actions are performed strictly in the order in which [`crate::Sentinel::poll_action`] gives them:
//! a [`Action::Persist`] is durable before anything after it is performed. That is how a vote is on
//! disk before the answer that carries it leaves, and how a candidate's vote for itself is on disk
//! before it asks others.

use crate::address::Address;

/// Names one connection of this sentinel to an instance. Never used twice by one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// Names one client of the driver; the machine only hands it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);

/// A configuration line as its tokens, unquoted: `sentinel`, `monitor`, `mymaster`, ...
pub type Line = Vec<Vec<u8>>;

/// One thing for the driver to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Make these lines, the whole state, durable before performing any later action. If that
    /// fails, call [`crate::Sentinel::handle_persist_failed`] before taking another action.
    Persist(Vec<Line>),
    /// Open a connection; answer with `handle_connected` or `handle_closed`.
    Connect {
        /// The name of the connection to be.
        link: LinkId,
        /// Where to.
        address: Address,
    },
    /// Send one command; its reply comes back through `handle_reply`, in order per link.
    Send {
        /// On which connection.
        link: LinkId,
        /// The command and its arguments.
        command: Vec<Vec<u8>>,
    },
    /// Close a connection; the machine has already forgotten it and expects no `handle_closed`.
    Disconnect(LinkId),
    /// Answer a client's command.
    Reply {
        /// Whose command.
        client: ClientId,
        /// The answer.
        reply: Reply,
        /// True if the answer vouches for state that the last `Persist` carries (a vote).
        vouches: bool,
    },
    /// Log the event and, unless it is of [`Level::Debug`], publish it to subscribers.
    Announce(Event),
    /// Log a line that is no event.
    Log(Level, String),
    /// End the process at once, as `SENTINEL SIMULATE-FAILURE` demanded.
    Crash,
}

/// How loud an event is, in stock's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// `LL_DEBUG`: logged only, not published.
    Debug,
    /// `LL_VERBOSE`.
    Verbose,
    /// `LL_NOTICE`.
    Notice,
    /// `LL_WARNING`.
    Warning,
}

/// An event as clients see it: published on the channel `name` with `text` as message, and logged
/// as `name text`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// How loud.
    pub level: Level,
    /// The channel: `+sdown`, `+switch-master`, ...
    pub name: &'static str,
    /// The message.
    pub text: String,
}

/// A reply of an instance to us, or of us to a client. Protocol-independent: the driver writes a
/// map as a flat array to a RESP2 client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// `+OK`.
    Status(String),
    /// `-ERR ...`, without the dash.
    Error(String),
    /// `:1`.
    Integer(i64),
    /// A bulk string.
    Bulk(Vec<u8>),
    /// The null bulk string.
    Null,
    /// The null array.
    NullArray,
    /// An array.
    Array(Vec<Reply>),
    /// A map, in order.
    Map(Vec<(Reply, Reply)>),
    /// Several lines of text: a verbatim string in RESP3, a bulk string in RESP2.
    Text(String),
}

impl Reply {
    /// `+OK`.
    pub fn ok() -> Reply {
        Reply::Status("OK".to_owned())
    }

    /// A bulk string of `text`.
    pub fn bulk(text: impl AsRef<[u8]>) -> Reply {
        Reply::Bulk(text.as_ref().to_vec())
    }

    /// The bytes of a status, error, bulk string or text.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Reply::Status(text) | Reply::Error(text) | Reply::Text(text) => Some(text.as_bytes()),
            Reply::Bulk(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The text of a status, error, bulk string or text, if it is UTF-8.
    pub fn as_text(&self) -> Option<&str> {
        std::str::from_utf8(self.as_bytes()?).ok()
    }

    /// The number of an integer reply.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Reply::Integer(number) => Some(*number),
            _ => None,
        }
    }
}
