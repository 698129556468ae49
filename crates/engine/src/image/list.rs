//! Lists outside the keyspace.

use super::{BadValue, Image};
use conf::Settings;
use rdb::{ListNode, LoadedNode, SavedValue};
use values::digest::ValueDigest;
use values::list::{End, Part};
use values::{Collection, List, ListLimits, ListRef};

/// The limits of the nodes of lists.
pub(super) fn limits(settings: &Settings) -> ListLimits {
    ListLimits {
        size: settings.list_max_listpack_size.get(),
        compress_depth: settings.list_compress_depth.size(),
        long_bytes_min: 0,
    }
}

/// The list of `nodes`.
pub(super) fn build(nodes: Vec<LoadedNode>, limits: ListLimits) -> Result<List, BadValue> {
    let mut list = List::default();
    for node in nodes {
        match node {
            LoadedNode::Packed(bytes) => list.push_pack(bytes, limits),
            LoadedNode::Elements(elements) => {
                for element in elements {
                    list.push(End::Right, &element, limits);
                }
            }
        }
    }
    if list.is_empty() { Err(BadValue::Empty) } else { Ok(list) }
}

impl Image for List {
    fn saved<'a>(list: ListRef<'a>) -> SavedValue<'a>
    where
        Self: 'a,
    {
        let node = |part| match part {
            Part::Pack(bytes) => ListNode::Packed(bytes),
            Part::Long(bytes) => ListNode::Plain(bytes),
        };
        SavedValue::List(list.parts().into_iter().map(node).collect())
    }

    fn encoding(list: ListRef<'_>) -> &'static str {
        list.encoding()
    }

    fn digest(list: ListRef<'_>, begun: ValueDigest) -> ValueDigest {
        let (mut room, mut digest) = (itoa::Buffer::new(), begun);
        list.walk(0, |item| {
            digest = digest.part(item.bytes(&mut room));
            true
        });
        digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::tests::check;

    #[test]
    fn payloads_of_stock_are_understood_and_written_alike() {
        let digest = "d534d326d9b263d7a054399474d03e9f0248dd95";
        check("120102141400000004008161020101c12c028361626304ff0a005d85e0aff88fd21e", digest, true);
        // Three elements in two nodes become one listpack, as with stock's newer releases.
        let digest = "8bf72d812571eea9b927f3c11beb0c4165a6ff89";
        let two = "1202020d0d0000000200816102816202ff020a0a0000000100816302ff0a00a60192a8f736b5c0";
        check(two, digest, false);
    }

    #[test]
    fn no_list_is_empty() {
        assert_eq!(build(Vec::new(), ListLimits::default()), Err(BadValue::Empty));
    }
}
