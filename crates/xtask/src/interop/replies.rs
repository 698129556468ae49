//! The same commands to ours and to stock, and the same replies from both, errors included.
//!
//! Commands come from the files in `tests/interop/commands/`, one a line, each file on empty servers;
//! and from a generator that draws commands with odd arguments from a seed; those for sentinels are in
//! `tests/interop/sentinel/`. A line may begin with a mark: `~` runs the command and compares only
//! whether it failed, `=` compares arrays without their order, `%` compares names in an array of names
//! and values.

use super::Stage;
use crate::failure::{During, Failure, Outcome, ensure};
use crate::node::Node;
use crate::program::Program;
use crate::wire::{Wire, shown};
use crate::{ports, workspace};
use base::random::Random;
use resp::Value;
use std::collections::VecDeque;
use std::fs;
use std::path::Path;

/// Commands that are drawn.
const DRAWN: u32 = 20_000;
/// Differences that are shown before the case gives up.
const SHOWN_MAX: usize = 25;

/// Commands that are remembered.
const BEFORE_MAX: usize = 12;

/// How a line's replies are compared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Exact,
    Failed,
    Unordered,
    Names,
}

/// Ours and stock, side by side.
struct Pair {
    ours: Wire,
    stock: Wire,
    differences: Vec<String>,
    /// The latest commands, of which a difference names those on the same key.
    before: VecDeque<String>,
    _nodes: Vec<Node>,
}

impl Pair {
    fn start(stage: &Stage) -> Outcome<Pair> {
        let server = |program: &Program, name: &str| {
            let settings = ["enable-debug-command yes".to_owned()];
            Node::server(program, &stage.folder.join(name), ports::free(1)?, &settings)
        };
        let nodes = vec![server(&stage.ours, "ours")?, server(&stage.stock, "stock")?];
        let (ours, stock) = (nodes[0].wire()?, nodes[1].wire()?);
        Ok(Pair { ours, stock, differences: Vec::new(), before: VecDeque::new(), _nodes: nodes })
    }

    /// Two sentinels, each over a stock server of its own, so that they do not find each other.
    fn sentinels(stage: &Stage) -> Outcome<Pair> {
        let mut nodes = Vec::new();
        for (name, program) in [("ours", &stage.ours), ("stock", &stage.stock)] {
            let folder = stage.folder.join(name);
            let server = Node::server(&stage.stock, &folder, ports::free(1)?, &[])?;
            let settings = [format!("sentinel monitor mymaster 127.0.0.1 {} 1", server.port)];
            nodes.push(Node::sentinel(program, &folder, ports::free(1)?, &settings)?);
            nodes.push(server);
        }
        let (ours, stock) = (nodes[0].wire()?, nodes[2].wire()?);
        Ok(Pair { ours, stock, differences: Vec::new(), before: VecDeque::new(), _nodes: nodes })
    }

    /// Sends one command to both.
    fn compare(&mut self, mark: Mark, words: &[String], place: &str) -> Outcome {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let stock = self.stock.call(&words).during(|| format!("{place}: stock"))?;
        let ours = self.ours.call(&words).during(|| format!("{place}: {}", words.join(" ")))?;
        let equal = match mark {
            Mark::Exact => ours == stock,
            Mark::Failed => ours.is_error() == stock.is_error(),
            Mark::Unordered => sorted(&ours) == sorted(&stock),
            Mark::Names => names(&ours) == names(&stock),
        };
        if !equal {
            let text = words.join(" ");
            let text: String = text.chars().take(120).collect();
            let (ours, stock) = (shown(&ours), shown(&stock));
            let before = self.before.iter().filter(|past| related(past, &words));
            let before: Vec<&str> = before.map(String::as_str).collect();
            self.differences.push(format!(
                "{place}: {text}\n    ours   {ours}\n    stock  {stock}\n    after  {}",
                before.join("; ")
            ));
        }
        self.before.push_back(words.join(" "));
        if self.before.len() > BEFORE_MAX {
            self.before.pop_front();
        }
        ensure(self.differences.len() < SHOWN_MAX, || self.report())
    }

