//! Strings: the commands that know them as bytes or as numbers.

mod append;
mod compare;
mod delex;
mod digest;
mod get;
mod getex;
mod getset;
mod increment;
mod lcs;
mod many;
#[cfg(test)]
pub(crate) mod model;
mod msetex;
mod range;
mod set;
mod setex;
mod strlen;

use engine::Command;

/// The group's commands.
pub const COMMANDS: &[&Command] = &[
    &append::APPEND,
    &increment::DECR,
    &increment::DECRBY,
    &delex::DELEX,
    &delex::DELIFEQ,
    &digest::DIGEST,
    &get::GET,
    &getset::GETDEL,
    &getex::GETEX,
    &range::GETRANGE,
    &getset::GETSET,
    &increment::INCR,
    &increment::INCRBY,
    &increment::INCRBYFLOAT,
    &lcs::LCS,
    &many::MGET,
    &many::MSET,
    &msetex::MSETEX,
    &many::MSETNX,
    &setex::PSETEX,
    &set::SET,
    &setex::SETEX,
    &setex::SETNX,
    &range::SETRANGE,
    &strlen::STRLEN,
    &range::SUBSTR,
];
