//! Which replica is promoted.
//!
//! As stock: replicas that are down, unreachable, of priority 0, silent on INFO or PING for too
//! long, or cut off from the primary for too long are left out; of the rest the lowest priority
//! wins, then the highest offset, then the smallest run id. Beyond stock: a replica that never
//! completed its first synchronisation holds nothing and is left out unless all known replicas are
//! so, those included that are out of reach and have not been so for long: they may come back with
//! the data, which the empty one, once promoted, would make them throw away. Stock promotes it and
//! loses the dataset. Likewise a replica that was restarted, and whose link was not up since then, is
//! left out for a while if one whose link was up holds more, or is silent and may hold more.

use crate::group::Group;
use crate::instance::{InstanceId, Role};
use crate::machine::Sentinel;
use base::{Millis, RunId};
use std::cmp::Reverse;

/// Ping periods without a valid answer after which a replica is not promoted.
pub const PING_PERIODS_MAX: u64 = 5;
/// INFO periods after which a report is too old while the primary is up (a manual failover).
pub const INFO_PERIODS_MAX: u64 = 3;
/// `down-after` periods that a replica's link may have been down, beyond the primary's own absence.
pub const LINK_DOWN_AFTERS_MAX: u64 = 10;
/// How long a silent replica is waited for if it may hold more than one that was restarted.
pub const RETURN_MAX_MS: u64 = 60_000;
/// How long a silent replica is waited for if it may hold data and nobody else does. One that was
/// replaced months ago must not keep the group without a primary.
pub const ABSENCE_MAX_MS: u64 = 600_000;

/// What the choice knows of a replica.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate<T> {
    pub(crate) id: T,
    pub(crate) down: bool,
    pub(crate) connected: bool,
    pub(crate) priority: u64,
    /// Time since its last valid answer to a ping.
    pub(crate) silent_for: Millis,
    /// Time since its last INFO; `None` if it never answered.
    pub(crate) info_age: Option<Millis>,
    pub(crate) link_down_for: Option<Millis>,
    pub(crate) offset: u64,
    pub(crate) run_id: Option<RunId>,
    pub(crate) never_synced: bool,
}

/// What the choice knows of the primary and the settings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) ping_period: Millis,
    pub(crate) info_period: Millis,
    pub(crate) down_after: Millis,
    /// How long the primary has been down; `None` if it is up.
    pub(crate) primary_down_for: Option<Millis>,
}

impl Sentinel {
    /// True if a replica is known to hold nothing of its group's data. A restart alone does not make
    /// it so: the link is then down "since ever" as well, but the offset tells of the data kept.
    pub(crate) fn never_synced(&self, id: InstanceId) -> bool {
        let replica = self.at(id);
        let Some(facts) = replica.replica() else { return false };
        // One that calls itself a primary has told nothing of what it holds.
        if facts.link_up || replica.info_at.is_none() || replica.role == Role::Primary {
            return false;
        }
        // A replica without data says 0 or 1.
        facts.offset <= 1 || (facts.link_down_for.is_none() && self.holds_foreign_data(id))
    }

    /// True if a replica holds another history than its primary and the replicas that have been
    /// linked to that: it was no member before. False if nothing is known of those.
    fn holds_foreign_data(&self, id: InstanceId) -> bool {
        let replica = self.at(id);
        let Some(group) = self.groups.get(&replica.group) else { return false };
        let mut known = self.histories(group).peekable();
        known.peek().is_some() && known.all(|history| !replica.replids.contains(history))
    }

    fn histories<'a>(&'a self, group: &'a Group) -> impl Iterator<Item = &'a RunId> {
        let is_linked = |id: &&InstanceId| {
            let facts = self.at(**id).replica();
            facts.is_some_and(|facts| facts.link_down_for.is_some())
        };
        let linked = group.replicas.values().filter(is_linked);
        linked.chain([&group.primary]).flat_map(|id| &self.at(*id).replids)
    }
}

