//! Access categories. Most follow from a command's group and flags; a row names only what does not.

use crate::{CommandSpec, Flag, Group};

/// An access category as `COMMAND INFO` and the access control list name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are stock's and say all")]
pub enum Category {
    Keyspace,
    Read,
    Write,
    Set,
    SortedSet,
    List,
    Hash,
    String,
    Bitmap,
    HyperLogLog,
    Geo,
    Stream,
    PubSub,
    Admin,
    Fast,
    Slow,
    Blocking,
    Dangerous,
    Connection,
    Transaction,
}

impl Category {
    /// The name without its `@`.
    pub const fn name(self) -> &'static str {
        match self {
            Category::Keyspace => "keyspace",
            Category::Read => "read",
            Category::Write => "write",
            Category::Set => "set",
            Category::SortedSet => "sortedset",
            Category::List => "list",
            Category::Hash => "hash",
            Category::String => "string",
            Category::Bitmap => "bitmap",
            Category::HyperLogLog => "hyperloglog",
            Category::Geo => "geo",
            Category::Stream => "stream",
            Category::PubSub => "pubsub",
            Category::Admin => "admin",
            Category::Fast => "fast",
            Category::Slow => "slow",
            Category::Blocking => "blocking",
            Category::Dangerous => "dangerous",
            Category::Connection => "connection",
            Category::Transaction => "transaction",
        }
    }
}

/// All categories of `spec`, in stock's order, without repeats.
pub fn categories(spec: &CommandSpec) -> Vec<Category> {
    let flags = spec.flag_set();
    let mut found = spec.categories.to_vec();
    match spec.group {
        _ if spec.ungrouped => {}
        Group::Generic => found.push(Category::Keyspace),
        Group::String => found.push(Category::String),
        Group::Bitmap => found.push(Category::Bitmap),
        Group::Geo => found.push(Category::Geo),
        Group::Hash => found.push(Category::Hash),
        Group::HyperLogLog => found.push(Category::HyperLogLog),
        Group::List => found.push(Category::List),
        Group::Set => found.push(Category::Set),
        Group::SortedSet => found.push(Category::SortedSet),
        Group::Stream => found.push(Category::Stream),
        Group::PubSub => found.push(Category::PubSub),
        Group::Connection => found.push(Category::Connection),
        Group::Transactions => found.push(Category::Transaction),
        Group::Server => {}
    }
    if flags.has(Flag::Write) {
        found.push(Category::Write);
    }
    if flags.has(Flag::ReadOnly) && spec.group != Group::Connection {
        found.push(Category::Read);
    }
    if flags.has(Flag::Admin) {
        found.extend([Category::Admin, Category::Dangerous]);
    }
    if flags.has(Flag::PubSub) {
        found.push(Category::PubSub);
    }
    if flags.has(Flag::Blocking) {
        found.push(Category::Blocking);
    }
    found.push(if flags.has(Flag::Fast) { Category::Fast } else { Category::Slow });
    found.sort_unstable();
    found.dedup();
    found
}
