//! How the writer takes part in a rewrite: it goes on in a new increment at the cut, and puts the new
//! base in place once that is durable.

use super::{RESTART, Rewrite, Writer};
use crate::append_only::increment::{Open, Start};
use crate::append_only::rewrite;
use crate::snapshot::Cut;
use aof::{Appender, DirectoryError, Manifest};
use base::Millis;
use oplog::Reader;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Rewrites that may fail one after the other before the next is put off.
const FAILURES_MAX: u64 = 3;
/// The longest that one is put off, in minutes.
const RETRY_MINUTES_MAX: u64 = 60;

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DirectoryError {
    let path = path.to_owned();
    move |source| DirectoryError::Disk { action, path, source }
}

impl Writer {
    /// Makes the file of the next increment; the manifest that names it is not written.
    pub(super) fn next_increment(&self) -> Result<(Appender, Manifest), DirectoryError> {
        self.directory.make()?;
        let mut manifest = self.manifest.clone();
        let path = self.directory.file(manifest.next_increment(self.directory.name()));
        let appender = Appender::create(self.directory.disk(), &path)
            .map_err(failed("Cannot create", &path))?;
        Ok((appender, manifest))
    }

    /// Takes up the rewrite of `number`, which was begun at `cut`.
    pub(super) fn begin_rewrite(
        &mut self,
        number: u64,
        cut: Cut,
        reader: Option<Reader>,
        is_snapshot: bool,
    ) {
        if !self.facts().is_rewrite(number) {
            // Given up meanwhile; the order to close the file follows.
            self.last_rewrite = Err("the append-only file was turned off".to_owned());
            return cut.discard(&self.node);
        }
        if self.rewrite.is_some() || self.open.as_ref().is_some_and(|open| !open.is_listed()) {
            return self.refuse_rewrite(number, cut);
        }
        self.last_number = number;
        let mut rewrite = Rewrite {
            number,
            began: base::clock::monotonic(),
            walk: Arc::clone(cut.walk()),
            start: Start::at(&self.node, &cut),
            is_snapshot,
            rolled: reader.is_none(),
            base: None,
            awaited_by: Vec::new(),
        };
        if self.open.is_none()
            && let Some(reader) = reader
        {
            self.node.append_only.forget_roll();
            match self.begin(reader, rewrite.start) {
                Ok(()) => rewrite.rolled = true,
                Err(error) => {
                    cut.discard(&self.node);
                    return self.rewrite_failed(&error.to_string());
                }
            }
        }
        tracing::info!("Background append only file rewriting started");
        self.rewrite = Some(rewrite);
        rewrite::begin(&self.node, &self.directory, cut, number, is_snapshot);
    }

    /// Two rewrites at once would cut the log twice, and put an increment behind the base of the other.
    /// [`crate::append_only::AppendOnly`] begins none while one is under way; if it does all the same, the
    /// second comes to nothing, and so does the first if its end of the increment has been forgotten.
    fn refuse_rewrite(&mut self, number: u64, cut: Cut) {
        tracing::error!("A rewrite of the append-only file was begun while one is under way");
        cut.discard(&self.node);
        self.node.append_only.forget_roll();
        let mut facts = self.facts();
        facts.end_rewrite(number);
        facts.last_rewrite_ok = false;
        drop(facts);
        if self.rewrite.as_ref().is_none_or(|rewrite| !rewrite.rolled) {
            self.rewrite_failed("another was begun");
        }
    }

    /// A file that the manifest does not name until its base is there.
    pub(super) fn begin(&mut self, reader: Reader, start: Start) -> Result<(), DirectoryError> {
        self.manifest = self.directory.open()?.unwrap_or_default();
        self.directory.make()?;
        let path = self.directory.file(&format!("temp-{}.incr", self.directory.name()));
        let appender = Appender::create(self.directory.disk(), &path)
            .map_err(failed("Cannot create", &path))?;
        self.open = Some(Open::new(appender, reader, start, Some(path)));
        Ok(())
    }

    /// The rewrite's cut is reached: the log goes on in the next increment.
    pub(super) fn roll(&mut self) {
        let Some(rewrite) = &mut self.rewrite else { return };
        rewrite.rolled = true;
        self.node.append_only.forget_roll();
        let start = rewrite.start;
        if self.open.as_ref().is_none_or(|open| !open.is_listed()) {
            return self.rewrite_failed("there is no increment behind which to go on");
        }
        if let Err(error) = self.sync() {
            return self.lose("it cannot be synced", Some(&error));
        }
        let made = self.next_increment().and_then(|(appender, manifest)| {
            self.directory.write_manifest(&manifest)?;
            Ok((appender, manifest))
        });
        match made {
            Ok((appender, manifest)) => {
                self.manifest = manifest;
                if let Some(open) = &mut self.open {
                    open.go_on_in(appender, start);
                }
            }
            Err(error) => {
                // The old increment goes on; the base that is being written has nothing behind it.
                self.rewrite_failed(&error.to_string());
            }
        }
    }

