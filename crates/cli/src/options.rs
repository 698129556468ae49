//! What the command line asks for. The options are tables: a name, what it takes, what it sets.
//!
//! Options end at the first word that does not begin with `-`; it and all after it are the command.

use crate::format::{Delimiters, Output};
use resp::Protocol;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;
use thiserror::Error;
use wireclient::uri::{self, UriError};

/// Where a server is looked for when nothing else is said.
const DEFAULT_HOST: &str = "127.0.0.1";
/// The port of a server when nothing else is said.
const DEFAULT_PORT: u16 = 6379;
/// The longest pause of `-i`, in seconds.
const INTERVAL_SECONDS_MAX: f64 = 86_400.0;

/// Everything the command line and the environment said.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is one independent switch of the user")]
pub(crate) struct Options {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) socket: Option<PathBuf>,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) asks_password: bool,
    pub(crate) warns_about_password: bool,
    pub(crate) db: u32,
    /// The protocol to switch to, if any.
    pub(crate) protocol: Option<Protocol>,
    /// Whether the session goes on in RESP2 if the server knows no RESP3.
    pub(crate) protocol_may_fall_back: bool,
    pub(crate) repeat: i64,
    pub(crate) interval: Duration,
    pub(crate) output: Output,
    pub(crate) delimiters: Delimiters,
    pub(crate) last_argument_from_stdin: bool,
    pub(crate) stdin_tag: Option<Vec<u8>>,
    pub(crate) follows_redirects: bool,
    pub(crate) exits_on_error: bool,
    pub(crate) input_is_quoted: bool,
    pub(crate) shows_pushes: bool,
    pub(crate) command: Vec<Vec<u8>>,
}

/// What to do.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    Run(Box<Options>),
    Help,
    Version,
}

