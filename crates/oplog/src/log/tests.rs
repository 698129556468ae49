//! The log against a plain vector: readers see exactly the appended bytes, windows are right.

use super::*;
use crate::batch::{Framing, encoded_bytes};
use crate::reader::{OutOfBacklog, ReadError};
use crate::segments::SEGMENT_BYTES;
use proptest::prelude::*;
use std::sync::atomic::AtomicUsize;

const MIB: u64 = SEGMENT_BYTES as u64;

fn set(log: &Log, db: u32, value: &[u8]) -> Offset {
    let mut batch = Batch::new();
    batch.command(db, &[b"SET", b"k", value]);
    batch.finish(Framing::Plain);
    log.append(&batch)
}

fn read_all(reader: &mut Reader) -> Vec<u8> {
    let mut out = Vec::new();
    while reader.read(usize::MAX, &mut out).unwrap() > 0 {}
    out
}

#[test]
fn selects_when_the_database_changes() {
    let log = Log::new(Offset(0));
    let mut reader = log.reader(Offset(0)).unwrap();
    let set_bytes = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n";
    let select = |db: u32| format!("*2\r\n$6\r\nSELECT\r\n$1\r\n{db}\r\n");
    let mut expect = |expected: String| {
        assert_eq!(String::from_utf8(read_all(&mut reader)).unwrap(), expected);
    };
    set(&log, 0, b"v");
    expect(format!("{}{set_bytes}", select(0)));
    set(&log, 0, b"v");
    expect(set_bytes.into());
    set(&log, 3, b"v");
    expect(format!("{}{set_bytes}", select(3)));
    log.force_select();
    let mut ping = Batch::new();
    ping.keyless(&[b"PING"]);
    ping.finish(Framing::Plain);
    log.append(&ping);
    expect("*1\r\n$4\r\nPING\r\n".into());
    set(&log, 3, b"v");
    expect(format!("{}{set_bytes}", select(3)));
    log.set_mode(Mode::Proxy);
    log.append_raw(b"*1\r\n$4\r\nPING\r\n");
    log.set_mode(Mode::Originate);
    expect("*1\r\n$4\r\nPING\r\n".into());
    set(&log, 3, b"v");
    expect(format!("{}{set_bytes}", select(3)));
}

#[test]
fn a_select_stands_before_multi() {
    let log = Log::new(Offset(0));
    let mut reader = log.reader(Offset(0)).unwrap();
    let mut batch = Batch::new();
    batch.command(1, &[b"DEL", b"a"]);
    batch.command(2, &[b"DEL", b"b"]);
    batch.finish(Framing::Transaction);
    let end = log.append(&batch);
    let expected = "*2\r\n$6\r\nSELECT\r\n$1\r\n1\r\n*1\r\n$5\r\nMULTI\r\n\
        *2\r\n$3\r\nDEL\r\n$1\r\na\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n2\r\n\
        *2\r\n$3\r\nDEL\r\n$1\r\nb\r\n*1\r\n$4\r\nEXEC\r\n";
    assert_eq!(String::from_utf8(read_all(&mut reader)).unwrap(), expected);
    assert_eq!(end, Offset(expected.len() as u64));
    batch.begin();
    batch.command(2, &[b"DEL", b"b"]);
    batch.finish(Framing::Plain);
    log.append(&batch);
    assert_eq!(read_all(&mut reader), b"*2\r\n$3\r\nDEL\r\n$1\r\nb\r\n");
}

#[test]
fn the_offset_advances_without_readers_and_nothing_is_kept() {
    let log = Log::new(Offset(100));
    let end = set(&log, 0, &vec![0; 3 * SEGMENT_BYTES]);
    assert!(end > Offset(3 * MIB));
    assert_eq!((log.memory(), log.backlog()), (0, None));
    assert_eq!(
        log.reader(Offset(100)).unwrap_err(),
        OutOfBacklog { from: Offset(100), first: end, end }
    );
    assert!(log.reader(end + 1).is_err());
    let reader = log.reader(end).unwrap();
    set(&log, 0, b"x");
    assert!(reader.lag() > 0 && log.memory() > 0);
    drop(reader);
    assert_eq!(log.memory(), 0);
}

#[test]
fn what_nobody_wants_is_counted_as_if_it_were_appended() {
    let (counting, appending) = (Log::new(Offset(7)), Log::new(Offset(7)));
    for (db, value) in [(0, &b"v"[..]), (0, b"0123456789"), (12, b""), (12, b"v"), (0, b"v")] {
        let bytes = encoded_bytes([3, 1, value.len()].into_iter());
        assert_eq!(counting.count(db, bytes), Some(set(&appending, db, value)));
    }
    // What is wanted must be appended.
    counting.retain(MIB);
    assert_eq!(counting.count(0, 10), None);
    assert_eq!(counting.end(), appending.end());
    counting.release();
    counting.set_mode(Mode::Proxy);
    assert_eq!(counting.count(0, 10), None);
}

