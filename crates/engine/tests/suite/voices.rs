//! Only the loudest voices of a router are forwarded: who is heard, from which packet on, with which numbers,
//! also on another shard.

use serde_json::json;
use watersmeet_engine::command::{Command, Refusal};
use watersmeet_wire::params::MediaKind;
use watersmeet_wire::rtp::extension::ExtensionKind;

use crate::speakers::{Microphones, PACKET_TIME, QUIET, SPEECH, add_listener_on_other_shard};
use crate::support::broadcast::{Broadcast, PublishedPacket, ReceivedRtp, Viewer};
use crate::support::worker_setup::Datagram;

/// Loud speech, in −dBov.
const LOUD: u8 = 20;

/// Publishers of audio, and a listener for each of them.
struct Room {
    microphones: Microphones,
    listeners: Vec<Listener>,
}

/// Somebody who receives one publisher.
struct Listener {
    viewer: Viewer,
    /// All packets so far.
    received: Vec<ReceivedRtp>,
}

impl Listener {
    fn new(viewer: Viewer) -> Self {
        Self {
            viewer,
            received: Vec::new(),
        }
    }

    /// Returns the number of packets among `sent` that it has received.
    fn take(&mut self, sent: &[Datagram]) -> usize {
        let received = self.viewer.received(sent);
        let count = received.len();
        self.received.extend(received);
        count
    }

    /// Checks that the packets have consecutive numbers, and timestamps that grow.
    fn check_numbers(&self) {
        for pair in self.received.windows(2) {
            let [(one, _), (two, _)] = pair else {
                panic!("windows of two");
            };
            assert_eq!(two.seq, one.seq.wrapping_add(1));
            let step = two.timestamp.wrapping_sub(one.timestamp);
            assert!(step > 0 && step.is_multiple_of(960), "{step}");
        }
    }
}

/// Returns a worker of a shard that forwards this number of voices.
fn limited(shard: u8, count: u8) -> Broadcast {
    let mut broadcast = Broadcast::without_producers(shard);
    let router = broadcast.router;
    broadcast.command(Command::LimitVoices { router, count });
    broadcast
}

impl Room {
    fn new(voices: u8, publishers: u32) -> Self {
        let mut microphones = Microphones::on(limited(0, voices), publishers);
        let producers = microphones.producers.clone();
        let listeners = producers
            .iter()
            .map(|it| microphones.broadcast.add_viewer_of(*it));
        let listeners = listeners.map(Listener::new).collect();
        Self {
            microphones,
            listeners,
        }
    }

    /// Lets each publisher send packets of its level. Returns how many of the last packets were forwarded.
    fn send(&mut self, levels: &[u8], millis: u64) -> Vec<usize> {
        let mut last = Vec::new();
        for _ in 0..millis / 20 {
            self.microphones.broadcast.advance(PACKET_TIME);
            for (index, level) in levels.iter().enumerate() {
                self.microphones.receive(index, *level);
            }
            let sent = self.microphones.broadcast.drain();
            last = self.listeners.iter_mut().map(|it| it.take(&sent)).collect();
        }
        last
    }

    fn check_numbers(&self) {
        self.listeners.iter().for_each(Listener::check_numbers);
    }
}

#[test]
fn only_the_loudest_voices_are_forwarded() {
    let mut room = Room::new(2, 4);
    assert_eq!(room.send(&[QUIET; 4], 200), [1, 1, 0, 0]);
    assert_eq!(room.send(&[QUIET, QUIET, SPEECH, LOUD], 200), [0, 0, 1, 1]);
    assert_eq!(room.send(&[QUIET; 4], 3_000), [0, 0, 1, 1]);
    let omitted = room
        .microphones
        .broadcast
        .worker
        .metrics()
        .totals
        .voices_omitted;
    // In the turn in which a voice starts, the one that it replaces was forwarded already.
    assert_eq!(omitted, 2 * (200 + 200 + 3_000) / 20 - 2);
    room.check_numbers();
}

