//! `cargo xtask differential`: the same drawn commands to Redoubt and to stock 7.0.15, and the same
//! replies, expiries, digests and payloads from both.
//!
//! Commands come in rounds, each on empty servers and each from a seed of its own, so that a round can
//! be run again. When a round differs, its commands are thinned out to the few that matter.

mod draw;
mod shapes;
mod shrink;
mod state;

use crate::arguments::Arguments;
use crate::failure::{During, Failure, Outcome, ensure};
use crate::interop::Stage;
use crate::node::Node;
use crate::ports;
use crate::program::Program;
use crate::wait;
use crate::wire::{Wire, shown};
use crate::workspace;
use draw::{Draw, Mark, Step};
use resp::Value;

/// Commands in a round.
const ROUND: usize = 1000;
/// Commands that are sent at once.
const BATCH: usize = 100;
/// Differences that are shown before the task gives up.
const DIFFERENCES_MAX: usize = 12;
/// How long replicas may take to have all of a round.
const REPLICA_MS: u64 = 20_000;
/// What `cargo xtask test` draws.
const SHORT: usize = 40_000;
/// What it draws for replicas.
const SHORT_REPLICATED: usize = 10_000;

/// Groups of shapes by the name that `--types` knows.
const TYPES: [(&str, &[&str]); 6] = [
    ("strings", shapes::STRINGS),
    ("lists", shapes::LISTS),
    ("sets", shapes::SETS),
    ("hashes", shapes::HASHES),
    ("sorted-sets", shapes::SORTED_SETS),
    ("streams", shapes::STREAMS),
];

/// Runs the task.
///
/// # Errors
/// When a program is not there, or something differed.
pub fn task(mut arguments: Arguments) -> Outcome {
    let path = arguments.text("--program")?;
    let kind = arguments.text("--kind")?.unwrap_or_else(|| "redoubt".to_owned());
    let commands = arguments.number("--commands", 1_000_000)?;
    let seed = arguments.number("--seed", 1)?;
    let types = arguments.text("--types")?.unwrap_or_default();
    let replicated = arguments.flag("--replicated");
    arguments.finish()?;
    let ours = Program::chosen(path.as_deref(), &kind)?;
    let folder = workspace::scratch("differential")?;
    let stage = Stage { ours, stock: Program::stock()?, folder };
    if replicated {
        return replicas(&stage, commands, seed, &types);
    }
    compare(&stage, commands, seed, &types)
}

/// The short run of `cargo xtask test`.
///
/// # Errors
/// The differences.
pub fn drawn(stage: &Stage) -> Outcome {
    compare(stage, SHORT, 6, "")
}

/// The short run with replicas.
///
/// # Errors
/// The differences.
pub fn drawn_replicated(stage: &Stage) -> Outcome {
    replicas(stage, SHORT_REPLICATED, 7, "")
}

fn chosen(types: &str) -> Outcome<Vec<&'static str>> {
    let known = |name: &str| TYPES.iter().any(|(known, _)| *known == name);
    let unknown = types.split(',').find(|name| !name.is_empty() && !known(name));
    ensure(unknown.is_none(), || format!("no such type: {}", unknown.unwrap_or_default()))?;
    let wanted = |name: &str| types.is_empty() || types.split(',').any(|word| word == name);
    let mut shapes: Vec<&str> = shapes::KEYS.to_vec();
    for (_, of_type) in TYPES.iter().filter(|(name, _)| wanted(name)) {
        shapes.extend_from_slice(of_type);
    }
    Ok(shapes)
}

fn start(stage: &Stage, program: &Program, name: &str) -> Outcome<Node> {
    let settings = ["enable-debug-command yes".to_owned()];
    Node::server(program, &stage.folder.join(name), ports::free(1)?, &settings)
}

