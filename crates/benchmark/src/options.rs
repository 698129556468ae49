//! What the command line asks for, with redis-benchmark's names.
//!
//! Options end at the first word that does not begin with `-`; it and all after it are the command to be
//! sent instead of the default tests. What cannot be done yet is refused with a reason.

use std::path::PathBuf;
use thiserror::Error;
use wireclient::uri;

/// Connections at most, as loops have a descriptor for each.
const CLIENTS_MAX: u64 = 100_000;
/// Threads at most, as in stock.
const THREADS_MAX: u64 = 500;
/// The longest value, as in stock: 1 GB.
const VALUE_BYTES_MAX: u64 = 1 << 30;

/// What a run is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub(crate) struct Options {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) socket: Option<PathBuf>,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) clients: usize,
    pub(crate) requests: u64,
    pub(crate) value_bytes: usize,
    pub(crate) db: u32,
    pub(crate) resp3: bool,
    /// 0 is one, without being called multi-threaded.
    pub(crate) threads: usize,
    pub(crate) tracks: bool,
    pub(crate) keeps_alive: bool,
    /// Numbers below this are drawn; `None` leaves placeholders alone.
    pub(crate) keys: Option<u64>,
    pub(crate) pipeline: usize,
    pub(crate) quiet: bool,
    pub(crate) csv: bool,
    pub(crate) repeats: bool,
    pub(crate) tests: Option<Vec<String>>,
    pub(crate) idle: bool,
    pub(crate) last_from_input: bool,
    pub(crate) seed: Option<u64>,
    /// The server, whose processor time is told.
    pub(crate) cpu_of: Option<u32>,
    pub(crate) command: Vec<Vec<u8>>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            host: "127.0.0.1".into(),
            port: 6379,
            socket: None,
            user: None,
            password: None,
            clients: 50,
            requests: 100_000,
            value_bytes: 3,
            db: 0,
            resp3: false,
            threads: 0,
            tracks: false,
            keeps_alive: true,
            keys: None,
            pipeline: 1,
            quiet: false,
            csv: false,
            repeats: false,
            tests: None,
            idle: false,
            last_from_input: false,
            seed: None,
            cpu_of: None,
            command: Vec::new(),
        }
    }
}

/// What the first words ask for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Run(Box<Options>),
    Help,
    Version,
}

/// Why the command line cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum OptionError {
    #[error("Invalid option \"{0}\" or option argument missing")]
    Invalid(String),
    #[error("{0} is not possible: TLS is not built yet")]
    Tls(String),
    #[error("--cluster is not possible: cluster mode is not built yet")]
    Cluster,
    #[error("{0}")]
    Uri(#[from] uri::UriError),
}

/// Reads the words behind the program's name.
///
/// # Errors
/// The first word that cannot be followed.
pub(crate) fn parse(words: &[Vec<u8>]) -> Result<Asked, OptionError> {
    let mut options = Options::default();
    let mut left = words.iter();
    while let Some(word) = left.clone().next().filter(|word| word.first() == Some(&b'-')) {
        left.next();
        let name = text(word);
        match &*name {
            "--help" => return Ok(Asked::Help),
            "--version" | "-v" => return Ok(Asked::Version),
            "--cluster" => return Err(OptionError::Cluster),
            _ if is_tls(&name) => return Err(OptionError::Tls(name)),
            _ if set_flag(&mut options, &name) => {}
            _ => {
                let value = left.next().ok_or_else(|| OptionError::Invalid(name.clone()))?;
                set_value(&mut options, &name, &text(value))?;
            }
        }
    }
    options.command = left.cloned().collect();
    Ok(Asked::Run(Box::new(options)))
}

fn text(word: &[u8]) -> String {
    String::from_utf8_lossy(word).into_owned()
}

fn is_tls(name: &str) -> bool {
    let names = ["--tls", "--sni", "--cacert", "--cacertdir", "--insecure", "--cert", "--key"];
    names.contains(&name) || matches!(name, "--tls-ciphers" | "--tls-ciphersuites")
}