/// Why a command line cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum OptionError {
    #[error("Unrecognized option or bad number of args for: '{0}'")]
    Unrecognized(String),
    #[error("{0} is not built yet")]
    NotBuilt(String),
    #[error("Invalid server port.")]
    Port,
    #[error("Invalid value for {0}: '{1}'")]
    Value(&'static str, String),
    #[error(transparent)]
    Uri(#[from] UriError),
}

type Set = fn(&mut Options);
type SetValue = fn(&mut Options, &[u8]) -> Result<(), OptionError>;

/// Options that stand alone.
const SWITCHES: &[(&str, Set)] = &[
    ("-2", |options| {
        options.protocol = Some(Protocol::Resp2);
        options.protocol_may_fall_back = false;
    }),
    ("-3", |options| {
        options.protocol = Some(Protocol::Resp3);
        options.protocol_may_fall_back = false;
    }),
    ("-c", |options| options.follows_redirects = true),
    ("-e", |options| options.exits_on_error = true),
    ("-x", |options| options.last_argument_from_stdin = true),
    ("--askpass", |options| options.asks_password = true),
    ("--csv", |options| options.output = Output::Csv),
    ("--json", |options| json(options, Output::Json)),
    ("--no-auth-warning", |options| options.warns_about_password = false),
    ("--no-raw", |options| options.output = Output::Standard),
    ("--quoted-input", |options| options.input_is_quoted = true),
    ("--quoted-json", |options| json(options, Output::QuotedJson)),
    ("--raw", |options| options.output = Output::Raw),
    // There is nothing more to say so far.
    ("--verbose", |_| {}),
];

/// Options that take the word after them.
const VALUES: &[(&str, SetValue)] = &[
    ("-D", |options, value| {
        options.delimiters.reply = value.to_vec();
        Ok(())
    }),
    ("-X", |options, value| {
        options.stdin_tag = Some(value.to_vec());
        Ok(())
    }),
    ("-a", set_password),
    ("-d", |options, value| {
        options.delimiters.element = value.to_vec();
        Ok(())
    }),
    ("-h", |options, value| {
        let host = text(value);
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        bare.unwrap_or(&host).clone_into(&mut options.host);
        Ok(())
    }),
    ("-i", |options, value| {
        let seconds: f64 = number("-i", value)?;
        if !(0.0..=INTERVAL_SECONDS_MAX).contains(&seconds) {
            return Err(OptionError::Value("-i", text(value)));
        }
        options.interval = Duration::from_secs_f64(seconds);
        Ok(())
    }),
    ("-n", |options, value| {
        options.db = number("-n", value)?;
        Ok(())
    }),
    ("-p", |options, value| {
        options.port = number("-p", value).map_err(|_| OptionError::Port)?;
        Ok(())
    }),
    ("-r", |options, value| {
        options.repeat = number("-r", value)?;
        Ok(())
    }),
    ("-s", |options, value| {
        options.socket = Some(PathBuf::from(std::ffi::OsStr::from_bytes(value)));
        Ok(())
    }),
    ("-u", set_uri),
    ("--pass", set_password),
    ("--show-pushes", |options, value| {
        options.shows_pushes = match value.first() {
            Some(b'y' | b'Y') => true,
            Some(b'n' | b'N') => false,
            _ => return Err(OptionError::Value("--show-pushes", text(value))),
        };
        Ok(())
    }),
    ("--user", |options, value| {
        options.user = Some(text(value));
        Ok(())
    }),
];

/// Options of redis-cli whose part does not exist here so far.
const NOT_BUILT: &[&str] = &[
    "--bigkeys",
    "--cacert",
    "--cacertdir",
    "--cert",
    "--cluster",
    "--cluster-replicas",
    "--cluster-yes",
    "--eval",
    "--functions-rdb",
    "--hotkeys",
    "--insecure",
    "--intrinsic-latency",
    "--key",
    "--latency",
    "--latency-dist",
    "--latency-history",
    "--ldb",
    "--ldb-sync-mode",
    "--lru-test",
    "--memkeys",
    "--memkeys-samples",
    "--pattern",
    "--pipe",
    "--pipe-timeout",
    "--quoted-pattern",
    "--rdb",
    "--replica",
    "--scan",
    "--slave",
    "--sni",
    "--stat",
    "--tls",
    "--tls-ciphers",
    "--tls-ciphersuites",
];

impl Options {
    /// What holds if nothing is said; a terminal gets replies for people.
    pub(crate) fn new(stdout_is_terminal: bool) -> Options {
        Options {
            host: DEFAULT_HOST.to_owned(),
            port: DEFAULT_PORT,
            socket: None,
            user: None,
            password: None,
            asks_password: false,
            warns_about_password: true,
            db: 0,
            protocol: None,
            protocol_may_fall_back: false,
            repeat: 1,
            interval: Duration::ZERO,
            output: if stdout_is_terminal { Output::Standard } else { Output::Raw },
            delimiters: Delimiters::default(),
            last_argument_from_stdin: false,
            stdin_tag: None,
            follows_redirects: false,
            exits_on_error: false,
            input_is_quoted: false,
            shows_pushes: stdout_is_terminal,
            command: Vec::new(),
        }
    }
}

/// Reads the words after the program's name.
pub(crate) fn parse(words: &[OsString], stdout_is_terminal: bool) -> Result<Request, OptionError> {
    let mut options = Options::new(stdout_is_terminal);
    let mut rest = words.iter();
    while let Some(word) = rest.as_slice().first() {
        let bytes = word.as_bytes();
        if !bytes.starts_with(b"-") {
            break;
        }
        rest.next();
        let name = text(bytes);
        let value = rest.as_slice().first();
        match name.as_str() {
            "--help" => return Ok(Request::Help),
            "-h" if value.is_none() => return Ok(Request::Help),
            "-v" | "--version" => return Ok(Request::Version),
            _ => {}
        }
        if let Some((_, set)) = SWITCHES.iter().find(|(known, _)| *known == name) {
            set(&mut options);
        } else if let Some((_, set)) = VALUES.iter().find(|(known, _)| *known == name)
            && let Some(value) = value
        {
            rest.next();
            set(&mut options, value.as_bytes())?;
        } else if NOT_BUILT.contains(&name.as_str()) {
            return Err(OptionError::NotBuilt(name));
        } else {
            return Err(OptionError::Unrecognized(name));
        }
    }
    options.command = rest.map(|word| word.as_bytes().to_vec()).collect();
    Ok(Request::Run(Box::new(options)))
}

fn json(options: &mut Options, output: Output) {
    options.output = output;
    if options.protocol.is_none() {
        options.protocol = Some(Protocol::Resp3);
        options.protocol_may_fall_back = true;
    }
}

#[allow(clippy::unnecessary_wraps, reason = "it is a row of a table")]
fn set_password(options: &mut Options, value: &[u8]) -> Result<(), OptionError> {
    options.password = Some(text(value));
    Ok(())
}

fn set_uri(options: &mut Options, value: &[u8]) -> Result<(), OptionError> {
    let uri = uri::parse(&text(value))?;
    options.user = uri.user.or(options.user.take());
    options.password = uri.password.or(options.password.take());
    options.port = uri.port.unwrap_or(options.port);
    options.db = uri.db.unwrap_or(options.db);
    if let Some(host) = uri.host {
        options.host = host;
    }
    Ok(())
}

fn number<N: std::str::FromStr>(name: &'static str, value: &[u8]) -> Result<N, OptionError> {
    text(value).trim().parse().map_err(|_| OptionError::Value(name, text(value)))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Request, OptionError> {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        parse(&words, false)
    }

    fn run(line: &str) -> Options {
        match read(line) {
            Ok(Request::Run(options)) => *options,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn reads_options_up_to_the_command() {
        let options = run("-h h -p 7 -a p --user u -n 3 -r -1 -i 0.5 -x -c -e -3 --no-raw get -h");
        assert_eq!((options.host.as_str(), options.port, options.db), ("h", 7, 3));
        assert_eq!((options.user.as_deref(), options.password.as_deref()), (Some("u"), Some("p")));
        assert_eq!((options.repeat, options.interval), (-1, Duration::from_millis(500)));
        assert!(options.last_argument_from_stdin && options.follows_redirects);
        assert!(options.exits_on_error && options.output == Output::Standard);
        assert_eq!(options.protocol, Some(Protocol::Resp3));
        assert_eq!(options.command, [b"get".to_vec(), b"-h".to_vec()]);
        assert_eq!(run("-u redis://u:p@h:7/3 ping").db, 3);
        assert_eq!(run("-s /tmp/s ping").socket, Some(PathBuf::from("/tmp/s")));
        assert_eq!(run("ping").output, Output::Raw);
        assert_eq!(run("-h [::1]").command.len(), 0);
    }

    #[test]
    fn json_asks_for_resp3_unless_told_otherwise() {
        for (line, protocol, falls_back) in [
            ("--json", Some(Protocol::Resp3), true),
            ("--json -2", Some(Protocol::Resp2), false),
            ("-2 --json", Some(Protocol::Resp2), false),
            ("-3 --quoted-json", Some(Protocol::Resp3), false),
        ] {
            let options = run(line);
            assert_eq!((options.protocol, options.protocol_may_fall_back), (protocol, falls_back));
        }
    }

    #[test]
    fn refuses_in_one_line() {
        for (line, expected) in [
            ("--bogus", "Unrecognized option or bad number of args for: '--bogus'"),
            ("-p", "Unrecognized option or bad number of args for: '-p'"),
            ("-", "Unrecognized option or bad number of args for: '-'"),
            ("-p x", "Invalid server port."),
            ("-p 70000", "Invalid server port."),
            ("-n x", "Invalid value for -n: 'x'"),
            ("-i -1", "Invalid value for -i: '-1'"),
            ("-u foo", "Invalid URI scheme"),
            ("--bigkeys", "--bigkeys is not built yet"),
            ("--tls ping", "--tls is not built yet"),
        ] {
            match read(line) {
                Err(error) => assert_eq!(error.to_string(), expected),
                Ok(other) => panic!("{line}: {other:?}"),
            }
        }
    }

    #[test]
    fn help_and_version_win() {
        assert!(matches!(read("-p 1 --help"), Ok(Request::Help)));
        assert!(matches!(read("-h"), Ok(Request::Help)));
        assert!(matches!(read("--version ping"), Ok(Request::Version)));
    }
}
