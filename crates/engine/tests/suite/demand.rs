//! What the worker reports of the layers and bitrates that the consumers of a producer want.

use std::time::Duration;

use watersmeet_engine::command::{Command, Demand, Event, Layers};
use watersmeet_engine::transport::srtp::SrtpProfile;
use watersmeet_wire::units::{Bitrate, Ssrc};

use crate::support::broadcast::{Broadcast, Viewer};
use crate::support::simulcast::{send_picture, simulcast_producer};

const FRAME: Duration = Duration::from_millis(40);

/// A publisher of three layers.
struct Camera {
    broadcast: Broadcast,
    frames: u64,
    /// Length of a picture in each layer: about 30, 100 and 300 kbit/s.
    payload_lens: [usize; 3],
}

impl Camera {
    fn new() -> Self {
        let mut broadcast = Broadcast::new(SrtpProfile::AeadAes128Gcm);
        simulcast_producer(&mut broadcast);
        Self {
            broadcast,
            frames: 0,
            payload_lens: [130, 480, 1_400],
        }
    }

    /// Lets viewers that join from now on be sent what their estimate allows.
    fn adapt(&mut self) {
        self.broadcast.transport_options.adapts_to_bandwidth = true;
    }

    /// Lets a viewer report by REMB what it can receive.
    fn report_estimate(&mut self, viewer: &mut Viewer, kbps: u64) {
        let bitrate = Bitrate::from_kbps(kbps);
        let remb = viewer.rtcp(|writer| assert!(writer.write_remb(Ssrc(1), bitrate, &[])));
        self.broadcast.receive_from(viewer, remb);
    }

    /// Sends frames of the lowest `layers` layers for a while. Returns what was reported.
    fn send(&mut self, seconds: u64) -> Vec<Demand> {
        let mut demands = Vec::new();
        for _ in 0..seconds * 25 {
            let keyframe = self.frames.is_multiple_of(25);
            send_picture(
                &mut self.broadcast,
                self.frames,
                keyframe,
                self.payload_lens,
            );
            self.frames += 1;
            self.broadcast.advance(FRAME);
            demands.extend(self.reported());
        }
        demands
    }

    fn reported(&mut self) -> Vec<Demand> {
        let events = std::iter::from_fn(|| self.broadcast.worker.poll_event());
        let producer = self.broadcast.producer;
        events
            .filter_map(|event| match event {
                Event::ProducerDemandChanged {
                    producer: changed,
                    demand,
                } if changed == producer => Some(demand),
                _ => None,
            })
            .collect()
    }

    fn prefer(&mut self, viewer: &Viewer, spatial_layer: u8) {
        self.broadcast.command(Command::SetPreferredLayers {
            consumer: viewer.consumer,
            layers: Layers {
                spatial_layer,
                temporal_layer: None,
            },
        });
    }
}

/// Returns a camera after its beginning, and a viewer who reports this estimate.
fn camera_and_limited_viewer(kbps: u64) -> (Camera, Viewer) {
    let mut camera = Camera::new();
    camera.adapt();
    let mut viewer = camera.broadcast.add_viewer();
    camera.send(10);
    camera.report_estimate(&mut viewer, kbps);
    (camera, viewer)
}

fn layers(demands: &[Demand]) -> Vec<Option<u8>> {
    demands.iter().map(|demand| demand.layer).collect()
}

#[test]
fn producer_that_nobody_receives_is_not_wanted_until_somebody_does() {
    let mut camera = Camera::new();
    assert_eq!(layers(&camera.send(9)), [], "at the beginning");
    assert_eq!(layers(&camera.send(3)), [None]);
    let viewer = camera.broadcast.add_viewer();
    assert_eq!(layers(&camera.reported()), [Some(2)], "at once");
    assert_eq!(layers(&camera.send(10)), []);
    let consumer = viewer.consumer;
    camera
        .broadcast
        .command(Command::PauseConsumer { consumer });
    assert_eq!(layers(&camera.send(6)), [None]);
    camera
        .broadcast
        .command(Command::ResumeConsumer { consumer });
    assert_eq!(layers(&camera.reported()), [Some(2)]);
    camera
        .broadcast
        .command(Command::CloseConsumer { consumer });
    assert_eq!(layers(&camera.send(6)), [None]);
}

#[test]
fn layers_above_those_preferred_are_not_wanted() {
    let mut camera = Camera::new();
    let (one, other) = (camera.broadcast.add_viewer(), camera.broadcast.add_viewer());
    camera.prefer(&one, 0);
    camera.prefer(&other, 1);
    assert_eq!(layers(&camera.send(9)), []);
    assert_eq!(layers(&camera.send(3)), [Some(1)]);
    camera.prefer(&other, 0);
    assert_eq!(layers(&camera.send(6)), [Some(0)]);
    camera.prefer(&one, 2);
    assert_eq!(layers(&camera.reported()), [Some(2)]);
}

#[test]
fn short_absence_is_not_reported() {
    let mut camera = Camera::new();
    let viewer = camera.broadcast.add_viewer();
    camera.send(15);
    for _ in 0..5 {
        camera.prefer(&viewer, 0);
        assert_eq!(camera.send(3), []);
        camera.prefer(&viewer, 2);
        assert_eq!(camera.send(1), []);
    }
}

#[test]
fn bitrate_is_reported_that_a_receiver_of_a_lower_layer_can_be_sent() {
    let (mut camera, mut viewer) = camera_and_limited_viewer(200);
    let demand = *camera.send(8).last().expect("a report");
    assert_eq!(demand.layer, Some(1));
    let kbps = demand.highest.expect("a bitrate").as_bps() / 1_000;
    assert!((150..=195).contains(&kbps), "{kbps} kbit/s of 200");
    assert_eq!(demand.lowest, None);
    camera.report_estimate(&mut viewer, 150);
    let kbps = camera.send(1)[0].highest.expect("a bitrate").as_bps() / 1_000;
    assert!((110..=145).contains(&kbps), "{kbps} kbit/s of 150");
    camera.report_estimate(&mut viewer, 2_000);
    let demand = *camera.send(8).last().expect("a report");
    assert_eq!((demand.layer, demand.highest), (Some(2), None));
}

#[test]
fn bitrate_is_reported_that_a_receiver_of_nothing_could_be_sent() {
    let mut camera = Camera::new();
    camera.adapt();
    let mut viewer = camera.broadcast.add_viewer();
    let _other = camera.broadcast.add_viewer();
    camera.send(10);
    camera.report_estimate(&mut viewer, 20);
    let demand = *camera.send(8).last().expect("a report");
    let bps = demand.lowest.expect("a bitrate").as_bps();
    assert!((15_000..=19_000).contains(&bps), "{bps} bit/s of 20,000");
    assert_eq!((demand.layer, demand.highest), (Some(2), None));
    camera.report_estimate(&mut viewer, 2_000);
    assert_eq!(camera.send(8).last().expect("a report").lowest, None);
}

#[test]
fn layer_that_was_switched_off_is_wanted_again_when_the_path_carries_it() {
    let (mut camera, mut viewer) = camera_and_limited_viewer(200);
    assert_eq!(camera.send(8).last().expect("a report").layer, Some(1));
    camera.payload_lens[2] = 0;
    assert_eq!(layers(&camera.send(8)), []);
    camera.report_estimate(&mut viewer, 2_000);
    assert_eq!(layers(&camera.send(1)).last(), Some(&Some(2)));
    // A publisher that does not follow is not told again and again.
    assert_eq!(layers(&camera.send(20)), []);
}
