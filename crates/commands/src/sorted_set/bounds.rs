//! Bounds as clients state them - ranks, scores, members - and the ranks between them.

use engine::CommandError;
use std::ops::Range;
use values::SortedSetRef;
use values::string::{parse_i64, read_double};

/// By what members are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// Their place.
    Rank,
    /// Their score.
    Score,
    /// Their bytes, where all scores are equal.
    Lex,
}

/// A score, and whether it is itself left out.
#[derive(Clone, Copy, Debug)]
struct ScoreBound {
    score: f64,
    excluded: bool,
}

/// A member, or an end of the order.
#[derive(Clone, Copy, Debug)]
enum LexBound<'a> {
    Lowest,
    Highest,
    Included(&'a [u8]),
    Excluded(&'a [u8]),
}

/// What lies between two bounds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Between<'a>(Form<'a>);

#[derive(Clone, Copy, Debug)]
enum Form<'a> {
    Ranks(i64, i64),
    Scores(ScoreBound, ScoreBound),
    Lex(LexBound<'a>, LexBound<'a>),
}

fn score_bound(word: &[u8]) -> Result<ScoreBound, CommandError> {
    let (excluded, number) = match word {
        [b'(', number @ ..] => (true, number),
        number => (false, number),
    };
    // Nothing is zero to stock's reader of numbers, and here nobody asks whether it has read any.
    let score = if number.is_empty() { Some(0.0) } else { read_double(number) };
    let score = score.ok_or_else(|| CommandError::text("ERR min or max is not a float"))?;
    Ok(ScoreBound { score, excluded })
}

fn lex_bound(word: &[u8]) -> Result<LexBound<'_>, CommandError> {
    match word {
        b"-" => Ok(LexBound::Lowest),
        b"+" => Ok(LexBound::Highest),
        [b'[', member @ ..] => Ok(LexBound::Included(member)),
        [b'(', member @ ..] => Ok(LexBound::Excluded(member)),
        _ => Err(CommandError::text("ERR min or max not valid string range item")),
    }
}

impl<'a> Between<'a> {
    /// What lies between `min` and `max`.
    ///
    /// # Errors
    /// If they are no bounds of that kind.
    pub(super) fn parse(by: By, min: &'a [u8], max: &'a [u8]) -> Result<Between<'a>, CommandError> {
        let rank = |word| parse_i64(word).ok_or(CommandError::NotInteger);
        Ok(Between(match by {
            By::Rank => Form::Ranks(rank(min)?, rank(max)?),
            By::Score => Form::Scores(score_bound(min)?, score_bound(max)?),
            By::Lex => Form::Lex(lex_bound(min)?, lex_bound(max)?),
        }))
    }

    /// The ranks, counted from the lowest score; bounds that are ranks count from the highest if `reversed`.
    pub(super) fn ranks(self, set: SortedSetRef<'_>, reversed: bool) -> Range<usize> {
        let ranks = match self.0 {
            Form::Ranks(start, stop) => return place_ranks(start, stop, set.len(), reversed),
            Form::Scores(min, max) => {
                let start = set.partition(|_, score| {
                    if min.excluded { score <= min.score } else { score < min.score }
                });
                let end = set.partition(|_, score| {
                    if max.excluded { score < max.score } else { score <= max.score }
                });
                start..end
            }
            Form::Lex(min, max) => {
                let start = set.partition(|member, _| match min {
                    LexBound::Lowest => false,
                    LexBound::Highest => true,
                    LexBound::Included(bound) => member < bound,
                    LexBound::Excluded(bound) => member <= bound,
                });
                let end = set.partition(|member, _| match max {
                    LexBound::Lowest => false,
                    LexBound::Highest => true,
                    LexBound::Included(bound) => member <= bound,
                    LexBound::Excluded(bound) => member < bound,
                });
                start..end
            }
        };
        ranks.start.min(ranks.end)..ranks.end
    }
}

