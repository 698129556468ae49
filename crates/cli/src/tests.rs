//! Whole runs of the client against a scripted server on loopback. Outputs and exit codes are those of
//! redis-cli 7.0.15 for the same command line and the same replies.

use super::*;
use resp::{Arguments, Limits, Parser, Progress};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::spawn;

/// Answers one request, given as its arguments joined by blanks; `None` closes the connection.
type Answer = fn(&str) -> Option<&'static str>;

/// A server that runs until the process ends, and what it was asked.
struct Server {
    port: u16,
    asked: Receiver<String>,
}

fn server(answer: Answer) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, asked) = channel();
    spawn(move || {
        for stream in listener.incoming().flatten() {
            let tell = tell.clone();
            spawn(move || serve(stream, answer, &tell));
        }
    });
    Server { port, asked }
}

fn serve(mut stream: TcpStream, answer: Answer, tell: &Sender<String>) {
    let (mut parser, mut arguments, mut buffer) = (Parser::new(), Arguments::new(), Vec::new());
    loop {
        match parser.parse(&buffer, &Limits::default(), &mut arguments).unwrap() {
            Progress::Complete { consumed } => {
                let words: Vec<String> = arguments
                    .iter(&buffer)
                    .map(|word| String::from_utf8_lossy(word).into_owned())
                    .collect();
                let request = words.join(" ");
                let reply = answer(&request);
                let _ = tell.send(request);
                buffer.drain(..consumed);
                match reply {
                    Some(reply) => stream.write_all(reply.as_bytes()).unwrap(),
                    None => return,
                }
            }
            Progress::Empty { consumed } => drop(buffer.drain(..consumed)),
            Progress::Incomplete { .. } => {
                let mut bytes = [0; 4096];
                match stream.read(&mut bytes) {
                    Ok(read) if read > 0 => buffer.extend_from_slice(&bytes[..read]),
                    _ => return,
                }
            }
        }
    }
}

fn stock(request: &str) -> Option<&'static str> {
    Some(match request {
        "close" | "shutdown nosave" => return None,
        "get a" => "$1\r\n1\r\n",
        "hgetall h" => "*2\r\n$1\r\nf\r\n$1\r\nv\r\n",
        "nosuch" => "-ERR unknown command 'nosuch'\r\n",
        "info" => "$6\r\na:1\r\nb\r\n",
        "AUTH bad" => "-WRONGPASS invalid\r\n",
        "SELECT 99" => "-ERR DB index is out of range\r\n",
        "HELLO 3" => "-ERR unknown command 'HELLO'\r\n",
        "incr" => ":2\r\n",
        "multi" | "AUTH good" | "SELECT 3" => "+OK\r\n",
        "push" => ">2\r\n+x\r\n:1\r\n+OK\r\n",
        "subscribe c" => ">3\r\n+subscribe\r\n+c\r\n:1\r\n-ERR ends\r\n",
        "monitor" => "+OK\r\n+1.5 [0 lua] \"a\"\r\n-ERR ends\r\n",
        _ => "+PONG\r\n",
    })
}

/// A stream that remembers what was written to it.
#[derive(Clone, Default)]
struct Sink(Rc<RefCell<Vec<u8>>>);

impl Sink {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.borrow()).into_owned()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Exit code, standard output and standard error of a run.
type Run = (i32, String, String);

fn run_with(line: &str, input: &str, environment: &[(&str, &str)]) -> Run {
    let (output, errors) = (Sink::default(), Sink::default());
    let mut console = Console {
        input: Box::new(Cursor::new(input.as_bytes().to_vec())),
        input_is_terminal: false,
        output: Box::new(output.clone()),
        output_is_terminal: false,
        errors: Box::new(errors.clone()),
        environment: environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect::<BTreeMap<_, _>>(),
    };
    let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
    let code = run_on(&mut console, "redis-cli", &words);
    (code, output.text(), errors.text())
}

fn run_line(server: &Server, line: &str, input: &str) -> Run {
    run_with(&format!("-p {} {line}", server.port), input, &[])
}

const UNSAFE: &str = "Warning: Using a password with '-a' or '-u' option on the command line interface \
                      may not be safe.\n";

