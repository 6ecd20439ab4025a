//! Reports of the active speaker: changes, silence, paused and closed producers, and producers of
//! other shards.

use std::time::Duration;

use serde_json::json;
use watersmeet_engine::command::{Command, Event, ProducerId, Reply};
use watersmeet_engine::transport::srtp::SrtpProfile;
use watersmeet_wire::params::MediaKind;
use watersmeet_wire::rtp::extension::ExtensionKind;

use crate::support::broadcast::{Broadcast, PublishedPacket, Viewer};

/// Level of speech, in −dBov.
pub const SPEECH: u8 = 30;

/// Level of a quiet room, in −dBov.
pub const QUIET: u8 = 85;

/// Time between two packets of a microphone.
pub const PACKET_TIME: Duration = Duration::from_millis(20);

/// Payload type of all microphones.
const PT: u8 = 111;

/// Id of the audio level.
const LEVEL_ID: u8 = 1;

/// A worker with producers of audio.
pub struct Microphones {
    pub broadcast: Broadcast,
    pub producers: Vec<ProducerId>,
    /// SSRC and next sequence number of each.
    streams: Vec<(u32, u64)>,
    /// Whether packets carry their level.
    pub is_level_sent: bool,
}

impl Microphones {
    pub fn new(count: u32) -> Self {
        Self::on(Broadcast::new(SrtpProfile::AeadAes128Gcm), count)
    }

    /// Adds this number of producers to a worker.
    pub fn on(broadcast: Broadcast, count: u32) -> Self {
        let mut microphones = Self {
            broadcast,
            producers: Vec::new(),
            streams: Vec::new(),
            is_level_sent: true,
        };
        for _ in 0..count {
            microphones.add();
        }
        microphones
    }

    /// Adds a producer.
    pub fn add(&mut self) {
        let ssrc = 1_000 + u32::try_from(self.streams.len()).expect("a few");
        let rtp = json!({
            "codecs": [
                {"mimeType": "audio/opus", "payloadType": PT, "clockRate": 48_000, "channels": 2},
            ],
            "headerExtensions": [{"uri": ExtensionKind::AudioLevel.uri(), "id": LEVEL_ID}],
            "encodings": [{"ssrc": ssrc}],
        });
        let producer = self.broadcast.produce_with(MediaKind::Audio, rtp);
        self.producers.push(producer);
        self.streams.push((ssrc, 0));
    }

    /// Passes the next packet of a microphone to the worker.
    pub fn receive(&mut self, index: usize, level: u8) {
        let (ssrc, seq) = self.streams[index];
        self.streams[index].1 += 1;
        let level = [level];
        let extensions = [(LEVEL_ID, &level[..])];
        let packet = PublishedPacket {
            ssrc,
            pt: PT,
            seq,
            timestamp: u32::try_from(seq * 960).expect("short"),
            extensions: if self.is_level_sent { &extensions } else { &[] },
            payload: b"\x78speech",
        };
        let mut datagram = [0; 200];
        let len = self.broadcast.protect(&packet, &mut datagram);
        self.broadcast.receive_from_publisher(&mut datagram[..len]);
    }

    /// Lets exactly these microphones carry speech for a time. Returns the reports.
    fn speak(&mut self, speaking: &[usize], duration: Duration) -> Vec<Option<ProducerId>> {
        let end = self.broadcast.now + duration;
        let mut reports = Vec::new();
        while self.broadcast.now < end {
            self.broadcast.advance(PACKET_TIME);
            for index in 0..self.streams.len() {
                let is_speaking = speaking.contains(&index);
                self.receive(index, if is_speaking { SPEECH } else { QUIET });
            }
            reports.extend(self.take_reports());
        }
        reports
    }

    /// Returns the reports since the last call.
    fn take_reports(&mut self) -> Vec<Option<ProducerId>> {
        let expected = self.broadcast.router;
        let events = std::iter::from_fn(|| self.broadcast.worker.poll_event());
        let reports = events.filter_map(|event| match event {
            Event::ActiveSpeakerChanged { router, producer } => {
                assert_eq!(router, expected);
                Some(producer)
            }
            _ => None,
        });
        reports.collect()
    }
}

