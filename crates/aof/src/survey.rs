//! What one reading of a file tells before anything of it is applied: how far it is whole, and why not
//! further.

use crate::note::{self, Note};
use crate::records::{Damage, Reason, Record, Records};
use base::{Offset, RunId};
use memchr::memmem;
use std::io::{BufRead, Read};

/// What a file is.
#[derive(Debug)]
pub struct Survey {
    /// Up to here it is a sequence of whole requests and transactions.
    pub whole_until: u64,
    /// What is wrong behind that.
    pub damage: Option<Damage>,
    /// What is wrong was never promised to be durable: the file merely ends too early, or the power
    /// went while its end was on its way.
    pub is_torn: bool,
    /// Where what is younger than asked for begins.
    pub young_at: Option<u64>,
    /// The first Unix second that it notes, younger or not.
    pub first_s: Option<u64>,
    /// The history of its requests and the offset behind the last one, if it is whole and says so.
    pub place: Option<(RunId, Offset)>,
    /// The line that was come to, from 1; notes are not counted, as stock does not.
    pub line: u64,
    /// The histories that its requests belong to, oldest first.
    pub histories: Vec<RunId>,
    /// Requests, those that choose a database left out.
    pub requests: u64,
}

/// Reads `input`, which begins at byte `from` of its file, to its end, or to what was written after the
/// Unix second `until`. `before` is the place in a history where it begins, if that is known. O(bytes).
pub fn survey(
    input: impl BufRead,
    from: u64,
    until: Option<u64>,
    before: Option<(RunId, Offset)>,
) -> Survey {
    let mut records = Records::new(input, from);
    let (mut requests, mut young_at, mut histories) = (0, None, Vec::new());
    let mut first_s = None;
    let damage = loop {
        let before = records.whole_until();
        match records.next_record() {
            Ok(None) => break None,
            Ok(Some(Record::Request(words))) => {
                let selects =
                    words.first().is_some_and(|name| name.eq_ignore_ascii_case(b"select"));
                requests += u64::from(!selects);
            }
            Ok(Some(Record::Note(Note::Time(time)))) => {
                first_s.get_or_insert(time);
                if until.is_some_and(|until| time > until) {
                    young_at = Some(before);
                    break None;
                }
            }
            Ok(Some(Record::Note(Note::Sum(sum)))) => {
                if histories.last() != Some(&sum.place.0) {
                    histories.push(sum.place.0);
                }
            }
            Ok(Some(Record::Note(_))) => {}
            Err(damage) => break Some(damage),
        }
    };
    let line = records.line();
    let place = records.place(before).filter(|_| damage.is_none());
    let (mut whole_until, mut is_torn) = (records.whole_until(), false);
    if let Some(damage) = &damage {
        let (has_sums, synced) = (records.has_sums(), records.synced());
        let (summed_until, kept_until) = (records.summed_until(), records.kept_until());
        let later = sums_in(records.into_rest());
        let durable = synced.max(later.map_or(0, |later| later.synced));
        let by_power_cut = damage.is_truncation() || damage.is_gap();
        // What stock has appended bears no sums, and one behind that is not of it.
        let is_covered = later.map_or(has_sums, |later| later.since <= damage.offset);
        if has_sums || later.is_some() {
            whole_until = match &damage.reason {
                _ if damage.is_truncation() || !is_covered => whole_until,
                _ if damage.is_gap() => kept_until,
                _ if has_sums => summed_until,
                _ => whole_until,
            };
            let may_be_torn = by_power_cut || matches!(damage.reason, Reason::Sum { .. });
            is_torn = may_be_torn && whole_until >= durable;
        } else {
            is_torn = by_power_cut;
        }
    }
    Survey { whole_until, damage, is_torn, young_at, first_s, place, line, histories, requests }
}

/// What sums tell that stand behind damage.
#[derive(Clone, Copy, Debug)]
struct Later {
    /// The first byte that the first of them is of.
    since: u64,
    /// The farthest durable end.
    synced: u64,
}

/// What the sums in the rest of a damaged file tell.
fn sums_in(mut rest: impl Read) -> Option<Later> {
    /// Bytes looked through at once.
    const PIECE_BYTES: usize = 1 << 20;
    /// More than a sum's line has.
    const LINE_BYTES: usize = 160;
    const MARK: &[u8] = b"\n#SUM:";
    let (mut piece, mut found) = (b"\n".to_vec(), None::<Later>);
    loop {
        let taken = (&mut rest).take(PIECE_BYTES as u64).read_to_end(&mut piece);
        for at in memmem::find_iter(&piece, MARK) {
            let line = piece.get(at + 2..).unwrap_or_default();
            let Some(end) = memchr::memchr(b'\r', line) else { continue };
            if let Note::Sum(sum) = note::parse(line.get(..end).unwrap_or_default()) {
                let since = found.map_or(sum.since, |found| found.since);
                let synced = found.map_or(sum.synced, |found| found.synced.max(sum.synced));
                found = Some(Later { since, synced });
            }
        }
        if !matches!(taken, Ok(count) if count > 0) {
            return found;
        }
        piece.drain(..piece.len().saturating_sub(LINE_BYTES));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Appender;
    use base::disk::Disk;
    use base::disk::memory::MemoryDisk;
    use std::path::Path;

    const REQUEST: &[u8] = b"*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n";

    /// `count` requests of stock, and `more` in a part with sums behind them; byte `flipped` is another.
    fn file(count: usize, more: usize, flipped: usize) -> Vec<u8> {
        let (disk, path) = (MemoryDisk::default(), Path::new("/d/a"));
        let stock = REQUEST.repeat(count);
        let place = |bytes: usize| (RunId::zero(), Offset(bytes as u64));
        disk.put(path, &stock);
        let mut appender =
            Appender::reopen(&disk as &dyn Disk, path, stock.len() as u64, place(0)).unwrap();
        for number in 1..=more {
            appender.write(REQUEST).unwrap();
            appender.seal(place(number * REQUEST.len())).unwrap();
            appender.sync().unwrap();
        }
        let mut bytes = disk.bytes(path).unwrap();
        bytes[flipped] ^= 1;
        bytes
    }

    #[test]
    fn what_stock_has_written_counts_up_to_the_damage() {
        let at = 700 * REQUEST.len();
        let found = survey(&file(1000, 3, at)[..], 0, None, None);
        assert_eq!((found.whole_until, found.is_torn), (at as u64, false));
        // In the part with sums the damage counts from the sum before it.
        let bytes = file(1000, 3, 1000 * REQUEST.len());
        let sums: Vec<usize> = memmem::find_iter(&bytes, b"#SUM:").collect();
        let line_end = |at: usize| at + memchr::memchr(b'\n', &bytes[at..]).unwrap() + 1;
        let behind_second = line_end(sums[1]);
        let found = survey(&file(1000, 3, behind_second)[..], 0, None, None);
        assert_eq!(found.whole_until, behind_second as u64);
    }

    #[test]
    fn a_value_that_reads_like_a_sum_vouches_for_nothing() {
        let value = format!("x\r\n#SUM:00000000 0 0 {} 0\r\n", RunId::zero());
        let set = format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${}\r\n{value}\r\n", value.len());
        let at = 700 * REQUEST.len();
        let mut bytes = [&REQUEST.repeat(1000)[..], set.as_bytes()].concat();
        assert!(survey(&bytes[..], 0, None, None).damage.is_none());
        bytes[at] ^= 1;
        assert_eq!(survey(&bytes[..], 0, None, None).whole_until, at as u64);
    }
}
