//! The report of LATENCY DOCTOR: what each kind of event has cost, and what usually helps.

use engine::Node;
use engine::latency::Series;
use std::fmt::Write;

/// What usually helps against a kind of event.
const ADVICE: &[(&str, &str)] = &[
    (
        "command",
        "Look for slow commands with SLOWLOG GET; commands whose time grows with the size of a value \
         should meet small values only.",
    ),
    (
        "fast-command",
        "Commands of constant time were slow: look for other programs on this machine, for swapped \
         memory, and for processors that are shared.",
    ),
    (
        "expire-cycle",
        "Many keys expire in the same second, or large ones do: spread their expiries, or set \
         lazyfree-lazy-expire.",
    ),
    (
        "eviction-cycle",
        "Much has to be evicted at once: give more memory, write less at once, or set \
         lazyfree-lazy-eviction.",
    ),
];

/// The report on a node.
pub(super) fn report(node: &Node) -> String {
    let threshold = node.settings.latency_monitor_threshold.get();
    let all = node.latency.all();
    if threshold <= 0 && all.is_empty() {
        return "Latency monitoring is disabled in this instance. It begins with \"CONFIG SET \
                latency-monitor-threshold <milliseconds>\".\n"
            .to_owned();
    }
    if all.is_empty() {
        return format!("No event has taken {threshold} ms or longer so far.\n");
    }
    let mut text = String::from("Delays were observed:\n\n");
    for (at, (event, series)) in all.iter().enumerate() {
        describe(at + 1, event, series, &mut text);
    }
    text.push_str("\nAdvice:\n\n");
    for (event, advice) in ADVICE.iter().filter(|(event, _)| all.iter().any(|(e, _)| e == event)) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "- {event}: {advice}");
    }
    text
}

fn describe(place: usize, event: &str, series: &Series, text: &mut String) {
    let count = series.samples.len() as u64;
    let sum: u64 = series.samples.iter().map(|sample| sample.latency_ms).sum();
    let mean = sum / count.max(1);
    let apart: u64 =
        series.samples.iter().map(|sample| sample.latency_ms.abs_diff(mean)).sum::<u64>()
            / count.max(1);
    let first = series.samples.front().map_or(0, |sample| sample.time_s);
    let last = series.samples.back().map_or(0, |sample| sample.time_s);
    let period = last.saturating_sub(first) / count.max(1);
    let _ = writeln!(
        text,
        "{place}. {event}: {count} latency spikes (average {mean}ms, mean deviation {apart}ms, \
         period {period} sec). Worst all time event {}ms.",
        series.max_ms
    );
}
