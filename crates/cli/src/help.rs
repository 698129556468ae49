//! What the client says about itself and, asking the server (COMMAND DOCS), about commands.

use crate::console::Console;
use crate::session::Session;
use crate::syntax;
use resp::Value;
use std::fmt::Write;
use std::io;

/// The program's version line.
pub(crate) fn version() -> String {
    format!("redoubt-cli {}\n", env!("CARGO_PKG_VERSION"))
}

/// The text of `--help`; `program` is the name it was called by.
pub(crate) fn usage(program: &str) -> String {
    let version = version();
    format!(
        "{version}
Usage: {program} [OPTIONS] [COMMAND [ARGUMENT ...]]

Without a command, lines are read from the terminal or from standard input, one command each.

Where to connect
  -h HOST               name or address (127.0.0.1)
  -p PORT               port (6379)
  -s PATH               Unix socket; takes the place of host and port
  -u URI                redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]
  -n DB                 database (0)
  -a, --pass PASSWORD   password; the variable REDISCLI_AUTH is safer
  --user NAME           user the password is of (default)
  --askpass             ask for the password, without showing it
  --no-auth-warning     no warning about a password on the command line
  -2, -3                speak RESP2 or RESP3
  -c                    follow the redirects of a cluster

What to send
  -r COUNT              run the command COUNT times, for ever if negative
  -i SECONDS            pause between runs, such as 0.1
  -x                    take the last argument from standard input
  -X TAG                take the argument that is TAG from standard input
  --quoted-input        arguments are quoted strings, such as '\"a\\x00b\"'

What to print
  --raw, --no-raw       bytes as they are (the default in a pipe), or for people
  --csv                 comma-separated values
  --json                JSON; asks for RESP3 unless -2 is given
  --quoted-json         JSON of printable ASCII only
  -d BYTES              between the elements of a raw reply (line end)
  -D BYTES              after a raw reply (line end)
  --show-pushes yes|no  print messages that answer no request (yes on a terminal)
  -e                    exit code 1 if the server answers an error
  --verbose             accepted

  --help, --version     print this, or the version
"
    )
}

/// `help`, `help COMMAND` and `help @GROUP`.
pub(crate) fn show(session: &mut Session, console: &mut Console, topic: &[&str]) -> io::Result<()> {
    let Some(first) = topic.first() else {
        return console.print(format!(
            "{}Lines are commands for the server. For the client itself are:\n\
             \x20     help COMMAND       about a command\n\
             \x20     help @GROUP        the commands of a group, such as @string\n\
             \x20     connect HOST PORT  go over to another server\n\
             \x20     clear, exit, quit\n\n",
            version()
        ));
    };
    let group = first.strip_prefix('@');
    let request: Vec<&str> = match group {
        Some(_) => vec!["COMMAND", "DOCS"],
        None => vec!["COMMAND", "DOCS", first],
    };
    let Some(reply) = session.ask_quietly(&request) else {
        return console.print("No help without a server that knows COMMAND DOCS.\n");
    };
    let wanted = topic.join(" ");
    let mut entries = Vec::new();
    collect(&reply, &mut entries);
    entries.sort_by(|left, right| left.name.cmp(&right.name));
    let mut text = String::new();
    for entry in entries {
        let fits = match group {
            Some(group) => entry.group.eq_ignore_ascii_case(group),
            None => entry.name.replace('|', " ").to_ascii_lowercase().starts_with(&wanted),
        };
        if fits {
            text.push_str(&entry.text(group.is_none()));
        }
    }
    text.push('\n');
    console.print(text)
}

/// What is told about a command.
struct Entry {
    name: String,
    summary: String,
    since: String,
    group: String,
    syntax: String,
}

impl Entry {
    fn text(&self, with_group: bool) -> String {
        let name = self.name.replace('|', " ").to_ascii_uppercase();
        let mut text = format!(
            "\n  \x1b[1m{name}\x1b[0m \x1b[90m{}\x1b[0m\n  \x1b[33msummary:\x1b[0m {}\n  \
             \x1b[33msince:\x1b[0m {}\n",
            self.syntax, self.summary, self.since
        );
        if with_group {
            let _ = writeln!(text, "  \x1b[33mgroup:\x1b[0m {}", self.group);
        }
        text
    }
}

/// Reads the pairs of name and documentation, subcommands included.
fn collect(docs: &Value, entries: &mut Vec<Entry>) {
    for (name, about) in docs.as_pairs().unwrap_or_default() {
        let field = |wanted: &str| {
            let pairs = about.as_pairs().unwrap_or_default();
            pairs.into_iter().find(|(key, _)| key.as_bytes() == Some(wanted.as_bytes()))
        };
        let text =
            |wanted: &str| field(wanted).and_then(|(_, value)| Some(value.as_text()?.into_owned()));
        entries.push(Entry {
            name: name.as_text().unwrap_or_default().into_owned(),
            summary: text("summary").unwrap_or_default(),
            since: text("since").unwrap_or_default(),
            group: text("group").unwrap_or_default(),
            syntax: field("arguments").map(|(_, list)| syntax::of(list)).unwrap_or_default(),
        });
        if let Some((_, subcommands)) = field("subcommands") {
            collect(subcommands, entries);
        }
    }
}
