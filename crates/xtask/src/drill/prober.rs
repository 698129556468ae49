//! Tries to write to every surviving node every few milliseconds until one accepts.

use crate::failure::{Failure, Outcome};
use crate::wait;
use crate::wire::Wire;
use base::clock;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

/// Between two rounds over the nodes.
const ROUND_EVERY: Duration = Duration::from_millis(2);
/// How long a node may take to answer before it counts as refusing.
const ANSWER_MS: u64 = 200;

/// A running prober.
pub struct Prober {
    accepted: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl Prober {
    /// Begins to try the servers at `ports`.
    pub fn start(ports: Vec<u16>, password: Option<String>) -> Prober {
        let (accepted, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let prober = Prober { accepted: Arc::clone(&accepted), stop: Arc::clone(&stop) };
        thread::spawn(move || {
            let mut wires: Vec<(u16, Option<Wire>)> =
                ports.iter().map(|&port| (port, None)).collect();
            while !stop.load(SeqCst) {
                for (port, wire) in &mut wires {
                    if accepts(*port, wire, password.as_deref()) {
                        accepted.store(clock::unix().0, SeqCst);
                        return;
                    }
                }
                wait::pause(ROUND_EVERY);
            }
        });
        prober
    }

    /// The Unix time in milliseconds of the first accepted write.
    ///
    /// # Errors
    /// When there was none within `limit_ms`.
    pub fn finish(self, limit_ms: u64) -> Outcome<u64> {
        wait::until("a write that any node accepts", limit_ms, || {
            let at = self.accepted.load(SeqCst);
            (at > 0).then_some(at)
        })
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        self.stop.store(true, SeqCst);
    }
}

/// One try. A connection that failed is made anew at the next one.
fn accepts(port: u16, wire: &mut Option<Wire>, password: Option<&str>) -> bool {
    let answer = match wire {
        None => {
            Wire::open(port, ANSWER_MS, password).map(|fresh| *wire = Some(fresh)).map(|()| false)
        }
        Some(wire) => wire
            .call(&["SET", "drill:probe", "1"])
            .and_then(|reply| if reply.is_error() { readonly(&reply) } else { Ok(true) }),
    };
    answer.unwrap_or_else(|_| {
        *wire = None;
        false
    })
}

/// A replica's refusal is an answer; any other error makes a new connection.
fn readonly(reply: &resp::Value) -> Outcome<bool> {
    let text = reply.as_error().unwrap_or_default();
    if text.starts_with("READONLY") { Ok(false) } else { Err(Failure::new(text)) }
}
