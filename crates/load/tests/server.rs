//! The generator against our own server, both as programs: what is sent comes to all it is for, to
//! nobody else, and whole.

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

/// The generator.
const LOAD: &str = env!("CARGO_BIN_EXE_watersmeet-load");

/// The generator's exit code when the machine had too much else to do.
const BUSY: i32 = 4;

/// A server that ends with its test.
struct Server {
    child: Child,
    /// Where its WebSocket is.
    url: String,
}

impl Server {
    /// Starts the server on free ports.
    fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with these variables set.
    fn start_with(variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(build())
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
            url: url.expect("the server prints where its page is"),
        }
    }

    /// The sum of a figure of all its media threads, in one direction if there are several.
    fn figure(&self, name: &str, direction: &str) -> f64 {
        // Figures are laid down once a second.
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

    /// Runs the generator, which must find nothing wrong but, perhaps, that the machine is busy;
    /// its outcome. Consumers wait for a keyframe, and a camera makes one a second: what is
    /// measured begins later.
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
        let outcome = std::fs::read_to_string(json).expect("an outcome is written");
        assert!(matches!(output.status.code(), Some(0 | BUSY)), "{name}");
        serde_json::from_str(&outcome).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server's program: the one that is named, or else one that is built beside the generator.
fn build() -> PathBuf {
    if let Some(program) = std::env::var_os("WATERSMEET_BIN") {
        return program.into();
    }
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "-p", "watersmeet-server"])
        .status()
        .unwrap();
    assert!(status.success(), "the server can be built");
    Path::new(LOAD).with_file_name("watersmeet")
}

/// Everything that was sent came, once, to all it was for.
fn assert_whole(outcome: &Value, consumers: u64) {
    let media = |name: &str| outcome["media"][name].as_u64().unwrap();
    assert_eq!(outcome["consumers"], consumers);
    assert!(media("published") > 0);
    assert_eq!(media("delivered"), media("expected"));
    assert_eq!((media("violations"), media("duplicates")), (0, 0));
    assert_eq!(outcome["joins"]["failures"], 0);
    assert_eq!(outcome["latency"]["count"], media("delivered"));
}

#[test]
fn in_a_meeting_everybody_gets_everybody() {
    let server = Server::start();
    let arguments = ["--publishers", "4", "--video-kbps", "300", "--seconds", "3"];
    let outcome = server.load("meeting", &arguments);
    assert_whole(&outcome, 4 * 3 * 2);
    let published = outcome["media"]["published"].as_u64().unwrap();
    let expected = outcome["media"]["expected"].as_u64().unwrap();
    assert_eq!(expected, 3 * published);
}

#[test]
fn a_room_on_two_shards_is_whole_and_every_packet_crosses_once() {
    let server = Server::start_with(&[
        ("WATERSMEET_SHARDS", "2"),
        ("WATERSMEET_SPREAD_ABOVE_PERCENT", "0"),
    ]);
    let arguments = ["--publishers", "6", "--video-kbps", "300", "--seconds", "3"];
    let outcome = server.load("spread", &arguments);
    assert_whole(&outcome, 6 * 5 * 2);
    let came = server.figure("rtp_packets_total", "in");
    let crossed = server.figure("cross_worker_packets_total", "out");
    assert!(
        crossed <= came && crossed > came / 2.0,
        "{crossed} of {came} packets crossed"
    );
    assert!(server.figure("cross_worker_messages_dropped_total", "") < 1.0);
}

#[test]
fn in_a_webinar_all_get_the_one_who_speaks() {
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
    assert_whole(&outcome, 20);
    assert_eq!(outcome["setup"]["srtp"], "AEAD_AES_128_GCM");
    let published = outcome["media"]["published"].as_u64().unwrap();
    assert_eq!(outcome["media"]["expected"], 10 * published);
}

#[test]
fn rooms_with_layered_video_stay_apart() {
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
fn people_come_and_go_while_others_talk() {
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
fn where_nobody_is_there_is_no_outcome() {
    let output = Command::new(LOAD)
        .args(["--url", "ws://127.0.0.1:1/", "--publishers", "1"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("nobody got in"), "{error}");
}
