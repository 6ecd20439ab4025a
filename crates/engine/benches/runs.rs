//! Lengths of the runs of datagrams, by window, padding and pacing of the publishers. The kernel's send
//! path costs as much per run as per datagram. Nothing is timed: one destination is simulated in
//! virtual time, equally in every run.
//!
//! Publishers behave like libwebrtc: a frame is split into packets of b or b + 1 bytes, the shorter
//! ones first, sent at once, within 5 ms, or evenly over the frame interval; audio is 50 packets a
//! second of 60 to 110 bytes.

#![expect(clippy::print_stdout, reason = "the bench prints a table")]

use std::time::Duration;

use rand_chacha::rand_core::{Rng as _, SeedableRng};
use watersmeet_engine::command::Path;
use watersmeet_engine::egress::Egress;
use watersmeet_engine::egress::gso_order::{GsoOrder, PACKETS_MAX, PacketSize};
use watersmeet_engine::egress::window::{EgressOptions, EgressWindow, Window};
use watersmeet_wire::params::MediaKind;
use watersmeet_wire::units::{Rng, Time};

/// Simulated time.
const SIMULATED: Duration = Duration::from_secs(20);

/// Duration of a loop iteration; packets that arrive within it are always forwarded together.
const ITERATION_MICROS: u64 = 100;

/// Longest payload that libwebrtc puts into a packet of 1,200 B.
const PAYLOAD_MAX: u32 = 1_150;

/// Bytes of header, extensions and authentication tag.
const OVERHEAD: u32 = 12 + 16 + 16;

/// Traffic of a room.
struct Profile {
    name: &'static str,
    /// Participants whose media the destination receives.
    senders: u32,
    /// Number of destinations of the worker.
    destinations: u32,
    /// Video bitrate of each sender in bits per second; zero for audio only.
    video_bps: u32,
}

/// Simulated profiles.
const PROFILES: [Profile; 6] = [
    Profile::new("call of 2", 1, 2, 1_200_000),
    Profile::new("meeting 9", 8, 9, 1_200_000),
    Profile::new("meeting 20", 19, 20, 1_200_000),
    Profile::new("meeting 20, thin", 19, 20, 300_000),
    Profile::new("webinar 1x200", 1, 200, 1_200_000),
    Profile::new("audio 10x200", 10, 200, 0),
];

/// Pacing of the packets of a frame: microseconds from first to last.
const PACINGS: [(&str, u64); 3] = [("at once", 0), ("in 5 ms", 5_000), ("evenly", 30_000)];

/// An arriving packet.
struct Packet {
    micros: u64,
    stream: u64,
    len: u16,
}

/// Result of a simulation.
struct Outcome {
    /// Mean number of datagrams per run.
    run: f64,
    /// Mean delay of a packet in milliseconds.
    wait_ms: f64,
    /// Padding in percent of all bytes.
    padding: f64,
}

impl Profile {
    const fn new(name: &'static str, senders: u32, destinations: u32, video_bps: u32) -> Self {
        Self {
            name,
            senders,
            destinations,
            video_bps,
        }
    }

    /// Returns the packets that one destination receives, by arrival time.
    fn packets(&self, spread_micros: u64) -> Vec<Packet> {
        let mut rng = Rng::from_seed([9; 32]);
        let mut packets = Vec::new();
        let end = u64::try_from(SIMULATED.as_micros()).unwrap_or(0);
        for sender in 0..u64::from(self.senders) {
            let mut at = u64::from(rng.next_u32() % 20_000);
            while at < end {
                let len = 60 + rng.next_u32() % 50 + OVERHEAD;
                packets.push(Packet::new(at, sender * 2, len));
                at += 20_000;
            }
            let mut at = u64::from(rng.next_u32() % 33_333);
            while at < end && self.video_bps > 0 {
                let mean = self.video_bps / 8 / 30;
                let frame = mean / 2 + rng.next_u32() % mean;
                let pieces = frame.div_ceil(PAYLOAD_MAX);
                for piece in 0..pieces {
                    // The shorter packets are sent first.
                    let longer = u32::from(piece >= pieces - frame % pieces);
                    let offset = u64::from(piece) * spread_micros / u64::from(pieces);
                    let len = frame / pieces + longer + OVERHEAD;
                    packets.push(Packet::new(at + offset, sender * 2 + 1, len));
                }
                at += 33_333;
            }
        }
        packets.sort_by_key(|packet| packet.micros);
        packets
    }
}

