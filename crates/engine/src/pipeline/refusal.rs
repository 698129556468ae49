//! Requests that do not run: unknown names, wrong numbers of words, and what is answered then.

use super::Prepared;
use super::worker::Worker;
use crate::args::{OwnedRequest, Request};
use crate::command::Registered;
use crate::context::Outcome;
use crate::error::CommandError;
use crate::session::Session;
use crate::stats::add;
use crate::transaction;
use resp::reply::Writer;

/// Bytes of an unknown command's name and arguments that its error quotes.
const QUOTED_BYTES_MAX: usize = 128;

impl Worker<'_> {
    /// Answers an error for a command that does not run.
    #[cold]
    pub(super) fn refuse(
        &mut self,
        session: &mut Session,
        command: Option<&'static Registered>,
        error: &CommandError,
        out: &mut Vec<u8>,
    ) -> Outcome {
        if let Some(stat) = command.and_then(|command| self.stats.commands.get(command.index)) {
            add(&stat.rejected, 1);
        }
        self.answer_refusal(session, command, error, out)
    }

    /// As [`Worker::refuse`], for a command that counts as one that has run.
    #[cold]
    pub(super) fn answer_refusal(
        &mut self,
        session: &mut Session,
        command: Option<&'static Registered>,
        error: &CommandError,
        out: &mut Vec<u8>,
    ) -> Outcome {
        let mut text = error.wire();
        let is_exec = command.is_some_and(|command| command.command.spec.name == "exec");
        if let Some(queue) = &mut session.queue {
            queue.broken = true;
            if is_exec {
                transaction::take_queue(session);
                transaction::unwatch(self.node, session);
            }
        }
        if is_exec && self.node.monitors.any() {
            self.feed_exec(session);
        }
        if is_exec && !text.starts_with("EXECABORT") {
            let reason = text.strip_prefix("ERR ").unwrap_or(&text);
            text = format!("EXECABORT Transaction discarded because of: {reason}");
        }
        self.node.stats.count_error(&text);
        add(&self.stats.errors, 1);
        Writer::new(out, session.protocol).error(text);
        Outcome::Done
    }

    /// Tells monitors of an EXEC, behind what it has run.
    #[cold]
    pub(super) fn feed_exec(&self, session: &Session) {
        let owned = OwnedRequest::from_words([&b"exec"[..]]);
        if let Some(command) = self.node.table.find(b"exec") {
            self.node.monitors.feed(self.node, session, command, owned.request());
        }
    }
}

/// The command a request names, if its words are of the right number.
#[inline]
pub(super) fn admissible(
    prepared: &Prepared,
    request: Request<'_>,
) -> Result<&'static Registered, CommandError> {
    let Some(command) = prepared.command else { return Err(unknown(request)) };
    if !command.subcommands.is_empty() && request.len() >= 2 {
        let word: Vec<u8> = request.word(1).iter().copied().take(QUOTED_BYTES_MAX).collect();
        return Err(CommandError::UnknownSubcommand(
            String::from_utf8_lossy(&word).into_owned(),
            command.full_name.to_ascii_uppercase(),
        ));
    }
    if !command.fits(request.len()) {
        return Err(CommandError::Arity(command.full_name.clone()));
    }
    Ok(command)
}

fn unknown(request: Request<'_>) -> CommandError {
    let shown = |word: &[u8]| {
        String::from_utf8_lossy(&word[..word.len().min(QUOTED_BYTES_MAX)]).into_owned()
    };
    let mut args = String::new();
    for at in 1..request.len() {
        if args.len() >= QUOTED_BYTES_MAX {
            break;
        }
        args.push('\'');
        args.push_str(&shown(request.word(at)));
        args.push_str("' ");
    }
    CommandError::UnknownCommand { name: shown(request.word(0)), args }
}

/// Whether a word is one that only a browser which was lured here would send.
pub(super) fn is_foreign_protocol(name: &str) -> bool {
    name.eq_ignore_ascii_case("host:") || name.eq_ignore_ascii_case("post")
}
