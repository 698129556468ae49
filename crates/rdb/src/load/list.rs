//! Lists: element by element, as one ziplist, as ziplists, or as listpacks and long elements.

use super::{LoadError, LoadedNode, LoadedValue, Loader};
use crate::format::{node, value_type};
use std::io;

impl<R: io::Read> Loader<R> {
    pub(super) fn list(&mut self, kind: u8) -> Result<LoadedValue, LoadError> {
        Ok(LoadedValue::List(match kind {
            value_type::LIST => vec![LoadedNode::Elements(self.strings()?)],
            value_type::LIST_ZIPLIST => vec![LoadedNode::Packed(self.ziplist()?)],
            _ => {
                let (count, mut nodes) = self.count()?;
                for _ in 0..count {
                    nodes.push(self.node(kind)?);
                }
                nodes
            }
        }))
    }

    fn node(&mut self, kind: u8) -> Result<LoadedNode, LoadError> {
        if kind == value_type::LIST_QUICKLIST {
            return self.ziplist().map(LoadedNode::Packed);
        }
        match self.source.length()? {
            node::PLAIN => match self.bytes()? {
                // Only long elements have nodes of their own.
                element if element.is_empty() => {
                    Err(self.source.malformed("an empty element in a list node of its own"))
                }
                element => Ok(LoadedNode::Elements(vec![element])),
            },
            node::PACKED => self.pack().map(LoadedNode::Packed),
            _ => Err(self.source.malformed("an unknown kind of list node")),
        }
    }
}
