//! Handing over, with nobody else there who could.

use super::*;
use base::RunId;
use base::random::Random;
use conf::Settings;
use engine::client::Origin;
use oplog::{Batch, Framing};
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;

fn lonely() -> Shared {
    let all = commands::all();
    let node = Node::new(Arc::new(Settings::default()), None, &all, &[], 1, None);
    Shared::new(Arc::new(node)).unwrap()
}

impl Shared {
    /// A replica that has everything, and its other end.
    fn with_replica(&self) -> UnixStream {
        let (ours, theirs) = UnixStream::pair().unwrap();
        theirs.set_nonblocking(true).unwrap();
        let info = self.node.clients.add(Origin { unix_socket: true, ..Origin::default() });
        let client = info.id;
        let mut link = ReplicaLink::new(&self.node, info, ours.into(), Vec::new()).unwrap();
        link.stream = Some(self.node.log.reader(self.node.log.end()).unwrap());
        self.replicas.insert(client, link);
        theirs
    }

    /// Writes, and gives what the log says of it.
    fn write(&self, value: &[u8]) -> Vec<u8> {
        let mut batch = Batch::new();
        batch.keyless(&[b"SET", b"k", value]);
        batch.finish(Framing::Plain);
        self.node.log.append(&batch);
        self.hand_over();
        batch.bytes().to_vec()
    }

    fn holds_replies(&self) -> bool {
        self.node.barrier.must_hold(self.node.log.end(), Millis(0))
    }

    fn is_asked(&self) -> bool {
        let is_asked = self.replicas.take_asked();
        assert_eq!(self.outbound.wake.take(), is_asked, "woken to be asked, and for nothing else");
        is_asked
    }

    fn send_all(&self) {
        let pumped = self.replicas.pump(&mut self.replicas.links(), &self.node, Millis(0));
        assert!(matches!(pumped, Pumped::Sent(ended) if ended.is_empty()));
    }
}

/// Writes while somebody else hands over, who stops before that.
fn write_beside_another(shared: &Shared) -> Vec<u8> {
    let links = shared.replicas.links();
    let written = thread::scope(|scope| scope.spawn(|| shared.write(b"beside")).join().unwrap());
    drop(links);
    assert!(shared.holds_replies());
    written
}

fn received(replica: &mut UnixStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // The end of what there is: an error, since the socket does not wait.
    let _ = replica.read_to_end(&mut bytes);
    bytes
}

#[test]
fn who_writes_hands_over() {
    let shared = lonely();
    shared.write(b"for nobody");
    let mut replicas = [shared.with_replica(), shared.with_replica()];
    for value in [&b"1"[..], b"2"] {
        let written = shared.write(value);
        assert!(replicas.iter_mut().all(|replica| received(replica) == written));
        assert!(!shared.is_asked() && !shared.holds_replies());
    }
}

#[test]
fn while_somebody_else_is_at_it_the_thread_is_asked() {
    let shared = lonely();
    let mut replica = shared.with_replica();
    shared.write(b"1");
    received(&mut replica);
    let written = write_beside_another(&shared);
    assert!(received(&mut replica).is_empty() && shared.is_asked());
    shared.send_all();
    assert!(received(&mut replica) == written && !shared.holds_replies());
}

#[test]
fn much_is_left_to_the_thread() {
    let shared = lonely();
    let mut replica = shared.with_replica();
    let size = usize::try_from(AT_ONCE_BYTES).unwrap();
    let written = shared.write(&vec![b'v'; size]);
    assert!(received(&mut replica).is_empty() && shared.is_asked());
    shared.send_all();
    assert!(received(&mut replica) == written);
    let written = shared.write(&vec![b'v'; size / 2]);
    assert!(received(&mut replica) == written && !shared.is_asked());
}

#[test]
fn the_thread_is_asked_once_to_wait_for_room() {
    let shared = lonely();
    let mut replica = shared.with_replica();
    let mut written = Vec::new();
    while !shared.is_asked() {
        written.extend(shared.write(&[b'v'; 1000]));
    }
    assert!(shared.replicas.links().by_client.values_mut().all(|link| link.watch().1));
    written.extend(shared.write(b"more"));
    assert!(!shared.is_asked(), "it waits already");
    let mut got = received(&mut replica);
    shared.send_all();
    got.extend(received(&mut replica));
    assert!(got == written && !shared.replicas.links().owe());
}

#[test]
fn nothing_of_a_history_leaves_before_it_was_told() {
    let shared = lonely();
    let mut replica = shared.with_replica();
    let renamed = RunId::generate(&mut Random::from_seed(7));
    shared.node.replication.state().history.shift(shared.node.log.end(), renamed);
    let written = shared.write(b"1");
    assert!(received(&mut replica).is_empty() && shared.is_asked());
    let history = shared.node.replication.state().history;
    shared.replicas.links().told = history;
    shared.send_all();
    assert!(received(&mut replica) == written);
}

#[test]
fn the_thread_is_asked_to_end_what_is_over() {
    let shared = lonely();
    drop(shared.with_replica());
    shared.write(b"1");
    assert!(shared.is_asked(), "the peer has gone");
    let shared = lonely();
    let mut replica = shared.with_replica();
    shared.node.log.reset(Offset(5000));
    shared.write(b"2");
    assert!(received(&mut replica).is_empty() && shared.is_asked(), "the log is another");
}

#[test]
fn no_reply_waits_for_who_has_gone() {
    let shared = lonely();
    let _replicas = [shared.with_replica(), shared.with_replica()];
    shared.write(b"1");
    write_beside_another(&shared);
    let clients: Vec<u64> = shared.replicas.links().by_client.keys().copied().collect();
    assert!(shared.replicas.remove(clients[0], &shared.node).is_some());
    assert!(shared.holds_replies(), "the other keeps up");
    assert!(shared.replicas.remove(clients[1], &shared.node).is_some());
    assert!(!shared.holds_replies());
}

#[test]
fn the_end_lets_replies_go() {
    let shared = lonely();
    let mut replica = shared.with_replica();
    shared.write(b"1");
    received(&mut replica);
    write_beside_another(&shared);
    shared.replicas.end(&shared.node);
    assert!(!shared.holds_replies());
    assert_eq!(replica.read(&mut [0]).unwrap(), 0, "closed");
    shared.write(b"2");
    assert!(!shared.holds_replies());
}
