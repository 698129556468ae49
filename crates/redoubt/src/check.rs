//! `redoubt check-rdb` and `redoubt check-aof`: whether files are whole, with stock's lines and exit
//! codes, so that scripts understand them, and
//! a bar for who watches.

mod aof;
mod bar;
mod rdb;

pub use aof::main as check_aof;
pub use bar::Bar;
pub use rdb::main as check_rdb;
