//! Large lists, streams and values of modules: a walk takes references to their parts under the shard's
//! lock, and its thread writes them without one. Whoever changes such a value meanwhile copies the nodes or
//! blocks that it changes, once for each walk; what is overwritten or deleted lives until it is written.

use crate::image;
use keyspace::Entry;
use rdb::{Attributes, Encoder, ListNode, StreamImage};
use std::io;
use std::sync::Arc;
use structures::ValueMut;
use structures::listpack::ListpackBuf;
use values::list::{LentNodes, Part};
use values::stream::StreamId;
use values::{Object, Opaque};

/// Encoded bytes after which they go to the sink.
const PART_BYTES: usize = 64 << 10;

/// A record that is still to be written.
#[derive(Debug)]
pub(super) struct Lent {
    pub(super) db: u32,
    key: Box<[u8]>,
    attributes: Attributes,
    value: Value,
    /// Bytes of it that are a copy.
    pub(super) copied_bytes: usize,
    /// Bytes of memory that were there before, and may live for this record alone.
    pub(super) kept_bytes: usize,
}

#[derive(Debug)]
enum Value {
    List(LentNodes),
    /// Blocks, and a copy of the rest, the groups above all.
    Stream(Vec<(StreamId, Arc<ListpackBuf>)>, Box<StreamImage>),
    Module(Arc<Opaque>),
}

impl Lent {
    /// A reference to the value of `entry`, if it is large and of such a type.
    pub(super) fn of(db: u32, entry: &mut Entry, attributes: Attributes) -> Option<Lent> {
        let (value, copied_bytes, kept_bytes) = match entry.value_mut() {
            ValueMut::Boxed(object) if object.is_large() => {
                let bytes = object.heap_bytes();
                let (value, copied_bytes) = match object {
                    Object::List(list) => (Value::List(list.lend()?), 0),
                    Object::Stream(stream) => {
                        let rest = Box::new(image::stream_rest(stream));
                        (Value::Stream(stream.lend(), rest), stream.groups_bytes())
                    }
                    Object::Module(value) => (Value::Module(Arc::clone(value)), 0),
                    Object::Text(_) | Object::Set(_) | Object::Hash(_) | Object::SortedSet(_) => {
                        return None;
                    }
                };
                (value, copied_bytes, bytes - copied_bytes)
            }
            _ => return None,
        };
        Some(Lent { db, key: entry.key().into(), attributes, value, copied_bytes, kept_bytes })
    }

    /// Writes the record, a part after the other.
    ///
    /// # Errors
    /// Those of `write`.
    pub(super) fn write(
        &self,
        encoder: &mut Encoder,
        mut write: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut out = Vec::new();
        let mut flush_from = |out: &mut Vec<u8>, least: usize| {
            if out.len() >= least {
                write(out)?;
                out.clear();
            }
            io::Result::Ok(())
        };
        match &self.value {
            Value::Module(value) => {
                encoder.begin_module(&mut out, &self.key, &self.attributes);
                flush_from(&mut out, 0)?;
                return write(value.bytes());
            }
            Value::List(nodes) => {
                let parts = nodes.parts();
                encoder.begin_list(&mut out, &self.key, parts.len(), &self.attributes);
                for part in parts {
                    let node = match part {
                        Part::Pack(bytes) => ListNode::Packed(bytes),
                        Part::Long(bytes) => ListNode::Plain(bytes),
                    };
                    encoder.push_node(&mut out, &node);
                    flush_from(&mut out, PART_BYTES)?;
                }
            }
            Value::Stream(blocks, rest) => {
                encoder.begin_stream(&mut out, &self.key, blocks.len(), &self.attributes);
                for (id, block) in blocks {
                    encoder.push_block(&mut out, (id.ms, id.seq), block.as_bytes());
                    flush_from(&mut out, PART_BYTES)?;
                }
                encoder.end_stream(&mut out, rest);
            }
        }
        flush_from(&mut out, 0)
    }
}
