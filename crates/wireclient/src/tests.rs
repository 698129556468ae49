//! The client against a scripted peer on loopback: it reads so many bytes, then writes its lines.

use super::*;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::thread::{JoinHandle, spawn};

const PATIENCE: Duration = Duration::from_secs(10);

/// One step of the peer: wait for exactly these bytes, then send those.
type Step = (&'static [u8], &'static [u8]);

fn play(mut peer: impl Read + Write, script: &[Step]) {
    for (expected, answer) in script {
        let mut got = vec![0; expected.len()];
        peer.read_exact(&mut got).unwrap();
        assert_eq!(got.escape_ascii().to_string(), expected.escape_ascii().to_string());
        peer.write_all(answer).unwrap();
    }
}

fn peer(script: &'static [Step]) -> (Client, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = spawn(move || play(listener.accept().unwrap().0, script));
    (Client::connect(&Address::tcp("127.0.0.1", port), PATIENCE).unwrap(), server)
}

#[test]
fn calls_and_reads_pipelined_replies_in_order() {
    let (mut client, server) = peer(&[
        (b"*1\r\n$4\r\nPING\r\n", b"+PO"),
        (b"", b"NG\r\n"),
        (b"*1\r\n$1\r\na\r\n*1\r\n$1\r\nb\r\n", b":1\r\n-ERR b\r\n"),
    ]);
    assert!(client.call(&["PING"]).unwrap().is_status("PONG"));
    client.send(&["a"]).unwrap();
    client.send(&["b"]).unwrap();
    assert_eq!(client.receive().unwrap(), Value::Integer(1));
    assert_eq!(client.receive().unwrap().as_error().as_deref(), Some("ERR b"));
    server.join().unwrap();
    assert!(matches!(client.call(&["PING"]), Err(ClientError::Closed)));
}

#[test]
fn pushes_are_put_aside() {
    let (mut client, server) =
        peer(&[(b"*1\r\n$1\r\na\r\n", b">1\r\n+x\r\n>1\r\n+y\r\n:1\r\n>1\r\n+z\r\n")]);
    let push = |text: &str| Value::Push(vec![Value::Simple(text.into())]);
    assert_eq!(client.call(&["a"]).unwrap(), Value::Integer(1));
    assert_eq!(client.take_push(), Some(push("x")));
    assert_eq!(client.receive_next().unwrap(), push("y"));
    assert_eq!(client.receive_next().unwrap(), push("z"));
    assert_eq!(client.take_push(), None);
    server.join().unwrap();
}

#[test]
fn authenticates_and_says_hello() {
    let (mut client, server) = peer(&[
        (b"*2\r\n$4\r\nAUTH\r\n$1\r\np\r\n", b"+OK\r\n"),
        (b"*3\r\n$4\r\nAUTH\r\n$1\r\nu\r\n$1\r\np\r\n", b"-WRONGPASS no\r\n"),
        (b"*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n", b"%1\r\n+proto\r\n:3\r\n"),
    ]);
    client.auth(None, "p").unwrap();
    let refusal = client.auth(Some("u"), "p").unwrap_err();
    assert_eq!(refusal.to_string(), "WRONGPASS no");
    let about = client.hello(Protocol::Resp3).unwrap();
    assert_eq!(about.as_pairs().unwrap()[0].1, &Value::Integer(3));
    server.join().unwrap();
}

#[test]
fn a_silent_server_times_out_and_may_answer_later() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut client = Client::connect(&Address::tcp("127.0.0.1", port), PATIENCE).unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    client.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    peer.write_all(b"+O").unwrap();
    assert!(matches!(client.call(&["a"]), Err(ClientError::TimedOut)));
    peer.write_all(b"K\r\n").unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(client.receive().unwrap().is_status("OK"));
}

#[test]
fn garbage_is_a_protocol_error_and_raw_bytes_pass() {
    let (mut client, server) = peer(&[(b"junk", b"xyz\r\n")]);
    client.send_raw(b"junk").unwrap();
    assert_eq!(client.read_until_closed(100).unwrap(), b"xyz\r\n");
    server.join().unwrap();
    let (mut client, server) = peer(&[(b"", b"xyz\r\n")]);
    assert!(matches!(client.receive(), Err(ClientError::Protocol(DecodeError::UnknownType(b'x')))));
    server.join().unwrap();
    let (mut client, server) = peer(&[(b"", b"+OK\r\nraw")]);
    assert!(client.receive().unwrap().is_status("OK"));
    server.join().unwrap();
    let mut raw = Vec::new();
    while raw.len() < 3 {
        raw.extend(client.receive_raw().unwrap());
    }
    assert_eq!(raw, b"raw");
}

#[test]
fn long_replies_arrive_whole() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = spawn(move || {
        let mut peer = listener.accept().unwrap().0;
        peer.write_all(b"*2\r\n$5000000\r\n").unwrap();
        peer.write_all(&vec![b'x'; 5_000_000]).unwrap();
        peer.write_all(b"\r\n:7\r\n+next\r\n").unwrap();
    });
    let mut client = Client::connect(&Address::tcp("127.0.0.1", port), PATIENCE).unwrap();
    let reply = client.receive().unwrap();
    let elements = reply.as_array().unwrap();
    assert_eq!(elements[0].as_bytes().map(<[u8]>::len), Some(5_000_000));
    assert_eq!(elements[1], Value::Integer(7));
    assert!(client.receive().unwrap().is_status("next"));
    server.join().unwrap();
}

#[test]
fn unix_sockets_work() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    let server =
        spawn(move || play(listener.accept().unwrap().0, &[(b"*1\r\n$1\r\na\r\n", b"+OK\r\n")]));
    let mut client = Client::connect(&Address::Unix(path), PATIENCE).unwrap();
    assert!(client.call(&["a"]).unwrap().is_status("OK"));
    server.join().unwrap();
}

#[test]
fn a_refused_connection_names_the_address() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = Client::connect(&Address::tcp("127.0.0.1", port), PATIENCE).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with(&format!("could not connect to 127.0.0.1:{port}: ")), "{text}");
    assert_eq!(Address::tcp("::1", 1).to_string(), "[::1]:1");
}