    /// Puts the new base in place once the log goes on behind it.
    pub(super) fn finish_rewrite(&mut self) {
        let Some(rewrite) = &self.rewrite else { return };
        let (Some(base), true) = (rewrite.base.clone(), rewrite.rolled) else { return };
        let rewrite_began = rewrite.began;
        if let Err(error) = self.sync() {
            return self.lose("it cannot be synced", Some(&error));
        }
        if let Err(error) = self.install(&base) {
            return self.rewrite_failed(&error.to_string());
        }
        if self.retry_at.is_none() {
            self.node.append_only.set_error(&self.node, None);
        }
        tracing::info!("Background AOF rewrite finished successfully");
        self.publish_overdue(None);
        let took = base::clock::monotonic().since(rewrite_began).0 / 1000;
        let size = self.size();
        // Whoever sees its end sees what it has brought, and the other way round.
        let mut facts = self.facts();
        facts.end_rewrite(self.last_number);
        facts.last_rewrite_s = i64::try_from(took).unwrap_or(i64::MAX);
        facts.last_rewrite_ok = true;
        facts.rewrites += 1;
        facts.failures = 0;
        facts.not_before = None;
        (facts.size, facts.base_size) = (size, size);
        self.publish_with(facts);
        self.end_rewrite(Ok(()));
    }

    /// Makes the file at `base` the base, and what is before it history. A file that begins gets its
    /// increment only when a manifest names the base, so that an increment beside no manifest is never
    /// what a crash has left.
    fn install(&mut self, base: &Path) -> Result<(), DirectoryError> {
        let is_snapshot = self.rewrite.as_ref().is_some_and(|rewrite| rewrite.is_snapshot);
        if self.open.is_none() {
            self.manifest = self.directory.open()?.unwrap_or_default();
        }
        let mut manifest = self.manifest.clone();
        let name = manifest.next_base(self.directory.name(), is_snapshot).name.clone();
        let path = self.directory.file(&name);
        self.directory.disk().rename(base, &path).map_err(failed("Cannot rename to", &path))?;
        let temporary = self.open.as_ref().and_then(|open| open.temporary.clone());
        let goes_on = self.open.is_some() && temporary.is_none();
        manifest.retire_increments(usize::from(goes_on));
        self.directory.write_manifest(&manifest)?;
        self.manifest = manifest;
        if let Some(temporary) = temporary {
            let mut manifest = self.manifest.clone();
            let path = self.directory.file(manifest.next_increment(self.directory.name()));
            let renamed = self.directory.disk().rename(&temporary, &path);
            renamed.map_err(failed("Cannot rename to", &path))?;
            self.directory.write_manifest(&manifest)?;
            self.manifest = manifest;
            if let Some(open) = &mut self.open {
                open.temporary = None;
            }
        }
        if !self.node.settings.aof_disable_auto_gc.get() {
            self.sweep();
        }
        Ok(())
    }

    /// The rewrite under way has ended, or is given up: whoever waits for it is told.
    pub(super) fn end_rewrite(&mut self, result: Result<(), &str>) {
        self.last_rewrite = result.map_err(str::to_owned);
        if result.is_err() {
            // Before anybody may begin the next.
            self.node.append_only.forget_roll();
        }
        let Some(rewrite) = self.rewrite.take() else { return };
        if result.is_err() {
            rewrite.walk.abort();
            if let Some(base) = rewrite.base {
                // It is of no use without what follows.
                let _ = self.directory.disk().remove(&base);
            }
        }
        for sender in rewrite.awaited_by {
            // Whoever asked may have gone.
            let _ = sender.send(self.last_rewrite.clone());
        }
    }

    pub(super) fn rewrite_failed(&mut self, error: &str) {
        tracing::error!("Background AOF rewrite failed: {error}");
        self.end_rewrite(Err(error));
        let begins = self.open.as_ref().is_none_or(|open| !open.is_listed());
        if begins && let Some(open) = self.open.take() {
            self.drop_temporary(&open);
        }
        let now = base::clock::monotonic();
        let mut facts = self.facts();
        facts.last_rewrite_ok = false;
        facts.failures += 1;
        // One that was begun meanwhile, and is on its way, begins the file anew as well.
        if facts.end_rewrite(self.last_number) && begins {
            facts.is_open = false;
            if self.node.settings.appendonly.get() {
                facts.scheduled = Some(now + RESTART);
            }
        }
        if let Some(doublings) = facts.failures.checked_sub(FAILURES_MAX) {
            let minutes = (1 << doublings.min(10)).min(RETRY_MINUTES_MAX);
            facts.not_before = Some(now + Millis(minutes * 60_000));
            drop(facts);
            tracing::warn!(
                "Background AOF rewrite has repeatedly failed and triggered the limit, will retry in \
                 {minutes} minutes"
            );
        }
    }
}