#[test]
fn a_small_backlog_reports_a_small_window() {
    let log = Log::new(Offset(0));
    log.set_mode(Mode::Proxy);
    log.retain(100);
    for (bytes, first) in [(0, 0), (60, 0), (40, 0), (1, 1), (5 * MIB, 5 * MIB + 1)] {
        log.append_raw(&vec![b'x'; usize::try_from(bytes).unwrap()]);
        let window = log.backlog().unwrap();
        assert_eq!((window.first, window.capacity), (Offset(first), 100));
        assert_eq!(window.end, log.end());
        assert!(log.reader(window.first).is_ok());
    }
    assert!(log.memory() <= 3 * SEGMENT_BYTES);
    log.resize(10);
    assert_eq!(log.backlog().unwrap().first, Offset(log.end().0 - 10));
    log.release();
    assert_eq!((log.backlog(), log.memory()), (None, 0));
    log.resize(1000);
    assert_eq!(log.backlog(), None);
    log.retain(1000);
    assert_eq!(log.backlog().unwrap().first, log.end());
}

#[test]
fn a_pinned_reader_is_never_given_up_and_fills_the_log() {
    let log = Log::new(Offset(0));
    log.set_mode(Mode::Proxy);
    log.set_reader_lag_bytes_max(MIB);
    log.set_pinned_bytes_max(2 * MIB);
    let mut pinned = log.pinned_reader(Offset(0)).unwrap();
    log.append_raw(&vec![1; 2 * SEGMENT_BYTES]);
    assert!(!log.is_full());
    log.append_raw(&vec![2; 4 * SEGMENT_BYTES]);
    assert!(log.is_full());
    let mut out = Vec::new();
    assert_eq!(pinned.read(3 * SEGMENT_BYTES, &mut out), Ok(3 * SEGMENT_BYTES));
    assert!(!pinned.makes_room() && log.is_full());
    assert_eq!(pinned.read(SEGMENT_BYTES, &mut out), Ok(SEGMENT_BYTES));
    assert!(pinned.makes_room() && !log.is_full());
    log.append_raw(&vec![3; SEGMENT_BYTES]);
    assert!(log.is_full());
    drop(pinned);
    assert!(!log.is_full());
}

#[test]
fn the_lag_is_that_of_the_slowest_reader() {
    let log = Log::new(Offset(0));
    log.set_mode(Mode::Proxy);
    let _pinned = log.pinned_reader(Offset(0)).unwrap();
    log.append_raw(&[1; 100]);
    assert_eq!(log.lag_bytes(), 0);
    let mut slow = log.reader(Offset(40)).unwrap();
    let _fast = log.reader(Offset(100)).unwrap();
    assert_eq!(log.lag_bytes(), 60);
    slow.read(50, &mut Vec::new()).unwrap();
    assert_eq!(log.lag_bytes(), 10);
    drop(slow);
    assert_eq!(log.lag_bytes(), 0);
}

#[test]
fn a_reader_keeps_what_it_lacks_up_to_the_limit() {
    let log = Log::new(Offset(0));
    log.set_mode(Mode::Proxy);
    log.set_reader_lag_bytes_max(4 * MIB);
    let mut slow = log.reader(Offset(0)).unwrap();
    let mut out = Vec::new();
    log.append_raw(&vec![1; 3 * SEGMENT_BYTES]);
    assert_eq!(slow.read(10, &mut out), Ok(10));
    log.append_raw(&vec![2; 2 * SEGMENT_BYTES]);
    // The segment in hand is still readable; what follows was freed.
    assert_eq!(slow.read(SEGMENT_BYTES, &mut out), Ok(SEGMENT_BYTES));
    log.append_raw(&vec![3; 3 * SEGMENT_BYTES]);
    let mut rest = Vec::new();
    assert_eq!(slow.read(2 * SEGMENT_BYTES, &mut rest), Err(ReadError::Lagged));
    assert_eq!(slow.read(1, &mut rest), Err(ReadError::Lagged));
}

#[test]
fn a_reset_ends_readers_and_keeps_the_backlog_active() {
    let log = Log::new(Offset(0));
    log.retain(1000);
    let mut reader = log.reader(Offset(0)).unwrap();
    set(&log, 0, b"v");
    log.reset(Offset(5));
    assert_eq!(log.end(), Offset(5));
    assert_eq!(reader.read(1, &mut Vec::new()), Err(ReadError::HistoryReplaced));
    assert_eq!(log.backlog().unwrap().first, Offset(5));
    let mut fresh = log.reader(Offset(5)).unwrap();
    set(&log, 0, b"v");
    drop(reader);
    assert!(read_all(&mut fresh).starts_with(b"*2\r\n$6\r\nSELECT\r\n"));
}

