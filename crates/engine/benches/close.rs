//! Cost of closing a transport when many close at once, in rooms of ten of which one sends video to
//! the others. Prints the processor time per close, which must not grow with the number of transports.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a measurement that cannot go on must stop, and a table is what it is for"
)]

use std::time::{Duration, Instant};

use rand_chacha::rand_core::SeedableRng as _;
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use uuid::Uuid;
use watersmeet_engine::command::{
    Command, ConsumerId, DegradationPreference, Path, ProducerId, Reply, RouterId, TransportId,
    TransportOptions,
};
use watersmeet_engine::egress::window::EgressOptions;
use watersmeet_engine::ortc;
use watersmeet_engine::transport::dtls::{DtlsCertificate, DtlsVersion};
use watersmeet_engine::transport::srtp::SrtpProfile;
use watersmeet_engine::worker::{TRANSPORTS_MAX, Worker, WorkerConfig};
use watersmeet_wire::params::{MediaKind, RtpCapabilities};
use watersmeet_wire::units::{Rng, Time};

/// Transports of a room.
const ROOM_LEN: usize = 10;

/// Time of all commands and packets.
const NOW: Time = Time::from_millis(1);

fn main() {
    println!(
        "{:>12}{:>14}{:>14}",
        "transports", "µs per close", "of rooms"
    );
    // The first round warms up caches and the allocator.
    for transports in [1_250, 1_250, 5_000, TRANSPORTS_MAX] {
        let each = per_close(transports, Close::Transports);
        let by_room = per_close(transports, Close::Rooms);
        println!("{transports:>12}{each:>14.2}{by_room:>14.2}");
    }
}

/// Commands that close the transports.
#[derive(Clone, Copy)]
enum Close {
    /// One command per transport, in the order of their creation.
    Transports,
    /// One command per room.
    Rooms,
}

/// Returns the processor time per transport in microseconds.
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn per_close(transports: usize, close: Close) -> f64 {
    let mut worker = worker();
    let mut rooms = Vec::new();
    let mut ids = Vec::new();
    for room in 0..transports / ROOM_LEN {
        let first = room * ROOM_LEN;
        rooms.push(fill_room(&mut worker, first, &mut ids));
    }
    let commands: Vec<_> = match close {
        Close::Transports => ids
            .into_iter()
            .map(|transport| Command::CloseTransport { transport })
            .collect(),
        Close::Rooms => rooms
            .into_iter()
            .map(|router| Command::CloseRouter { router })
            .collect(),
    };
    let started = thread_cpu_time();
    for command in commands {
        execute(&mut worker, command);
    }
    let took = thread_cpu_time() - started;
    assert_eq!(worker.object_counts().transports, 0, "all are closed");
    took.as_nanos() as f64 / 1_000.0 / transports as f64
}

fn worker() -> Worker {
    #[expect(clippy::disallowed_methods, reason = "the origin of virtual time")]
    let epoch = Instant::now();
    let config = WorkerConfig {
        listen: Vec::new(),
        certificate: DtlsCertificate::generate().expect("cryptography works"),
        dtls_version: DtlsVersion::V12,
        epoch,
        unix_epoch: Duration::from_secs(1_800_000_000),
        consent_timeout: Duration::from_secs(15),
        shard: 0,
        egress: EgressOptions::default(),
    };
    Worker::new(config, Rng::from_seed([7; 32]))
}

/// Creates a room whose transports are numbered from `first`, and appends their ids to `ids`.
fn fill_room(worker: &mut Worker, first: usize, ids: &mut Vec<TransportId>) -> RouterId {
    let router = RouterId(id(first));
    let media_codecs = ortc::default_codecs();
    let reply = execute(
        worker,
        Command::CreateRouter {
            router,
            media_codecs,
        },
    );
    let Reply::Router { capabilities } = reply else {
        panic!("a router answers with its capabilities");
    };
    let producer = ProducerId(id(first));
    for number in first..first + ROOM_LEN {
        let transport = TransportId(id(number));
        connect(worker, router, transport, number);
        if number == first {
            produce(worker, transport, producer);
        } else {
            consume(worker, transport, producer, &capabilities);
        }
        ids.push(transport);
    }
    router
}

fn connect(worker: &mut Worker, router: RouterId, transport: TransportId, number: usize) {
    let options = TransportOptions::default();
    execute(
        worker,
        Command::CreateTransport {
            router,
            transport,
            options,
        },
    );
    let [.., high, low] = number.to_be_bytes();
    let path = Path::udp(([10, 0, high, low], 50_000).into());
    let profile = SrtpProfile::AeadAes128Gcm;
    let master = vec![7; profile.master_len()];
    worker
        .assume_connected(NOW, transport, path, profile, &master, &master)
        .expect("connected");
}

fn produce(worker: &mut Worker, transport: TransportId, producer: ProducerId) {
    let rtp = serde_json::from_value(json!({
        "codecs": [{
            "mimeType": "video/VP8", "payloadType": 96, "clockRate": 90_000,
            "rtcpFeedback": [{"type": "nack"}, {"type": "nack", "parameter": "pli"}],
        }],
        "encodings": [{"ssrc": 7}],
    }));
    let command = Command::Produce {
        transport,
        producer,
        kind: MediaKind::Video,
        rtp: rtp.expect("good parameters"),
        paused: false,
        is_screen: false,
    };
    execute(worker, command);
}

fn consume(
    worker: &mut Worker,
    transport: TransportId,
    producer: ProducerId,
    capabilities: &RtpCapabilities,
) {
    let command = Command::Consume {
        transport,
        consumer: ConsumerId(transport.0),
        producer,
        capabilities: capabilities.clone(),
        paused: false,
        preferred_layers: None,
        priority: 1,
        degradation_preference: DegradationPreference::MaintainFramerate,
    };
    execute(worker, command);
}

/// Carries out a command and discards the resulting datagrams and events.
fn execute(worker: &mut Worker, command: Command) -> Reply {
    let reply = worker.handle_command(NOW, command).expect("carried out");
    while worker.poll_event().is_some() {}
    reply
}

fn id(number: usize) -> Uuid {
    Uuid::from_u128(number as u128 + 1)
}

/// Returns the processor time of this thread.
fn thread_cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("time goes on")
}
