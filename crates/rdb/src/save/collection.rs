//! Values of every type, each in the oldest form that stock 7.0 loads; hashes whose fields expire in
//! that of Redis 7.4.

use super::{Encoder, StringRef, push_length};
use crate::format::{Attributes, MEMBER_EXPIRY_KEY, MEMBER_EXPIRY_WHEN, opcode, value_type};
use crate::stream::StreamImage;
use base::Millis;
use std::borrow::Cow;
use std::fmt;
use structures::listpack::{Item, ListpackBuf};

/// Elements one after the other.
type Elements<'a, T> = Box<dyn Iterator<Item = T> + 'a>;

/// A value to be saved.
pub enum SavedValue<'a> {
    /// A string.
    String(StringRef<'a>),
    /// A list.
    List(Vec<ListNode<'a>>),
    /// A set as an intset.
    Intset(&'a [u8]),
    /// A set: how many members, and they.
    Set(usize, Elements<'a, Item<'a>>),
    /// A sorted set as a listpack of members and scores.
    SortedSetPack(&'a [u8]),
    /// A sorted set: how many members, and they with their scores. Stock loads them fastest from the
    /// greatest down.
    SortedSet(usize, Elements<'a, (Item<'a>, f64)>),
    /// A hash as a listpack of fields and values.
    HashPack(&'a [u8]),
    /// A hash: how many fields, and they with their values.
    Hash(usize, Elements<'a, (Item<'a>, Item<'a>)>),
    /// A hash some of whose fields expire, as a pack.
    ExpiringPack(Vec<SavedField<'a>>),
    /// A hash some of whose fields expire.
    ExpiringHash(Vec<SavedField<'a>>),
    /// A stream.
    Stream(Cow<'a, StreamImage>),
    /// What a module has made, as it came.
    Module(&'a [u8]),
}

/// A part of a list.
#[derive(Clone, Debug)]
pub enum ListNode<'a> {
    /// Elements in a listpack.
    Packed(Cow<'a, [u8]>),
    /// One long element.
    Plain(Cow<'a, [u8]>),
}

/// A field of a hash.
#[derive(Clone, Copy, Debug)]
pub struct SavedField<'a> {
    /// Its name.
    pub field: Item<'a>,
    /// Its value.
    pub value: Item<'a>,
    /// When it expires, in Unix time.
    pub expire_at: Option<Millis>,
}

impl fmt::Debug for SavedValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SavedValue({})", self.kind())
    }
}

impl SavedValue<'_> {
    /// The number of the type that it is written as.
    pub fn kind(&self) -> u8 {
        match self {
            SavedValue::String(_) => value_type::STRING,
            SavedValue::List(_) => value_type::LIST_QUICKLIST_2,
            SavedValue::Intset(_) => value_type::SET_INTSET,
            SavedValue::Set(..) => value_type::SET,
            SavedValue::SortedSetPack(_) => value_type::ZSET_LISTPACK,
            SavedValue::SortedSet(..) => value_type::ZSET_2,
            SavedValue::HashPack(_) => value_type::HASH_LISTPACK,
            SavedValue::Hash(..) => value_type::HASH,
            SavedValue::ExpiringPack(_) => value_type::HASH_LISTPACK_EX,
            SavedValue::ExpiringHash(_) => value_type::HASH_METADATA,
            SavedValue::Stream(_) => value_type::STREAM_2,
            SavedValue::Module(_) => value_type::MODULE,
        }
    }
}

impl Encoder {
    /// Appends what `KeyDB` puts behind a key for each member that expires: two fields, which those who
    /// do not know them pass over.
    pub fn encode_member_expiry(&mut self, out: &mut Vec<u8>, member: &[u8], at: Millis) {
        let mut room = itoa::Buffer::new();
        for (name, value) in
            [(MEMBER_EXPIRY_KEY, member), (MEMBER_EXPIRY_WHEN, room.format(at.0).as_bytes())]
        {
            out.push(opcode::AUX);
            self.push_bytes(out, name);
            self.push_bytes(out, value);
        }
    }

    /// Appends one whole record: attributes, type, key and value.
    pub fn encode_key(
        &mut self,
        out: &mut Vec<u8>,
        key: &[u8],
        value: SavedValue<'_>,
        attributes: &Attributes,
    ) {
        self.begin_key(out, value.kind(), key, attributes);
        self.push_value(out, value);
    }

    /// Appends what follows the key.
    pub(crate) fn push_value(&mut self, out: &mut Vec<u8>, value: SavedValue<'_>) {
        match value {
            SavedValue::String(string) => self.push_string(out, string),
            SavedValue::List(nodes) => {
                push_count(out, nodes.len());
                for node in &nodes {
                    self.push_node(out, node);
                }
            }
            SavedValue::Intset(bytes)
            | SavedValue::SortedSetPack(bytes)
            | SavedValue::HashPack(bytes) => self.push_bytes(out, bytes),
            SavedValue::Set(count, members) => {
                push_count(out, count);
                members.for_each(|member| self.push_item(out, member));
            }
            SavedValue::SortedSet(count, members) => {
                push_count(out, count);
                for (member, score) in members {
                    self.push_item(out, member);
                    out.extend_from_slice(&score.to_le_bytes());
                }
            }
            SavedValue::Hash(count, fields) => {
                push_count(out, count);
                for (field, value) in fields {
                    self.push_item(out, field);
                    self.push_item(out, value);
                }
            }
            SavedValue::ExpiringPack(fields) => self.push_expiring_pack(out, fields),
            SavedValue::ExpiringHash(fields) => self.push_expiring_hash(out, &fields),
            SavedValue::Stream(stream) => self.push_stream(out, &stream),
            SavedValue::Module(bytes) => out.extend_from_slice(bytes),
        }
    }

    /// Triples, those that expire first being first and those that never do last.
    fn push_expiring_pack(&mut self, out: &mut Vec<u8>, mut fields: Vec<SavedField<'_>>) {
        out.extend_from_slice(&earliest(&fields).to_le_bytes());
        fields.sort_by_key(|field| field.expire_at.unwrap_or(Millis(u64::MAX)));
        let mut pack = ListpackBuf::new();
        let mut room = itoa::Buffer::new();
        for SavedField { field, value, expire_at } in fields {
            pack.push_back(field.bytes(&mut room));
            pack.push_back(value.bytes(&mut room));
            pack.push_back_int(expire_at.map_or(0, |Millis(at)| at.try_into().unwrap_or(i64::MAX)));
        }
        self.push_bytes(out, pack.as_bytes());
    }

    fn push_expiring_hash(&mut self, out: &mut Vec<u8>, fields: &[SavedField<'_>]) {
        let earliest = earliest(fields);
        out.extend_from_slice(&earliest.to_le_bytes());
        push_count(out, fields.len());
        for SavedField { field, value, expire_at } in fields {
            push_length(out, expire_at.map_or(0, |Millis(at)| at.saturating_sub(earliest) + 1));
            self.push_item(out, *field);
            self.push_item(out, *value);
        }
    }

    pub(super) fn push_item(&mut self, out: &mut Vec<u8>, item: Item<'_>) {
        match item {
            Item::Int(value) => self.push_string(out, StringRef::Int(value)),
            Item::Bytes(bytes) => self.push_bytes(out, bytes),
        }
    }
}

/// The time at which the first of `fields` expires.
fn earliest(fields: &[SavedField<'_>]) -> u64 {
    fields.iter().filter_map(|field| field.expire_at).min().map_or(0, |Millis(at)| at)
}

pub(super) fn push_count(out: &mut Vec<u8>, count: usize) {
    push_length(out, count as u64);
}
