//! Function libraries of stock, carried by a replica of ours that cannot run them, and back to stock.

use super::Stage;
use crate::failure::{Outcome, ensure};
use crate::node::Node;
use crate::program::Program;
use crate::{ports, wait};
use std::fs;

/// How long a change may take to reach a replica.
const REACH_MS: u64 = 10_000;

/// Stock loads a library, our replica follows, saves in every form, and stock finds the library there.
pub fn carried(stage: &Stage) -> Outcome {
    let server = |program: &Program, name: &str, settings: &[String]| {
        Node::server(program, &stage.folder.join(name), ports::free(1)?, settings)
    };
    let primary = server(&stage.stock, "primary", &[])?;
    primary.ask(&["FUNCTION", "LOAD", &library("first", 1)])?;
    let replica = server(&stage.ours, "replica", &[])?;
    replica.follow(primary.port)?;
    // What comes in the stream, and in a full sync of a replica of the replica.
    primary.ask(&["FUNCTION", "LOAD", &library("second", 2)])?;
    primary.ask(&["FUNCTION", "LOAD", &library("third", 3)])?;
    primary.ask(&["FUNCTION", "DELETE", "third"])?;
    primary.ask(&["FUNCTION", "LOAD", "REPLACE", &library("second", 4)])?;
    let payload = primary.wire()?.ok(&["FUNCTION", "DUMP"])?;
    let payload = payload.as_bytes().unwrap_or_default().to_vec();
    let words = [&b"FUNCTION"[..], b"RESTORE", &payload, b"FLUSH"].map(<[u8]>::to_vec);
    primary.wire()?.bytes(&words)?;
    primary.ask(&["SET", "last", "word"])?;
    wait::until("the last word", REACH_MS, || {
        replica.ask(&["GET", "last"]).ok().filter(|text| text == "word")
    })?;
    let below = server(&stage.stock, "below", &[])?;
    below.follow(replica.port)?;
    answers(&below)?;
    wait::until("the end of the full sync's child", REACH_MS, || {
        (replica.info("persistence", "rdb_bgsave_in_progress") == "0").then_some(())
    })?;
    replica.ask(&["SAVE"])?;
    for name in ["snapshot", "base", "commands"] {
        let folder = stage.folder.join(name);
        fs::create_dir_all(&folder)?;
        if name == "snapshot" {
            fs::copy(replica.folder.join("dump.rdb"), folder.join("dump.rdb"))?;
            answers(&server(&stage.stock, name, &[])?)?;
            continue;
        }
        let preamble = if name == "base" { "yes" } else { "no" };
        let settings = [format!("aof-use-rdb-preamble {preamble}"), "appendonly yes".to_owned()];
        let mut from = server(&stage.ours, &format!("{name}-from"), &settings)?;
        // The data of the primary begins a file of its own, a moment after it is there.
        let rewrites = || from.info("persistence", "aof_rewrites").parse().unwrap_or(0);
        let before: u64 = rewrites();
        from.follow(primary.port)?;
        wait::until("the rewrite", REACH_MS, || (rewrites() > before).then_some(()))?;
        from.kill();
        for entry in fs::read_dir(from.folder.join("appendonlydir"))? {
            let entry = entry?;
            fs::create_dir_all(folder.join("appendonlydir"))?;
            fs::copy(entry.path(), folder.join("appendonlydir").join(entry.file_name()))?;
        }
        answers(&server(&stage.stock, name, &settings)?)?;
        // And our own start.
        from.start()?;
        ensure(from.info("memory", "number_of_libraries") == "2", || {
            format!("the {name} was read without the libraries")
        })?;
    }
    Ok(())
}

/// The code of a library with one function of the same name.
fn library(name: &str, answer: u32) -> String {
    format!(
        "#!lua name={name}\nredis.register_function{{function_name='{name}', flags={{'no-writes'}}, \
         callback=function() return {answer} end}}"
    )
}

/// Looks whether stock has the libraries and can run them.
fn answers(stock: &Node) -> Outcome {
    for (name, answer) in [("first", "1"), ("second", "4")] {
        let found = stock.ask(&["FCALL_RO", name, "0"])?;
        ensure(found == answer, || format!("{name} answers {found}"))?;
    }
    ensure(stock.info("memory", "number_of_libraries") == "2", || "other libraries".to_owned())
}
