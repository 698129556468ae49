//! What a handler is given.

use crate::args::Request;
use crate::blocking::{Nothing, Wait, Waiting};
use crate::command::Registered;
use crate::effects::{Effects, Event};
use crate::keys::Keys;
use crate::migration::{Migration, Parcel, Target};
use crate::node::Node;
use crate::session::{Blocked, Session};
use base::Millis;
use keyspace::Exclusive;
use resp::reply::Writer;
use std::sync::Arc;

/// The longest reply of a command that may answer the same element over and over.
const REPLY_BYTES_MAX: usize = 1 << 30;

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

impl Context<'_> {
    /// Whether the command may wait: not inside of a transaction, nor in the primary's stream.
    pub fn may_block(&self) -> bool {
        !self.session.executing && !self.session.info.primary
    }

    /// How long the reply may become. Beyond, the handler stops, and lets the connection be closed with
    /// [`Outcome::Abort`].
    pub fn reply_bytes_max(&self) -> usize {
        let limits = self.node.settings.client_output_buffer_limit.get();
        let hard = self.session.info.output_limit(&limits).hard_bytes;
        let hard = usize::try_from(hard).ok().filter(|&bytes| bytes > 0);
        hard.map_or(REPLY_BYTES_MAX, |bytes| bytes.min(REPLY_BYTES_MAX))
    }

    /// Declares `changes` changes of `key` that are told of as `event`, and behind it that the key has
    /// gone, if it has.
    pub fn changed(&mut self, key: &[u8], event: Event, changes: usize, has_gone: bool) {
        self.effects.changed_by(self.keys.db, key, event, changes);
        if has_gone {
            self.effects.notify(self.keys.db, key, Event::Delete);
        }
    }

    /// Takes `key` out, for instance because what was to be stored there is empty. False if there was
    /// nothing.
    pub fn delete(&mut self, key: &[u8]) -> bool {
        let Some(entry) = self.keys.remove(key) else { return false };
        self.node.lazyfree.entry(entry, self.node.settings.lazyfree_lazy_server_del.get());
        self.effects.changed(self.keys.db, key, Event::Delete);
        true
    }

    /// Lets the connection wait for keys, whose locks the command holds; the handler writes no reply.
    pub fn block(&mut self, request: Request<'_>, wait: Wait<'_>) {
        *self.outcome = Outcome::Blocked;
        if self.session.served {
            self.session.again_in = wait.again_in;
            return;
        }
        let waiting = Arc::new(Waiting::new(self.session, self.command, request, wait));
        self.node.waiters.add(&waiting);
        self.session.blocked = Some(Blocked::Keys(waiting));
    }

    /// Lets the connection wait until `parcels`, whose keys' locks the command holds, have gone to
    /// `target`. The handler writes no reply; it runs again with what has become of them.
    pub fn hand_off(&mut self, request: Request<'_>, target: Target, parcels: Vec<Parcel>) {
        *self.outcome = Outcome::Blocked;
        let (keys, nothing) = (&[][..], Nothing::Null);
        let wait = Wait {
            keys,
            timeout: None,
            nothing,
            request: None,
            minds_absence: false,
            again_in: None,
        };
        let waiting = Arc::new(Waiting::new(self.session, self.command, request, wait));
        if !target.copy {
            self.node.moves.begin(parcels.iter().map(|parcel| &*parcel.key));
        }
        self.session.blocked = Some(Blocked::Keys(Arc::clone(&waiting)));
        let (began_us, originated) = (base::clock::monotonic_us(), self.node.originates());
        let migration = Migration { target, parcels, waiting, began_us, originated };
        self.session.leaving = Some(Box::new(migration));
    }
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
