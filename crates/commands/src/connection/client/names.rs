//! CLIENT SETNAME, GETNAME, SETINFO: names that a connection gives itself.

use super::OWN;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Group, ReplyShape};

pub(super) const SETNAME: Command = Command {
    spec: CommandSpec {
        name: "setname",
        since: "2.6.9",
        group: Group::Connection,
        summary: "Names the connection; an empty name takes it away.",
        flags: OWN,
        args: &[Arg::bytes("connection-name")],
        reply: &[ReplyShape::Status("OK")],
        ..CommandSpec::EMPTY
    },
    run: set_name,
    subcommands: &[],
};

pub(super) const GETNAME: Command = Command {
    spec: CommandSpec {
        name: "getname",
        since: "2.6.9",
        group: Group::Connection,
        summary: "Answers the name of the connection.",
        flags: OWN,
        reply: &[ReplyShape::Bulk("The name."), ReplyShape::Null("It has none.")],
        ..CommandSpec::EMPTY
    },
    run: get_name,
    subcommands: &[],
};

pub(super) const SETINFO: Command = Command {
    spec: CommandSpec {
        name: "setinfo",
        since: "7.2.0",
        group: Group::Connection,
        summary: "Tells the client library's name or version.",
        flags: OWN,
        args: &[Arg::one_of(
            "attr",
            &[Arg::bytes("libname").token("LIB-NAME"), Arg::bytes("libver").token("LIB-VER")],
        )],
        reply: &[ReplyShape::Status("OK")],
        ..CommandSpec::EMPTY
    },
    run: set_info,
    subcommands: &[],
};

/// Whether `name` may stand in a line of CLIENT LIST; `what` begins the error's text.
///
/// # Errors
/// If it holds anything but printable ASCII, blanks excluded.
pub(crate) fn check_name(name: &[u8], what: &str) -> CommandResult {
    if name.iter().all(u8::is_ascii_graphic) {
        return Ok(());
    }
    Err(CommandError::Text(format!(
        "ERR {what} cannot contain spaces, newlines or special characters."
    )))
}

fn set_name(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let name = args.bytes()?;
    check_name(name, "Client names")?;
    cx.session.info.names.lock().name = name.to_vec();
    cx.reply.ok();
    Ok(())
}

fn get_name(cx: &mut Context<'_>, _args: &mut Args<'_>) -> CommandResult {
    let name = cx.session.info.names.lock().name.clone();
    if name.is_empty() {
        cx.reply.null();
    } else {
        cx.reply.bulk(name);
    }
    Ok(())
}

fn set_info(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (attribute, value) = (args.bytes()?, args.bytes()?);
    let lower = attribute.to_ascii_lowercase();
    match &lower[..] {
        b"lib-name" | b"lib-ver" => check_name(value, &String::from_utf8_lossy(&lower))?,
        _ => {
            let shown = String::from_utf8_lossy(attribute);
            return Err(CommandError::Text(format!("ERR Unrecognized option '{shown}'")));
        }
    }
    let mut names = cx.session.info.names.lock();
    if lower == b"lib-name" {
        names.library = value.to_vec();
    } else {
        names.library_version = value.to_vec();
    }
    drop(names);
    cx.reply.ok();
    Ok(())
}