/// The replica to promote. O(replicas).
pub(crate) fn choose<T: Copy>(candidates: &[Candidate<T>], bounds: &Bounds) -> Option<T> {
    let fit: Vec<_> = candidates.iter().filter(|candidate| is_fit(candidate, bounds)).collect();
    let may_hold_data = |candidate: &Candidate<T>| {
        !candidate.never_synced && candidate.silent_for <= Millis(ABSENCE_MAX_MS)
    };
    let any_synced = candidates.iter().any(may_hold_data);
    let reached = candidates.iter().map(|other| reached(other, bounds)).max().unwrap_or(0);
    fit.into_iter()
        .filter(|candidate| !any_synced || !candidate.never_synced)
        .filter(|candidate| candidate.link_down_for.is_some() || candidate.offset >= reached)
        .min_by_key(|candidate| {
            let run_id = (candidate.run_id.is_none(), candidate.run_id);
            (candidate.priority, Reverse(candidate.offset), run_id)
        })
        .map(|candidate| candidate.id)
}

/// How far a replica that was restarted must have come to be promoted beside `other`, whose link was
/// up since its start. Who is silent may have come further than was heard, and may be back soon.
fn reached<T>(other: &Candidate<T>, bounds: &Bounds) -> u64 {
    if other.never_synced || other.link_down_for.is_none() {
        return 0;
    }
    let is_heard = other.connected
        && !other.down
        && other.info_age.is_some_and(|age| age <= bounds.ping_period);
    if is_heard {
        // One that is not fit would not become so by waiting.
        return if is_fit(other, bounds) { other.offset } else { 0 };
    }
    if other.silent_for <= Millis(RETURN_MAX_MS) { u64::MAX } else { 0 }
}