/// Rounds of at least `commands` commands to both; the report of every round that differs.
fn compare(stage: &Stage, commands: usize, seed: u64, types: &str) -> Outcome {
    let nodes = [start(stage, &stage.ours, "ours")?, start(stage, &stage.stock, "stock")?];
    let mut pair = Pair { ours: nodes[0].wire()?, stock: nodes[1].wire()?, resp3: false };
    let (mut sent, mut round, mut differences) = (0, 0, Vec::new());
    while sent < commands && differences.len() < DIFFERENCES_MAX {
        let groups = groups(seed, round, chosen(types)?);
        let steps = groups.concat();
        pair.resp3 = round % 2 == 1;
        sent += steps.len();
        if pair.play(&steps)?.is_some() {
            let few = shrink::shrink(groups, |groups| Ok(pair.play(&groups.concat())?.is_some()))?;
            let few = few.concat();
            let found = pair.play(&few)?.unwrap_or_default();
            let lines: Vec<String> = few.iter().map(Step::shown).collect();
            let resp = if pair.resp3 { 3 } else { 2 };
            differences.push(format!(
                "round {round} of seed {seed}, RESP{resp}: {found}\n    {}",
                lines.join("\n    ")
            ));
        }
        round += 1;
    }
    if differences.is_empty() {
        println!("{sent} commands of seed {seed}: no difference");
        return Ok(());
    }
    let count = differences.len();
    Err(Failure::new(format!("{count} rounds differ\n  {}", differences.join("\n  "))))
}

/// The commands of a round, those together that form a transaction.
fn groups(seed: u64, round: u64, shapes: Vec<&'static str>) -> Vec<Vec<Step>> {
    let mut draw = Draw::new(seed.wrapping_mul(1_000_003).wrapping_add(round), shapes);
    (0..ROUND).map(|_| draw.next()).collect()
}

/// Ours and stock, side by side.
struct Pair {
    ours: Wire,
    stock: Wire,
    resp3: bool,
}

impl Pair {
    /// Runs `steps` on empty servers; the first difference.
    fn play(&mut self, steps: &[Step]) -> Outcome<Option<String>> {
        let hello = if self.resp3 { "3" } else { "2" };
        for words in [&["RESET"][..], &["HELLO", hello], &["FLUSHALL"]] {
            self.ours.ok(words)?;
            self.stock.ok(words)?;
        }
        for batch in steps.chunks(BATCH) {
            let lines = || batch.iter().map(Step::shown).collect::<Vec<_>>().join("\n    ");
            let words = || batch.iter().map(|step| &step.words);
            let stock =
                self.stock.replies(words()).during(|| format!("stock:\n    {}", lines()))?;
            let ours = self.ours.replies(words()).during(|| format!("ours:\n    {}", lines()))?;
            for ((step, ours), stock) in batch.iter().zip(&ours).zip(&stock) {
                if comparable(ours, step.mark) != comparable(stock, step.mark) {
                    let (ours, stock) = (shown(ours), shown(stock));
                    let line = step.shown();
                    return Ok(Some(format!("{line}\n    ours   {ours}\n    stock  {stock}")));
                }
            }
        }
        // A transaction that was thinned out of its end would hide what the keys hold.
        self.ours.ok(&["RESET"])?;
        self.stock.ok(&["RESET"])?;
        state::difference(&mut self.ours, &mut self.stock)
    }
}

/// `value` as far as it is to be compared.
fn comparable(value: &Value, mark: Mark) -> Value {
    let by_text = |items: &[Value]| {
        let mut items = items.to_vec();
        items.sort_by_key(|item| format!("{item:?}"));
        items
    };
    match (value, mark) {
        (Value::Set(items), _) => Value::Set(by_text(items)),
        (Value::Array(items), Mark::Unordered) => Value::Array(by_text(items)),
        (Value::Array(items), Mark::Pairs) => {
            let pairs: Vec<Value> =
                items.chunks(2).map(|pair| Value::Array(pair.to_vec())).collect();
            Value::Array(by_text(&pairs))
        }
        (Value::Map(pairs), Mark::Pairs) => {
            let mut pairs = pairs.clone();
            pairs.sort_by_key(|pair| format!("{pair:?}"));
            Value::Map(pairs)
        }
        (Value::Integer(_), Mark::Numbers) => Value::Integer(0),
        (Value::Array(items), Mark::Numbers) => {
            Value::Array(items.iter().map(|item| comparable(item, mark)).collect())
        }
        (other, Mark::Failed) => Value::Boolean(other.is_error()),
        (other, _) => other.clone(),
    }
}

/// Draws commands, also those of chance and of the clock, and compares a primary with a stock replica
/// and one of ours after every round. Effects that stock does not know go to ours alone.
fn replicas(stage: &Stage, commands: usize, seed: u64, types: &str) -> Outcome {
    let mut nodes = vec![start(stage, &stage.ours, "primary")?];
    for (name, program) in [("replica", &stage.ours), ("stock-replica", &stage.stock)] {
        let node = start(stage, program, name)?;
        node.follow(nodes[0].port)?;
        nodes.push(node);
    }
    let mut shapes = chosen(types)?;
    shapes.extend_from_slice(shapes::EFFECTS);
    let (mut sent, mut round) = (0, 0);
    while sent < commands {
        let steps = groups(seed, round, shapes.clone()).concat();
        sent += send_and_compare(&nodes, &steps, round)?;
        round += 1;
    }
    nodes.truncate(2);
    shapes.extend_from_slice(shapes::NEWER_EFFECTS);
    while sent < commands + commands / 4 {
        let steps = groups(seed, round, shapes.clone()).concat();
        sent += send_and_compare(&nodes, &steps, round)?;
        round += 1;
    }
    println!("{sent} commands of seed {seed}: replicas hold what their primary holds");
    Ok(())
}

