//! A server process and connections to it.

use resp::value::{Decoder, Value};
use std::io::{self, Read, Seek, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command};
use std::time::Duration;
use tempfile::TempDir;

/// The longest a test waits for anything.
const PATIENCE: Duration = Duration::from_secs(30);
/// Attempts to start, since somebody else may take the port first.
const STARTS_MAX: usize = 20;

/// A server that ends with the test.
pub struct Server {
    child: Child,
    /// The first address that it listens on.
    host: String,
    pub port: u16,
    pub dir: TempDir,
}

impl Server {
    /// A server with two loops and these options.
    pub fn start(options: &[&str]) -> Server {
        let started = Server::start_in(tempfile::tempdir().unwrap(), options);
        started.unwrap_or_else(|(_, said)| panic!("the server does not start: {said}"))
    }

    /// The same in a directory that may hold data; gives that back, and what the server said, if it does
    /// not start.
    pub fn start_in(dir: TempDir, options: &[&str]) -> Result<Server, (TempDir, String)> {
        let mut said = String::new();
        let option = |name| options.windows(2).find(|pair| pair[0] == name).map(|pair| pair[1]);
        let host = option("--bind").unwrap_or("127.0.0.1");
        // Without its password a server does not say that it loads.
        let auth = option("--requirepass").map_or(String::new(), |word| format!("AUTH {word}\r\n"));
        for _ in 0..STARTS_MAX {
            let port = TcpListener::bind((host, 0)).unwrap().local_addr().unwrap().port();
            let mut output = tempfile::tempfile().unwrap();
            let mut child = Command::new(env!("CARGO_BIN_EXE_redoubt"))
                .arg("server")
                .args(["--port", &port.to_string(), "--save", "", "--io-threads", "2"])
                .args(["--bind", "127.0.0.1", "--io-backend", crate::IO_BACKEND])
                .args(options)
                .current_dir(dir.path())
                .stdout(output.try_clone().unwrap())
                .stderr(output.try_clone().unwrap())
                .spawn()
                .unwrap();
            if wait_for(&mut child, (host, port), &auth) {
                return Ok(Server { child, host: host.to_owned(), port, dir });
            }
            said.clear();
            output.rewind().unwrap();
            output.read_to_string(&mut said).unwrap();
            if !said.contains("Failed listening on port") {
                break;
            }
        }
        Err((dir, said))
    }

    /// Kills the process; gives the directory that it leaves.
    pub fn kill(mut self) -> TempDir {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::mem::replace(&mut self.dir, tempfile::tempdir().unwrap())
    }

    /// A connection.
    pub fn connect(&self) -> Client<TcpStream> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Client::new(stream)
    }

    /// The figure that INFO shows under `name`.
    pub fn info(&self, name: &str) -> u64 {
        self.infos([name])[0]
    }

    /// The figures that one INFO shows under `names`.
    pub fn infos<const N: usize>(&self, names: [&str; N]) -> [u64; N] {
        let mut client = self.connect();
        let Value::Bulk(text) = client.call(&["info", "everything"]) else { panic!("INFO") };
        let text = String::from_utf8(text).unwrap();
        names.map(|name| {
            let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}:")));
            line.unwrap_or_else(|| panic!("no {name}")).parse().unwrap()
        })
    }

    /// Waits until `count` connections are held back.
    pub fn wait_for_parked(&self, count: usize) {
        let mut client = self.connect();
        let is_held = |line: &&str| line.contains(" flags=b ") || line.contains(" flags=xb ");
        let mut held = || {
            let Value::Bulk(list) = client.call(&["client", "list"]) else { panic!("a list") };
            String::from_utf8(list).unwrap().lines().filter(is_held).count()
        };
        // The one that migrates is held as well.
        wait_until(|| held() == count + 1, || format!("not {count} are held"));
    }

    /// The path of the program.
    pub fn program() -> &'static str {
        env!("CARGO_BIN_EXE_redoubt")
    }

    /// The process's title.
    pub fn title(&self) -> String {
        let shown = std::fs::read(format!("/proc/{}/cmdline", self.child.id())).unwrap();
        String::from_utf8(shown).unwrap().trim_end_matches('\0').to_owned()
    }

    /// Sends SIGTERM (`TERM`) or SIGINT (`INT`).
    pub fn signal(&self, name: &str) {
        let process = self.child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &process]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for the end; gives the exit code, `None` after a signal.
    pub fn code(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// The names of the files in its directory.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.dir.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }

    /// Waits until a file whose name begins so is there, or is not.
    pub fn wait_for_file(&self, name: &str, is_there: bool) {
        let found = || self.names().iter().any(|found| found.starts_with(name));
        wait_until(|| found() == is_there, || format!("{name} there is not {is_there}"));
    }

    /// Waits until the thread `name` is there and `fact` of its status file is `expected`.
    pub fn wait_for_thread(&self, name: &str, expected: &str, fact: impl Fn(&str) -> String) {
        let tasks = format!("/proc/{}/task", self.child.id());
        let holds = || {
            std::fs::read_dir(&tasks).unwrap().flatten().any(|task| {
                let file = |file: &str| task.path().join(file).to_string_lossy().into_owned();
                let found = std::fs::read_to_string(file("comm")).unwrap_or_default();
                found.trim_end() == name && fact(&file("status")) == expected
            })
        };
        wait_until(holds, || format!("{name} is not on {expected}"));
    }

    /// Waits until what INFO shows under `name` is as asked for.
    pub fn wait_for_info_that(&self, name: &str, is_so: impl Fn(u64) -> bool) {
        wait_until(|| is_so(self.info(name)), || format!("{name} stays {}", self.info(name)));
    }

    /// Waits until INFO shows `value` under `name`.
    pub fn wait_for_info(&self, name: &str, value: u64) {
        self.wait_for_info_that(name, |shown| shown == value);
    }
}

