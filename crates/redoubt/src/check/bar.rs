//! A bar on the terminal: how far the reading of a file has come, and when it will be through.
//!
//! ```text
//! dump.rdb [################................]  50 %  ETA 0:12
//! ```
//!
//! It stands on standard error, and only if that is a terminal: what scripts read is what it was. It
//! comes after a second, so that short work shows none, and goes before any other line.

use base::Millis;
use std::cell::RefCell;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::rc::Rc;

/// How long the work must have taken before the bar is shown.
const PATIENCE: Millis = Millis(1000);
/// Between two bars.
const PERIOD: Millis = Millis(200);
/// The marks of a full bar.
const WIDTH: u64 = 32;
/// The rest of the name of a longer path that is shown.
const NAME_CHARS_MAX: usize = 30;

/// A bar, or none; copies are the same one.
#[derive(Clone, Default)]
pub struct Bar(Option<Rc<RefCell<State>>>);

struct State {
    terminal: Box<dyn Write>,
    name: String,
    total: u64,
    done: u64,
    began: Millis,
    /// When it was last drawn.
    drawn: Millis,
    is_shown: bool,
}

impl Bar {
    /// A bar on standard error, if somebody sees it.
    pub fn on_terminal() -> Bar {
        if io::stderr().is_terminal() { Bar::on(Box::new(io::stderr())) } else { Bar(None) }
    }

    fn on(terminal: Box<dyn Write>) -> Bar {
        Bar(Some(Rc::new(RefCell::new(State {
            terminal,
            name: String::new(),
            total: 0,
            done: 0,
            began: Millis(0),
            drawn: Millis(0),
            is_shown: false,
        }))))
    }

    /// `file`, which is called `name`, to be read to its end.
    pub(super) fn watch(&self, name: &str, file: File) -> Watched {
        let total = file.metadata().map_or(0, |facts| facts.len());
        self.begin(name, total, base::clock::monotonic());
        Watched { file, bar: self.clone() }
    }

    fn begin(&self, name: &str, total: u64, now: Millis) {
        let Some(state) = &self.0 else { return };
        let mut state = state.borrow_mut();
        let skipped = name.chars().count().saturating_sub(NAME_CHARS_MAX);
        state.name = name.chars().skip(skipped).collect();
        (state.total, state.done) = (total, 0);
        (state.began, state.drawn) = (now, now);
    }

    fn advance(&self, bytes: u64, now: Millis) {
        let Some(state) = &self.0 else { return };
        let mut state = state.borrow_mut();
        state.done += bytes;
        if now.since(state.began) >= PATIENCE && now.since(state.drawn) >= PERIOD {
            state.drawn = now;
            state.draw(now);
        }
    }

    /// Takes the bar away, for something else is to be written there.
    fn clear(&self) {
        let Some(state) = &self.0 else { return };
        let mut state = state.borrow_mut();
        if std::mem::take(&mut state.is_shown) {
            state.say("\r\x1b[K");
        }
    }
}

impl State {
    fn draw(&mut self, now: Millis) {
        let (done, total) = (self.done.min(self.total), self.total.max(1));
        let part =
            |whole: u64| u64::try_from(u128::from(whole) * u128::from(done) / u128::from(total));
        let (marks, percent) = (part(WIDTH).unwrap_or(0), part(100).unwrap_or(0));
        let took_ms = u128::from(now.since(self.began).0);
        let left_s = took_ms * u128::from(total - done) / u128::from(done.max(1)) / 1000;
        let bar: String = (0..WIDTH).map(|at| if at < marks { '#' } else { '.' }).collect();
        let (minutes, seconds) = (left_s / 60, left_s % 60);
        let line =
            format!("\r{} [{bar}] {percent:3} %  ETA {minutes}:{seconds:02}\x1b[K", self.name);
        self.say(&line);
        self.is_shown = true;
    }

    fn say(&mut self, text: &str) {
        // A terminal that is gone needs no bar.
        let _ = self.terminal.write_all(text.as_bytes()).and_then(|()| self.terminal.flush());
    }
}

/// A file whose reading moves the bar.
pub(super) struct Watched {
    file: File,
    bar: Bar,
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.bar.advance(read as u64, base::clock::monotonic());
        Ok(read)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.bar.clear();
    }
}

/// Output before which the bar goes.
pub(super) struct Lines<'a> {
    pub(super) out: &'a mut dyn Write,
    pub(super) bar: Bar,
}

impl Write for Lines<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bar.clear();
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Screen(Rc<RefCell<Vec<u8>>>);

    impl Write for Screen {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn long_work_shows_a_bar_that_goes_before_lines() {
        let screen = Screen::default();
        let shown = || String::from_utf8(std::mem::take(&mut *screen.0.borrow_mut())).unwrap();
        let bar = Bar::on(Box::new(screen.clone()));
        bar.begin("a.rdb", 1000, Millis(50));
        bar.advance(100, Millis(1049));
        assert_eq!(shown(), "");
        bar.advance(150, Millis(1050));
        let quarter = format!("{}{}", "#".repeat(8), ".".repeat(24));
        assert_eq!(shown(), format!("\ra.rdb [{quarter}]  25 %  ETA 0:03\x1b[K"));
        bar.advance(1, Millis(1249));
        assert_eq!(shown(), "");
        let mut out = Vec::new();
        let mut lines = Lines { out: &mut out, bar: bar.clone() };
        lines.write_all(b"line\n").unwrap();
        lines.write_all(b"line\n").unwrap();
        assert_eq!(out, b"line\nline\n");
        assert_eq!(shown(), "\r\x1b[K");
        // More than was thought to be there, since the file grows.
        bar.advance(5000, Millis(61_050));
        assert_eq!(shown(), format!("\ra.rdb [{}] 100 %  ETA 0:00\x1b[K", "#".repeat(32)));
        bar.begin("b", 0, Millis(70_000));
        bar.advance(0, Millis(80_000));
        assert_eq!(shown(), format!("\rb [{}]   0 %  ETA 0:10\x1b[K", ".".repeat(32)));
    }

    #[test]
    fn a_bar_that_nobody_sees_does_nothing() {
        let bar = Bar::default();
        bar.begin("a", 1, Millis(0));
        bar.advance(1, Millis(5000));
        bar.clear();
    }
}
