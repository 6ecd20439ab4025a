//! The configuration from outside: which secrets the program starts with, what its doors have
//! behind them, and what it tells of itself.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::program::{command, ended, secret, split};

/// A program that ends with its test, with the addresses of its doors.
struct Running {
    child: Child,
    doors: Vec<SocketAddr>,
    greeting: String,
}

impl Running {
    fn start(command: &mut Command, doors: usize, last_words: &str) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut running = Self {
            child,
            doors: Vec::new(),
            greeting: String::new(),
        };
        while let Some(Ok(line)) = lines.next() {
            if let Some((_, url)) = line.split_once("://") {
                let address = url.split('/').next().unwrap();
                running
                    .doors
                    .push(address.replace("localhost", "127.0.0.1").parse().unwrap());
            }
            let said = |words| running.greeting.contains(words);
            if line.is_empty() && running.doors.len() == doors && said("://") && said(last_words) {
                break;
            }
            running.greeting += &(line + "\n");
        }
        assert_eq!(running.doors.len(), doors, "{}", running.greeting);
        running
    }

    fn status(&self, door: usize, path: &str) -> u16 {
        let mut stream = TcpStream::connect(self.doors[door]).unwrap();
        let host = self.doors[door];
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        split(&answer).0
    }

    /// Ends it and returns what it logged.
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
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program on free ports of loopback.
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
fn only_a_secret_worth_the_name_starts_it() {
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
        assert_eq!(ended(&mut child).code(), Some(78), "{value}");
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
        !running.greeting.contains("Development"),
        "{}",
        running.greeting
    );
}

#[test]
fn in_development_it_makes_one_and_serves_this_machine_alone() {
    let mut command = command();
    command.args(["--dev", "--port", "0", "--rtc-port", "0"]);
    let running = Running::start(&mut command, 1, "Only this machine");
    assert!(
        running.greeting.contains("Development"),
        "{}",
        running.greeting
    );
    assert!(
        !running.greeting.contains("Network:"),
        "{}",
        running.greeting
    );
    assert_eq!(running.status(0, "/health"), 200);
}

#[test]
fn every_door_has_behind_it_what_it_should_and_nothing_else() {
    let file = file(
        "doors.toml",
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
        [0, 1, 2].map(|door| running.status(door, "/health")),
        [200; 3]
    );
    assert_eq!([1, 2].map(|door| running.status(door, "/")), [404; 2]);
    assert_eq!(
        [0, 1, 2].map(|door| running.status(door, "/ws")),
        [426, 404, 404]
    );
    assert_eq!(
        [0, 1, 2].map(|door| running.status(door, socketio)),
        [404, 200, 404]
    );
}

#[test]
fn names_that_disagree_and_secrets_that_do_not_show() {
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
fn a_flag_that_is_nearly_right_is_told() {
    let output = command()
        .arg("--anounced-ip")
        .arg("192.0.2.1")
        .output()
        .unwrap();
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(words.contains("--announced-ip"), "{words}");
}
