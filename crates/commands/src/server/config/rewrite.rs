//! CONFIG REWRITE: writes the settings of now into the configuration file.

use super::FLAGS;
use conf::RewriteContext;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{CommandSpec, Group, ReplyShape};

pub(super) const REWRITE: Command = Command {
    spec: CommandSpec {
        name: "rewrite",
        since: "2.8.0",
        group: Group::Server,
        summary: "Writes the settings into the configuration file.",
        complexity: "O(N) in the size of the file.",
        flags: FLAGS,
        reply: &[ReplyShape::Status("OK")],
        ..CommandSpec::EMPTY
    },
    run: rewrite,
    subcommands: &[],
};

fn rewrite(cx: &mut Context<'_>, _args: &mut Args<'_>) -> CommandResult {
    write(cx, false)
}

/// Writes what differs, or `everything`.
pub(in crate::server) fn write(cx: &mut Context<'_>, everything: bool) -> CommandResult {
    let Some(path) = &cx.node.config_path else {
        return Err(CommandError::text("ERR The server is running without a config file"));
    };
    let context = RewriteContext { everything, ..RewriteContext::default() };
    let by_program = cx.node.services().and_then(|services| services.rewrite_settings(&context));
    let written = by_program.unwrap_or_else(|| cx.node.settings.rewrite(path, &context));
    if let Err(error) = written {
        tracing::warn!("CONFIG REWRITE failed: {error}");
        return Err(CommandError::Text(format!("ERR Rewriting config file: {error}")));
    }
    tracing::info!("CONFIG REWRITE executed with success.");
    cx.reply.ok();
    Ok(())
}
