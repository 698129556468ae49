//! When members of a key end: pairs of fields behind its record, as `KeyDB` writes them. The first names
//! a member, the second says when it ends. A field that belongs to no pair says nothing.

use crate::format::{MEMBER_EXPIRY_KEY, MEMBER_EXPIRY_WHEN};
use base::Millis;

/// The pair that is being read.
#[derive(Debug, Default)]
pub struct MemberExpiry {
    member: Option<Vec<u8>>,
}

impl MemberExpiry {
    /// Whether fields of this name speak of members.
    pub fn is_said_by(name: &[u8]) -> bool {
        name == MEMBER_EXPIRY_KEY || name == MEMBER_EXPIRY_WHEN
    }

    /// Takes the next field. Gives the member and when it ends, if that makes a pair whole.
    pub fn take(&mut self, name: &[u8], value: Vec<u8>) -> Option<(Vec<u8>, Millis)> {
        let member = self.member.take();
        if name == MEMBER_EXPIRY_KEY {
            self.member = Some(value);
            return None;
        }
        let at = std::str::from_utf8(&value).ok()?.parse().ok()?;
        member.filter(|_| name == MEMBER_EXPIRY_WHEN).map(|member| (member, Millis(at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_say_when_members_end() {
        let (key, when) = ("keydb-subexpire-key", "keydb-subexpire-when");
        for (fields, expected) in [
            (&[(key, "m"), (when, "5")][..], Some(5)),
            (&[(key, "other"), (key, "m"), (when, "5")], Some(5)),
            (&[(when, "5")], None),
            (&[(key, "m"), ("ctime", "1"), (when, "5")], None),
            (&[(key, "m"), (when, "soon")], None),
            (&[(key, "m"), (when, "4"), (when, "5")], None),
        ] {
            let mut pair = MemberExpiry::default();
            let mut found = None;
            for (name, value) in fields {
                found = pair.take(name.as_bytes(), value.as_bytes().to_vec());
            }
            assert_eq!(found, expected.map(|at| (b"m".to_vec(), Millis(at))), "{fields:?}");
        }
    }
}
