//! CLIENT KILL: closes connections, by address (the old form) or by filters.
//!
//! The loop that owns a connection closes it. Links to replicas and to the primary belong to the
//! replication driver, which closes them. The caller itself is closed once it has its answer.

use super::OTHERS;
use super::list::{TYPES, class_of};
use engine::client::{Class, ClientInfo};
use engine::context::Outcome;
use engine::mailbox::Message;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Group, ReplyShape};

pub(super) const KILL: Command = Command {
    spec: CommandSpec {
        name: "kill",
        since: "2.4.0",
        group: Group::Connection,
        summary: "Closes connections.",
        complexity: "O(N) in the connections.",
        flags: OTHERS,
        args: &[Arg::one_of(
            "filter",
            &[
                Arg::bytes("ip:port"),
                Arg::one_of(
                    "new-format",
                    &[
                        Arg::integer("client-id").token("ID"),
                        Arg::one_of("client-type", TYPES).token("TYPE"),
                        Arg::bytes("username").token("USER"),
                        Arg::bytes("ip:port").token("ADDR"),
                        Arg::bytes("ip:port").token("LADDR"),
                        Arg::one_of("yes/no", &[Arg::word("yes", "YES"), Arg::word("no", "NO")])
                            .token("SKIPME"),
                        Arg::integer("maxage").token("MAXAGE"),
                    ],
                )
                .multiple(),
            ],
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

/// Which connections are meant.
#[derive(Debug, Default)]
struct Filter {
    id: Option<u64>,
    class: Option<Class>,
    address: Option<Vec<u8>>,
    local_address: Option<Vec<u8>>,
    age_s: Option<u64>,
    spares_caller: bool,
}

impl Filter {
    fn parse(args: &mut Args<'_>) -> Result<Filter, CommandError> {
        let mut filter = Filter { spares_caller: true, ..Filter::default() };
        while let Some(option) = args.next() {
            let value = args.bytes()?;
            match option.to_ascii_lowercase().as_slice() {
                b"id" => filter.id = Some(positive(value, "client-id")?),
                b"type" => filter.class = Some(class_of(value)?),
                b"user" if value == b"default" => {}
                b"user" => {
                    let user = String::from_utf8_lossy(value);
                    return Err(CommandError::Text(format!("ERR No such user '{user}'")));
                }
                b"addr" => filter.address = Some(value.to_vec()),
                b"laddr" => filter.local_address = Some(value.to_vec()),
                b"maxage" => {
                    values::string::parse_i64(value).ok_or(CommandError::NotInteger)?;
                    filter.age_s = Some(positive(value, "maxage")?);
                }
                b"skipme" if value.eq_ignore_ascii_case(b"yes") => filter.spares_caller = true,
                b"skipme" if value.eq_ignore_ascii_case(b"no") => filter.spares_caller = false,
                _ => return Err(CommandError::Syntax),
            }
        }
        Ok(filter)
    }

    fn matches(&self, client: &ClientInfo, caller: u64) -> bool {
        let age_s = base::clock::monotonic().since(client.created).0 / 1000;
        self.id.is_none_or(|id| client.id == id)
            && self.class.is_none_or(|class| client.class() == class)
            && self.address.as_ref().is_none_or(|at| client.address.as_bytes() == &at[..])
            && self
                .local_address
                .as_ref()
                .is_none_or(|at| client.local_address.as_bytes() == &at[..])
            && self.age_s.is_none_or(|least| age_s >= least)
            && !(self.spares_caller && client.id == caller)
    }
}

fn positive(word: &[u8], what: &str) -> Result<u64, CommandError> {
    let number = values::string::parse_i64(word).and_then(|number| u64::try_from(number).ok());
    number
        .filter(|&number| number > 0)
        .ok_or_else(|| CommandError::Text(format!("ERR {what} should be greater than 0")))
}

fn kill(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let old_form = args.left() == 1;
    let filter = if old_form {
        Filter { address: Some(args.bytes()?.to_vec()), ..Filter::default() }
    } else {
        Filter::parse(args)?
    };
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
    } else if let Some(mailbox) = cx.node.mailboxes().get(client.loop_index) {
        mailbox.send(Message::Close(client.id, false));
    }
}
