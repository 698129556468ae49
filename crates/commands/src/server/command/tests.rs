//! Expected descriptions are those of Redis 7.0.15.

use crate::harness::Server;

fn status(words: &str) -> String {
    let words: Vec<&str> = words.split_whitespace().collect();
    let lines = words.iter().fold(String::new(), |lines, word| lines + "+" + word + "\r\n");
    format!("*{}\r\n{lines}", words.len())
}

#[test]
fn rows_describe_commands_as_stock_does() {
    let mut server = Server::new();
    let rows = [
        ("replicaof", 3, "admin noscript stale no_async_loading", "@admin @slow @dangerous"),
        ("role", 1, "noscript loading stale fast", "@admin @fast @dangerous"),
        ("replconf", -1, "admin noscript loading stale allow_busy", "@admin @slow @dangerous"),
        ("psync", -3, "admin noscript no_async_loading no_multi", "@admin @slow @dangerous"),
        ("sync", 1, "admin noscript no_async_loading no_multi", "@admin @slow @dangerous"),
        ("wait", 3, "noscript", "@slow @connection"),
        ("info", -1, "loading stale", "@slow @dangerous"),
        ("command", -1, "loading stale", "@slow @connection"),
        ("command|getkeys", -4, "loading stale", "@slow @connection"),
        ("command|help", 2, "loading stale", "@slow @connection"),
        ("command|list", -2, "loading stale", "@slow @connection"),
        ("config", -2, "", "@slow"),
        ("config|get", -3, "admin noscript loading stale", "@admin @slow @dangerous"),
        ("config|help", 2, "loading stale", "@slow"),
        ("config|set", -4, "admin noscript loading stale", "@admin @slow @dangerous"),
        ("config|rewrite", 2, "admin noscript loading stale", "@admin @slow @dangerous"),
        ("slowlog|get", -2, "admin loading stale", "@admin @slow @dangerous"),
        ("time", 1, "loading stale fast", "@fast"),
        ("save", 1, "admin noscript no_async_loading no_multi", "@admin @slow @dangerous"),
        ("bgsave", -1, "admin noscript no_async_loading", "@admin @slow @dangerous"),
        ("lastsave", 1, "loading stale fast", "@admin @fast @dangerous"),
        (
            "shutdown",
            -1,
            "admin noscript loading stale no_multi allow_busy",
            "@admin @slow @dangerous",
        ),
        ("debug", -2, "admin noscript loading stale", "@admin @slow @dangerous"),
        ("lolwut", -1, "readonly fast", "@read @fast"),
        ("module", -2, "", "@slow"),
        ("module|list", 2, "admin noscript", "@admin @slow @dangerous"),
        ("ping", -1, "fast", "@fast @connection"),
        ("echo", 2, "loading stale fast", "@fast @connection"),
        ("quit", -1, "noscript loading stale fast no_auth allow_busy", "@fast @connection"),
        ("reset", 1, "noscript loading stale fast no_auth allow_busy", "@fast @connection"),
        ("hello", -1, "noscript loading stale fast no_auth allow_busy", "@fast @connection"),
        ("auth", -2, "noscript loading stale fast no_auth allow_busy", "@fast @connection"),
        ("client", -2, "", "@slow"),
        ("client|help", 2, "loading stale", "@slow @connection"),
        ("client|id", 2, "noscript loading stale", "@slow @connection"),
        ("client|kill", -3, "admin noscript loading stale", "@admin @slow @dangerous @connection"),
        ("client|list", -2, "admin noscript loading stale", "@admin @slow @dangerous @connection"),
        ("client|pause", -3, "admin noscript loading stale", "@admin @slow @dangerous @connection"),
        ("client|reply", 3, "noscript loading stale", "@slow @connection"),
        ("client|setname", 3, "noscript loading stale", "@slow @connection"),
        ("multi", 1, "noscript loading stale fast allow_busy", "@fast @transaction"),
        ("exec", 1, "noscript loading stale skip_slowlog", "@slow @transaction"),
        ("subscribe", -2, "pubsub noscript loading stale", "@pubsub @slow"),
        ("unsubscribe", -1, "pubsub noscript loading stale", "@pubsub @slow"),
        ("psubscribe", -2, "pubsub noscript loading stale", "@pubsub @slow"),
        ("publish", 3, "pubsub loading stale fast", "@pubsub @fast"),
        ("pubsub", -2, "", "@slow"),
        ("pubsub|channels", -2, "pubsub loading stale", "@pubsub @slow"),
        ("pubsub|help", 2, "loading stale", "@slow"),
        ("pubsub|numsub", -2, "pubsub loading stale", "@pubsub @slow"),
    ];
    for (name, arity, flags, categories) in rows {
        let reply = server.line(&format!("command info {name}"));
        let expected = format!(
            "*1\r\n*10\r\n${}\r\n{name}\r\n:{arity}\r\n{}:0\r\n:0\r\n:0\r\n{}",
            name.len(),
            status(flags),
            status(categories)
        );
        assert!(reply.starts_with(&expected), "{name}: {reply}\nwanted: {expected}");
    }
}

