//! CLIENT KILL: closes connections, by address (the old form) or by filters.
//!
//! The loop that owns a connection closes it, of which nothing runs any more once the kill is answered: it is
//! marked while no loop is in the middle of a command. Links to replicas and to the primary belong to the
//! replication driver, which closes them. The caller itself is closed once it has its answer.

use super::OTHERS_ALONE;
use super::filter::{Filter, KILL_WORDS};
use engine::client::{Class, ClientInfo};
use engine::context::Outcome;
use engine::mailbox::Message;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Group, ReplyShape};
use std::sync::atomic::Ordering;

pub(super) const KILL: Command = Command {
    spec: CommandSpec {
        name: "kill",
        since: "2.4.0",
        group: Group::Connection,
        summary: "Closes connections.",
        complexity: "O(N) in the connections.",
        flags: OTHERS_ALONE,
        args: &[Arg::one_of(
            "filter",
            &[Arg::bytes("ip:port"), Arg::one_of("new-format", KILL_WORDS).multiple()],
        )],
        reply: &[
            ReplyShape::Status("OK, to the form with an address."),
            ReplyShape::Integer("How many were closed."),
        ],
        history: &[
            ("2.8.12", "Takes filters."),
            ("3.2.0", "Takes the type `master`."),
            ("5.0.0", "`slave` is also `replica`."),
            ("6.2.0", "Takes LADDR."),
        ],
        ..CommandSpec::EMPTY
    },
    run: kill,
    subcommands: &[],
};

fn kill(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let old_form = args.left() == 1;
    let filter = if old_form { Filter::of_address(args.bytes()?) } else { Filter::of_kill(args)? };
    let caller = cx.session.info.id;
    let mut killed = 0;
    for client in cx.node.clients.all() {
        if filter.matches(&client, caller) {
            close(cx, &client);
            killed += 1;
        }
    }
    match (old_form, killed) {
        (true, 0) => return Err(CommandError::text("ERR No such client")),
        (true, _) => cx.reply.ok(),
        (false, killed) => cx.reply.integer(killed),
    }
    Ok(())
}

fn close(cx: &mut Context<'_>, client: &ClientInfo) {
    if client.id == cx.session.info.id {
        *cx.outcome = Outcome::Close;
    } else if matches!(client.class(), Class::Replica | Class::Primary) {
        if let Some(services) = cx.node.services() {
            services.kill_link(client.id);
        }
    } else {
        client.closing.store(true, Ordering::Relaxed);
        cx.node.tell_loop(client, Message::Close(client.id, false));
    }
}
