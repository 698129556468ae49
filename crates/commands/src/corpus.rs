//! Snapshots and payloads of every version from 1 to Valkey 9: each value is what it was.

#[path = "../../rdb/tests/corpus/mod.rs"]
pub(crate) mod samples;

use crate::harness::Server;
use engine::snapshot::{LoadOptions, read_dataset};
use resp::Value;
use samples::{EXPIRES_AT_MS, Sample, file, samples, text};

/// The words of a reply, one behind the other.
fn words(reply: &[u8]) -> String {
    fn flatten(value: &Value, out: &mut Vec<String>) {
        match value {
            Value::Array(items) | Value::Set(items) => {
                for item in items {
                    flatten(item, out);
                }
            }
            Value::Integer(number) => out.push(number.to_string()),
            other => {
                let text =
                    other.as_bytes().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
                out.push(text.unwrap_or_else(|| format!("{other:?}")));
            }
        }
    }
    let mut out = Vec::new();
    let (value, _) = resp::value::decode(reply).expect("a reply").expect("a whole one");
    flatten(&value, &mut out);
    out.join(" ")
}

fn check(server: &mut Server, sample: &Sample, how: &str) {
    for (line, expected) in sample.checks {
        let request: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let reply = server.run(&request).0;
        assert_eq!(words(&reply), *expected, "{}, {how}: {line}", sample.name);
    }
}

/// A server with what is in the snapshot, `left_out` keys of which are passed over.
fn loaded(bytes: &[u8], left_out: u64) -> Server {
    let (set, ..) = read_dataset(bytes, LoadOptions::default(), |_| {}).expect("a sound snapshot");
    assert_eq!(set.left_out, left_out);
    let server = Server::new();
    let alone = server.node().keyspace.gate.exclusive();
    drop(set.install(server.node(), &alone));
    drop(alone);
    server
}

#[test]
fn values_of_every_version_are_read() {
    for sample in samples() {
        for version in (sample.version..=12).chain(80..=81) {
            let mine = version >= 80;
            // The number 22 was given twice.
            if sample.kind == 22 && mine != (sample.version >= 80) {
                continue;
            }
            let sample = Sample { version, value: sample.value.clone(), ..sample };
            check(&mut loaded(&sample.file(), 0), &sample, "loaded");
            let mut server = Server::new();
            let payload = sample.payload();
            assert_eq!(server.run(&[b"restore", b"k", b"0", &payload]).0, b"+OK\r\n");
            check(&mut server, &sample, "restored");
            // What is written again is read again.
            let dumped = server.run(&[b"dump", b"k"]).0;
            let (dumped, _) = resp::value::decode(&dumped).unwrap().unwrap();
            let dumped = dumped.as_bytes().unwrap();
            let reply = server.run(&[b"restore", b"k", b"0", dumped, b"replace"]).0;
            assert_eq!(reply, b"+OK\r\n", "{}", sample.name);
            check(&mut server, &sample, "restored again");
        }
    }
}

#[test]
fn what_stands_around_keys_is_read() {
    let key = |name: &[u8]| [&[0][..], &text(name), &text(b"v")].concat();
    let module = b"\x81\x45\xe2\x52\x38\xdf\x91\x2c\x03";
    let rows: &[(u16, &str, Vec<u8>)] = &[
        (3, "seconds", [&[0xfd][..], &i32::MAX.to_le_bytes(), &key(b"k")].concat()),
        (9, "idle and used", [&b"\xf8\x05"[..], &key(b"k"), b"\xf9\x07", &key(b"j")].concat()),
        (10, "functions", [&[0xf5][..], &text(b"#!lua name=l\n"), &key(b"k")].concat()),
        (12, "a slot", [&b"\xf4\x05\x01\x00"[..], &key(b"k")].concat()),
        (80, "a slot import", [&b"\xf3\x03job\x01\x00\x05"[..], &key(b"k")].concat()),
        (
            9,
            "data of a module",
            [&[0xf7][..], module, b"\x02\x02\x05\x03abc\x00", &key(b"k")].concat(),
        ),
        (
            9,
            "a value of a module",
            [&[7][..], &text(b"m"), module, b"\x02\x07\x00", &key(b"k")].concat(),
        ),
        (9, "milliseconds", [&[0xfc][..], &EXPIRES_AT_MS.to_le_bytes(), &key(b"k")].concat()),
    ];
    for (version, name, records) in rows {
        let mut server =
            loaded(&file(*version, records), u64::from(*name == "a value of a module"));
        assert_eq!(server.line("get k"), "$1\r\nv\r\n", "{name}");
        assert_eq!(server.line("exists m"), ":0\r\n", "{name}");
    }
}
