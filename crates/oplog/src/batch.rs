//! The builder of one reservation in the log: the effects of a command, an EXEC or a script.
//!
//! The bytes are RESP arrays of bulk strings. A SELECT stands between two commands of different
//! databases; the one in front of the first command is left to [`crate::Log::append`], which alone
//! knows the database the stream stands in. Room for MULTI is kept at the front, so that framing a
//! batch moves nothing:
//!
//! ```text
//! *1 $5 MULTI | *3 $3 SET ... | *2 $6 SELECT $1 1 | *3 $3 SET ... | *1 $4 EXEC
//! ^ framed    ^ not framed
//! ```
//!
//! As in stock, the first SELECT precedes MULTI and later ones stand inside.
//! Source: behaviour of Redis 7.0, seen with `redis-cli --replica`.

use resp::number::write_header;

const MULTI: &[u8] = b"*1\r\n$5\r\nMULTI\r\n";
const EXEC: &[u8] = b"*1\r\n$4\r\nEXEC\r\n";

/// The capacity a batch keeps for its next use; what a bigger one took is given back.
const BATCH_BYTES_KEPT: usize = 64 * 1024;

/// Whether several effects are framed by MULTI and EXEC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Every command stands alone.
    Plain,
    /// MULTI in front and EXEC behind, if there are two commands or more.
    Transaction,
}

/// A reusable builder of one reservation of the log.
#[derive(Debug)]
pub struct Batch {
    bytes: Vec<u8>,
    start: usize,
    commands: usize,
    arguments_missing: usize,
    first_db: Option<u32>,
    last_db: Option<u32>,
}

impl Default for Batch {
    fn default() -> Batch {
        Batch::new()
    }
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Batch {
        let mut batch = Batch {
            bytes: Vec::new(),
            start: 0,
            commands: 0,
            arguments_missing: 0,
            first_db: None,
            last_db: None,
        };
        batch.begin();
        batch
    }

    /// Empties the batch for a new reservation.
    pub fn begin(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(BATCH_BYTES_KEPT);
        self.bytes.extend_from_slice(MULTI);
        self.start = MULTI.len();
        self.commands = 0;
        self.arguments_missing = 0;
        self.first_db = None;
        self.last_db = None;
    }

    /// Adds a command that acts on database `db`. O(bytes).
    pub fn command(&mut self, db: u32, args: &[&[u8]]) {
        self.start_command(Some(db), args.len());
        for arg in args {
            self.argument(arg);
        }
    }

    /// Adds a command that means the same in every database (PING, REPLCONF GETACK): no SELECT.
    pub fn keyless(&mut self, args: &[&[u8]]) {
        self.start_command(None, args.len());
        for arg in args {
            self.argument(arg);
        }
    }

    /// Begins a command of `argument_count` arguments, name included, each to be given with
    /// [`Batch::argument`]. For callers that have no slice of slices at hand.
    pub fn start_command(&mut self, db: Option<u32>, argument_count: usize) {
        debug_assert_eq!(self.arguments_missing, 0, "the previous command is complete");
        if let Some(db) = db {
            match self.last_db {
                None => self.first_db = Some(db),
                Some(last) if last != db => encode_select(db, &mut self.bytes),
                Some(_) => {}
            }
            self.last_db = Some(db);
        }
        write_header(&mut self.bytes, b'*', argument_count);
        self.arguments_missing = argument_count;
        self.commands += 1;
    }

    /// Adds the next argument of the command begun by [`Batch::start_command`].
    pub fn argument(&mut self, arg: &[u8]) {
        debug_assert!(self.arguments_missing > 0, "a command was begun that lacks an argument");
        self.arguments_missing = self.arguments_missing.saturating_sub(1);
        write_header(&mut self.bytes, b'$', arg.len());
        self.bytes.extend_from_slice(arg);
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// Ends the batch. Must be called once, after the last command.
    pub fn finish(&mut self, framing: Framing) {
        debug_assert_eq!(self.arguments_missing, 0, "the last command is complete");
        if framing == Framing::Transaction && self.commands > 1 {
            self.start = 0;
            self.bytes.extend_from_slice(EXEC);
        }
    }

    /// True if no command was added.
    pub fn is_empty(&self) -> bool {
        self.commands == 0
    }

    /// The commands added, without the SELECTs and the framing.
    pub fn commands(&self) -> usize {
        self.commands
    }

    /// The bytes of the stream, without the SELECT that may stand in front.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// The database of the first command that has one.
    pub(crate) fn first_db(&self) -> Option<u32> {
        self.first_db
    }

    /// The database the stream stands in behind this batch, if any command named one.
    pub(crate) fn last_db(&self) -> Option<u32> {
        self.last_db
    }
}

/// Writes the request `SELECT db`.
pub fn encode_select(db: u32, out: &mut Vec<u8>) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(db).as_bytes();
    out.extend_from_slice(b"*2\r\n$6\r\nSELECT\r\n");
    write_header(out, b'$', digits.len());
    out.extend_from_slice(digits);
    out.extend_from_slice(b"\r\n");
}

