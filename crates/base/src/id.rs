//! Identities of 40 hexadecimal digits: run ids, replication ids, node ids.

use crate::random::Random;
use std::fmt;

/// The length of an identity in hexadecimal digits.
pub const ID_LEN: usize = 40;

/// An identity as the wire writes it: 40 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId([u8; ID_LEN]);

/// The identity of a node for life. Written like a run id.
pub type NodeId = RunId;

impl RunId {
    /// A fresh identity drawn from `random`.
    pub fn generate(random: &mut Random) -> RunId {
        let mut id = [0; ID_LEN];
        for digit in &mut id {
            let nibble = u8::try_from(random.below(16)).unwrap_or(0);
            *digit = if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
        }
        RunId(id)
    }

    /// The identity written in `text`, or `None` if it is not 40 hexadecimal digits.
    pub fn parse(text: &[u8]) -> Option<RunId> {
        let id: [u8; ID_LEN] = text.try_into().ok()?;
        id.iter().all(u8::is_ascii_hexdigit).then_some(RunId(id))
    }

    /// Forty zeros: "no identity", as stock writes an absent second replication id.
    pub const fn zero() -> RunId {
        RunId([b'0'; ID_LEN])
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
