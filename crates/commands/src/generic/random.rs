//! RANDOMKEY: some key, all being about equally likely.
//!
//! A shard is drawn by its number of keys, then a key in it. The counts are read one shard at a time
//! and may be old when the draw is made; a draw that finds its shard empty is made again. So is one that
//! finds a key which has expired; a primary takes that key out.

use base::random::Random;
use engine::expiry;
use engine::{Args, Command, CommandResult, Context};
use keyspace::{Entry, SHARD_COUNT, Shard};
use spec::{CommandSpec, Flag, Group, ReplyShape};

/// Draws before the first key that has not expired is taken.
const DRAWS_MAX: usize = 100;
/// Buckets looked at before a shard is let go.
const BUCKETS_PER_LOCK: usize = 64;

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

/// A key, or that it has expired.
fn key_of(cx: &Context<'_>, entry: &Entry) -> Result<Box<[u8]>, Box<[u8]>> {
    let is_live = entry.expire_at().is_none_or(|at| at > cx.now);
    if is_live { Ok(entry.key().into()) } else { Err(entry.key().into()) }
}

/// Takes expired keys out, if that is for this node to do.
fn take_out(cx: &mut Context<'_>, shard: &mut Shard, expired: &[Box<[u8]>]) {
    if cx.node.expires() {
        let at_once = !cx.session.executing;
        expiry::take_out(cx.node, cx.effects, shard, cx.keys.db, expired, at_once);
    }
}

fn drawn(cx: &mut Context<'_>) -> Option<Box<[u8]>> {
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
        let mut shard = keyspace.lock(index);
        match shard.random(db, &mut random).map(|entry| key_of(cx, entry)) {
            Some(Ok(key)) => return Some(key),
            Some(Err(expired)) => take_out(cx, &mut shard, &[expired]),
            None => {}
        }
    }
    None
}

/// The first key that has not expired: where nearly all have, draws find none.
fn first_live(cx: &mut Context<'_>) -> Option<Box<[u8]>> {
    let db = cx.keys.db;
    for index in 0..SHARD_COUNT {
        let mut cursor = 0;
        loop {
            let mut shard = cx.node.keyspace.lock(index);
            let (mut live, mut expired) = (None, Vec::new());
            for _ in 0..BUCKETS_PER_LOCK {
                cursor = shard.scan(db, cursor, |entry| match key_of(cx, entry) {
                    Ok(key) => live = Some(key),
                    Err(key) => expired.push(key),
                });
                if cursor == 0 || live.is_some() {
                    break;
                }
            }
            take_out(cx, &mut shard, &expired);
            if live.is_some() {
                return live;
            }
            if cursor == 0 {
                break;
            }
        }
    }
    None
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
    fn expired_keys_are_taken_out() {
        let mut server = Server::new();
        for number in 0..300 {
            server.line(&format!("set gone{number} v"));
            server.line(&format!("pexpire gone{number} 1"));
        }
        let written = base::clock::unix();
        while base::clock::unix() <= written + base::Millis(1) {
            std::hint::spin_loop();
        }
        server.logged();
        server.check("dbsize", ":300\r\n");
        server.check("randomkey", "$-1\r\n");
        server.check("dbsize", ":0\r\n");
        let logged = server.logged();
        assert_eq!(logged.iter().filter(|line| line.starts_with("DEL gone")).count(), 300);
        server.check("set live v", "+OK\r\n");
        server.check("randomkey", "$4\r\nlive\r\n");
    }
}
