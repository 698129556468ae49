//! Files made by stock, damaged files, and what is written read back.

use super::*;
use crate::golden::{self, unhex};
use crate::save::{Options, StringRef, Writer};
use proptest::prelude::*;
use values::StringForm;

/// The items of a snapshot without its fields, or the error that ends them.
fn items(bytes: &[u8]) -> Result<Vec<Item>, LoadError> {
    let mut loader = Loader::new(bytes);
    let mut items = Vec::new();
    while let Some(item) = loader.next_item()? {
        if !matches!(item, Item::Aux { .. }) {
            items.push(item);
        }
    }
    assert_eq!(loader.offset(), bytes.len() as u64);
    Ok(items)
}

fn key_with(key: &str, value: LoadedValue, attributes: Attributes) -> Item {
    Item::Key(LoadedKey { key: key.as_bytes().to_vec(), value, attributes })
}

fn text(key: &str, value: &str) -> Item {
    let value = LoadedValue::String(value.as_bytes().to_vec());
    key_with(key, value, Attributes::default())
}

fn int(key: &str, value: i64) -> Item {
    key_with(key, LoadedValue::Int(value), Attributes::default())
}

/// A snapshot of the given version and records, without checksum where there could be one.
fn snapshot(header: &[u8], records: &[u8]) -> Vec<u8> {
    [header, records, b"\xff", &[0; 8]].concat()
}

#[test]
fn strings_of_stock() {
    let nine =
        "aabaacaadaaeaafaagaahaaiaajaakaalaamaanaaoaapaaqaaraasaataauaavaawaaxaayaazabaacaadaaeaaf";
    let expires =
        Attributes { expire_at: Some(Millis(4_102_444_800_123)), ..Attributes::default() };
    let expected = vec![
        Item::SelectDb(0),
        Item::ResizeDb { keys: 8, expires: 1 },
        int("c", 70000),
        text("z", &"a".repeat(90)),
        int("a", 1),
        text("123", "k"),
        int("b", -129),
        int("d", 3_000_000_000),
        key_with("f", LoadedValue::String(b"hello".to_vec()), expires),
        text("e", ""),
        Item::SelectDb(9),
        Item::ResizeDb { keys: 1, expires: 0 },
        text("nine", nine),
    ];
    assert_eq!(items(&unhex(golden::STRINGS)).unwrap(), expected);
}

#[test]
fn fields_of_stock() {
    let bytes = unhex(golden::STRINGS);
    let mut loader = Loader::new(&bytes[..]);
    let mut fields = Vec::new();
    while let Some(Item::Aux { key, value }) = loader.next_item().unwrap() {
        fields.push((String::from_utf8(key).unwrap(), String::from_utf8(value).unwrap()));
    }
    let shown: Vec<_> = fields.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(
        shown,
        [
            ("redis-ver", "7.0.15"),
            ("redis-bits", "64"),
            ("ctime", "1795376560"),
            ("used-mem", "1187064"),
            ("aof-base", "0"),
        ]
    );
    assert_eq!(loader.version(), 10);
}

#[test]
fn marks_and_functions_of_stock() {
    let used = Attributes { lfu_frequency: Some(5), ..Attributes::default() };
    let code = "#!lua name=l\nredis.register_function(\"f\",function() return 1 end)";
    let expected = vec![
        Item::Function(code.as_bytes().to_vec()),
        Item::SelectDb(0),
        Item::ResizeDb { keys: 1, expires: 0 },
        key_with("x", LoadedValue::String(b"y".to_vec()), used),
    ];
    assert_eq!(items(&unhex(golden::FUNCTION)).unwrap(), expected);
    // Stock had just changed its policy: the idle time is what it made of an LFU mark.
    let idle = Attributes { lru_idle_s: Some(0x006c_c87d), ..Attributes::default() };
    let last = items(&unhex(golden::IDLE)).unwrap().pop().unwrap();
    assert_eq!(last, key_with("x", LoadedValue::String(b"y".to_vec()), idle));
}

