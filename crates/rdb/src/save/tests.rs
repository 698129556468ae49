//! The bytes of what is written, row by row, and an output that fails.

use super::*;
use crate::golden::{self, unhex};

fn encoded(key: &[u8], value: StringRef<'_>, attributes: &Attributes) -> Vec<u8> {
    let mut out = Vec::new();
    Encoder::new(true).encode_string_key(&mut out, key, value, attributes);
    out
}

/// Every row is a record of a file that stock wrote.
#[test]
fn records_are_stocks() {
    let file = unhex(golden::STRINGS);
    let none = Attributes::default();
    let expires = Attributes { expire_at: Some(Millis(4_102_444_800_123)), ..none };
    let long = "a".repeat(90);
    let rows = [
        ("a", StringRef::Int(1), none, "000161c001"),
        ("a", StringRef::Bytes(b"1"), none, "000161c001"),
        ("b", StringRef::Int(-129), none, "000162c17fff"),
        ("c", StringRef::Int(70000), none, "000163c270110100"),
        ("d", StringRef::Int(3_000_000_000), none, "0001640a33303030303030303030"),
        ("d", StringRef::Bytes(b"3000000000"), none, "0001640a33303030303030303030"),
        ("123", StringRef::Bytes(b"k"), none, "00c07b016b"),
        ("e", StringRef::Bytes(b""), none, "00016500"),
        ("f", StringRef::Bytes(b"hello"), expires, "fc7bd8c32cbb0300000001660568656c6c6f"),
        // Stock's packer keeps one more byte out of the copy at either end; both forms are valid.
        ("z", StringRef::Bytes(long.as_bytes()), none, "00017ac305405a0061e05000"),
    ];
    for (key, value, attributes, expected) in rows {
        let expected = unhex(expected);
        assert_eq!(encoded(key.as_bytes(), value, &attributes), expected, "{key}");
        assert!(key == "z" || file.windows(expected.len()).any(|bytes| bytes == expected), "{key}");
    }
}

#[test]
fn marks_precede_the_type() {
    let attributes = Attributes {
        lru_idle_s: Some(0x006c_c87d),
        lfu_frequency: Some(5),
        ..Attributes::default()
    };
    let expected = unhex("f880006cc87df9050001780179");
    assert_eq!(encoded(b"x", StringRef::Bytes(b"y"), &attributes), expected);
}

#[test]
fn integers_take_the_fewest_bytes() {
    let rows: [(i64, &[u8]); 10] = [
        (0, b"\xc0\x00"),
        (127, b"\xc0\x7f"),
        (-128, b"\xc0\x80"),
        (128, b"\xc1\x80\x00"),
        (32767, b"\xc1\xff\x7f"),
        (-32769, b"\xc2\xff\x7f\xff\xff"),
        (2_147_483_647, b"\xc2\xff\xff\xff\x7f"),
        (-2_147_483_648, b"\xc2\x00\x00\x00\x80"),
        (2_147_483_648, b"\x0a2147483648"),
        (i64::MIN, b"\x14-9223372036854775808"),
    ];
    for (value, expected) in rows {
        let mut out = Vec::new();
        Encoder::new(true).push_string(&mut out, StringRef::Int(value));
        assert_eq!(out, expected, "{value}");
        out.clear();
        Encoder::new(true).push_bytes(&mut out, value.to_string().as_bytes());
        assert_eq!(out, expected, "{value}");
    }
}

#[test]
fn lengths_take_the_fewest_bytes() {
    let rows: [(u64, &[u8]); 8] = [
        (0, b"\x00"),
        (63, b"\x3f"),
        (64, b"\x40\x40"),
        (16383, b"\x7f\xff"),
        (16384, b"\x80\x00\x00\x40\x00"),
        (0xffff_ffff, b"\x80\xff\xff\xff\xff"),
        (0x1_0000_0000, b"\x81\x00\x00\x00\x01\x00\x00\x00\x00"),
        (u64::MAX, b"\x81\xff\xff\xff\xff\xff\xff\xff\xff"),
    ];
    for (len, expected) in rows {
        let mut out = Vec::new();
        push_length(&mut out, len);
        assert_eq!(out, expected, "{len}");
    }
}

