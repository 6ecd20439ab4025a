//! Frames that are left out where a viewer's path does not carry all: which, and what is told.

use std::time::Duration;

use serde_json::json;
use watersmeet_engine::command::{Command, Event, Layers, LayersReason};
use watersmeet_engine::transport::srtp::SrtpProfile;
use watersmeet_wire::params::MediaKind;
use watersmeet_wire::units::{Bitrate, Ssrc};

use crate::support::broadcast::{Broadcast, PublishedPacket, Viewer};

const SSRC: u32 = 4_444;
const FRAME: Duration = Duration::from_millis(10);

/// Temporal layers of successive frames, and whether each refers to the lowest layer alone.
const PATTERN: [(u8, bool); 4] = [(0, false), (2, true), (1, true), (2, false)];

/// Length of a frame: 100 of them a second are about 810 kbit/s.
const FRAME_LEN: usize = 1_000;

/// A publisher of one stream of VP8 with three temporal layers, and a viewer.
struct Call {
    broadcast: Broadcast,
    viewer: Viewer,
    frames: u64,
}

impl Call {
    fn new() -> Self {
        let mut broadcast = Broadcast::new(SrtpProfile::AeadAes128Gcm);
        broadcast.transport_options.adapts_to_bandwidth = true;
        let rtp = json!({
            "codecs": [{"mimeType": "video/VP8", "payloadType": 96, "clockRate": 90_000,
                "rtcpFeedback": [{"type": "nack"}, {"type": "nack", "parameter": "pli"}]}],
            "encodings": [{"ssrc": SSRC}],
        });
        broadcast.produce_with(MediaKind::Video, rtp);
        let viewer = broadcast.add_viewer();
        Self {
            broadcast,
            viewer,
            frames: 0,
        }
    }

    fn report_estimate(&mut self, kbps: u64) {
        let bitrate = Bitrate::from_kbps(kbps);
        let remb = self
            .viewer
            .rtcp(|writer| assert!(writer.write_remb(Ssrc(1), bitrate, &[])));
        self.broadcast.receive_from(&self.viewer, remb);
    }

    /// Sends frames for a while, the very first one a keyframe. Returns the temporal layers of those that
    /// the viewer receives in the last second, after checking that their numbers have no gaps.
    fn send(&mut self, seconds: u64) -> Vec<u8> {
        let mut received = Vec::new();
        let mut next = None;
        for _ in 0..seconds * 100 {
            let (temporal, is_sync) = PATTERN[(self.frames % 4) as usize];
            let keyframe = self.frames == 0;
            let mut payload = vec![0; FRAME_LEN];
            let layers = temporal << 6 | u8::from(is_sync) << 5;
            payload[..4].copy_from_slice(&[0x90, 0x20, layers, u8::from(!keyframe)]);
            let sent = self.broadcast.send(&PublishedPacket {
                ssrc: SSRC,
                pt: 96,
                seq: self.frames,
                timestamp: u32::try_from(self.frames * 900).expect("small"),
                extensions: &[],
                payload: &payload,
            });
            self.frames += 1;
            for (header, packet) in self.viewer.received(&sent) {
                let payload = header.payload(&packet).expect("no padding");
                assert!(next.is_none_or(|next: u16| next == header.seq));
                next = Some(header.seq.wrapping_add(1));
                received.push((self.frames, payload[2] >> 6));
            }
            self.broadcast.advance(FRAME);
        }
        let latest = received.iter().filter(|(at, _)| at + 100 > self.frames);
        latest.map(|(_, temporal)| *temporal).collect()
    }

    /// Returns the layers that the viewer was told last, and why no better ones are sent.
    fn told(&mut self) -> Option<(Option<Layers>, Option<LayersReason>)> {
        let events = std::iter::from_fn(|| self.broadcast.worker.poll_event());
        let told = events.filter_map(|event| match event {
            Event::ConsumerLayersChanged { layers, reason, .. } => Some((layers, reason)),
            _ => None,
        });
        told.last()
    }
}

const fn layers(temporal_layer: u8) -> Option<Layers> {
    Some(Layers {
        spatial_layer: 0,
        temporal_layer: Some(temporal_layer),
    })
}

fn highest(frames: &[u8]) -> Option<u8> {
    frames.iter().copied().max()
}

#[test]
fn frames_are_left_out_where_not_all_fit_and_come_back() {
    let mut call = Call::new();
    assert_eq!(highest(&call.send(4)), Some(2));
    assert_eq!(call.told(), None);
    call.report_estimate(520);
    let slowed = call.send(4);
    assert_eq!(highest(&slowed), Some(1));
    assert!((49..=51).contains(&slowed.len()), "{slowed:?}");
    assert_eq!(
        call.told(),
        Some((layers(1), Some(LayersReason::Bandwidth)))
    );
    call.report_estimate(300);
    let slowed = call.send(4);
    assert_eq!(highest(&slowed), Some(0));
    assert!((24..=26).contains(&slowed.len()), "{slowed:?}");
    assert_eq!(
        call.told(),
        Some((layers(0), Some(LayersReason::Bandwidth)))
    );
    call.report_estimate(1_500);
    assert_eq!(call.send(4).len(), 100);
    assert_eq!(call.told(), Some((layers(2), None)));
}

#[test]
fn nothing_is_sent_where_the_path_carries_little() {
    let mut call = Call::new();
    call.send(4);
    call.report_estimate(200);
    assert_eq!(highest(&call.send(4)), None);
    assert_eq!(call.told(), Some((None, Some(LayersReason::Bandwidth))));
}

#[test]
fn preference_for_fewer_frames_is_not_exceeded_by_more_bitrate() {
    let mut call = Call::new();
    call.send(4);
    call.broadcast.command(Command::SetPreferredLayers {
        consumer: call.viewer.consumer,
        layers: Layers {
            spatial_layer: 0,
            temporal_layer: Some(1),
        },
    });
    call.report_estimate(2_000);
    assert_eq!(highest(&call.send(2)), Some(1));
    call.report_estimate(300);
    assert_eq!(highest(&call.send(4)), Some(0));
    call.report_estimate(520);
    assert_eq!(highest(&call.send(4)), Some(1));
}
