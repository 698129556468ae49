//! Bytes on the wire: malformed requests, limits before a password, messages between connections,
//! other kinds of socket. The bytes that come back must be stock's, and the end of the connection too.

use super::Stage;
use crate::failure::{During, Outcome, ensure};
use crate::node::Node;
use crate::ports;
use crate::program::Program;
use crate::wire::shown;
use std::time::Duration;
use wireclient::{Address, Client};

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(5);
/// The most bytes of an answer that are compared.
const BYTES_MAX: usize = 1 << 20;

/// Requests after which the server closes, or that end with QUIT.
const REQUESTS: [&str; 32] = [
    "*a\r\n",
    "*\r\nQUIT\r\n",
    "*-1\r\nQUIT\r\n",
    "*0\r\nQUIT\r\n",
    "*2147483648\r\n",
    "*1\r\nPING\r\n",
    "*1\r\n:1\r\n",
    "*1\r\n$a\r\n",
    "*1\r\n$-1\r\n",
    "*1\r\n$\r\n",
    "*1\r\n$536870913\r\n",
    "*1\r\n$99999999999999999999\r\n",
    "*1\r\n$4\r\nPINGxxQUIT\r\n",
    "*1\r\n$04\r\nPING\r\nQUIT\r\n",
    "*01\r\n$4\r\nPING\r\nQUIT\r\n",
    "*+1\r\n$4\r\nPING\r\nQUIT\r\n",
    "* 1\r\n$4\r\nPING\r\nQUIT\r\n",
    "PING\r\nQUIT\r\n",
    "PING\nQUIT\n",
    "  PING   \"a b\"  \r\nQUIT\r\n",
    "\r\n\r\nPING\r\nQUIT\r\n",
    "ECHO 'single quoted'\r\nQUIT\r\n",
    "ECHO \"\\x41\\n\\t\"\r\nQUIT\r\n",
    "ECHO \"unbalanced\r\n",
    "ECHO 'unbalanced\r\n",
    "ECHO \"a\"b\r\n",
    "SET a\r\nNONSENSE\r\nQUIT\r\n",
    "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$0\r\n\r\n*2\r\n$3\r\nGET\r\n$1\r\na\r\nQUIT\r\n",
    "*2\r\n$4\r\nECHO\r\n$6\r\na\r\nb\r\n\r\nQUIT\r\n",
    "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "POST / HTTP/1.1\r\n\r\n",
    "QUIT\r\nPING\r\n",
];

/// Requests of a client that did not give the password yet.
const UNAUTHENTICATED: [&str; 6] = [
    "*11\r\n",
    "*10\r\n$16385\r\n",
    "*2\r\n$4\r\nAUTH\r\n$16385\r\n",
    "*1\r\n$4\r\nPING\r\nQUIT\r\n",
    "*2\r\n$4\r\nAUTH\r\n$5\r\nwrong\r\nQUIT\r\n",
    "*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n*1\r\n$4\r\nPING\r\nQUIT\r\n",
];

fn both(stage: &Stage, settings: &[String]) -> Outcome<[Node; 2]> {
    let server = |program: &Program, name: &str| {
        Node::server(program, &stage.folder.join(name), ports::free(1)?, settings)
    };
    Ok([server(&stage.ours, "ours")?, server(&stage.stock, "stock")?])
}