const fn secs(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[test]
fn each_speaker_is_reported_once() {
    let mut microphones = Microphones::new(3);
    let [_, ben, cleo] = microphones.producers[..] else {
        panic!("three microphones");
    };
    assert_eq!(microphones.speak(&[], secs(2)), []);
    assert_eq!(microphones.speak(&[1], secs(5)), [Some(ben)]);
    assert_eq!(microphones.speak(&[2], secs(5)), [Some(cleo)]);
    // Somebody coughs.
    assert_eq!(microphones.speak(&[0, 2], Duration::from_millis(300)), []);
    assert_eq!(microphones.speak(&[2], secs(2)), []);
}

#[test]
fn silence_is_reported_with_and_without_packets() {
    let mut microphones = Microphones::new(2);
    let ana = microphones.producers[0];
    microphones.speak(&[], secs(1));
    assert_eq!(microphones.speak(&[0], secs(2)), [Some(ana)]);
    assert_eq!(microphones.speak(&[], Duration::from_millis(1_500)), []);
    assert_eq!(microphones.speak(&[], secs(10)), [None]);
    assert_eq!(microphones.speak(&[0], secs(2)), [Some(ana)]);
    // No further packet arrives: only timers run, at the times for which they are set.
    let end = microphones.broadcast.now + secs(3);
    while microphones.broadcast.worker.poll_timeout() <= end {
        microphones.broadcast.now = microphones.broadcast.worker.poll_timeout();
        microphones.broadcast.advance(Duration::ZERO);
    }
    assert_eq!(microphones.take_reports(), [None]);
}

#[test]
fn paused_producer_is_not_the_active_speaker() {
    let mut microphones = Microphones::new(2);
    let [ana, ben] = microphones.producers[..] else {
        panic!("two microphones");
    };
    microphones.speak(&[], secs(1));
    assert_eq!(microphones.speak(&[0], secs(2)), [Some(ana)]);
    let pause = Command::PauseProducer { producer: ana };
    microphones.broadcast.command(pause);
    assert_eq!(microphones.take_reports(), [None]);
    // A client that goes on sending is not heard.
    assert_eq!(microphones.speak(&[0], secs(3)), []);
    assert_eq!(microphones.speak(&[0, 1], secs(2)), [Some(ben)]);
    let resume = Command::ResumeProducer { producer: ana };
    microphones.broadcast.command(resume);
    assert_eq!(microphones.speak(&[0], secs(3)), [Some(ana)]);
}

#[test]
fn closed_producer_is_not_the_active_speaker() {
    let mut microphones = Microphones::new(2);
    let [ana, ben] = microphones.producers[..] else {
        panic!("two microphones");
    };
    microphones.speak(&[], secs(1));
    assert_eq!(microphones.speak(&[0], secs(2)), [Some(ana)]);
    let close = Command::CloseProducer { producer: ana };
    microphones.broadcast.command(close);
    assert_eq!(microphones.take_reports(), [None]);
    // The next producer has the same slot in the worker, and has said nothing yet.
    microphones.add();
    assert_eq!(microphones.speak(&[], secs(2)), []);
    assert_eq!(microphones.speak(&[1], secs(2)), [Some(ben)]);
    let transport = microphones.broadcast.publisher;
    let close = Command::CloseTransport { transport };
    microphones.broadcast.command(close);
    assert_eq!(microphones.take_reports(), [None]);
}

#[test]
fn steady_noise_and_packets_without_a_level_are_not_speech() {
    let mut microphones = Microphones::new(1);
    // A fan of −55 dBov; its first seconds may be taken for speech.
    for _ in 0..600 {
        microphones.broadcast.advance(PACKET_TIME);
        microphones.receive(0, 55);
    }
    microphones.take_reports();
    for _ in 0..600 {
        microphones.broadcast.advance(PACKET_TIME);
        microphones.receive(0, 55);
    }
    assert_eq!(microphones.take_reports(), []);
    microphones.is_level_sent = false;
    assert_eq!(microphones.speak(&[0], secs(5)), []);
}

/// Makes a microphone known to the worker of another shard than 0, where its media goes. Adds a listener
/// there.
pub fn add_listener_on_other_shard(target: &mut Broadcast, producer: ProducerId) -> Viewer {
    let consumable = json!({
        "codecs": [
            {"mimeType": "audio/opus", "payloadType": 100, "clockRate": 48_000, "channels": 2},
        ],
        "headerExtensions": [{"uri": ExtensionKind::AudioLevel.uri(), "id": 6}],
        "encodings": [{"ssrc": 7}],
    });
    let reply = target.command(Command::CreatePipedProducer {
        router: target.router,
        producer,
        kind: MediaKind::Audio,
        consumable: Box::new(serde_json::from_value(consumable).expect("good parameters")),
        paused: false,
        is_screen: false,
        origin: 0,
    });
    assert!(matches!(reply, Reply::Done));
    target.add_viewer_of(producer)
}

#[test]
fn piped_producer_is_reported_by_its_own_shard_only() {
    let mut microphones = Microphones::new(1);
    let ana = microphones.producers[0];
    let mut target = Broadcast::on_shard(SrtpProfile::AeadAes128Gcm, 1);
    let _listener = add_listener_on_other_shard(&mut target, ana);
    let mut reports = Vec::new();
    for _ in 0..100 {
        while let Some((_, message)) = target.worker.poll_shard_message() {
            let now = microphones.broadcast.now;
            let origin = &mut microphones.broadcast.worker;
            origin.handle_shard_message(now, 1, message);
        }
        microphones.broadcast.advance(PACKET_TIME);
        target.advance(PACKET_TIME);
        microphones.receive(0, SPEECH);
        reports.extend(microphones.take_reports());
        while let Some((_, message)) = microphones.broadcast.worker.poll_shard_message() {
            target.worker.handle_shard_message(target.now, 0, message);
        }
    }
    assert_eq!(reports, [Some(ana)]);
    assert!(target.worker.metrics().totals.shard_packets_received > 90);
    let events = std::iter::from_fn(|| target.worker.poll_event());
    let is_report = |it: &Event| matches!(it, Event::ActiveSpeakerChanged { .. });
    assert_eq!(events.filter(is_report).count(), 0);
}