    fn report(&self) -> String {
        format!("{} differences\n  {}", self.differences.len(), self.differences.join("\n  "))
    }

    fn verdict(&self) -> Outcome {
        ensure(self.differences.is_empty(), || self.report())
    }
}

/// Whether an earlier command has a word in common with the arguments of this one.
fn related(past: &str, words: &[&str]) -> bool {
    past.split(' ').skip(1).any(|word| words.iter().skip(1).any(|other| *other == word))
}

fn sorted(value: &Value) -> Vec<String> {
    let items = value.as_array().unwrap_or_default();
    let mut items: Vec<String> = items.iter().map(|item| format!("{item:?}")).collect();
    items.sort();
    items.push(if items.is_empty() { format!("{value:?}") } else { String::new() });
    items
}

fn names(value: &Value) -> Vec<String> {
    value.as_array().unwrap_or_default().iter().step_by(2).map(|name| format!("{name:?}")).collect()
}

/// Every line of every file.
pub fn listed(stage: &Stage) -> Outcome {
    let folder = workspace::root().join("tests/interop/commands");
    let mut paths: Vec<_> = fs::read_dir(&folder)?.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let mut pair = Pair::start(stage)?;
    for path in paths {
        for words in [&["RESET"][..], &["FLUSHALL"]] {
            pair.ours.call(words)?;
            pair.stock.call(words)?;
        }
        play(&mut pair, &path)?;
    }
    pair.verdict()
}

/// What sentinels answer.
pub fn sentinel(stage: &Stage) -> Outcome {
    let mut pair = Pair::sentinels(stage)?;
    play(&mut pair, &workspace::root().join("tests/interop/sentinel/commands.txt"))?;
    pair.verdict()
}

fn play(pair: &mut Pair, path: &Path) -> Outcome {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_default();
    for (number, line) in fs::read_to_string(path)?.lines().enumerate() {
        let place = format!("{name}:{}", number + 1);
        let (mark, rest) = match line.as_bytes().first() {
            None | Some(b'#') => continue,
            Some(b'~') => (Mark::Failed, &line[1..]),
            Some(b'=') => (Mark::Unordered, &line[1..]),
            Some(b'%') => (Mark::Names, &line[1..]),
            Some(_) => (Mark::Exact, line),
        };
        let words = split(rest).during(|| place.clone())?;
        pair.compare(mark, &words, &place)?;
    }
    Ok(())
}

/// Words at blanks; double quotes hold blanks and `\n`, `\r`, `\"`, `\\`.
fn split(line: &str) -> Outcome<Vec<String>> {
    let (mut words, mut word, mut quoted) = (Vec::new(), None::<String>, false);
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' if !quoted => words.extend(word.take()),
            '\\' if quoted => {
                let escaped = match letters.next() {
                    Some('n') => '\n',
                    Some('r') => '\r',
                    Some(other) => other,
                    None => return Err(Failure::new("a backslash at the end")),
                };
                word.get_or_insert_default().push(escaped);
            }
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    ensure(!quoted, || "an open quote".to_owned())?;
    Ok(words)
}

