//! Random commands against a model: a plain map, whose answers are worked out word by word from the
//! commands' documentation. What the commands log is applied by a replica, which must come to hold the
//! same, expired keys included.
//!
//! Expiries are absolute and either long past or far ahead, so that no clock decides a reply.

use crate::harness::Server;
use base::Millis;
use base::random::Random;
use std::collections::BTreeMap;

/// Commands in one run.
const COMMANDS: usize = 20_000;
/// Unix milliseconds that have passed.
const PAST: &str = "1";
/// Unix milliseconds far ahead.
const AHEAD: &str = "99999999999000";

const NOT_INTEGER: &str = "-ERR value is not an integer or out of range\r\n";
const OVERFLOW: &str = "-ERR increment or decrement would overflow\r\n";
const NO_SUCH_KEY: &str = "-ERR no such key\r\n";

#[derive(Clone)]
struct Value {
    text: String,
    until: Option<&'static str>,
}

#[derive(Default)]
struct Model(BTreeMap<String, Value>);

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

fn number(n: i64) -> String {
    format!(":{n}\r\n")
}

fn len(n: usize) -> String {
    format!(":{n}\r\n")
}

/// An integer as INCR accepts it: exactly as it would be written.
fn integer(text: &str) -> Option<i64> {
    text.parse().ok().filter(|n: &i64| n.to_string() == text)
}

