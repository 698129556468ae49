//! The search for an order, depth first, never twice from the same place.
//!
//! A place is how far each connection has come and what the keys hold. From a place those commands may
//! come next that began before every other next one had ended. Source: Wing and Gong, "Testing and
//! Verifying Concurrent Objects", 1993; the memory is Lowe's.

use super::model::{Op, State, Value};
use std::collections::HashSet;

/// A command with its reply and the times between which it ran.
#[derive(Clone, Debug)]
pub struct Call {
    /// What was sent.
    pub op: Op,
    /// What came back.
    pub reply: Value,
    /// Before it was sent, in microseconds.
    pub start: u64,
    /// After its reply came.
    pub end: u64,
}

/// Whether some order explains every reply. `calls` has those of each connection in their order.
pub fn is_linear(calls: &[Vec<Call>]) -> bool {
    let mut seen = HashSet::new();
    let mut open = vec![(vec![0_usize; calls.len()], State::default())];
    while let Some((done, state)) = open.pop() {
        let next = |client: usize| calls[client].get(done[client]);
        let Some(first_end) = (0..calls.len()).filter_map(next).map(|call| call.end).min() else {
            return true;
        };
        for client in 0..calls.len() {
            let Some(call) = next(client).filter(|call| call.start <= first_end) else { continue };
            for mut state in state.and_expired() {
                if !state.explains(&call.op, &call.reply) {
                    continue;
                }
                let mut done = done.clone();
                done[client] += 1;
                if seen.insert((done.clone(), state.clone())) {
                    open.push((done, state));
                }
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(op: Op, reply: &str, start: u64, end: u64) -> Call {
        Call { op, reply: Value::of(reply), start, end }
    }

    #[test]
    fn overlapping_calls_may_come_in_either_order() {
        let set = call(Op::Set("s0", 1, false), "+OK", 0, 10);
        for reply in ["null", "\"1\""] {
            assert!(is_linear(&[vec![set.clone()], vec![call(Op::Get("s0"), reply, 5, 6)]]));
        }
        let late = |reply| vec![call(Op::Get("s0"), reply, 11, 12)];
        assert!(is_linear(&[vec![set.clone()], late("\"1\"")]));
        assert!(!is_linear(&[vec![set], late("null")]));
    }

    #[test]
    fn half_a_transaction_is_noticed() {
        let both = Op::Transaction(vec![Op::Increment("s0"), Op::Increment("s1")]);
        let calls = vec![call(both, "[:1, :1]", 0, 10)];
        let seen = |reply| vec![call(Op::GetBoth, reply, 2, 4)];
        assert!(is_linear(&[calls.clone(), seen("[null, null]")]));
        assert!(!is_linear(&[calls, seen("[\"1\", null]")]));
    }

    #[test]
    fn what_expires_may_go_at_any_time_but_does_not_come_back() {
        let set = vec![call(Op::Set("s0", 1, true), "+OK", 0, 1)];
        let reads = |first, second| {
            vec![call(Op::Get("s0"), first, 2, 3), call(Op::Get("s0"), second, 4, 5)]
        };
        assert!(is_linear(&[set.clone(), reads("\"1\"", "null")]));
        assert!(!is_linear(&[set, reads("null", "\"1\"")]));
    }
}