/// Drawn commands: K is one of few keys, I an integer, F a number, S a text, B a bit or range bound, X a
/// span of time.
const SHAPES: [&str; 61] = [
    "SET K S",
    "SET K S NX",
    "SET K S XX",
    "SET K S GET",
    "SET K S NX GET",
    "SET K S EX X",
    "SET K S PX X",
    "SET K S EXAT I",
    "SET K S KEEPTTL",
    "SET K I",
    "SET K F",
    "SETNX K S",
    "SETEX K X S",
    "PSETEX K X S",
    "GET K",
    "GETSET K S",
    "GETDEL K",
    "GETEX K",
    "GETEX K PERSIST",
    "GETEX K EX X",
    "GETRANGE K I I",
    "SUBSTR K I I",
    "SETRANGE K B S",
    "APPEND K S",
    "STRLEN K",
    "INCR K",
    "DECR K",
    "INCRBY K I",
    "DECRBY K I",
    "INCRBYFLOAT K F",
    "MGET K K K",
    "MSET K S K S",
    "MSETNX K S K S",
    "LCS K K",
    "LCS K K LEN",
    "LCS K K IDX",
    "LCS K K IDX MINMATCHLEN B WITHMATCHLEN",
    "DEL K",
    "DEL K K",
    "UNLINK K K",
    "EXISTS K K K",
    "TYPE K",
    "RENAME K K",
    "RENAMENX K K",
    "TOUCH K K",
    "COPY K K",
    "COPY K K REPLACE",
    "EXPIRE K X",
    "PEXPIRE K X",
    "EXPIRE K X NX",
    "EXPIRE K X XX",
    "EXPIREAT K I GT",
    "EXPIREAT K I LT",
    "EXPIREAT K I",
    "PEXPIREAT K I",
    "PERSIST K",
    "EXPIRETIME K",
    "TTL K",
    "OBJECT ENCODING K",
    "OBJECT REFCOUNT K",
    "MOVE K I",
];

const INTEGERS: [&str; 16] = [
    "0",
    "1",
    "-1",
    "2",
    "7",
    "-3",
    "100",
    "5000",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "abc",
    "",
    "1.5",
    " 1",
    "4102444800",
];
const NUMBERS: [&str; 14] = [
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
    "1e400",
    "x",
    "10.50",
    "123456789012345678",
];
const TEXTS: [&str; 12] = [
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
const BOUNDS: [&str; 8] = ["0", "1", "3", "10", "-1", "100", "x", "536870912"];
// No span ends while the case runs: two servers would not forget a key at the same moment.
const SPANS: [&str; 9] =
    ["90000", "100000", "500000", "0", "-1", "x", "9223372036854775807", "360000", "1.5"];

/// Commands drawn from a seed, over few keys, so that each meets what others left.
pub fn drawn(stage: &Stage) -> Outcome {
    let mut pair = Pair::start(stage)?;
    let mut random = Random::from_seed(6);
    for number in 0..DRAWN {
        let mut words: Vec<String> =
            pick(&mut random, &SHAPES).split(' ').map(str::to_owned).collect();
        for word in &mut words {
            let from: &[&str] = match word.as_str() {
                "K" => &["a", "b", "c", "d"],
                "I" => &INTEGERS,
                "F" => &NUMBERS,
                "S" => &TEXTS,
                "B" => &BOUNDS,
                "X" => &SPANS,
                _ => continue,
            };
            pick(&mut random, from).clone_into(word);
        }
        if words[0] == "TTL" {
            // A second may tick between the two servers.
            words[0] = "EXISTS".into();
        }
        let relative = matches!(words[0].as_str(), "EXPIRETIME");
        let mark = if relative { Mark::Failed } else { Mark::Exact };
        pair.compare(mark, &words, &format!("drawn {number}"))?;
    }
    pair.verdict()
}

fn pick<'a>(random: &mut Random, from: &[&'a str]) -> &'a str {
    let at = random.below(u64::try_from(from.len()).unwrap_or(1));
    from[usize::try_from(at).unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_split_into_words() {
        let rows: [(&str, &[&str]); 4] = [
            ("SET a b", &["SET", "a", "b"]),
            ("  ECHO  \"a b\\r\\n\" ", &["ECHO", "a b\r\n"]),
            ("SET \"\" \"\\\"\"", &["SET", "", "\""]),
            ("", &[]),
        ];
        for (line, expected) in rows {
            assert_eq!(split(line).ok().unwrap(), expected);
        }
        assert!(split("\"open").is_err());
    }
}
