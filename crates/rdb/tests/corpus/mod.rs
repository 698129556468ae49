//! Values as servers from Redis 2.2 to 8 and Valkey 9 write them, made here from the published format,
//! with commands and what stock answers to them once the value is loaded.
//!
//! Included by the tests of several crates. The numbers are those of "Redis RDB version history" and of
//! the servers' documentation; what stock 7.0.15 can load (versions up to 10) was shown to it.

#![allow(dead_code, reason = "not every test uses everything")]

use structures::intset::IntsetBuf;
use structures::listpack::ListpackBuf;

/// The milliseconds at which fields of the samples expire, in the year 2100.
pub const EXPIRES_AT_MS: u64 = 4_102_444_800_000;

/// A value in some server's form.
pub struct Sample {
    /// What it is.
    pub name: &'static str,
    /// The oldest version of the file that may hold it; 80 and above are Valkey's.
    pub version: u16,
    /// The number of its type.
    pub kind: u8,
    /// The bytes of the value.
    pub value: Vec<u8>,
    /// Commands on the key `k`, and the words of their replies.
    pub checks: &'static [(&'static str, &'static str)],
}

impl Sample {
    /// What DUMP would give.
    pub fn payload(&self) -> Vec<u8> {
        sealed([&[self.kind], &self.value[..]].concat(), self.version)
    }

    /// A snapshot of this value alone, at the key `k` of db 0.
    pub fn file(&self) -> Vec<u8> {
        let record = [&[self.kind], &text(b"k")[..], &self.value].concat();
        file(self.version, &record)
    }
}

/// `body` with version and checksum behind it, as DUMP gives it.
pub fn sealed(mut body: Vec<u8>, version: u16) -> Vec<u8> {
    body.extend_from_slice(&version.to_le_bytes());
    let mut sum = rdb::checksum::Checksum::new();
    sum.update(&body);
    body.extend_from_slice(&sum.value().to_le_bytes());
    body
}

/// A snapshot of `records` in db 0, in the form of `version`.
pub fn file(version: u16, records: &[u8]) -> Vec<u8> {
    let mut bytes = match version {
        80.. => format!("VALKEY{version:03}").into_bytes(),
        _ => format!("REDIS{version:04}").into_bytes(),
    };
    if version >= 7 {
        bytes.extend_from_slice(&[&[0xfa], &text(b"redis-ver")[..], &text(b"some")].concat());
    }
    bytes.extend_from_slice(b"\xfe\x00");
    if version >= 7 {
        bytes.extend_from_slice(b"\xfb\x01\x00");
    }
    bytes.extend_from_slice(records);
    bytes.push(0xff);
    if version >= 5 {
        let mut sum = rdb::checksum::Checksum::new();
        sum.update(&bytes);
        bytes.extend_from_slice(&sum.value().to_le_bytes());
    }
    bytes
}

/// A length in its shortest form.
pub fn length(len: usize) -> Vec<u8> {
    match u32::try_from(len).unwrap() {
        short @ 0..64 => vec![u8::try_from(short).unwrap()],
        medium @ 64..16384 => (0x4000 | medium).to_be_bytes()[2..].to_vec(),
        long => [&[0x80][..], &long.to_be_bytes()].concat(),
    }
}

/// A string as it is.
pub fn text(bytes: &[u8]) -> Vec<u8> {
    [&length(bytes.len()), bytes].concat()
}

/// A count and as many strings.
fn strings(words: &[&[u8]]) -> Vec<u8> {
    counted(words.len(), words.iter().map(|word| text(word)))
}

fn counted(count: usize, parts: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut bytes = length(count);
    bytes.extend(parts.into_iter().flatten());
    bytes
}

/// An entry of a ziplist: its head and body.
fn zip_int(head: u8, body: &[u8]) -> Vec<u8> {
    [&[head], body].concat()
}

fn zip_text(bytes: &[u8]) -> Vec<u8> {
    let head = match u32::try_from(bytes.len()).unwrap() {
        short @ 0..64 => vec![u8::try_from(short).unwrap()],
        medium @ 64..16384 => (0x4000 | medium).to_be_bytes()[2..].to_vec(),
        long => [&[0x80][..], &long.to_be_bytes()].concat(),
    };
    [&head, bytes].concat()
}

fn ziplist(entries: &[Vec<u8>]) -> Vec<u8> {
    let (mut body, mut before, mut last) = (Vec::new(), 0, 10);
    for entry in entries {
        last = 10 + body.len();
        let mut whole = match u8::try_from(before) {
            Ok(short @ 0..254) => vec![short],
            _ => [&[0xfe][..], &u32::try_from(before).unwrap().to_le_bytes()].concat(),
        };
        whole.extend_from_slice(entry);
        before = whole.len();
        body.extend_from_slice(&whole);
    }
    let total = u32::try_from(11 + body.len()).unwrap();
    let count = u16::try_from(entries.len()).unwrap();
    let last = u32::try_from(last).unwrap();
    [&total.to_le_bytes()[..], &last.to_le_bytes(), &count.to_le_bytes(), &body, &[0xff]].concat()
}

