//! SAVE, BGSAVE, LASTSAVE, BGREWRITEAOF: the data on disk.
//!
//! All have the whole keyspace alone: SAVE until the file is written, the others for the cut only.

use base::Millis;
use engine::append_only::RewriteRefusal;
use engine::snapshot::{SaveRefusal, save_in_background, save_now};
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, Category, CommandSpec, Flag, Group, ReplyShape};

/// SAVE.
pub const SAVE: Command = Command {
    spec: CommandSpec {
        name: "save",
        since: "1.0.0",
        group: Group::Server,
        summary: "Saves the data set while everybody waits.",
        complexity: "O(N) in the keys.",
        flags: &[
            Flag::Admin,
            Flag::NoScript,
            Flag::NoAsyncLoading,
            Flag::NoMulti,
            Flag::WholeKeyspace,
        ],
        reply: &[ReplyShape::Status("OK")],
        ..CommandSpec::EMPTY
    },
    run: save,
    subcommands: &[],
};

/// BGSAVE.
pub const BGSAVE: Command = Command {
    spec: CommandSpec {
        name: "bgsave",
        since: "1.0.0",
        group: Group::Server,
        summary: "Saves the data set in the background.",
        flags: &[Flag::Admin, Flag::NoScript, Flag::NoAsyncLoading, Flag::WholeKeyspace],
        args: &[Arg::word("schedule", "SCHEDULE").optional()],
        reply: &[
            ReplyShape::Status("Background saving started"),
            ReplyShape::Status("Background saving scheduled"),
            ReplyShape::Status("Background saving cancelled"),
            ReplyShape::Status("Scheduled background saving cancelled"),
        ],
        history: &[("3.2.2", "Takes SCHEDULE.")],
        ..CommandSpec::EMPTY
    },
    run: bgsave,
    subcommands: &[],
};

/// BGREWRITEAOF.
pub const BGREWRITEAOF: Command = Command {
    spec: CommandSpec {
        name: "bgrewriteaof",
        since: "1.0.0",
        group: Group::Server,
        summary: "Rewrites the append-only file in the background.",
        complexity: "O(1)",
        flags: &[Flag::Admin, Flag::NoScript, Flag::NoAsyncLoading, Flag::WholeKeyspace],
        reply: &[
            ReplyShape::Status("Background append only file rewriting started"),
            ReplyShape::Status("Background append only file rewriting scheduled"),
        ],
        ..CommandSpec::EMPTY
    },
    run: bgrewriteaof,
    subcommands: &[],
};

/// LASTSAVE.
pub const LASTSAVE: Command = Command {
    spec: CommandSpec {
        name: "lastsave",
        since: "1.0.0",
        group: Group::Server,
        summary: "Answers when the data set was last saved.",
        flags: &[Flag::Loading, Flag::Stale, Flag::Fast],
        categories: &[Category::Admin, Category::Dangerous],
        reply: &[ReplyShape::Integer("Unix time in seconds.")],
        tips: &["nondeterministic_output"],
        ..CommandSpec::EMPTY
    },
    run: lastsave,
    subcommands: &[],
};

fn running() -> CommandError {
    CommandError::text("ERR Background save already in progress")
}

fn save(cx: &mut Context<'_>, _args: &mut Args<'_>) -> CommandResult {
    let alone = cx.alone.ok_or(CommandError::Internal)?;
    cx.keys.release();
    if cx.node.saves.state().running.is_some() {
        return Err(running());
    }
    save_now(cx.node, alone).map_err(|error| CommandError::Text(format!("ERR {error}")))?;
    cx.reply.ok();
    Ok(())
}

fn bgsave(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let schedule = args.take_token("schedule");
    let cancel = !schedule && args.take_token("cancel");
    args.end()?;
    if cancel {
        return cancel_save(cx);
    }
    let alone = cx.alone.ok_or(CommandError::Internal)?;
    cx.keys.release();
    if cx.node.saves.state().running.is_some() {
        return Err(running());
    }
    // A transaction is not cut in two, and a node without loops has nobody to save for.
    let shared = cx.node.shared().filter(|_| !cx.session.executing);
    match shared.map(|node| save_in_background(&node, alone)) {
        Some(Ok(())) => cx.reply.simple("Background saving started"),
        Some(Err(SaveRefusal::Running)) => return Err(running()),
        Some(Err(SaveRefusal::TooManyWalks)) if !schedule => {
            return Err(CommandError::text(
                "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE \
                 SCHEDULE in order to schedule a BGSAVE whenever possible.",
            ));
        }
        Some(Err(SaveRefusal::TooManyWalks)) | None => {
            cx.node.saves.state().scheduled = true;
            cx.reply.simple("Background saving scheduled");
        }
    }
    Ok(())
}

