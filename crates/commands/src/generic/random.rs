//! RANDOMKEY: some key, all being about equally likely.
//!
//! A shard is drawn by its number of keys, then a key in it. The counts are read one shard at a time
//! and may be old when the draw is made; a draw that finds its shard empty is made again.

use base::random::Random;
use engine::{Args, Command, CommandResult, Context};
use keyspace::{Entry, SHARD_COUNT};
use spec::{CommandSpec, Flag, Group, ReplyShape};

/// Draws before the first key that has not expired is taken.
const DRAWS_MAX: usize = 100;

/// RANDOMKEY.
pub const RANDOMKEY: Command = Command {
    spec: CommandSpec {
        name: "randomkey",
        since: "1.0.0",
        group: Group::Generic,
        summary: "Answers some key of the database.",
        complexity: "O(1): the shards are counted, not the keys.",
        flags: &[Flag::ReadOnly],
        reply: &[ReplyShape::Bulk("The key."), ReplyShape::Null("There is none.")],
        tips: &["request_policy:all_shards", "nondeterministic_output"],
        ..CommandSpec::EMPTY
    },
    run: randomkey,
    subcommands: &[],
};

fn randomkey(cx: &mut Context<'_>, _args: &mut Args<'_>) -> CommandResult {
    cx.keys.release();
    match drawn(cx).or_else(|| first_live(cx)) {
        Some(key) => cx.reply.bulk(key),
        None => cx.reply.null(),
    }
    Ok(())
}

fn live_key(cx: &Context<'_>, entry: &Entry) -> Option<Vec<u8>> {
    entry.expire_at().is_none_or(|at| at > cx.now).then(|| entry.key().to_vec())
}

fn drawn(cx: &Context<'_>) -> Option<Vec<u8>> {
    let (keyspace, db) = (&cx.node.keyspace, cx.keys.db);
    let mut ends = Vec::with_capacity(usize::from(SHARD_COUNT));
    let mut total = 0;
    keyspace.each_shard(|_, shard| {
        total += shard.db(db).map_or(0, |db| db.len() as u64);
        ends.push(total);
    });
    if total == 0 {
        return None;
    }
    let mut random = Random::from_system();
    for _ in 0..DRAWS_MAX {
        let target = random.below(total);
        let index = u16::try_from(ends.partition_point(|&end| end <= target)).ok()?;
        let shard = keyspace.lock(index);
        if let Some(key) = shard.random(db, &mut random).and_then(|entry| live_key(cx, entry)) {
            return Some(key);
        }
    }
    None
}

/// The first key that has not expired: where nearly all have, draws find none.
fn first_live(cx: &Context<'_>) -> Option<Vec<u8>> {
    (0..SHARD_COUNT).find_map(|index| {
        let shard = cx.node.keyspace.lock(index);
        shard.db(cx.keys.db)?.iter().find_map(|entry| live_key(cx, entry))
    })
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;
    use std::collections::BTreeMap;

    #[test]
    fn every_key_is_drawn_about_as_often() {
        let mut server = Server::new();
        server.check("randomkey", "$-1\r\n");
        server.check("mset {t}1 x {t}2 x {t}3 x {t}4 x {t}5 x {t}6 x lonely x", "+OK\r\n");
        let mut seen = BTreeMap::new();
        for _ in 0..1400 {
            *seen.entry(server.line("randomkey")).or_insert(0) += 1;
        }
        assert_eq!(seen.len(), 7);
        assert!(seen.values().all(|count| (100..400).contains(count)), "{seen:?}");
    }

    #[test]
    fn expired_keys_are_passed_over() {
        let mut server = Server::new();
        for number in 0..200 {
            server.line(&format!("set gone{number} v pxat 1"));
        }
        server.check("randomkey", "$-1\r\n");
        server.check("set live v", "+OK\r\n");
        server.check("randomkey", "$4\r\nlive\r\n");
    }
}
