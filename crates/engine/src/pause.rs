//! Pauses: clients wait for a while, all of them or those that write.
//!
//! There are two, which know nothing of each other: that of clients (CLIENT PAUSE, which lasts for a
//! time or until CLIENT UNPAUSE) and that of a stop, which nobody but the stop ends. What either holds
//! back is held back: the gates [`gates::PAUSED`] and [`gates::PAUSED_WRITES`] are shut while one lasts;
//! a session that meets one is parked, its request stays unread, and it goes on in order afterwards.
//!
//! A command that has passed the gates before a pause began may still run when it has: whoever wants the
//! log to stand still begins it with the whole keyspace alone, or has that for an instant afterwards.
//!
//! [`gates::PAUSED`]: crate::gates::PAUSED
//! [`gates::PAUSED_WRITES`]: crate::gates::PAUSED_WRITES

use crate::client::Class;
use crate::command::Registered;
use crate::session::Session;
use base::Millis;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What a pause holds back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extent {
    /// What writes.
    Writes,
    /// Every command.
    All,
}

/// The pauses under way, if any.
#[derive(Debug, Default)]
pub struct Pause {
    /// That of clients, as [`ByClients`] packs it: one word, so that two that begin at once lose nothing.
    by_clients: AtomicU64,
    /// That of a stop, of writes only.
    by_stop: AtomicBool,
}

impl Pause {
    /// Begins or prolongs the clients' pause until `until` (monotonic). One of everything is not
    /// softened by one of writes only, nor is one shortened.
    pub fn begin(&self, until: Millis, extent: Extent) {
        let now = base::clock::monotonic();
        let joined = |word| {
            let begun = ByClients { until, extent };
            let running = Some(ByClients::unpack(word)).filter(|running| running.until > now);
            Some(running.map_or(begun, |running| running.joined(begun)).pack())
        };
        // It always gives a new word, so there is no failure.
        let _ = self.by_clients.fetch_update(Ordering::AcqRel, Ordering::Acquire, joined);
    }

    /// Ends the clients' pause.
    pub fn end(&self) {
        self.by_clients.store(0, Ordering::Release);
    }

    /// Begins the pause of a stop: nothing is written until it comes to nothing.
    pub fn begin_stop(&self) {
        self.by_stop.store(true, Ordering::Release);
    }

    /// Ends the pause of a stop, if it has begun.
    pub fn end_stop(&self) {
        self.by_stop.store(false, Ordering::Release);
    }

    /// Whether there is the pause of a stop.
    pub fn is_stopping(&self) -> bool {
        self.by_stop.load(Ordering::Acquire)
    }

    /// What is held back at `now`; `None` if nothing is.
    pub fn current(&self, now: Millis) -> Option<Extent> {
        let by_clients = ByClients::unpack(self.by_clients.load(Ordering::Acquire));
        let by_clients = (by_clients.until > now).then_some(by_clients.extent);
        let by_stop = self.is_stopping().then_some(Extent::Writes);
        by_clients.max(by_stop)
    }

    /// Whether there is a pause at `now`.
    pub fn is_running(&self, now: Millis) -> bool {
        self.current(now).is_some()
    }

    /// Whether a pause holds this command of this session back.
    pub fn holds(&self, command: &Registered, session: &Session) -> bool {
        let Some(extent) = self.current(base::clock::monotonic()) else { return false };
        if matches!(session.info.class(), Class::Replica | Class::Primary) {
            return false;
        }
        let exec_writes = || {
            session.queue.as_ref().is_some_and(|queue| queue.writes)
                && command.command.spec.name == "exec"
        };
        let writes = command.flags.has(spec::Flag::Write)
            || command.flags.has(spec::Flag::MayReplicate)
            || exec_writes();
        writes || extent == Extent::All
    }
}

/// The clients' pause, as it stands in one word: its end above the lowest bit, which says that
/// everything is held back. 0 is a pause that has ended.
#[derive(Clone, Copy, Debug)]
struct ByClients {
    until: Millis,
    extent: Extent,
}

impl ByClients {
    /// The latest end that fits, in 292 million years.
    const UNTIL_MAX: u64 = u64::MAX >> 1;

    fn pack(self) -> u64 {
        self.until.0.min(ByClients::UNTIL_MAX) << 1 | u64::from(self.extent == Extent::All)
    }

    fn unpack(word: u64) -> ByClients {
        let extent = if word & 1 == 1 { Extent::All } else { Extent::Writes };
        ByClients { until: Millis(word >> 1), extent }
    }

    fn joined(self, other: ByClients) -> ByClients {
        ByClients { until: self.until.max(other.until), extent: self.extent.max(other.extent) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    const LATE: Millis = Millis(u64::MAX);

    /// What is held back now.
    fn current(pause: &Pause) -> Option<Extent> {
        pause.current(base::clock::monotonic())
    }

    #[test]
    fn a_pause_is_not_softened_nor_shortened() {
        let pause = Pause::default();
        let soon = base::clock::monotonic() + Millis(100_000);
        pause.begin(soon, Extent::Writes);
        assert_eq!(current(&pause), Some(Extent::Writes));
        pause.begin(LATE, Extent::All);
        pause.begin(soon, Extent::Writes);
        assert_eq!(pause.current(soon), Some(Extent::All));
        pause.end();
        assert_eq!(current(&pause), None);
        // What has ended counts no more.
        pause.begin(base::clock::monotonic(), Extent::All);
        pause.begin(soon, Extent::Writes);
        assert_eq!(current(&pause), Some(Extent::Writes));
        assert_eq!(pause.current(soon), None);
    }

    #[test]
    fn the_pause_of_a_stop_and_that_of_clients_end_apart() {
        let pause = Pause::default();
        pause.begin_stop();
        pause.begin(LATE, Extent::All);
        assert_eq!(current(&pause), Some(Extent::All));
        pause.end();
        assert_eq!(current(&pause), Some(Extent::Writes));
        pause.begin(LATE, Extent::All);
        pause.end_stop();
        assert_eq!(current(&pause), Some(Extent::All));
        pause.end();
        assert!(!pause.is_running(base::clock::monotonic()));
    }

    #[test]
    fn of_two_that_begin_at_once_none_is_lost() {
        for _ in 0..2_000 {
            let pause = Pause::default();
            thread::scope(|scope| {
                scope.spawn(|| pause.begin(LATE, Extent::All));
                pause.begin(LATE, Extent::Writes);
            });
            assert_eq!(current(&pause), Some(Extent::All));
        }
    }
}
