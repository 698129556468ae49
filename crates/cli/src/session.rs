//! The connection and what the client knows about its state: database, transaction, protocol.
//!
//! A connection is made when a command needs one, brought into the state the user chose (AUTH, SELECT,
//! HELLO), and dropped when it fails; the next command makes a new one. A step of this that the server
//! refuses is told on standard error, and the command is sent all the same, as redis-cli does.
//!
//! Source: behaviour observed with redis-cli 7.0.15.

use crate::console::Console;
use crate::format;
use crate::format::Output;
use crate::options::Options;
use resp::{Protocol, Value};
use std::fmt::Write;
use std::io;
use std::thread::sleep;
use thiserror::Error;
use wireclient::{Address, Client, ClientError};

/// How often one command follows a redirect before its error is shown.
const REDIRECTS_MAX: u32 = 16;

/// Why a command ended early. What there is to say about it has been said.
#[derive(Debug, Error)]
pub(crate) enum Ended {
    /// No connection, or it failed; the next command may try again.
    #[error("no connection")]
    Connection,
    /// With `-e`, the server answered an error.
    #[error("the server answered an error")]
    ErrorReply,
    /// Nobody reads what is printed.
    #[error("output closed: {0}")]
    Output(#[from] io::Error),
}

/// Whose commands are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The command line.
    Arguments,
    /// Lines, typed or piped.
    Lines,
}

/// A place a cluster sends a command to.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Redirect {
    slot: u16,
    host: String,
    port: u16,
    is_ask: bool,
}

/// What one request led to.
enum Outcome {
    Answered,
    Redirected(Redirect),
}

pub(crate) struct Session {
    pub(crate) options: Options,
    pub(crate) source: Source,
    address: Address,
    client: Option<Client>,
    /// The database the user chose, and the one the connection is in.
    db_wanted: u32,
    db: u32,
    db_before_multi: u32,
    is_in_multi: bool,
    /// SHUTDOWN was sent: that the connection ends is the answer.
    expects_end: bool,
}

impl Session {
    pub(crate) fn new(options: Options, source: Source) -> Session {
        let address = match &options.socket {
            Some(path) => Address::Unix(path.clone()),
            None => Address::tcp(options.host.clone(), options.port),
        };
        Session {
            db_wanted: options.db,
            options,
            source,
            address,
            client: None,
            db: 0,
            db_before_multi: 0,
            is_in_multi: false,
            expects_end: false,
        }
    }

    /// What stands before the cursor.
    pub(crate) fn prompt(&self) -> String {
        if self.client.is_none() {
            return "not connected> ".to_owned();
        }
        let mut prompt = match &self.address {
            Address::Tcp { .. } => self.address.to_string(),
            Address::Unix(path) => format!("redis {}", path.display()),
        };
        if self.db != 0 {
            let _ = write!(prompt, "[{}]", self.db);
        }
        if self.is_in_multi {
            prompt.push_str("(TX)");
        }
        prompt.push_str("> ");
        prompt
    }

    /// Goes over to another server.
    pub(crate) fn move_to(&mut self, console: &mut Console, host: &str, port: u16) {
        self.address = Address::tcp(host, port);
        // A failure has been told; the next command tries again.
        let _ = self.connect(console);
    }

    /// Connects anew and brings the connection into the state the user chose.
    pub(crate) fn connect(&mut self, console: &mut Console) -> Result<(), Ended> {
        self.client = None;
        self.db = 0;
        self.is_in_multi = false;
        match Client::connect(&self.address, None) {
            Ok(client) => self.client = Some(client),
            Err(error) => {
                let reason = match &error {
                    ClientError::Connect { source, .. } => base::reason(source),
                    other => other.to_string(),
                };
                let shown = match &self.address {
                    Address::Tcp { host, port } => format!("{host}:{port}"),
                    Address::Unix(path) => path.display().to_string(),
                };
                console.complain(format!("Could not connect to Redis at {shown}: {reason}"));
                return Err(Ended::Connection);
            }
        }
        // As soon as one is refused, the rest is left out.
        if self.authenticate(console)? && self.select(console)? {
            self.switch_protocol(console)?;
        }
        Ok(())
    }

    fn authenticate(&mut self, console: &mut Console) -> Result<bool, Ended> {
        let Some(password) = self.options.password.clone() else {
            return Ok(true);
        };
        let user = self.options.user.clone();
        let reply = match &user {
            Some(user) => self.ask(console, &["AUTH", user, &password])?,
            None => self.ask(console, &["AUTH", &password])?,
        };
        if let Some(text) = reply.as_error() {
            console.complain(format!("AUTH failed: {text}"));
        }
        Ok(!reply.is_error())
    }

