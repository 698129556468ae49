//! CLIENT REPLY, NO-EVICT, NO-TOUCH: switches of one connection.

use super::{OTHERS, OWN};
use engine::session::ReplyMode;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Group, ReplyShape};
use std::sync::atomic::Ordering;

const ON_OFF: &[Arg] = &[Arg::one_of("enabled", &[Arg::word("on", "ON"), Arg::word("off", "OFF")])];

pub(super) const REPLY: Command = Command {
    spec: CommandSpec {
        name: "reply",
        since: "3.2.0",
        group: Group::Connection,
        summary: "Whether commands are answered; SKIP leaves the next one unanswered.",
        flags: OWN,
        args: &[Arg::one_of(
            "on_off_skip",
            &[Arg::word("on", "ON"), Arg::word("off", "OFF"), Arg::word("skip", "SKIP")],
        )],
        reply: &[ReplyShape::Status("OK, to ON only.")],
        ..CommandSpec::EMPTY
    },
    run: reply,
    subcommands: &[],
};

pub(super) const NO_EVICT: Command = Command {
    spec: CommandSpec {
        name: "no-evict",
        since: "7.0.0",
        group: Group::Connection,
        summary: "Whether the connection is spared when clients' memory runs short.",
        flags: OTHERS,
        args: ON_OFF,
        reply: &[ReplyShape::Status("OK")],
        ..CommandSpec::EMPTY
    },
    run: no_evict,
    subcommands: &[],
};

pub(super) const NO_TOUCH: Command = Command {
    spec: CommandSpec {
        name: "no-touch",
        since: "7.2.0",
        group: Group::Connection,
        summary: "Whether the connection reads keys without changing when they were last used.",
        flags: OWN,
        args: ON_OFF,
        reply: &[ReplyShape::Status("OK")],
        ..CommandSpec::EMPTY
    },
    run: no_touch,
    subcommands: &[],
};

fn reply(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    if args.take_token("on") {
        cx.session.reply_mode = ReplyMode::On;
        cx.reply.ok();
    } else if args.take_token("off") {
        cx.session.reply_mode = ReplyMode::Off;
    } else if args.take_token("skip") {
        if cx.session.reply_mode != ReplyMode::Off {
            cx.session.reply_mode = ReplyMode::SkipNext;
        }
    } else {
        return Err(CommandError::Syntax);
    }
    Ok(())
}

fn on_off(args: &mut Args<'_>) -> Result<bool, CommandError> {
    let on = args.take_token("on");
    if on || args.take_token("off") { Ok(on) } else { Err(CommandError::Syntax) }
}

fn no_evict(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    cx.session.info.no_evict.store(on_off(args)?, Ordering::Relaxed);
    cx.reply.ok();
    Ok(())
}

fn no_touch(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    cx.session.no_touch = on_off(args)?;
    cx.session.info.no_touch.store(cx.session.no_touch, Ordering::Relaxed);
    cx.reply.ok();
    Ok(())
}
