//! What IFEQ, IFNE, IFDEQ and IFDNE ask of a string before it is set or deleted.

use engine::{Args, CommandError};
use spec::Arg;
use values::string::{DIGEST_DIGITS, digest};

/// A comparison with the string that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison<'a> {
    /// It is this.
    Equal(&'a [u8]),
    /// It is not this.
    NotEqual(&'a [u8]),
    /// Its digest is this.
    DigestEqual(&'a [u8]),
    /// Its digest is not this.
    DigestNotEqual(&'a [u8]),
}

/// The arguments, in the documentation.
pub(super) const IFEQ: Arg = Arg::bytes("ifeq-value").token("IFEQ");
pub(super) const IFNE: Arg = Arg::bytes("ifne-value").token("IFNE");
pub(super) const IFDEQ: Arg = Arg::bytes("ifdeq-digest").token("IFDEQ");
pub(super) const IFDNE: Arg = Arg::bytes("ifdne-digest").token("IFDNE");

impl<'a> Comparison<'a> {
    /// Takes a comparison if one stands next.
    ///
    /// # Errors
    /// `Syntax` if its value is missing.
    pub(super) fn take(args: &mut Args<'a>) -> Result<Option<Comparison<'a>>, CommandError> {
        let make: fn(&'a [u8]) -> Comparison<'a> = if args.take_token("IFEQ") {
            Comparison::Equal
        } else if args.take_token("IFNE") {
            Comparison::NotEqual
        } else if args.take_token("IFDEQ") {
            Comparison::DigestEqual
        } else if args.take_token("IFDNE") {
            Comparison::DigestNotEqual
        } else {
            return Ok(None);
        };
        args.bytes().map(make).map(Some)
    }

    /// Whether it holds for `text`.
    ///
    /// # Errors
    /// If the client's digest is no digest.
    pub(super) fn holds(self, text: &[u8]) -> Result<bool, CommandError> {
        Ok(match self {
            Comparison::Equal(wanted) => text == wanted,
            Comparison::NotEqual(wanted) => text != wanted,
            Comparison::DigestEqual(wanted) => has_digest(text, wanted)?,
            Comparison::DigestNotEqual(wanted) => !has_digest(text, wanted)?,
        })
    }

    /// Whether it holds where no string is.
    pub(super) fn holds_for_nothing(self) -> bool {
        matches!(self, Comparison::NotEqual(_) | Comparison::DigestNotEqual(_))
    }
}

fn has_digest(text: &[u8], wanted: &[u8]) -> Result<bool, CommandError> {
    if wanted.len() != DIGEST_DIGITS {
        return Err(CommandError::text("ERR must be exactly 16 hexadecimal characters"));
    }
    Ok(digest(text).as_bytes().eq_ignore_ascii_case(wanted))
}
