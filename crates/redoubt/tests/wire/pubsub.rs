//! Messages across loops: everybody sees one order, and nobody what it has ceased to ask for.

use crate::server::{Server, request};
use resp::value::Value;
use std::thread;

fn text(value: &Value) -> String {
    let Value::Bulk(bytes) = value else { panic!("{value:?}") };
    String::from_utf8(bytes.clone()).unwrap()
}

#[test]
fn all_subscribers_see_one_order() {
    const MESSAGES: usize = 1_000;
    let server = Server::start(&[]);
    let mut subscribers: Vec<_> = (0..4).map(|_| server.connect()).collect();
    for subscriber in &mut subscribers {
        subscriber.call(&["subscribe", "c"]);
    }
    let publish = |name: &'static str| {
        let mut client = server.connect();
        move || {
            for number in 0..MESSAGES {
                client.send(&request(&["publish", "c", &format!("{name}{number}")]));
            }
            (0..MESSAGES).for_each(|_| assert_eq!(client.reply(), Value::Integer(4)));
        }
    };
    let (one, other) = (thread::spawn(publish("a")), thread::spawn(publish("b")));
    let mut orders = subscribers.iter_mut().map(|subscriber| {
        let next = |_| match subscriber.reply() {
            Value::Array(words) => text(&words[2]),
            other => panic!("{other:?}"),
        };
        (0..2 * MESSAGES).map(next).collect::<Vec<String>>()
    });
    let first = orders.next().unwrap();
    assert!(orders.all(|order| order == first));
    for name in ["a", "b"] {
        let own: Vec<_> = first.iter().filter(|message| message.starts_with(name)).collect();
        let sent: Vec<String> = (0..MESSAGES).map(|number| format!("{name}{number}")).collect();
        assert_eq!(own, sent.iter().collect::<Vec<_>>());
    }
    one.join().unwrap();
    other.join().unwrap();
}

#[test]
fn pushes_stand_between_replies() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.call(&["hello", "3"]);
    client.send(&request(&["subscribe", "c"]));
    client.expect(b">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
    let mut publisher = server.connect();
    assert_eq!(publisher.call(&["publish", "c", "m"]), Value::Integer(1));
    client.expect(b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n");
    client.send(b"SET k v\r\nGET k\r\n");
    client.expect(b"+OK\r\n$1\r\nv\r\n");
    // A message to itself comes before the next reply.
    client.send(b"PUBLISH c own\r\nPING\r\n");
    client.expect(b":1\r\n>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$3\r\nown\r\n+PONG\r\n");
}

/// A RESP2 client that has left all channels reads replies again: a late message would be taken for
/// one.
#[test]
fn no_message_comes_after_the_end_of_a_subscription() {
    let server = Server::start(&[]);
    let mut publisher = server.connect();
    let mut client = server.connect();
    let done = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Acquire) {
                publisher.send(&b"PUBLISH c m\r\n".repeat(20));
                (0..20).for_each(|_| drop(publisher.reply()));
            }
        });
        for _ in 0..300 {
            client.send(b"SUBSCRIBE c\r\nUNSUBSCRIBE c\r\nECHO end\r\n");
            let mut subscribed = true;
            loop {
                match client.reply() {
                    Value::Array(words) => {
                        assert!(subscribed, "{words:?} after the end");
                        subscribed = text(&words[0]) != "unsubscribe";
                    }
                    end => break assert_eq!(end, Value::Bulk(b"end".to_vec())),
                }
            }
        }
        done.store(true, std::sync::atomic::Ordering::Release);
    });
}
