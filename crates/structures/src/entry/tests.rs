//! Entries against a plain struct, and the sizes the layout promises.

use super::{Entry, NewValue, ValueMut, ValueRef};
use base::Millis;
use proptest::prelude::*;
use std::rc::Rc;

type Shared = Rc<()>;

/// The safe twin.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Int(i64),
    Bytes(Vec<u8>),
    Boxed,
}

#[derive(Clone, Debug)]
enum Step {
    Set(Value),
    Expire(Option<u64>),
    Rename(Vec<u8>),
    Append(Vec<u8>),
    Resize(usize),
    TakeBoxed,
    Marks(u32, u32, u8),
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(Value::Int),
        prop::collection::vec(any::<u8>(), 0..200).prop_map(Value::Bytes),
        Just(Value::Boxed),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        value().prop_map(Step::Set),
        any::<Option<u64>>().prop_map(Step::Expire),
        prop::collection::vec(any::<u8>(), 0..60).prop_map(Step::Rename),
        prop::collection::vec(any::<u8>(), 0..60).prop_map(Step::Append),
        (0_usize..300).prop_map(Step::Resize),
        Just(Step::TakeBoxed),
        (any::<u32>(), 0_u32..1 << 24, 0_u8..16).prop_map(|(e, a, t)| Step::Marks(e, a, t)),
    ]
}

fn new_value<'a>(value: &'a Value, shared: &Shared) -> NewValue<'a, Shared> {
    match value {
        Value::Int(number) => NewValue::Int(*number),
        Value::Bytes(bytes) => NewValue::Bytes(bytes),
        Value::Boxed => NewValue::Boxed(Rc::clone(shared)),
    }
}

struct Twin {
    key: Vec<u8>,
    value: Value,
    expire_at: Option<u64>,
    marks: (u32, u32, u8),
}

fn check(entry: &mut Entry<Shared>, twin: &Twin, shared: &Shared) {
    assert_eq!(entry.key(), twin.key);
    assert_eq!(entry.expire_at(), twin.expire_at.map(Millis));
    assert_eq!((entry.epoch(), entry.access(), entry.tag()), twin.marks);
    match (&twin.value, entry.value()) {
        (Value::Int(expected), ValueRef::Int(number)) => assert_eq!(number, *expected),
        (Value::Bytes(expected), ValueRef::Bytes(bytes)) => assert_eq!(bytes, expected),
        (Value::Boxed, ValueRef::Boxed(_)) => {}
        (expected, found) => panic!("expected {expected:?}, found {found:?}"),
    }
    let boxes = usize::from(twin.value == Value::Boxed);
    assert_eq!(Rc::strong_count(shared), 1 + boxes, "a box was leaked or dropped twice");
    match entry.value_mut() {
        ValueMut::Bytes(bytes) => bytes.reverse(),
        ValueMut::Int(_) | ValueMut::Boxed(_) => return,
    }
    if let ValueMut::Bytes(bytes) = entry.value_mut() {
        bytes.reverse();
    }
}

fn run(entry: Entry<Shared>, twin: &mut Twin, step: Step, shared: &Shared) -> Entry<Shared> {
    let mut entry = entry;
    match step {
        Step::Set(value) => {
            let old = entry.set_value(new_value(&value, shared));
            assert_eq!(old.is_some(), twin.value == Value::Boxed);
            twin.value = value;
        }
        Step::Expire(at) => {
            entry.set_expire_at(at.map(Millis));
            twin.expire_at = at;
        }
        Step::Rename(key) => {
            entry = entry.renamed(&key);
            twin.key = key;
        }
        Step::Append(tail) => {
            if let Value::Bytes(bytes) = &mut twin.value {
                entry.append_bytes(&tail);
                bytes.extend(tail);
            }
        }
        Step::Resize(length) => {
            if let Value::Bytes(bytes) = &mut twin.value {
                entry.resize_bytes(length);
                bytes.resize(length, 0);
            }
        }
        Step::TakeBoxed => {
            if entry.take_boxed().is_some() {
                twin.value = Value::Int(0);
            }
        }
        Step::Marks(epoch, access, tag) => {
            entry.set_epoch(epoch);
            entry.set_access(access);
            entry.set_tag(tag);
            twin.marks = (epoch, access, tag);
        }
    }
    entry
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 8 } else { 256 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn behaves_as_a_plain_struct(
        key in prop::collection::vec(any::<u8>(), 0..60),
        first in value(),
        expire_at in any::<Option<u64>>(),
        steps in prop::collection::vec(step(), 0..40),
    ) {
        let shared = Rc::new(());
        let mut entry = Entry::new(&key, new_value(&first, &shared), expire_at.map(Millis));
        let mut twin = Twin { key, value: first, expire_at, marks: (0, 0, 0) };
        check(&mut entry, &twin, &shared);
        for step in steps {
            entry = run(entry, &mut twin, step, &shared);
            check(&mut entry, &twin, &shared);
        }
        drop(entry);
        prop_assert_eq!(Rc::strong_count(&shared), 1);
    }
}

#[test]
fn pointers_are_thin() {
    assert_eq!(size_of::<Entry<Shared>>(), 8);
    assert_eq!(size_of::<Option<Entry<Shared>>>(), 8);
    assert_eq!(super::HEADER_BYTES, 16);
}

#[test]
fn sizes_are_classes() {
    let rows: [(usize, usize, bool, usize); 6] = [
        (16, 64, false, 96),
        (16, 64, true, 112),
        (0, 0, false, 16),
        (16, 65, false, 112),
        (8, 8, true, 48),
        (20, 1000, false, 1280),
    ];
    for (key_len, value_len, expires, expected) in rows {
        let (key, value) = (vec![b'k'; key_len], vec![b'v'; value_len]);
        let expire_at = expires.then_some(Millis(1));
        let entry = Entry::<u8>::new(&key, NewValue::Bytes(&value), expire_at);
        assert_eq!(entry.allocated_bytes(), expected, "{key_len} + {value_len}");
    }
}

#[test]
fn a_value_of_the_same_class_is_written_in_place() {
    let mut entry = Entry::<u8>::new(b"0123456789abcdef", NewValue::Bytes(&[1; 50]), None);
    let before = entry.key().as_ptr();
    entry.set_value(NewValue::Bytes(&[2; 64]));
    assert_eq!(entry.key().as_ptr(), before);
    assert_eq!(entry.value(), ValueRef::Bytes(&[2; 64]));
}

#[test]
fn the_access_clock_keeps_24_bits_and_leaves_the_tag() {
    let mut entry = Entry::<u8>::new(b"k", NewValue::Int(7), Some(Millis(9)));
    entry.set_tag(15);
    entry.set_access(u32::MAX);
    assert_eq!((entry.access(), entry.tag()), ((1 << 24) - 1, 15));
    assert_eq!((entry.value(), entry.expire_at()), (ValueRef::Int(7), Some(Millis(9))));
}

#[test]
#[should_panic(expected = "only bytes have a length")]
fn a_number_has_no_length() {
    Entry::<u8>::new(b"k", NewValue::Int(7), None).append_bytes(b"x");
}

#[test]
fn entries_may_be_sent() {
    fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Entry<Vec<u8>>>();
    is_send_and_sync::<crate::Table<Vec<u8>>>();
}

#[test]
fn lengths_are_limited_by_their_32_bits_only() {
    for limit in [super::KEY_BYTES_MAX, super::VALUE_BYTES_MAX] {
        assert_eq!(super::checked_len(limit, limit), u32::MAX);
    }
}
