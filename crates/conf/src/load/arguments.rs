//! The command line of a server: `[FILE|-] [--name value ...] [-]`.
//!
//! Arguments become lines of configuration that are read after the file. `--maxmemory 700mb` may be
//! one argument or two; Dragonfly's `--maxmemory=12gb` works for every known name; `--save` and
//! `--sentinel` need no value.

use crate::split::quote;
use crate::table;
use std::path::PathBuf;

/// What to read.
#[derive(Clone, Debug, Default)]
pub struct LoadRequest {
    /// The main file.
    pub path: Option<PathBuf>,
    /// Lines that came through standard input, read after the file.
    pub stdin: Option<String>,
    /// Options as on the command line, read last.
    pub arguments: Vec<String>,
    /// Whether to be a stand-alone sentinel.
    pub sentinel_mode: bool,
}

impl LoadRequest {
    /// Splits the arguments of a server program: a first argument that is no option is the file; a
    /// `-` there or at the end asks the caller (by the second value) to read standard input into
    /// [`stdin`](LoadRequest::stdin).
    pub fn from_command_line(arguments: &[String]) -> (LoadRequest, bool) {
        let mut rest = arguments;
        let mut request = LoadRequest::default();
        let mut wants_stdin = false;
        if let [first, after @ ..] = rest
            && !first.starts_with("--")
        {
            rest = after;
            if first == "-" {
                wants_stdin = true;
            } else {
                request.path = Some(PathBuf::from(first));
            }
        }
        if let [before @ .., last] = rest
            && last == "-"
        {
            rest = before;
            wants_stdin = true;
        }
        request.arguments = rest.to_vec();
        (request, wants_stdin)
    }

    /// Whether a stand-alone sentinel is asked for, by field or by argument.
    pub(super) fn wants_sentinel(&self) -> bool {
        self.sentinel_mode
            || self.arguments.iter().any(|argument| argument.eq_ignore_ascii_case("--sentinel"))
    }

    /// The arguments as lines of configuration.
    pub(super) fn argument_lines(&self) -> Vec<Vec<u8>> {
        let mut lines: Vec<Vec<u8>> = Vec::new();
        let mut expects_value = false;
        for (at, argument) in self.arguments.iter().enumerate() {
            let Some(option) = argument.strip_prefix("--").filter(|_| !expects_value) else {
                expects_value = false;
                if lines.is_empty() {
                    lines.push(Vec::new());
                }
                if let Some(line) = lines.last_mut() {
                    line.extend(quote(argument.as_bytes()));
                    line.push(b' ');
                }
                continue;
            };
            if let Some((name, value)) = assignment(option) {
                lines.push([name.as_bytes(), b" ", &quote(value.as_bytes())].concat());
                continue;
            }
            let mut line = [option.as_bytes(), b" "].concat();
            expects_value = !option.trim_end().contains(' ');
            let alone = self.arguments.get(at + 1).is_none_or(|next| next.starts_with("--"));
            if expects_value && alone && option.trim_end().eq_ignore_ascii_case("save") {
                line.extend(b"\"\"");
                expects_value = false;
            } else if alone && option.trim_end().eq_ignore_ascii_case("sentinel") {
                expects_value = false;
            }
            lines.push(line);
        }
        lines
    }
}

/// `name=value` where `name` is a setting.
fn assignment(option: &str) -> Option<(&str, &str)> {
    let (name, value) = option.split_once('=')?;
    table::row(name.as_bytes()).map(|_| (name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_become_lines() {
        let check = |arguments: &[&str], expected: &[&str]| {
            let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
            let request = LoadRequest { arguments, ..LoadRequest::default() };
            let lines: Vec<String> = request
                .argument_lines()
                .into_iter()
                .map(|line| String::from_utf8(line).unwrap().trim_end().to_owned())
                .collect();
            assert_eq!(lines, expected);
        };
        check(&["--port", "7777"], &["port \"7777\""]);
        check(&["--maxmemory 700mb"], &["maxmemory 700mb"]);
        check(&["--save", "100", "100"], &["save \"100\" \"100\""]);
        check(&["--save", "--loglevel", "verbose"], &["save \"\"", "loglevel \"verbose\""]);
        check(&["--save"], &["save \"\""]);
        check(&["--save", ""], &["save \"\""]);
        check(&["loglevel", "verbose"], &["\"loglevel\" \"verbose\""]);
        check(&["--sentinel", "--port", "1"], &["sentinel", "port \"1\""]);
        check(&["--sentinel"], &["sentinel"]);
        check(
            &["--shutdown-on-sigint", "nosave", "force", "now"],
            &["shutdown-on-sigint \"nosave\" \"force\" \"now\""],
        );
        check(&["--maxmemory=12gb"], &["maxmemory \"12gb\""]);
        check(&["--snapshot_cron=*/30 * * * *"], &["snapshot_cron \"*/30 * * * *\""]);
        check(&["--requirepass", "--secret"], &["requirepass \"--secret\""]);
    }

    #[test]
    fn the_first_argument_may_be_a_file() {
        let check = |arguments: &[&str], path: Option<&str>, stdin: bool, rest: &[&str]| {
            let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
            let (request, wants_stdin) = LoadRequest::from_command_line(&arguments);
            assert_eq!(request.path, path.map(PathBuf::from));
            assert_eq!(wants_stdin, stdin);
            assert_eq!(request.arguments, rest);
        };
        check(&[], None, false, &[]);
        check(&["r.conf"], Some("r.conf"), false, &[]);
        check(&["r.conf", "--port", "1", "-"], Some("r.conf"), true, &["--port", "1"]);
        check(&["-"], None, true, &[]);
        check(&["--port", "1"], None, false, &["--port", "1"]);
    }
}
