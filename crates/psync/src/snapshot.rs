//! The snapshot inside the byte stream from a primary: where it begins and where it ends.
//!
//! ```text
//! \n \n $1234\r\n  <1234 bytes>                         a file of known length
//! \n \n $EOF:<40 bytes>\r\n  <bytes> <the same 40 bytes>   sent while it is made
//! ```
//!
//! Newlines in front keep the link alive. The mark is random, so it does not occur in the data; it
//! may be split over reads, therefore the last 39 bytes are held back until more arrive.
//!
//! Source: transcripts of stock 7.0.15.

use crate::encode::integer;
use memchr::memmem::Finder;

/// The length of the mark that ends a snapshot of unknown length.
pub(crate) const MARK_LEN: usize = 40;

/// The largest snapshot whose announced length we believe: 1 PiB.
pub(crate) const SNAPSHOT_BYTES_MAX: u64 = 1 << 50;

/// How the end of a snapshot is found.
#[derive(Debug)]
pub(crate) enum Decoder {
    /// `left` bytes are still to come.
    Length { left: u64 },
    /// The mark will come. `held` may be the beginning of it.
    Mark { finder: Box<Finder<'static>>, held: Vec<u8> },
}

impl Decoder {
    /// The decoder that a header line asks for. `None` if it is no such line.
    pub(crate) fn parse(line: &[u8]) -> Option<Decoder> {
        let announced = line.strip_prefix(b"$")?;
        if let Some(mark) = announced.strip_prefix(b"EOF:") {
            let finder = Box::new(Finder::new(mark).into_owned());
            return (mark.len() == MARK_LEN).then_some(Decoder::Mark { finder, held: Vec::new() });
        }
        let left = u64::try_from(integer(announced)?).ok()?;
        (left <= SNAPSHOT_BYTES_MAX).then_some(Decoder::Length { left })
    }

    /// The announced length, `None` for a snapshot that ends by a mark.
    pub(crate) fn length(&self) -> Option<u64> {
        match self {
            Decoder::Length { left } => Some(*left),
            Decoder::Mark { .. } => None,
        }
    }

    /// Moves bytes of the snapshot out of `input`, and says whether the snapshot has ended. What
    /// stays in `input` then is not the snapshot's.
    pub(crate) fn take(&mut self, input: &mut &[u8]) -> (Vec<u8>, bool) {
        match self {
            Decoder::Length { left } => {
                let count = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                let (ours, rest) = input.split_at(count);
                *left -= count as u64;
                *input = rest;
                (ours.to_vec(), *left == 0)
            }
            Decoder::Mark { finder, held } => {
                let held_before = held.len();
                let mut bytes = std::mem::take(held);
                bytes.extend_from_slice(input);
                if let Some(at) = finder.find(&bytes) {
                    // Had the mark ended within the held bytes, it would have been found before.
                    let consumed = (at + MARK_LEN).saturating_sub(held_before);
                    *input = input.get(consumed..).unwrap_or_default();
                    bytes.truncate(at);
                    return (bytes, true);
                }
                *input = &[];
                *held = bytes.split_off(bytes.len().saturating_sub(MARK_LEN - 1));
                (bytes, false)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_headers() {
        let mark = format!("$EOF:{}", "a".repeat(40));
        let rows: &[(&str, Option<Option<u64>>)] = &[
            ("$188", Some(Some(188))),
            ("$0", Some(Some(0))),
            (&mark, Some(None)),
            ("$EOF:abc", None),
            ("$-1", None),
            ("$", None),
            ("$99999999999999999999", None),
            ("$2000000000000000", None),
            ("-ERR out of memory", None),
        ];
        for (line, expected) in rows {
            let decoder = Decoder::parse(line.as_bytes());
            assert_eq!(decoder.map(|decoder| decoder.length()), *expected, "{line}");
        }
    }

    proptest! {
        #[test]
        fn ends_where_the_mark_ends(
            data in prop::collection::vec(prop_oneof![Just(b'a'), Just(b'b'), any::<u8>()], 0..300),
            cuts in prop::collection::vec(1..50_usize, 1..20),
            by_length in any::<bool>(),
        ) {
            // A mark that the data nearly contains everywhere.
            let mark: Vec<u8> = [&[b'a'; MARK_LEN - 1][..], b"c"].concat();
            prop_assume!(!data.windows(MARK_LEN).any(|window| window == mark));
            let (header, mut wire) = if by_length {
                (format!("${}", data.len()).into_bytes(), data.clone())
            } else {
                ([b"$EOF:", &mark[..]].concat(), [&data[..], &mark].concat())
            };
            wire.extend_from_slice(b"*1\r\n");
            let mut decoder = Decoder::parse(&header).unwrap();
            let (mut got, mut rest, mut ended) = (Vec::new(), &wire[..], by_length && data.is_empty());
            for cut in cuts.iter().cycle() {
                if ended || rest.is_empty() {
                    break;
                }
                let (mut part, later) = rest.split_at((*cut).min(rest.len()));
                let (bytes, end) = decoder.take(&mut part);
                got.extend(bytes);
                ended = end;
                prop_assert!(end || part.is_empty());
                rest = &rest[rest.len() - later.len() - part.len()..];
            }
            prop_assert!(ended);
            prop_assert_eq!(got, data);
            prop_assert_eq!(rest, b"*1\r\n");
        }
    }
}
