//! INFO commandstats and errorstats.

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