#[test]
fn a_type_not_known_is_named_with_its_place() {
    match items(&snapshot(b"REDIS0009", b"\x1a\x01k\x00")) {
        Err(LoadError::UnsupportedType { kind: 26, offset: 9 }) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_truncation_is_noticed() {
    for digits in [golden::STRINGS, golden::FUNCTION, golden::IDLE] {
        let bytes = unhex(digits);
        for len in 0..bytes.len() {
            match items(&bytes[..len]) {
                Err(LoadError::UnexpectedEnd { offset }) => assert_eq!(offset, len as u64),
                other => panic!("{len}: {other:?}"),
            }
        }
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    for digits in [golden::STRINGS, golden::FUNCTION, golden::IDLE] {
        let mut bytes = unhex(digits);
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(items(&bytes).is_err(), "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        items(&bytes).unwrap();
    }
}

#[test]
fn a_wrong_checksum_may_be_let_pass() {
    let mut bytes = unhex(golden::STRINGS);
    *bytes.last_mut().unwrap() ^= 1;
    assert!(matches!(items(&bytes), Err(LoadError::Checksum { .. })));
    let mut loader = Loader::new(&bytes[..]).verify_checksum(false);
    while loader.next_item().unwrap().is_some() {}
    // Eight zeros say that there is none.
    let len = bytes.len();
    bytes[len - 8..].fill(0);
    items(&bytes).unwrap();
}

#[test]
fn headers() {
    let supported: [&[u8]; 4] = [b"REDIS0005", b"REDIS0012", b"VALKEY080", b"VALKEY081"];
    for header in supported {
        assert_eq!(items(&snapshot(header, b"")).unwrap(), []);
    }
    let refused: [&[u8]; 7] = [
        b"REDIS0000",
        b"REDIS0013",
        b"REDIS0080",
        b"VALKEY011",
        b"VALKEY082",
        b"REDIS 009",
        b"REDIS+009",
    ];
    for header in refused {
        let result = items(&snapshot(header, b""));
        assert!(matches!(result, Err(LoadError::UnsupportedVersion(_))), "{result:?}");
    }
    let result = items(b"*1\r\n$4\r\nPING\r\n");
    assert!(matches!(result, Err(LoadError::BadMagic(_))), "{result:?}");
}

#[test]
fn old_files_have_seconds_and_no_checksum() {
    // Version 3 of stock 2.4: SELECTDB 0, an expiry of 1671963072 s, a string.
    let bytes = b"REDIS0003\xfe\x00\xfd\xc0\x21\xa8\x63\x00\x01k\x01v\xff";
    let expires =
        Attributes { expire_at: Some(Millis(1_671_963_072_000)), ..Attributes::default() };
    let expected = [Item::SelectDb(0), key_with("k", LoadedValue::String(b"v".to_vec()), expires)];
    assert_eq!(items(bytes).unwrap(), expected);
}

#[test]
fn odd_expiries_follow_stock() {
    let rows = [(-1i64, None), (-5, Some(Millis(0))), (0, Some(Millis(0))), (7, Some(Millis(7)))];
    for (at, expected) in rows {
        let record = [&b"\xfc"[..], &at.to_le_bytes(), b"\x00\x01k\x01v"].concat();
        match items(&snapshot(b"REDIS0009", &record)).unwrap().as_slice() {
            [Item::Key(key)] => assert_eq!(key.attributes.expire_at, expected),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_is_newer_than_stock_7_is_read_or_passed_over() {
    let rows: &[(&[u8], &[u8], Item)] = &[
        (b"REDIS0012", b"\xf4\x41\x00\x02\x01", Item::SlotInfo { slot: 256, keys: 2, expires: 1 }),
        (b"VALKEY080", b"\xf3\x03job\x02\x00\x05\x07\x09", Item::SlotImportSkipped),
        (
            b"REDIS0010",
            b"\xf7\x81\x45\xe2\x52\x38\xdf\x91\x2c\x03\x02\x02\x05\x03abc\x03ffff\x04dddddddd\x01\x07\x02\x07\x05\xc0\x01\x00",
            Item::ModuleSkipped { module: "ReJSON-RL".to_owned(), key: None },
        ),
        (
            b"REDIS0010",
            b"\x07\x03doc\x81\x45\xe2\x52\x38\xdf\x91\x2c\x03\x05\xc3\x02\x05\x00a\x00",
            Item::ModuleSkipped { module: "ReJSON-RL".to_owned(), key: Some(b"doc".to_vec()) },
        ),
    ];
    for (header, record, expected) in rows {
        assert_eq!(&items(&snapshot(header, record)).unwrap()[..], std::slice::from_ref(expected));
    }
}

#[test]
fn nonsense_is_refused() {
    let rows: &[&[u8]] = &[
        b"\xfe\xc0\x01",                                  // an integer string as a length
        b"\xfe\x81\x00\x00\x00\x01\x00\x00\x00\x00",      // a db above 32 bits
        b"\x00\x82\x00",                                  // a form of length that does not exist
        b"\x00\xc4\x00",                                  // a form of string that does not exist
        b"\x00\x01k\xc3\x02\x05\x00a",                    // packed, but another length
        b"\x00\x01k\xc3\x02\x05\x20\x00",                 // packed, copying from nowhere
        b"\x00\x01k\x81\0\0\0\x01\0\0\0\0",               // 4 GB
        b"\x00\x01k\x81\xff\xff\xff\xff\xff\xff\xff\xff", // all the memory there is
        b"\x00\x01k\xc3\x02\x81\xff\xff\xff\xff\xff\xff\xff\xff\x00a",
        b"\xf7\x01\x03\x00\x00",         // module data without its time
        b"\x06\x01k\x01",                // a module's value that does not say how long it is
        b"\x07\x01k\x01\x06",            // an unknown part of module data
        b"\x12\x01k\x01\x01\x00",        // an empty element in a list node of its own
        b"\xf6\x00",                     // the early form of functions
        b"\xf3\x00\x00",                 // an opcode of Valkey in a file of Redis
        b"\xfc\0\0\0\0\0\0\0\0\xfe\x00", // an expiry before an opcode
        b"\x08",
    ];
    for record in rows {
        let result = items(&snapshot(b"REDIS0010", record));
        assert!(
            matches!(
                result,
                Err(LoadError::Malformed { .. }
                    | LoadError::UnsupportedType { .. }
                    | LoadError::TooLong { .. }
                    | LoadError::Packed { .. })
            ),
            "{record:?}: {result:?}"
        );
    }
}

#[test]
fn errors_stay() {
    let bytes = snapshot(b"REDIS0010", b"\x08");
    let mut loader = Loader::new(&bytes[..]);
    assert!(loader.next_item().is_err());
    assert!(loader.next_item().is_err());
}

#[test]
fn what_follows_the_snapshot_is_left() {
    let mut bytes = unhex(golden::STRINGS);
    bytes.extend_from_slice(b"*1\r\n$4\r\nPING\r\n");
    let mut loader = Loader::new(&bytes[..]);
    while loader.next_item().unwrap().is_some() {}
    assert!(loader.next_item().unwrap().is_none());
    let (rest, buffered) = loader.into_rest();
    assert_eq!([&buffered[..], rest].concat(), b"*1\r\n$4\r\nPING\r\n");
}

/// Gives one byte at a time, with interruptions between them, and fails when asked behind the end.
struct Dribble<'a>(&'a [u8], bool);

impl io::Read for Dribble<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let Some((&byte, rest)) = self.0.split_first() else {
            return Err(io::ErrorKind::ConnectionReset.into());
        };
        (buffer[0], self.0) = (byte, rest);
        Ok(1)
    }
}

#[test]
fn no_byte_is_asked_for_that_is_not_needed() {
    let bytes = unhex(golden::STRINGS);
    let mut loader = Loader::new(Dribble(&bytes, false));
    while loader.next_item().unwrap().is_some() {}
    let mut loader = Loader::new(Dribble(&bytes[..40], false));
    let error = loop {
        if let Err(error) = loader.next_item() {
            break error;
        }
    };
    assert!(matches!(error, LoadError::Io { offset: 40, .. }), "{error}");
}

fn any_value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        any::<i64>().prop_map(|value| value.to_string().into_bytes()),
        any::<i16>().prop_map(|value| value.to_string().into_bytes()),
        prop::collection::vec(any::<u8>(), 0..70),
        (prop::collection::vec(any::<u8>(), 1..9), 1usize..9000)
            .prop_map(|(piece, n)| piece.repeat(n)),
    ]
}

fn any_attributes() -> impl Strategy<Value = Attributes> {
    (
        prop::option::of((0..i64::MAX).prop_map(|at| Millis(at.unsigned_abs()))),
        prop::option::of(any::<u64>()),
        prop::option::of(any::<u8>()),
    )
        .prop_map(|(expire_at, lru_idle_s, lfu_frequency)| Attributes {
            expire_at,
            lru_idle_s,
            lfu_frequency,
        })
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        keys in prop::collection::vec((any_value(), any_value(), any_attributes()), 0..12),
        db: u32,
        compression: bool,
        checksum: bool,
    ) {
        let options = Options { compression, checksum, ..Options::default() };
        let mut writer = Writer::begin(Vec::new(), options).unwrap();
        writer.select(db, u64::from(db) * 3, u64::MAX).unwrap();
        let mut expected =
            vec![Item::SelectDb(db), Item::ResizeDb { keys: u64::from(db) * 3, expires: u64::MAX }];
        for (key, value, attributes) in keys {
            let loaded = match values::encode(&value) {
                StringForm::Int(value) => LoadedValue::Int(value),
                StringForm::Bytes => LoadedValue::String(value.clone()),
            };
            match loaded {
                LoadedValue::Int(value) => writer.string(&key, StringRef::Int(value), &attributes).unwrap(),
                _ => writer.string(&key, StringRef::Bytes(&value), &attributes).unwrap(),
            }
            expected.push(Item::Key(LoadedKey { key, value: loaded, attributes }));
        }
        let bytes = writer.finish().unwrap();
        prop_assert_eq!(items(&bytes).unwrap(), expected);
    }
}

#[test]
fn data_of_modules_is_kept_if_it_is_to_be() {
    let value = b"\x81\x45\xe2\x52\x38\xdf\x91\x2c\x03\x05\xc3\x02\x05\x00a\x00";
    let aux = b"\xf7\x81\x45\xe2\x52\x38\xdf\x91\x2c\x03\x02\x01\x05\x03abc\x00";
    let records = [&aux[..], b"\xfc\x07\0\0\0\0\0\0\0\x07\x03doc", value].concat();
    let bytes = snapshot(b"REDIS0010", &records);
    let mut loader = Loader::new(&bytes[..]).keep_modules(true);
    let data =
        ModuleData { module: "ReJSON-RL".to_owned(), is_before_keys: true, bytes: aux.to_vec() };
    assert_eq!(loader.next_item().unwrap(), Some(Item::ModuleData(data)));
    let key = LoadedKey {
        key: b"doc".to_vec(),
        value: LoadedValue::Module(values::Opaque::new(0x45e2_5238_df91_2c03, value.to_vec())),
        attributes: Attributes { expire_at: Some(Millis(7)), ..Attributes::default() },
    };
    assert_eq!(loader.next_item().unwrap(), Some(Item::Key(key)));
    assert_eq!(loader.next_item().unwrap(), None);
}

/// Times of fields are signed in every form but these two, which could say more than any command can.
#[test]
fn a_field_ends_at_a_signed_millisecond() {
    let late = b"\x81\x80\0\0\0\0\0\0\0";
    let early_form = |time: &[u8]| [b"\x16\x01h\x01", time, b"\x01f\x01v"].concat();
    let form = |earliest: i64, time: &[u8]| {
        [b"\x18\x01h", &earliest.to_le_bytes()[..], b"\x01", time, b"\x01f\x01v"].concat()
    };
    let last = Some(Millis(i64::MAX.unsigned_abs()));
    for (records, expected) in [
        (early_form(b"\x81\x7f\xff\xff\xff\xff\xff\xff\xff"), Some(last)),
        (early_form(late), None),
        (form(i64::MAX, b"\x01"), Some(last)),
        (form(i64::MAX, b"\x02"), None),
        (form(0, late), Some(last)),
        (form(1, late), None),
    ] {
        let loaded = items(&snapshot(b"REDIS0012", &records));
        let found = loaded.ok().map(|items| match &items[..] {
            [Item::Key(LoadedKey { value: LoadedValue::Hash(fields), .. })] => fields[0].expire_at,
            other => panic!("{other:?}"),
        });
        assert_eq!(found, expected, "{records:02x?}");
    }
}

/// A server with a higher `proto-max-bulk-len` has longer strings than the default allows.
#[test]
fn strings_may_be_as_long_as_an_entry_holds() {
    for (len, too_long) in [(600_u64 << 20, false), (u64::from(u32::MAX), false), (1 << 32, true)] {
        let string = [b"\x00\x01k\x81", &len.to_be_bytes()[..], b"abc"].concat();
        let error = items(&snapshot(b"REDIS0010", &string)).unwrap_err();
        assert_eq!(matches!(error, LoadError::TooLong { .. }), too_long, "{len}: {error}");
    }
}
