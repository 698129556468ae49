//! What is asked: requests as bytes, in which only numbers change, and the data they want.
//!
//! A request is a line of words; within a word stand for
//!
//! ```text
//! {key}     a number below the number of keys, twelve digits
//! {tenth}   a tenth of such a number, twelve digits
//! {digit}   the last digit of such a number
//! {value}   64 bytes
//! {text}    16 bytes
//! ```
//!
//! Each number is drawn anew, or they are all the same one when data is filled in.

use base::random::Random;

/// Bytes of `{value}`.
pub const VALUE_BYTES: usize = 64;
/// Bytes of `{text}`.
const TEXT_BYTES: usize = 16;
/// Digits of a key's number.
const DIGITS: usize = 12;
/// Pairs of an MSET.
const MSET: &str = "MSET key:{key} {value} key:{key} {value} key:{key} {value} key:{key} {value} \
                    key:{key} {value} key:{key} {value} key:{key} {value} key:{key} {value} \
                    key:{key} {value} key:{key} {value}";

/// Data that a workload wants: a request for each number below a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Data {
    /// The request.
    pub request: &'static str,
    /// The count; that of the keys if there is none.
    pub count: Option<u64>,
}

/// What a list or stream must be before it is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// As it is.
    Anything,
    /// Absent.
    Absent(&'static str),
    /// So long that it does not run out.
    LongList(&'static str),
}

/// A mix of commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload {
    /// The name a table shows.
    pub name: &'static str,
    /// Requests with their shares of ten.
    requests: &'static [(u64, &'static str)],
    /// What must be there.
    pub data: &'static [Data],
    /// What is done before each measurement.
    pub before: Before,
    /// Numbers count up from zero instead of being drawn.
    counts: bool,
}

const STRINGS: Data = Data { request: "SET key:{key} {value}", count: None };
const COUNTERS: Data = Data { request: "INCR cnt:{key}", count: None };

impl Workload {
    const fn new(
        name: &'static str,
        requests: &'static [(u64, &'static str)],
        data: &'static [Data],
    ) -> Workload {
        Workload { name, requests, data, before: Before::Anything, counts: false }
    }

    /// Numbers from zero on in the place of drawn ones.
    pub const fn inserting(requests: &'static [(u64, &'static str)]) -> Workload {
        Workload { counts: true, ..Workload::new("insert", requests, &[]) }
    }

    const fn with(mut self, before: Before) -> Workload {
        self.before = before;
        self
    }
}

/// Reads of keys that exist.
pub const GET: Workload = Workload::new("GET", &[(10, "GET key:{key}")], &[STRINGS]);
/// Overwrites of keys that exist.
pub const SET: Workload = Workload::new("SET", &[(10, "SET key:{key} {value}")], &[STRINGS]);
/// Counters that exist.
pub const INCR: Workload = Workload::new("INCR", &[(10, "INCR cnt:{key}")], &[COUNTERS]);
/// Six reads, three overwrites and one counter in ten.
pub const MIX: Workload = Workload::new(
    "MIX",
    &[(6, "GET key:{key}"), (3, "SET key:{key} {value}"), (1, "INCR cnt:{key}")],
    &[STRINGS, COUNTERS],
);

/// Commands of the other types, of which the mean is taken. Hash and set are one large one each, all of
/// whose members exist; sorted sets are many of ten members; list and stream begin empty, except that
/// RPOP has enough to take.
pub const COMMANDS: [Workload; 9] = [
    INCR,
    Workload::new("LPUSH", &[(10, "LPUSH list {text}")], &[]).with(Before::Absent("list")),
    Workload::new("RPOP", &[(10, "RPOP list")], &[]).with(Before::LongList("list")),
    Workload::new(
        "HSET",
        &[(10, "HSET hash element:{key} {value}")],
        &[Data { request: "HSET hash element:{key} {value}", count: None }],
    ),
    Workload::new(
        "SADD",
        &[(10, "SADD set element:{key}")],
        &[Data { request: "SADD set element:{key}", count: None }],
    ),
    Workload::new(
        "ZADD",
        &[(10, "ZADD zset:{tenth} {key} member:{digit}")],
        &[Data { request: "ZADD zset:{tenth} {key} member:{digit}", count: None }],
    ),
    Workload::new("XADD", &[(10, "XADD stream * field {text}")], &[])
        .with(Before::Absent("stream")),
    Workload::new("MSET (10)", &[(10, MSET)], &[STRINGS]),
    Workload::new(
        "LRANGE 100",
        &[(10, "LRANGE range 0 99")],
        &[Data { request: "RPUSH range {text}", count: Some(1000) }],
    ),
];

/// New scores for members of one large sorted set.
pub const ZADD_BIG: Workload = Workload::new(
    "ZADD, one big",
    &[(10, "ZADD zset {key} element:{key}")],
    &[Data { request: "ZADD zset {key} element:{key}", count: None }],
);

