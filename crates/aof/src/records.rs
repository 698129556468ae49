//! The requests in a file of the log, and how far the file is whole.
//!
//! ```text
//! *2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n      a request
//! #TS:1795867315\r\n                      the second in which what follows was written
//! ```
//!
//! and the notes of [`crate::note`]. Between MULTI and EXEC nothing counts as whole: a transaction
//! happens at once or not at all. What stands before a sum that does not fit is not whole either, back
//! to the sum before.

use crate::note::{self, Digest, Note, PAGE_BYTES};
use base::{Offset, RunId};
use std::io::{self, BufRead, Read};

/// The most words of a request.
pub const WORDS_MAX: u64 = 1 << 31;
/// The longest word.
pub const WORD_BYTES_MAX: u64 = 1 << 40;
/// The longest line: a count, or a note.
const LINE_BYTES_MAX: u64 = 1024;

/// One thing the file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A request.
    Request(Vec<Vec<u8>>),
    /// A note. A sum fits, or it would be damage.
    Note(Note),
}

/// Why the file is not whole.
#[derive(Debug, thiserror::Error)]
#[error("{reason} at offset {offset}")]
pub struct Damage {
    /// The byte at which it was noticed.
    pub offset: u64,
    /// What was noticed.
    pub reason: Reason,
}