fn zip_words(words: &[&[u8]]) -> Vec<u8> {
    ziplist(&words.iter().map(|word| zip_text(word)).collect::<Vec<_>>())
}

fn listpack(words: &[&str]) -> Vec<u8> {
    let mut pack = ListpackBuf::new();
    for word in words {
        pack.push_back(word.as_bytes());
    }
    pack.into_bytes()
}

fn intset(members: &[i64]) -> Vec<u8> {
    let mut set = IntsetBuf::new();
    for member in members {
        set.insert(*member);
    }
    set.as_bytes().to_vec()
}

fn sample(
    name: &'static str,
    version: u16,
    kind: u8,
    value: Vec<u8>,
    checks: &'static [(&'static str, &'static str)],
) -> Sample {
    Sample { name, version, kind, value, checks }
}

/// All samples.
pub fn samples() -> Vec<Sample> {
    [texts(), lists(), sets(), sorted_sets(), hashes(), expiring_hashes(), streams()]
        .into_iter()
        .flatten()
        .collect()
}

fn texts() -> Vec<Sample> {
    vec![
        sample(
            "text",
            1,
            0,
            text(b"hello"),
            &[("get k", "hello"), ("object encoding k", "embstr")],
        ),
        sample("empty text", 1, 0, text(b""), &[("strlen k", "0")]),
        sample("text of an integer", 1, 0, text(b"12"), &[("object encoding k", "int")]),
        sample("integer of 8 bits", 1, 0, vec![0xc0, 0x85], &[("get k", "-123")]),
        sample("integer of 16 bits", 1, 0, vec![0xc1, 0x39, 0x30], &[("get k", "12345")]),
        sample("integer of 32 bits", 1, 0, vec![0xc2, 0, 0, 0, 0x80], &[("get k", "-2147483648")]),
        // One letter, and 89 of what is one back.
        sample(
            "packed text",
            1,
            0,
            b"\xc3\x05\x40\x5a\x00a\xe0\x50\x00".to_vec(),
            &[("strlen k", "90"), ("getrange k 0 2", "aaa"), ("getrange k 87 -1", "aaa")],
        ),
        sample("length of 14 bits", 1, 0, text(&[b'x'; 300]), &[("strlen k", "300")]),
        sample(
            "length of 32 bits",
            1,
            0,
            [&b"\x80\x00\x00\x00\x03"[..], b"abc"].concat(),
            &[("get k", "abc")],
        ),
        sample(
            "length of 64 bits",
            8,
            0,
            [&b"\x81\x00\x00\x00\x00\x00\x00\x00\x03"[..], b"abc"].concat(),
            &[("get k", "abc")],
        ),
    ]
}

fn lists() -> Vec<Sample> {
    let every_int = ziplist(&[
        zip_int(0xc0, &(-300_i16).to_le_bytes()),
        zip_int(0xd0, &70_000_i32.to_le_bytes()),
        zip_int(0xe0, &i64::MIN.to_le_bytes()),
        zip_int(0xf0, &(-70_000_i32).to_le_bytes()[..3]),
        zip_int(0xfe, &(-5_i8).to_le_bytes()),
        zip_int(0xf1, &[]),
        zip_int(0xfd, &[]),
    ]);
    let long = ziplist(&[
        zip_text(&[b'x'; 300]),
        zip_text(b"behind a long one"),
        zip_text(&b"y".repeat(17_000)),
        zip_text(b"z"),
    ]);
    let node = |kind: u8, bytes: &[u8]| [&[kind][..], &text(bytes)].concat();
    vec![
        sample(
            "linked list",
            1,
            1,
            [&length(3)[..], &text(b"a"), &[0xc0, 7], &text(b"c")].concat(),
            &[("lrange k 0 -1", "a 7 c"), ("lpos k 7", "1")],
        ),
        sample(
            "list as ziplist of integers",
            2,
            10,
            text(&every_int),
            &[("lrange k 0 -1", "-300 70000 -9223372036854775808 -70000 -5 0 12")],
        ),
        sample(
            "list as ziplist of long texts",
            2,
            10,
            text(&long),
            &[("llen k", "4"), ("lindex k 1", "behind a long one"), ("lindex k 3", "z")],
        ),
        sample(
            "quicklist of ziplists",
            7,
            14,
            counted(2, [text(&zip_words(&[b"a", b"b"])), text(&zip_words(&[b"c"]))]),
            &[("lrange k 0 -1", "a b c")],
        ),
        sample(
            "quicklist of listpacks",
            10,
            18,
            counted(
                3,
                [
                    node(2, &listpack(&["a", "1"])),
                    node(1, &b"x".repeat(20_000)),
                    node(2, &listpack(&["b", "c"])),
                ],
            ),
            &[("llen k", "5"), ("lindex k 1", "1"), ("lindex k -1", "c"), ("lpos k 1", "1")],
        ),
    ]
}