/// Waits until something holds, and panics with what `otherwise` says if it does not come to that.
pub fn wait_until(mut holds: impl FnMut() -> bool, otherwise: impl Fn() -> String) {
    let began = base::clock::monotonic();
    while !holds() {
        let waited = base::clock::monotonic().since(began).0;
        assert!(u128::from(waited) < PATIENCE.as_millis(), "{}", otherwise());
        std::thread::yield_now();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait_for(child: &mut Child, at: (&str, u16), auth: &str) -> bool {
    let began = base::clock::monotonic();
    loop {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        // While nobody listens, a connection may be given that very port and meet itself.
        let met_itself = |stream: &TcpStream| stream.local_addr().ok() == stream.peer_addr().ok();
        if let Ok(stream) = TcpStream::connect(at)
            && !met_itself(&stream)
        {
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let mut client = Client::new(stream);
            // While it loads, it says so; when it ends, it resets the connection.
            let is_sent = write!(client.stream, "{auth}PING\r\nQUIT\r\n").is_ok();
            let told = if is_sent { client.rest() } else { Vec::new() };
            let told = String::from_utf8_lossy(&told);
            if !told.is_empty() && !told.contains("-LOADING") {
                return true;
            }
        }
        assert!(u128::from(base::clock::monotonic().since(began).0) < PATIENCE.as_millis());
        std::thread::yield_now();
    }
}

/// A connection.
pub struct Client<S> {
    pub stream: S,
    buffer: Vec<u8>,
}

impl<S: Read + Write> Client<S> {
    pub fn new(stream: S) -> Client<S> {
        Client { stream, buffer: Vec::new() }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// The next reply.
    pub fn reply(&mut self) -> Value {
        self.try_reply().unwrap().expect("a reply, not the end")
    }

    /// The next reply, `None` at the end of the connection.
    pub fn try_reply(&mut self) -> io::Result<Option<Value>> {
        let mut decoder = Decoder::new();
        loop {
            if let Some((value, len)) = decoder.decode(&self.buffer).unwrap() {
                self.buffer.drain(..len);
                return Ok(Some(value));
            }
            let mut piece = vec![0; 64 << 10];
            let count = match self.stream.read(&mut piece) {
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => 0,
                other => other?,
            };
            if count == 0 {
                return Ok(None);
            }
            self.buffer.extend_from_slice(&piece[..count]);
        }
    }

    /// Sends a request and gives its reply.
    pub fn call(&mut self, words: &[&str]) -> Value {
        self.send(&request(words));
        self.reply()
    }

    /// Reads exactly what is expected.
    #[track_caller]
    pub fn expect(&mut self, expected: &[u8]) {
        while self.buffer.len() < expected.len() {
            let mut piece = vec![0; 64 << 10];
            let count = self.stream.read(&mut piece).unwrap();
            assert!(count > 0, "ended after {:?}", String::from_utf8_lossy(&self.buffer));
            self.buffer.extend_from_slice(&piece[..count]);
        }
        let found: Vec<u8> = self.buffer.drain(..expected.len()).collect();
        assert!(
            found == expected,
            "{:?} instead of {:?}",
            String::from_utf8_lossy(&found[..found.len().min(500)]),
            String::from_utf8_lossy(&expected[..expected.len().min(500)])
        );
    }

    /// Everything up to the end of the connection.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut rest = std::mem::take(&mut self.buffer);
        match self.stream.read_to_end(&mut rest) {
            Err(error) if error.kind() != io::ErrorKind::ConnectionReset => panic!("{error}"),
            _ => rest,
        }
    }

    /// Sends bytes and gives everything up to the end of the connection.
    pub fn raw(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.send(bytes);
        self.rest()
    }
}

impl Client<TcpStream> {
    pub fn end_sending(&mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Sets the setting `name`.
    pub fn set(&mut self, name: &str, value: &str) {
        assert_eq!(self.call(&["config", "set", name, value]), Value::Simple("OK".into()));
    }

    /// The client's id.
    pub fn id(&mut self) -> String {
        let Value::Integer(id) = self.call(&["client", "id"]) else { panic!("an id") };
        id.to_string()
    }
}

/// A request as clients send it.
pub fn request(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
    bytes
}
