//! Replies: every type, every split, depth, counts that lie, and random bytes.

use super::*;
use crate::reply::{Protocol, Writer};
use base::random::Random;
use proptest::prelude::*;

fn bulk(text: &str) -> Value {
    Value::Bulk(text.into())
}

#[test]
fn decodes_every_type() {
    let rows: &[(&str, Value)] = &[
        ("+OK\r\n", Value::Simple("OK".into())),
        ("+\r\n", Value::Simple(vec![])),
        ("-ERR no\r\n", Value::Error("ERR no".into())),
        ("!6\r\nERR no\r\n", Value::Error("ERR no".into())),
        (":-3\r\n", Value::Integer(-3)),
        ("$4\r\na\r\nb\r\n", bulk("a\r\nb")),
        ("$0\r\n\r\n", bulk("")),
        ("$-1\r\n", Value::Null),
        ("*-1\r\n", Value::Null),
        ("_\r\n", Value::Null),
        ("*0\r\n", Value::Array(vec![])),
        ("%0\r\n", Value::Map(vec![])),
        ("~1\r\n:1\r\n", Value::Set(vec![Value::Integer(1)])),
        (">1\r\n+a\r\n", Value::Push(vec![Value::Simple("a".into())])),
        (
            "*2\r\n*1\r\n:1\r\n$1\r\na\r\n",
            Value::Array(vec![Value::Array(vec![Value::Integer(1)]), bulk("a")]),
        ),
        ("%1\r\n$1\r\nk\r\n:1\r\n", Value::Map(vec![(bulk("k"), Value::Integer(1))])),
        (",1.50\r\n", Value::Double { number: 1.5, text: "1.50".into() }),
        (",-inf\r\n", Value::Double { number: f64::NEG_INFINITY, text: "-inf".into() }),
        ("#t\r\n", Value::Boolean(true)),
        ("#f\r\n", Value::Boolean(false)),
        ("(-123\r\n", Value::BigNumber("-123".into())),
        ("=6\r\ntxt:hi\r\n", Value::Verbatim { kind: *b"txt", text: "hi".into() }),
        (
            "|1\r\n+a\r\n:1\r\n|1\r\n+b\r\n:2\r\n*1\r\n|0\r\n:3\r\n",
            Value::Attributed {
                attributes: vec![
                    (Value::Simple("a".into()), Value::Integer(1)),
                    (Value::Simple("b".into()), Value::Integer(2)),
                ],
                value: Box::new(Value::Array(vec![Value::Integer(3)])),
            },
        ),
    ];
    for (input, expected) in rows {
        let more = format!("{input}+next");
        assert_eq!(decode(more.as_bytes()), Ok(Some((expected.clone(), input.len()))), "{input:?}");
        let mut decoder = Decoder::new();
        for end in 0..input.len() {
            assert_eq!(decode(&input.as_bytes()[..end]), Ok(None), "{input:?} to {end}");
            assert_eq!(decoder.decode(&input.as_bytes()[..end]), Ok(None));
        }
        assert_eq!(decoder.decode(input.as_bytes()), Ok(Some((expected.clone(), input.len()))));
    }
}

#[test]
fn refuses_what_is_no_reply() {
    use DecodeError as E;
    let rows: &[(&[u8], E)] = &[
        (b"x", E::UnknownType(b'x')),
        (b"\r\n", E::UnknownType(b'\r')),
        (b"*1\r\n?\r\n", E::UnknownType(b'?')),
        (b":\r\n", E::InvalidValue),
        (b":+1\r\n", E::InvalidValue),
        (b"$-2\r\n", E::InvalidLength),
        (b"$?\r\n", E::InvalidLength),
        (b"*-2\r\n", E::InvalidLength),
        (b"%-1\r\n", E::InvalidLength),
        (b"%9223372036854775808\r\n", E::InvalidLength),
        (b"$9223372036854775807\r\n", E::TooLong),
        (b"$1\r\nabc", E::MissingLineEnd),
        (b"+a\rb", E::MissingLineEnd),
        (b"#x\r\n", E::InvalidValue),
        (b"_x\r\n", E::InvalidValue),
        (b",x\r\n", E::InvalidValue),
        (b"(1x\r\n", E::InvalidValue),
        (b"=2\r\nab\r\n", E::InvalidValue),
    ];
    for (input, expected) in rows {
        assert_eq!(decode(input), Err(*expected), "{}", input.escape_ascii());
    }
}

#[test]
fn nesting_ends_at_the_limit() {
    for marker in ["*1\r\n", "~1\r\n", ">1\r\n", "%1\r\n:1\r\n", "|1\r\n:1\r\n"] {
        let deep = |levels: usize| format!("{}:1\r\n", marker.repeat(levels));
        assert_eq!(decode(deep(DEPTH_MAX + 1).as_bytes()), Err(DecodeError::TooDeep));
        assert_ne!(decode(deep(DEPTH_MAX).as_bytes()), Err(DecodeError::TooDeep));
    }
    let attributes = format!("{}:1\r\n", "|1\r\n:1\r\n:2\r\n".repeat(100_000));
    let (value, _) = decode(attributes.as_bytes()).unwrap().unwrap();
    assert_eq!(value.plain(), &Value::Integer(1));
}

