//! The same commands to ours and to stock, and the same replies from both, errors included.
//!
//! Commands come from the files in `tests/interop/commands/`, one a line, each file on empty servers;
//! those for sentinels are in `tests/interop/sentinel/`. Drawn commands are the business of
//! `differential`. A line may begin with a mark: `~` runs the command and compares only
//! whether it failed, `=` compares arrays without their order, `%` compares names in an array of names
//! and values.

use super::Stage;
use crate::failure::{During, Failure, Outcome, ensure};
use crate::node::Node;
use crate::program::Program;
use crate::wire::{Wire, shown};
use crate::{ports, workspace};
use resp::Value;
use std::collections::VecDeque;
use std::fs;
use std::path::Path;

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
