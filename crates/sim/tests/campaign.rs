//! The simulator proves itself: seeds that once failed, determinism, a short campaign, and that
//! each rule broken on purpose is noticed.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use sim::campaign::Campaign;
use sim::{Mutation, Trace, play};
use std::fs;
use std::path::Path;

/// The failovers of the short campaign.
const FAILOVERS: u64 = 50;
/// A broken rule must be noticed within so many failovers here; the campaign of 2,000 is `xtask`'s.
const MUTANT_FAILOVERS_MAX: u64 = 400;

/// The seeds of `seeds/*.txt`: lines `seed N`; whatever else stands there tells what was wrong.
fn kept_seeds() -> Vec<u64> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    let mut seeds = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let numbers = text.lines().filter_map(|line| line.strip_prefix("seed "));
        seeds.extend(numbers.map(|number| number.trim().parse::<u64>().unwrap()));
    }
    seeds.sort_unstable();
    seeds
}

#[test]
fn a_kept_seeds_hold() {
    let seeds = kept_seeds();
    assert!(!seeds.is_empty());
    for seed in seeds {
        assert_eq!(play(seed, None, Trace::new(None)).violation, None, "seed {seed}");
    }
}

#[test]
fn one_seed_is_one_run() {
    for seed in [1, 2, 3] {
        let (first, second) =
            (play(seed, None, Trace::new(None)), play(seed, None, Trace::new(None)));
        assert_eq!((first.hash, first.events), (second.hash, second.events), "seed {seed}");
        assert_ne!(first.hash, play(seed + 10, None, Trace::new(None)).hash);
    }
}

#[test]
fn a_short_campaign_holds_and_meets_its_faults() {
    let campaign = Campaign::run(100_000, FAILOVERS, None, |_| {});
    assert_eq!(campaign.total.violation, None, "seed {}", campaign.total.seed);
    assert!(campaign.total.failovers >= FAILOVERS);
    assert_eq!(campaign.weakness(), None);
    assert!(campaign.total.acknowledged > 0);
}

#[test]
fn broken_rules_are_noticed_and_only_they() {
    for (rule, complaints) in [
        (Mutation::NoEpochCheck, &["was not promoted", "two primaries"][..]),
        (Mutation::VoteTwice, &["voted twice", "two promotions"]),
        (Mutation::VoteNotDurable, &["voted twice", "two promotions"]),
        (Mutation::PromoteWithoutQuorum, &["promotes node"]),
    ] {
        let campaign = Campaign::run(100_000, MUTANT_FAILOVERS_MAX, Some(rule), |_| {});
        let seed = campaign.total.seed;
        let what = campaign.total.violation.unwrap_or_default();
        assert!(complaints.iter().any(|part| what.contains(part)), "{}: {what}", rule.name());
        let whole = play(seed, None, Trace::new(None));
        assert_eq!(whole.violation, None, "seed {seed} fails without the mutation, too");
    }
}
