//! What is asked: requests as bytes, the key being the only part that changes.

use base::random::Random;

/// Bytes of every value.
const VALUE_BYTES: usize = 64;
/// Digits of a key's number.
const DIGITS: usize = 12;

/// A mix of commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// Reads of keys that exist.
    Get,
    /// Overwrites of keys that exist.
    Set,
    /// Counters that exist.
    Incr,
    /// Six reads, three overwrites and one counter in ten.
    Mix,
}

impl Workload {
    /// All of them, in the order of the table.
    pub const ALL: [Workload; 4] = [Workload::Get, Workload::Set, Workload::Incr, Workload::Mix];

    /// The name a table shows.
    pub fn name(self) -> &'static str {
        match self {
            Workload::Get => "GET",
            Workload::Set => "SET",
            Workload::Incr => "INCR",
            Workload::Mix => "MIX",
        }
    }
}

/// A request whose last digits of the key are written anew each time.
struct Template {
    bytes: Vec<u8>,
    digits_at: usize,
}

impl Template {
    fn new(command: &str, prefix: &str, value: Option<&str>) -> Template {
        let words = if value.is_some() { 3 } else { 2 };
        let head = format!(
            "*{words}\r\n${}\r\n{command}\r\n${}\r\n{prefix}",
            command.len(),
            prefix.len() + DIGITS
        );
        let tail = value.map_or(String::new(), |value| format!("${}\r\n{value}\r\n", value.len()));
        let digits_at = head.len();
        let text = [head, "0".repeat(DIGITS), "\r\n".to_owned(), tail].concat();
        Template { bytes: text.into_bytes(), digits_at }
    }

    fn append(&self, to: &mut Vec<u8>, mut number: u64) {
        let start = to.len() + self.digits_at;
        to.extend_from_slice(&self.bytes);
        for digit in to[start..start + DIGITS].iter_mut().rev() {
            *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
            number /= 10;
        }
    }
}

/// Writes requests of one workload.
pub struct Requests {
    workload: Workload,
    keys: u64,
    random: Random,
    get: Template,
    set: Template,
    incr: Template,
}

impl Requests {
    /// Requests over so many keys, drawn from `seed`.
    pub fn new(workload: Workload, keys: u64, seed: u64) -> Requests {
        Requests {
            workload,
            keys,
            random: Random::from_seed(seed),
            get: Template::new("GET", "key:", None),
            set: Template::new("SET", "key:", Some(&"v".repeat(VALUE_BYTES))),
            incr: Template::new("INCR", "cnt:", None),
        }
    }

    /// Appends `count` requests to `to`.
    pub fn append(&mut self, to: &mut Vec<u8>, count: usize) {
        for _ in 0..count {
            let key = self.random.below(self.keys);
            let template = match self.workload {
                Workload::Get => &self.get,
                Workload::Set => &self.set,
                Workload::Incr => &self.incr,
                Workload::Mix => match self.random.below(10) {
                    0..6 => &self.get,
                    6..9 => &self.set,
                    _ => &self.incr,
                },
            };
            template.append(to, key);
        }
    }

    /// Appends the requests that create key `number` of each kind.
    pub fn create(&self, to: &mut Vec<u8>, number: u64) {
        self.set.append(to, number);
        self.incr.append(to, number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_what_a_client_would_send() {
        let mut bytes = Vec::new();
        Requests::new(Workload::Get, 1, 1).create(&mut bytes, 42);
        let text = String::from_utf8(bytes).unwrap();
        let value = "v".repeat(64);
        let expected = format!(
            "*3\r\n$3\r\nSET\r\n$16\r\nkey:000000000042\r\n$64\r\n{value}\r\n\
             *2\r\n$4\r\nINCR\r\n$16\r\ncnt:000000000042\r\n"
        );
        assert_eq!(text, expected);
    }
}