#[test]
fn first_packet_of_a_chosen_voice_is_forwarded_without_a_gap() {
    let mut room = Room::new(1, 2);
    room.send(&[SPEECH, QUIET], 1_000);
    for _ in 0..5 {
        room.send(&[QUIET, QUIET], 700);
        assert_eq!(room.send(&[QUIET, LOUD], 20), [1, 1]);
        assert_eq!(room.send(&[QUIET, LOUD], 2_000), [0, 1]);
        room.send(&[QUIET, QUIET], 700);
        assert_eq!(room.send(&[LOUD, QUIET], 20), [1, 0]);
        assert_eq!(room.send(&[LOUD, QUIET], 2_000), [1, 0]);
    }
    room.check_numbers();
    let heard: usize = room.listeners.iter().map(|it| it.received.len()).sum();
    let turns = (1_000 + 5 * 2 * (700 + 20 + 2_000)) / 20;
    // In five turns both are heard: the second one starts after the first one's packet.
    assert_eq!(heard, turns + 5);
}

#[test]
fn active_speaker_is_forwarded_when_others_are_louder() {
    let mut room = Room::new(1, 2);
    // The speaker is known before somebody else makes a steady noise, which is no speech.
    room.send(&[SPEECH, QUIET], 3_000);
    assert_eq!(room.send(&[SPEECH, LOUD], 400), [1, 0]);
    room.check_numbers();
}

#[test]
fn voice_without_levels_is_always_forwarded_and_takes_no_place() {
    let mut room = Room::new(1, 2);
    room.microphones.is_level_sent = false;
    assert_eq!(room.send(&[SPEECH; 2], 1_000), [1, 1]);
    room.microphones.is_level_sent = true;
    assert_eq!(room.send(&[SPEECH, QUIET], 1_000), [1, 0]);
    // Packets without a level follow those before.
    room.microphones.is_level_sent = false;
    assert_eq!(room.send(&[SPEECH; 2], 1_000), [1, 0]);
    room.check_numbers();
}

#[test]
fn paused_and_closed_producers_give_their_places_up() {
    let mut room = Room::new(1, 3);
    assert_eq!(room.send(&[SPEECH, QUIET, QUIET], 1_000), [1, 0, 0]);
    let [ana, ben, _] = room.microphones.producers[..] else {
        panic!("three publishers");
    };
    let pause = Command::PauseProducer { producer: ana };
    room.microphones.broadcast.command(pause);
    assert_eq!(room.send(&[SPEECH; 3], 20), [0, 1, 0]);
    let resume = Command::ResumeProducer { producer: ana };
    room.microphones.broadcast.command(resume);
    assert_eq!(room.send(&[SPEECH; 3], 200), [0, 1, 0]);
    let close = Command::CloseProducer { producer: ben };
    room.microphones.broadcast.command(close);
    room.listeners.remove(1);
    assert_eq!(room.send(&[SPEECH; 3], 20), [1, 0]);
    room.check_numbers();
}

#[test]
fn paused_consumer_and_late_listener_start_like_any_other() {
    let mut room = Room::new(1, 2);
    room.send(&[SPEECH, QUIET], 1_000);
    let consumer = room.listeners[1].viewer.consumer;
    let broadcast = &mut room.microphones.broadcast;
    broadcast.command(Command::PauseConsumer { consumer });
    assert_eq!(room.send(&[QUIET, LOUD], 1_000), [0, 0]);
    let producer = room.microphones.producers[1];
    let late = room.microphones.broadcast.add_viewer_of(producer);
    room.listeners.push(Listener::new(late));
    room.microphones
        .broadcast
        .command(Command::ResumeConsumer { consumer });
    assert_eq!(room.send(&[QUIET, LOUD], 1_000), [0, 1, 1]);
    assert_eq!(room.send(&[LOUD, QUIET], 2_000), [1, 0, 0]);
    assert_eq!(room.send(&[QUIET, LOUD], 2_000), [0, 1, 1]);
    room.check_numbers();
}

#[test]
fn voices_are_limited_before_the_first_producer_only() {
    let mut broadcast = limited(0, 3);
    let router = broadcast.router;
    broadcast.produce_audio();
    let (now, limit) = (broadcast.now, Command::LimitVoices { router, count: 5 });
    let refused = broadcast.worker.handle_command(now, limit);
    assert!(matches!(refused, Err(Refusal::BadParameters(_))));
}

