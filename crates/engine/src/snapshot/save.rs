//! The saver: SAVE, BGSAVE and save rules, and what INFO says of them.

use super::Cut;
use crate::node::Node;
use crate::placement::place_saver;
use base::Millis;
use base::lock::{Mutex, MutexGuard, Rank};
use conf::Schedule;
use keyspace::Walk;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{io, thread};

/// The saver's state.
#[derive(Debug)]
pub struct SaveState {
    /// The save under way.
    pub running: Option<Arc<Walk>>,
    /// Monotonic time of its start.
    pub started: Option<Millis>,
    /// Keys saved by it so far,
    pub keys_saved: u64,
    /// of so many.
    pub keys_total: u64,
    /// Memory of what was about to change before the last save had come to it, in bytes.
    pub last_ahead_bytes: u64,
    /// Unix seconds of the last success.
    pub last_save_s: u64,
    /// Whether the last attempt succeeded, of those that nobody waited for.
    pub last_ok: bool,
    /// Unix seconds of the last attempt.
    pub last_try_s: u64,
    /// Seconds the last one took, -1 before the first.
    pub last_duration_s: i64,
    /// Changes that are on disk.
    pub saved_changes: u64,
    /// BGSAVE SCHEDULE, or a time that has come.
    pub scheduled: bool,
    timetable: Option<Timetable>,
    /// Saves since the start.
    pub saves: u64,
    /// Keys loaded at the start, and those that had expired meanwhile.
    pub loaded: (u64, u64),
}

/// When `snapshot_cron` wants a save.
#[derive(Debug)]
struct Timetable {
    /// The setting that it was made of.
    text: Arc<[u8]>,
    schedule: Schedule,
    /// Unix time.
    next: Option<Millis>,
}

/// The saver.
#[derive(Debug)]
pub struct Saves {
    state: Mutex<SaveState>,
    failed: AtomicBool,
}

/// How often a stop looks whether the save that it has given up is over.
const LOOK: Duration = Duration::from_millis(10);

/// Why a save cannot begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaveRefusal {
    /// One is under way.
    Running,
    /// Too many walks are.
    TooManyWalks,
}

impl Saves {
    pub(crate) fn new() -> Saves {
        let state = SaveState {
            running: None,
            started: None,
            keys_saved: 0,
            keys_total: 0,
            last_ahead_bytes: 0,
            last_save_s: base::clock::unix().0 / 1000,
            last_ok: true,
            last_try_s: 0,
            last_duration_s: -1,
            saved_changes: 0,
            scheduled: false,
            timetable: None,
            saves: 0,
            loaded: (0, 0),
        };
        Saves { state: Mutex::new(Rank::Leaf, state), failed: AtomicBool::new(false) }
    }

    /// The state.
    pub fn state(&self) -> MutexGuard<'_, SaveState> {
        self.state.lock()
    }

    /// Whether the last attempt failed. One load.
    pub fn last_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Asks for a save when `text`, a cron expression, says so at Unix time `now`. What it says for a
    /// time at which nobody looked is not made up for.
    pub fn follow(&self, text: &Arc<[u8]>, now: Millis) {
        let mut state = self.state.lock();
        if text.is_empty() && state.timetable.is_none() {
            return;
        }
        if let Some(timetable) = state.timetable.as_mut().filter(|table| table.text == *text) {
            let is_due = timetable.next.is_some_and(|next| next <= now);
            if is_due {
                timetable.next = timetable.schedule.next_after(now);
                state.scheduled = true;
            }
            return;
        }
        state.timetable = Schedule::parse(text).map(|schedule| {
            let next = schedule.next_after(now);
            Timetable { text: Arc::clone(text), schedule, next }
        });
    }

    /// Gives up the save under way, as FLUSHALL does.
    pub fn abort(&self) {
        if let Some(walk) = &self.state.lock().running {
            walk.abort();
        }
    }

    /// Whether a save rule asks for a save at Unix time `now_s`, `changes` being the node's count.
    pub fn is_due(&self, rules: &[(u64, u64)], changes: u64, now_s: u64) -> bool {
        /// Seconds between two attempts after a failure, as in stock.
        const RETRY_S: u64 = 5;
        let state = self.state.lock();
        if state.running.is_some() {
            return false;
        }
        if state.scheduled {
            return true;
        }
        let unsaved = changes.saturating_sub(state.saved_changes);
        let age = now_s.saturating_sub(state.last_save_s);
        let may = state.last_ok || now_s.saturating_sub(state.last_try_s) > RETRY_S;
        may && rules.iter().any(|&(seconds, least)| age > seconds && unsaved >= least)
    }
}

fn target(node: &Node) -> (PathBuf, String) {
    let text = |bytes: Arc<[u8]>| String::from_utf8_lossy(&bytes).into_owned();
    (text(node.settings.dir.get()).into(), text(node.settings.dbfilename.get()))
}

