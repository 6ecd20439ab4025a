//! Memory per object and processor time per step of a join: two thousand transports with real
//! handshakes, then producers and consumers on them. Prints bytes by our allocator's count (`counted`)
//! and by resident pages (`resident`, which includes allocations of the cryptographic library and
//! fragmentation), and the processor time a worker spends on each step of a join.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "the support code is test code, and a measurement that cannot go on must stop"
)]

#[path = "../tests/suite/support.rs"]
#[expect(dead_code, reason = "each user of the support code uses a part of it")]
mod support;

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use watersmeet_engine::command::{ProducerId, TransportId};
use watersmeet_engine::worker::Worker;
use watersmeet_wire::params::MediaKind;

use support::dtls_client::{DtlsClient, HandshakeHarness, OutgoingStream};

/// Number of measured transports.
const TRANSPORTS: usize = 2_000;

/// Number of measured consumers of each kind.
const CONSUMERS: usize = 500;

/// Bytes of a page, the unit of `/proc/self/statm`.
const PAGE_LEN: i64 = 4_096;

fn main() {
    let mut harness = HandshakeHarness::new(1_150);
    // Warms up code pages, the arena and the worker's tables.
    for _ in 0..8 {
        harness.connect_client();
    }
    println!(
        "{:<34}{:>6}{:>12}{:>12}",
        "", "count", "counted B", "resident B"
    );
    let (mut fresh, mut times) = (Vec::new(), Vec::with_capacity(TRANSPORTS));
    account("fresh transport", TRANSPORTS, || {
        for _ in 0..TRANSPORTS {
            let begun = worked();
            let (transport, ice) = harness.create_transport();
            harness.connect_transport(transport);
            times.push(worked() - begun);
            fresh.push((transport, ice));
        }
    });
    print_time("    create and connect", &mut times);
    let mut connected = Vec::new();
    let mut steps = Steps::default();
    account("  + handshake", TRANSPORTS, || {
        for (transport, ice) in &fresh {
            let mut client = harness.new_client(*transport, ice);
            steps.complete_handshake(&mut harness, &mut client);
            connected.push(*transport);
        }
    });
    account("  + 5 s of silence and reports", TRANSPORTS, || {
        for _ in 0..50 {
            harness.now = harness.now + Duration::from_millis(100);
            harness.run_iteration();
        }
    });
    let mut stage = account_producers(&mut harness);
    account_consumers(&mut harness, &mut stage, &connected);
    steps.print();
    println!("\nsizes of one, B");
    for (name, len) in Worker::sizes() {
        println!("  {name:<32}{len:>8}");
    }
}

/// A publisher with its producers and streams.
struct Stage {
    client: DtlsClient,
    audio: (ProducerId, Vec<OutgoingStream>),
    video: (ProducerId, Vec<OutgoingStream>),
}

impl Stage {
    /// Sends two seconds of media: 50 audio packets a second, video of 200, 600 and 1,600 kbit/s.
    fn play(&mut self, harness: &mut HandshakeHarness) {
        for millis in 0..2_000_u32 {
            harness.now = harness.now + Duration::from_millis(1);
            if millis % 20 == 0 {
                self.send(harness, true, 0, false, 100);
            }
            for (index, spacing) in [(0, 48), (1, 16), (2, 6)] {
                if millis % spacing == 0 {
                    self.send(harness, false, index, millis < 10, 1_150);
                }
            }
            harness.run_iteration();
        }
    }

    fn send(
        &mut self,
        harness: &mut HandshakeHarness,
        audio: bool,
        index: usize,
        keyframe: bool,
        len: usize,
    ) {
        let streams = if audio {
            &mut self.audio.1
        } else {
            &mut self.video.1
        };
        let packet = self.client.rtp(&mut streams[index], keyframe, len);
        harness.handle_datagram(self.client.path, packet);
    }
}