fn sets() -> Vec<Sample> {
    vec![
        sample(
            "set",
            1,
            2,
            strings(&[b"a", b"b", b"12"]),
            &[("scard k", "3"), ("sismember k 12", "1"), ("sismember k a", "1")],
        ),
        sample(
            "set of integers as table",
            1,
            2,
            strings(&[b"3", b"2", b"1"]),
            &[("smembers k", "1 2 3"), ("object encoding k", "intset")],
        ),
        sample(
            "intset of 16 bits",
            2,
            11,
            text(&intset(&[-7, 5, 300])),
            &[("smembers k", "-7 5 300")],
        ),
        sample(
            "intset of 32 bits",
            2,
            11,
            text(&intset(&[1, 70_000])),
            &[("smembers k", "1 70000")],
        ),
        sample(
            "intset of 64 bits",
            2,
            11,
            text(&intset(&[1, i64::MAX])),
            &[("smembers k", "1 9223372036854775807"), ("object encoding k", "intset")],
        ),
        sample(
            "set as listpack",
            11,
            20,
            text(&listpack(&["a", "7", "b"])),
            &[("scard k", "3"), ("sismember k 7", "1"), ("object encoding k", "listpack")],
        ),
    ]
}

fn sorted_sets() -> Vec<Sample> {
    const RANGE: &[(&str, &str)] = &[
        ("zrange k 0 -1 withscores", "low -inf b 1 a 1.5 high inf"),
        ("zrank k a", "2"),
        ("zscore k b", "1"),
    ];
    let decimal = [
        text(b"a"),
        vec![3, b'1', b'.', b'5'],
        text(b"high"),
        vec![254],
        text(b"low"),
        vec![255],
        text(b"b"),
        vec![1, b'1'],
    ];
    let double = |member: &[u8], score: f64| [&text(member)[..], &score.to_le_bytes()].concat();
    let doubles = [
        double(b"high", f64::INFINITY),
        double(b"a", 1.5),
        double(b"b", 1.0),
        double(b"low", f64::NEG_INFINITY),
    ];
    let words: [&[u8]; 8] = [b"low", b"-inf", b"b", b"1", b"a", b"1.5", b"high", b"inf"];
    vec![
        sample("sorted set with decimals", 1, 3, counted(4, decimal), RANGE),
        sample("sorted set with doubles", 8, 5, counted(4, doubles), RANGE),
        sample("sorted set as ziplist", 2, 12, text(&zip_words(&words)), RANGE),
        sample(
            "sorted set as listpack",
            10,
            17,
            text(&listpack(&words.map(|word| std::str::from_utf8(word).unwrap()))),
            RANGE,
        ),
    ]
}

fn hashes() -> Vec<Sample> {
    const FIELDS: &[(&str, &str)] =
        &[("hlen k", "2"), ("hget k name", "value"), ("hget k 1", "22")];
    let words: [&[u8]; 4] = [b"name", b"value", b"1", b"22"];
    // The value of the first field has two bytes of room behind it.
    let zipmap = b"\x02\x04name\x05\x02value..\x01\x31\x02\x0022\xff";
    vec![
        sample("hash", 1, 4, counted(2, words.map(text)), FIELDS),
        sample("hash as zipmap", 1, 9, text(zipmap), FIELDS),
        sample("hash as ziplist", 4, 13, text(&zip_words(&words)), FIELDS),
        sample("hash as listpack", 10, 16, text(&listpack(&["name", "value", "1", "22"])), FIELDS),
    ]
}