#[test]
fn only_long_strings_that_shrink_are_packed() {
    let packed = |text: &str, compression| {
        let mut out = Vec::new();
        Encoder::new(compression).push_bytes(&mut out, text.as_bytes());
        out[0] == 0xc3
    };
    assert!(!packed(&"a".repeat(20), true));
    assert!(packed(&"a".repeat(21), true));
    assert!(!packed(&"a".repeat(100), false));
    assert!(!packed("abcdefghijklmnopqrstuvwxyz0123456789", true));
}

fn write_idle_file<W: io::Write>(out: W, checksum: bool) -> io::Result<W> {
    let options = Options { version: 10, checksum, ..Options::default() };
    let mut writer = Writer::begin(out, options)?;
    writer.info(&Info {
        redis_version: "7.0.15",
        created: Millis(1_795_376_515_000),
        used_memory: 1_112_216,
        replication: None,
        aof_base: false,
    })?;
    writer.select(0, 1, 0)?;
    let idle = Attributes { lru_idle_s: Some(0x006c_c87d), ..Attributes::default() };
    writer.string(b"x", StringRef::Bytes(b"y"), &idle)?;
    writer.finish()
}

#[test]
fn a_whole_file_is_stocks() {
    assert_eq!(write_idle_file(Vec::new(), true).unwrap(), unhex(golden::IDLE));
    let mut unsummed = unhex(golden::IDLE);
    let len = unsummed.len();
    unsummed[len - 8..].fill(0);
    assert_eq!(write_idle_file(Vec::new(), false).unwrap(), unsummed);
}

#[test]
fn replication_fields_are_stocks() {
    let mut writer = Writer::begin(Vec::new(), Options::default()).unwrap();
    let replication = Replication { stream_db: 3, id: RunId::zero(), offset: Offset(70000) };
    writer
        .info(&Info {
            redis_version: "7.2.4",
            created: Millis(0),
            used_memory: 0,
            replication: Some(replication),
            aof_base: true,
        })
        .unwrap();
    let bytes = writer.finish().unwrap();
    let mut expected = b"\xfa\x0erepl-stream-db\xc0\x03\xfa\x07repl-id\xc3".to_vec();
    let at = bytes.windows(16).position(|sixteen| sixteen == &expected[..16]).unwrap();
    // Forty equal digits are packed.
    assert_eq!(&bytes[at..at + expected.len()], expected);
    expected = b"\xfa\x0brepl-offset\xc2\x70\x11\x01\x00\xfa\x08aof-base\xc0\x01\xff".to_vec();
    assert!(bytes.windows(expected.len()).any(|part| part == expected));
    assert_eq!(&bytes[..9], b"REDIS0010");
}

#[test]
fn records_made_elsewhere_count_in_the_checksum() {
    let attributes = Attributes::default();
    let mut direct = Writer::begin(Vec::new(), Options::default()).unwrap();
    let mut handed = Writer::begin(Vec::new(), Options::default()).unwrap();
    let mut batch = Vec::new();
    let mut encoder = Encoder::new(true);
    for n in 0..100 {
        let (key, value) = (format!("key:{n}"), format!("value {n} ").repeat(5));
        direct.string(key.as_bytes(), StringRef::Bytes(value.as_bytes()), &attributes).unwrap();
        let value = StringRef::Bytes(value.as_bytes());
        encoder.encode_string_key(&mut batch, key.as_bytes(), value, &attributes);
    }
    handed.records(&batch).unwrap();
    assert_eq!(direct.written(), handed.written());
    assert_eq!(direct.finish().unwrap(), handed.finish().unwrap());
}

/// A disk with room for so many bytes.
struct Disk(usize);

impl io::Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = bytes.len().min(self.0);
        self.0 -= len;
        if len == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_told_wherever_it_fills() {
    let len = unhex(golden::IDLE).len();
    for room in 0..len {
        let error = write_idle_file(Disk(room), true).err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull, "{room}");
    }
    write_idle_file(Disk(len), true).unwrap();
}
