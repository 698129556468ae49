//! What a handler is given.

use crate::command::Registered;
use crate::effects::Effects;
use crate::keys::Keys;
use crate::node::Node;
use crate::session::Session;
use base::Millis;
use keyspace::Exclusive;
use resp::reply::Writer;

/// The world of one running command.
///
/// A handler parses its arguments, acts on `keys`, declares `effects` and writes one reply, in this
/// order. It never locks, replicates, publishes or wakes by itself.
pub struct Context<'a> {
    /// The node.
    pub node: &'a Node,
    /// The connection.
    pub session: &'a mut Session,
    /// The keys it has declared, in the session's database.
    pub keys: Keys<'a>,
    /// The whole keyspace, if the command (or the transaction it runs in) has it alone.
    pub alone: Option<&'a Exclusive<'a>>,
    /// What it has done.
    pub effects: &'a mut Effects,
    /// Its reply.
    pub reply: Writer<'a>,
    /// Unix time at which it began.
    pub now: Millis,
    /// Which command it is.
    pub command: &'static Registered,
    /// What the loop is to do with the connection afterwards.
    pub outcome: &'a mut Outcome,
}

/// What the loop is to do with a connection after a command.
#[derive(Debug, Default)]
pub enum Outcome {
    /// Go on.
    #[default]
    Done,
    /// The command did not run; try it again later, in order.
    Parked,
    /// The reply comes later (see [`crate::session::Blocked`] in the session).
    Blocked,
    /// Send what there is, then close.
    Close,
    /// Close at once, sending nothing more.
    Abort,
    /// Take the connection out of the loop and give it to the replication driver.
    Detach,
}