    fn select(&mut self, console: &mut Console) -> Result<bool, Ended> {
        if self.db_wanted == self.db {
            return Ok(true);
        }
        let db = self.db_wanted;
        match self.ask(console, &["SELECT", &db.to_string()])?.as_error() {
            Some(text) => console.complain(format!("SELECT {db} failed: {text}")),
            None => self.db = db,
        }
        Ok(self.db == db)
    }

    fn switch_protocol(&mut self, console: &mut Console) -> Result<(), Ended> {
        let version = match self.options.protocol {
            None => return Ok(()),
            Some(Protocol::Resp2) => "2",
            Some(Protocol::Resp3) => "3",
        };
        // A new connection speaks RESP2 already.
        if version == "2" {
            return Ok(());
        }
        let reply = self.ask(console, &["HELLO", version])?;
        if let Some(text) = reply.as_error() {
            console.complain(format!("HELLO {version} failed: {text}"));
            if self.options.protocol_may_fall_back {
                self.options.protocol = None;
            }
        }
        Ok(())
    }

    /// A request of the client's own.
    fn ask(&mut self, console: &mut Console, request: &[&str]) -> Result<Value, Ended> {
        let client = self.client.as_mut().ok_or(Ended::Connection)?;
        client.call(request).map_err(|error| self.lose(console, &error))
    }

    /// A request whose failure needs no words.
    pub(crate) fn ask_quietly(&mut self, request: &[&str]) -> Option<Value> {
        let reply = self.client.as_mut()?.call(request);
        if reply.is_err() {
            self.client = None;
        }
        reply.ok().filter(|reply| !reply.is_error())
    }

    /// Drops the connection and says why.
    fn lose(&mut self, console: &mut Console, error: &ClientError) -> Ended {
        self.client = None;
        if self.expects_end {
            return Ended::Connection;
        }
        let reason = match error {
            ClientError::Closed => "Server closed the connection".to_owned(),
            ClientError::Io(error) => base::reason(error),
            other => other.to_string(),
        };
        console.complain(format!("Error: {reason}"));
        Ended::Connection
    }

    /// Sends a command `repeat` times (for ever if negative), printing every reply.
    pub(crate) fn run(
        &mut self,
        console: &mut Console,
        arguments: &[Vec<u8>],
        repeat: i64,
    ) -> Result<(), Ended> {
        let mut left = repeat;
        while left != 0 {
            left = if left < 0 { left } else { left - 1 };
            self.run_once(console, arguments)?;
            if !self.options.interval.is_zero() {
                sleep(self.options.interval);
            }
        }
        Ok(())
    }

    fn run_once(&mut self, console: &mut Console, arguments: &[Vec<u8>]) -> Result<(), Ended> {
        if self.client.is_none() {
            self.connect(console)?;
        }
        for redirects in 0..=REDIRECTS_MAX {
            let may_follow = self.options.follows_redirects && redirects < REDIRECTS_MAX;
            let Outcome::Redirected(to) = self.exchange(console, arguments, may_follow)? else {
                break;
            };
            if self.source == Source::Lines && self.options.output == Output::Standard {
                let Redirect { slot, host, port, .. } = &to;
                console
                    .print(format!("-> Redirected to slot [{slot}] located at {host}:{port}\n"))?;
            }
            self.address = Address::tcp(to.host, to.port);
            self.connect(console)?;
            if to.is_ask {
                self.ask(console, &["ASKING"])?;
            }
        }
        Ok(())
    }

    /// Sends a command and prints what it is answered with.
    fn exchange(
        &mut self,
        console: &mut Console,
        arguments: &[Vec<u8>],
        may_follow: bool,
    ) -> Result<Outcome, Ended> {
        let client = self.client.as_mut().ok_or(Ended::Connection)?;
        if let Err(error) = client.send(arguments) {
            return Err(self.lose(console, &error));
        }
        let command = Command::new(arguments);
        self.expects_end = command.is("SHUTDOWN");
        if command.is("SUBSCRIBE") || command.is("PSUBSCRIBE") || command.is("SSUBSCRIBE") {
            return self.listen(console).map(|()| Outcome::Answered);
        }
        loop {
            let reply = match self.receive(console) {
                Err(Ended::Connection) if self.expects_end => return Ok(Outcome::Answered),
                reply => reply?,
            };
            if may_follow && let Some(redirect) = self.redirect(&reply) {
                return Ok(Outcome::Redirected(redirect));
            }
            self.show(console, &reply, command.is_verbatim())?;
            if reply.is_error() || !command.is("MONITOR") {
                self.note(console, &command, &reply)?;
                return Ok(Outcome::Answered);
            }
        }
    }

