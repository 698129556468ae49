//! The locks a command holds: the shards of its keys, ascending, or everything.
//!
//! A loop never sleeps on a shard: [`LockSet::keys`] tries, spins briefly, and gives up, and the
//! caller parks the session. Under the gate ([`LockSet::all`]) shards are locked as they are asked
//! for; nobody else is inside, so this cannot wait for long or deadlock.

use crate::keyspace::Keyspace;
use crate::shard::Shard;
use crate::sync::{MutexGuard, TRIES_MAX, spin_loop};
use smallvec::SmallVec;

/// Shard locks, held until dropped.
#[derive(Debug)]
pub struct LockSet<'a> {
    keyspace: &'a Keyspace,
    held: SmallVec<[(u16, MutexGuard<'a, Shard>); 2]>,
    all: bool,
}

impl<'a> LockSet<'a> {
    /// The locks of `shards`, which are sorted and dedupled here. `None` if one stays taken.
    pub fn keys(keyspace: &'a Keyspace, shards: &mut SmallVec<[u16; 8]>) -> Option<LockSet<'a>> {
        if shards.len() > 1 {
            shards.sort_unstable();
            shards.dedup();
        }
        let mut held = SmallVec::new();
        for &shard in shards.iter() {
            held.push((shard, try_for_a_while(keyspace, shard)?));
        }
        Some(LockSet { keyspace, held, all: false })
    }

    /// No locks: for commands without keys.
    pub fn none(keyspace: &'a Keyspace) -> LockSet<'a> {
        LockSet { keyspace, held: SmallVec::new(), all: false }
    }

    /// Any shard, for a caller that has the keyspace to itself.
    pub fn all(keyspace: &'a Keyspace) -> LockSet<'a> {
        LockSet { keyspace, held: SmallVec::new(), all: true }
    }

    /// Whether every shard may be asked for.
    pub fn is_all(&self) -> bool {
        self.all
    }

    /// The shard `index`, if it is held or may be taken now.
    #[inline]
    pub fn shard(&mut self, index: u16) -> Option<&mut Shard> {
        let at = match &self.held[..] {
            [(only, _)] if *only == index => 0,
            held => match held.binary_search_by_key(&index, |(shard, _)| *shard) {
                Ok(at) => at,
                Err(_) if !self.all => return None,
                Err(at) => {
                    self.held.insert(at, (index, self.keyspace.lock(index)));
                    at
                }
            },
        };
        Some(&mut self.held[at].1)
    }

    /// Takes more shards, if they are free now; out of order, so without waiting. Whether all are held:
    /// if not, some of them may be.
    pub fn extend(&mut self, shards: &[u16]) -> bool {
        self.all
            || shards.iter().all(|&shard| {
                let Err(at) = self.held.binary_search_by_key(&shard, |(held, _)| *held) else {
                    return true;
                };
                let guard = try_for_a_while(self.keyspace, shard);
                guard.is_some_and(|guard| {
                    self.held.insert(at, (shard, guard));
                    true
                })
            })
    }

    /// Lets the shards go that were taken under `all`, so that a walk over everything does not
    /// gather them.
    pub fn release(&mut self) {
        if self.all {
            self.held.clear();
        }
    }
}

#[inline]
fn try_for_a_while(keyspace: &Keyspace, shard: u16) -> Option<MutexGuard<'_, Shard>> {
    for _ in 0..TRIES_MAX {
        if let Some(guard) = keyspace.try_lock(shard) {
            return Some(guard);
        }
        spin_loop();
    }
    None
}
