//! ZRANDMEMBER key [count [WITHSCORES]]: members by chance.

use crate::chance::{Pool, Question};
use base::random::Random;
use engine::{Args, Command, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use structures::listpack::Item;
use values::{SortedSet, SortedSetRef};

/// ZRANDMEMBER.
pub const ZRANDMEMBER: Command = Command {
    spec: CommandSpec {
        name: "zrandmember",
        since: "6.2.0",
        group: Group::SortedSet,
        summary: "Answers members that are chosen by chance.",
        complexity: "O(N) in the count.",
        flags: &[Flag::ReadOnly],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadOnly, KeyFlag::Access])],
        args: &[
            Arg::key("key"),
            Arg::block(
                "options",
                &[Arg::integer("count"), Arg::word("withscores", "WITHSCORES").optional()],
            )
            .optional(),
        ],
        reply: &[
            ReplyShape::Bulk("The member, without a count."),
            ReplyShape::Null("There is none."),
            ReplyShape::Array("The members, with their scores if asked for."),
        ],
        tips: &["nondeterministic_output"],
        ..CommandSpec::EMPTY
    },
    run: zrandmember,
    subcommands: &[],
};

impl<'a> Pool for SortedSetRef<'a> {
    type Element = (Item<'a>, f64);

    fn len(&self) -> usize {
        SortedSetRef::len(*self)
    }

    fn all(&self) -> Vec<Self::Element> {
        self.iter(0..self.len()).collect()
    }

    fn one(&self, random: &mut Random) -> Option<Self::Element> {
        let rank = usize::try_from(random.below(self.len() as u64)).unwrap_or(0);
        self.iter(rank..rank + 1).next()
    }
}

fn zrandmember(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let key = args.key()?;
    let question = Question::parse(cx, args, "WITHSCORES")?;
    let set = cx.keys.read::<SortedSet>(key)?;
    *cx.outcome = question.answer(set, &mut cx.reply);
    Ok(())
}
