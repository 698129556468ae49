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
        let later = synced_in(records.into_rest());
        let durable = synced.max(later.unwrap_or(0));
        let by_power_cut = damage.is_truncation() || damage.is_gap();
        if has_sums || later.is_some() {
            whole_until = match &damage.reason {
                _ if damage.is_truncation() => whole_until,
                _ if damage.is_gap() => kept_until,
                _ => summed_until,
            };
            let may_be_torn = by_power_cut || matches!(damage.reason, Reason::Sum { .. });
            is_torn = may_be_torn && whole_until >= durable;
        } else {
            is_torn = by_power_cut;
        }
    }
    Survey { whole_until, damage, is_torn, young_at, first_s, place, line, histories, requests }
}

/// The farthest durable end that a sum in the rest of a damaged file tells of.
fn synced_in(mut rest: impl Read) -> Option<u64> {
    /// Bytes looked through at once.
    const PIECE_BYTES: usize = 1 << 20;
    /// More than a sum's line has.
    const LINE_BYTES: usize = 160;
    const MARK: &[u8] = b"#SUM:";
    let (mut piece, mut farthest) = (Vec::new(), None);
    loop {
        let taken = (&mut rest).take(PIECE_BYTES as u64).read_to_end(&mut piece);
        for at in memmem::find_iter(&piece, MARK) {
            let line = piece.get(at + 1..).unwrap_or_default();
            let Some(end) = memchr::memchr(b'\r', line) else { continue };
            if let Note::Sum(sum) = note::parse(line.get(..end).unwrap_or_default()) {
                farthest = farthest.max(Some(sum.synced));
            }
        }
        if !matches!(taken, Ok(count) if count > 0) {
            return farthest;
        }
        piece.drain(..piece.len().saturating_sub(LINE_BYTES));
    }
}