impl Packet {
    fn new(micros: u64, stream: u64, len: u32) -> Self {
        Self {
            micros: micros.next_multiple_of(ITERATION_MICROS),
            stream,
            len: u16::try_from(len).unwrap_or(u16::MAX),
        }
    }
}

/// One destination and its queue.
struct Destination {
    waiting: Vec<PacketSize>,
    since: Vec<Time>,
    order: GsoOrder,
    egress: Egress,
    waited_micros: u64,
    padded: u64,
    bytes: u64,
}

impl Destination {
    /// Sends all queued packets.
    fn send_all(&mut self, now: Time, padding_max: u8, is_ordered: bool) {
        let path = Path::udp(([127, 0, 0, 1], 1).into());
        for group in self.waiting.chunks(PACKETS_MAX) {
            if !is_ordered {
                for size in group {
                    self.egress
                        .push_media(path, usize::from(size.len), MediaKind::Video);
                }
                continue;
            }
            self.order.clear();
            for &size in group {
                self.order.push(size);
            }
            for ordered in self.order.group(padding_max) {
                let len = group.get(usize::from(ordered.index)).map_or(0, |it| it.len);
                let len = usize::from(len) + usize::from(ordered.padding);
                self.egress.push_media(path, len, MediaKind::Video);
                self.padded += u64::from(ordered.padding);
                self.bytes += len as u64;
            }
        }
        let waited = self.since.drain(..).map(|since| now.since(since));
        self.waited_micros += waited
            .map(|it| u64::try_from(it.as_micros()).unwrap_or(0))
            .sum::<u64>();
        self.waiting.clear();
        self.egress.clear();
    }
}

/// Simulates one destination.
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn simulate(
    profile: &Profile,
    packets: &[Packet],
    options: EgressOptions,
    is_ordered: bool,
) -> Outcome {
    let mut window = Window::new(options);
    // Time at which the loop reads its sockets next.
    let mut read_at = Time::ZERO;
    let mut destination = Destination {
        waiting: Vec::new(),
        since: Vec::new(),
        order: GsoOrder::default(),
        egress: Egress::default(),
        waited_micros: 0,
        padded: 0,
        bytes: 0,
    };
    for packet in packets {
        let now = Time::from_micros(packet.micros);
        if now > read_at {
            destination.send_all(read_at, window.padding_max(), is_ordered);
            read_at = now.max(read_at + window.length());
        }
        // The other destinations receive the same number of packets.
        for _ in 0..profile.destinations {
            window.record_packet(now);
        }
        destination.waiting.push(PacketSize {
            stream: packet.stream,
            len: packet.len,
        });
        destination.since.push(now);
    }
    destination.send_all(read_at, window.padding_max(), is_ordered);
    let lengths = destination.egress.run_lengths();
    let runs: u64 = lengths.runs.iter().sum();
    Outcome {
        run: lengths.datagrams as f64 / runs as f64,
        wait_ms: destination.waited_micros as f64 / lengths.datagrams as f64 / 1_000.0,
        padding: destination.padded as f64 * 100.0 / destination.bytes.max(1) as f64,
    }
}

fn main() {
    let windows = [
        ("0", EgressWindow::Fixed(Duration::ZERO)),
        ("auto", EgressWindow::Auto),
        ("1 ms", EgressWindow::Fixed(Duration::from_millis(1))),
        ("2 ms", EgressWindow::Fixed(Duration::from_millis(2))),
    ];
    for (pacing, spread_micros) in PACINGS {
        println!("frames {pacing}: datagrams per run (padding %), mean wait");
        println!(
            "{:<18}{:>8}{:>9}{:>16}{:>16}{:>16}{:>16}{:>9}",
            "",
            "window",
            "as came",
            "padding 0",
            "padding 16",
            "padding 32",
            "padding 64",
            "wait ms"
        );
        for profile in &PROFILES {
            let packets = profile.packets(spread_micros);
            for (name, window) in windows {
                let options = |padding_max| EgressOptions {
                    window,
                    padding_max,
                };
                let before = simulate(profile, &packets, options(0), false);
                let [none, some, more, most] =
                    [0, 16, 32, 64].map(|bytes| simulate(profile, &packets, options(bytes), true));
                let cell = |it: &Outcome| format!("{:.2} ({:.2})", it.run, it.padding);
                println!(
                    "{:<18}{:>8}{:>9.2}{:>16}{:>16}{:>16}{:>16}{:>9.2}",
                    profile.name,
                    name,
                    before.run,
                    cell(&none),
                    cell(&some),
                    cell(&more),
                    cell(&most),
                    some.wait_ms
                );
            }
        }
        println!();
    }
}