    /// Prints what is published until the connection or the user ends it.
    fn listen(&mut self, console: &mut Console) -> Result<(), Ended> {
        if self.options.output != Output::Raw {
            console.print("Reading messages... (press Ctrl-C to quit)\n")?;
        }
        loop {
            let client = self.client.as_mut().ok_or(Ended::Connection)?;
            let message = client.receive_next().map_err(|error| self.lose(console, &error))?;
            self.show(console, &message, false)?;
            if message.is_error() {
                return Ok(());
            }
        }
    }

    /// The next reply; pushes before it are printed or dropped.
    fn receive(&mut self, console: &mut Console) -> Result<Value, Ended> {
        loop {
            let client = self.client.as_mut().ok_or(Ended::Connection)?;
            let value = client.receive_any().map_err(|error| self.lose(console, &error))?;
            if !matches!(value.plain(), Value::Push(_)) {
                return Ok(value);
            }
            if self.options.shows_pushes {
                let Options { output, delimiters, .. } = &self.options;
                console.print(format::push(value.plain(), *output, delimiters))?;
            }
        }
    }

    fn show(&self, console: &mut Console, reply: &Value, verbatim: bool) -> Result<(), Ended> {
        let ends = self.options.exits_on_error && self.source == Source::Arguments;
        if ends && let Some(text) = reply.as_error() {
            console.complain(text.as_bytes());
            return Err(Ended::ErrorReply);
        }
        let Options { output, delimiters, .. } = &self.options;
        console.print(format::reply(reply, *output, verbatim, delimiters))?;
        Ok(())
    }

    /// Follows what a command did to the state of the connection.
    fn note(
        &mut self,
        console: &mut Console,
        command: &Command<'_>,
        reply: &Value,
    ) -> Result<(), Ended> {
        let is_error = reply.is_error();
        if command.is("SELECT") && !is_error {
            if let Some(db) = command.argument(1).and_then(|text| text.parse().ok()) {
                (self.db, self.db_wanted) = (db, db);
            }
        } else if command.is("AUTH") && !is_error {
            self.select(console)?;
        } else if command.is("MULTI") && !is_error {
            self.is_in_multi = true;
            self.db_before_multi = self.db;
        } else if command.is("EXEC") && self.is_in_multi {
            self.is_in_multi = false;
            if is_error || reply.is_null() {
                (self.db, self.db_wanted) = (self.db_before_multi, self.db_before_multi);
            }
        } else if command.is("DISCARD") && !is_error {
            self.is_in_multi = false;
            (self.db, self.db_wanted) = (self.db_before_multi, self.db_before_multi);
        } else if command.is("RESET") && !is_error {
            self.is_in_multi = false;
            (self.db, self.db_wanted) = (0, 0);
        }
        Ok(())
    }

    /// Where an error reply of a cluster says the command should go. An empty host is this one.
    fn redirect(&self, reply: &Value) -> Option<Redirect> {
        let text = reply.as_error()?;
        let mut words = text.split(' ');
        let is_ask = match words.next()? {
            "MOVED" => false,
            "ASK" => true,
            _ => return None,
        };
        let slot = words.next()?.parse().ok()?;
        let (host, port) = words.next()?.rsplit_once(':')?;
        let here = match &self.address {
            Address::Tcp { host, .. } => host.as_str(),
            Address::Unix(_) => self.options.host.as_str(),
        };
        let host = if host.is_empty() { here } else { host }.to_owned();
        Some(Redirect { slot, host, port: port.parse().ok()?, is_ask })
    }
}

/// A command as the client looks at it: its name and subcommand without regard to case.
struct Command<'a> {
    arguments: &'a [Vec<u8>],
}

impl<'a> Command<'a> {
    fn new(arguments: &'a [Vec<u8>]) -> Command<'a> {
        Command { arguments }
    }

    fn word_is(&self, index: usize, name: &str) -> bool {
        self.arguments.get(index).is_some_and(|word| word.eq_ignore_ascii_case(name.as_bytes()))
    }

    fn is(&self, name: &str) -> bool {
        self.word_is(0, name)
    }

    fn argument(&self, index: usize) -> Option<&str> {
        std::str::from_utf8(self.arguments.get(index)?).ok()
    }

    /// Whether the reply is a text of lines, printed as it is in every output.
    fn is_verbatim(&self) -> bool {
        const TEXTS: &[(&str, &[&str])] = &[
            ("CLIENT", &["LIST", "INFO"]),
            ("CLUSTER", &["NODES", "INFO"]),
            ("DEBUG", &["HTSTATS", "HTSTATS-KEY"]),
            ("LATENCY", &["GRAPH", "DOCTOR"]),
            ("MEMORY", &["MALLOC-STATS", "DOCTOR"]),
            ("PROXY", &["INFO"]),
        ];
        self.is("INFO")
            || self.is("LOLWUT")
            || TEXTS.iter().any(|(name, parts)| {
                self.is(name) && parts.iter().any(|part| self.word_is(1, part))
            })
    }
}
