//! `cargo xtask TASK`: everything that a developer or a build machine runs.
//!
//! Tasks are functions over the tree and over programs that they start; the program under test is
//! always a parameter, so that each black-box task can be tried against stock Redis first.

#![allow(clippy::print_stdout, reason = "printing is what the tasks are for")]

mod arguments;
mod bench;
mod crash;
mod differential;
mod drill;
mod everything;
mod failure;
mod r#gen;
mod group;
mod interop;
mod linearizability;
mod node;
mod ports;
mod process;
mod program;
mod proxy;
mod run;
mod setup;
mod source;
mod tidy;
mod verdicts;
mod wait;
mod wire;
mod workspace;

use arguments::Arguments;
use failure::{Failure, Outcome};
use std::process::ExitCode;
use verdicts::Verdicts;

/// What `cargo xtask help` prints.
const HELP: &str = "\
cargo xtask test                 every test, installing what it needs; the last line counts them
cargo xtask soak                 the same in long amounts
cargo xtask tidy [--lint]        layers, lengths, heads, words, formatting; --lint adds clippy
cargo xtask drill [--program PATH] [--kind redoubt|stock] [--runs 20] [--freeze]
                  [--against-stock] [--down-after 1000]
                                 clients write while the primary is killed; prints gaps and losses
cargo xtask crash [--cycles 30] [--seed 1] [--program PATH] [--kind redoubt|stock]
                                 kill -9 under fifty clients with appendfsync always: nothing may
                                 be lost
cargo xtask interop [--program PATH] [--kind redoubt|stock] [--only NAME] [--list]
                                 Redoubt and stock 7.0.15 in one group; bad starts; settings
cargo xtask differential [--commands 1000000] [--seed 1] [--types lists,sets] [--replicated]
                  [--program PATH] [--kind redoubt|stock]
                                 the same drawn commands to Redoubt and stock, or to a primary
                                 whose replicas are compared with it
cargo xtask linearizability [--rounds 20000] [--seed 1] [--program PATH] [--kind redoubt|stock]
                                 whether what eight connections saw at once has an order
cargo xtask bench [WHAT] [--against PATH] [--quick] [--write-docs] [--seed 1] [--rounds 5]
                  [--window 2500] [--keys 1000000]
                                 Redoubt and stock on the same core in turns: CPU per operation of
                                 GET and SET, or instead
    --commands                   of commands of the other types
    --drivers                    with epoll and with io_uring
    --loops                      with two loops and with one
    --attached                   with an append-only file and a replica
    --latency                    not CPU, but p99 at half of what the server could do
    --idle [--connections 10000] beside idle connections
    --turns [--keys 20000000]    the longest turn of the loop under inserts, expiry, deletion
    --memory                     bytes a key takes, type by type
    --persistence                how long SAVE and loading take
    --saving [--only NAME]       what a client and the memory feel of a background save
    --instructions [--write-reference]
                                 instructions of GET and SET under callgrind
cargo xtask gen [--check]        write the documents that come out of the program's tables
cargo xtask setup                fetch stock redis and the client libraries into target/";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let mut arguments = Arguments::new(words.clone());
    let task = arguments.word().unwrap_or_else(|| "help".to_owned());
    match process::guard().and_then(|()| perform(&task, arguments, &words)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let text = failure.to_string();
            if !text.is_empty() {
                eprintln!("xtask {task}: {text}");
            }
            ExitCode::FAILURE
        }
    }
}

fn perform(task: &str, mut arguments: Arguments, words: &[String]) -> Outcome {
    let mut verdicts = Verdicts::default();
    match task {
        "tidy" => {
            let lint = arguments.flag("--lint");
            arguments.finish()?;
            tidy::check(&mut verdicts)?;
            if lint {
                tidy::lint(&mut verdicts);
            }
            verdicts.finish()
        }
        "setup" => {
            arguments.finish()?;
            setup::everything(&mut verdicts);
            verdicts.finish()
        }
        "crash" => crash::task(arguments),
        "differential" => differential::task(arguments),
        "drill" => drill::task(arguments),
        "linearizability" => linearizability::task(arguments),
        "interop" => interop::task(arguments),
        "bench" => bench::task(arguments, words),
        "test" => arguments.finish().and_then(|()| everything::test()),
        "soak" => arguments.finish().and_then(|()| everything::soak()),
        "gen" => {
            let check = arguments.flag("--check");
            arguments.finish()?;
            if !check {
                return r#gen::write();
            }
            r#gen::check(&mut verdicts);
            verdicts.finish()
        }
        "help" => {
            println!("{HELP}");
            Ok(())
        }
        _ => Err(Failure::new(format!("no such task\n{HELP}"))),
    }
}
