//! SELECT index: the database that the connection's commands act on.

use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, ReplyShape};
use std::sync::atomic::Ordering;

/// SELECT.
pub const SELECT: Command = Command {
    spec: CommandSpec {
        name: "select",
        since: "1.0.0",
        group: Group::Connection,
        summary: "Chooses the database of this connection.",
        flags: &[Flag::Loading, Flag::Stale, Flag::Fast],
        args: &[Arg::integer("index")],
        reply: &[ReplyShape::Status("OK")],
        ..CommandSpec::EMPTY
    },
    run: select,
    subcommands: &[],
};

/// The database that `word` names.
///
/// # Errors
/// `NotInteger` or a text if it is no 32-bit integer, `DbOutOfRange` if there is no such database.
pub(crate) fn db_index(cx: &Context<'_>, word: &[u8]) -> Result<u32, CommandError> {
    let number = values::string::parse_i64(word).ok_or(CommandError::NotInteger)?;
    if i32::try_from(number).is_err() {
        return Err(CommandError::Text(format!(
            "ERR value is out of range, value must between {} and {}",
            i32::MIN,
            i32::MAX
        )));
    }
    existing(cx, number)
}

/// Database `number`, which must be there.
///
/// # Errors
/// `DbOutOfRange` if it is not.
pub(super) fn existing(cx: &Context<'_>, number: i64) -> Result<u32, CommandError> {
    let is_there = (0..cx.node.settings.databases.get()).contains(&number);
    u32::try_from(number).ok().filter(|_| is_there).ok_or(CommandError::DbOutOfRange)
}

fn select(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let db = db_index(cx, args.bytes()?)?;
    cx.session.db = db;
    cx.session.info.db.store(db, Ordering::Relaxed);
    cx.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn select_chooses() {
        let mut server = Server::new();
        let wide = "-ERR value is out of range, value must between -2147483648 and 2147483647\r\n";
        for (line, expected) in [
            ("set k zero", "+OK\r\n"),
            ("select 16", "-ERR DB index is out of range\r\n"),
            ("select -1", "-ERR DB index is out of range\r\n"),
            ("select abc", "-ERR value is not an integer or out of range\r\n"),
            ("select 9999999999999999", wide),
            ("select 15", "+OK\r\n"),
            ("get k", "$-1\r\n"),
            ("set k fifteen", "+OK\r\n"),
            ("select 0", "+OK\r\n"),
            ("get k", "$4\r\nzero\r\n"),
        ] {
            server.check(line, expected);
        }
        server.check_log("select 3", &[]);
        server.check_log("set k v", &["SELECT 3", "set k v"]);
    }

    #[test]
    fn select_inside_a_transaction_acts_on_what_follows() {
        let mut server = Server::new();
        for line in ["multi", "set k a", "select 2", "set k b", "exec"] {
            server.line(line);
        }
        server.check("get k", "$1\r\nb\r\n");
        server.check("select 0", "+OK\r\n");
        server.check("get k", "$1\r\na\r\n");
        let logged = server.logged();
        assert_eq!(logged, ["SELECT 0", "MULTI", "set k a", "SELECT 2", "set k b", "EXEC"]);
    }
}
