//! Connections that wait for a key: who waits for which, in order, and what is done for them.
//!
//! A waiter is registered under the locks of the keys it waits for. Whoever changes such a key declares
//! it, finds the waiters when its own command or transaction has been carried out, its locks still
//! held, and runs their requests for them in the order in which they came: so the reply to BLPOP is on
//! its way before the reply to the RPUSH that fed it. What a served request changes may feed others
//! (BLMOVE); that goes on until nothing is ready.
//!
//! Invariant: a waiter has one claim. Whoever takes it - a writer, the timeout, CLIENT UNBLOCK, the end
//! of the connection, a change of role - answers; all others leave it alone. Who has served it in vain gives
//! the claim back, unless the connection has ended meanwhile.

use crate::args::{OwnedRequest, Request};
use crate::client::ClientInfo;
use crate::command::Registered;
use crate::session::Session;
use base::Millis;
use base::lock::{Mutex, Rank};
use resp::reply::{Protocol, Writer};
use spec::Group;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use values::Kind;

/// A key of a database.
pub(crate) type DbKey = (u32, Box<[u8]>);

/// What a blocked client gets when its time is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nothing {
    /// A null array.
    NullArray,
    /// A null bulk string.
    Null,
}

/// One connection's wait.
#[derive(Debug)]
pub struct Waiting {
    /// Bits: [`CLAIMED`], [`ABANDONED`].
    state: AtomicU8,
    /// Who waits.
    pub client: Arc<ClientInfo>,
    /// Its database.
    pub db: u32,
    /// Its protocol.
    pub protocol: Protocol,
    /// The command.
    pub command: &'static Registered,
    /// What is run when a key is ready.
    pub request: OwnedRequest,
    /// The keys it waits for.
    pub keys: Vec<Box<[u8]>>,
    /// Monotonic time at which it is answered anyway.
    pub deadline: Option<Millis>,
    /// That answer.
    pub nothing: Nothing,
    /// It is to be run as well when its key goes.
    pub minds_absence: bool,
    /// Monotonic time at which it is to be run without any change; `NEVER`.
    again_at: AtomicU64,
}

/// Somebody answers a waiter.
const CLAIMED: u8 = 1;
/// Its connection has ended.
const ABANDONED: u8 = 2;

/// No time comes at which a waiter is to be run without a change.
const NEVER: u64 = u64::MAX;

impl Waiting {
    pub(crate) fn new(
        session: &Session,
        command: &'static Registered,
        request: Request<'_>,
        wait: Wait<'_>,
    ) -> Waiting {
        // One may be named twice, and there may be very many.
        let mut seen = ahash::HashSet::default();
        let keys =
            wait.keys.iter().filter(|&&key| seen.insert(key)).map(|&key| key.into()).collect();
        Waiting {
            state: AtomicU8::new(0),
            client: Arc::clone(&session.info),
            db: session.db,
            protocol: session.protocol,
            command,
            keys,
            request: wait.request.unwrap_or_else(|| OwnedRequest::copy_of(request)),
            deadline: wait.timeout.map(|timeout| base::clock::monotonic() + timeout),
            nothing: wait.nothing,
            minds_absence: wait.minds_absence,
            again_at: AtomicU64::new(again_at(wait.again_in)),
        }
    }

    /// Monotonic time at which its request is to be run although nothing has changed.
    pub fn again_at(&self) -> Option<Millis> {
        let at = self.again_at.load(Ordering::Acquire);
        (at != NEVER).then_some(Millis(at))
    }

    /// Sets that time. The caller has the claim, or runs the loop of its connection.
    pub(crate) fn run_again_in(&self, span: Option<Millis>) {
        self.again_at.store(again_at(span), Ordering::Release);
    }

    /// A session that stands for the one that waits, for whoever runs its request.
    pub(crate) fn stand_in(&self) -> Session {
        let mut session = Session::new(Arc::clone(&self.client), true);
        session.db = self.db;
        session.protocol = self.protocol;
        session.served = true;
        session
    }

    /// Takes the claim: true for one caller only.
    pub fn claim(&self) -> bool {
        self.state.fetch_or(CLAIMED, Ordering::AcqRel) & CLAIMED == 0
    }

    /// Takes the claim as the connection ends. If somebody else has it, it will not be given back.
    pub fn abandon(&self) -> bool {
        self.state.fetch_or(CLAIMED | ABANDONED, Ordering::AcqRel) & CLAIMED == 0
    }

    /// Gives the claim back: it was not served after all. False if the connection has ended: the caller
    /// keeps the claim, and removes the waiter.
    pub(crate) fn unclaim(&self) -> bool {
        self.state.compare_exchange(CLAIMED, 0, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Whether nobody has claimed it.
    pub fn is_waiting(&self) -> bool {
        self.state.load(Ordering::Acquire) & CLAIMED == 0
    }

    /// Whether a value of `kind` is what it waits for.
    pub(crate) fn awaits(&self, kind: Kind) -> bool {
        match self.command.command.spec.group {
            Group::List => kind == Kind::List,
            Group::SortedSet => kind == Kind::SortedSet,
            Group::Stream => kind == Kind::Stream,
            _ => true,
        }
    }

    /// The reply when its time is up.
    pub fn timeout_reply(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut reply = Writer::new(&mut out, self.protocol);
        match self.nothing {
            Nothing::NullArray => reply.null_array(),
            Nothing::Null => reply.null(),
        }
        out
    }
}

/// What a handler says when it has to wait.
#[derive(Debug)]
pub struct Wait<'a> {
    /// The keys it waits for.
    pub keys: &'a [&'a [u8]],
    /// For how long; `None` is for ever.
    pub timeout: Option<Millis>,
    /// The answer when that is over.
    pub nothing: Nothing,
    /// What is run when a key is ready, if it is not the request as it came.
    pub request: Option<OwnedRequest>,
    /// It is to be run as well when a key goes.
    pub minds_absence: bool,
    /// It is to be run as well when so much time has passed.
    pub again_in: Option<Millis>,
}

