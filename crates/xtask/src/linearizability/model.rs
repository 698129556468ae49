//! A plain model of a few commands: what each answers and leaves, one after the other.

use base::random::Random;
use std::collections::{BTreeMap, VecDeque};

/// The keys of strings.
const STRINGS: [&str; 2] = ["s0", "s1"];
/// The keys of lists.
const LISTS: [&str; 2] = ["l0", "l1"];
/// Seconds a blocking pop waits.
const WAIT: &str = "0.02";

/// A reply, as `wire::shown` prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Absence.
    Null,
    /// Anything else.
    Text(String),
}

impl Value {
    /// A printed reply.
    pub fn of(shown: &str) -> Value {
        if shown == "null" { Value::Null } else { Value::Text(shown.to_owned()) }
    }

    fn ok() -> Value {
        Value::Text("+OK".to_owned())
    }

    fn number(number: usize) -> Value {
        Value::Text(format!(":{number}"))
    }

    fn bulk(text: &str) -> Value {
        Value::Text(format!("{text:?}"))
    }

    fn list<'a>(items: impl Iterator<Item = &'a Value>) -> Value {
        let items: Vec<&str> = items
            .map(|item| match item {
                Value::Null => "null",
                Value::Text(text) => text,
            })
            .collect();
        Value::Text(format!("[{}]", items.join(", ")))
    }
}

