//! The restart guard: a primary that comes back within `down-after` with less than its replicas.
//!
//! Nobody finds such a primary down: it answers pings again before anyone missed it. If it has lost
//! its memory (no persistence, or an older snapshot), its replicas synchronise with it and are
//! emptied too. So a primary whose run id changed is judged once the replicas' fresh INFO is in, or
//! after [`JUDGE_WAIT_MS`]: it counts as subjectively down, and quorum, election and promotion take
//! their usual way, if a healthy replica that may be promoted has **both** a higher offset and more
//! keys. The guard is on for every server, stock ones too, because it acts only when that replica
//! has something to save; a primary that reloaded its data has as many keys and keeps its office.
//!
//! It cannot be quick enough for stock replicas, which drop their data about a second after the
//! restart: for these it acts only if their synchronisation is slow. The guard for Redoubt servers
//! is in the server, which asks the sentinels before it serves; this is the second line.

use crate::group::Reboot;
use crate::instance::InstanceId;
use crate::machine::Sentinel;
use base::Millis;

/// How long the replicas' reports are waited for.
pub const JUDGE_WAIT_MS: u64 = 1_000;
/// How long a loading primary is given before the wait is taken up again.
pub const LOADING_WAIT_MAX_MS: u64 = 60_000;

impl Sentinel {
    /// Decides about a primary that was seen to have been restarted.
    pub(crate) fn judge_reboot(&mut self, name: &str, now: Millis) {
        let Some(group) = self.groups.get(name) else { return };
        let Some(reboot) = group.reboot else { return };
        let richer = group.replicas.values().any(|&id| self.holds_more(group.primary, id));
        let verdict = match reboot {
            Reboot::Judging(since) => {
                let waited = now.since(since);
                let heard = group.replicas.values().all(|&id| self.heard_since(id, since));
                let loading = self.at(group.primary).loading;
                let limit = if loading { LOADING_WAIT_MAX_MS } else { JUDGE_WAIT_MS };
                let undecided = (loading || !heard) && waited < Millis(limit);
                if undecided { Some(reboot) } else { richer.then_some(Reboot::Poorer) }
            }
            Reboot::Poorer => richer.then_some(Reboot::Poorer),
        };
        if let Some(group) = self.groups.get_mut(name) {
            group.reboot = verdict;
        }
    }

    fn heard_since(&self, id: InstanceId, since: Millis) -> bool {
        let replica = self.at(id);
        replica.down_since.is_some() || replica.info_at.is_some_and(|at| at >= since)
    }

    fn holds_more(&self, primary: InstanceId, id: InstanceId) -> bool {
        let (primary, replica) = (self.at(primary), self.at(id));
        replica.replica().is_some_and(|facts| {
            replica.down_since.is_none()
                && facts.priority != 0
                && !self.never_synced(id)
                && facts.offset > primary.stream_offset
                && replica.keys > primary.keys
        })
    }
}
