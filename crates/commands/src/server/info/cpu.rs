//! INFO cpu: processor time of the process and of its main thread, from `/proc`.
//!
//! The kernel counts in ticks (usually 10 ms), which is as exact as these fields are. Nothing forks,
//! so that children have used nothing.

use super::Field::{self, Always};

pub(super) const FIELDS: &[Field] = &[
    Always("used_cpu_sys", |_| seconds("/proc/self/stat", SYSTEM)),
    Always("used_cpu_user", |_| seconds("/proc/self/stat", USER)),
    Always("used_cpu_sys_children", |_| seconds("/proc/self/stat", SYSTEM_CHILDREN)),
    Always("used_cpu_user_children", |_| seconds("/proc/self/stat", USER_CHILDREN)),
    Always("used_cpu_sys_main_thread", |_| seconds(&main_thread(), SYSTEM)),
    Always("used_cpu_user_main_thread", |_| seconds(&main_thread(), USER)),
];

/// Places of fields in `/proc/*/stat` behind the command's name (see proc(5)).
const USER: usize = 11;
const SYSTEM: usize = 12;
const USER_CHILDREN: usize = 13;
const SYSTEM_CHILDREN: usize = 14;

fn main_thread() -> String {
    format!("/proc/self/task/{}/stat", std::process::id())
}

fn seconds(path: &str, field: usize) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let rate = rustix::param::clock_ticks_per_second().max(1);
    format!("{:.6}", super::facts::ratio(ticks(&text, field), rate))
}

/// A field of a `stat` line; the name in parentheses may hold blanks.
fn ticks(stat: &str, field: usize) -> u64 {
    let behind_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    behind_name.split(' ').nth(field).and_then(|ticks| ticks.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stand_behind_the_name() {
        let line = "42 (a) b) R 1 2 3 4 5 6 7 8 9 10 110 120 13 14 20 0 1";
        assert_eq!(ticks(line, USER), 110);
        assert_eq!(ticks(line, SYSTEM), 120);
        assert_eq!(ticks(line, SYSTEM_CHILDREN), 14);
        assert_eq!(ticks("", USER), 0);
    }
}
