//! Viewers that start with cached frames: they see a picture at once, the publisher is not asked for a
//! keyframe, and what they get is decodable and not late.

use std::time::Duration;

use watersmeet_engine::command::{Command, TransportOptions};
use watersmeet_engine::transport::srtp::SrtpProfile;
use watersmeet_wire::units::{Bitrate, Ssrc};

use crate::support::broadcast::{Broadcast, PublishedPacket, ReceivedRtp, SSRC, Viewer};

/// Time between two frames, and what the RTP clock advances in it.
const FRAME: Duration = Duration::from_millis(40);
const FRAME_TICKS: u32 = 3_600;

/// First bytes of a VP8 packet: descriptor without extensions, and the frame's tag.
const KEYFRAME: [u8; 2] = [0x10, 0x00];
const OTHER_FRAME: [u8; 2] = [0x10, 0x01];

/// SSRC of padding, which a viewer gets while its path is probed.
const PROBATION: Ssrc = Ssrc(1_234);

/// A publisher of video, a frame a packet.
struct Camera {
    broadcast: Broadcast,
    seq: u64,
}

impl Camera {
    /// Creates a camera whose viewers begin with this estimate.
    fn new(kbps: u64) -> Self {
        let mut broadcast = Broadcast::new(SrtpProfile::AeadAes128Gcm);
        broadcast.transport_options = TransportOptions {
            initial_outgoing_bitrate: Bitrate::from_kbps(kbps),
            adapts_to_bandwidth: true,
            ..TransportOptions::default()
        };
        Self { broadcast, seq: 0 }
    }

    /// Sends a frame of `len` bytes, and lets the time until the next one pass. Returns what `viewer` got.
    fn frame(
        &mut self,
        start: [u8; 2],
        len: usize,
        viewer: Option<&mut Viewer>,
    ) -> Vec<ReceivedRtp> {
        self.seq += 1;
        let mut payload = vec![0; len];
        payload[..2].copy_from_slice(&start);
        let mut sent = self.broadcast.send(&PublishedPacket {
            ssrc: SSRC.0,
            pt: 96,
            seq: self.seq,
            timestamp: u32::try_from(self.seq).unwrap() * FRAME_TICKS,
            extensions: &[],
            payload: &payload,
        });
        sent.extend(self.broadcast.advance(FRAME));
        let mut received = viewer.map_or_else(Vec::new, |viewer| viewer.received(&sent));
        received.retain(|(header, _)| header.ssrc != PROBATION);
        received
    }

    /// Sends frames that are no keyframes.
    fn frames(&mut self, count: usize, viewer: &mut Viewer) -> Vec<ReceivedRtp> {
        let frames = (0..count).map(|_| self.frame(OTHER_FRAME, 100, Some(viewer)));
        frames.collect::<Vec<_>>().concat()
    }
}

/// Returns the differences of the timestamps of successive packets.
fn steps(received: &[ReceivedRtp]) -> impl Iterator<Item = u32> + '_ {
    let pairs = received.iter().zip(received.iter().skip(1));
    pairs.map(|((one, _), (two, _))| two.timestamp.wrapping_sub(one.timestamp))
}

/// Asserts that a viewer can decode what it got: numbers without gaps, and timestamps that rise.
fn assert_continuous(received: &[ReceivedRtp]) {
    for ((one, _), (two, _)) in received.iter().zip(received.iter().skip(1)) {
        assert_eq!(two.seq, one.seq.wrapping_add(1));
    }
    for step in steps(received) {
        assert!((1..10 * FRAME_TICKS).contains(&step), "a step of {step}");
    }
}

fn is_keyframe(packet: &ReceivedRtp) -> bool {
    packet.1[packet.0.header_len + 1] & 1 == 0
}

#[test]
fn joiner_gets_the_frames_since_the_last_keyframe_at_once() {
    let mut camera = Camera::new(5_000);
    camera.frame(KEYFRAME, 100, None);
    for _ in 0..10 {
        camera.frame(OTHER_FRAME, 100, None);
    }
    let mut viewer = camera.broadcast.add_viewer();
    let received = camera.frames(15, &mut viewer);
    assert_eq!(received.len(), 26);
    assert!(is_keyframe(&received[0]));
    assert_continuous(&received);
    assert_eq!(camera.broadcast.keyframe_requests(), 0);
    // Frames of the past are 1 ms apart, so that the viewer is not behind.
    let steps: Vec<u32> = steps(&received).collect();
    let past = steps.iter().filter(|step| **step <= 90).count();
    assert!(past >= 10, "{past} frames");
    assert!(steps[past..].iter().all(|step| *step == FRAME_TICKS));
}

#[test]
fn resumed_consumer_continues_after_what_it_was_sent() {
    let mut camera = Camera::new(5_000);
    camera.frame(KEYFRAME, 100, None);
    let mut viewer = camera.broadcast.add_viewer();
    let mut received = camera.frames(10, &mut viewer);
    let consumer = viewer.consumer;
    camera
        .broadcast
        .command(Command::PauseConsumer { consumer });
    assert_eq!(camera.frames(5, &mut viewer).len(), 0);
    camera
        .broadcast
        .command(Command::ResumeConsumer { consumer });
    received.extend(camera.frames(5, &mut viewer));
    assert_continuous(&received);
    assert_eq!(received.iter().filter(|it| is_keyframe(it)).count(), 2);
    assert_eq!(received.len(), 11 + 21);
    assert_eq!(camera.broadcast.keyframe_requests(), 0);
}

#[test]
fn keyframe_is_requested_where_the_cached_frames_are_too_many_for_the_path() {
    let mut camera = Camera::new(300);
    camera.frame(KEYFRAME, 1_000, None);
    for _ in 0..20 {
        camera.frame(OTHER_FRAME, 1_000, None);
    }
    let mut viewer = camera.broadcast.add_viewer();
    assert_eq!(camera.frames(15, &mut viewer).len(), 0);
    assert_eq!(camera.broadcast.keyframe_requests(), 1);
}

#[test]
fn keyframe_is_requested_where_a_cached_frame_is_missing() {
    let mut camera = Camera::new(5_000);
    camera.frame(KEYFRAME, 100, None);
    camera.seq += 1;
    for _ in 0..5 {
        camera.frame(OTHER_FRAME, 100, None);
    }
    let mut viewer = camera.broadcast.add_viewer();
    assert_eq!(camera.frames(10, &mut viewer).len(), 0);
    assert!(camera.broadcast.keyframe_requests() > 0);
}
