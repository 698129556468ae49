//! CLIENT PAUSE: clients wait for a while, all of them or those that write.
//!
//! The gates [`gates::PAUSED`] and [`gates::PAUSED_WRITES`] are shut while a pause lasts; a session
//! that meets one is parked, its request stays unread, and it goes on in order afterwards.

use crate::client::Class;
use crate::command::Registered;
use crate::session::Session;
use base::Millis;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The pause under way, if any.
#[derive(Debug, Default)]
pub struct Pause {
    until: AtomicU64,
    writes_only: AtomicBool,
}

impl Pause {
    /// Begins or prolongs a pause until `until` (monotonic). A pause of everything is not softened
    /// by one of writes only.
    pub fn begin(&self, until: Millis, writes_only: bool) {
        let running = self.until.load(Ordering::Acquire) > base::clock::monotonic().0;
        let soft = writes_only && (!running || self.writes_only.load(Ordering::Acquire));
        self.writes_only.store(soft, Ordering::Release);
        self.until.fetch_max(until.0, Ordering::AcqRel);
    }

    /// Ends the pause.
    pub fn end(&self) {
        self.until.store(0, Ordering::Release);
    }

    /// When the pause ends and whether it concerns writes only; `None` if there is none.
    pub fn current(&self, now: Millis) -> Option<(Millis, bool)> {
        let until = Millis(self.until.load(Ordering::Acquire));
        (until > now).then(|| (until, self.writes_only.load(Ordering::Acquire)))
    }

    /// Whether there is a pause at `now`.
    pub fn is_running(&self, now: Millis) -> bool {
        self.current(now).is_some()
    }

    /// Whether the pause holds this command of this session back.
    pub fn holds(&self, command: &Registered, session: &Session) -> bool {
        let Some((_, writes_only)) = self.current(base::clock::monotonic()) else { return false };
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
        writes || !writes_only
    }
}