fn account_producers(harness: &mut HandshakeHarness) -> Stage {
    const COUNT: usize = 30;
    let crowd = harness.connect_client();
    account("audio producer, idle", COUNT, || {
        for _ in 0..COUNT {
            harness.produce(&crowd, MediaKind::Audio, 1);
        }
    });
    let crowd = harness.connect_client();
    account("video producer of 3 layers, idle", 10, || {
        for _ in 0..10 {
            harness.produce(&crowd, MediaKind::Video, 3);
        }
    });
    let client = harness.connect_client();
    let audio = harness.produce(&client, MediaKind::Audio, 1);
    let video = harness.produce(&client, MediaKind::Video, 3);
    let mut stage = Stage {
        client,
        audio,
        video,
    };
    account("  both + 2 s of media", 1, || stage.play(harness));
    stage
}

fn account_consumers(
    harness: &mut HandshakeHarness,
    stage: &mut Stage,
    transports: &[TransportId],
) {
    let transports = &transports[..CONSUMERS];
    let mut times = Vec::new();
    for (name, producer) in [
        ("audio consumer, idle", stage.audio.0),
        ("video consumer, idle", stage.video.0),
    ] {
        account(name, CONSUMERS, || {
            for transport in transports {
                let begun = worked();
                harness.consume(*transport, producer);
                times.push(worked() - begun);
            }
        });
        print_time("    consume", &mut times);
    }
    account("  both + 2 s of media", CONSUMERS, || stage.play(harness));
}

/// Runs `work` and prints the memory it added, divided by `count`.
fn account(name: &str, count: usize, work: impl FnOnce()) {
    let before = resident();
    let info = allocation_counter::measure(work);
    let each = |bytes: i64| bytes / count as i64;
    println!(
        "{name:<34}{count:>6}{:>12}{:>12}",
        each(info.bytes_current),
        each(resident() - before)
    );
}

/// Returns the resident memory of this process in bytes.
fn resident() -> i64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages = statm.split(' ').nth(1).expect("a second column");
    pages.parse::<i64>().expect("a number") * PAGE_LEN
}

/// Returns the CPU time of this thread.
fn worked() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("time goes on")
}

/// CPU time of the worker for each step of a handshake.
#[derive(Default)]
struct Steps {
    check: Vec<Duration>,
    flights: [Vec<Duration>; 2],
    whole: Vec<Duration>,
}

impl Steps {
    /// Like [`HandshakeHarness::connect_client`], but measures the worker's CPU time.
    fn complete_handshake(&mut self, harness: &mut HandshakeHarness, client: &mut DtlsClient) {
        let check = client.binding_request();
        let begun = worked();
        harness.handle_datagram(client.path, check);
        let mut sent = harness.run_iteration();
        let mut whole = worked() - begun;
        self.check.push(whole);
        for flight in &mut self.flights {
            for (_, packet) in &sent {
                client.handle_datagram(harness.now, packet);
            }
            let packets = client.poll_transmit(harness.now);
            let begun = worked();
            for packet in packets {
                harness.handle_datagram(client.path, packet);
            }
            sent = harness.run_iteration();
            let took = worked() - begun;
            flight.push(took);
            whole += took;
        }
        for (_, packet) in &sent {
            client.handle_datagram(harness.now, packet);
        }
        client.poll_transmit(harness.now);
        assert!(client.srtp_sender.is_some(), "the handshake does not end");
        self.whole.push(whole);
    }

    fn print(&mut self) {
        println!("\nour side of a handshake");
        print_time("  ICE check", &mut self.check);
        let [hello, finished] = &mut self.flights;
        print_time("  ClientHello", hello);
        print_time("  Certificate to Finished, keys", finished);
        print_time("  whole", &mut self.whole);
    }
}

/// Prints the median and the mean of `times`, and clears them.
fn print_time(name: &str, times: &mut Vec<Duration>) {
    times.sort_unstable();
    let median = times[times.len() / 2].as_nanos() as f64 / 1_000.0;
    let mean = times.iter().sum::<Duration>().as_nanos() as f64 / 1_000.0 / times.len() as f64;
    println!("{name:<40}{median:>9.1} µs (mean {mean:.1})");
    times.clear();
}