/// What was noticed.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    /// The file ends inside a request: whoever wrote it was stopped. What stands before is whole.
    #[error("the file ends inside a request")]
    CutShort,
    /// The file ends inside a transaction.
    #[error("Reached EOF before reading EXEC for MULTI")]
    OpenTransaction,
    /// A letter that cannot stand there.
    #[error("Expected prefix '{expected}', got: '{}'", *found as char)]
    Prefix {
        /// What should stand there.
        expected: char,
        /// What does.
        found: u8,
    },
    /// No line end where one must be.
    #[error("Expected \\r\\n, got: {:02x}{:02x}", found[0], found[1])]
    LineEnd {
        /// What stands there, zeros if nothing.
        found: [u8; 2],
    },
    /// A number that is none, or far too large.
    #[error("a number is malformed or out of range")]
    Number,
    /// Zeros inside of a line.
    #[error("zeros where the file should go on")]
    Gap,
    /// A sum that does not fit what it is of.
    #[error("the checksum does not match the bytes since offset {since}")]
    Sum {
        /// Where what it is of begins.
        since: u64,
    },
    /// MULTI in a transaction, or EXEC outside.
    #[error("{0}")]
    Order(&'static str),
    /// The input failed.
    #[error("cannot read: {0}")]
    Io(#[from] io::Error),
}

impl Damage {
    /// Whether the file merely ends too early, so that what stands before it can be kept.
    pub fn is_truncation(&self) -> bool {
        matches!(self.reason, Reason::CutShort | Reason::OpenTransaction)
    }

    /// Whether there are zeros where the file should go on: what a power cut leaves of a piece that was
    /// on its way while a later one arrived.
    pub fn is_gap(&self) -> bool {
        match &self.reason {
            Reason::Gap | Reason::Prefix { found: 0, .. } => true,
            Reason::LineEnd { found } => found.contains(&0),
            _ => false,
        }
    }
}

/// Reads the records of one file.
#[derive(Debug)]
pub struct Records<R> {
    input: R,
    offset: u64,
    lines: u64,
    whole_until: u64,
    in_transaction: bool,
    line: Vec<u8>,
    digest: Digest,
    /// Up to here sums fit; where the file begins if there was none.
    summed_until: u64,
    /// Up to here it is whole and in the page of the last sum.
    kept_until: u64,
    synced: u64,
    /// It was written here: batches end with sums.
    has_sums: bool,
    /// What the last sum has said.
    place: Option<(RunId, Offset)>,
    /// Bytes of requests since then.
    request_bytes: u64,
}

impl<R: BufRead> Records<R> {
    /// Reads `input`, which begins at byte `offset` of its file (behind a snapshot, or at zero).
    pub fn new(input: R, offset: u64) -> Records<R> {
        Records {
            input,
            offset,
            lines: 1,
            whole_until: offset,
            in_transaction: false,
            line: Vec::new(),
            digest: Digest::default(),
            summed_until: offset,
            kept_until: offset,
            synced: 0,
            has_sums: false,
            place: None,
            request_bytes: 0,
        }
    }

    /// Whether the file has shown to be one whose batches end with sums.
    pub fn has_sums(&self) -> bool {
        self.has_sums
    }

    /// How far the file was known to be durable by whoever wrote it, as its sums say.
    pub fn synced(&self) -> u64 {
        self.synced
    }

    /// The history that the requests belong to and the offset in it behind the last one. `before` is
    /// where it stood at the beginning; sums know better.
    pub fn place(&self, before: Option<(RunId, Offset)>) -> Option<(RunId, Offset)> {
        let (replid, offset) = self.place.or(before)?;
        Some((replid, offset + self.request_bytes))
    }

    /// What was not read yet.
    pub fn into_rest(self) -> R {
        self.input
    }

    /// Up to where the file is a sequence of whole requests and transactions.
    pub fn whole_until(&self) -> u64 {
        self.whole_until
    }

    /// Up to where sums vouch for the file.
    pub fn summed_until(&self) -> u64 {
        self.summed_until
    }

    /// Up to where the file counts after a power cut: what sums vouch for, and the whole requests behind
    /// that in the same page.
    pub fn kept_until(&self) -> u64 {
        self.kept_until
    }

    /// Bytes read.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The line it has come to, from 1; notes are not counted, as stock does not.
    pub fn line(&self) -> u64 {
        self.lines
    }

    /// The next record; `None` at the end of a whole file.
    ///
    /// # Errors
    /// [`Damage`]; nothing can be read behind it.
    pub fn next_record(&mut self) -> Result<Option<Record>, Damage> {
        let begin = self.offset;
        if !self.read_line()? {
            return if self.in_transaction {
                Err(self.damage(Reason::OpenTransaction))
            } else {
                Ok(None)
            };
        }
        let record = match self.line.first() {
            Some(b'#') => {
                self.lines -= 1;
                if self.body().contains(&0) {
                    return Err(self.damage(Reason::Gap));
                }
                let note = note::parse(self.body());
                self.note(note, begin)?;
                Record::Note(note)
            }
            Some(b'*') => {
                self.sum_line();
                let count = self.number(self.body(), WORDS_MAX)?;
                let words = self.words(count)?;
                self.request_bytes += self.offset - begin;
                Record::Request(words)
            }
            first => {
                let found = first.copied().unwrap_or(0);
                return Err(self.damage(Reason::Prefix { expected: '*', found }));
            }
        };
        self.order(&record)?;
        if !self.in_transaction {
            self.whole_until = self.offset;
            if self.offset / PAGE_BYTES == self.summed_until / PAGE_BYTES {
                self.kept_until = self.offset;
            }
        }
        Ok(Some(record))
    }

    fn note(&mut self, note: Note, begin: u64) -> Result<(), Damage> {
        let Note::Sum(sum) = note else {
            self.sum_line();
            return Ok(());
        };
        self.has_sums = true;
        self.synced = self.synced.max(sum.synced);
        if sum.since == begin {
            // Of nothing: what stands between this and the sum before has none.
            self.digest = Digest::default();
        }
        if !self.digest.fits(&sum) || (sum.since != begin && sum.since != self.summed_until) {
            self.whole_until = self.summed_until;
            return Err(self.damage(Reason::Sum { since: self.summed_until }));
        }
        self.digest = Digest::default();
        (self.summed_until, self.kept_until) = (self.offset, self.offset);
        self.place = Some(sum.place);
        self.request_bytes = 0;
        Ok(())
    }

    fn words(&mut self, count: u64) -> Result<Vec<Vec<u8>>, Damage> {
        /// Words that room is made for on a promise.
        const PROMISED_MAX: u64 = 64;
        let room = usize::try_from(count.min(PROMISED_MAX)).unwrap_or(0);
        let mut words = Vec::with_capacity(room);
        for _ in 0..count {
            if !self.read_line()? {
                return Err(self.damage(Reason::CutShort));
            }
            if self.line.first() != Some(&b'$') {
                let found = self.line.first().copied().unwrap_or(0);
                return Err(self.damage(Reason::Prefix { expected: '$', found }));
            }
            self.sum_line();
            let len = self.number(self.body(), WORD_BYTES_MAX)?;
            words.push(self.word(len)?);
        }
        Ok(words)
    }

    /// A word of `len` bytes and its line end. Reserves no more than has come, and a little.
    fn word(&mut self, len: u64) -> Result<Vec<u8>, Damage> {
        /// Bytes that room is made for on a promise.
        const PROMISED_BYTES_MAX: u64 = 4096;
        let wanted = len + 2;
        let room = usize::try_from(wanted.min(PROMISED_BYTES_MAX)).unwrap_or(0);
        let mut word = Vec::with_capacity(room);
        let taken = (&mut self.input).take(wanted).read_to_end(&mut word);
        let taken = taken.map_err(|error| self.damage(error.into()))?;
        self.offset += taken as u64;
        if (taken as u64) < wanted {
            return Err(self.damage(Reason::CutShort));
        }
        self.digest.add(&word);
        let body = word.len() - 2;
        if word.get(body..) != Some(b"\r\n") {
            let found = word.get(body..).and_then(|end| end.try_into().ok()).unwrap_or_default();
            return Err(self.damage(Reason::LineEnd { found }));
        }
        word.truncate(body);
        self.lines += 1;
        Ok(word)
    }

    /// Reads a line, its end included; false if there is nothing more.
    fn read_line(&mut self) -> Result<bool, Damage> {
        self.line.clear();
        let taken = (&mut self.input).take(LINE_BYTES_MAX).read_until(b'\n', &mut self.line);
        let taken = taken.map_err(|error| self.damage(error.into()))?;
        if taken == 0 {
            return Ok(false);
        }
        self.offset += taken as u64;
        if self.line.last() != Some(&b'\n') {
            let reason = match taken as u64 {
                LINE_BYTES_MAX if self.line.contains(&0) => Reason::Gap,
                LINE_BYTES_MAX => Reason::Number,
                _ => Reason::CutShort,
            };
            return Err(self.damage(reason));
        }
        if self.line.contains(&0) {
            return Err(self.damage(Reason::Gap));
        }
        if !self.line.ends_with(b"\r\n") {
            let mut found = [0; 2];
            let end = self.line.get(self.line.len().saturating_sub(2)..).unwrap_or_default();
            found.iter_mut().zip(end).for_each(|(to, from)| *to = *from);
            return Err(self.damage(Reason::LineEnd { found }));
        }
        self.lines += 1;
        Ok(true)
    }

    /// The line between its first byte and its end.
    fn body(&self) -> &[u8] {
        self.line.get(1..self.line.len().saturating_sub(2)).unwrap_or_default()
    }

    fn sum_line(&mut self) {
        self.digest.add(&self.line);
    }

    fn number(&self, digits: &[u8], max: u64) -> Result<u64, Damage> {
        let text = std::str::from_utf8(digits).ok();
        let number = text.and_then(|text| text.parse().ok()).filter(|&number| number <= max);
        let is_gap = digits.contains(&0);
        number.ok_or_else(|| self.damage(if is_gap { Reason::Gap } else { Reason::Number }))
    }

    fn order(&mut self, record: &Record) -> Result<(), Damage> {
        let Record::Request(words) = record else { return Ok(()) };
        let Some(name) = words.first() else {
            return Err(self.damage(Reason::Number));
        };
        if name.eq_ignore_ascii_case(b"multi") {
            if self.in_transaction {
                return Err(self.damage(Reason::Order("Unexpected MULTI")));
            }
            self.in_transaction = true;
        } else if name.eq_ignore_ascii_case(b"exec") {
            if !self.in_transaction {
                return Err(self.damage(Reason::Order("Unexpected EXEC")));
            }
            self.in_transaction = false;
        }
        Ok(())
    }

    fn damage(&self, reason: Reason) -> Damage {
        Damage { offset: self.offset, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Written by stock 7.0.15 with `aof-timestamp-enabled`: MULTI, SET x 1, SET y 2, EXEC, and in
    /// database 3 SET q 1.
    const STOCK: &str = "#TS:1795867315\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*1\r\n$5\r\nMULTI\r\n\
        *3\r\n$3\r\nset\r\n$1\r\nx\r\n$1\r\n1\r\n*3\r\n$3\r\nset\r\n$1\r\ny\r\n$1\r\n2\r\n\
        *1\r\n$4\r\nEXEC\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n*3\r\n$3\r\nset\r\n$1\r\nq\r\n$1\r\n1\r\n";

    fn read(text: &[u8]) -> (Vec<Record>, u64, u64, Option<Damage>) {
        let (mut records, mut found) = (Records::new(text, 0), Vec::new());
        let damage = loop {
            match records.next_record() {
                Ok(Some(record)) => found.push(record),
                Ok(None) => break None,
                Err(damage) => break Some(damage),
            }
        };
        (found, records.whole_until(), records.line(), damage)
    }

    #[test]
    fn stocks_file_is_read() {
        let (records, whole, lines, damage) = read(STOCK.as_bytes());
        assert_eq!(records[0], Record::Note(Note::Time(1_795_867_315)));
        assert_eq!(records[1], Record::Request(vec![b"SELECT".to_vec(), b"0".to_vec()]));
        // redis-check-aof: size=172, ok_up_to=172, ok_up_to_line=38, diff=0.
        assert_eq!((records.len(), whole, lines, damage.is_none()), (8, 172, 38, true));
    }

    #[test]
    fn where_a_damaged_file_is_whole_stock_says_too() {
        // What redis-check-aof of 7.0.15 calls ok_up_to.
        let (.., whole_cut) = (0, 145);
        let (_, whole, _, damage) = read(&STOCK.as_bytes()[..167]);
        assert_eq!(whole, whole_cut);
        assert!(damage.unwrap().is_truncation());
        let (_, whole, ..) = read(format!("{STOCK}xx").as_bytes());
        assert_eq!(whole, 172);
        let open = "*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n2\r\n";
        let (_, whole, _, damage) = read(format!("{STOCK}{open}").as_bytes());
        assert_eq!((whole, damage.unwrap().is_truncation()), (172, true));
        let mut flipped = STOCK.as_bytes().to_vec();
        flipped[20] = b'z';
        let (_, whole, _, damage) = read(&flipped);
        let damage = damage.unwrap();
        assert_eq!((whole, damage.is_truncation()), (16, false));
        assert_eq!(damage.reason.to_string(), "Expected prefix '$', got: 'z'");
    }

    proptest! {
        #[test]
        fn cut_anywhere_it_is_whole_up_to_a_boundary(cut in 0..172_usize) {
            let (records, whole, _, damage) = read(&STOCK.as_bytes()[..cut]);
            prop_assert!(whole <= cut as u64);
            prop_assert!(damage.is_none_or(|damage| damage.is_truncation()));
            let (again, ..) = read(&STOCK.as_bytes()[..usize::try_from(whole).unwrap()]);
            prop_assert!(again.len() <= records.len());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(
            prop::sample::select(b"*$#TS:0123456789\r\n\r\n\r\nMULTIEXEC a".to_vec()), 0..80)) {
            let (_, whole, ..) = read(&bytes);
            prop_assert!(whole <= bytes.len() as u64);
        }
    }
}
