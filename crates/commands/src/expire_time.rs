//! Expiries as commands state them: seconds or milliseconds, from now or from 1970.
//!
//! Only the absolute millisecond is stored and logged, so that a replica or a later load means the
//! same instant. Arithmetic that leaves an `i64` is refused, as in stock.

use base::Millis;
use engine::CommandError;

/// Milliseconds in a second.
const SECOND_MS: i64 = 1000;

/// How a command states an expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    /// Seconds rather than milliseconds.
    seconds: bool,
    /// From now on rather than since 1970.
    relative: bool,
}

/// `EX`: seconds from now.
pub(crate) const EX: Form = Form { seconds: true, relative: true };
/// `PX`: milliseconds from now.
pub(crate) const PX: Form = Form { seconds: false, relative: true };
/// `EXAT`: Unix seconds.
pub(crate) const EXAT: Form = Form { seconds: true, relative: false };
/// `PXAT`: Unix milliseconds.
pub(crate) const PXAT: Form = Form { seconds: false, relative: false };

impl Form {
    /// The Unix millisecond that `number` states, possibly before 1970.
    ///
    /// # Errors
    /// `InvalidExpire` for `command` if the millisecond does not fit an `i64`.
    pub(crate) fn instant(
        self,
        number: i64,
        now: Millis,
        command: &str,
    ) -> Result<i64, CommandError> {
        let scale = if self.seconds { SECOND_MS } else { 1 };
        let base = if self.relative { i64::try_from(now.0).unwrap_or(i64::MAX) } else { 0 };
        number
            .checked_mul(scale)
            .and_then(|number| number.checked_add(base))
            .ok_or_else(|| CommandError::InvalidExpire(command.into()))
    }

    /// As [`Form::instant`], for commands that take only a positive number.
    ///
    /// # Errors
    /// `InvalidExpire` for `command` also if `number` is zero or below.
    pub(crate) fn positive(
        self,
        number: i64,
        now: Millis,
        command: &str,
    ) -> Result<Millis, CommandError> {
        if number <= 0 {
            return Err(CommandError::InvalidExpire(command.into()));
        }
        self.instant(number, now, command).map(millis)
    }
}

/// An instant as entries keep it; before 1970 becomes 1970, which is past as well.
pub(crate) fn millis(instant: i64) -> Millis {
    Millis(u64::try_from(instant).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_and_limits() {
        let now = Millis(5_000);
        let rows: &[(Form, i64, Option<i64>)] = &[
            (EX, 10, Some(15_000)),
            (PX, 10, Some(5_010)),
            (EXAT, 10, Some(10_000)),
            (PXAT, 10, Some(10)),
            (EX, -10, Some(-5_000)),
            (EX, i64::MAX / 1000, None),
            (EXAT, i64::MAX / 1000, Some(9_223_372_036_854_775_000)),
            (EXAT, i64::MAX / 1000 + 1, None),
            (EXAT, i64::MIN / 1000 - 1, None),
            (PX, i64::MAX, None),
            (PX, i64::MAX - 5_000, Some(i64::MAX)),
            (PXAT, i64::MAX, Some(i64::MAX)),
            (PX, i64::MIN, Some(i64::MIN + 5_000)),
        ];
        for &(form, number, expected) in rows {
            assert_eq!(form.instant(number, now, "x").ok(), expected, "{form:?} {number}");
        }
        assert_eq!(EX.positive(0, now, "set"), Err(CommandError::InvalidExpire("set".into())));
        assert_eq!(PXAT.positive(7, now, "set"), Ok(Millis(7)));
        assert_eq!(millis(-1), Millis(0));
    }
}