/// What stands for a number, and how many digits it takes.
#[derive(Clone, Copy, Debug)]
enum Number {
    Key,
    Tenth,
    Digit,
}

impl Number {
    fn digits(self) -> usize {
        if matches!(self, Number::Digit) { 1 } else { DIGITS }
    }

    fn of(self, number: u64) -> u64 {
        match self {
            Number::Key => number,
            Number::Tenth => number / 10,
            Number::Digit => number % 10,
        }
    }
}

/// A request with the places of its numbers.
#[derive(Clone, Debug)]
pub struct Template {
    bytes: Vec<u8>,
    places: Vec<(usize, Number)>,
}

impl Template {
    /// The request that `line` says.
    pub fn new(line: &str) -> Template {
        let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
        let mut template =
            Template { bytes: format!("*{}\r\n", words.len()).into_bytes(), places: Vec::new() };
        for word in words {
            template.add(word);
        }
        template
    }

    fn add(&mut self, word: &str) {
        let mut text = word
            .replace("{value}", &"v".repeat(VALUE_BYTES))
            .replace("{text}", &"t".repeat(TEXT_BYTES));
        let mut place = None;
        for (name, number) in
            [("{key}", Number::Key), ("{tenth}", Number::Tenth), ("{digit}", Number::Digit)]
        {
            // A word holds one number at most.
            if let Some(at) = text.find(name) {
                text = text.replacen(name, &"0".repeat(number.digits()), 1);
                place = Some((at, number));
            }
        }
        self.bytes.extend_from_slice(format!("${}\r\n", text.len()).as_bytes());
        let start = self.bytes.len();
        self.places.extend(place.map(|(at, number)| (start + at, number)));
        self.bytes.extend_from_slice(text.as_bytes());
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// Appends the request with the numbers that `next` gives.
    pub fn append(&self, to: &mut Vec<u8>, mut next: impl FnMut() -> u64) {
        let start = to.len();
        to.extend_from_slice(&self.bytes);
        for &(at, number) in &self.places {
            let mut left = number.of(next());
            for digit in to[start + at..][..number.digits()].iter_mut().rev() {
                *digit = b'0' + u8::try_from(left % 10).unwrap_or(0);
                left /= 10;
            }
        }
    }
}

/// Writes requests of one workload.
pub struct Requests {
    templates: Vec<(u64, Template)>,
    keys: u64,
    random: Random,
    /// The next number, if they count up.
    next: Option<u64>,
}

impl Requests {
    /// Requests over so many keys, drawn from `seed`.
    pub fn new(workload: &Workload, keys: u64, seed: u64) -> Requests {
        let templates = workload.requests.iter();
        Requests {
            templates: templates.map(|(share, line)| (*share, Template::new(line))).collect(),
            keys,
            random: Random::from_seed(seed),
            next: workload.counts.then_some(0),
        }
    }

    /// Appends `count` requests to `to`.
    pub fn append(&mut self, to: &mut Vec<u8>, count: usize) {
        for _ in 0..count {
            let mut drawn = if self.templates.len() > 1 { self.random.below(10) } else { 0 };
            let chosen = self.templates.iter().find(|(share, _)| {
                let here = drawn < *share;
                drawn = drawn.saturating_sub(*share);
                here
            });
            if let Some((_, template)) = chosen {
                template.append(to, || match &mut self.next {
                    Some(next) => {
                        *next += 1;
                        *next - 1
                    }
                    None => self.random.below(self.keys),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_what_a_client_would_send() {
        let value = "v".repeat(VALUE_BYTES);
        let set = format!("*3\r\n$3\r\nSET\r\n$16\r\nkey:000000000042\r\n$64\r\n{value}\r\n");
        for (line, expected) in [
            ("SET key:{key} {value}", set.as_str()),
            ("INCR cnt:{key}", "*2\r\n$4\r\nINCR\r\n$16\r\ncnt:000000000042\r\n"),
            (
                "X {key} z:{tenth} m:{digit}",
                "*4\r\n$1\r\nX\r\n$12\r\n000000000042\r\n$14\r\nz:000000000004\r\n$3\r\nm:2\r\n",
            ),
        ] {
            let mut bytes = Vec::new();
            Template::new(line).append(&mut bytes, || 42);
            assert_eq!(String::from_utf8(bytes).unwrap(), expected);
        }
    }

    #[test]
    fn shares_are_kept() {
        let mut bytes = Vec::new();
        Requests::new(&MIX, 1, 1).append(&mut bytes, 1000);
        let text = String::from_utf8(bytes).unwrap();
        for (name, range) in [("GET", 550..650), ("SET", 250..350), ("INCR", 70..130)] {
            assert!(range.contains(&text.matches(name).count()), "{name}");
        }
    }
}
