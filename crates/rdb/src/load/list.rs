//! Lists: element by element, as one ziplist, as ziplists, or as listpacks and long elements.

use super::{LoadError, LoadedValue, Loader};
use crate::format::{node, value_type};
use std::io;

impl<R: io::Read> Loader<R> {
    pub(super) fn list(&mut self, kind: u8) -> Result<LoadedValue, LoadError> {
        Ok(LoadedValue::List(match kind {
            value_type::LIST => self.strings()?,
            value_type::LIST_ZIPLIST => self.ziplist()?,
            _ => {
                let nodes = self.source.length()?;
                let mut elements = Vec::new();
                for _ in 0..nodes {
                    elements.append(&mut self.node(kind)?);
                }
                elements
            }
        }))
    }

    fn node(&mut self, kind: u8) -> Result<Vec<Vec<u8>>, LoadError> {
        if kind == value_type::LIST_QUICKLIST {
            return self.ziplist();
        }
        match self.source.length()? {
            node::PLAIN => Ok(vec![self.bytes()?]),
            node::PACKED => self.listpack(),
            _ => Err(self.source.malformed("an unknown kind of list node")),
        }
    }
}
