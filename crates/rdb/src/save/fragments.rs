//! Records that are put together from parts: a head that says how many there are, the parts, and for
//! streams an end. The forms are those of the values as a whole.

use super::collection::push_count;
use super::{Encoder, ListNode, push_length};
use crate::format::{Attributes, node, value_type};
use base::Millis;
use values::Kind;
use values::fragment::{Fragment, Outline};

impl Encoder {
    /// Appends the head of a value whose fragments follow ([`Encoder::push_fragment`]), as many members as
    /// `outline` says in any order, or the chunks of a string in theirs. Of a hash whose fields expire,
    /// none may end before the outline's time.
    pub fn begin_fragments(
        &mut self,
        out: &mut Vec<u8>,
        key: &[u8],
        outline: Outline,
        attributes: &Attributes,
    ) {
        let kind = match (outline.kind, outline.soonest) {
            (Kind::String, _) => value_type::STRING,
            (Kind::SortedSet, _) => value_type::ZSET_2,
            (Kind::Hash, None) => value_type::HASH,
            (Kind::Hash, Some(_)) => value_type::HASH_METADATA,
            _ => value_type::SET,
        };
        self.begin_key(out, kind, key, attributes);
        if let (Kind::Hash, Some(Millis(soonest))) = (outline.kind, outline.soonest) {
            out.extend_from_slice(&soonest.to_le_bytes());
        }
        push_count(out, outline.len);
    }

    /// Appends a fragment. When members of a set or sorted set end is said behind the record
    /// ([`Encoder::encode_member_expiry`]).
    pub fn push_fragment(&mut self, out: &mut Vec<u8>, fragment: Fragment<'_>, outline: Outline) {
        match fragment {
            Fragment::Chunk(_, bytes) => out.extend_from_slice(bytes),
            Fragment::Member(member, _) => self.push_bytes(out, member),
            Fragment::Scored(member, score, _) => {
                self.push_bytes(out, member);
                out.extend_from_slice(&score.to_le_bytes());
            }
            Fragment::Field(field, value, at) => {
                if let Some(Millis(soonest)) = outline.soonest {
                    push_length(out, at.map_or(0, |Millis(at)| at.saturating_sub(soonest) + 1));
                }
                self.push_bytes(out, field);
                self.push_bytes(out, value);
            }
        }
    }

    /// Appends the head of a list whose nodes follow ([`Encoder::push_node`]).
    pub fn begin_list(
        &mut self,
        out: &mut Vec<u8>,
        key: &[u8],
        nodes: usize,
        attributes: &Attributes,
    ) {
        self.begin_key(out, value_type::LIST_QUICKLIST_2, key, attributes);
        push_count(out, nodes);
    }

    /// Appends a node of a list.
    pub fn push_node(&mut self, out: &mut Vec<u8>, node: &ListNode<'_>) {
        let (kind, bytes) = match node {
            ListNode::Packed(bytes) => (node::PACKED, bytes),
            ListNode::Plain(bytes) => (node::PLAIN, bytes),
        };
        push_length(out, kind);
        self.push_bytes(out, bytes);
    }

    /// Appends the head of a stream whose blocks follow ([`Encoder::push_block`]), then its end.
    pub fn begin_stream(
        &mut self,
        out: &mut Vec<u8>,
        key: &[u8],
        blocks: usize,
        attributes: &Attributes,
    ) {
        self.begin_key(out, value_type::STREAM_2, key, attributes);
        push_count(out, blocks);
    }

    /// Appends the head of a value of a module; what it is saved as follows.
    pub fn begin_module(&mut self, out: &mut Vec<u8>, key: &[u8], attributes: &Attributes) {
        self.begin_key(out, value_type::MODULE, key, attributes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::save::{SavedField, SavedValue, StringRef};
    use structures::listpack::Item;

    fn outline(kind: Kind, soonest: Option<u64>) -> Outline {
        Outline { kind, len: 2, soonest: soonest.map(Millis) }
    }

    /// What is put together is what is written as a whole.
    #[test]
    fn parts_make_the_whole() {
        let attributes = Attributes { expire_at: Some(Millis(77)), ..Attributes::default() };
        let (a, b) = (Item::Bytes(b"a"), Item::Int(12));
        let at = Some(Millis(500));
        let fields = [
            SavedField { field: a, value: b, expire_at: at },
            SavedField { field: b, value: a, expire_at: None },
        ];
        let rows: [(SavedValue<'_>, Outline, [Fragment<'_>; 2]); 5] = [
            (
                SavedValue::String(StringRef::Bytes(b"xy")),
                outline(Kind::String, None),
                [Fragment::Chunk(0, b"x"), Fragment::Chunk(1, b"y")],
            ),
            (
                SavedValue::SortedSet(2, Box::new([(b, 2.5), (a, -1.0)].into_iter())),
                outline(Kind::SortedSet, None),
                [Fragment::Scored(b"12", 2.5, None), Fragment::Scored(b"a", -1.0, at)],
            ),
            (
                SavedValue::Hash(2, Box::new([(a, b), (b, a)].into_iter())),
                outline(Kind::Hash, None),
                [Fragment::Field(b"a", b"12", None), Fragment::Field(b"12", b"a", None)],
            ),
            (
                SavedValue::ExpiringHash(fields.to_vec()),
                outline(Kind::Hash, Some(500)),
                [Fragment::Field(b"a", b"12", at), Fragment::Field(b"12", b"a", None)],
            ),
            (
                SavedValue::Set(2, Box::new([a, b].into_iter())),
                outline(Kind::Set, None),
                [Fragment::Member(b"a", None), Fragment::Member(b"12", at)],
            ),
        ];
        for (value, outline, fragments) in rows {
            let mut encoder = Encoder::new(true);
            let (mut whole, mut parts) = (Vec::new(), Vec::new());
            encoder.encode_key(&mut whole, b"key", value, &attributes);
            encoder.begin_fragments(&mut parts, b"key", outline, &attributes);
            for fragment in fragments {
                encoder.push_fragment(&mut parts, fragment, outline);
            }
            assert_eq!(parts, whole, "{outline:?}");
        }
    }
}
