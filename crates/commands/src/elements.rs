//! What the types with elements have in common: how elements are answered, and the words and the loop
//! of SCAN, SSCAN, HSCAN and ZSCAN.

use crate::generic::scan::cursor_of;
use base::glob;
use engine::{Args, CommandError, Context};
use resp::reply::Writer;
use structures::listpack::Item;

/// Elements that a call looks at if it does not say how many.
const COUNT_DEFAULT: u64 = 10;
/// Steps of a call for each element it was asked for, before it gives up finding more.
const STEPS_PER_ELEMENT: u64 = 10;

/// An element as it is answered: a name, and perhaps something that belongs to it.
pub(crate) trait Element: Copy {
    /// The member or field.
    fn name(&self) -> Item<'_>;
    /// Answers the value or the score. Members of sets have none.
    fn write_value(&self, reply: &mut Writer<'_>);

    /// Answers it, `with_value` or without: flat in RESP2, as a pair in RESP3.
    fn write(&self, reply: &mut Writer<'_>, with_value: bool) {
        if with_value && reply.is_resp3() {
            reply.array(2);
        }
        reply.bulk(self.name().bytes(&mut itoa::Buffer::new()));
        if with_value {
            self.write_value(reply);
        }
    }
}

impl Element for Item<'_> {
    fn name(&self) -> Item<'_> {
        *self
    }

    fn write_value(&self, _: &mut Writer<'_>) {}
}

impl Element for (Item<'_>, Item<'_>) {
    fn name(&self) -> Item<'_> {
        self.0
    }

    fn write_value(&self, reply: &mut Writer<'_>) {
        reply.bulk(self.1.bytes(&mut itoa::Buffer::new()));
    }
}

impl Element for (Item<'_>, f64) {
    fn name(&self) -> Item<'_> {
        self.0
    }

    fn write_value(&self, reply: &mut Writer<'_>) {
        reply.double(self.1);
    }
}

/// Begins the answer of `len` elements.
pub(crate) fn begin(reply: &mut Writer<'_>, len: usize, with_values: bool) {
    let flat = with_values && !reply.is_resp3();
    reply.array(if flat { len.saturating_mul(2) } else { len });
}

/// Answers elements, with what belongs to them if asked for.
pub(crate) fn write_all<E: Element>(
    reply: &mut Writer<'_>,
    elements: impl ExactSizeIterator<Item = E>,
    with_values: bool,
) {
    begin(reply, elements.len(), with_values);
    for element in elements {
        element.write(reply, with_values);
    }
}

/// What SCAN and its kin are told.
#[derive(Debug)]
pub(crate) struct Scan<'a> {
    pattern: Option<&'a [u8]>,
    /// About how many are looked at.
    pub(crate) count: u64,
    /// Names without values or scores (HSCAN, ZSCAN).
    pub(crate) only_names: bool,
}

impl<'a> Scan<'a> {
    /// The words behind the cursor; `only_names` is the one that asks for names without values.
    ///
    /// # Errors
    /// `Syntax`, `NotInteger` for COUNT, or one for NOVALUES where it is not known.
    pub(crate) fn parse(
        args: &mut Args<'a>,
        only_names: Option<&str>,
    ) -> Result<Scan<'a>, CommandError> {
        let mut found = false;
        let scan = Scan::parse_with(args, |args| {
            let taken = only_names.is_some_and(|token| args.take_token(token));
            found |= taken;
            Ok(taken)
        })?;
        Ok(Scan { only_names: found, ..scan })
    }

    /// As [`Scan::parse`]; `other` says whether it has taken an option of its own.
    ///
    /// # Errors
    /// `Syntax`, `NotInteger` for COUNT, or what `other` says.
    pub(crate) fn parse_with(
        args: &mut Args<'a>,
        mut other: impl FnMut(&mut Args<'a>) -> Result<bool, CommandError>,
    ) -> Result<Scan<'a>, CommandError> {
        let mut scan = Scan { pattern: None, count: COUNT_DEFAULT, only_names: false };
        while args.left() > 0 {
            if args.take_token("MATCH") {
                scan.pattern = Some(args.bytes()?).filter(|&pattern| pattern != b"*");
            } else if args.take_token("COUNT") {
                let count = u64::try_from(args.integer()?).ok().filter(|&count| count > 0);
                scan.count = count.ok_or(CommandError::Syntax)?;
            } else if !other(args)? {
                if args.take_token("NOVALUES") {
                    // Redis 7.4 says whose word it is.
                    let text = "ERR NOVALUES option can only be used in HSCAN";
                    return Err(CommandError::text(text));
                }
                return Err(CommandError::Syntax);
            }
        }
        Ok(scan)
    }

    /// Steps after which a call gives up finding more.
    pub(crate) fn steps_max(&self) -> u64 {
        self.count.saturating_mul(STEPS_PER_ELEMENT)
    }

    /// Whether an element of this name is answered.
    pub(crate) fn wants(&self, name: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| glob::matches(pattern, name, false))
    }

    /// Goes on from `cursor` with `step`, which writes elements, gives how many it looked at and wrote,
    /// and the next cursor; then replies.
    pub(crate) fn run(
        &self,
        reply: &mut Writer<'_>,
        mut cursor: u64,
        mut step: impl FnMut(u64, &mut Writer<'_>) -> (u64, usize, u64),
    ) {
        let (mut found, mut written, mut looked) = (Vec::new(), 0, 0);
        let mut out = Writer::new(&mut found, reply.protocol());
        let mut steps = self.steps_max();
        loop {
            let (seen, added, next) = step(cursor, &mut out);
            (looked, written, cursor) = (looked + seen, written + added, next);
            steps -= 1;
            if cursor == 0 || looked >= self.count || steps == 0 {
                break;
            }
        }
        reply.array(2);
        reply.bulk(itoa::Buffer::new().format(cursor));
        reply.array(written);
        reply.raw(&found);
    }
}

/// The cursor of SSCAN and its kin.
///
/// # Errors
/// An invalid cursor.
pub(crate) fn cursor(args: &mut Args<'_>) -> Result<u64, CommandError> {
    cursor_of(args.bytes()?)
}

/// The reply of SSCAN and its kin for a key that is not there.
pub(crate) fn nothing_scanned(cx: &mut Context<'_>) {
    cx.reply.array(2);
    cx.reply.bulk("0");
    cx.reply.array(0);
}