fn again_at(span: Option<Millis>) -> u64 {
    span.map_or(NEVER, |span| (base::clock::monotonic() + span).0)
}

/// All waiters of a node.
#[derive(Debug)]
pub struct Waiters {
    count: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    by_key: HashMap<DbKey, Queue>,
    by_client: HashMap<u64, (Ticket, Arc<Waiting>)>,
    last_ticket: Ticket,
}

/// The order in which waiters came, from 1.
pub(crate) type Ticket = u64;

/// Who waits for one key.
#[derive(Debug, Default)]
struct Queue {
    /// By ascending ticket.
    waiters: VecDeque<(Ticket, Arc<Waiting>)>,
    /// How many of them mind its absence.
    minding: usize,
}

impl Queue {
    fn remove(&mut self, ticket: Ticket) {
        if let Ok(at) = self.waiters.binary_search_by_key(&ticket, |(other, _)| *other)
            && let Some((_, waiting)) = self.waiters.remove(at)
        {
            self.minding -= usize::from(waiting.minds_absence);
        }
    }
}

impl Default for Waiters {
    fn default() -> Waiters {
        Waiters { count: AtomicUsize::new(0), state: Mutex::new(Rank::Waiters, State::default()) }
    }
}

impl Waiters {
    /// Whether anybody waits. One load; exact for keys whose locks the caller holds.
    #[inline]
    pub fn any(&self) -> bool {
        self.count.load(Ordering::Acquire) > 0
    }

    /// Enters `waiting` at the end of the queues of its keys, whose locks the caller holds.
    pub(crate) fn add(&self, waiting: &Arc<Waiting>) {
        let state = &mut *self.state.lock();
        state.last_ticket += 1;
        let ticket = state.last_ticket;
        for key in &waiting.keys {
            let queue = state.by_key.entry((waiting.db, key.clone())).or_default();
            queue.waiters.push_back((ticket, Arc::clone(waiting)));
            queue.minding += usize::from(waiting.minds_absence);
        }
        state.by_client.insert(waiting.client.id, (ticket, Arc::clone(waiting)));
        self.count.store(state.by_client.len(), Ordering::Release);
    }

    /// Ends a wait that the caller has claimed. O(log N) for each key, N being those who wait for it, if it
    /// is among the first or last of them.
    pub fn remove(&self, waiting: &Arc<Waiting>) {
        let state = &mut *self.state.lock();
        let Entry::Occupied(own) = state.by_client.entry(waiting.client.id) else { return };
        if !Arc::ptr_eq(&own.get().1, waiting) {
            return;
        }
        let (ticket, _) = own.remove();
        for key in &waiting.keys {
            if let Entry::Occupied(mut queue) = state.by_key.entry((waiting.db, key.clone())) {
                queue.get_mut().remove(ticket);
                if queue.get().waiters.is_empty() {
                    queue.remove();
                }
            }
        }
        self.count.store(state.by_client.len(), Ordering::Release);
    }

    /// The first of those who wait for a key that came after whoever has the ticket `after`; 0 for the very
    /// first.
    pub(crate) fn next_of_key(&self, key: &DbKey, after: Ticket) -> Option<(Ticket, Arc<Waiting>)> {
        let state = self.state.lock();
        let waiters = &state.by_key.get(key)?.waiters;
        let at = waiters.partition_point(|(ticket, _)| *ticket <= after);
        waiters.get(at).cloned()
    }

    /// Whether somebody who waits for a key is to be run when it is absent, too.
    pub(crate) fn anyone_minds(&self, key: &DbKey) -> bool {
        self.state.lock().by_key.get(key).is_some_and(|queue| queue.minding > 0)
    }

    /// Who waits for a key, in order.
    pub(crate) fn of_key(&self, key: &DbKey) -> Vec<Arc<Waiting>> {
        let state = self.state.lock();
        let queue = state.by_key.get(key);
        queue.into_iter().flat_map(|queue| &queue.waiters).map(|(_, one)| Arc::clone(one)).collect()
    }

    /// Whether anybody waits for a key.
    pub(crate) fn has_key(&self, key: &DbKey) -> bool {
        self.state.lock().by_key.contains_key(key)
    }

    /// Every key that is waited for.
    pub(crate) fn keys(&self) -> Vec<DbKey> {
        self.state.lock().by_key.keys().cloned().collect()
    }

    /// The wait of a client.
    pub fn of_client(&self, id: u64) -> Option<Arc<Waiting>> {
        self.state.lock().by_client.get(&id).map(|(_, waiting)| Arc::clone(waiting))
    }

    /// All waits.
    pub(crate) fn all(&self) -> Vec<Arc<Waiting>> {
        self.state.lock().by_client.values().map(|(_, waiting)| Arc::clone(waiting)).collect()
    }

    /// How many clients wait, for how many keys, and for how many of those they mind the absence.
    pub fn counts(&self) -> (usize, usize, usize) {
        let state = self.state.lock();
        let minded = |queue: &&Queue| queue.minding > 0;
        (state.by_client.len(), state.by_key.len(), state.by_key.values().filter(minded).count())
    }
}
