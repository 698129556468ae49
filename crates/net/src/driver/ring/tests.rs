//! A ring with one connection, and the test at its other end. Where rings are forbidden nothing is tested.

use super::*;
use base::Millis;
use engine::Session;
use engine::client::{Clients, Origin};
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

/// A ring with one connection in slot 3, and its peer; `None` where rings are forbidden.
fn connected() -> Option<(Ring, Connection, UnixStream)> {
    let mut ring = Ring::open().ok()?;
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let session = Session::new(Clients::default().add(Origin::default()), true);
    let connection = Connection::new(ours.into(), session);
    ring.add(3, connection.socket.as_fd()).unwrap();
    Some((ring, connection, theirs))
}

/// The next event, with a second's patience.
fn event(ring: &mut Ring) -> Option<Event> {
    let end = base::clock::monotonic() + Millis(1000);
    while base::clock::monotonic() < end {
        if let Some(event) = ring.next_event() {
            return Some(event);
        }
        ring.wait(100).unwrap();
    }
    None
}

/// Takes `len` bytes and gives the buffers back.
fn take(ring: &mut Ring, len: usize) -> Vec<u8> {
    let mut taken = Vec::new();
    while taken.len() < len {
        match event(ring) {
            Some(Event::Received { slot: 3, buffer, len }) => {
                taken.extend_from_slice(ring.bytes(buffer, len));
                ring.recycle(buffer);
            }
            other => panic!("{other:?}"),
        }
    }
    taken
}

#[test]
fn words_have_three_parts() {
    let told = word(SEND, 0x00ab_cdef, 77);
    assert_eq!(parts(told), (SEND, 0x00ab_cdef, 77));
    assert_eq!(parts(word(WAKE, 0xff00_0001, 0)), (WAKE, 1, 0));
}

#[test]
fn a_receive_goes_on_through_more_bytes_than_there_are_buffers() {
    let Some((mut ring, _connection, mut peer)) = connected() else { return };
    let bytes: Vec<u8> = (0..5 << 20).map(|n: u32| n.to_le_bytes()[1]).collect();
    let sent = bytes.clone();
    let sender = std::thread::spawn(move || {
        peer.write_all(&sent).unwrap();
        peer
    });
    assert!(take(&mut ring, bytes.len()) == bytes);
    drop(sender.join().unwrap());
    assert_eq!(event(&mut ring), Some(Event::End { slot: 3 }));
}

#[test]
fn a_large_send_ends_when_the_peer_has_taken_it() {
    let Some((mut ring, mut connection, mut peer)) = connected() else { return };
    connection.output = vec![7; 3 << 20];
    assert_eq!(ring.send(3, &mut connection).unwrap(), 3 << 20);
    assert_eq!((connection.unsent(), connection.output.len()), (3 << 20, 0));
    // One at a time.
    connection.output.push(8);
    assert_eq!(ring.send(3, &mut connection).unwrap(), 0);
    ring.wait(1).unwrap();
    assert!(ring.next_sent().is_none());
    let reader = std::thread::spawn(move || {
        let mut read = vec![0; 3 << 20];
        peer.read_exact(&mut read).unwrap();
        (read, peer)
    });
    let sent = loop {
        ring.wait(100).unwrap();
        if let Some(sent) = ring.next_sent() {
            break sent;
        }
    };
    assert!(sent.slot == 3 && sent.result.is_ok() && sent.bytes.len() == 3 << 20);
    let (read, _peer) = reader.join().unwrap();
    assert!(read.iter().all(|&byte| byte == 7));
}

#[test]
fn what_concerns_a_slot_s_last_connection_is_not_told_to_the_next() {
    let Some((mut ring, connection, mut peer)) = connected() else { return };
    peer.write_all(b"old").unwrap();
    ring.wait(1000).unwrap();
    ring.forget(3, connection.socket.as_fd());
    drop(connection);
    // Its peer sees the end, once the kernel has let go of the receive.
    ring.wait(10).unwrap();
    assert_eq!(peer.read(&mut [0; 8]).unwrap_or(0), 0);
    let (ours, mut peer) = UnixStream::pair().unwrap();
    ring.add(3, ours.as_fd()).unwrap();
    peer.write_all(b"new").unwrap();
    assert_eq!(take(&mut ring, 3), b"new");
}

#[test]
fn a_released_connection_keeps_what_came() {
    let Some((mut ring, mut connection, mut peer)) = connected() else { return };
    peer.write_all(b"PSYNC").unwrap();
    ring.wait(1000).unwrap();
    connection.output = vec![7; 3 << 20];
    ring.send(3, &mut connection).unwrap();
    ring.wait(1).unwrap();
    connection.output = b"end".to_vec();
    ring.release(3, &mut connection);
    // What the socket has not taken comes back.
    assert!(
        (4..3 << 20).contains(&connection.output.len()) && connection.output.ends_with(b"\x07end")
    );
    assert_eq!(connection.unsent(), connection.output.len());
    assert_eq!(connection.input, b"PSYNC");
    peer.write_all(b"later").unwrap();
    let mut later = [0; 5];
    UnixStream::from(connection.socket).read_exact(&mut later).unwrap();
    assert_eq!(&later, b"later");
    assert_eq!(ring.next_event(), None);
}

#[test]
fn input_that_is_not_wanted_stays_in_the_socket() {
    let Some((mut ring, connection, mut peer)) = connected() else { return };
    ring.watch(3, connection.socket.as_fd(), false, true).unwrap();
    ring.wait(1).unwrap();
    peer.write_all(b"x").unwrap();
    ring.wait(50).unwrap();
    assert_eq!(ring.next_event(), None);
    ring.watch(3, connection.socket.as_fd(), true, false).unwrap();
    assert_eq!(take(&mut ring, 1), b"x");
}
