//! Drawing commands from shapes: few keys, so that each meets what others left; mostly plain arguments,
//! now and then odd ones.

use base::random::Random;

/// How the replies to a command are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// To the byte.
    Exact,
    /// Arrays without their order.
    Unordered,
    /// Arrays of pairs without the order of the pairs.
    Pairs,
    /// Integers are of the clock.
    Numbers,
    /// Only whether both failed.
    Failed,
}

/// A command to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its words.
    pub words: Vec<Vec<u8>>,
    /// How its replies are compared.
    pub mark: Mark,
}

impl Step {
    /// A command whose replies must be alike.
    pub fn new(words: &[&str]) -> Step {
        let words = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        Step { words, mark: Mark::Exact }
    }

    /// As a person would type it.
    pub fn shown(&self) -> String {
        let word = |word: &Vec<u8>| {
            let plain = !word.is_empty() && word.iter().all(u8::is_ascii_graphic);
            let text = String::from_utf8_lossy(word).into_owned();
            if plain { text } else { format!("{text:?}") }
        };
        let text = self.words.iter().map(word).collect::<Vec<_>>().join(" ");
        text.chars().take(SHOWN_MAX).collect()
    }
}

/// Letters of a command that are shown.
const SHOWN_MAX: usize = 400;
/// How many elements `*` draws at most.
const MANY_MAX: u64 = 300;

const INTEGERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "2",
    "7",
    "-3",
    "100",
    "5000",
    "4102444800",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "abc",
    "",
    "1.5",
    " 1",
];
const FLOATS: &[&str] = &[
    "0",
    "1.5",
    "-2.25",
    "0.1",
    "1e3",
    "5.0e-3",
    "3.14159265358979",
    "-0",
    "nan",
    "inf",
    "x",
    "10.50",
    "123456789012345678",
];
const TEXTS: &[&str] = &[
    "",
    "a",
    "hello",
    "10",
    "007",
    "3.0",
    "-5",
    "9223372036854775807",
    "0.25",
    "ohmytext",
    "mynewtext",
    "a longer text that does not fit into the forty-four bytes of a short one",
];
const ELEMENTS: &[&str] = &[
    "a",
    "b",
    "c",
    "d",
    "e",
    "1",
    "2",
    "10",
    "-1",
    "007",
    "3.5",
    "",
    "4000000000",
    "\u{1}\r\n",
    "a member that is longer than the sixty-four bytes that a packed one may have",
];
const SCORES: &[&str] = &["0", "1", "2", "2", "-1", "3.5", "0.1", "1e20", "inf", "-inf"];
const ODD_SCORES: &[&str] = &["nan", "x", ""];
const BOUNDS: &[&str] = &["-inf", "+inf", "0", "1", "(1", "(2", "2", "3.5", "(-1"];
const LEXES: &[&str] = &["-", "+", "[a", "(a", "[b", "(d", "[", "[10"];
const IDS: &[&str] = &["0-1", "1-0", "1-1", "2-0", "3", "5-5", "7-1", "0", "9-9"];
// No span ends while a run goes on: two servers would not forget a key at the same moment.
const SPANS: &[&str] = &["90000", "100000", "500000", "360000"];
const ODD_SPANS: &[&str] = &["0", "-1", "x", "9223372036854775807", "1.5"];
const POINTS: &[&str] =
    &["13.361389 38.115556", "15.087269 37.502669", "0 0", "-122.4 37.7", "179.9 1"];
const UNITS: &[&str] = &["m", "km", "mi", "ft"];

/// Draws commands of some shapes.
pub struct Draw {
    random: Random,
    shapes: Vec<&'static str>,
}

impl Draw {
    /// Draws from `shapes`; everything follows from `seed`.
    pub fn new(seed: u64, shapes: Vec<&'static str>) -> Draw {
        Draw { random: Random::from_seed(seed), shapes }
    }

    /// Commands that belong together: mostly one, now and then a transaction.
    pub fn next(&mut self) -> Vec<Step> {
        if !self.random.one_in(40) {
            return vec![self.step()];
        }
        let mut steps = vec![Step::new(&["MULTI"])];
        for _ in 0..=self.random.below(5) {
            // The replies of a transaction come as one, so each must be comparable as it is.
            let step = self.step();
            if step.mark == Mark::Exact {
                steps.push(step);
            }
        }
        steps.push(Step::new(&[if self.random.one_in(8) { "DISCARD" } else { "EXEC" }]));
        steps
    }