#[test]
fn one_command_prints_its_reply() {
    let server = server(stock);
    let rows: &[(&str, &str, Run)] = &[
        ("get a", "", (0, "1\n".into(), String::new())),
        ("--no-raw get a", "", (0, "\"1\"\n".into(), String::new())),
        ("--no-raw info", "", (0, "a:1\r\nb".into(), String::new())),
        ("nosuch", "", (0, "ERR unknown command 'nosuch'\n\n".into(), String::new())),
        ("-e nosuch", "", (1, String::new(), "ERR unknown command 'nosuch'\n".into())),
        ("-r 2 incr", "", (0, "2\n2\n".into(), String::new())),
        ("-r 0 incr", "", (0, String::new(), String::new())),
        ("close", "", (1, String::new(), "Error: Server closed the connection\n".into())),
        ("shutdown nosave", "", (0, String::new(), String::new())),
        (
            "-n 99 ping",
            "",
            (0, "PONG\n".into(), "SELECT 99 failed: ERR DB index is out of range\n".into()),
        ),
        (
            "-a bad -n 99 ping",
            "",
            (0, "PONG\n".into(), format!("{UNSAFE}AUTH failed: WRONGPASS invalid\n")),
        ),
        ("-a good ping", "", (0, "PONG\n".into(), UNSAFE.into())),
        ("--no-auth-warning -a good ping", "", (0, "PONG\n".into(), String::new())),
        ("--askpass ping", "good\n", (0, "PONG\n".into(), String::new())),
        (
            "-3 ping",
            "",
            (0, "PONG\n".into(), "HELLO 3 failed: ERR unknown command 'HELLO'\n".into()),
        ),
        ("push", "", (0, "OK\n".into(), String::new())),
        ("--show-pushes yes push", "", (0, "x\n1\nOK\n".into(), String::new())),
        ("monitor", "", (0, "OK\n1.5 [0 lua] \"a\"\nERR ends\n\n".into(), String::new())),
        ("subscribe c", "", (0, "subscribe\nc\n1\nERR ends\n\n".into(), String::new())),
        ("--quoted-input get \"\\x61\"", "", (0, "1\n".into(), String::new())),
        ("--quoted-input get \"a", "", (1, "Invalid quoted string\n".into(), String::new())),
        ("-x get", "a", (0, "1\n".into(), String::new())),
        ("-X tag get tag", "a", (0, "1\n".into(), String::new())),
        (
            "-X tag get a",
            "a",
            (1, String::new(), "Using -X option but stdin tag not match.\n".into()),
        ),
    ];
    for (line, input, expected) in rows {
        assert_eq!(run_line(&server, line, input), *expected, "{line}");
    }
}

#[test]
fn lines_are_commands() {
    let server = server(stock);
    let rows: &[(&str, &str, &str, &str)] = &[
        ("", "", "", ""),
        ("", "ping\n\n  \nget a", "PONG\n1\n", ""),
        ("", "set \"a b\n'x'y\nping\n", "Invalid argument(s)\nInvalid argument(s)\nPONG\n", ""),
        (
            "",
            "2 ping\n0 ping\n99999999999999999999 ping\n",
            "PONG\nPONG\nInvalid redis-cli repeat command option value.\nInvalid redis-cli repeat command option value.\n",
            "",
        ),
        ("", "ping\nquit\nping\n", "PONG\n", ""),
        ("-e", "nosuch\nping\n", "ERR unknown command 'nosuch'\n\nPONG\n", ""),
        ("", "close\nping\n", "PONG\n", "Error: Server closed the connection\n"),
        (
            "--no-raw",
            "hgetall h\n:set x\n:x\n",
            "1) \"f\"\n2) \"v\"\nunknown redis-cli preference 'x'\nunknown redis-cli internal command ':x'\n",
            "",
        ),
    ];
    for (line, input, output, errors) in rows {
        let expected = (0, (*output).to_owned(), (*errors).to_owned());
        assert_eq!(run_line(&server, line, input), expected, "{line} < {input:?}");
    }
}

#[test]
fn nobody_there() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let told = format!("Could not connect to Redis at 127.0.0.1:{port}: Connection refused\n");
    assert_eq!(run_with(&format!("-p {port} ping"), "", &[]), (1, String::new(), told.clone()));
    let twice = told.repeat(2);
    assert_eq!(run_with(&format!("-p {port}"), "ping\n", &[]), (0, String::new(), twice));
    let told = "Could not connect to Redis at /nosuch/s: No such file or directory\n";
    assert_eq!(run_with("-s /nosuch/s ping", "", &[]), (1, String::new(), told.into()));
}

#[test]
fn the_chosen_database_is_chosen_again() {
    let server = server(stock);
    run_line(&server, "-n 3 -a good", "get a\nclose\nget a\n");
    let asked: Vec<String> = server.asked.try_iter().collect();
    let expected = ["AUTH good", "SELECT 3", "get a", "close", "AUTH good", "SELECT 3", "get a"];
    assert_eq!(asked, expected);
}

