//! How long the runs of datagrams get, of which the kernel's send path costs as much as of one
//! datagram: by the window, the padding, and how publishers send. Nothing is timed: one destination
//! is played through in virtual time, the same in every run.
//!
//! Publishers are as libwebrtc makes them: a frame is cut into packets of b or b + 1 bytes, the
//! shorter first, at once, within 5 ms, or evenly over the time of a frame; sound is 50 packets a
//! second of 60 to 110 bytes.

#![expect(clippy::print_stdout, reason = "a table is what this is for")]

use std::time::Duration;

use rand_chacha::rand_core::{Rng as _, SeedableRng};
use watersmeet_engine::command::Path;
use watersmeet_engine::egress::Egress;
use watersmeet_engine::egress::gso_order::{GsoOrder, PACKETS_MAX, PacketSize};
use watersmeet_engine::egress::window::{EgressOptions, EgressWindow, Window};
use watersmeet_wire::units::{Rng, Time};

/// How long is played.
const PLAYED: Duration = Duration::from_secs(20);

/// A turn of the loop: what comes within it is forwarded together anyway.
const TURN_MICROS: u64 = 100;

/// The longest payload that libwebrtc puts into a packet of 1,200 B.
const PAYLOAD_MAX: u32 = 1_150;

/// Header, extensions and tag.
const OVERHEAD: u32 = 12 + 16 + 16;

/// What happens in a room.
struct Profile {
    name: &'static str,
    /// Sources that the destination is sent.
    sources: u32,
    /// Destinations of the worker.
    destinations: u32,
    /// Bits of video per second of each source; zero for sound alone.
    video_bps: u32,
}

/// Profiles that are played.
const PROFILES: [Profile; 6] = [
    Profile::new("call of 2", 1, 2, 1_200_000),
    Profile::new("meeting 9", 8, 9, 1_200_000),
    Profile::new("meeting 20", 19, 20, 1_200_000),
    Profile::new("meeting 20, thin", 19, 20, 300_000),
    Profile::new("webinar 1x200", 1, 200, 1_200_000),
    Profile::new("audio 10x200", 10, 200, 0),
];

/// How the packets of a frame are spread: microseconds from first to last.
const PACINGS: [(&str, u64); 3] = [("at once", 0), ("in 5 ms", 5_000), ("evenly", 30_000)];

/// A packet that comes.
struct Packet {
    micros: u64,
    stream: u64,
    len: u16,
}

/// What came of it.
struct Outcome {
    /// Datagrams in one run.
    run: f64,
    /// How long a packet waited, in milliseconds.
    wait_ms: f64,
    /// Padding, in percent of all bytes.
    padding: f64,
}

impl Profile {
    const fn new(name: &'static str, sources: u32, destinations: u32, video_bps: u32) -> Self {
        Self {
            name,
            sources,
            destinations,
            video_bps,
        }
    }

    /// What one destination is sent.
    fn packets(&self, spread_micros: u64) -> Vec<Packet> {
        let mut rng = Rng::from_seed([9; 32]);
        let mut packets = Vec::new();
        let end = u64::try_from(PLAYED.as_micros()).unwrap_or(0);
        for source in 0..u64::from(self.sources) {
            let mut at = u64::from(rng.next_u32() % 20_000);
            while at < end {
                let len = 60 + rng.next_u32() % 50 + OVERHEAD;
                packets.push(Packet::new(at, source * 2, len));
                at += 20_000;
            }
            let mut at = u64::from(rng.next_u32() % 33_333);
            while at < end && self.video_bps > 0 {
                let mean = self.video_bps / 8 / 30;
                let frame = mean / 2 + rng.next_u32() % mean;
                let pieces = frame.div_ceil(PAYLOAD_MAX);
                for piece in 0..pieces {
                    // The shorter ones come first.
                    let longer = u32::from(piece >= pieces - frame % pieces);
                    let offset = u64::from(piece) * spread_micros / u64::from(pieces);
                    let len = frame / pieces + longer + OVERHEAD;
                    packets.push(Packet::new(at + offset, source * 2 + 1, len));
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
            micros: micros.next_multiple_of(TURN_MICROS),
            stream,
            len: u16::try_from(len).unwrap_or(u16::MAX),
        }
    }
}

/// One destination.
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
    /// Everything that waits leaves.
    fn leave(&mut self, now: Time, padding_max: u8, is_ordered: bool) {
        let path = Path::udp(([127, 0, 0, 1], 1).into());
        for parcels in self.waiting.chunks(PACKETS_MAX) {
            if !is_ordered {
                for parcel in parcels {
                    self.egress.push_media(path, usize::from(parcel.len));
                }
                continue;
            }
            self.order.clear();
            for &parcel in parcels {
                self.order.push(parcel);
            }
            for step in self.order.group(padding_max) {
                let len = parcels.get(usize::from(step.index)).map_or(0, |it| it.len);
                let len = usize::from(len) + usize::from(step.padding);
                self.egress.push_media(path, len);
                self.padded += u64::from(step.padding);
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

/// Plays what a destination is sent.
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn play(
    profile: &Profile,
    packets: &[Packet],
    options: EgressOptions,
    is_ordered: bool,
) -> Outcome {
    let mut window = Window::new(options);
    // When the loop looks, and takes what came.
    let mut look = Time::ZERO;
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
        if now > look {
            destination.leave(look, window.padding_max(), is_ordered);
            look = now.max(look + window.length());
        }
        // The other destinations are sent as much.
        for _ in 0..profile.destinations {
            window.record_packet(now);
        }
        destination.waiting.push(PacketSize {
            stream: packet.stream,
            len: packet.len,
        });
        destination.since.push(now);
    }
    destination.leave(look, window.padding_max(), is_ordered);
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
                let before = play(profile, &packets, options(0), false);
                let [none, some, more, most] =
                    [0, 16, 32, 64].map(|bytes| play(profile, &packets, options(bytes), true));
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