fn set_flag(options: &mut Options, name: &str) -> bool {
    let flag = match name {
        "-3" => &mut options.resp3,
        "--enable-tracking" => &mut options.tracks,
        "-q" => &mut options.quiet,
        "--csv" => &mut options.csv,
        "-l" => &mut options.repeats,
        "-I" => &mut options.idle,
        "-x" => &mut options.last_from_input,
        _ => return false,
    };
    *flag = true;
    true
}

fn set_value(options: &mut Options, name: &str, value: &str) -> Result<(), OptionError> {
    let invalid = || OptionError::Invalid(name.to_owned());
    let number = || value.parse::<u64>().map_err(|_| invalid());
    let within = |least: u64, most: u64| {
        number().map(|n| usize::try_from(n.clamp(least, most)).unwrap_or(usize::MAX))
    };
    match name {
        "-h" => value.clone_into(&mut options.host),
        "-p" => options.port = value.parse().map_err(|_| invalid())?,
        "-s" => options.socket = Some(value.into()),
        "-a" => options.password = Some(value.to_owned()),
        "--user" => options.user = Some(value.to_owned()),
        "-u" => set_uri(options, value)?,
        "-c" => options.clients = within(1, CLIENTS_MAX)?,
        "-n" => options.requests = number()?.max(1),
        "-d" => options.value_bytes = within(1, VALUE_BYTES_MAX)?,
        "--dbnum" => options.db = value.parse().map_err(|_| invalid())?,
        "--threads" => options.threads = within(1, THREADS_MAX)?,
        "-k" => options.keeps_alive = number()? != 0,
        "-r" => options.keys = Some(number()?.max(1)),
        "-P" => options.pipeline = within(1, u64::MAX)?,
        // Stock reads it and shows three decimal places all the same.
        "--precision" => drop(number()?),
        "-t" => options.tests = Some(value.split(',').map(str::to_ascii_lowercase).collect()),
        "--seed" => options.seed = Some(number()?),
        "--cpu" => options.cpu_of = Some(value.parse().map_err(|_| invalid())?),
        _ => return Err(invalid()),
    }
    Ok(())
}

fn set_uri(options: &mut Options, value: &str) -> Result<(), OptionError> {
    let uri = uri::parse(value)?;
    options.user = uri.user.or(options.user.take());
    options.password = uri.password.or(options.password.take());
    options.port = uri.port.unwrap_or(options.port);
    options.db = uri.db.unwrap_or(options.db);
    if let Some(host) = uri.host {
        options.host = host;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Asked, OptionError> {
        let words: Vec<Vec<u8>> = line.split_whitespace().map(Into::into).collect();
        parse(&words)
    }

    #[test]
    fn options_end_where_the_command_begins() {
        let Ok(Asked::Run(options)) = parsed("-p 7 -q -r 10 -t GET,set set -q __rand_int__") else {
            panic!("options");
        };
        let expected = Options {
            port: 7,
            quiet: true,
            keys: Some(10),
            tests: Some(vec!["get".into(), "set".into()]),
            command: ["set", "-q", "__rand_int__"].map(|word| word.as_bytes().to_vec()).to_vec(),
            ..Options::default()
        };
        assert_eq!(*options, expected);
        let Ok(Asked::Run(options)) = parsed("-u redis://u:p@h:9/3 -k 0 --cpu 12") else {
            panic!("options");
        };
        assert_eq!((&*options.host, options.port, options.db), ("h", 9, 3));
        assert_eq!((options.keeps_alive, options.cpu_of), (false, Some(12)));
    }

    #[test]
    fn what_cannot_be_followed_is_named() {
        for (line, expected) in [
            ("--foo", "Invalid option \"--foo\" or option argument missing"),
            ("-q -n", "Invalid option \"-n\" or option argument missing"),
            ("-p x", "Invalid option \"-p\" or option argument missing"),
            ("--tls -q", "--tls is not possible: TLS is not built yet"),
            ("--cluster", "--cluster is not possible: cluster mode is not built yet"),
            ("-u rediss://h", "TLS (rediss://) is not built yet"),
        ] {
            assert_eq!(parsed(line).unwrap_err().to_string(), expected);
        }
        assert_eq!(parsed("-q --help"), Ok(Asked::Help));
        assert_eq!(parsed("--version"), Ok(Asked::Version));
    }
}
