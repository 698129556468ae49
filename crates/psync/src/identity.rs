//! Who a Redoubt node is, told in the handshake beside the addresses that stock knows.
//!
//! A replica sends one `REPLCONF redoubt-group-id G redoubt-node-id N redoubt-epoch E`. Stock
//! answers `-ERR Unrecognized REPLCONF option` and the handshake goes on; a Redoubt primary answers
//! with its own:
//!
//! ```text
//! +OK redoubt-group-id G redoubt-node-id N redoubt-epoch E
//! ```
//!
//! Epochs count the primaries of a group, so they compare only within one group.

use crate::encode::{command, integer};
use base::{NodeId, RunId};

/// The identity of a node in its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The group.
    pub group: RunId,
    /// The node, for life.
    pub node: NodeId,
    /// The newest epoch the node knows.
    pub epoch: u64,
}

/// What a peer told of itself; a field that was absent or malformed is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeerIdentity {
    /// The peer's group.
    pub group: Option<RunId>,
    /// The peer.
    pub node: Option<NodeId>,
    /// The newest epoch the peer knows.
    pub epoch: Option<u64>,
}

const GROUP: &str = "redoubt-group-id";
const NODE: &str = "redoubt-node-id";
const EPOCH: &str = "redoubt-epoch";

impl Identity {
    /// Appends the REPLCONF that tells this identity.
    pub(crate) fn encode_replconf(&self, out: &mut Vec<u8>) {
        let epoch = self.epoch.to_string();
        let args =
            ["REPLCONF", GROUP, self.group.as_str(), NODE, self.node.as_str(), EPOCH, &epoch];
        command(&args.map(str::as_bytes), out);
    }

    /// The answer to such a REPLCONF, without its `+` and line end.
    pub fn answer(&self) -> String {
        format!("OK {GROUP} {} {NODE} {} {EPOCH} {}", self.group, self.node, self.epoch)
    }

    /// True if `peer` is of our group and knows only older epochs than we do.
    pub fn is_newer_than(&self, peer: &PeerIdentity) -> bool {
        peer.group == Some(self.group) && peer.epoch.is_some_and(|epoch| epoch < self.epoch)
    }
}

impl PeerIdentity {
    /// True if `option` of REPLCONF is one of ours.
    pub fn knows(option: &str) -> bool {
        [GROUP, NODE, EPOCH].contains(&option)
    }

    /// Takes over one field. A malformed value leaves it as it was.
    pub(crate) fn set(&mut self, option: &str, value: &[u8]) {
        match option {
            GROUP => self.group = RunId::parse(value).or(self.group),
            NODE => self.node = RunId::parse(value).or(self.node),
            EPOCH => {
                let epoch = integer(value).and_then(|epoch| u64::try_from(epoch).ok());
                self.epoch = epoch.or(self.epoch);
            }
            _ => {}
        }
    }

    /// The identity in an answer, `None` if the peer is not a Redoubt node. Unknown fields are
    /// skipped, so that later versions may add some.
    pub(crate) fn parse_answer(line: &[u8]) -> Option<PeerIdentity> {
        let text = std::str::from_utf8(line).ok()?.strip_prefix("+OK ")?;
        let mut peer = PeerIdentity::default();
        let mut words = text.split(' ');
        while let (Some(option), Some(value)) = (words.next(), words.next()) {
            peer.set(option, value.as_bytes());
        }
        (peer != PeerIdentity::default()).then_some(peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_back() {
        let (group, node) =
            (RunId::parse(&[b'a'; 40]).unwrap(), RunId::parse(&[b'b'; 40]).unwrap());
        let identity = Identity { group, node, epoch: 7 };
        let line = format!("+{}", identity.answer());
        let peer = PeerIdentity::parse_answer(line.as_bytes()).unwrap();
        assert_eq!(peer, PeerIdentity { group: Some(group), node: Some(node), epoch: Some(7) });
        let rows: &[(&str, Option<u64>)] = &[
            ("+OK", None),
            ("+OK ", None),
            ("-ERR Unrecognized REPLCONF option: redoubt-group-id", None),
            ("+OK redoubt-epoch", None),
            ("+OK redoubt-epoch -1", None),
            ("+OK redoubt-epoch 99999999999999999999", None),
            ("+OK later 1 redoubt-epoch 3", Some(3)),
        ];
        for (line, epoch) in rows {
            let peer = PeerIdentity::parse_answer(line.as_bytes());
            assert_eq!(peer.and_then(|peer| peer.epoch), *epoch, "{line}");
        }
    }

    #[test]
    fn epochs_compare_within_a_group_only() {
        let (a, b) = (RunId::parse(&[b'a'; 40]).unwrap(), RunId::parse(&[b'b'; 40]).unwrap());
        let ours = Identity { group: a, node: a, epoch: 5 };
        let rows: &[(Option<RunId>, Option<u64>, bool)] = &[
            (Some(a), Some(4), true),
            (Some(a), Some(5), false),
            (Some(a), Some(6), false),
            (Some(b), Some(4), false),
            (Some(a), None, false),
            (None, Some(4), false),
        ];
        for &(group, epoch, expected) in rows {
            let peer = PeerIdentity { group, node: None, epoch };
            assert_eq!(ours.is_newer_than(&peer), expected, "{peer:?}");
        }
    }
}
