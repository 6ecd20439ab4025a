//! Reports of quality: which layers a consumer is sent and why no better ones, and how much of a
//! producer and of a consumer arrives.

use std::time::Duration;

use watersmeet_engine::command::{Command, EncodingScore, Event, Layers, LayersReason};
use watersmeet_engine::transport::srtp::SrtpProfile;
use watersmeet_wire::rtcp::report::ReportBlock;
use watersmeet_wire::units::{Bitrate, Ssrc};

use crate::support::broadcast::{Broadcast, Viewer};
use crate::support::simulcast::{send_picture, simulcast_producer};

const FRAME: Duration = Duration::from_millis(40);

/// Lengths of pictures that make about 30, 100 and 300 kbit/s.
const PAYLOADS: [usize; 3] = [130, 480, 1_400];

/// A publisher of three layers.
struct Camera {
    broadcast: Broadcast,
    frames: u64,
}

/// Layer of a report, and the reason.
type Report = (Option<u8>, Option<LayersReason>);

impl Camera {
    fn new() -> Self {
        let mut broadcast = Broadcast::new(SrtpProfile::AeadAes128Gcm);
        simulcast_producer(&mut broadcast);
        broadcast.transport_options.adapts_to_bandwidth = true;
        Self {
            broadcast,
            frames: 0,
        }
    }

    /// Lets a viewer report by REMB what it can receive.
    fn report_estimate(&mut self, viewer: &mut Viewer, kbps: u64) {
        let bitrate = Bitrate::from_kbps(kbps);
        let remb = viewer.rtcp(|writer| assert!(writer.write_remb(Ssrc(1), bitrate, &[])));
        self.broadcast.receive_from(viewer, remb);
    }

    /// Sends pictures in layers with these payloads. Returns the reports of a viewer's layers.
    fn send(&mut self, seconds: u64, payloads: [usize; 3]) -> Vec<Report> {
        let mut reports = Vec::new();
        for _ in 0..seconds * 25 {
            let keyframe = self.frames.is_multiple_of(25);
            send_picture(&mut self.broadcast, self.frames, keyframe, payloads);
            self.frames += 1;
            self.broadcast.advance(FRAME);
            while let Some(event) = self.broadcast.worker.poll_event() {
                if let Event::ConsumerLayersChanged { layers, reason, .. } = event {
                    reports.push((layers.map(|it| it.spatial_layer), reason));
                }
            }
        }
        reports
    }
}

#[test]
fn narrow_path_is_the_reason_for_a_lower_layer_and_for_none() {
    let mut camera = Camera::new();
    let mut viewer = camera.broadcast.add_viewer();
    camera.send(5, PAYLOADS);
    camera.report_estimate(&mut viewer, 90);
    let reports = camera.send(5, PAYLOADS);
    assert_eq!(
        reports.last(),
        Some(&(Some(0), Some(LayersReason::Bandwidth)))
    );
    camera.report_estimate(&mut viewer, 10);
    let reports = camera.send(5, PAYLOADS);
    assert_eq!(reports.last(), Some(&(None, Some(LayersReason::Bandwidth))));
    camera.report_estimate(&mut viewer, 3_000);
    let reports = camera.send(40, PAYLOADS);
    assert_eq!(reports.last(), Some(&(Some(2), None)));
}

#[test]
fn missing_layer_of_the_publisher_is_the_reason_for_a_lower_one() {
    let mut camera = Camera::new();
    let _viewer = camera.broadcast.add_viewer();
    camera.send(5, PAYLOADS);
    let [low, middle, _] = PAYLOADS;
    let reports = camera.send(5, [low, middle, 0]);
    let missing = (Some(1), Some(LayersReason::Publisher));
    assert_eq!(reports.last(), Some(&missing), "{reports:?}");
    let reports = camera.send(10, PAYLOADS);
    assert_eq!(reports.last(), Some(&(Some(2), None)));
}

#[test]
fn another_reason_for_the_same_layer_is_reported() {
    let mut camera = Camera::new();
    let mut viewer = camera.broadcast.add_viewer();
    let [low, middle, _] = PAYLOADS;
    camera.send(5, PAYLOADS);
    camera.send(5, [low, middle, 0]);
    // The publisher sends its best layer again, which this path does not carry.
    camera.report_estimate(&mut viewer, 180);
    let reports = camera.send(10, PAYLOADS);
    assert_eq!(reports, [(Some(1), Some(LayersReason::Bandwidth))]);
}

