//! BITOP: a bitmap out of several, the shorter ones continued with zeros.

/// What becomes of the bits at one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Set in all.
    And,
    /// Set in at least one.
    Or,
    /// Set in an odd number.
    Xor,
    /// Not set in the one.
    Not,
    /// Set in the first, and in none of the others.
    Diff,
    /// Set in one of the others, and not in the first.
    Diff1,
    /// Set in the first, and in at least one of the others.
    AndOr,
    /// Set in exactly one.
    One,
}

impl Operation {
    /// The operation of that name, in any case.
    pub fn named(name: &[u8]) -> Option<Operation> {
        [
            ("AND", Operation::And),
            ("OR", Operation::Or),
            ("XOR", Operation::Xor),
            ("NOT", Operation::Not),
            ("DIFF", Operation::Diff),
            ("DIFF1", Operation::Diff1),
            ("ANDOR", Operation::AndOr),
            ("ONE", Operation::One),
        ]
        .into_iter()
        .find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name))
        .map(|(_, operation)| operation)
    }
}

/// A bitmap out of several, which come one after the other: however many there are, what is held is as long
/// as the longest of them, or twice as long.
#[derive(Clone, Debug)]
pub struct Combination {
    operation: Operation,
    /// Whether the first has come.
    has_first: bool,
    /// The result so far; of operations that tell the first from the others, the first.
    result: Vec<u8>,
    /// What is set in one of the others, or for `One` in more than one of all; of the rest nothing.
    others: Vec<u8>,
}

impl Combination {
    /// One of no bitmap yet.
    pub fn new(operation: Operation) -> Combination {
        Combination { operation, has_first: false, result: Vec::new(), others: Vec::new() }
    }

    /// Takes the next one. O(its bytes).
    pub fn add(&mut self, source: &[u8]) {
        lengthen(&mut self.result, source.len());
        if !self.has_first {
            self.has_first = true;
            merge(&mut self.result, source, |_, first| first);
            return;
        }
        let result = &mut self.result;
        match self.operation {
            Operation::And => {
                merge(result, source, |a, b| a & b);
                result.get_mut(source.len()..).unwrap_or_default().fill(0);
            }
            Operation::Or | Operation::Not => merge(result, source, |a, b| a | b),
            Operation::Xor => merge(result, source, |a, b| a ^ b),
            Operation::Diff => merge(result, source, |a, b| a & !b),
            Operation::Diff1 | Operation::AndOr => {
                lengthen(&mut self.others, source.len());
                merge(&mut self.others, source, |a, b| a | b);
            }
            Operation::One => {
                lengthen(&mut self.others, source.len());
                for ((one, more), from) in result.iter_mut().zip(&mut self.others).zip(source) {
                    *more |= *one & from;
                    *one |= from;
                }
            }
        }
    }

    /// The result, as long as the longest.
    pub fn finish(self) -> Vec<u8> {
        let Combination { operation, mut result, mut others, .. } = self;
        match operation {
            Operation::Not => result.iter_mut().for_each(|byte| *byte = !*byte),
            Operation::Diff1 => {
                lengthen(&mut others, result.len());
                merge(&mut others, &result, |others, first| others & !first);
                return others;
            }
            Operation::AndOr => {
                merge(&mut result, &others, |first, others| first & others);
                result.get_mut(others.len()..).unwrap_or_default().fill(0);
            }
            Operation::One => merge(&mut result, &others, |any, several| any & !several),
            Operation::And | Operation::Or | Operation::Xor | Operation::Diff => {}
        }
        result
    }
}

/// Adds zeros up to `len`, and takes no more room than that.
fn lengthen(bytes: &mut Vec<u8>, len: usize) {
    if let Some(missing) = len.checked_sub(bytes.len()) {
        bytes.reserve_exact(missing);
        bytes.resize(len, 0);
    }
}

fn merge(result: &mut [u8], source: &[u8], with: impl Fn(u8, u8) -> u8) {
    for (to, from) in result.iter_mut().zip(source) {
        *to = with(*to, *from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bitmap::bit;
    use proptest::prelude::*;

    type Expected = fn(bool, usize, usize) -> bool;

    fn combine(operation: Operation, sources: &[&[u8]]) -> Vec<u8> {
        let mut combination = Combination::new(operation);
        for source in sources {
            combination.add(source);
        }
        combination.finish()
    }

    proptest! {

    #[test]
        fn agrees_bit_by_bit(
            sources in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 1..5),
        ) {
            let sources: Vec<&[u8]> = sources.iter().map(Vec::as_slice).collect();
            let bits = sources.iter().map(|source| source.len()).max().unwrap() * 8;
            let rows: &[(Operation, Expected)] = &[
                (Operation::And, |first, others, all| first && others + 1 == all),
                (Operation::Or, |first, others, _| first || others > 0),
                (Operation::Xor, |first, others, _| (usize::from(first) + others) % 2 == 1),
                (Operation::Diff, |first, others, _| first && others == 0),
                (Operation::Diff1, |first, others, _| !first && others > 0),
                (Operation::AndOr, |first, others, _| first && others > 0),
                (Operation::One, |first, others, _| usize::from(first) + others == 1),
            ];
            for (operation, expected) in rows {
                let result = combine(*operation, &sources);
                prop_assert_eq!(result.len() * 8, bits);
                for at in 0..bits {
                    let set: Vec<bool> = sources.iter().map(|source| bit(source, at)).collect();
                    let others = set[1..].iter().filter(|bit| **bit).count();
                    prop_assert_eq!(bit(&result, at), expected(set[0], others, set.len()));
                }
            }
            let flipped = combine(Operation::Not, &sources[..1]);
            prop_assert!((0..flipped.len() * 8).all(|at| bit(&flipped, at) != bit(sources[0], at)));
        }
    }

    #[test]
    fn names() {
        assert_eq!(Operation::named(b"aNdOr"), Some(Operation::AndOr));
        assert_eq!(Operation::named(b"nand"), None);
    }
}
