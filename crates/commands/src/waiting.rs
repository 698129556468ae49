//! Waiting for keys: how long, in seconds with fractions, 0 being for ever; and what is answered by a
//! command that may not.

use base::Millis;
use engine::args::Request;
use engine::blocking::{Nothing, Wait};
use engine::{CommandError, Context};

/// Waits for one of `keys`; where a command may not, in a transaction, it answers `at_once`.
pub(crate) fn wait(
    cx: &mut Context<'_>,
    request: Request<'_>,
    keys: &[&[u8]],
    timeout: Option<Millis>,
    at_once: Nothing,
) {
    if cx.may_block() {
        let (nothing, minds_absence) = (Nothing::NullArray, false);
        let (request_then, again_in) = (None, None);
        let wait = Wait { keys, timeout, nothing, request: request_then, minds_absence, again_in };
        return cx.block(request, wait);
    }
    match at_once {
        Nothing::NullArray => cx.reply.null_array(),
        Nothing::Null => cx.reply.null(),
    }
}

/// The time that `word` states; `None` is for ever.
pub(crate) fn wait_time(word: &[u8], now: Millis) -> Result<Option<Millis>, CommandError> {
    let seconds = values::string::parse_double(word)
        .ok_or_else(|| CommandError::text("ERR timeout is not a float or out of range"))?;
    let millis = (seconds * 1000.0).ceil();
    if millis < 0.0 {
        return Err(CommandError::text("ERR timeout is negative"));
    }
    // What counts is the moment at which it is over, as a signed number.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
    let millis = millis as u64;
    if millis > i64::MAX.unsigned_abs().saturating_sub(now.0) {
        return Err(CommandError::text("ERR timeout is out of range"));
    }
    Ok((millis > 0).then_some(Millis(millis)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(word: &str, expected: Result<Option<u64>, &str>) {
        let found = wait_time(word.as_bytes(), Millis(1 << 40));
        let expected = expected.map(|wait| wait.map(Millis));
        assert_eq!(found.map_err(|error| error.wire()), expected.map_err(str::to_owned), "{word}");
    }

    #[test]
    fn seconds_and_their_fractions() {
        check("0", Ok(None));
        check("-0.0", Ok(None));
        check("1", Ok(Some(1000)));
        check("0.001", Ok(Some(1)));
        check("0.000001", Ok(Some(1)));
        check("1.5e1", Ok(Some(15_000)));
        check("-1", Err("ERR timeout is negative"));
        check("-inf", Err("ERR timeout is negative"));
        check("inf", Err("ERR timeout is out of range"));
        check("0x7FFFFFFFFFFFFF", Err("ERR timeout is out of range"));
        check("9223372036854775", Err("ERR timeout is out of range"));
        for word in ["", "x", "nan", "1 ", " 1"] {
            check(word, Err("ERR timeout is not a float or out of range"));
        }
    }
}
