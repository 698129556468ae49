//! A writer that runs beside a test: strings, counters, expiries, deletions, transactions, two
//! databases, big values; drawn from a seed.

use crate::failure::Outcome;
use crate::wire::Wire;
use base::random::Random;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread::{self, JoinHandle};

/// Commands sent at once.
const BATCH: u64 = 20;
/// Keys of one kind.
const KEYS: u64 = 3_000;
/// The longest value.
const VALUE_MAX: u64 = 20_000;

/// A running writer.
pub struct Load {
    stop: Arc<AtomicBool>,
    batches: Arc<AtomicU64>,
    thread: Option<JoinHandle<Outcome>>,
}

impl Load {
    /// Begins to write over `wire`.
    pub fn start(mut wire: Wire, seed: u64) -> Load {
        let (stop, batches) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, count) = (Arc::clone(&stop), Arc::clone(&batches));
        let thread = thread::spawn(move || {
            let mut random = Random::from_seed(seed);
            while !stopped.load(SeqCst) {
                write(&mut wire, &mut random)?;
                count.fetch_add(1, SeqCst);
            }
            Ok(())
        });
        Load { stop, batches, thread: Some(thread) }
    }

    /// Batches that were acknowledged so far.
    pub fn batches(&self) -> u64 {
        self.batches.load(SeqCst)
    }

    /// Stops it.
    ///
    /// # Errors
    /// What stopped it before.
    pub fn finish(mut self) -> Outcome {
        self.stop.store(true, SeqCst);
        self.thread.take().map_or(Ok(()), |thread| thread.join().unwrap_or(Ok(())))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, SeqCst);
    }
}

/// Writes one batch.
///
/// # Errors
/// When the server refuses anything.
pub fn write(wire: &mut Wire, random: &mut Random) -> Outcome {
    let commands: Vec<Vec<String>> = (0..BATCH).flat_map(|_| commands(random)).collect();
    wire.pipeline(&commands).map(drop)
}

/// One thing to do: a command, or several that belong together.
fn commands(random: &mut Random) -> Vec<Vec<String>> {
    let number = random.below(KEYS);
    let key = format!("key:{number}");
    let one = |words: &[&str]| vec![words.iter().map(ToString::to_string).collect()];
    match random.below(12) {
        0..=3 => one(&["SET", &key, &value(random, 200)]),
        4 => one(&["SET", &key, &value(random, VALUE_MAX), "EX", "1000"]),
        5 => one(&["INCRBY", &format!("count:{number}"), &random.below(1000).to_string()]),
        6 => one(&["APPEND", &format!("long:{}", number % 50), &value(random, 30)]),
        7 => one(&["DEL", &key, &format!("count:{}", random.below(KEYS))]),
        8 => one(&["PEXPIRE", &key, &(500_000 + random.below(500_000)).to_string()]),
        9 => one(&[
            "SET",
            &format!("short:{number}"),
            "x",
            "PX",
            &(1 + random.below(80)).to_string(),
        ]),
        10 => in_database(
            1,
            vec!["SETRANGE".into(), key, random.below(100).to_string(), "range".into()],
        ),
        _ => transaction(&key, random),
    }
}

fn in_database(database: u32, command: Vec<String>) -> Vec<Vec<String>> {
    let select = |number: u32| vec!["SELECT".to_owned(), number.to_string()];
    vec![select(database), command, select(0)]
}

fn transaction(key: &str, random: &mut Random) -> Vec<Vec<String>> {
    let word = |text: &str| vec![text.to_owned()];
    vec![
        word("MULTI"),
        vec!["INCR".into(), "transactions".into()],
        vec!["SET".into(), key.to_owned(), value(random, 50)],
        vec!["PERSIST".into(), key.to_owned()],
        word("EXEC"),
    ]
}

fn value(random: &mut Random, length_max: u64) -> String {
    let length = random.below(length_max);
    (0..length).map(|_| char::from(b'!' + u8::try_from(random.below(90)).unwrap_or(0))).collect()
}
