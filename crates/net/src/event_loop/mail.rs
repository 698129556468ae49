//! Mail: what other threads, and this one, have sent to connections of this loop.

use super::Running;
use engine::mailbox::{Mailbox, Message, Push, Via};
use resp::reply::Protocol;

impl Running<'_> {
    pub(super) fn mailbox(&self) -> &Mailbox {
        &self.home.mailbox
    }

    /// Delivers what other threads, and this one, have sent to connections of this loop.
    pub(super) fn take_mail(&mut self) {
        let (first, messages) = self.home.mailbox.take_numbered();
        for (number, message) in (first..).zip(messages) {
            match message {
                Message::Push(push) => {
                    for id in &push.clients {
                        if let Some(slot) = self.slot_of(*id) {
                            self.push_to(slot, &push, number);
                        }
                    }
                }
                Message::Close(id, gently) => {
                    if let Some(slot) = self.slot_of(id) {
                        self.close_on_demand(slot, gently);
                    }
                }
                Message::Answer(waiting, answer, tag) => {
                    if let Some(slot) = self.slot_of(waiting.client.id) {
                        self.end_wait(slot, &waiting, answer, tag);
                    }
                }
                Message::Timed(id) => {
                    if let Some(slot) = self.slot_of(id) {
                        self.look_in_time(slot);
                    }
                }
                Message::Unblock(id, with_error) => {
                    if let Some(slot) = self.slot_of(id) {
                        self.unblock(slot, with_error);
                    }
                }
                Message::ShutdownFailed(id) => {
                    if let Some(slot) = self.slot_of(id) {
                        self.shutdown_failed(slot);
                    }
                }
                Message::Recheck | Message::Reconfigure => {
                    self.waits.retry_now(self.now);
                    self.recheck_blocked();
                }
            }
        }
    }

    /// Adds a push, message `number` of the mailbox, to a connection's output: behind its last reply,
    /// or before it if it was sent before that was made.
    fn push_to(&mut self, slot: usize, push: &Push, number: u64) {
        let Some(connection) = self.slots[slot].as_mut() else { return };
        let is_resp3 = connection.session.protocol == Protocol::Resp3;
        let session = &connection.session;
        let wanted = match &push.via {
            Via::Subscription(kind, name) => session.subscriptions.holds(*kind, name),
            Via::Monitor => session.monitors,
            Via::Tracking(redirected) => {
                is_resp3 || (*redirected && !session.subscriptions.is_empty())
            }
        };
        if connection.closing || connection.dead || !wanted {
            return;
        }
        let bytes = if is_resp3 { &push.resp3 } else { &push.resp2 };
        match &mut self.reply_at {
            Some((of, at))
                if *of == slot
                    && number < connection.session.mail_mark
                    && matches!(push.via, Via::Tracking(_)) =>
            {
                connection.output.splice(*at..*at, bytes.iter().copied());
                *at += bytes.len();
            }
            _ => connection.output.extend_from_slice(bytes),
        }
        if connection.exceeds_output_limit(&self.node.settings, self.now) {
            self.close_for_output(slot);
        } else {
            self.mark_dirty(slot);
        }
    }
}
