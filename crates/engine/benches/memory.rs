//! Where memory goes and what a join costs: two thousand transports through the real handshake,
//! then producers and consumers on them. Prints bytes by our own allocator's count (`counted`) and
//! by resident pages (`resident`, which includes what the cryptographic library takes by itself
//! and what the allocator cannot use), and the processor time a worker spends on each step of a
//! join.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "the rig is test code, and a measurement that cannot go on must stop"
)]

#[path = "../tests/rig/guest.rs"]
#[expect(dead_code, reason = "each user of the rig uses a part of it")]
mod guest;

use std::time::Duration;

use guest::{Guest, House, Source};
use rustix::time::{ClockId, clock_gettime};
use watersmeet_engine::command::{ProducerId, TransportId};
use watersmeet_engine::worker::Worker;
use watersmeet_wire::params::MediaKind;

/// Transports in the account.
const TRANSPORTS: usize = 2_000;

/// Consumers in the account, of each kind.
const CONSUMERS: usize = 500;

/// Bytes of a page, as `/proc/self/statm` counts.
const PAGE_LEN: i64 = 4_096;

fn main() {
    let mut house = House::new(1_150);
    // Code pages, the arena, the worker's tables.
    for _ in 0..8 {
        house.invite();
    }
    println!(
        "{:<34}{:>6}{:>12}{:>12}",
        "", "count", "counted B", "resident B"
    );
    let (mut fresh, mut times) = (Vec::new(), Vec::with_capacity(TRANSPORTS));
    account("fresh transport", TRANSPORTS, || {
        for _ in 0..TRANSPORTS {
            let begun = worked();
            let (transport, ice) = house.create_transport();
            house.connect(transport);
            times.push(worked() - begun);
            fresh.push((transport, ice));
        }
    });
    print_time("    create and connect", &mut times);
    let mut connected = Vec::new();
    let mut steps = Steps::default();
    account("  + handshake", TRANSPORTS, || {
        for (transport, ice) in &fresh {
            let mut guest = house.guest(*transport, ice);
            steps.welcome(&mut house, &mut guest);
            connected.push(*transport);
        }
    });
    account("  + 5 s of silence and reports", TRANSPORTS, || {
        for _ in 0..50 {
            house.now = house.now + Duration::from_millis(100);
            house.turn();
        }
    });
    let mut stage = account_producers(&mut house);
    account_consumers(&mut house, &mut stage, &connected);
    steps.print();
    println!("\nsizes of one, B");
    for (name, len) in Worker::sizes() {
        println!("  {name:<32}{len:>8}");
    }
}

/// A publisher with what it sends.
struct Stage {
    guest: Guest,
    audio: (ProducerId, Vec<Source>),
    video: (ProducerId, Vec<Source>),
}

impl Stage {
    /// Two seconds of media: 50 audio packets a second, and video of 200, 600 and 1,600 kbit/s.
    fn play(&mut self, house: &mut House) {
        for millis in 0..2_000_u32 {
            house.now = house.now + Duration::from_millis(1);
            if millis % 20 == 0 {
                self.send(house, true, 0, false, 100);
            }
            for (index, spacing) in [(0, 48), (1, 16), (2, 6)] {
                if millis % spacing == 0 {
                    self.send(house, false, index, millis < 10, 1_150);
                }
            }
            house.turn();
        }
    }

    fn send(&mut self, house: &mut House, audio: bool, index: usize, keyframe: bool, len: usize) {
        let sources = if audio {
            &mut self.audio.1
        } else {
            &mut self.video.1
        };
        let packet = self.guest.rtp(&mut sources[index], keyframe, len);
        house.receive(self.guest.path, packet);
    }
}

fn account_producers(house: &mut House) -> Stage {
    const COUNT: usize = 30;
    let crowd = house.invite();
    account("audio producer, idle", COUNT, || {
        for _ in 0..COUNT {
            house.produce(&crowd, MediaKind::Audio, 1);
        }
    });
    let crowd = house.invite();
    account("video producer of 3 layers, idle", 10, || {
        for _ in 0..10 {
            house.produce(&crowd, MediaKind::Video, 3);
        }
    });
    let guest = house.invite();
    let audio = house.produce(&guest, MediaKind::Audio, 1);
    let video = house.produce(&guest, MediaKind::Video, 3);
    let mut stage = Stage {
        guest,
        audio,
        video,
    };
    account("  both + 2 s of media", 1, || stage.play(house));
    stage
}

fn account_consumers(house: &mut House, stage: &mut Stage, transports: &[TransportId]) {
    let transports = &transports[..CONSUMERS];
    let mut times = Vec::new();
    for (name, producer) in [
        ("audio consumer, idle", stage.audio.0),
        ("video consumer, idle", stage.video.0),
    ] {
        account(name, CONSUMERS, || {
            for transport in transports {
                let begun = worked();
                house.consume(*transport, producer);
                times.push(worked() - begun);
            }
        });
        print_time("    consume", &mut times);
    }
    account("  both + 2 s of media", CONSUMERS, || stage.play(house));
}

/// Runs `work` and prints what it left behind, for each of `count`.
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

/// Resident memory of this process, in bytes.
fn resident() -> i64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages = statm.split(' ').nth(1).expect("a second column");
    pages.parse::<i64>().expect("a number") * PAGE_LEN
}

/// How long this thread has worked, whatever else the machine did meanwhile.
fn worked() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("time goes on")
}

/// How long the worker took for each step of a handshake.
#[derive(Default)]
struct Steps {
    check: Vec<Duration>,
    flights: [Vec<Duration>; 2],
    whole: Vec<Duration>,
}

impl Steps {
    /// As [`House::invite`], with a stop-watch on our side of it.
    fn welcome(&mut self, house: &mut House, guest: &mut Guest) {
        let check = guest.check();
        let begun = worked();
        house.receive(guest.path, check);
        let mut sent = house.turn();
        let mut whole = worked() - begun;
        self.check.push(whole);
        for flight in &mut self.flights {
            for (_, packet) in &sent {
                guest.handle(house.now, packet);
            }
            let packets = guest.poll(house.now);
            let begun = worked();
            for packet in packets {
                house.receive(guest.path, packet);
            }
            sent = house.turn();
            let took = worked() - begun;
            flight.push(took);
            whole += took;
        }
        for (_, packet) in &sent {
            guest.handle(house.now, packet);
        }
        guest.poll(house.now);
        assert!(guest.sealer.is_some(), "the handshake does not end");
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

/// The time that half of them stay under, and the mean.
fn print_time(name: &str, times: &mut Vec<Duration>) {
    times.sort_unstable();
    let median = times[times.len() / 2].as_nanos() as f64 / 1_000.0;
    let mean = times.iter().sum::<Duration>().as_nanos() as f64 / 1_000.0 / times.len() as f64;
    println!("{name:<40}{median:>9.1} µs (mean {mean:.1})");
    times.clear();
}