/// Begins a save; the caller has the whole keyspace alone.
fn begin(node: &Node, alone: &keyspace::Exclusive<'_>) -> Result<Cut, SaveRefusal> {
    if node.saves.state().running.is_some() {
        return Err(SaveRefusal::Running);
    }
    let cut = Cut::take(node, alone).ok_or(SaveRefusal::TooManyWalks)?;
    let mut state = node.saves.state();
    state.running = Some(Arc::clone(cut.walk()));
    state.started = Some(base::clock::monotonic());
    state.keys_saved = 0;
    state.keys_total = cut.keys();
    state.scheduled = false;
    state.last_try_s = base::clock::unix().0 / 1000;
    Ok(cut)
}

/// How snapshots are written, as the settings want it.
pub fn options(node: &Node) -> rdb::Options {
    rdb::Options {
        compression: node.settings.rdbcompression.get(),
        checksum: node.settings.rdbchecksum.get(),
        ..rdb::Options::default()
    }
}

/// Who a save is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum For {
    /// Somebody who waits for it and is told what came of it.
    Caller,
    /// Nobody: that it failed is kept in mind, and may refuse writes.
    Background,
}

fn carry_out(node: &Node, cut: Cut, whom: For) -> Result<(), rdb::SaveError> {
    let (dir, name) = target(node);
    let changes = cut.changes;
    let incremental_sync = node.settings.rdb_save_incremental_fsync.get();
    let options = rdb::Options { incremental_sync, ..options(node) };
    let walk = Arc::clone(cut.walk());
    let mut cut = Some(cut);
    let save = || {
        rdb::save_to_file(&*node.disk, &dir, &name, options, |writer| match cut.take() {
            Some(cut) => cut.write(node, writer, |keys| {
                node.saves.state().keys_saved = keys;
                true
            }),
            None => Err(io::ErrorKind::InvalidInput.into()),
        })
    };
    let result = catch_unwind(AssertUnwindSafe(save)).unwrap_or_else(|_| {
        node.incomplete.store(true, Ordering::Release);
        walk.abort();
        let source =
            io::Error::other("the save panicked; this node no longer vouches for its data");
        Err(rdb::SaveError { action: "Cannot write", path: dir.join(&name), source })
    });
    if let Some(cut) = cut {
        // The file could not even be made: the walk must still be taken out of the shards.
        cut.discard(node);
    }
    let now_s = base::clock::unix().0 / 1000;
    let mut state = node.saves.state();
    let took = state.started.map_or(0, |at| base::clock::monotonic().since(at).0 / 1000);
    state.running = None;
    state.started = None;
    (state.keys_saved, state.keys_total) = (0, 0);
    state.last_ahead_bytes = walk.ahead_bytes();
    state.last_duration_s = i64::try_from(took).unwrap_or(i64::MAX);
    let aborted =
        matches!(&result, Err(error) if error.source.kind() == io::ErrorKind::Interrupted);
    if result.is_ok() {
        state.saves += 1;
        state.saved_changes = changes;
        state.last_save_s = now_s;
    }
    let is_noted = whom == For::Background && !aborted;
    state.last_ok = result.is_ok() || (!is_noted && state.last_ok);
    node.saves.failed.store(!state.last_ok, Ordering::Release);
    drop(state);
    node.refresh();
    result.map(|_| ())
}

/// Saves on a thread of its own. The caller has the whole keyspace alone.
///
/// # Errors
/// [`SaveRefusal`] if it cannot begin.
pub fn save_in_background(
    node: &Arc<Node>,
    alone: &keyspace::Exclusive<'_>,
) -> Result<(), SaveRefusal> {
    let cut = begin(node, alone)?;
    let (saver, walk) = (Arc::clone(node), Arc::clone(cut.walk()));
    tracing::info!("Background saving started");
    let spawned = thread::Builder::new().name("saver".into()).spawn(move || {
        place_saver(&saver, &saver.settings.bgsave_cpulist);
        match carry_out(&saver, cut, For::Background) {
            Ok(()) => tracing::info!("Background saving terminated with success"),
            Err(error) if error.source.kind() == io::ErrorKind::Interrupted => {
                tracing::warn!("Background saving given up");
            }
            Err(error) => tracing::error!("Background saving error: {error}"),
        }
    });
    if let Err(error) = spawned {
        tracing::error!("cannot start the saver's thread: {error}");
        walk.abort();
        node.keyspace.walk(&walk, |_| false);
        let mut state = node.saves.state();
        (state.running, state.started) = (None, None);
        return Err(SaveRefusal::TooManyWalks);
    }
    Ok(())
}

/// Saves and waits for it. The caller has the whole keyspace alone, which it keeps.
///
/// # Errors
/// The text of what went wrong.
pub fn save_now(node: &Node, alone: &keyspace::Exclusive<'_>) -> Result<(), String> {
    finish(node, begin(node, alone))
}

/// Saves and waits for it while others go on reading: the end of a server, whose writes are paused. A save
/// that is under way, or comes before, is given up.
///
/// # Errors
/// The text of what went wrong.
pub fn save_at_exit(node: &Node) -> Result<(), String> {
    loop {
        let alone = node.keyspace.gate.exclusive();
        let cut = begin(node, &alone);
        drop(alone);
        if !matches!(cut, Err(SaveRefusal::Running)) {
            return finish(node, cut);
        }
        while node.saves.state().running.is_some() {
            node.saves.abort();
            thread::sleep(LOOK);
        }
    }
}