#[test]
fn the_environment_holds_a_password() {
    let server = server(stock);
    let environment = [("REDISCLI_AUTH", "good")];
    let run = run_with(&format!("-p {} ping", server.port), "", &environment);
    assert_eq!(run, (0, "PONG\n".into(), String::new()));
    run_with(&format!("-p {} -a bad ping", server.port), "", &environment);
    let asked: Vec<String> = server.asked.try_iter().collect();
    assert_eq!(asked, ["AUTH good", "ping", "AUTH bad", "ping"]);
}

#[test]
fn redirects_are_followed_when_asked_for() {
    static OTHER: OnceLock<(String, String)> = OnceLock::new();
    let other = server(|request| Some(if request == "ASKING" { "+OK\r\n" } else { "+there\r\n" }));
    OTHER.get_or_init(|| {
        let to = |word: &str| format!("-{word} 12182 127.0.0.1:{}\r\n", other.port);
        (to("MOVED"), to("ASK"))
    });
    let first = server(|request| {
        let (moved, ask) = OTHER.get()?;
        Some(if request.starts_with("get") { moved } else { ask })
    });
    let there = (0, "there\n".to_owned(), String::new());
    assert_eq!(run_line(&first, "-c get foo", ""), there);
    assert_eq!(run_line(&first, "-c ask foo", ""), there);
    assert_eq!(other.asked.try_iter().collect::<Vec<_>>(), ["get foo", "ASKING", "ask foo"]);
    let told = format!("-> Redirected to slot [12182] located at 127.0.0.1:{}\n", other.port);
    let (_, output, _) = run_line(&first, "-c --no-raw", "get foo\nping\n");
    assert_eq!(output, format!("{told}there\nthere\n"));
    let (_, output, _) = run_line(&first, "get foo", "");
    assert!(output.starts_with("MOVED 12182 127.0.0.1:"), "{output}");
}

#[test]
fn a_redirect_in_a_circle_ends() {
    static HERE: OnceLock<String> = OnceLock::new();
    let server = server(|_| HERE.get().map(String::as_str));
    HERE.get_or_init(|| format!("-MOVED 1 :{}\r\n", server.port));
    let (code, output, _) = run_line(&server, "-c get foo", "");
    assert_eq!((code, output), (0, format!("MOVED 1 :{}\n\n", server.port)));
}

#[test]
fn help_version_and_refusals() {
    assert_eq!(run_with("--version", "", &[]), (0, help::version(), String::new()));
    assert!(run_with("--help", "", &[]).1.contains("Usage: redis-cli [OPTIONS]"));
    let told = "--bigkeys is not built yet\n".to_owned();
    assert_eq!(run_with("--bigkeys", "", &[]), (1, String::new(), told));
    let told = "Unrecognized option or bad number of args for: '--x'\n".to_owned();
    assert_eq!(run_with("--x", "", &[]), (1, String::new(), told));
}

#[test]
fn help_asks_the_server() {
    let server = server(|request| {
        Some(match request {
            "COMMAND DOCS get" => {
                "*2\r\n+get\r\n*8\r\n+summary\r\n+Gets.\r\n+since\r\n+1.0.0\r\n+group\r\n+string\r\n\
                 +arguments\r\n*1\r\n*4\r\n+name\r\n+key\r\n+type\r\n+key\r\n"
            }
            _ => "-ERR no\r\n",
        })
    });
    let told = "\n  \x1b[1mGET\x1b[0m \x1b[90mkey\x1b[0m\n  \x1b[33msummary:\x1b[0m Gets.\n  \x1b[33msince:\x1b[0m 1.0.0\n  \
                \x1b[33mgroup:\x1b[0m string\n\n";
    assert_eq!(run_line(&server, "help get", "").1, told);
    assert_eq!(run_line(&server, "", "? GET\n").1, told);
    assert!(run_line(&server, "help @string", "").1.starts_with("No help"));
}

#[test]
fn the_prompt_shows_where_one_is() {
    let server = server(stock);
    let Ok(Request::Run(options)) = options::parse(&[], true) else { panic!("no options") };
    let mut console = Console { output: Box::new(Sink::default()), ..Console::of_process() };
    let mut session = Session::new(Options { port: server.port, ..*options }, Source::Lines);
    assert_eq!(session.prompt(), "not connected> ");
    let mut send = |line: &str| {
        let words: Vec<Vec<u8>> = line.split(' ').map(Into::into).collect();
        session.run(&mut console, &words, 1).unwrap();
        session.prompt()
    };
    let here = format!("127.0.0.1:{}", server.port);
    assert_eq!(send("ping"), format!("{here}> "));
    assert_eq!(send("SELECT 3"), format!("{here}[3]> "));
    assert_eq!(send("multi"), format!("{here}[3](TX)> "));
    assert_eq!(send("exec"), format!("{here}[3]> "));
    assert_eq!(send("reset"), format!("{here}> "));
}
