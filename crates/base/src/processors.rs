//! Processors that threads run on: a list as `taskset` has it, and the binding of a thread to it.
//!
//! ```text
//! 0,2-4        0, 2, 3 and 4
//! 0-7:2        0, 2, 4 and 6: every second
//! ```
//!
//! Source: Redis documentation, "redis.conf"; Linux manual, `taskset(1)`, `sched_setaffinity(2)`.

use rustix::thread::{CpuSet, sched_setaffinity};
use std::io;

/// Some processors, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Processors(CpuSet);

impl Processors {
    /// The processors that `list` names; `None` if it is no list, or names one that no machine has.
    pub fn parse(list: &[u8]) -> Option<Processors> {
        let mut set = CpuSet::new();
        for part in std::str::from_utf8(list).ok()?.split(',') {
            let (range, step) = part.split_once(':').map_or((part, None), |(a, b)| (a, Some(b)));
            let (first, last) = match range.split_once('-') {
                Some((first, last)) => (number(first)?, number(last)?),
                None if step.is_some() => return None,
                None => (number(range)?, number(range)?),
            };
            let step = step.map_or(Some(1), number).filter(|&step| step > 0)?;
            if first > last || last >= CpuSet::MAX_CPU {
                return None;
            }
            (first..=last).step_by(step).for_each(|processor| set.set(processor));
        }
        Some(Processors(set))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        usize::try_from(self.0.count()).unwrap_or(usize::MAX)
    }

    /// Has the calling thread run on these, and the threads that it makes from now on. Those that the
    /// machine lacks count for nothing.
    ///
    /// # Errors
    /// The system's, if it lacks all of them or this process may not use them.
    pub fn bind_thread(&self) -> io::Result<()> {
        Ok(sched_setaffinity(None, &self.0)?)
    }
}

fn number(text: &str) -> Option<usize> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_those_of_taskset() {
        for (list, expected) in [
            ("0", Some(&[0][..])),
            ("0,2,3", Some(&[0, 2, 3])),
            ("0,2-4", Some(&[0, 2, 3, 4])),
            ("0-7:2", Some(&[0, 2, 4, 6])),
            ("1,8-11:3,9-9", Some(&[1, 8, 9, 11])),
            ("3,3", Some(&[3])),
            ("1023", Some(&[1023])),
            ("1024", None),
            ("", None),
            ("x", None),
            ("-1", None),
            ("+1", None),
            ("1-", None),
            ("4-2", None),
            ("0-4:0", None),
            ("0:2", None),
            ("1,", None),
            ("1 2", None),
            ("99999999999999999999", None),
        ] {
            let found = Processors::parse(list.as_bytes());
            let members = found.as_ref().map(|found| {
                (0..CpuSet::MAX_CPU).filter(|&at| found.0.is_set(at)).collect::<Vec<_>>()
            });
            assert_eq!(members.as_deref(), expected, "{list}");
            assert_eq!(found.map(|found| found.count()), expected.map(<[_]>::len), "{list}");
        }
    }

    #[test]
    fn a_thread_stays_where_it_is_bound() {
        let run = || {
            let allowed = rustix::thread::sched_getaffinity(None).expect("known");
            let first = (0..CpuSet::MAX_CPU).find(|&at| allowed.is_set(at)).expect("one at least");
            let processors = Processors::parse(first.to_string().as_bytes()).expect("a list");
            processors.bind_thread().expect("one that it had");
            assert_eq!(rustix::thread::sched_getaffinity(None).expect("known"), processors.0);
        };
        std::thread::spawn(run).join().expect("bound");
    }
}