/// A room on two shards: all publishers send to the first, and the listeners are on the second.
struct SpreadRoom {
    room: Room,
    target: Broadcast,
}

impl SpreadRoom {
    fn new(voices: u8, publishers: u32) -> Self {
        let mut room = Room::new(voices, publishers);
        room.listeners.clear();
        let mut target = limited(1, voices);
        let producers = room.microphones.producers.clone();
        for producer in producers {
            let viewer = add_listener_on_other_shard(&mut target, producer);
            room.listeners.push(Listener::new(viewer));
        }
        Self { room, target }
    }

    fn send(&mut self, levels: &[u8], millis: u64) -> Vec<usize> {
        let mut last = Vec::new();
        for _ in 0..millis / 20 {
            let origin = &mut self.room.microphones.broadcast;
            while let Some((_, message)) = self.target.worker.poll_shard_message() {
                origin.worker.handle_shard_message(origin.now, 1, message);
            }
            origin.advance(PACKET_TIME);
            let mut sent = self.target.advance(PACKET_TIME);
            for (index, level) in levels.iter().enumerate() {
                self.room.microphones.receive(index, *level);
            }
            let origin = &mut self.room.microphones.broadcast;
            while let Some((_, message)) = origin.worker.poll_shard_message() {
                self.target
                    .worker
                    .handle_shard_message(self.target.now, 0, message);
            }
            sent.extend(self.target.drain());
            let listeners = &mut self.room.listeners;
            last = listeners.iter_mut().map(|it| it.take(&sent)).collect();
        }
        last
    }
}

#[test]
fn other_shards_get_the_loudest_voices_only_and_without_a_gap() {
    let mut spread = SpreadRoom::new(2, 5);
    spread.send(&[QUIET; 5], 500);
    let mut levels = [QUIET; 5];
    for round in 0..10 {
        levels = [QUIET; 5];
        levels[round % 5] = SPEECH;
        levels[(round + 2) % 5] = LOUD;
        spread.send(&levels, 1_500);
    }
    let heard = spread.send(&levels, 20);
    assert_eq!(heard, [0, 1, 0, 0, 1]);
    spread.room.check_numbers();
    let sent = spread.room.microphones.broadcast.worker.metrics().totals;
    // Two in each turn, and those that were replaced in it.
    let packets = 2 * (500 + 10 * 1_500 + 20) / 20 + 2 * 11;
    assert!(
        sent.shard_packets_sent <= packets,
        "{}",
        sent.shard_packets_sent
    );
}

#[test]
fn shard_chooses_among_its_own_voices_and_those_of_others() {
    let mut spread = SpreadRoom::new(1, 2);
    spread.send(&[SPEECH, QUIET], 3_000);
    let own = json!({
        "codecs": [
            {"mimeType": "audio/opus", "payloadType": 111, "clockRate": 48_000, "channels": 2},
        ],
        "headerExtensions": [{"uri": ExtensionKind::AudioLevel.uri(), "id": 1}],
        "encodings": [{"ssrc": 77}],
    });
    let own = spread.target.produce_with(MediaKind::Audio, own);
    let mut listener = Listener::new(spread.target.add_viewer_of(own));
    let mut seq = 0;
    let mut send = |spread: &mut SpreadRoom, others: &[u8], millis: u64| {
        for _ in 0..millis / 20 {
            let sent = spread.target.send(&PublishedPacket {
                ssrc: 77,
                pt: 111,
                seq,
                timestamp: u32::try_from(seq * 960).expect("short"),
                extensions: &[(1, &[LOUD])],
                payload: b"\x78speech",
            });
            seq += 1;
            listener.take(&sent);
            spread.send(others, 20);
        }
        listener.received.len()
    };
    // The active speaker of the other shard keeps its place from somebody who is only loud.
    assert_eq!(send(&mut spread, &[SPEECH, QUIET], 300), 0);
    spread.send(&[QUIET, QUIET], 4_000);
    assert_eq!(send(&mut spread, &[QUIET, QUIET], 300), 15);
    listener.check_numbers();
}