    fn step(&mut self) -> Step {
        let shape = self.pick_shape();
        let (mark, shape) = match shape.split_at(1) {
            ("=", rest) => (Mark::Unordered, rest),
            ("%", rest) => (Mark::Pairs, rest),
            ("@", rest) => (Mark::Numbers, rest),
            ("~", rest) => (Mark::Failed, rest),
            _ => (Mark::Exact, shape),
        };
        let mut words = Vec::new();
        self.sequence(&mut shape.trim_start(), &mut words, true);
        // BITCOUNT with a start alone is for later versions than 7.0; what has no word has no reply.
        let may_be_short = words.len() > 1 && words.first().is_none_or(|name| name != b"BITCOUNT");
        let is_short = self.random.one_in(200) && may_be_short && words.pop().is_some();
        let of_stream = words.first().is_some_and(|name| name.starts_with(b"X"));
        let mark = if is_short && of_stream { Mark::Failed } else { mark };
        Step { words, mark }
    }

    fn pick_shape(&mut self) -> &'static str {
        let at = self.index(self.shapes.len());
        self.shapes[at]
    }

    /// Reads words up to the end of a group, or of the shape; they are drawn if `wanted`.
    fn sequence(&mut self, rest: &mut &str, words: &mut Vec<Vec<u8>>, wanted: bool) {
        loop {
            *rest = rest.trim_start();
            match rest.as_bytes().first() {
                None | Some(b'|' | b')' | b']') => return,
                Some(b'(') => self.group(rest, words, wanted, false),
                Some(b'[') => self.group(rest, words, wanted, true),
                Some(_) => {
                    let end = rest.find([' ', '|', ')', ']', '[', '(']).unwrap_or(rest.len());
                    let word = &rest[..end];
                    *rest = &rest[end..];
                    if wanted {
                        self.word(word, words);
                    }
                }
            }
        }
    }

    fn group(&mut self, rest: &mut &str, words: &mut Vec<Vec<u8>>, wanted: bool, optional: bool) {
        let choices = choices(rest);
        let drawn = self.index(choices + usize::from(optional));
        for choice in 0..choices {
            // Behind the opening bracket, or behind the bar.
            *rest = &rest[1..];
            self.sequence(rest, words, wanted && choice == drawn);
        }
        *rest = rest.get(1..).unwrap_or_default();
    }

    fn word(&mut self, word: &str, words: &mut Vec<Vec<u8>>) {
        let Some((before, name)) = word.split_once('$').filter(|(head, _)| !head.ends_with('\\'))
        else {
            words.push(word.trim_start_matches('\\').as_bytes().to_vec());
            return;
        };
        // With a tail that is no repetition: "$count-*".
        let (name, tail) = name.strip_suffix("-*").map_or((name, ""), |name| (name, "-*"));
        let (name, count) = match name.as_bytes().last() {
            Some(b'+') => (&name[..name.len() - 1], 1 + self.random.below(4)),
            Some(b'*') => (&name[..name.len() - 1], self.many()),
            _ => (name, 1),
        };
        for _ in 0..count {
            let first = words.len();
            self.value(name, count > 20, words);
            if let Some(word) = words.get_mut(first) {
                word.splice(0..0, before.bytes());
                word.extend_from_slice(tail.as_bytes());
            }
        }
    }

    fn many(&mut self) -> u64 {
        let most = if self.random.one_in(30) { MANY_MAX } else { 5 };
        1 + self.random.below(most)
    }

    fn value(&mut self, name: &str, many: bool, words: &mut Vec<Vec<u8>>) {
        let odd = self.random.one_in(25);
        match name {
            "pair" => {
                self.value("field", many, words);
                self.value("element", many, words);
            }
            "scored" => {
                self.value("score", many, words);
                self.value("element", many, words);
            }
            // Ranges by name are defined only among members of one score.
            "level" => {
                words.push(b"0".to_vec());
                self.value("element", many, words);
            }
            // An element lies where its name says, so that no two are equally far from anything.
            "place" => {
                self.value("element", many, words);
                let element = words.last().cloned().unwrap_or_default();
                let at =
                    element.iter().fold(7_u32, |sum, &byte| sum.wrapping_mul(31) + u32::from(byte));
                let (east, north) = (at % 36_000, at / 36_000 % 16_000);
                let degrees = |hundredths: u32, middle: u32| {
                    let sign = if hundredths < middle { "-" } else { "" };
                    let off = hundredths.abs_diff(middle);
                    format!("{sign}{}.{:02}", off / 100, off % 100).into_bytes()
                };
                let place = [degrees(east, 18_000), degrees(north, 8_000)];
                let before = words.len() - 1;
                words.splice(before..before, place);
            }
            "point" => {
                let point = self.pick(POINTS);
                words.extend(point.split(' ').map(|word| word.as_bytes().to_vec()));
            }
            _ => {
                let word = self.scalar(name, odd, many);
                words.push(word);
            }
        }
    }

    fn scalar(&mut self, name: &str, odd: bool, many: bool) -> Vec<u8> {
        let text: &str = match name {
            "element" | "field" if many => {
                return format!("e{}", self.random.below(2 * MANY_MAX)).into_bytes();
            }
            "number" => return self.random.below(2 * MANY_MAX).to_string().into_bytes(),
            "index" if !odd => return self.between(-6, 12),
            "offset" => return self.between(-6, 12),
            "count" if !odd => return self.between(0, 6),
            "bit" if !odd => return self.between(0, 70),
            // Stock wraps around where it saturates the least of all integers.
            "addend" => self.pick(&["0", "1", "-3", "100", "5000", "4102444800", "abc", ""]),
            "seq" => return self.between(0, 9),
            "slot" => return self.between(0, 2),
            "bit" => self.pick(&["-1", "abc", "", "4294967296", "1.5", "5000"]),
            "radius" => return self.between(0, 3000),
            "weight" => self.pick(&["1", "2", "-1", "0.5"]),
            "integer" | "index" | "count" => self.pick(INTEGERS),
            "float" => self.pick(FLOATS),
            "text" => self.pick(TEXTS),
            "element" => self.pick(ELEMENTS),
            "field" => self.pick(&["a", "b", "c", "d", "10", "n"]),
            "score" if odd => self.pick(ODD_SCORES),
            "score" => self.pick(SCORES),
            "bound" if odd => self.pick(&["x", "(", "(nan"]),
            "bound" => self.pick(BOUNDS),
            "lex" if odd => self.pick(&["a", "", "(+"]),
            "lex" => self.pick(LEXES),
            "id" if odd => self.pick(&["x", "1-x", "-1"]),
            "id" => self.pick(IDS),
            "range" if odd => self.pick(&["(1-1", "x", "(0"]),
            "range" => self.pick(&["-", "+", "1", "2-0", "5-5", "0", "7"]),
            "span" if odd => self.pick(ODD_SPANS),
            "span" => self.pick(SPANS),
            "unit" => self.pick(UNITS),
            "group" => self.pick(&["g", "h"]),
            "consumer" => self.pick(&["alice", "bob"]),
            _ => return self.key(name),
        };
        text.as_bytes().to_vec()
    }

    fn key(&mut self, name: &str) -> Vec<u8> {
        const TYPES: [&str; 7] = ["string", "list", "set", "hash", "zset", "stream", "log"];
        let stray =
            name == "any" || self.random.one_in(30) && !name.ends_with("full") && name != "flat";
        let name = if stray { self.pick(&TYPES) } else { name };
        format!("{name}-{}", self.random.below(3)).into_bytes()
    }

    fn between(&mut self, least: i64, most: i64) -> Vec<u8> {
        let span = u64::try_from(most - least + 1).unwrap_or(1);
        let above = i64::try_from(self.random.below(span)).unwrap_or(0);
        (least + above).to_string().into_bytes()
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.index(from.len())]
    }

    fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.random.below(len as u64)).unwrap_or(0)
    }
}

