//! `redoubt check-rdb` and `redoubt check-aof`: whether files are whole, with stock's lines and exit
//! codes, so that scripts understand them.

mod aof;
mod rdb;

pub use aof::main as check_aof;
pub use rdb::main as check_rdb;