fn is_fit<T>(candidate: &Candidate<T>, bounds: &Bounds) -> bool {
    let ping_max = Millis(bounds.ping_period.0.saturating_mul(PING_PERIODS_MAX));
    let info_max = if bounds.primary_down_for.is_some() {
        ping_max
    } else {
        Millis(bounds.info_period.0.saturating_mul(INFO_PERIODS_MAX))
    };
    let absent = bounds.primary_down_for.unwrap_or_default();
    let link_max = absent + Millis(bounds.down_after.0.saturating_mul(LINK_DOWN_AFTERS_MAX));
    !candidate.down
        && candidate.connected
        && candidate.priority != 0
        && candidate.silent_for <= ping_max
        && candidate.info_age.is_some_and(|age| age <= info_max)
        && candidate.link_down_for.is_none_or(|down| down <= link_max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(id: char) -> Candidate<char> {
        Candidate {
            id,
            down: false,
            connected: true,
            priority: 100,
            silent_for: Millis(100),
            info_age: Some(Millis(100)),
            link_down_for: Some(Millis(1000)),
            offset: 500,
            run_id: RunId::parse(&[b'a' + (id as u8 - b'a') % 6; 40]),
            never_synced: false,
        }
    }

    const BOUNDS: Bounds = Bounds {
        ping_period: Millis(1000),
        info_period: Millis(10_000),
        down_after: Millis(1000),
        primary_down_for: Some(Millis(2000)),
    };

    /// Alters candidate `a`, which would win over `b` by its run id, and checks who wins.
    fn check(what: &str, expected: Option<char>, alter: impl Fn(&mut Candidate<char>)) {
        let mut a = candidate('a');
        alter(&mut a);
        let b = candidate('b');
        assert_eq!(choose(&[b, a], &BOUNDS), expected, "{what}");
    }

    #[test]
    fn filters_and_order() {
        check("smaller run id", Some('a'), |_| {});
        check("no run id comes last", Some('b'), |a| a.run_id = None);
        check("down", Some('b'), |a| a.down = true);
        check("unreachable", Some('b'), |a| a.connected = false);
        check("priority 0 is never chosen", Some('b'), |a| a.priority = 0);
        check("lower priority wins over offset", Some('a'), |a| {
            a.priority = 10;
            a.offset = 1;
        });
        check("higher priority loses", Some('b'), |a| a.priority = 101);
        check("lower offset loses", Some('b'), |a| a.offset = 499);
        check("higher offset wins", Some('a'), |a| a.offset = 501);
        check("silent", Some('b'), |a| a.silent_for = Millis(5001));
        check("not yet silent", Some('a'), |a| a.silent_for = Millis(5000));
        check("old INFO", Some('b'), |a| a.info_age = Some(Millis(5001)));
        check("no INFO", Some('b'), |a| a.info_age = None);
        check("link down too long", Some('b'), |a| a.link_down_for = Some(Millis(12_001)));
        check("link down as long as it may", Some('a'), |a| a.link_down_for = Some(Millis(12_000)));
        check("first synchronisation unfinished", Some('b'), |a| {
            a.never_synced = true;
            a.priority = 1;
            a.link_down_for = None;
        });
    }

    #[test]
    fn an_empty_replica_is_promoted_only_if_no_other_can_hold_the_data() {
        let alone = Candidate { never_synced: true, link_down_for: None, ..candidate('a') };
        assert_eq!(choose(&[alone], &BOUNDS), Some('a'));
        let dead = Candidate { down: true, ..candidate('b') };
        assert_eq!(choose(&[alone, dead], &BOUNDS), None, "it holds the data and may come back");
        let gone = Candidate { silent_for: Millis(ABSENCE_MAX_MS + 1), ..dead };
        assert_eq!(choose(&[alone, gone], &BOUNDS), Some('a'));
        let dead = Candidate { never_synced: true, ..dead };
        assert_eq!(choose(&[alone, dead], &BOUNDS), Some('a'));
        assert_eq!(choose::<char>(&[], &BOUNDS), None);
    }

    #[test]
    fn a_restarted_replica_waits_for_those_that_may_hold_more() {
        let check = |what: &str, expected, alter: &dyn Fn(&mut Candidate<char>)| {
            let restarted = Candidate { link_down_for: None, ..candidate('a') };
            let mut other = candidate('b');
            alter(&mut other);
            assert_eq!(choose(&[restarted, other], &BOUNDS), expected, "{what}");
        };
        check("as much", Some('a'), &|_| {});
        check("more", Some('b'), &|b| b.offset = 501);
        check("down", None, &|b| b.down = true);
        check("out of reach", None, &|b| b.connected = false);
        check("never heard", None, &|b| b.info_age = None);
        check("old INFO", Some('b'), &|b| b.info_age = Some(Millis(2000)));
        check("gone", Some('a'), &|b| {
            b.down = true;
            b.silent_for = Millis(RETURN_MAX_MS + 1);
        });
        check("it may not be promoted", Some('a'), &|b| {
            b.offset = 501;
            b.priority = 0;
        });
        check("it was restarted, too", Some('b'), &|b| {
            b.link_down_for = None;
            b.offset = 501;
        });
        check("it is empty", Some('a'), &|b| {
            b.down = true;
            b.never_synced = true;
        });
    }

    #[test]
    fn no_link_was_down_too_long_if_nobody_knows_since_when_the_primary_is() {
        let stale = Candidate { link_down_for: Some(Millis(3_600_000)), ..candidate('a') };
        assert_eq!(choose(&[stale], &BOUNDS), None);
        let bounds = Bounds { primary_down_for: Some(Millis(u64::MAX)), ..BOUNDS };
        assert_eq!(choose(&[stale], &bounds), Some('a'));
    }

    #[test]
    fn a_manual_failover_allows_older_reports() {
        let old = Candidate { info_age: Some(Millis(29_000)), ..candidate('a') };
        let bounds = Bounds { primary_down_for: None, ..BOUNDS };
        assert_eq!(choose(&[old], &BOUNDS), None);
        assert_eq!(choose(&[old], &bounds), Some('a'));
    }
}
