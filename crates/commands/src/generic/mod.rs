//! Keys of any type: whether they are there, how long, and under which name.

mod copy;
mod del;
mod dump;
mod exists;
pub(crate) mod expire;
mod expire_member;
mod keys;
mod kind;
mod migrate;
pub(crate) mod object;
mod random;
mod rename;
pub(crate) mod scan;
mod sort;
mod ttl;

use engine::Command;

/// The group's commands.
pub const COMMANDS: &[&Command] = &[
    &copy::COPY,
    &del::DEL,
    &dump::DUMP,
    &exists::EXISTS,
    &expire::EXPIRE,
    &expire::EXPIREAT,
    &expire_member::EXPIREMEMBER,
    &expire_member::EXPIREMEMBERAT,
    &ttl::EXPIRETIME,
    &keys::KEYS,
    &migrate::MIGRATE,
    &copy::MOVE,
    &object::OBJECT,
    &expire::PERSIST,
    &expire::PEXPIRE,
    &expire::PEXPIREAT,
    &expire_member::PEXPIREMEMBER,
    &expire_member::PEXPIREMEMBERAT,
    &ttl::PEXPIRETIME,
    &ttl::PTTL,
    &random::RANDOMKEY,
    &rename::RENAME,
    &rename::RENAMENX,
    &dump::RESTORE,
    &scan::SCAN,
    &sort::SORT,
    &sort::SORT_RO,
    &exists::TOUCH,
    &ttl::TTL,
    &kind::TYPE,
    &del::UNLINK,
];