/// Ranks as clients state them, the last one included and negative ones counted from the end.
fn place_ranks(start: i64, stop: i64, len: usize, reversed: bool) -> Range<usize> {
    let total = i64::try_from(len).unwrap_or(i64::MAX);
    let from_end = |rank: i64| if rank < 0 { rank.saturating_add(total) } else { rank };
    let (start, stop) = (from_end(start).max(0), from_end(stop).min(total - 1));
    let (Ok(start), Ok(stop)) = (usize::try_from(start), usize::try_from(stop)) else {
        return 0..0;
    };
    if start > stop {
        0..0
    } else if reversed {
        len - 1 - stop..len - start
    } else {
        start..stop + 1
    }
}

/// What LIMIT leaves of `ranks`: `offset` of them are skipped, from the end if `reversed`, and at most
/// `count` are left, all if it is negative.
pub(super) fn limited(
    ranks: Range<usize>,
    reversed: bool,
    offset: i64,
    count: i64,
) -> Range<usize> {
    let Ok(offset) = usize::try_from(offset) else { return 0..0 };
    let skipped = offset.min(ranks.len());
    let left = ranks.len() - skipped;
    let taken = usize::try_from(count).map_or(left, |count| count.min(left));
    if reversed {
        let end = ranks.end - skipped;
        end - taken..end
    } else {
        let start = ranks.start + skipped;
        start..start + taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_from_both_ends() {
        for (start, stop, reversed, expected) in [
            (0, -1, false, 0..5),
            (1, 2, false, 1..3),
            (1, 2, true, 2..4),
            (-2, -1, false, 3..5),
            (-2, -1, true, 0..2),
            (-100, 100, false, 0..5),
            (3, 1, false, 0..0),
            (5, 6, false, 0..0),
            (0, -6, false, 0..0),
            (i64::MIN, i64::MAX, true, 0..5),
        ] {
            assert_eq!(place_ranks(start, stop, 5, reversed), expected, "{start} {stop}");
        }
        assert_eq!(place_ranks(0, -1, 0, false), 0..0);
    }

    #[test]
    fn limits_skip_and_cut() {
        for (reversed, offset, count, expected) in [
            (false, 0, -1, 2..8),
            (false, 1, 2, 3..5),
            (true, 1, 2, 5..7),
            (false, 6, 1, 8..8),
            (false, 0, 0, 2..2),
            (false, -1, 2, 0..0),
            (true, 4, 100, 2..4),
        ] {
            assert_eq!(limited(2..8, reversed, offset, count), expected, "{offset} {count}");
        }
    }

    /// Bounds as stock 7.0.15 reads them, by how many of the scores 1 and 5 are not above.
    #[test]
    fn scores_are_read_as_stock_does() {
        let zeros = "0".repeat(400);
        let (large, small) = (format!("1{zeros}"), format!("0.{zeros}1"));
        for (word, expected) in [
            ("1e400", Some(2)),
            ("-1e400", Some(0)),
            ("1e-400", Some(0)),
            ("1e4000000000000", Some(2)),
            (&large, Some(2)),
            (&small, Some(0)),
            (" 1", Some(1)),
            ("\t\n\x0b\x0c\r 1", Some(1)),
            ("( 5", Some(1)),
            (" inf", Some(2)),
            (" -Infinity", Some(0)),
            (" 0x10", Some(2)),
            ("0X1P2", Some(1)),
            ("0x1p5000", Some(2)),
            ("-0x1p5000", Some(0)),
            ("0x1p-5000", Some(0)),
            ("5.", Some(2)),
            (".5", Some(0)),
            ("", Some(0)),
            ("(", Some(0)),
            (" ", None),
            (" (1", None),
            ("1 ", None),
            ("- 1", None),
            ("+-1", None),
            ("nan", None),
            ("-nan", None),
            ("nan(12)", None),
            ("0x", None),
            ("0x1p", None),
            ("1e", None),
            ("1_0", None),
            (".", None),
            ("infinit", None),
        ] {
            let bound = score_bound(word.as_bytes()).ok();
            let below = |score: f64, bound: ScoreBound| {
                score < bound.score || (score <= bound.score && !bound.excluded)
            };
            let found =
                bound.map(|bound| [1.0, 5.0].iter().filter(|&&one| below(one, bound)).count());
            assert_eq!(found, expected, "{word:?}");
        }
    }
}