impl Model {
    fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(|value| value.text.as_str())
    }

    fn answer_text(&self, key: &str) -> String {
        self.text(key).map_or("$-1\r\n".into(), bulk)
    }

    fn put(&mut self, key: &str, text: &str, until: Option<&'static str>) {
        if until == Some(PAST) {
            self.0.remove(key);
        } else {
            self.0.insert(key.into(), Value { text: text.into(), until });
        }
    }

    fn rewrite(&mut self, key: &str, text: &str) {
        let until = self.0.get(key).and_then(|value| value.until);
        self.put(key, text, until);
    }

    fn set(&mut self, key: &str, text: &str, options: &[&str]) -> String {
        let (has, there) = (|word: &str| options.contains(&word), self.0.contains_key(key));
        let before = self.answer_text(key);
        let answered = |fallback: &str| if has("GET") { before.clone() } else { fallback.into() };
        if (has("NX") && there) || (has("XX") && !there) {
            return answered("$-1\r\n");
        }
        let kept = self.0.get(key).and_then(|value| value.until).filter(|_| has("KEEPTTL"));
        let until = if has(PAST) { Some(PAST) } else { has(AHEAD).then_some(AHEAD) };
        self.put(key, text, until.or(kept));
        answered("+OK\r\n")
    }

    fn add(&mut self, key: &str, by: i64) -> String {
        let Some(before) = integer(self.text(key).unwrap_or("0")) else {
            return NOT_INTEGER.into();
        };
        let Some(sum) = before.checked_add(by) else { return OVERFLOW.into() };
        self.rewrite(key, &sum.to_string());
        number(sum)
    }

    fn expire(&mut self, key: &str, until: &'static str) {
        if let Some(value) = self.0.get_mut(key) {
            value.until = Some(until);
            if until == PAST {
                self.0.remove(key);
            }
        }
    }

    fn rename(&mut self, from: &str, to: &str) {
        if let Some(value) = self.0.remove(from) {
            self.0.insert(to.into(), value);
        }
    }

    fn overwrite(&mut self, key: &str, at: usize, piece: &str) -> String {
        let before = self.text(key).unwrap_or_default().to_owned();
        if piece.is_empty() {
            return len(before.len());
        }
        let mut after = before.into_bytes();
        after.resize(after.len().max(at + piece.len()), 0);
        after[at..at + piece.len()].copy_from_slice(piece.as_bytes());
        let after = String::from_utf8(after).expect("only ASCII is used");
        self.rewrite(key, &after);
        len(after.len())
    }

    fn strings(&mut self, words: &[&str]) -> Option<String> {
        Some(match *words {
            ["set", key, text, ref options @ ..] => self.set(key, text, options),
            ["get", key] => self.answer_text(key),
            ["getset", key, text] => self.set(key, text, &["GET"]),
            ["getdel", key] => {
                let before = self.answer_text(key);
                self.0.remove(key);
                before
            }
            ["setnx", key, text] => {
                let set = self.set(key, text, &["NX"]) == "+OK\r\n";
                number(i64::from(set))
            }
            ["getex", key, ref options @ ..] => {
                let before = self.answer_text(key);
                match (options, self.0.get_mut(key)) {
                    (["persist"], Some(value)) => value.until = None,
                    (["pxat", at], Some(_)) => {
                        self.expire(key, if *at == PAST { PAST } else { AHEAD });
                    }
                    _ => {}
                }
                before
            }
            ["mset", one, text, other, text2] => {
                self.put(one, text, None);
                self.put(other, text2, None);
                "+OK\r\n".into()
            }
            ["msetnx", one, text, other, text2] => {
                let free = !self.0.contains_key(one) && !self.0.contains_key(other);
                if free {
                    self.put(one, text, None);
                    self.put(other, text2, None);
                }
                number(i64::from(free))
            }
            ["mget", one, other] => {
                format!("*2\r\n{}{}", self.answer_text(one), self.answer_text(other))
            }
            ["append", key, tail] => {
                let after = self.text(key).unwrap_or_default().to_owned() + tail;
                self.rewrite(key, &after);
                len(after.len())
            }
            ["strlen", key] => len(self.text(key).map_or(0, str::len)),
            ["setrange", key, at, piece] => self.overwrite(key, at.parse().ok()?, piece),
            ["getrange", key, start, "-1"] => {
                let text = self.text(key).unwrap_or_default();
                bulk(text.get(start.parse().ok()?..).unwrap_or_default())
            }
            ["incr", key] => self.add(key, 1),
            ["decr", key] => self.add(key, -1),
            ["incrby", key, by] => self.add(key, by.parse().ok()?),
            ["decrby", key, by] => self.add(key, -by.parse::<i64>().ok()?),
            _ => return None,
        })
    }

    fn keys(&mut self, words: &[&str]) -> Option<String> {
        Some(match *words {
            ["del" | "unlink", one, other] => {
                let removed = [one, other].map(|key| i64::from(self.0.remove(key).is_some()));
                number(removed.iter().sum())
            }
            ["exists", one, other] => {
                number([one, other].map(|key| i64::from(self.0.contains_key(key))).iter().sum())
            }
            ["rename", from, to] => {
                if !self.0.contains_key(from) {
                    return Some(NO_SUCH_KEY.into());
                }
                self.rename(from, to);
                "+OK\r\n".into()
            }
            ["renamenx", from, to] => {
                if !self.0.contains_key(from) {
                    return Some(NO_SUCH_KEY.into());
                }
                let free = !self.0.contains_key(to);
                if free {
                    self.rename(from, to);
                }
                number(i64::from(free))
            }
            ["copy", from, to, ref options @ ..] => {
                if from == to {
                    return Some("-ERR source and destination objects are the same\r\n".into());
                }
                let free = !options.is_empty() || !self.0.contains_key(to);
                let copied = self.0.get(from).filter(|_| free).cloned();
                let done = copied.map(|value| self.0.insert(to.into(), value)).is_some();
                number(i64::from(done))
            }
            ["pexpireat", key, at] => {
                let there = self.0.contains_key(key);
                self.expire(key, if at == PAST { PAST } else { AHEAD });
                number(i64::from(there))
            }
            ["persist", key] => {
                let until = self.0.get_mut(key).and_then(|value| value.until.take());
                number(i64::from(until.is_some()))
            }
            ["pexpiretime", key] => match self.0.get(key) {
                None => ":-2\r\n".into(),
                Some(Value { until: None, .. }) => ":-1\r\n".into(),
                Some(Value { until: Some(at), .. }) => format!(":{at}\r\n"),
            },
            ["type", key] => {
                if self.0.contains_key(key) { "+string\r\n" } else { "+none\r\n" }.into()
            }
            _ => return None,
        })
    }
}

/// Draws commands.
pub(crate) struct Draw(pub(crate) Random);

