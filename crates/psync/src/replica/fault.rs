//! Why a replica gives its link up. The texts are the log's.

use super::printable;

/// Why a link was given up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("Connection with master lost.")]
    Lost,
    #[error("Error condition on socket for SYNC: {0}")]
    ConnectFailed(String),
    #[error("Timeout connecting to the MASTER...")]
    ConnectTimeout,
    #[error(
        "Timeout receiving bulk data from MASTER... If the problem persists try to set the \
         'repl-timeout' parameter in redis.conf to a larger value."
    )]
    TransferTimeout,
    #[error("MASTER timeout: no data nor PING received...")]
    OnlineTimeout,
    #[error("Error reply to PING from master: '{0}'")]
    Ping(String),
    #[error("Unable to AUTH to MASTER: {0}")]
    Auth(String),
    #[error("Master is currently unable to PSYNC but should be in the future: {0}")]
    TryLater(String),
    #[error("Unexpected reply to PSYNC from master: {0}")]
    Psync(String),
    #[error("Bad protocol from MASTER: {0}")]
    Protocol(String),
    #[error("Failed trying to load the MASTER synchronization DB: {0}")]
    Load(String),
    #[error("Failed to apply the MASTER's stream, a full sync is needed: {0}")]
    Apply(String),
    #[error("The replication offset would exceed its greatest value")]
    OffsetOverflow,
    #[error("More of the stream arrived than may wait while the snapshot is loaded")]
    PendingOverflow,
    #[error(
        "Refused to replace our data of epoch {ours} by a full sync from a primary of epoch {theirs}"
    )]
    OlderPrimary { ours: u64, theirs: u64 },
}

/// The fault of a primary that announces no payload but says `line`.
pub(super) fn refused_transfer(line: &[u8]) -> Fault {
    let text = printable(line);
    match text.strip_prefix('-') {
        Some(error) => {
            Fault::Protocol(format!("MASTER aborted replication with an error: {error}"))
        }
        None => Fault::Protocol(format!(
            "the first byte is not '$' (we received '{text}'), are you sure the host and port are right?"
        )),
    }
}
