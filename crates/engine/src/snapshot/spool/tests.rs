//! Spools on a disk in memory, one that works and one that fails.

use super::*;
use base::disk::memory::{Fault, MemoryDisk};
use std::path::PathBuf;

const LIMITS: Limits = Limits { spill_bytes: 4 * PIECE_BYTES, most_bytes: 8 * PIECE_BYTES };

fn spool() -> Spool {
    Spool::new(LIMITS, Arc::default())
}

fn crowded(spool: &Spool) -> usize {
    spool.queues.crowded.load(Ordering::Acquire)
}

/// Piece number `number` of a database: whole, and unlike the others.
fn fill(spool: &Spool, db: u32, number: u8) {
    spool.append(db, |out| out.resize(out.len() + PIECE_BYTES, number));
}

/// What is in `pieces`, sorted.
fn summary(pieces: &[Piece]) -> Vec<(u32, u8, usize)> {
    let row = |piece: &Piece| (piece.db, piece.bytes[0], piece.bytes.len());
    let mut rows: Vec<_> = pieces.iter().map(row).collect();
    rows.sort_unstable();
    rows
}

fn take_all(spool: &Spool) -> io::Result<Vec<Piece>> {
    let mut pieces = Vec::new();
    spool.take_rest(|piece| {
        pieces.push(Piece { db: piece.db, bytes: piece.bytes.clone() });
        Ok(())
    })?;
    Ok(pieces)
}

/// Runs the spiller until `enough`, or until it ends by itself.
fn spill_until(spool: &Spool, disk: &MemoryDisk, enough: impl Fn() -> bool) {
    thread::scope(|scope| {
        let closing = spool.closing();
        let spiller = scope.spawn(|| spool.spill(disk, &PathBuf::from("/data")));
        while !enough() && !spiller.is_finished() {
            thread::yield_now();
        }
        drop(closing);
    });
}

#[test]
fn pieces_are_of_one_database_and_whole() {
    let spool = spool();
    spool.append(0, |out| out.extend_from_slice(b"a"));
    spool.append(1, |out| out.extend_from_slice(b"b"));
    spool.append(0, |out| out.extend_from_slice(b"c"));
    assert_eq!(spool.memory_bytes(), 3);
    let pieces = spool.take();
    let rows: Vec<_> = pieces.iter().map(|piece| (piece.db, &piece.bytes[..])).collect();
    assert_eq!(rows, [(0, &b"ac"[..]), (1, b"b")]);
    assert_eq!(spool.memory_bytes(), 0);
    for number in 0..3 {
        fill(&spool, 0, number);
    }
    let expected: Vec<_> = (0..3).map(|number| (0, number, PIECE_BYTES)).collect();
    assert_eq!(summary(&take_all(&spool).unwrap()), expected);
}

#[test]
fn a_surplus_goes_to_the_file_and_comes_back() {
    let (spool, disk) = (spool(), MemoryDisk::default());
    for number in 0..20 {
        fill(&spool, u32::from(number % 2), number);
    }
    assert_eq!(crowded(&spool), 1);
    spill_until(&spool, &disk, || spool.memory_bytes() <= LIMITS.spill_bytes);
    assert_eq!((crowded(&spool), spool.memory_bytes()), (0, LIMITS.spill_bytes));
    let expected = (0..20).map(|number| (u32::from(number % 2), number, PIECE_BYTES));
    let mut expected: Vec<_> = expected.collect();
    expected.sort_unstable();
    assert_eq!(summary(&take_all(&spool).unwrap()), expected);
    assert_eq!(spool.memory_bytes(), 0);
}

#[test]
fn a_crowd_goes_with_what_made_it() {
    let queues = Arc::new(WalkQueues::default());
    let spool = Spool::new(LIMITS, Arc::clone(&queues));
    (0..9).for_each(|number| fill(&spool, 0, number));
    spool.hold(77);
    assert_eq!((queues.are_crowded(), queues.bytes()), (true, 9 * PIECE_BYTES + 77));
    spool.take();
    assert_eq!((queues.are_crowded(), queues.bytes()), (false, 77));
    (0..9).for_each(|number| fill(&spool, 0, number));
    drop(spool);
    assert_eq!((queues.are_crowded(), queues.bytes()), (false, 0));
}

