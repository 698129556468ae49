//! Runs against a server of a few lines, which answers every request as it is told.

use super::*;
use std::io::BufRead;
use std::net::{TcpListener, TcpStream};

/// A server that reads requests of `RESP` and answers each; gives its port.
fn serve(reply: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        std::thread::scope(|scope| {
            for socket in listener.incoming() {
                let (socket, reply) = (socket.unwrap(), &reply);
                scope.spawn(move || answer(&socket, reply));
            }
        });
    });
    port
}

fn answer(mut socket: &TcpStream, reply: &dyn Fn(&str) -> Vec<u8>) {
    let mut lines = io::BufReader::new(socket).lines();
    while let Some(Ok(head)) = lines.next() {
        let words = head.trim_start_matches('*').parse().unwrap_or(0);
        let mut next = || lines.next().and_then(Result::ok).unwrap_or_default();
        let words: Vec<String> = (0..words).map(|_| (next(), next()).1).collect();
        if socket.write_all(&reply(&words.join(" "))).is_err() {
            return;
        }
    }
}

fn ok(_: &str) -> Vec<u8> {
    b"+OK\r\n".to_vec()
}

fn output(port: u16, line: &str) -> Result<String, String> {
    let line = format!("-p {port} {line}");
    let words: Vec<Vec<u8>> = line.split_whitespace().map(Into::into).collect();
    let Ok(Asked::Run(options)) = options::parse(&words) else { panic!("options: {line}") };
    let mut out = Vec::new();
    run_all(&mut out, &options)?;
    let text = String::from_utf8(out).unwrap();
    // Without the lines that were written over.
    let last = |line: &str| line.rsplit('\r').next().unwrap_or_default().to_owned();
    Ok(text.split('\n').map(last).collect::<Vec<_>>().join("\n"))
}

/// With every number as `N`.
fn shape(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        if !letter.is_ascii_digit() && letter != '.' {
            out.push(letter);
        } else if !out.ends_with('N') {
            out.push('N');
        }
    }
    out
}

#[test]
fn every_form_of_output() {
    let port = serve(ok);
    let text = output(port, "-n 100 -c 3 -P 4 -q --threads 2 set k __rand_int__").unwrap();
    assert_eq!(
        shape(&text),
        "set k __rand_int__: N requests per second, p50=N msec\n".replace("50", "N")
    );
    let text = output(port, "-n 100 -t get,set --csv").unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], report::csv_head(false));
    assert!(lines[1].starts_with("\"SET\",\"") && lines[2].starts_with("\"GET\",\""), "{text}");
    let text = output(port, "-n 10 -c 1 -P 4 -t get").unwrap();
    assert!(text.starts_with("====== GET ======\n  12 requests completed in 0."), "{text}");
    assert!(
        text.ends_with("\n\n") && text.contains("(cumulative count 12)\n\nSummary:\n"),
        "{text}"
    );
}

#[test]
fn a_connection_for_each_batch_and_values_that_are_asked_for() {
    let port = serve(|request| {
        assert!(request == "CLIENT TRACKING on" || !request.contains("__"), "{request}");
        b"+OK\r\n".to_vec()
    });
    let text = output(port, "-n 20 -c 2 -k 0 -r 9 --enable-tracking -q set k__rand_int__ __data__");
    assert!(text.unwrap().contains("requests per second"));
}

#[test]
fn an_error_ends_the_run() {
    let refuses = |request: &str| match request {
        "get key:__rand_int__" | "nope" => b"-ERR no\r\n".to_vec(),
        _ => b"+OK\r\n".to_vec(),
    };
    let text = output(serve(refuses), "-n 100 --threads 3 -q nope").unwrap_err();
    assert_eq!(text.trim(), "Error from server: ERR no");
    let text = output(serve(|_| b"-NOAUTH no\r\n".to_vec()), "-q").unwrap_err();
    assert!(text.ends_with("replied with error:\nNOAUTH no"), "{text}");
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let text = output(free, "-q").unwrap_err();
    assert_eq!(text, format!("Could not connect to Redis at 127.0.0.1:{free}: Connection refused"));
}

#[test]
fn idle_connections_that_are_refused_end_the_run() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (first, _) = listener.accept().unwrap();
        // The one that asks for the settings is served.
        std::thread::spawn(move || answer(&first, &ok));
        // The one that looks whether the address can be reached.
        let _reached = listener.accept().unwrap();
        let (mut idle, _) = listener.accept().unwrap();
        idle.write_all(b"-ERR max number of clients reached\r\n").unwrap();
        let _ = listener.accept();
    });
    let text = output(port, "-I -c 1").unwrap_err();
    assert_eq!(text, "Error from server: ERR max number of clients reached");
}

#[test]
fn the_servers_processor_time() {
    let port = serve(ok);
    let own = std::process::id();
    let text = output(port, &format!("-n 100 -q --cpu {own} ping")).unwrap();
    let expected = "ping: N requests per second, pN=N msec, server cpu=N usec, own cpu=N usec\n";
    assert_eq!(shape(&text), expected);
    let text = output(port, &format!("-n 100 --cpu {own} ping")).unwrap();
    assert!(
        text.contains("  cpu summary (usec per request):\n       server       own\n"),
        "{text}"
    );
}
