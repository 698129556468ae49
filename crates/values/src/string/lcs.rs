//! The longest common subsequence of two strings: LCS with LEN, IDX, MINMATCHLEN and WITHMATCHLEN.
//!
//! A table of `(a.len() + 1) * (b.len() + 1)` lengths is filled by dynamic programming and walked
//! back from its last corner. There are often several longest subsequences; the walk prefers the same
//! one as stock: where bytes differ it steps back in `a` only if that is strictly better.
//!
//! Cost: O(a * b) time and 4 bytes of memory per cell, limited by `proto-max-bulk-len`.
//!
//! Source: Redis documentation, LCS; behaviour observed with stock 7.0.15.

use super::StringError;

/// The first length that LCS refuses.
const LEN_LIMIT: usize = u32::MAX as usize - 1;

/// The bytes of one cell of the table.
const CELL_BYTES: usize = size_of::<u32>();

/// A run of bytes that both strings have in common. All indexes are inclusive, as LCS replies them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// First and last index in the first string.
    pub a: (usize, usize),
    /// First and last index in the second string.
    pub b: (usize, usize),
}

impl Match {
    /// The number of bytes in the run (WITHMATCHLEN). Never zero.
    #[allow(clippy::len_without_is_empty, reason = "a match always has at least one byte")]
    pub const fn len(&self) -> usize {
        self.a.1 - self.a.0 + 1
    }
}

/// What IDX answers: the runs, last first, and the length of the whole subsequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Common {
    /// The runs of at least `minmatchlen` bytes, from the end of the strings to their beginning.
    pub matches: Vec<Match>,
    /// The length of the subsequence, short runs included.
    pub len: usize,
}

/// The length of the longest common subsequence. `table_bytes_max` is `proto-max-bulk-len`.
///
/// # Errors
/// `TooLongForLcs` or `LcsTable`, the latter even though two rows suffice here: as stock.
pub fn common_len(a: &[u8], b: &[u8], table_bytes_max: usize) -> Result<usize, StringError> {
    check_size(a, b, table_bytes_max)?;
    let mut row = vec![0u32; b.len() + 1];
    for &byte in a {
        let mut diagonal = 0;
        let mut left = 0;
        for (cell, &other) in row.iter_mut().skip(1).zip(b) {
            let above = *cell;
            *cell = if byte == other { diagonal + 1 } else { above.max(left) };
            (diagonal, left) = (above, *cell);
        }
    }
    Ok(row.last().map_or(0, |&len| len as usize))
}

/// The longest common subsequence itself.
///
/// # Errors
/// As [`common_len`].
pub fn common_text(a: &[u8], b: &[u8], table_bytes_max: usize) -> Result<Vec<u8>, StringError> {
    let common = common_idx(a, b, 0, table_bytes_max)?;
    let mut text = Vec::with_capacity(common.len);
    for found in common.matches.iter().rev() {
        text.extend_from_slice(a.get(found.a.0..=found.a.1).unwrap_or_default());
    }
    Ok(text)
}

/// The runs of at least `minmatchlen` bytes that make up the longest common subsequence.
///
/// # Errors
/// As [`common_len`].
pub fn common_idx(
    a: &[u8],
    b: &[u8],
    minmatchlen: usize,
    table_bytes_max: usize,
) -> Result<Common, StringError> {
    check_size(a, b, table_bytes_max)?;
    let table = Table::fill(a, b);
    let (mut i, mut j) = (a.len(), b.len());
    let mut matches = Vec::new();
    let mut open: Option<Match> = None;
    let mut close = |open: &mut Option<Match>| {
        if let Some(done) = open.take().filter(|done| done.len() >= minmatchlen) {
            matches.push(done);
        }
    };
    while i > 0 && j > 0 {
        if a.get(i - 1) == b.get(j - 1) {
            (i, j) = (i - 1, j - 1);
            let run = open.get_or_insert(Match { a: (i, i), b: (j, j) });
            (run.a.0, run.b.0) = (i, j);
        } else {
            close(&mut open);
            if table.at(i - 1, j) > table.at(i, j - 1) { i -= 1 } else { j -= 1 }
        }
    }
    close(&mut open);
    Ok(Common { matches, len: table.at(a.len(), b.len()) as usize })
}