/// A command, or a transaction.
#[derive(Clone, Debug)]
pub enum Op {
    /// SET with a text, or with one that expires at once.
    Set(&'static str, u64, bool),
    /// GET.
    Get(&'static str),
    /// INCR.
    Increment(&'static str),
    /// MSET of both strings.
    SetBoth(u64),
    /// MGET of both strings.
    GetBoth,
    /// DEL of a string and a list.
    Delete(&'static str, &'static str),
    /// RENAME of one string to the other.
    Rename,
    /// LPUSH.
    Push(&'static str, u64),
    /// RPOP.
    Pop(&'static str),
    /// LRANGE of all.
    Range(&'static str),
    /// LMOVE from the right end to the left.
    Move(&'static str, &'static str),
    /// BRPOP of both lists.
    BlockingPop,
    /// BLMOVE from the right end to the left.
    BlockingMove(&'static str, &'static str),
    /// MULTI, these, EXEC.
    Transaction(Vec<Op>),
}

fn one<'a>(random: &mut Random, of: &[&'a str; 2]) -> &'a str {
    of[usize::from(random.one_in(2))]
}

fn words(words: &[&str]) -> Vec<Vec<u8>> {
    words.iter().map(|word| word.as_bytes().to_vec()).collect()
}

impl Op {
    /// A drawn command.
    pub fn draw(random: &mut Random) -> Op {
        if random.one_in(6) {
            let count = 2 + random.below(2);
            return Op::Transaction((0..count).map(|_| Op::draw_plain(random)).collect());
        }
        Op::draw_plain(random)
    }

    fn draw_plain(random: &mut Random) -> Op {
        let (string, list, number) =
            (one(random, &STRINGS), one(random, &LISTS), random.below(100));
        match random.below(16) {
            0 => Op::Set(string, number, false),
            1 => Op::Set(string, number, true),
            2 | 3 => Op::Get(string),
            4 => Op::Increment(string),
            5 => Op::SetBoth(number),
            6 => Op::GetBoth,
            7 => Op::Delete(string, list),
            8 => Op::Rename,
            9 | 10 => Op::Push(list, number),
            11 => Op::Pop(list),
            12 => Op::Range(list),
            13 => Op::Move(list, one(random, &LISTS)),
            14 => Op::BlockingPop,
            _ => Op::BlockingMove(list, one(random, &LISTS)),
        }
    }

    /// The requests that make it; the last one's reply counts.
    pub fn requests(&self) -> Vec<Vec<Vec<u8>>> {
        let text = |number: &u64| number.to_string();
        let request = match self {
            Op::Set(key, number, false) => words(&["SET", key, &text(number)]),
            Op::Set(key, number, true) => words(&["SET", key, &text(number), "PX", "1"]),
            Op::Get(key) => words(&["GET", key]),
            Op::Increment(key) => words(&["INCR", key]),
            Op::SetBoth(number) => {
                words(&["MSET", STRINGS[0], &text(number), STRINGS[1], &text(number)])
            }
            Op::GetBoth => words(&["MGET", STRINGS[0], STRINGS[1]]),
            Op::Delete(string, list) => words(&["DEL", string, list]),
            Op::Rename => words(&["RENAME", STRINGS[0], STRINGS[1]]),
            Op::Push(list, number) => words(&["LPUSH", list, &text(number)]),
            Op::Pop(list) => words(&["RPOP", list]),
            Op::Range(list) => words(&["LRANGE", list, "0", "-1"]),
            Op::Move(from, to) => words(&["LMOVE", from, to, "RIGHT", "LEFT"]),
            Op::BlockingPop => words(&["BRPOP", LISTS[0], LISTS[1], WAIT]),
            Op::BlockingMove(from, to) => words(&["BLMOVE", from, to, "RIGHT", "LEFT", WAIT]),
            Op::Transaction(ops) => {
                let mut requests = vec![words(&["MULTI"])];
                requests.extend(ops.iter().flat_map(Op::requests));
                requests.push(words(&["EXEC"]));
                return requests;
            }
        };
        vec![request]
    }
}

/// What the keys hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct State {
    /// Texts, and whether they expire at once.
    strings: BTreeMap<&'static str, (String, bool)>,
    lists: BTreeMap<&'static str, VecDeque<u64>>,
}

impl State {
    /// This state, and those in which keys that expire have gone.
    pub fn and_expired(&self) -> Vec<State> {
        let mut states = vec![self.clone()];
        for key in STRINGS {
            if self.strings.get(key).is_some_and(|(_, expires)| *expires) {
                let mut fewer = states.clone();
                for state in &mut fewer {
                    state.strings.remove(key);
                }
                states.append(&mut fewer);
            }
        }
        states
    }

    /// Runs `op` and says whether it answers `reply`.
    pub fn explains(&mut self, op: &Op, reply: &Value) -> bool {
        // Who waited for two lists gets from the one that was filled first, though a transaction may
        // have filled the other too before it is served.
        if matches!(op, Op::BlockingPop)
            && let Some(number) = self.lists.get(LISTS[1]).and_then(VecDeque::back).copied()
            && *reply == Value::list([Value::bulk(LISTS[1]), bulk(number)].iter())
        {
            return self.pop(LISTS[1]).is_some();
        }
        self.run(op) == *reply
    }

    fn run(&mut self, op: &Op) -> Value {
        match op {
            Op::Set(key, number, expires) => {
                self.strings.insert(key, (number.to_string(), *expires));
                Value::ok()
            }
            Op::Get(key) => self.get(key),
            Op::Increment(key) => {
                let (text, expires) =
                    self.strings.get(key).cloned().unwrap_or_else(|| ("0".to_owned(), false));
                let number = text.parse::<u64>().unwrap_or(0) + 1;
                self.strings.insert(key, (number.to_string(), expires));
                Value::Text(format!(":{number}"))
            }
            Op::SetBoth(number) => {
                for key in STRINGS {
                    self.strings.insert(key, (number.to_string(), false));
                }
                Value::ok()
            }
            Op::GetBoth => Value::list([self.get(STRINGS[0]), self.get(STRINGS[1])].iter()),
            Op::Delete(string, list) => {
                let gone = usize::from(self.strings.remove(string).is_some());
                Value::number(gone + usize::from(self.lists.remove(list).is_some()))
            }
            Op::Rename => match self.strings.remove(STRINGS[0]) {
                Some(value) => {
                    self.strings.insert(STRINGS[1], value);
                    Value::ok()
                }
                None => Value::Text("-ERR no such key".to_owned()),
            },
            Op::Push(list, number) => {
                let list = self.lists.entry(list).or_default();
                list.push_front(*number);
                Value::number(list.len())
            }
            Op::Pop(list) => self.pop(list).map_or(Value::Null, bulk),
            Op::Range(list) => {
                let items = self.lists.get(list).into_iter().flatten();
                Value::list(items.map(|number| bulk(*number)).collect::<Vec<_>>().iter())
            }
            Op::Move(from, to) | Op::BlockingMove(from, to) => match self.pop(from) {
                Some(number) => {
                    self.lists.entry(to).or_default().push_front(number);
                    bulk(number)
                }
                None => Value::Null,
            },
            Op::BlockingPop => {
                for list in LISTS {
                    if let Some(number) = self.pop(list) {
                        return Value::list([Value::bulk(list), bulk(number)].iter());
                    }
                }
                Value::Null
            }
            Op::Transaction(ops) => {
                let replies: Vec<Value> = ops.iter().map(|op| self.run(op)).collect();
                Value::list(replies.iter())
            }
        }
    }

    fn get(&self, key: &str) -> Value {
        self.strings.get(key).map_or(Value::Null, |(text, _)| Value::bulk(text))
    }

    fn pop(&mut self, key: &'static str) -> Option<u64> {
        let list = self.lists.get_mut(key)?;
        let number = list.pop_back();
        if list.is_empty() {
            self.lists.remove(key);
        }
        number
    }
}

fn bulk(number: u64) -> Value {
    Value::bulk(&number.to_string())
}
