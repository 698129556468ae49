//! What the load generators print: ours and stock's, line by line, but for the numbers.

use super::Stage;
use crate::failure::{During, Failure, Outcome, ensure};
use crate::node::Node;
use crate::{ports, run};
use std::process::Command;

/// Command lines that both are run with.
const LINES: [&str; 10] = [
    "-n 2000 -t ping,set,get,lrange_300",
    "-n 1000 -P 7 -c 3 -d 9 --threads 2 -t incr,mset",
    "-n 200",
    "-n 200 -q",
    "-n 200 --csv",
    "-n 200 -c 4 -k 0 -q -t set",
    "-n 200 -r 100 -q --precision 2 hset h __rand_int__ v",
    "-n 200 -3 --dbnum 3 --enable-tracking -t GET,ZADD,nope",
    "-n 200 --csv set a b",
    "-n 200 -q -t nope",
];

/// Every command line against ours and against stock.
pub fn lines(stage: &Stage) -> Outcome {
    let none = || Failure::new("there is no load generator beside the program");
    for (name, server) in [("ours", &stage.ours), ("stock", &stage.stock)] {
        let node = Node::server(server, &stage.folder.join(name), ports::free(1)?, &[])?;
        for line in LINES {
            let ours = shape(stage.ours.benchmark().ok_or_else(none)?, node.port, line)?;
            let stock = shape(stage.stock.benchmark().ok_or_else(none)?, node.port, line)?;
            ensure(ours == stock, || format!("{name}: {line}\n{ours:#?}\nagainst\n{stock:#?}"))?;
        }
    }
    Ok(())
}

/// The lines of a run, each number as `N`; of equal lines in a row only one.
fn shape(mut command: Command, port: u16, line: &str) -> Outcome<Vec<String>> {
    command.args(["-p", &port.to_string()]).args(line.split(' '));
    let text = run::output(&mut command).during(|| line.to_owned())?;
    let mut lines: Vec<String> = text.split('\n').map(masked).collect();
    lines.dedup();
    Ok(lines)
}

/// What is left of a line when it is not written over any more, with every number as `N`.
fn masked(line: &str) -> String {
    let line = line.rsplit('\r').next().unwrap_or_default();
    // Stock's clock may not have moved.
    let line = line.replace("inf", "0");
    let mut out = String::new();
    for letter in line.chars() {
        match letter {
            '0'..='9' | '.' if out.ends_with('N') => {}
            '0'..='9' | '.' => out.push('N'),
            // A wider number takes room from the blanks before it.
            ' ' if out.ends_with(' ') => {}
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_masked_and_progress_is_gone() {
        let line = " \rGET: rps=1.0\r           \rGET: 123.45 requests per second, p50=0.2 msec";
        assert_eq!(masked(line), "GET: N requests per second, pN=N msec");
        assert_eq!(masked("     0.044    12.040"), masked("   120.044     2.040"));
    }
}