#[test]
fn keys_are_described() {
    let mut server = Server::new();
    let watch = "*1\r\n*10\r\n$5\r\nwatch\r\n:-2\r\n*5\r\n+noscript\r\n+loading\r\n+stale\r\n+fast\r\n\
         +allow_busy\r\n:1\r\n:-1\r\n:1\r\n*2\r\n+@fast\r\n+@transaction\r\n*0\r\n*1\r\n*6\r\n$5\r\n\
         flags\r\n*1\r\n+RO\r\n$12\r\nbegin_search\r\n*4\r\n$4\r\ntype\r\n$5\r\nindex\r\n$4\r\nspec\r\n\
         *2\r\n$5\r\nindex\r\n:1\r\n$9\r\nfind_keys\r\n*4\r\n$4\r\ntype\r\n$5\r\nrange\r\n$4\r\nspec\r\n\
         *6\r\n$7\r\nlastkey\r\n:-1\r\n$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n*0\r\n";
    server.check("command info watch", watch);
    server.check("command info nosuch get|x config|x", "*3\r\n*-1\r\n*-1\r\n*-1\r\n");
    let no_keys = "-ERR The command has no key arguments\r\n";
    let rows = [
        ("command getkeys mset a 1 b 2", "*2\r\n$1\r\na\r\n$1\r\nb\r\n"),
        ("command getkeys mset a 1 b", "*2\r\n$1\r\na\r\n$1\r\nb\r\n"),
        ("command getkeys nosuch a", "-ERR Invalid command specified\r\n"),
        ("command getkeys config set a b", no_keys),
        ("command getkeysandflags set a b", "*1\r\n*2\r\n$1\r\na\r\n*2\r\n+OW\r\n+update\r\n"),
        ("command getkeys set a", "-ERR Invalid number of arguments specified for command\r\n"),
        ("command getkeys get", "-ERR wrong number of arguments for 'command|getkeys' command\r\n"),
    ];
    for (line, expected) in rows {
        server.check(line, expected);
    }
}

#[test]
fn lists_and_filters() {
    let mut server = Server::new();
    let rows = [
        ("command list filterby pattern CONFIG|s*", "*1\r\n$10\r\nconfig|set\r\n"),
        ("command list filterby aclcat nosuch", "*0\r\n"),
        ("command list filterby module x", "*0\r\n"),
        ("command list filterby foo x", "-ERR syntax error\r\n"),
        ("command list foo", "-ERR syntax error\r\n"),
        ("command list filterby pattern", "-ERR syntax error\r\n"),
        ("command count foo", "-ERR wrong number of arguments for 'command|count' command\r\n"),
        ("command foo", "-ERR unknown subcommand 'foo'. Try COMMAND HELP.\r\n"),
    ];
    for (line, expected) in rows {
        server.check(line, expected);
    }
    let count = crate::all().len();
    server.check("command count", &format!(":{count}\r\n"));
    assert!(server.line("command").starts_with(&format!("*{count}\r\n*10\r\n")));
    assert_eq!(server.line("command"), server.line("command info"));
    let transactions = server.line("command list filterby aclcat transaction");
    assert!(transactions.starts_with("*5\r\n"), "{transactions}");
}

#[test]
fn documents() {
    let mut server = Server::new();
    let expected = "*2\r\n$6\r\nbgsave\r\n*12\r\n$7\r\nsummary\r\n$37\r\n\
         Saves the data set in the background.\r\n";
    let reply = server.line("command docs nosuch bgsave");
    assert!(reply.starts_with(expected), "{reply}");
    let rest = "$9\r\narguments\r\n*1\r\n*8\r\n$4\r\nname\r\n$8\r\nschedule\r\n$4\r\ntype\r\n$10\r\n\
         pure-token\r\n$5\r\ntoken\r\n$8\r\nSCHEDULE\r\n$5\r\nflags\r\n*1\r\n+optional\r\n";
    assert!(reply.ends_with(rest), "{reply}");
    let old = server.line("command docs slaveof");
    assert!(old.contains("$11\r\nreplaced_by\r\n$11\r\n`REPLICAOF`\r\n"), "{old}");
    server.line("hello 3");
    let all = server.line("command docs");
    assert!(all.starts_with(&format!("%{}\r\n", crate::all().len())), "{all}");
    let watch = server.line("command docs watch");
    assert!(watch.contains("$14\r\nkey_spec_index\r\n:0\r\n$5\r\nflags\r\n~1\r\n"), "{watch}");
}
