//! Starts the program as a process that ends with its test.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longest time in which the program must start or end.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A running program.
pub struct Program {
    child: Child,
    /// Address of the page.
    pub address: SocketAddr,
}

impl Program {
    /// Starts the program on free ports with these further arguments.
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, |_| {})
    }

    /// Starts the program with these further arguments and changes of its command.
    pub fn start_with(arguments: &[&str], change: impl FnOnce(&mut Command)) -> Self {
        let mut command = command();
        change(&mut command);
        command.args(["--port", "0", "--rtc-port", "0", "--listen-ip", "127.0.0.1"]);
        command.args(["--dev", "--log", "warn"]).args(arguments);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines.find_map(|line| {
            let line = line.unwrap();
            let (_, url) = line.split_once("Local:")?;
            let url = url.split_whitespace().next()?;
            let (_, address) = url.trim_end_matches('/').split_once("://")?;
            Some(address.parse().unwrap())
        });
        Self {
            child,
            address: address.expect("the program prints the address of its page"),
        }
    }

    /// Returns the resident memory, in bytes.
    pub fn memory(&self) -> usize {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap();
        line.trim()
            .trim_end_matches(" kB")
            .parse::<usize>()
            .unwrap()
            * 1_024
    }

    /// Returns the body of `/health`.
    pub fn health(&self) -> Value {
        let (status, _, body) = self.get("/health", "");
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    /// Sends a GET request with additional header lines; returns status, header and body.
    pub fn get(&self, path: &str, header: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let host = self.address;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{header}\r\n"
        )
        .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        split_response(&answer)
    }

    /// Returns the number of open files.
    pub fn open_files(&self) -> usize {
        let path = format!("/proc/{}/fd", self.child.id());
        std::fs::read_dir(path).unwrap().count()
    }

    /// Changes the limit of open files.
    pub fn set_open_files_limit(&self, limit: usize) {
        let pid = self.child.id().to_string();
        let limit = format!("--nofile={limit}:{limit}");
        run("prlimit", &["--pid", &pid, &limit]);
    }

    /// Returns the log, if it was piped.
    pub fn take_stderr(&mut self) -> ChildStderr {
        self.child.stderr.take().unwrap()
    }

    /// Sends a POST request with a JSON body; returns status, header and body.
    pub fn post(&self, path: &str, body: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let (host, len) = (self.address, body.len());
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {len}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        split_response(&answer)
    }

    /// Sends SIGTERM, like a service manager.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        run("kill", &[&format!("-{name}"), &pid]);
    }

    /// Waits until the program has ended.
    pub fn wait(&mut self) -> ExitStatus {
        wait(&mut self.child)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts the program with a configuration file of this name and content.
pub fn start_configured(name: &str, settings: &str) -> Program {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.toml"));
    std::fs::write(&path, settings).unwrap();
    Program::start(&["--config", path.to_str().unwrap()])
}

/// Returns a command for the program, without environment variables and in an empty directory.
pub fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watersmeet"));
    command
        .env_clear()
        .current_dir(Path::new(env!("CARGO_TARGET_TMPDIR")));
    command
}

/// Runs a command that has to succeed.
fn run(name: &str, arguments: &[&str]) {
    let status = Command::new(name).args(arguments).status().unwrap();
    assert!(status.success(), "{name} {arguments:?}");
}

/// Waits until a process has ended.
pub fn wait(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(Instant::now() < deadline, "the program does not end");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Splits a response into status, header (in lower case) and body.
pub fn split_response(response: &[u8]) -> (u16, String, String) {
    let response = String::from_utf8_lossy(response);
    let (header, body) = response.split_once("\r\n\r\n").unwrap_or((&response, ""));
    let status = header.split(' ').nth(1).unwrap_or("0").parse().unwrap();
    (status, header.to_ascii_lowercase(), body.to_owned())
}

/// Returns a random secret, as `openssl rand -hex 32` does.
pub fn secret() -> String {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).unwrap();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
