//! Free ports on loopback, in consecutive runs, below the range that the kernel gives to clients.

use crate::failure::{Failure, Outcome};
use std::net::{Ipv4Addr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};

/// The first port that is tried.
const FIRST: u16 = 17_000;
/// How many ports there are to try.
const COUNT: u16 = 14_000;

static CURSOR: AtomicU16 = AtomicU16::new(0);

/// The first of `count` consecutive ports that nobody listens on. No port is given out twice until all
/// were tried; two processes begin at different places.
///
/// # Errors
/// When there is no such run.
pub fn free(count: u16) -> Outcome<u16> {
    let start = u16::try_from(process::id() % 97).unwrap_or(0) * 128;
    for _ in 0..COUNT {
        let at = CURSOR.fetch_add(count, Ordering::Relaxed).wrapping_add(start) % (COUNT - count);
        let base = FIRST + at;
        if (base..base + count).all(is_free) {
            return Ok(base);
        }
    }
    Err(Failure::new(format!("no {count} free ports in a row")))
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}
