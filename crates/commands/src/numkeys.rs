//! `numkeys key [key ...]`, and what LMPOP, ZMPOP and SINTERCARD say behind it.

use engine::{Args, CommandError};
use smallvec::SmallVec;

/// Keys behind their number.
pub(crate) type Keys<'a> = SmallVec<[&'a [u8]; 4]>;

/// The next word as a number above zero.
///
/// # Errors
/// `error` for anything else.
pub(crate) fn positive(args: &mut Args<'_>, error: &str) -> Result<usize, CommandError> {
    let number = values::string::parse_i64(args.bytes()?).and_then(|n| usize::try_from(n).ok());
    number.filter(|&number| number > 0).ok_or_else(|| CommandError::text(error))
}

/// `numkeys` and as many keys; `too_few` is what is said when there are fewer words.
///
/// # Errors
/// Stock's texts.
pub(crate) fn counted_keys<'a>(
    args: &mut Args<'a>,
    too_few: CommandError,
) -> Result<Keys<'a>, CommandError> {
    let count = positive(args, "ERR numkeys should be greater than 0")?;
    if count > args.left() { Err(too_few) } else { (0..count).map(|_| args.key()).collect() }
}

/// `[LIMIT limit]`, which ends a command; 0, as its absence, is no limit.
///
/// # Errors
/// Stock's texts.
pub(crate) fn limit(args: &mut Args<'_>) -> Result<usize, CommandError> {
    let mut limit = 0;
    while args.left() > 0 {
        if !args.take_token("LIMIT") || args.left() == 0 {
            return Err(CommandError::Syntax);
        }
        let stated = args.integer().ok().and_then(|limit| usize::try_from(limit).ok());
        limit = stated.ok_or_else(|| CommandError::text("ERR LIMIT can't be negative"))?;
    }
    Ok(if limit == 0 { usize::MAX } else { limit })
}

/// The arguments of LMPOP and ZMPOP: from which keys, at which end, how many.
#[derive(Debug)]
pub(crate) struct PopMany<'a, E> {
    pub(crate) keys: Keys<'a>,
    pub(crate) end: E,
    pub(crate) count: usize,
}

impl<'a, E> PopMany<'a, E> {
    /// The words from `numkeys` on; `end` reads the one that names an end.
    ///
    /// # Errors
    /// Stock's texts.
    pub(crate) fn parse(
        args: &mut Args<'a>,
        end: impl FnOnce(&'a [u8]) -> Result<E, CommandError>,
    ) -> Result<PopMany<'a, E>, CommandError> {
        let keys = counted_keys(args, CommandError::Syntax)?;
        let (end, mut count) = (end(args.bytes()?)?, None);
        while args.left() > 0 {
            if count.is_some() || !args.take_token("COUNT") {
                return Err(CommandError::Syntax);
            }
            count = Some(positive(args, "ERR count should be greater than 0")?);
        }
        Ok(PopMany { keys, end, count: count.unwrap_or(1) })
    }
}
