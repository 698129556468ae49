//! Epoll: told that a socket is ready, the loop reads it; sends are made at once.

use super::{Driver, Event, Sent};
use crate::connection::Connection;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

/// Events taken from epoll at once.
const EVENTS_MAX: usize = 512;
/// Epoll data of the wake-up descriptor; listeners count down from below it.
const WAKE: u64 = u64::MAX;
/// Epoll data above this is not a connection's slot.
const LISTENERS: u64 = u64::MAX - 1024;

/// An epoll set and the events taken from it.
pub(crate) struct Ready {
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
    next: usize,
}

impl Ready {
    pub(crate) fn open() -> io::Result<Ready> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        Ok(Ready { epoll, events: Vec::with_capacity(EVENTS_MAX), next: 0 })
    }

    fn add_as(&self, fd: BorrowedFd<'_>, data: u64) -> io::Result<()> {
        let data = epoll::EventData::new_u64(data);
        Ok(epoll::add(&self.epoll, fd, data, epoll::EventFlags::IN)?)
    }
}

impl Driver for Ready {
    fn wait(&mut self, timeout_ms: u64) -> io::Result<()> {
        let timeout = Timespec::try_from(Duration::from_millis(timeout_ms))
            .unwrap_or(Timespec { tv_sec: 0, tv_nsec: 0 });
        self.events.clear();
        self.next = 0;
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn next_event(&mut self) -> Option<Event> {
        let event = *self.events.get(self.next)?;
        self.next += 1;
        let (data, flags) = (event.data.u64(), event.flags);
        Some(if data == WAKE {
            Event::Wake
        } else if data > LISTENERS {
            Event::Accept(usize::try_from(WAKE - 1 - data).unwrap_or(0))
        } else {
            let gone = epoll::EventFlags::HUP | epoll::EventFlags::ERR;
            Event::Ready {
                slot: usize::try_from(data).unwrap_or(usize::MAX),
                readable: flags.intersects(gone | epoll::EventFlags::IN),
                writable: flags.intersects(epoll::EventFlags::OUT),
                gone: flags.intersects(gone),
            }
        })
    }

    fn watch_wake(&mut self, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.add_as(fd, WAKE)
    }

    fn listen(&mut self, at: usize, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.add_as(fd, WAKE - 1 - at as u64)
    }

    fn stop_listening(&mut self, _at: usize, fd: BorrowedFd<'_>) -> bool {
        epoll::delete(&self.epoll, fd).is_ok()
    }

    fn add(&mut self, slot: usize, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.add_as(fd, slot as u64)
    }

    fn watch(
        &mut self,
        slot: usize,
        fd: BorrowedFd<'_>,
        reads: bool,
        wants_room: bool,
    ) -> io::Result<()> {
        let mut interest = epoll::EventFlags::empty();
        interest.set(epoll::EventFlags::IN, reads);
        interest.set(epoll::EventFlags::OUT, wants_room);
        let data = epoll::EventData::new_u64(slot as u64);
        Ok(epoll::modify(&self.epoll, fd, data, interest)?)
    }

    fn ignore(&mut self, _slot: usize, fd: BorrowedFd<'_>) {
        // If epoll does not know it, there is nothing to forget.
        let _ = epoll::delete(&self.epoll, fd);
    }

    fn forget(&mut self, slot: usize, fd: BorrowedFd<'_>) {
        self.ignore(slot, fd);
    }

    fn release(&mut self, slot: usize, connection: &mut Connection) {
        use std::os::fd::AsFd;
        self.ignore(slot, connection.socket.as_fd());
    }

    fn bytes(&self, _buffer: u16, _len: usize) -> &[u8] {
        &[]
    }

    fn recycle(&mut self, _buffer: u16) {}

    fn send(&mut self, _slot: usize, connection: &mut Connection) -> io::Result<usize> {
        connection.write()
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn next_sent(&mut self) -> Option<Sent> {
        None
    }
}
