//! What a world is drawn from: its seed decides the network's speed, the settings of sentinels and
//! replication, and how often data sets are saved.
//!
//! Ranges are chosen so that rare meetings become common: slow networks split votes, small backlogs
//! force full syncs, short timeouts make failovers overlap.

use base::Millis;
use base::random::Random;

/// The nodes of a group: each a server and its sentinel.
pub const NODES: usize = 3;
/// The clients that write.
pub const CLIENTS: usize = 2;
/// Nodes and clients each have a host of their own.
pub const HOSTS: usize = NODES + CLIENTS;
/// The port of each server.
pub const SERVER_PORT: u16 = 6379;
/// The port of each sentinel.
pub const SENTINEL_PORT: u16 = 26379;
/// The group's name.
pub const GROUP: &str = "mymaster";

/// The drawn settings of one world.
#[derive(Clone, Debug)]
pub struct Setup {
    /// A packet between hosts takes at least so long.
    pub latency_min: u64,
    /// The random part of it.
    pub latency_spread: u64,
    /// One packet in so many is lost once and sent again; 0 for none.
    pub loss_one_in: u64,
    /// `down-after-milliseconds`.
    pub down_after: u64,
    /// `failover-timeout`.
    pub failover_timeout: u64,
    /// `repl-timeout`.
    pub repl_timeout: Millis,
    /// `repl-backlog-size`.
    pub backlog_bytes: u64,
    /// `repl-diskless-sync`.
    pub diskless: bool,
    /// `repl-diskless-sync-delay`.
    pub diskless_delay: Millis,
    /// Milliseconds between two snapshots on disk; 0 for none.
    pub save_period: u64,
    /// Milliseconds between two writes of a client, on average.
    pub write_period: u64,
    /// The longest time a snapshot takes to load.
    pub load_max: u64,
    /// The longest pause between two pieces of a snapshot on the wire.
    pub piece_max: u64,
}

/// A number in `low..=high`.
pub(crate) fn between(random: &mut Random, low: u64, high: u64) -> u64 {
    low + random.below(high - low + 1)
}

/// One of `items`.
pub(crate) fn pick<T: Copy>(random: &mut Random, items: &[T]) -> T {
    let index = usize::try_from(random.below(items.len() as u64)).unwrap_or(0);
    items[index]
}

impl Setup {
    /// Draws the settings of a world.
    pub fn draw(random: &mut Random) -> Setup {
        let (latency_min, latency_spread) =
            pick(random, &[(0, 2), (1, 5), (1, 5), (5, 40), (20, 120)]);
        Setup {
            latency_min,
            latency_spread,
            loss_one_in: pick(random, &[0, 0, 200, 30]),
            down_after: pick(random, &[500, 1_000, 1_000, 2_000]),
            failover_timeout: pick(random, &[3_000, 5_000, 10_000]),
            repl_timeout: Millis(pick(random, &[5_000, 10_000, 60_000])),
            backlog_bytes: pick(random, &[1 << 10, 16 << 10, 1 << 20]),
            diskless: random.one_in(2),
            diskless_delay: Millis(pick(random, &[0, 100, 1_000])),
            save_period: pick(random, &[0, 1_000, 5_000]),
            write_period: between(random, 15, 90),
            load_max: pick(random, &[5, 100, 1_000]),
            piece_max: pick(random, &[2, 20, 200]),
        }
    }
}

/// The address of a host as the machines know it.
pub(crate) fn host_name(host: usize) -> String {
    format!("10.0.0.{}", host + 1)
}

/// The host of an address that [`host_name`] wrote.
pub(crate) fn host_of(name: &str) -> Option<usize> {
    name.strip_prefix("10.0.0.")?.parse::<usize>().ok()?.checked_sub(1).filter(|&host| host < HOSTS)
}