fn finish(node: &Node, cut: Result<Cut, SaveRefusal>) -> Result<(), String> {
    let cut = cut.map_err(|_| "Background save already in progress".to_owned())?;
    carry_out(node, cut, For::Caller).map_err(|error| {
        tracing::error!("Error saving DB to disk: {error}");
        error.to_string()
    })?;
    tracing::info!("DB saved on disk");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::disk::{Disk, DiskFile, Scratch};
    use conf::Settings;
    use std::path::Path;

    /// A disk with a bug.
    #[derive(Debug)]
    struct Panics;

    impl Disk for Panics {
        fn create(&self, _: &Path) -> io::Result<Box<dyn DiskFile>> {
            panic!("a bug");
        }

        fn append(&self, _: &Path) -> io::Result<Box<dyn DiskFile>> {
            panic!("a bug");
        }

        fn read(&self, _: &Path) -> io::Result<Box<dyn io::Read + Send>> {
            panic!("a bug");
        }

        fn scratch(&self, _: &Path) -> io::Result<Box<dyn Scratch>> {
            panic!("a bug");
        }

        fn look(&self, _: &Path) -> io::Result<(u64, u64)> {
            panic!("a bug");
        }

        fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
            panic!("a bug");
        }

        fn remove(&self, _: &Path) -> io::Result<()> {
            panic!("a bug");
        }

        fn make_directory(&self, _: &Path) -> io::Result<()> {
            panic!("a bug");
        }

        fn names(&self, _: &Path) -> io::Result<Vec<String>> {
            panic!("a bug");
        }

        fn sync_directory(&self, _: &Path) -> io::Result<()> {
            panic!("a bug");
        }
    }

    #[test]
    fn a_save_that_panics_is_over_and_has_failed() {
        let node = Node::new(Arc::new(Settings::default()), None, &[], &[], 1, None);
        let node = Arc::new(node.another(Arc::clone(&node.settings), Arc::new(Panics), 1));
        save_in_background(&node, &node.keyspace.gate.exclusive()).expect("begun");
        while node.saves.state().running.is_some() && Arc::strong_count(&node) > 1 {
            thread::yield_now();
        }
        assert!(node.saves.state().running.is_none() && node.saves.last_failed());
        assert!(node.incomplete.load(Ordering::Acquire));
        save_now(&node, &node.keyspace.gate.exclusive()).expect_err("a bug");
        assert!(node.saves.state().running.is_none());
    }

    #[test]
    fn rules_are_asked_as_in_stock() {
        let rules = [(3600, 1), (60, 100)];
        for (changes, age_s, last_ok, since_try_s, is_due) in [
            (0, 10_000, true, 100, false),
            (1, 3600, true, 100, false),
            (1, 3601, true, 100, true),
            (99, 61, true, 100, false),
            (100, 60, true, 100, false),
            (100, 61, true, 100, true),
            // After a failure it is tried again, but not at once.
            (100, 61, false, 5, false),
            (100, 61, false, 6, true),
        ] {
            let saves = Saves::new();
            let now_s = 1_000_000;
            {
                let mut state = saves.state();
                state.last_save_s = now_s - age_s;
                state.last_try_s = now_s - since_try_s;
                state.last_ok = last_ok;
                state.saved_changes = 7;
            }
            let found = saves.is_due(&rules, changes + 7, now_s);
            assert_eq!(found, is_due, "{changes} changes in {age_s} s");
            assert!(!saves.is_due(&[], changes + 7, now_s));
            saves.state().scheduled = true;
            assert!(saves.is_due(&[], 0, now_s));
        }
    }

    #[test]
    fn a_timetable_asks_for_a_save_when_its_time_has_come() {
        const MINUTE: u64 = 60_000;
        let (saves, hourly) = (Saves::new(), Arc::from(&b"30 * * * *"[..]));
        let minutes = |count: u64| Millis(count * MINUTE);
        let asks = |text: &Arc<[u8]>, now: Millis| {
            saves.follow(text, now);
            std::mem::take(&mut saves.state().scheduled)
        };
        // Whoever begins to look does not make up for what was before.
        assert!(!asks(&hourly, minutes(45)));
        assert!(!asks(&hourly, minutes(89)));
        assert!(asks(&hourly, minutes(90)));
        assert!(!asks(&hourly, minutes(90)));
        assert!(!asks(&hourly, minutes(149)));
        // Late, and once only.
        assert!(asks(&hourly, minutes(500)));
        assert!(!asks(&hourly, minutes(501)));
        let other = Arc::from(&b"*/5 * * * *"[..]);
        assert!(!asks(&other, minutes(505)));
        assert!(asks(&other, minutes(510)));
        assert!(!asks(&Arc::from(&b""[..]), minutes(600)));
        assert!(!asks(&hourly, minutes(600)));
    }
}