/// The bytes of a command whose arguments have these lengths.
pub fn encoded_bytes(args: impl ExactSizeIterator<Item = usize>) -> u64 {
    let header = |count: usize| match count {
        0..10 => 4,
        10..100 => 5,
        100..1000 => 6,
        _ => 4 + u64::from(count.ilog10()),
    };
    let count = header(args.len());
    args.fold(count, |sum, len| sum + header(len) + len as u64 + 2)
}

/// The bytes of `SELECT db`.
pub(crate) fn select_bytes(db: u32) -> u64 {
    let digits = 1 + db.checked_ilog10().unwrap_or(0) as usize;
    encoded_bytes([6, digits].into_iter())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Command<'a> = (Option<u32>, &'a [&'a [u8]]);

    fn built(commands: &[Command<'_>], framing: Framing) -> String {
        let mut batch = Batch::new();
        for (db, args) in commands {
            match db {
                Some(db) => batch.command(*db, args),
                None => batch.keyless(args),
            }
        }
        batch.finish(framing);
        String::from_utf8(batch.bytes().to_vec()).unwrap()
    }

    const SET: &[&[u8]] = &[b"SET", b"k", b"v"];
    const SET_BYTES: &str = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n";

    #[test]
    fn encodes_as_the_stream_wants_it() {
        let select = "*2\r\n$6\r\nSELECT\r\n$2\r\n11\r\n";
        let (multi, exec) = ("*1\r\n$5\r\nMULTI\r\n", "*1\r\n$4\r\nEXEC\r\n");
        let rows: &[(&[Command<'_>], Framing, String)] = &[
            (&[], Framing::Transaction, String::new()),
            (&[(Some(0), SET)], Framing::Plain, SET_BYTES.into()),
            (&[(Some(3), SET)], Framing::Transaction, SET_BYTES.into()),
            (&[(Some(0), SET), (Some(0), SET)], Framing::Plain, format!("{SET_BYTES}{SET_BYTES}")),
            (
                &[(Some(0), SET), (Some(11), SET)],
                Framing::Transaction,
                format!("{multi}{SET_BYTES}{select}{SET_BYTES}{exec}"),
            ),
            (&[(None, &[b"PING"])], Framing::Plain, "*1\r\n$4\r\nPING\r\n".into()),
            (
                &[(Some(0), SET), (None, &[b"PING"]), (Some(0), SET)],
                Framing::Plain,
                format!("{SET_BYTES}*1\r\n$4\r\nPING\r\n{SET_BYTES}"),
            ),
            (&[(Some(0), &[b"SET", b""])], Framing::Plain, "*2\r\n$3\r\nSET\r\n$0\r\n\r\n".into()),
        ];
        for (commands, framing, expected) in rows {
            assert_eq!(&built(commands, *framing), expected);
        }
    }

    #[test]
    fn lengths_are_known_without_encoding() {
        for len in [0, 1, 9, 10, 99, 100, 999, 1000, 12_345] {
            let args: Vec<Vec<u8>> = (0..=len % 13).map(|at| vec![b'x'; len + at]).collect();
            let words: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
            let encoded = built(&[(Some(0), &words)], Framing::Plain);
            assert_eq!(encoded_bytes(words.iter().map(|word| word.len())), encoded.len() as u64);
        }
        for db in [0, 9, 10, 16_383, u32::MAX] {
            let mut select = Vec::new();
            encode_select(db, &mut select);
            assert_eq!(select_bytes(db), select.len() as u64);
        }
    }

    #[test]
    fn a_default_batch_can_be_framed() {
        let mut batch = Batch::default();
        batch.command(0, SET);
        batch.command(0, SET);
        batch.finish(Framing::Transaction);
        assert!(batch.bytes().starts_with(b"*1\r\n$5\r\nMULTI\r\n"));
    }

    #[test]
    fn is_reusable() {
        let mut batch = Batch::new();
        batch.command(2, &[b"SET", b"big", &vec![b'x'; 1 << 20]]);
        batch.command(2, SET);
        batch.finish(Framing::Transaction);
        batch.begin();
        assert!(batch.is_empty());
        assert_eq!((batch.bytes(), batch.first_db(), batch.last_db()), (&b""[..], None, None));
        batch.command(1, SET);
        batch.finish(Framing::Plain);
        assert_eq!(batch.bytes(), SET_BYTES.as_bytes());
        assert!(batch.bytes.capacity() <= 2 * BATCH_BYTES_KEPT);
    }
}
