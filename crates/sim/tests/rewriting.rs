//! What the server rewrites, under everything that can happen at once: packets that are lost,
//! reordered and repeated, switches of layers, pauses, outages, publishers whose numbers jump, wrap
//! or start anew. Receivers decrypt by an SRTP index of their own and decode by a model of a decoder:
//! a refused packet, a torn frame or a missing reference fails the run.

use std::time::Duration;

use watersmeet_peer::random;
use watersmeet_sim::profiles::{self, AccessLink};
use watersmeet_sim::scenario::{camera, millis, secs};
use watersmeet_sim::seeds;
use watersmeet_sim::world::World;
use watersmeet_wire::units::Rng;

/// Viewers of the one publisher.
const VIEWERS: [&str; 3] = ["ben", "cleo", "dan"];

/// Events of a run.
const EVENTS: u64 = 40;

/// Packets of all committed seeds together; sweeps send more than a million.
const PACKETS_MIN: u64 = 150_000;

/// Links of viewers; all carry all layers.
const VIEWER_LINKS: [fn() -> AccessLink; 6] = [
    profiles::cable,
    profiles::wifi,
    profiles::wifi_lossy,
    profiles::cellular,
    profiles::loss_20_percent,
    profiles::reordering,
];

/// Links of the publisher, on which nothing is late for long: after a jump of its RTP timestamps, the time
/// that has passed is measured by arrival.
const PUBLISHER_LINKS: [fn() -> AccessLink; 2] = [profiles::cable, profiles::wifi];

/// A run, and what its next events are drawn from.
struct RandomRun {
    world: World,
    rng: Rng,
    /// Whether the publisher is in the room.
    publishes: bool,
}

impl RandomRun {
    fn start(seed: u64) -> Self {
        let mut rng = seeds::generator(seed, "rewriting");
        let world = match random::below(&mut rng, 3) {
            0 => World::with_spread_rooms(seed, 2),
            1 => World::new(seed).with_egress_window(),
            _ => World::new(seed),
        };
        let mut run = Self {
            world,
            rng,
            publishes: false,
        };
        run.publish();
        for viewer in VIEWERS {
            let link = run.one_of(&VIEWER_LINKS);
            run.change(|world| world.views(viewer, link()));
        }
        run.change(|world| world.after(secs(3)));
        run
    }

    fn below(&mut self, bound: u64) -> u64 {
        random::below(&mut self.rng, bound)
    }

    #[expect(clippy::expect_used, reason = "the index is below the length")]
    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        let index = usize::try_from(self.below(choices.len() as u64)).unwrap_or(0);
        *choices.get(index).expect("there are choices")
    }

    fn change(&mut self, change: impl FnOnce(World) -> World) {
        // A world of no use takes its place for the time of the change.
        let world = std::mem::replace(&mut self.world, World::new(0));
        self.world = change(world);
    }

    /// Lets the publisher join, with numbers that wrap soon. Nothing happens before its first reports,
    /// which relate the timestamps of its encodings.
    fn publish(&mut self) {
        let link = self.one_of(&PUBLISHER_LINKS);
        let media = camera().simulcast(3).without_pauses().with_early_wraps();
        self.change(|world| world.publishes("ana", media.over(link())).after(secs(2)));
        self.publishes = true;
    }

    fn pause(&mut self, paused: bool) {
        let viewer = self.one_of(&VIEWERS);
        if self.publishes {
            self.change(|world| world.sets_video_paused(viewer, "ana", paused));
        }
    }

    fn step(&mut self) {
        let (viewer, link) = (self.one_of(&VIEWERS), self.one_of(&VIEWER_LINKS));
        let (amount, numbers) = (self.below(3_000), self.below(1 << 16));
        match self.below(12) {
            0 if self.publishes => {
                // Longer than an outage: nobody asks for media that has ended.
                let pause = secs(4);
                self.change(|world| world.after(pause).disconnects("ana").after(pause));
                self.publishes = false;
            }
            _ if !self.publishes => self.publish(),
            0..=3 => {
                let layer = u8::try_from(amount % 3).unwrap_or(0);
                self.change(|world| world.sets_preferred_layer(viewer, "ana", layer));
            }
            4 => self.pause(true),
            5 => self.pause(false),
            6 => self.change(|world| world.sets_source_paused("ana", 0, true)),
            7 => self.change(|world| world.sets_source_paused("ana", 0, false)),
            8 => {
                // What has passed meanwhile is measured to some milliseconds at each jump.
                let ticks = if amount % 2 == 0 { 2_000_000_011 } else { 0 };
                let numbers = u16::try_from(numbers).unwrap_or(0);
                self.change(|world| world.jumps("ana", numbers, ticks));
            }
            9 | 10 => self.change(|world| world.has_outage(viewer, millis(amount))),
            _ => self.change(|world| world.changes_link(viewer, link())),
        }
        let pause = Duration::from_millis(200 + self.below(2_000));
        self.change(|world| world.after(pause));
    }
}

#[test]
fn no_packet_is_refused_and_no_frame_torn_whatever_happens() {
    let mut packets = 0;
    for seed in seeds::all() {
        let mut run = RandomRun::start(seed);
        for _ in 0..EVENTS {
            run.step();
        }
        // Longer than an outage: every request is answered.
        run.change(|world| world.after(secs(4)));
        packets += run.world.oracle.packets;
        run.world.finish();
    }
    println!("{packets} packets");
    let is_part = std::env::var("SIM_SEED").is_ok();
    assert!(is_part || packets >= PACKETS_MIN, "{packets} packets");
}
