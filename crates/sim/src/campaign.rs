//! Many runs, until so many failovers were completed, and the table of what happened in them.

use crate::mutation::Mutation;
use crate::rounds::{Outcome, play};
use crate::trace::Trace;
use std::fmt;

/// Partitions, pauses and split votes must each appear in at least this share of the runs.
pub const SHARE_MIN_PERCENT: u64 = 10;
/// Runs in a row without a failover after which a campaign gives up.
pub const BARREN_RUNS_MAX: u64 = 200;

/// The sum of many runs.
#[derive(Clone, Debug, Default)]
pub struct Campaign {
    /// Runs that were played.
    pub runs: u64,
    /// The sum of their outcomes; the seed is the last one's, and so is the violation.
    pub total: Outcome,
    /// Runs with partitions.
    pub with_partitions: u64,
    /// Runs with pauses.
    pub with_pauses: u64,
    /// Runs with crashes.
    pub with_crashes: u64,
    /// Runs with split votes.
    pub with_split_votes: u64,
}

impl Campaign {
    /// Plays seeds from `first` on until `failovers` were completed or an invariant did not hold.
    /// `progress` is called after each run.
    pub fn run(
        first: u64,
        failovers: u64,
        mutation: Option<Mutation>,
        mut progress: impl FnMut(&Campaign),
    ) -> Campaign {
        let mut campaign = Campaign::default();
        let mut barren = 0;
        let mut seed = first;
        while campaign.total.failovers < failovers && barren < BARREN_RUNS_MAX {
            let outcome = play(seed, mutation, Trace::new(None));
            barren = if outcome.failovers == 0 { barren + 1 } else { 0 };
            campaign.add(outcome);
            progress(&campaign);
            if campaign.total.violation.is_some() {
                break;
            }
            seed = seed.wrapping_add(1);
        }
        campaign
    }

    fn add(&mut self, outcome: Outcome) {
        self.runs += 1;
        self.with_partitions += u64::from(outcome.kinds.partitions);
        self.with_pauses += u64::from(outcome.kinds.pauses);
        self.with_crashes += u64::from(outcome.kinds.crashes);
        self.with_split_votes += u64::from(outcome.split_votes > 0);
        let total = &mut self.total;
        total.seed = outcome.seed;
        total.violation = outcome.violation;
        total.failovers += outcome.failovers;
        total.rounds += outcome.rounds;
        total.events += outcome.events;
        total.hash = total.hash.rotate_left(5) ^ outcome.hash;
        total.split_votes += outcome.split_votes;
        total.failover_times.extend(outcome.failover_times);
        total.recovery_times.extend(outcome.recovery_times);
        total.without_candidate += outcome.without_candidate;
        total.tried += outcome.tried;
        total.acknowledged += outcome.acknowledged;
        total.lost += outcome.lost;
        total.lost_old += outcome.lost_old;
        total.full_syncs += outcome.full_syncs;
    }

    /// What is wrong with the campaign itself: a share of faults that is too small.
    pub fn weakness(&self) -> Option<String> {
        let rows = [
            ("partitions", self.with_partitions),
            ("pauses", self.with_pauses),
            ("split votes", self.with_split_votes),
        ];
        let weak = rows.iter().find(|(_, runs)| percent(*runs, self.runs) < SHARE_MIN_PERCENT);
        weak.map(|(name, runs)| {
            format!("only {runs} of {} runs had {name}: less than {SHARE_MIN_PERCENT} %", self.runs)
        })
    }
}

impl fmt::Display for Campaign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = &self.total;
        let share = |runs: u64| format!("{runs} runs, {} %", percent(runs, self.runs));
        writeln!(f, "failovers            {}", total.failovers)?;
        writeln!(f, "runs                 {} ({} rounds)", self.runs, total.rounds)?;
        writeln!(f, "events               {}", total.events)?;
        writeln!(f, "violations           {}", u64::from(total.violation.is_some()))?;
        writeln!(f, "with partitions      {}", share(self.with_partitions))?;
        writeln!(f, "with pauses          {}", share(self.with_pauses))?;
        writeln!(f, "with crashes         {}", share(self.with_crashes))?;
        writeln!(f, "with split votes     {}", share(self.with_split_votes))?;
        writeln!(f, "kill to new primary  {}", Spread(&total.failover_times))?;
        writeln!(f, "healed to agreement  {}", Spread(&total.recovery_times))?;
        writeln!(f, "no candidate         {} rounds", total.without_candidate)?;
        writeln!(f, "full syncs           {}", total.full_syncs)?;
        writeln!(
            f,
            "writes               {} tried, {} acknowledged, {} lost ({} of them once held by all)",
            total.tried, total.acknowledged, total.lost, total.lost_old
        )?;
        writeln!(f, "trace hash           {:016x}", total.hash)
    }
}

/// The distribution of times, in virtual milliseconds.
struct Spread<'a>(&'a [u64]);

impl fmt::Display for Spread<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut times = self.0.to_vec();
        times.sort_unstable();
        let at = |percent: usize| {
            let index = times.len().saturating_sub(1) * percent / 100;
            times.get(index).copied().unwrap_or(0)
        };
        write!(f, "p50 {} ms, p99 {} ms, max {} ms (n={})", at(50), at(99), at(100), times.len())
    }
}

fn percent(part: u64, whole: u64) -> u64 {
    part * 100 / whole.max(1)
}