/// Sends `steps` to the first of `nodes`, waits for the others, and compares what they hold.
fn send_and_compare(nodes: &[Node], steps: &[Step], round: u64) -> Outcome<usize> {
    let mut primary = nodes[0].wire()?;
    for batch in steps.chunks(BATCH) {
        let lines = || batch.iter().map(Step::shown).collect::<Vec<_>>().join("\n    ");
        let replies = primary.replies(batch.iter().map(|step| &step.words));
        replies.during(|| format!("round {round}:\n    {}", lines()))?;
    }
    drop(primary);
    let mut primary = nodes[0].wire()?;
    let digest = |wire: &mut Wire| wire.ok(&["DEBUG", "DIGEST"]);
    for replica in &nodes[1..] {
        wait::until("a replica's offset", REPLICA_MS, || {
            let there = nodes[0].info("replication", "master_repl_offset");
            (replica.info("replication", "master_repl_offset") == there).then_some(())
        })?;
        let mut wire = replica.wire()?;
        let (left, right) = (digest(&mut primary)?, digest(&mut wire)?);
        if left != right {
            let found = state::replica_difference(&mut primary, &mut wire)?.unwrap_or_default();
            let folder = replica.folder.display();
            return Err(Failure::new(format!("round {round}: {folder} differs: {found}")));
        }
    }
    Ok(steps.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_order_is_compared_without() {
        let bulk = |text: &str| Value::Bulk(text.as_bytes().to_vec());
        let (ab, ba) = ([bulk("a"), bulk("b")], [bulk("b"), bulk("a")]);
        let array = |items: &[Value]| Value::Array(items.to_vec());
        let alike =
            |left: &Value, right: &Value, mark| comparable(left, mark) == comparable(right, mark);
        assert!(alike(&array(&ab), &array(&ba), Mark::Unordered));
        assert!(!alike(&array(&ab), &array(&ba), Mark::Exact));
        assert!(!alike(&array(&ab), &array(&ba), Mark::Pairs));
        assert!(alike(&Value::Set(ab.to_vec()), &Value::Set(ba.to_vec()), Mark::Exact));
        assert!(alike(&Value::Integer(1), &Value::Integer(2), Mark::Numbers));
    }

    /// Whether something of the language of shapes is left in a word. Bounds of ranges, which open with a
    /// bracket before a lower-case letter, and the id `$` are none of it.
    fn is_template(word: &[u8]) -> bool {
        let text = String::from_utf8_lossy(word);
        let group = |at: usize| {
            text[at + 1..].starts_with(|next: char| next.is_ascii_uppercase() || next == '$')
        };
        text.contains(['|', ')', ']'])
            || text.len() > 1 && text.contains('$')
            || text.match_indices(['(', '[']).any(|(at, _)| group(at))
    }

    #[test]
    fn every_command_has_a_word() {
        for round in 0..100 {
            let steps = groups(1, round, vec!["RANDOMKEY"]).concat();
            assert!(steps.iter().all(|step| !step.words.is_empty()), "round {round}");
        }
    }

    #[test]
    fn every_shape_can_be_drawn() {
        let mut shapes = chosen("").ok().unwrap();
        shapes.extend_from_slice(shapes::EFFECTS);
        shapes.extend_from_slice(shapes::NEWER_EFFECTS);
        for shape in shapes {
            let steps = groups(1, 1, vec![shape]).concat();
            for step in &steps {
                let template = step.words.iter().any(|word| is_template(word));
                assert!(!template, "{shape}: {}", step.shown());
            }
            let name = shape.trim_start_matches(['=', '%', '@', '~', ' ', '(']);
            let name = name.split([' ', '|']).next().unwrap_or_default();
            assert!(
                steps
                    .iter()
                    .any(|step| step.words.first().is_some_and(|word| word == name.as_bytes())),
                "{shape}"
            );
        }
        assert!(chosen("nothing").is_err());
    }
}