#[test]
fn long_replies_are_refused_early() {
    let mut decoder = Decoder::with_frame_bytes_max(10);
    assert_eq!(decoder.decode(b"$100\r\n"), Err(DecodeError::TooLong));
    let mut decoder = Decoder::with_frame_bytes_max(10);
    assert_eq!(decoder.decode(b"+0123456789"), Err(DecodeError::TooLong));
    let mut decoder = Decoder::with_frame_bytes_max(10);
    assert_eq!(decoder.decode(b"*9\r\n:1\r\n:2\r\n"), Err(DecodeError::TooLong));
}

#[test]
fn announced_counts_allocate_nothing() {
    let mut decoder = Decoder::new();
    assert_eq!(decoder.decode(b"*4611686018427387904\r\n:1\r\n"), Ok(None));
    assert!(decoder.open.capacity() < 16);
}

#[test]
fn accessors_see_through_attributes() {
    let value = decode(b"|1\r\n+a\r\n:1\r\n$2\r\n12\r\n").unwrap().unwrap().0;
    assert_eq!((value.as_integer(), value.as_bytes()), (Some(12), Some(&b"12"[..])));
    assert!(!value.is_error() && !value.is_null() && value.as_array().is_none());
    let map = decode(b"*2\r\n+a\r\n:1\r\n").unwrap().unwrap().0;
    assert_eq!(map.as_pairs().unwrap(), [(&Value::Simple("a".into()), &Value::Integer(1))]);
}

#[test]
fn two_hundred_thousand_mutated_replies_never_panic() {
    let seed =
        b"*3\r\n%1\r\n$1\r\na\r\n,1.5\r\n|1\r\n+k\r\n:1\r\n~2\r\n#t\r\n_\r\n>1\r\n=6\r\ntxt:hi\r\n";
    let alphabet = b"+-:$*%~>,#(=!|_\r\n0123456789 \xff";
    let mut random = Random::from_seed(0x00de_c0de);
    let mut pick = |bound: usize| usize::try_from(random.below(bound as u64)).unwrap();
    for _ in 0..200_000 {
        let mut input = seed.to_vec();
        for _ in 0..=pick(6) {
            let at = pick(input.len() + 1);
            let byte = alphabet[pick(alphabet.len())];
            match pick(3) {
                0 => input.insert(at, byte),
                1 if at < input.len() => input[at] = byte,
                _ => input.truncate(at),
            }
        }
        let mut decoder = Decoder::new();
        let cut = pick(input.len() + 1);
        let early = decoder.decode(&input[..cut]);
        if early == Ok(None) {
            assert_eq!(decoder.decode(&input), decode(&input));
        } else {
            assert_eq!(early, decode(&input[..cut]));
        }
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let line = "[ -~]{0,12}";
    let leaf = prop_oneof![
        line.prop_map(|text| Value::Simple(text.into())),
        line.prop_map(|text| Value::Error(text.into())),
        any::<i64>().prop_map(Value::Integer),
        proptest::collection::vec(any::<u8>(), 0..20).prop_map(Value::Bulk),
        Just(Value::Null),
        any::<bool>().prop_map(Value::Boolean),
        "-?[0-9]{1,30}".prop_map(Value::BigNumber),
        proptest::collection::vec(any::<u8>(), 0..20)
            .prop_map(|text| Value::Verbatim { kind: *b"mkd", text }),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        let many = proptest::collection::vec(inner.clone(), 0..5);
        let pairs = proptest::collection::vec((inner.clone(), inner), 0..4);
        prop_oneof![
            many.clone().prop_map(Value::Array),
            many.clone().prop_map(Value::Set),
            many.prop_map(Value::Push),
            pairs.prop_map(Value::Map),
        ]
    })
}

fn write(writer: &mut Writer<'_>, value: &Value) {
    match value {
        Value::Simple(text) => writer.simple(text),
        Value::Error(text) => writer.error(text),
        Value::Integer(number) => writer.integer(*number),
        Value::Bulk(bytes) => writer.bulk(bytes),
        Value::Null => writer.null(),
        Value::Boolean(holds) => writer.boolean(*holds),
        Value::BigNumber(digits) => writer.big_number(digits),
        Value::Double { number, .. } => writer.double(*number),
        Value::Verbatim { kind, text } => writer.verbatim(*kind, text),
        Value::Array(elements) | Value::Set(elements) | Value::Push(elements) => {
            match value {
                Value::Set(_) => writer.set(elements.len()),
                Value::Push(_) => writer.push(elements.len()),
                _ => writer.array(elements.len()),
            }
            for element in elements {
                write(writer, element);
            }
        }
        Value::Map(pairs) => {
            writer.map(pairs.len());
            for (key, value) in pairs {
                write(writer, key);
                write(writer, value);
            }
        }
        Value::Attributed { .. } => unreachable!("not generated"),
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        values in proptest::collection::vec(any_value(), 1..4),
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..6),
    ) {
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes, Protocol::Resp3);
        for value in &values {
            write(&mut writer, value);
        }
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.push(bytes.len());
        cuts.sort_unstable();
        let (mut decoder, mut front, mut read) = (Decoder::new(), 0, Vec::new());
        for cut in cuts {
            while let Some((value, consumed)) = decoder.decode(&bytes[front..cut.max(front)]).unwrap() {
                read.push(value);
                front += consumed;
            }
        }
        prop_assert_eq!((read, front), (values, bytes.len()));
    }

    #[test]
    fn random_bytes_never_panic(input in proptest::collection::vec(any::<u8>(), 0..100)) {
        let _ = decode(&input);
    }
}
