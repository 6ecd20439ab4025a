//! Load test of signalling: 2,000 idle connections, and 1,000 requests a second from a hundred others,
//! half native and half Socket.IO, for a minute. Prints the memory of an idle connection and response
//! times.
//!
//! Uses the program built by `make build`, over loopback, and ends it by its own process id.
//! `SECONDS`, `IDLE` and `RATE` change the load.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a failed measurement must stop"
)]

use std::env;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// Connections that send requests, each far below its rate limit.
const ACTIVE_CLIENTS: u64 = 100;

/// Response time above which a request counts as an error.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Quality bars: 99th percentile of response times, and memory of an idle connection.
const P99_MS_MAX: f64 = 50.0;
/// See `P99_MS_MAX`.
const IDLE_KIB_MAX: f64 = 40.0;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Protocol of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Native dialect.
    Native,
    /// Socket.IO packets in Engine.IO messages.
    SocketIo,
}

impl Kind {
    /// Alternates between both.
    const fn of(index: u64) -> Self {
        match index % 2 {
            0 => Self::Native,
            _ => Self::SocketIo,
        }
    }

    const fn path(self) -> &'static str {
        match self {
            Self::Native => "/ws",
            Self::SocketIo => "/socket.io/?EIO=4&transport=websocket",
        }
    }

    /// Returns a request with a large response, and the beginning of the response.
    fn request(self, id: u64) -> (String, String) {
        match self {
            Self::Native => (
                format!(r#"{{"type":"getRouterRtpCapabilities","payload":{{}},"id":{id}}}"#),
                r#"{"type":"routerRtpCapabilities""#.to_owned(),
            ),
            Self::SocketIo => (
                format!(r#"42{id}["getRtpCapabilities"]"#),
                format!("43{id}["),
            ),
        }
    }
}

/// Process of the program, which ends with the measurement.
struct Program {
    child: Child,
    address: String,
}

impl Program {
    fn start() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let binary = env::var_os("WATERSMEET_BIN")
            .map_or_else(|| root.join("target/release/watersmeet"), Into::into);
        let mut child = Command::new(&binary)
            .args(["--dev", "--port", "0", "--rtc-port", "0"])
            .args(["--listen-ip", "127.0.0.1", "--log", "warn"])
            .env_clear()
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}; run `make build`", binary.display()));
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines.find_map(|line| {
            let line = line.ok()?;
            let (_, address) = line.split_once("http://")?;
            Some(address.trim().trim_end_matches('/').to_owned())
        });
        // Reads later output, so that the program never blocks on a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            child,
            address: address.expect("the program prints its address"),
        }
    }

    /// Returns the resident memory, in KiB.
    fn memory_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.unwrap()
            .trim()
            .trim_end_matches(" kB")
            .parse()
            .unwrap()
    }

    /// Returns the CPU time, in seconds.
    fn cpu_s(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<_> = stat
            .rsplit(')')
            .next()
            .unwrap()
            .split_whitespace()
            .collect();
        let ticks: u64 = fields[11..=12]
            .iter()
            .map(|it| it.parse::<u64>().unwrap())
            .sum();
        ticks as f64 / 100.0
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Opens a connection and reads its first frame.
async fn connect(address: &str, kind: Kind) -> Socket {
    let url = format!("ws://{address}{}", kind.path());
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    socket.next().await.unwrap().unwrap();
    if kind == Kind::SocketIo {
        socket.send(Message::text("40")).await.unwrap();
        wait_for(&mut socket, "40").await;
    }
    socket
}

/// Reads until a text with this prefix is received. Engine.IO pings are answered.
async fn wait_for(socket: &mut Socket, prefix: &str) {
    loop {
        let message = socket.next().await.unwrap().unwrap();
        let text = message.to_text().unwrap_or_default();
        if text == "2" {
            socket.send(Message::text("3")).await.unwrap();
        } else if text.starts_with(prefix) {
            return;
        }
    }
}

/// Keeps an idle connection open by answering pings.
async fn idle(mut socket: Socket, kind: Kind) {
    while let Some(Ok(message)) = socket.next().await {
        if kind == Kind::SocketIo && message.to_text().is_ok_and(|it| it == "2") {
            let _ = socket.send(Message::text("3")).await;
        }
    }
}

/// Sends requests at a steady rate; returns the response times, in microseconds.
async fn send_requests(
    mut socket: Socket,
    kind: Kind,
    pause: Duration,
    until: Instant,
) -> Vec<u64> {
    let mut ticks = interval(pause);
    // A delayed request counts from the time at which it was due.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut took = Vec::new();
    for id in 0.. {
        let due = ticks.tick().await;
        if Instant::now() >= until {
            break;
        }
        let (request, answer) = kind.request(id);
        socket.send(Message::text(request)).await.unwrap();
        let answered = timeout(RESPONSE_TIMEOUT, wait_for(&mut socket, &answer));
        if answered.await.is_err() {
            ERRORS.fetch_add(1, Ordering::Relaxed);
            break;
        }
        took.push(due.elapsed().as_micros() as u64);
    }
    took
}

/// Requests without a response.
static ERRORS: AtomicU64 = AtomicU64::new(0);

fn setting(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// Returns a percentile of sorted values, in milliseconds.
fn percentile(sorted: &[u64], part: f64) -> f64 {
    let index = ((sorted.len() as f64 * part).ceil() as usize).clamp(1, sorted.len()) - 1;
    sorted[index] as f64 / 1_000.0
}

async fn measure() {
    let (seconds, crowd, rate) = (
        setting("SECONDS", 60),
        setting("IDLE", 2_000),
        setting("RATE", 1_000),
    );
    let program = Arc::new(Program::start());
    // The first connection allocates what all share.
    let warm = connect(&program.address, Kind::Native).await;
    let before = program.memory_kib();
    let mut silent = JoinSet::new();
    for index in 0..crowd {
        let kind = Kind::of(index);
        silent.spawn(idle(connect(&program.address, kind).await, kind));
    }
    let after = program.memory_kib();
    let per_connection = (after - before) as f64 / crowd as f64;

    let mut clients = JoinSet::new();
    let pause = Duration::from_secs_f64(ACTIVE_CLIENTS as f64 / rate as f64);
    let mut sockets = Vec::new();
    for index in 0..ACTIVE_CLIENTS {
        sockets.push((
            Kind::of(index),
            connect(&program.address, Kind::of(index)).await,
        ));
    }
    let (cpu, started) = (program.cpu_s(), Instant::now());
    let until = started + Duration::from_secs(seconds);
    for (index, (kind, socket)) in sockets.into_iter().enumerate() {
        // Spread over the interval, so that requests do not coincide.
        let offset = pause.mul_f64(index as f64 / ACTIVE_CLIENTS as f64);
        clients.spawn(async move {
            tokio::time::sleep(offset).await;
            send_requests(socket, kind, pause, until).await
        });
    }
    let mut took: Vec<u64> = clients.join_all().await.into_iter().flatten().collect();
    let elapsed = started.elapsed().as_secs_f64();
    let cpu = program.cpu_s() - cpu;
    took.sort_unstable();
    assert!(!took.is_empty(), "no response was received");
    let errors = ERRORS.load(Ordering::Relaxed);
    let p99 = percentile(&took, 0.99);
    println!("idle connections      {crowd}");
    println!("memory for each       {per_connection:.1} KiB (bar {IDLE_KIB_MAX})");
    println!("requests              {} in {elapsed:.0} s", took.len());
    println!("requests per second   {:.0}", took.len() as f64 / elapsed);
    println!("answer p50            {:.2} ms", percentile(&took, 0.5));
    println!("answer p99            {p99:.2} ms (bar {P99_MS_MAX})");
    println!("answer p99.9          {:.2} ms", percentile(&took, 0.999));
    println!("errors                {errors}");
    println!(
        "server CPU            {:.0} % of a core",
        cpu / elapsed * 100.0
    );
    drop((warm, silent));
    let holds = errors == 0 && p99 <= P99_MS_MAX && per_connection <= IDLE_KIB_MAX;
    println!(
        "{}",
        if holds {
            "within the bars"
        } else {
            "NOT within the bars"
        }
    );
}

fn main() {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
        .block_on(measure());
}