/// How many choices the group at the beginning of `text` has.
fn choices(text: &str) -> usize {
    let (mut depth, mut count) = (0, 1);
    for letter in text.chars() {
        match letter {
            '(' | '[' => depth += 1,
            ')' | ']' if depth == 1 => break,
            ')' | ']' => depth -= 1,
            '|' if depth == 1 => count += 1,
            _ => {}
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn shapes_are_drawn_whole() {
        let mut draw = Draw::new(1, vec!["= (A|B [C|D E]) F"]);
        let drawn: BTreeSet<String> = (0..200)
            .map(|_| draw.step())
            .filter(|step| step.words.len() > 1 || step.words.last().unwrap() == b"F")
            .map(|step| step.shown())
            .collect();
        let expected = ["A F", "B C F", "B D E F", "B F"];
        assert!(expected.iter().all(|line| drawn.contains(*line)), "{drawn:?}");
    }

    #[test]
    fn pools_and_repetitions() {
        let mut draw = Draw::new(2, vec!["X $pair+ $count-* #$count \\$"]);
        let step = draw.step();
        let words: Vec<String> =
            step.words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect();
        assert_eq!(words.last().unwrap(), "$");
        assert!(words[words.len() - 2].starts_with('#'));
        assert!(words[words.len() - 3].ends_with("-*"));
        assert_eq!(words.len() % 2, 0);
    }
}