fn cancel_save(cx: &mut Context<'_>) -> CommandResult {
    let saves = &cx.node.saves;
    let was_scheduled = std::mem::take(&mut saves.state().scheduled);
    if saves.state().running.is_some() {
        saves.abort();
        cx.reply.simple("Background saving cancelled");
    } else if was_scheduled {
        cx.reply.simple("Scheduled background saving cancelled");
    } else {
        return Err(CommandError::text(
            "ERR Background saving is currently not in progress or scheduled",
        ));
    }
    Ok(())
}

fn bgrewriteaof(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    args.end()?;
    let alone = cx.alone.ok_or(CommandError::Internal)?;
    cx.keys.release();
    let saves = cx.node.saves.state().running.is_some();
    let refused = if cx.session.executing || saves {
        // A transaction is not cut in two, and one walk to the disk at a time is enough.
        Err(RewriteRefusal::NotNow)
    } else {
        cx.node.append_only.rewrite(cx.node, alone)
    };
    match refused {
        Ok(()) => cx.reply.simple("Background append only file rewriting started"),
        Err(RewriteRefusal::Running) => {
            return Err(CommandError::text(
                "ERR Background append only file rewriting already in progress",
            ));
        }
        Err(RewriteRefusal::NotNow) => {
            cx.node.append_only.schedule(Millis(0));
            cx.reply.simple("Background append only file rewriting scheduled");
        }
    }
    Ok(())
}

fn lastsave(cx: &mut Context<'_>, _args: &mut Args<'_>) -> CommandResult {
    let last_s = cx.node.saves.state().last_save_s;
    cx.reply.integer(i64::try_from(last_s).unwrap_or(i64::MAX));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn save_writes_a_file() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut server = Server::new();
        let path = dir.path().to_string_lossy().into_owned();
        server.node().settings.dir.set(path.as_bytes().into());
        server.check("append k v", ":1\r\n");
        server.check("save", "+OK\r\n");
        let file = std::fs::read(dir.path().join("dump.rdb")).expect("a file");
        assert!(file.starts_with(b"REDIS00"));
        let last = server.node().saves.state().last_save_s;
        server.check("lastsave", &format!(":{last}\r\n"));
        let info = server.line("info persistence");
        assert!(info.contains("\r\nrdb_changes_since_last_save:0\r\n"), "{info}");
        assert!(info.contains("\r\nrdb_saves:1\r\n"), "{info}");
    }

    #[test]
    fn save_is_refused_in_a_transaction_and_bgsave_put_off() {
        let mut server = Server::new();
        server.check("multi", "+OK\r\n");
        server.check("bgsave", "+QUEUED\r\n");
        server.check("exec", "*1\r\n+Background saving scheduled\r\n");
        assert!(server.node().saves.state().scheduled);
        server.check("bgsave foo", "-ERR syntax error\r\n");
        server.check("bgsave cancel", "+Scheduled background saving cancelled\r\n");
        let nothing = "-ERR Background saving is currently not in progress or scheduled\r\n";
        server.check("bgsave cancel", nothing);
        server.check("multi", "+OK\r\n");
        server.check("save", "-ERR Command not allowed inside a transaction\r\n");
    }

    #[test]
    fn a_failure_is_told_to_who_asked_and_nobody_else() {
        let mut server = Server::new();
        server.node().settings.dir.set(b"/nonexistent"[..].into());
        server.node().settings.save.set(vec![(900, 1)].into());
        assert!(server.line("save").starts_with("-ERR "));
        assert!(server.line("info persistence").contains("\r\nrdb_last_bgsave_status:ok\r\n"));
        server.check("set k v", "+OK\r\n");
    }
}
