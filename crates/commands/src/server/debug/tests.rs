//! Tests of DEBUG; digests were observed with Redis 7.0.15.

use crate::harness::Server;
use conf::ProtectedAction;
use engine::client::Origin;

fn server() -> Server {
    let server = Server::new();
    server.node().settings.enable_debug_command.set(ProtectedAction::Yes);
    server
}

#[test]
fn is_off_unless_allowed() {
    let mut server = Server::new();
    let refusal = "-ERR DEBUG command not allowed. If the enable-debug-command option is set to \
         \"local\", you can run it from a local connection, otherwise you need to set this option \
         in the configuration file, and then restart the server.\r\n";
    server.check("debug sleep 0", refusal);
    server.node().settings.enable_debug_command.set(ProtectedAction::Local);
    server.check("debug sleep 0", refusal);
    let origin = Origin { address: "127.0.0.1:5".into(), ..Origin::default() };
    server.session.info = server.node().clients.add(origin);
    server.check("debug sleep 0", "+OK\r\n");
}

#[test]
fn answers_as_stock_does() {
    let mut server = server();
    let wrong = |name: &str| {
        format!(
            "-ERR unknown subcommand or wrong number of arguments for '{name}'. Try DEBUG HELP.\r\n"
        )
    };
    // Digests observed with Redis 7.0.15.
    let rows = [
        ("debug", "-ERR wrong number of arguments for 'debug' command\r\n".to_owned()),
        ("debug sleep", wrong("sleep")),
        ("debug foo", wrong("foo")),
        ("debug log", wrong("log")),
        ("debug log hi", "+OK\r\n".to_owned()),
        ("debug sleep x", "+OK\r\n".to_owned()),
        ("debug error \"ERR hi\"", "-ERR hi\r\n".to_owned()),
        ("debug digest", format!("+{}\r\n", "0".repeat(40))),
        ("append k v", ":1\r\n".to_owned()),
        ("debug digest", "+264ccf65edec66bccfa7cc659414ccca432057d2\r\n".to_owned()),
        (
            "debug digest-value k nok",
            format!("*2\r\n+d79ee9fe5d5ad902d7f6620efc3b07b75ddd742f\r\n+{}\r\n", "0".repeat(40)),
        ),
        ("debug digest-value", "*0\r\n".to_owned()),
        ("debug object nok", "-ERR no such key\r\n".to_owned()),
        ("debug protocol map", "*6\r\n:0\r\n:0\r\n:1\r\n:1\r\n:2\r\n:0\r\n".to_owned()),
        ("debug set-active-expire 0", "+OK\r\n".to_owned()),
        ("debug turn-cpu 1", "+OK\r\n".to_owned()),
    ];
    for (line, expected) in rows {
        server.check(line, &expected);
    }
    assert!(!server.node().active_expire.load(std::sync::atomic::Ordering::Relaxed));
    let object = server.line("debug object k");
    assert!(object.starts_with("+Value at:0x"), "{object}");
    assert!(object.contains(" refcount:1 encoding:embstr serializedlength:2 lru:"), "{object}");
}

#[test]
fn populates_without_telling_replicas() {
    let mut server = server();
    let before = server.node().log.end();
    server.check("debug populate 3", "+OK\r\n");
    server.check("debug populate 2 big 20", "+OK\r\n");
    server.check("get key:2", "$7\r\nvalue:2\r\n");
    assert_eq!(server.line("get big:1").len(), "$20\r\n".len() + 20 + 2);
    assert_eq!(server.node().keyspace.count(0).0, 5);
    assert_eq!(server.node().log.end(), before);
}

#[test]
fn reloads_what_it_saved() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut server = server();
    let path = dir.path().to_string_lossy().into_owned();
    server.node().settings.dir.set(path.as_bytes().into());
    let failed = "-ERR Error trying to load the RDB dump, check server logs.\r\n";
    server.check("debug reload nosave", failed);
    server.check("append k v", ":1\r\n");
    let digest = server.line("debug digest");
    server.check("debug reload", "+OK\r\n");
    server.check("debug digest", &digest);
    server.check("append k w", ":2\r\n");
    server.check("debug reload nosave", "+OK\r\n");
    server.check("debug digest", &digest);
}

#[test]
fn an_append_only_file_is_loaded_as_slowly_as_is_asked_for() {
    const KEYS: u64 = 60;
    let mut server = server();
    let dir = tempfile::tempdir().expect("a directory");
    let node = server.node();
    node.settings.dir.set(dir.path().to_string_lossy().as_bytes().into());
    node.settings.appendonly.set(true);
    engine::append_only::start(node, None).expect("a file");
    for number in 0..KEYS {
        server.check(&format!("set {number} v"), "+OK\r\n");
    }
    node.settings.key_load_delay.set(2_000);
    let began = base::clock::monotonic();
    server.check("debug loadaof", "+OK\r\n");
    // The clock has milliseconds.
    let waited_ms = base::clock::monotonic().since(began).0;
    assert!(waited_ms >= KEYS * 2 - 1, "{waited_ms}");
    server.check("dbsize", &format!(":{KEYS}\r\n"));
    node.append_only.stop().expect("durable");
}
