//! Moving the entries of a shard, and what their values own, to better places in memory.
//!
//! That is no change: nobody who watches a key is told, and no walk saves anything before, since what a
//! walk has to know of an entry or of a fragment, its epoch, goes along.

use crate::Entry;
use crate::shard::Shard;
use structures::{Mover, ValueMut};

/// A value of which not all parts were looked at.
#[derive(Debug)]
pub struct Unmoved {
    /// The database of its key.
    pub db: u32,
    /// Its key.
    pub key: Box<[u8]>,
    /// How far it has come, as [`values::Object::relocate`] has it.
    pub reached: u128,
}

impl Shard {
    /// Moves the entries of some buckets of `db`, as SCAN visits them, where `mover` wants them, and what
    /// their values own, up to about `elements` elements of each. `left` is given the values that have
    /// more; `looked` is told of every key whether anything was moved.
    pub fn relocate_some(
        &mut self,
        db: u32,
        cursor: u64,
        elements: usize,
        mover: &mut Mover,
        left: &mut Vec<Unmoved>,
        mut looked: impl FnMut(bool),
    ) -> u64 {
        let Some(place) = self.dbs.get_mut(db) else { return 0 };
        place.table.relocate_some(cursor, mover, |entry, mover| {
            let before = mover.moved;
            entry.relocate(mover, |_| {});
            let reached = relocate_value(entry, 0, elements, mover);
            if reached != 0 {
                left.push(Unmoved { db, key: entry.key().into(), reached });
            }
            looked(mover.moved > before);
        })
    }

    /// Goes on with a value. False if it is through, or gone.
    pub fn relocate_more(
        &mut self,
        hash: u64,
        value: &mut Unmoved,
        elements: usize,
        mover: &mut Mover,
    ) -> bool {
        let table = self.dbs.get_mut(value.db).map(|place| &mut place.table);
        let entry = table.and_then(|table| table.find_mut(hash, &value.key));
        value.reached =
            entry.map_or(0, |entry| relocate_value(entry, value.reached, elements, mover));
        value.reached != 0
    }
}

fn relocate_value(entry: &mut Entry, reached: u128, elements: usize, mover: &mut Mover) -> u128 {
    match entry.value_mut() {
        ValueMut::Boxed(object) => object.relocate(reached, elements, mover),
        ValueMut::Int(_) | ValueMut::Bytes(_) => 0,
    }
}
