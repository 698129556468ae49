//! What WAIT and WAITAOF wait for: copies of a connection's writes, at replicas or on disks.

use crate::node::Node;
use base::Offset;
use resp::reply::Writer;

/// What WAITAOF says where there is no file that it could wait for.
pub const NO_FILE: &str =
    "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.";

/// Copies of what the log holds up to some offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copies {
    /// So many replicas hold it (WAIT).
    Held(usize),
    /// It is durable here, if `local`, and at so many replicas (WAITAOF).
    Durable {
        /// Here as well.
        local: bool,
        /// At so many others.
        replicas: usize,
    },
}

impl Copies {
    /// Whether there are enough of what the log holds up to `offset`.
    pub fn are_there(self, node: &Node, offset: Offset) -> bool {
        match self {
            Copies::Held(count) => node.replication.acknowledged(offset) >= count,
            Copies::Durable { local, replicas } => {
                (!local || node.append_only.is_durable(offset))
                    && node.replication.durable(offset) >= replicas
            }
        }
    }

    /// Whether they are waited for in vain: there is no file any more.
    pub fn are_out_of_reach(self, node: &Node) -> bool {
        matches!(self, Copies::Durable { local: true, .. }) && !node.settings.appendonly.get()
    }

    /// Says how many there are.
    pub fn reply(self, node: &Node, offset: Offset, reply: &mut Writer<'_>) {
        let integer = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        match self {
            Copies::Held(_) => reply.integer(integer(node.replication.acknowledged(offset))),
            Copies::Durable { .. } => {
                reply.array(2);
                reply.integer(i64::from(node.append_only.is_durable(offset)));
                reply.integer(integer(node.replication.durable(offset)));
            }
        }
    }
}