/// At whichever call the disk fails: nothing is lost below the limit, and beyond it all is given up.
#[test]
fn whatever_call_fails_nothing_is_lost_in_silence() {
    for call in 1.. {
        let (spool, disk) = (spool(), MemoryDisk::default());
        disk.set_fault(Some(Fault::From(call, io::ErrorKind::StorageFull)));
        (0..7).for_each(|number| fill(&spool, 0, number));
        spill_until(&spool, &disk, || spool.memory_bytes() <= LIMITS.spill_bytes);
        let has_failed = spool.state.lock().has_failed;
        disk.set_fault(None);
        let expected: Vec<_> = (0..7).map(|number| (0, number, PIECE_BYTES)).collect();
        if !has_failed {
            assert_eq!(summary(&take_all(&spool).unwrap()), expected);
            assert!(call > 3, "the file was never written");
            return;
        }
        assert!(!spool.is_over());
        assert_eq!(crowded(&spool), 0);
        assert_eq!(summary(&take_all(&spool).unwrap()), expected);
        (0..9).for_each(|number| fill(&spool, 0, number));
        assert!(spool.is_over());
        assert_eq!((crowded(&spool), spool.memory_bytes()), (0, 0));
    }
}

/// Writers do not wait for a file that never comes.
#[test]
fn a_crowd_goes_with_the_file() {
    for call in 1.. {
        let (spool, disk) = (spool(), MemoryDisk::default());
        disk.set_fault(Some(Fault::From(call, io::ErrorKind::StorageFull)));
        (0..9).for_each(|number| fill(&spool, 0, number));
        assert_eq!(crowded(&spool), 1);
        spill_until(&spool, &disk, || spool.memory_bytes() <= LIMITS.spill_bytes);
        assert_eq!(crowded(&spool), 0, "the disk failed at call {call}");
        let has_failed = spool.state.lock().has_failed;
        disk.set_fault(None);
        let left = take_all(&spool).unwrap().len();
        assert_eq!(left, if spool.is_over() { 0 } else { 9 });
        if !has_failed {
            assert!(call > 3, "the file was never written");
            return;
        }
    }
}

#[test]
fn without_a_file_a_crowd_is_given_up() {
    for (held, is_over) in [(2, true), (1, false)] {
        let spool = spool();
        (0..9).for_each(|number| fill(&spool, 0, number));
        spool.hold(held * PIECE_BYTES);
        for _ in 0..2 {
            let piece = spool.state.lock().full.pop().unwrap();
            spool.forget(&mut spool.state.lock(), piece.bytes.len());
        }
        assert_eq!(crowded(&spool), 1);
        spool.do_without_file();
        assert_eq!((crowded(&spool), spool.is_over()), (0, is_over));
    }
}

#[test]
fn a_piece_that_cannot_be_read_back_is_an_error() {
    let (spool, disk) = (spool(), MemoryDisk::default());
    (0..6).for_each(|number| fill(&spool, 0, number));
    spill_until(&spool, &disk, || spool.memory_bytes() <= LIMITS.spill_bytes);
    disk.set_fault(Some(Fault::Once(1, io::ErrorKind::TimedOut)));
    assert_eq!(take_all(&spool).unwrap_err().kind(), io::ErrorKind::TimedOut);
}

/// A disk whose scratch files take nothing until they are told how it ends.
#[derive(Debug, Default)]
struct Stalls {
    is_asked: AtomicBool,
    end: OnceLock<bool>,
}

#[derive(Debug)]
struct Stalled(Arc<Stalls>, io::Cursor<Vec<u8>>);

impl io::Write for Stalled {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.is_asked.store(true, Ordering::Release);
        match self.0.end.wait() {
            true => self.1.write(bytes),
            false => Err(io::ErrorKind::StorageFull.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl io::Read for Stalled {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.1.read(out)
    }
}

impl io::Seek for Stalled {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.1.seek(to)
    }
}

#[test]
fn a_piece_on_its_way_to_the_file_is_waited_for() {
    for arrives in [true, false] {
        let (spool, stalls) = (spool(), Arc::new(Stalls::default()));
        *spool.file.lock() = Some(Box::new(Stalled(Arc::clone(&stalls), io::Cursor::default())));
        (0..6).for_each(|number| fill(&spool, 0, number));
        let pieces = thread::scope(|scope| {
            let _closing = spool.closing();
            scope.spawn(|| spool.spill(&MemoryDisk::default(), &PathBuf::from("/data")));
            while !stalls.is_asked.load(Ordering::Acquire) {
                thread::yield_now();
            }
            let takes = scope.spawn(|| take_all(&spool));
            while spool.memory_bytes() > PIECE_BYTES && !takes.is_finished() {
                thread::yield_now();
            }
            stalls.end.set(arrives).expect("once");
            takes.join().expect("no panic").expect("no error")
        });
        let expected: Vec<_> = (0..6).map(|number| (0, number, PIECE_BYTES)).collect();
        assert_eq!(summary(&pieces), expected);
        assert_eq!(spool.memory_bytes(), 0);
    }
}
