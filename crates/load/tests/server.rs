//! Runs the generator against the server, both as processes: every packet is delivered to all its
//! receivers, to no other peer, and unaltered.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "in a test a failure is a panic"
)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

/// Path of the generator.
const LOAD: &str = env!("CARGO_BIN_EXE_watersmeet-load");

/// The generator's exit code when the machine was too busy.
const GENERATOR_BUSY: i32 = 4;

/// A server process that ends with its test.
struct Server {
    child: Child,
    /// URL of its WebSocket.
    url: String,
}

impl Server {
    /// Starts the server on free ports.
    fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts the server with these environment variables.
    fn start_with(variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(server_binary())
            .args(["--port", "0", "--rtc-port", "0", "--listen-ip", "127.0.0.1"])
            .args(["--dev", "--log", "warn"])
            .env_clear()
            .envs(variables.iter().copied())
            .current_dir(env!("CARGO_TARGET_TMPDIR"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = lines.find_map(|line| {
            let line = line.unwrap();
            let (_, url) = line.split_once("Local:")?;
            let (_, address) = url.trim().trim_end_matches('/').split_once("://")?;
            Some(format!("ws://{address}/"))
        });
        Self {
            child,
            url: url.expect("the server prints its URL"),
        }
    }

    /// Returns the sum of a metric over all media threads, for one direction if it has several.
    fn metric(&self, name: &str, direction: &str) -> f64 {
        // Media threads publish their metrics once per second.
        std::thread::sleep(Duration::from_millis(1_500));
        let url = self.url.replace("ws://", "http://") + "metrics";
        let page = minreq::get(url).send().unwrap();
        let lines = page.as_str().unwrap().lines();
        let lines = lines.filter(|line| line.starts_with(&format!("watersmeet_{name}{{")));
        let wanted = format!("direction=\"{direction}\"");
        let lines = lines.filter(|line| direction.is_empty() || line.contains(&wanted));
        let values = lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>());
        values.map(Result::unwrap).sum()
    }

    /// Runs the generator and returns its outcome. The run must be valid, unless the machine is busy.
    /// The measurement starts after the first keyframes, which cameras send at most once per second.
    fn load(&self, name: &str, arguments: &[&str]) -> Value {
        let json = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.json"));
        let output = Command::new(LOAD)
            .args(["--url", &self.url, "--pid", &self.child.id().to_string()])
            .args(["--warmup", "2.5", "--json", json.to_str().unwrap()])
            .args(arguments)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let error = String::from_utf8_lossy(&output.stderr);
        println!("{text}{error}");
        let outcome = std::fs::read_to_string(json).expect("the generator writes an outcome");
        assert!(
            matches!(output.status.code(), Some(0 | GENERATOR_BUSY)),
            "{name}"
        );
        serde_json::from_str(&outcome).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the path of the server: `WATERSMEET_BIN`, or a binary built beside the generator.
fn server_binary() -> PathBuf {
    if let Some(program) = std::env::var_os("WATERSMEET_BIN") {
        return program.into();
    }
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "-p", "watersmeet-server"])
        .status()
        .unwrap();
    assert!(status.success(), "building the server failed");
    Path::new(LOAD).with_file_name("watersmeet")
}

/// Asserts that every packet was delivered to all its receivers, once.
fn assert_complete(outcome: &Value, consumers: u64) {
    let media = |name: &str| outcome["media"][name].as_u64().unwrap();
    assert_eq!(outcome["consumers"], consumers);
    assert!(media("published") > 0);
    assert_eq!(media("delivered"), media("expected"));
    assert_eq!((media("violations"), media("duplicates")), (0, 0));
    assert_eq!(outcome["joins"]["failures"], 0);
    assert_eq!(outcome["latency"]["count"], media("delivered"));
}

#[test]
fn meeting_delivers_every_peer_to_every_other() {
    let server = Server::start();
    let arguments = ["--publishers", "4", "--video-kbps", "300", "--seconds", "3"];
    let outcome = server.load("meeting", &arguments);
    assert_complete(&outcome, 4 * 3 * 2);
    let published = outcome["media"]["published"].as_u64().unwrap();
    let expected = outcome["media"]["expected"].as_u64().unwrap();
    assert_eq!(expected, 3 * published);
}

#[test]
fn room_on_two_shards_is_complete_and_every_packet_crosses_once() {
    let server = Server::start_with(&[
        ("WATERSMEET_SHARDS", "2"),
        ("WATERSMEET_SPREAD_ABOVE_PERCENT", "0"),
    ]);
    let arguments = ["--publishers", "6", "--video-kbps", "300", "--seconds", "3"];
    let outcome = server.load("spread", &arguments);
    assert_complete(&outcome, 6 * 5 * 2);
    let received = server.metric("rtp_packets_total", "in");
    let crossed = server.metric("cross_worker_packets_total", "out");
    assert!(
        crossed <= received && crossed > received / 2.0,
        "{crossed} of {received} packets crossed"
    );
    assert!(server.metric("cross_worker_messages_dropped_total", "") < 1.0);
}

#[test]
fn webinar_delivers_the_publisher_to_all_subscribers() {
    let server = Server::start();
    let arguments = [
        "--profile",
        "webinar",
        "--subscribers",
        "10",
        "--seconds",
        "3",
        "--srtp",
        "aes128gcm",
        "--gro",
        "on",
    ];
    let outcome = server.load("webinar", &arguments);
    assert_complete(&outcome, 20);
    assert_eq!(outcome["setup"]["srtp"], "AEAD_AES_128_GCM");
    let published = outcome["media"]["published"].as_u64().unwrap();
    assert_eq!(outcome["media"]["expected"], 10 * published);
}

#[test]
fn rooms_with_simulcast_are_isolated() {
    let server = Server::start();
    let arguments = [
        "--profile",
        "rooms",
        "--rooms",
        "3",
        "--publishers",
        "3",
        "--simulcast",
        "--seconds",
        "2",
        "--srtp",
        "aes128cm",
        "--verify",
        "3",
        "--pacing",
        "even",
    ];
    let outcome = server.load("rooms", &arguments);
    assert_eq!(outcome["consumers"], 3 * 3 * 2 * 2);
    assert_eq!(outcome["setup"]["srtp"], "AES_CM_128_HMAC_SHA1_80");
    let media = |name: &str| outcome["media"][name].as_u64().unwrap();
    assert_eq!((media("violations"), media("duplicates")), (0, 0));
    assert!(media("delivered") > 0);
}

#[test]
fn media_is_correct_while_peers_join_leave_and_pause() {
    let server = Server::start();
    for profile in ["joins", "churn", "storm"] {
        let arguments = [
            "--profile",
            profile,
            "--publishers",
            "3",
            "--video-kbps",
            "100",
            "--seconds",
            "2",
            "--rate",
            "5",
        ];
        let outcome = server.load(profile, &arguments);
        assert_eq!(outcome["media"]["violations"], 0, "{profile}");
        assert_eq!(outcome["joins"]["failures"], 0, "{profile}");
        assert!(outcome["joins"]["count"].as_u64().unwrap() > 0, "{profile}");
    }
}

#[test]
fn unreachable_server_is_an_error() {
    let output = Command::new(LOAD)
        .args(["--url", "ws://127.0.0.1:1/", "--publishers", "1"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("no peer joined"), "{error}");
}