impl Draw {
    /// One of `choices`.
    pub(crate) fn one<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[usize::try_from(self.0.below(choices.len() as u64)).expect("an index")]
    }

    fn key(&mut self) -> String {
        let tag = self.one(&["", "", "{a}"]);
        format!("{tag}k{}", self.0.below(8))
    }

    fn text(&mut self) -> String {
        match self.0.below(8) {
            0 => String::new(),
            1 => "x".repeat(usize::try_from(self.0.below(9000)).expect("a length")),
            2 => self.one(&["9223372036854775807", "-9223372036854775808", "007", "-0"]).into(),
            3 | 4 => self.0.below(100).to_string(),
            _ => format!("text{}", self.0.below(1000)),
        }
    }

    /// A command of the model.
    pub(crate) fn command(&mut self) -> Vec<String> {
        let name = self.one(&[
            "set",
            "set",
            "set",
            "get",
            "getset",
            "getdel",
            "setnx",
            "getex",
            "mset",
            "msetnx",
            "mget",
            "append",
            "strlen",
            "setrange",
            "getrange",
            "incr",
            "decr",
            "incrby",
            "decrby",
            "del",
            "unlink",
            "exists",
            "rename",
            "renamenx",
            "copy",
            "pexpireat",
            "persist",
            "pexpiretime",
            "type",
        ]);
        let mut words = vec![name.to_owned(), self.key()];
        match name {
            "set" => {
                words.push(self.text());
                words.extend(self.set_options());
            }
            "getset" | "setnx" | "append" => words.push(self.text()),
            "getex" => {
                let options = self.one(&["", "persist", "pxat 1", "pxat 99999999999000"]);
                words.extend(options.split_whitespace().map(str::to_owned));
            }
            "mset" | "msetnx" => words.extend([self.text(), self.key(), self.text()]),
            "mget" | "del" | "unlink" | "exists" | "rename" | "renamenx" => words.push(self.key()),
            "copy" => {
                words.push(self.key());
                words.extend(self.0.one_in(2).then(|| "replace".to_owned()));
            }
            "setrange" => words.extend([self.0.below(50).to_string(), self.text()]),
            "getrange" => words.extend([self.0.below(50).to_string(), "-1".into()]),
            "incrby" | "decrby" => {
                words.push(self.one(&["5", "-7", "9223372036854775807", "0"]).into());
            }
            "pexpireat" => words.push(self.one(&[PAST, AHEAD]).into()),
            _ => {}
        }
        words
    }

    fn set_options(&mut self) -> Vec<String> {
        let condition = self.one(&["", "", "NX", "XX"]);
        let get = self.one(&["", "", "GET"]);
        let expiry = self.one(&["", "", "KEEPTTL", "PXAT 1", "PXAT 99999999999000"]);
        let options = [condition, get, expiry].join(" ");
        options.split_whitespace().map(str::to_owned).collect()
    }
}

fn run(seed: u64) {
    let (mut server, mut replica) = (Server::new(), Server::new());
    replica.follow("127.0.0.1", 1);
    let mut link = replica.session_of_primary();
    let (mut model, mut draw) = (Model::default(), Draw(Random::from_seed(seed)));
    for step in 0..COMMANDS {
        let owned = draw.command();
        let words: Vec<&str> = owned.iter().map(String::as_str).collect();
        let bytes: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        let expected =
            model.strings(&words).or_else(|| model.keys(&words)).expect("a known command");
        let reply = String::from_utf8(server.run(&bytes).0).expect("only ASCII is used");
        assert_eq!(reply, expected, "seed {seed}, step {step}: {words:?}");
        replica.apply_stream(&mut link, &server.logged_words());
    }
    let held = server.contents();
    let live = held.values().filter(|(_, at)| at.is_none_or(|at| at > Millis(1))).count();
    assert_eq!(live, model.0.len(), "seed {seed}");
    assert_eq!(replica.contents(), held, "seed {seed}: what the log makes of a replica");
}

#[test]
fn random_commands_agree_with_the_model() {
    for seed in [1, 2] {
        run(seed);
    }
}