#[test]
fn preferred_layer_has_no_reason() {
    let mut camera = Camera::new();
    let viewer = camera.broadcast.add_viewer();
    camera.send(5, PAYLOADS);
    camera.broadcast.command(Command::SetPreferredLayers {
        consumer: viewer.consumer,
        layers: Layers {
            spatial_layer: 0,
            temporal_layer: None,
        },
    });
    assert_eq!(camera.send(5, PAYLOADS), [(Some(0), None)]);
}

#[test]
fn video_of_one_layer_that_was_withheld_is_reported_when_it_comes_back() {
    let mut broadcast = Broadcast::new(SrtpProfile::AeadAes128Gcm);
    broadcast.transport_options.adapts_to_bandwidth = true;
    let mut viewer = broadcast.add_viewer();
    let mut reports = Vec::new();
    for (kbps, frames) in [(1_000, 50), (5, 100), (3_000, 300)] {
        let bitrate = Bitrate::from_kbps(kbps);
        let remb = viewer.rtcp(|writer| assert!(writer.write_remb(Ssrc(1), bitrate, &[])));
        broadcast.receive_from(&viewer, remb);
        for _ in 0..frames {
            broadcast.publish(true, 800);
            broadcast.advance(FRAME);
        }
        while let Some(event) = broadcast.worker.poll_event() {
            if let Event::ConsumerLayersChanged { layers, reason, .. } = event {
                reports.push((layers.map(|it| it.spatial_layer), reason));
            }
        }
    }
    let withheld = (None, Some(LayersReason::Bandwidth));
    assert_eq!(reports, [withheld, (Some(0), None)]);
}

/// Returns the scores of the producer that were reported.
fn producer_scores(broadcast: &mut Broadcast) -> Vec<Vec<EncodingScore>> {
    let events = std::iter::from_fn(|| broadcast.worker.poll_event());
    let scores = events.filter_map(|event| match event {
        Event::ProducerScore { scores, .. } => Some(scores),
        _ => None,
    });
    scores.collect()
}

#[test]
fn loss_of_a_publisher_is_reported_with_the_encodings_that_arrive() {
    let mut camera = Camera::new();
    for seconds in 0..2 {
        for _ in 0..25 {
            let [low, middle, _] = PAYLOADS;
            send_picture(&mut camera.broadcast, camera.frames, true, [low, middle, 0]);
            // In the second second, two of three packets are lost.
            camera.frames += if seconds == 0 { 1 } else { 3 };
            camera.broadcast.advance(FRAME);
        }
    }
    camera.broadcast.advance(Duration::from_millis(100));
    let reports = producer_scores(&mut camera.broadcast);
    let scores = reports
        .iter()
        .map(|it| it.iter().map(|it| it.score).collect());
    let scores: Vec<Vec<u8>> = scores.collect();
    assert_eq!(scores, [[10, 10], [1, 1]]);
    let [low, middle] = reports[0][..] else {
        panic!("two encodings");
    };
    assert_eq!((low.encoding, low.ssrc, middle.encoding), (0, Ssrc(10), 1));
    assert_eq!(middle.rid.map(|it| it.to_string()).as_deref(), Some("h"));
}

#[test]
fn loss_on_the_way_to_a_viewer_is_reported_once_a_second_at_most() {
    let mut broadcast = Broadcast::new(SrtpProfile::AeadAes128Gcm);
    let mut viewer = broadcast.add_viewer();
    let ssrc = viewer.rtp.encodings[0].ssrc.expect("an SSRC");
    broadcast.advance(Duration::from_secs(5));
    let mut scores = Vec::new();
    for fraction_lost in [0, 5, 26, 51, 26, 26, 0] {
        let block = ReportBlock {
            ssrc,
            fraction_lost,
            ..ReportBlock::default()
        };
        let report = viewer.rtcp(|writer| assert!(writer.write_receiver_report(Ssrc(1), &[block])));
        broadcast.receive_from(&viewer, report);
        broadcast.advance(Duration::from_millis(500));
        while let Some(event) = broadcast.worker.poll_event() {
            if let Event::ConsumerScore { consumer, score } = event {
                assert_eq!(consumer, viewer.consumer);
                scores.push(score);
            }
        }
    }
    assert_eq!(scores, [7, 10]);
}