fn expiring_hashes() -> Vec<Sample> {
    const FIELDS: &[(&str, &str)] =
        &[("hmget k f g", "v w"), ("hpexpiretime k fields 2 f g", "-1 4102444800000")];
    let time = EXPIRES_AT_MS.to_le_bytes();
    let long = [&[0x81][..], &EXPIRES_AT_MS.to_be_bytes()].concat();
    let never = (-1_i64).to_le_bytes();
    let (plain, timed) = ([text(b"f"), text(b"v")].concat(), [text(b"g"), text(b"w")].concat());
    let pack = listpack(&["g", "w", "4102444800000", "f", "v", "0"]);
    vec![
        sample(
            "hash of Redis 7.4, fields with times",
            12,
            24,
            [&time[..], &counted(2, [[&[0][..], &plain].concat(), [&[1][..], &timed].concat()])]
                .concat(),
            FIELDS,
        ),
        sample(
            "hash of Redis 7.4, pack with times",
            12,
            25,
            [&time[..], &text(&pack)].concat(),
            FIELDS,
        ),
        sample(
            "hash of a candidate of Redis 7.4, fields with times",
            12,
            22,
            counted(2, [[&[0][..], &plain].concat(), [&long, &timed[..]].concat()]),
            FIELDS,
        ),
        sample("hash of a candidate of Redis 7.4, pack with times", 12, 23, text(&pack), FIELDS),
        sample(
            "hash of Valkey 9, fields with times",
            80,
            22,
            counted(2, [[&plain[..], &never].concat(), [&timed[..], &time].concat()]),
            FIELDS,
        ),
    ]
}

fn streams() -> Vec<Sample> {
    const ALL: &[(&str, &str)] = &[
        ("xrange k - +", "1-1 a x 2-0 a y"),
        ("xpending k g", "1 1-1 1-1 c 1"),
        ("xpending k g IDLE 1 - + 9 nobody", ""),
        (
            "xinfo groups k",
            "name g consumers 1 pending 1 last-delivered-id 1-1 entries-read 1 lag 1",
        ),
    ];
    let id = |ms: u64, seq: u64| [ms.to_be_bytes(), seq.to_be_bytes()].concat();
    // Two entries of one shape, 1-1 and 2-0, the second with a value of its own.
    let block =
        listpack(&["2", "0", "1", "a", "0", "2", "0", "0", "x", "4", "2", "1", "-1", "y", "4"]);
    let begin = [&[1][..], &text(&id(1, 1)), &text(&block), &[2, 2, 0]].concat();
    let seen = 1_700_000_000_000_u64.to_le_bytes();
    let pending = [&id(1, 1)[..], &seen, &[3]].concat();
    let consumer = |active: &[u8]| [&[1][..], &text(b"c"), &seen, active, &[1], &id(1, 1)].concat();
    let group = |read: &[u8], active: &[u8]| {
        [&[1][..], &text(b"g"), &[1, 1], read, &[1], &pending, &consumer(active)].concat()
    };
    let counters = [1, 1, 0, 0, 2];
    vec![
        sample("stream of 5.0", 9, 15, [&begin[..], &group(&[], &[])].concat(), ALL),
        sample("stream of 7.0", 10, 19, [&begin[..], &counters, &group(&[1], &[])].concat(), ALL),
        sample("stream of 7.2", 11, 21, [&begin[..], &counters, &group(&[1], &seen)].concat(), ALL),
    ]
}

/// Damages `bytes` from `from` on in one to four places, in ways that matter to a reader.
pub fn mutate(bytes: &mut Vec<u8>, from: usize, random: &mut base::random::Random) {
    // The bytes that matter most: lengths, opcodes, forms of strings, heads of packed elements.
    const MARKS: [u8; 18] = [
        0, 1, 2, 0x3f, 0x40, 0x7f, 0x80, 0x81, 0xc0, 0xc2, 0xc3, 0xe0, 0xf0, 0xf3, 0xf7, 0xfa,
        0xfe, 0xff,
    ];
    for _ in 0..=random.below(4) {
        let mut below = |len: usize| usize::try_from(random.below(len as u64)).unwrap();
        if bytes.len() <= from + 1 {
            return;
        }
        let place = from + below(bytes.len() - from);
        match below(7) {
            0 => bytes[place] ^= 1 << below(8),
            1 => bytes[place] = u8::try_from(below(256)).unwrap(),
            2 => bytes[place] = MARKS[below(MARKS.len())],
            3 => bytes.insert(place, MARKS[below(MARKS.len())]),
            4 => drop(bytes.remove(place)),
            // One element made like another: lengths stay right.
            5 => bytes[place] = bytes[from + below(bytes.len() - from)],
            _ => {
                let piece_at = from + below(bytes.len() - from);
                let len = below(40).min(bytes.len() - piece_at);
                let piece = bytes[piece_at..piece_at + len].to_vec();
                bytes.splice(place..place, piece);
            }
        }
    }
}

/// How many times something is done that `usual` times suffice for; longer runs set `PROPTEST_CASES`.
pub fn times(usual: u64) -> u64 {
    /// Cases of a property in a usual run.
    const USUAL_CASES: u64 = 1000;
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    usual * cases.map_or(1, |cases: u64| (cases / USUAL_CASES).max(1))
}
