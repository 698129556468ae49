//! Which replica is promoted.
//!
//! As stock: replicas that are down, unreachable, of priority 0, silent on INFO or PING for too
//! long, or cut off from the primary for too long are left out; of the rest the lowest priority
//! wins, then the highest offset, then the smallest run id. Beyond stock: a replica that never
//! completed its first synchronisation holds nothing and is left out unless all known replicas are
//! so, those out of reach included: they may come back with the data, which the empty one, once
//! promoted, would make them throw away. Stock promotes it and loses the dataset.

use base::{Millis, RunId};
use std::cmp::Reverse;

/// Ping periods without a valid answer after which a replica is not promoted.
pub const PING_PERIODS_MAX: u64 = 5;
/// INFO periods after which a report is too old while the primary is up (a manual failover).
pub const INFO_PERIODS_MAX: u64 = 3;
/// `down-after` periods that a replica's link may have been down, beyond the primary's own absence.
pub const LINK_DOWN_AFTERS_MAX: u64 = 10;

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

/// The replica to promote. O(replicas).
pub(crate) fn choose<T: Copy>(candidates: &[Candidate<T>], bounds: &Bounds) -> Option<T> {
    let fit: Vec<_> = candidates.iter().filter(|candidate| is_fit(candidate, bounds)).collect();
    let any_synced = candidates.iter().any(|candidate| !candidate.never_synced);
    fit.into_iter()
        .filter(|candidate| !any_synced || !candidate.never_synced)
        .min_by_key(|candidate| {
            let run_id = (candidate.run_id.is_none(), candidate.run_id);
            (candidate.priority, Reverse(candidate.offset), run_id)
        })
        .map(|candidate| candidate.id)
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
        let dead = Candidate { never_synced: true, ..dead };
        assert_eq!(choose(&[alone, dead], &BOUNDS), Some('a'));
        assert_eq!(choose::<char>(&[], &BOUNDS), None);
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