fn check_size(a: &[u8], b: &[u8], table_bytes_max: usize) -> Result<(), StringError> {
    if a.len() >= LEN_LIMIT || b.len() >= LEN_LIMIT {
        return Err(StringError::TooLongForLcs);
    }
    let bytes = (a.len() + 1).checked_mul(b.len() + 1).and_then(|n| n.checked_mul(CELL_BYTES));
    match bytes {
        Some(bytes) if bytes <= table_bytes_max => Ok(()),
        _ => Err(StringError::LcsTable),
    }
}

/// The lengths of the longest common subsequences of all prefixes, row by row.
struct Table {
    width: usize,
    cells: Vec<u32>,
}

impl Table {
    fn fill(a: &[u8], b: &[u8]) -> Table {
        let width = b.len() + 1;
        let mut cells = vec![0u32; (a.len() + 1) * width];
        let mut rest: &mut [u32] = &mut cells;
        for &byte in a {
            let (above, below) = rest.split_at_mut(width);
            let mut left = 0;
            for ((cell, pair), &other) in below.iter_mut().skip(1).zip(above.windows(2)).zip(b) {
                let &[diagonal, up] = pair else { continue };
                *cell = if byte == other { diagonal + 1 } else { up.max(left) };
                left = *cell;
            }
            rest = below;
        }
        Table { width, cells }
    }

    fn at(&self, i: usize, j: usize) -> u32 {
        self.cells.get(i * self.width + j).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAX: usize = super::super::STRING_LEN_MAX;

    #[test]
    fn the_documented_example() {
        let (a, b) = (b"ohmytext", b"mynewtext");
        assert_eq!(common_text(a, b, MAX).unwrap(), b"mytext");
        assert_eq!(common_len(a, b, MAX), Ok(6));
        let all = [Match { a: (4, 7), b: (5, 8) }, Match { a: (2, 3), b: (0, 1) }];
        assert_eq!(common_idx(a, b, 0, MAX).unwrap(), Common { matches: all.to_vec(), len: 6 });
        let long = Common { matches: all[..1].to_vec(), len: 6 };
        assert_eq!(common_idx(a, b, 4, MAX).unwrap(), long);
    }

    #[test]
    fn empty_strings_have_nothing_in_common() {
        for (a, b) in [("", ""), ("", "x"), ("x", ""), ("x", "y")] {
            let common = common_idx(a.as_bytes(), b.as_bytes(), 0, MAX).unwrap();
            assert_eq!(common, Common { matches: vec![], len: 0 });
        }
    }

    #[test]
    fn the_table_is_limited() {
        assert_eq!(common_len(&[0; 9], &[0; 9], 400), Ok(9));
        assert_eq!(common_len(&[0; 9], &[0; 9], 399), Err(StringError::LcsTable));
        assert_eq!(common_idx(&[0; 9], &[0; 9], 0, 399), Err(StringError::LcsTable));
    }

    proptest! {
        #[test]
        fn runs_are_common_ordered_and_add_up(a in "[ab]{0,40}", b in "[abc]{0,40}") {
            let (a, b) = (a.as_bytes(), b.as_bytes());
            let common = common_idx(a, b, 0, MAX).unwrap();
            prop_assert_eq!(common.len, common_len(a, b, MAX).unwrap());
            prop_assert_eq!(common.matches.iter().map(Match::len).sum::<usize>(), common.len);
            for found in &common.matches {
                prop_assert_eq!(&a[found.a.0..=found.a.1], &b[found.b.0..=found.b.1]);
            }
            for pair in common.matches.windows(2) {
                prop_assert!(pair[1].a.1 < pair[0].a.0 && pair[1].b.1 < pair[0].b.0);
            }
        }
    }
}
