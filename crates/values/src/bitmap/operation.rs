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

/// `operation` over `sources`, as long as the longest. O(N) in all their bytes.
pub fn combine(operation: Operation, sources: &[&[u8]]) -> Vec<u8> {
    let len = sources.iter().map(|source| source.len()).max().unwrap_or(0);
    let Some((&first, others)) = sources.split_first() else { return Vec::new() };
    let padded = |source: &[u8]| {
        let mut bytes = Vec::with_capacity(len);
        bytes.extend_from_slice(source);
        bytes.resize(len, 0);
        bytes
    };
    match operation {
        Operation::Not => first.iter().map(|byte| !byte).collect(),
        Operation::And => {
            let mut result = padded(first);
            for source in others {
                merge(&mut result, source, |a, b| a & b);
                result.get_mut(source.len()..).unwrap_or_default().fill(0);
            }
            result
        }
        Operation::Or => any_of(padded(first), others),
        Operation::Xor => {
            let mut result = padded(first);
            for source in others {
                merge(&mut result, source, |a, b| a ^ b);
            }
            result
        }
        Operation::Diff => {
            let mut result = padded(first);
            for source in others {
                merge(&mut result, source, |a, b| a & !b);
            }
            result
        }
        Operation::Diff1 => {
            let mut result = any_of(vec![0; len], others);
            merge(&mut result, first, |a, b| a & !b);
            result
        }
        Operation::AndOr => {
            let mut result = any_of(vec![0; len], others);
            merge(&mut result, first, |a, b| a & b);
            result.get_mut(first.len()..).unwrap_or_default().fill(0);
            result
        }
        Operation::One => exactly_one(padded(first), others),
    }
}

fn merge(result: &mut [u8], source: &[u8], with: impl Fn(u8, u8) -> u8) {
    for (to, from) in result.iter_mut().zip(source) {
        *to = with(*to, *from);
    }
}

fn any_of(mut result: Vec<u8>, sources: &[&[u8]]) -> Vec<u8> {
    for source in sources {
        merge(&mut result, source, |a, b| a | b);
    }
    result
}

fn exactly_one(mut result: Vec<u8>, sources: &[&[u8]]) -> Vec<u8> {
    let mut twice = vec![0; result.len()];
    for source in sources {
        for ((one, more), from) in result.iter_mut().zip(&mut twice).zip(*source) {
            *more |= *one & from;
            *one |= from;
        }
    }
    merge(&mut result, &twice, |a, b| a & !b);
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bitmap::bit;
    use proptest::prelude::*;

    type Expected = fn(bool, usize, usize) -> bool;

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