fn answer(address: &Address, request: &[u8]) -> Outcome<String> {
    let mut client = Client::connect(address, ANSWER)?;
    client.send_raw(request)?;
    let bytes = client.read_until_closed(BYTES_MAX)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn compare(nodes: &[Node; 2], request: &[u8]) -> Outcome {
    let shown: String = String::from_utf8_lossy(request).chars().take(60).collect();
    let [ours, stock] = nodes;
    let ask = |node: &Node| answer(&Address::tcp("127.0.0.1", node.port), request);
    let theirs = ask(stock).during(|| format!("{shown:?}: stock"))?;
    let here = ask(ours).during(|| format!("{shown:?}"))?;
    ensure(here == theirs, || format!("{shown:?}: {here:?} against {theirs:?}"))
}

/// Malformed, odd and unauthenticated requests.
pub fn requests(stage: &Stage) -> Outcome {
    let nodes = both(stage, &[])?;
    for request in REQUESTS {
        compare(&nodes, request.as_bytes())?;
    }
    let endless = vec![b'x'; 70_000];
    compare(&nodes, &endless)?;
    let digits = [&b"*"[..], &vec![b'1'; 70_000]].concat();
    compare(&nodes, &digits)?;
    let nodes = both(
        &Stage { folder: stage.folder.join("password"), ..stage.clone() },
        &["requirepass secret".to_owned()],
    )?;
    for request in UNAUTHENTICATED {
        compare(&nodes, request.as_bytes())?;
    }
    Ok(())
}

/// A long pipeline cut into pieces of odd lengths answers as one piece does.
pub fn pieces(stage: &Stage) -> Outcome {
    let [ours, _] = both(stage, &[])?;
    let address = Address::tcp("127.0.0.1", ours.port);
    let mut request = Vec::new();
    for number in 0..500 {
        let value = "v".repeat(number * 7 % 300);
        resp::command_into(&mut request, &["SET", &format!("key:{number}"), &value]);
        resp::command_into(&mut request, &["GET", &format!("key:{number}")]);
    }
    request.extend_from_slice(b"QUIT\r\n");
    let whole = answer(&address, &request)?;
    ensure(whole.len() > 50_000, || format!("{} bytes came back", whole.len()))?;
    for size in [1, 7, 1000, 16_384] {
        let mut client = Client::connect(&address, ANSWER)?;
        request.chunks(size).try_for_each(|piece| client.send_raw(piece))?;
        let bytes = client.read_until_closed(BYTES_MAX)?;
        ensure(bytes == whole.as_bytes(), || format!("pieces of {size} answer otherwise"))?;
    }
    Ok(())
}

/// One connection publishes, others have subscribed, by channel and by pattern, in both protocols.
pub fn publish(stage: &Stage) -> Outcome {
    let nodes = both(stage, &[])?;
    let play = |node: &Node| -> Outcome<Vec<resp::Value>> {
        let address = Address::tcp("127.0.0.1", node.port);
        let mut publisher = Client::connect(&address, ANSWER)?;
        let mut seen = Vec::new();
        for protocol in ["2", "3"] {
            let mut subscriber = Client::connect(&address, ANSWER)?;
            subscriber.call(&["HELLO", protocol])?;
            subscriber.send(&["SUBSCRIBE", "news", "other"])?;
            subscriber.send(&["PSUBSCRIBE", "n*", "?thing"])?;
            for _ in 0..4 {
                seen.push(subscriber.receive_next()?);
            }
            for (channel, text) in [("news", "one"), ("none", "two"), ("nobody hears", "three")] {
                seen.push(publisher.call(&["PUBLISH", channel, text])?);
            }
            for _ in 0..4 {
                seen.push(subscriber.receive_next()?);
            }
            seen.push(publisher.call(&["PUBSUB", "NUMSUB", "news", "none"])?);
            seen.push(publisher.call(&["PUBSUB", "NUMPAT"])?);
            subscriber.send(&["UNSUBSCRIBE", "news"])?;
            subscriber.send(&["PUNSUBSCRIBE", "n*"])?;
            seen.push(subscriber.receive_next()?);
        }
        Ok(seen)
    };
    let (here, there) = (play(&nodes[0])?, play(&nodes[1])?);
    for (number, (ours, stock)) in here.iter().zip(&there).enumerate() {
        ensure(ours == stock, || {
            format!("message {number}: {} against {}", shown(ours), shown(stock))
        })?;
    }
    Ok(())
}

/// A Unix socket serves; the client beyond `maxclients` is told so.
pub fn sockets(stage: &Stage) -> Outcome {
    let path = stage.folder.join("socket");
    let settings = [format!("unixsocket {}", path.display()), "maxclients 2".to_owned()];
    let node = Node::server(&stage.ours, &stage.folder.join("ours"), ports::free(1)?, &settings)?;
    let said = answer(&Address::Unix(path), b"PING\r\nQUIT\r\n")?;
    ensure(said == "+PONG\r\n+OK\r\n", || format!("over the socket: {said:?}"))?;
    let address = Address::tcp("127.0.0.1", node.port);
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut client = Client::connect(&address, ANSWER)?;
        client.call(&["PING"])?;
        held.push(client);
    }
    let mut third = Client::connect(&address, ANSWER)?;
    let bytes = third.read_until_closed(BYTES_MAX)?;
    let said = String::from_utf8_lossy(&bytes).into_owned();
    ensure(said == "-ERR max number of clients reached\r\n", || format!("the third: {said:?}"))
}
