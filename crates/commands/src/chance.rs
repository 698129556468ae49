//! Elements by chance: what SRANDMEMBER, HRANDFIELD and ZRANDMEMBER share, and the choice of SPOP.

use crate::elements::{Element, begin, write_all};
use base::random::Random;
use engine::context::Outcome;
use engine::{Args, CommandError, Context};
use resp::reply::Writer;
use std::collections::HashSet;

/// With so many asked for, in parts of all, they are chosen out of a list of all.
const LISTED_PART: usize = 3;

/// What elements are drawn from.
pub(crate) trait Pool {
    /// What is drawn.
    type Element: Element;
    /// How many there are; 0 if they must be listed to know.
    fn len(&self) -> usize;
    /// All of them. O(len).
    fn all(&self) -> Vec<Self::Element>;
    /// Any of them, each as likely as another; `None` if there is none.
    fn one(&self, random: &mut Random) -> Option<Self::Element>;
}

/// How many are asked for: so many different ones, or so many with repetition (a count below zero).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Each at most once.
    Different(usize),
    /// Any may come again.
    Repeated(u64),
}

impl Wanted {
    /// Of a command's count, which with values may be only half as far from zero.
    ///
    /// # Errors
    /// `OutOfRange`.
    fn of(count: i64, with_values: bool) -> Result<Wanted, CommandError> {
        if with_values && count.unsigned_abs() > i64::MAX.unsigned_abs() / 2 {
            return Err(CommandError::OutOfRange);
        }
        Ok(match usize::try_from(count) {
            Ok(count) => Wanted::Different(count),
            Err(_) => Wanted::Repeated(count.unsigned_abs()),
        })
    }
}

/// What a command asks for behind its key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question {
    /// `None` asks for one, which is answered by itself.
    wanted: Option<Wanted>,
    with_values: bool,
    /// The reply is given up when it is longer.
    reply_bytes_max: usize,
}

impl Question {
    /// The words `[count [with_values]]`.
    ///
    /// # Errors
    /// `NotInteger`, `OutOfRange` or its text for the least number, `Syntax`.
    pub(crate) fn parse(
        cx: &Context<'_>,
        args: &mut Args<'_>,
        with_values: &str,
    ) -> Result<Question, CommandError> {
        let mut question =
            Question { wanted: None, with_values: false, reply_bytes_max: cx.reply_bytes_max() };
        if args.left() > 0 {
            let count = args.integer()?;
            if count == i64::MIN {
                // Its negative is no number.
                return Err(CommandError::text(
                    "ERR value is out of range, value must between -9223372036854775807 and \
                     9223372036854775807",
                ));
            }
            question.with_values = args.take_token(with_values);
            args.end()?;
            question.wanted = Some(Wanted::of(count, question.with_values)?);
        }
        Ok(question)
    }

    /// The words `[count]`.
    ///
    /// # Errors
    /// `NotInteger`, `OutOfRange`, `Syntax`.
    pub(crate) fn parse_count(
        cx: &Context<'_>,
        args: &mut Args<'_>,
    ) -> Result<Question, CommandError> {
        // Told before a count that is none.
        if args.left() > 1 {
            return Err(CommandError::Syntax);
        }
        Question::parse(cx, args, "")
    }

    /// Answers elements of `pool`, which is `None` if there is no such key.
    pub(crate) fn answer<P: Pool>(self, pool: Option<P>, reply: &mut Writer<'_>) -> Outcome {
        let mut random = Random::from_system();
        match (pool, self.wanted) {
            (None, None) => reply.null(),
            (None, Some(_)) => reply.array(0),
            (Some(pool), None) => match pool.one(&mut random) {
                Some(element) => element.write(reply, false),
                None => reply.null(),
            },
            (Some(pool), Some(Wanted::Different(count))) => {
                let chosen = different(&pool, count, &mut random);
                write_all(reply, chosen.into_iter(), self.with_values);
            }
            (Some(pool), Some(Wanted::Repeated(count))) => {
                begin(reply, usize::try_from(count).unwrap_or(usize::MAX), self.with_values);
                for element in (0..count).map_while(|_| pool.one(&mut random)) {
                    element.write(reply, self.with_values);
                    if reply.position() > self.reply_bytes_max {
                        return Outcome::Abort;
                    }
                }
            }
        }
        Outcome::Done
    }
}

/// `count` different elements of `pool`, in no order. O(count), or O(len) if many are asked for.
pub(crate) fn different<P: Pool>(pool: &P, count: usize, random: &mut Random) -> Vec<P::Element> {
    if count.saturating_mul(LISTED_PART) >= pool.len() {
        let mut items = pool.all();
        if count >= items.len() {
            return items;
        }
        for at in 0..count {
            let left = (items.len() - at) as u64;
            let chosen = at + usize::try_from(random.below(left)).unwrap_or(0);
            items.swap(at, chosen);
        }
        items.truncate(count);
        return items;
    }
    let (mut seen, mut items) = (HashSet::new(), Vec::with_capacity(count));
    while items.len() < count {
        let Some(item) = pool.one(random) else { break };
        if seen.insert(item.name().to_vec()) {
            items.push(item);
        }
    }
    items
}