#[test]
fn wakes_only_sleepers() {
    let log = Log::new(Offset(0));
    let [(first, first_woken), (second, second_woken)] = [(); 2].map(|()| {
        let woken = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&woken);
        let sleeper = log.subscribe(Arc::new(move || {
            counter.fetch_add(1, Ordering::Relaxed);
        }));
        (sleeper, woken)
    });
    let woken = || (first_woken.load(Ordering::Relaxed), second_woken.load(Ordering::Relaxed));
    log.wake_readers();
    assert_eq!(woken(), (0, 0));
    assert!(log.may_sleep(first, Offset(0)));
    let end = set(&log, 0, b"v");
    log.wake_readers();
    log.wake_readers();
    assert_eq!(woken(), (1, 0), "the other does not sleep");
    assert!(!log.may_sleep(first, Offset(0)));
    assert!(log.may_sleep(first, end) && log.may_sleep(second, end));
    set(&log, 0, b"v");
    log.wake_readers();
    assert_eq!(woken(), (2, 1));
}

#[test]
fn threads_append_whole_batches_while_readers_read() {
    const THREADS: u8 = 3;
    const APPENDS: usize = 20_000;
    let log = Log::new(Offset(0));
    let mut reader = log.reader(Offset(0)).unwrap();
    let bytes = std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let log = &log;
            scope.spawn(move || {
                for n in 0..APPENDS {
                    set(log, u32::from(thread), format!("{thread}:{n}").as_bytes());
                }
            });
        }
        let reading = scope.spawn(move || {
            let mut out = Vec::new();
            let wanted = usize::from(THREADS) * APPENDS;
            let mut seen = 0;
            let mut checked = 0;
            while seen < wanted {
                reader.read(100_000, &mut out).unwrap();
                seen += out[checked..].windows(3).filter(|w| w == b"SET").count();
                checked = out.len().saturating_sub(2);
            }
            reader.read(usize::MAX, &mut out).unwrap();
            out
        });
        reading.join().unwrap()
    });
    let text = String::from_utf8(bytes).unwrap();
    for thread in 0..THREADS {
        let prefix = format!("\r\n{thread}:");
        let order: Vec<usize> = text
            .match_indices(&prefix)
            .map(|(at, _)| {
                let rest = &text[at + prefix.len()..];
                rest[..rest.find('\r').unwrap()].parse().unwrap()
            })
            .collect();
        assert_eq!(order, (0..APPENDS).collect::<Vec<_>>());
    }
}

#[derive(Clone, Debug)]
enum Step {
    Append(usize),
    Read(usize),
    Open(u64),
    Retain(u64),
    Release,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..400_000_usize).prop_map(Step::Append),
        4 => (0..500_000_usize).prop_map(Step::Read),
        2 => any::<u64>().prop_map(Step::Open),
        1 => (0..3 * MIB).prop_map(Step::Retain),
        1 => Just(Step::Release),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn readers_see_what_a_vector_holds(steps in prop::collection::vec(step(), 1..60)) {
        let log = Log::new(Offset(0));
        log.set_mode(Mode::Proxy);
        log.set_reader_lag_bytes_max(2 * MIB);
        let mut model: Vec<u8> = Vec::new();
        let mut held_from = None;
        let mut reader: Option<Reader> = None;
        for step in steps {
            match step {
                Step::Append(len) => {
                    let at = model.len();
                    model.extend((at..at + len).map(|n| u8::try_from(n * 7 % 251).unwrap()));
                    prop_assert_eq!(log.append_raw(&model[at..]).0, model.len() as u64);
                }
                Step::Read(max) => if let Some(open) = &mut reader {
                    let (from, mut out) = (open.position(), Vec::new());
                    let from_index = usize::try_from(from.0).unwrap();
                    match open.read(max, &mut out) {
                        Ok(len) => {
                            prop_assert_eq!(len, max.min(model.len() - from_index));
                            prop_assert_eq!(&out[..], &model[from_index..from_index + len]);
                        }
                        Err(error) => {
                            prop_assert_eq!(error, ReadError::Lagged);
                            prop_assert!(log.end() - from > 2 * MIB);
                            reader = None;
                        }
                    }
                },
                Step::Open(seed) => {
                    let from = Offset(seed % (model.len() as u64 + 1));
                    match log.reader(from) {
                        Ok(open) => reader = Some(open),
                        Err(error) => {
                            prop_assert_eq!(error.end, log.end());
                            prop_assert!(from < error.first);
                            let window = log.backlog().map_or(log.end(), |window| window.first);
                            prop_assert!(from < window);
                        }
                    }
                }
                Step::Retain(bytes) => {
                    if held_from.is_none() && reader.is_none() {
                        held_from = Some(log.end());
                    }
                    log.retain(bytes);
                }
                Step::Release => {
                    held_from = None;
                    log.release();
                }
            }
            if let Some(window) = log.backlog() {
                prop_assert_eq!(window.end, log.end());
                prop_assert!(window.end - window.first <= window.capacity);
                prop_assert!(log.reader(window.first).is_ok());
            } else if reader.is_none() {
                prop_assert_eq!(log.memory(), 0);
            }
        }
    }
}
