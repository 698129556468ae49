//! The bytes of a batch of requests, made once, with places where random numbers go.

use base::random::Random;

/// What a random number of twelve digits takes the place of.
const RANDOM: &[u8] = b"__rand_int__";
/// What the value of `-d` bytes takes the place of.
const DATA: &[u8] = b"__data__";
/// The seed of that value.
const DATA_SEED: u64 = 1;

/// Twice the digits of each number below 100.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut number = 0_u8;
    while number < 100 {
        pairs[number as usize] = [b'0' + number / 10, b'0' + number % 10];
        number += 1;
    }
    pairs
};

/// A request: its words, or a line as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// RESP.
    Words(Vec<Vec<u8>>),
    /// A line for the inline form.
    Inline(&'static [u8]),
}

/// A value of `len` bytes: letters and digits that do not compress well.
pub(crate) fn value(len: usize) -> Vec<u8> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.";
    let mut random = Random::from_seed(DATA_SEED);
    (0..len).map(|_| LETTERS[usize::try_from(random.below(64)).unwrap_or(0)]).collect()
}

/// `word` with each placeholder for the value replaced.
pub(crate) fn with_value(word: &[u8], value: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), word);
    while let Some(at) = rest.windows(DATA.len()).position(|window| window == DATA) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(value);
        rest = &rest[at + DATA.len()..];
    }
    out.extend_from_slice(rest);
    out
}

/// Requests that are sent together.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    /// Where numbers go.
    places: Vec<usize>,
}

impl Batch {
    /// `count` times `request`; placeholders stay as they are unless `randomizes`.
    pub(crate) fn new(request: &Request, count: usize, randomizes: bool) -> Batch {
        let mut one = Vec::new();
        match request {
            Request::Words(words) => resp::command_into(&mut one, words),
            Request::Inline(line) => one.extend_from_slice(line),
        }
        let bytes = one.repeat(count);
        let windows = bytes.windows(RANDOM.len()).enumerate();
        let found = windows.filter(|(_, window)| randomizes && *window == RANDOM);
        let places = found.map(|(at, _)| at).collect();
        Batch { bytes, places }
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Puts a new number below `bound` at each place.
    #[inline]
    pub(crate) fn draw(&mut self, random: &mut Random, bound: u64) {
        for &place in &self.places {
            let mut left = random.below(bound);
            let room = self.bytes[place..place + RANDOM.len()].chunks_exact_mut(2).rev();
            for pair in room {
                pair.copy_from_slice(&PAIRS[usize::try_from(left % 100).unwrap_or(0)]);
                left /= 100;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders() {
        let words = [&b"set"[..], b"k:__rand_int__", b"<__data__>"];
        let words = words.map(|word| with_value(word, b"xyz")).to_vec();
        let request = Request::Words(words);
        let mut batch = Batch::new(&request, 2, true);
        batch.draw(&mut Random::from_seed(7), 1);
        let one = b"*3\r\n$3\r\nset\r\n$14\r\nk:000000000000\r\n$5\r\n<xyz>\r\n";
        assert_eq!(batch.bytes(), one.repeat(2));
        batch.draw(&mut Random::from_seed(7), 999_999_999_999);
        let (first, second) = batch.bytes().split_at(one.len());
        let number = |bytes: &[u8]| String::from_utf8_lossy(&bytes[20..32]).parse::<u64>().unwrap();
        let mut random = Random::from_seed(7);
        let drawn = [random.below(999_999_999_999), random.below(999_999_999_999)];
        assert_eq!([number(first), number(second)], drawn);
        let mut untouched = Batch::new(&request, 1, false);
        untouched.draw(&mut random, 5);
        assert!(untouched.bytes().windows(12).any(|window| window == RANDOM));
        assert_eq!(value(3).len(), 3);
    }
}
