//! INFO commandstats, errorstats and latencystats.

use super::facts::{Facts, ratio};
use std::fmt::Write;

/// A line for each command that was called or refused.
pub(super) fn commands(facts: &Facts<'_>, text: &mut String) {
    for command in facts.node.table.all() {
        let [calls, usec, rejected, failed] = facts.node.stats.command(command.index);
        if calls + rejected + failed == 0 {
            continue;
        }
        let (name, each) = (&command.full_name, ratio(usec, calls));
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "cmdstat_{name}:calls={calls},usec={usec},usec_per_call={each:.2},\
             rejected_calls={rejected},failed_calls={failed}\r\n"
        );
    }
}

/// A line for each error code that was answered.
pub(super) fn errors(facts: &Facts<'_>, text: &mut String) {
    for (code, count) in facts.node.stats.errors() {
        let _ = write!(text, "errorstat_{code}:count={count}\r\n");
    }
}

/// A line of percentiles, in microseconds, for each command whose latency was measured.
pub(super) fn latencies(facts: &Facts<'_>, text: &mut String) {
    let percentiles = facts.node.settings.latency_tracking_info_percentiles.get();
    for command in facts.node.table.all() {
        let measured = facts.node.stats.latency(command.index);
        if measured.total() == 0 {
            continue;
        }
        let _ = write!(text, "latency_percentiles_usec_{}:", command.full_name);
        let words = percentiles.iter().filter_map(|word| std::str::from_utf8(word).ok());
        for (at, word) in words.enumerate() {
            let nanos = measured.percentile_ns(word.parse().unwrap_or(0.0));
            let comma = if at == 0 { "" } else { "," };
            let _ = write!(text, "{comma}p{word}={:.3}", ratio(nanos, 1000));
        }
        text.push_str("\r\n");
    }
}
