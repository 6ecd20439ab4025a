//! Configuration of the running program: accepted secrets, listeners and their mounts, the startup
//! banner and warnings.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::program::{command, secret, split_response, wait};

/// A process that ends with its test, with the addresses of its listeners.
struct Running {
    child: Child,
    listeners: Vec<SocketAddr>,
    banner: String,
}

impl Running {
    fn start(command: &mut Command, listeners: usize, last_line: &str) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut running = Self {
            child,
            listeners: Vec::new(),
            banner: String::new(),
        };
        while let Some(Ok(line)) = lines.next() {
            if let Some((_, url)) = line.split_once("://") {
                let address = url.split('/').next().unwrap();
                running
                    .listeners
                    .push(address.replace("localhost", "127.0.0.1").parse().unwrap());
            }
            let said = |words| running.banner.contains(words);
            if line.is_empty()
                && running.listeners.len() == listeners
                && said("://")
                && said(last_line)
            {
                break;
            }
            running.banner += &(line + "\n");
        }
        assert_eq!(running.listeners.len(), listeners, "{}", running.banner);
        running
    }

    fn status(&self, listener: usize, path: &str) -> u16 {
        let mut stream = TcpStream::connect(self.listeners[listener]).unwrap();
        let host = self.listeners[listener];
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        split_response(&answer).0
    }

    /// Ends the process and returns its log.
    fn log(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let mut log = String::new();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut log)
            .unwrap();
        log
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns a command for the program on free loopback ports.
fn on_loopback() -> Command {
    let mut command = command();
    command.args(["--port", "0", "--rtc-port", "0", "--listen-ip", "127.0.0.1"]);
    command
}

fn file(name: &str, text: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn program_starts_only_with_a_strong_secret() {
    let sixteen = "0f1e2d3c4b5a6978";
    for (key, value) in [
        ("JWT_SECRET", ""),
        ("JWT_SECRET", sixteen),
        ("JWT_SECRET", "your-secret-key-change"),
        ("JWT_SECRET", "your-jwt-secret-key"),
        (
            "WATERSMEET_JWT_SECRET",
            "change-me-change-me-change-me-change-me",
        ),
        (
            "WATERSMEET_JWT_SECRET",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ),
    ] {
        let mut child = on_loopback()
            .env(key, value)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        assert_eq!(wait(&mut child).code(), Some(78), "{value}");
        let mut words = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut words)
            .unwrap();
        assert!(
            words.contains("`jwt_secret`") && words.contains("openssl"),
            "{words}"
        );
        assert!(value.is_empty() || !words.contains(value), "{words}");
    }
    let running = Running::start(on_loopback().env("JWT_SECRET", secret()), 1, "");
    assert_eq!(running.status(0, "/health"), 200);
    assert!(
        !running.banner.contains("Development"),
        "{}",
        running.banner
    );
}

#[test]
fn development_mode_generates_a_secret_and_listens_on_loopback_only() {
    let mut command = command();
    command.args(["--dev", "--port", "0", "--rtc-port", "0"]);
    let running = Running::start(&mut command, 1, "Only this machine");
    assert!(running.banner.contains("Development"), "{}", running.banner);
    assert!(!running.banner.contains("Network:"), "{}", running.banner);
    assert_eq!(running.status(0, "/health"), 200);
}

#[test]
fn listeners_serve_only_their_mounts() {
    let file = file(
        "listeners.toml",
        "
        [[listeners]]
        port = 0
        mounts = [\"page\", \"native\"]
        [[listeners]]
        port = 0
        mounts = [\"socketio\"]
        [[listeners]]
        port = 0
        mounts = [\"metrics\"]
        ",
    );
    let mut command = on_loopback();
    command.args(["--dev", "--config"]).arg(file);
    let running = Running::start(&mut command, 3, "");
    let socketio = "/socket.io/?EIO=4&transport=polling";
    // 503 when the program was built without the web client.
    assert!(matches!(running.status(0, "/"), 200 | 503));
    assert_eq!(
        [0, 1, 2].map(|listener| running.status(listener, "/health")),
        [200; 3]
    );
    assert_eq!(
        [1, 2].map(|listener| running.status(listener, "/")),
        [404; 2]
    );
    assert_eq!(
        [0, 1, 2].map(|listener| running.status(listener, "/ws")),
        [426, 404, 404]
    );
    assert_eq!(
        [0, 1, 2].map(|listener| running.status(listener, socketio)),
        [404, 200, 404]
    );
}

#[test]
fn log_warns_of_contradicting_variables_and_contains_no_secret() {
    let secret = secret();
    let mut command = on_loopback();
    command.envs([
        ("JWT_SECRET", secret.as_str()),
        ("API_KEY", &secret),
        ("LISTEN_IP", "127.0.0.1"),
        ("PUBLIC_IP", "192.0.2.1"),
        ("MEDIASOUP_ANNOUNCED_IP", "192.0.2.2"),
        ("RUST_LOG", "trace"),
    ]);
    let running = Running::start(&mut command, 1, "");
    assert_eq!(running.status(0, "/health"), 200);
    let log = running.log();
    assert!(
        log.contains("PUBLIC_IP and MEDIASOUP_ANNOUNCED_IP disagree"),
        "{log}"
    );
    assert!(log.contains("MEDIASOUP_ANNOUNCED_IP holds"), "{log}");
    assert!(!log.contains(&secret[..16]), "{log}");
}

#[test]
fn misspelt_flag_is_refused_with_a_suggestion() {
    let output = command()
        .arg("--anounced-ip")
        .arg("192.0.2.1")
        .output()
        .unwrap();
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(words.contains("--announced-ip"), "{words}");
}
