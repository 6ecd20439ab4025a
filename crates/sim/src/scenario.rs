//! Language of scenarios: participants, events and expectations.
//!
//! ```
//! use watersmeet_sim::scenario::{camera, fps, kbps, secs};
//! use watersmeet_sim::{profiles::wifi, world::World};
//!
//! World::new(1)
//!     .room("standup")
//!     .publishes("ana", camera().simulcast(3))
//!     .views("ben", wifi())
//!     .run_for(secs(5))
//!     .expect("ben")
//!     .sees("ana")
//!     .at_least(fps(25.0))
//!     .with_freezes_under(secs(1));
//! ```

use std::time::Duration;

use watersmeet_peer::browser::MediaSource;
use watersmeet_peer::negotiation::AudioRepair;
use watersmeet_peer::receiver::report::{AudioReport, VideoReport};
use watersmeet_peer::sender::media_source::CameraOptions;
use watersmeet_peer::sender::{ReportClock, SenderCounts};
use watersmeet_wire::units::Bitrate;

use crate::profiles::{self, AccessLink};
use crate::world::World;

/// Returns a duration in seconds.
pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Returns a duration in milliseconds.
pub const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Returns a bitrate in kbit/s.
pub const fn kbps(kbps: u64) -> Bitrate {
    Bitrate::from_kbps(kbps)
}

/// Returns a frame rate; names the unit in scenarios.
pub const fn fps(fps: f64) -> f64 {
    fps
}

/// Media that a participant publishes, and its link.
#[derive(Debug, Clone)]
pub struct PublishOptions {
    /// Sources; video comes before audio, as in the web client.
    media: Vec<MediaSource>,
    /// Access link.
    access: AccessLink,
    /// Whether sequence numbers and RTP timestamps wrap soon after the start.
    wraps: bool,
}

/// Returns a camera with one encoding and a microphone, on an ideal link.
pub fn camera() -> PublishOptions {
    PublishOptions {
        media: vec![
            MediaSource::Camera(CameraOptions::single()),
            MediaSource::Microphone { pauses: true },
        ],
        access: profiles::ideal(),
        wraps: false,
    }
}

/// Returns a microphone on an ideal link.
pub fn microphone() -> PublishOptions {
    PublishOptions {
        media: vec![MediaSource::Microphone { pauses: true }],
        access: profiles::ideal(),
        wraps: false,
    }
}

/// Returns a shared screen with pages of text, whose keyframes have this length, and a microphone, on an ideal
/// link. Pages are turned in these seconds.
pub fn pages(page_len: usize, page_turns: &[u64]) -> PublishOptions {
    let options = CameraOptions::pages(page_len, page_turns.to_vec());
    PublishOptions {
        media: vec![
            MediaSource::Camera(options),
            MediaSource::Microphone { pauses: false },
        ],
        access: profiles::ideal(),
        wraps: false,
    }
}

impl PublishOptions {
    /// Uses simulcast with this number of encodings.
    #[must_use]
    pub fn simulcast(mut self, encodings: usize) -> Self {
        for source in &mut self.media {
            if let MediaSource::Camera(options) = source {
                *options = CameraOptions::simulcast(encodings);
            }
        }
        self
    }

    /// Uses speech without pauses.
    #[must_use]
    pub fn without_pauses(mut self) -> Self {
        for source in &mut self.media {
            if let MediaSource::Microphone { pauses } = source {
                *pauses = false;
            }
        }
        self
    }

    /// Publishes no sound.
    #[must_use]
    pub fn without_microphone(mut self) -> Self {
        self.media
            .retain(|source| matches!(source, MediaSource::Camera(_)));
        self
    }

    /// Lets sequence numbers wrap after 30 packets, and RTP timestamps of video after two seconds.
    #[must_use]
    pub const fn with_early_wraps(mut self) -> Self {
        self.wraps = true;
        self
    }

    /// Uses this link.
    #[must_use]
    pub const fn over(mut self, access: AccessLink) -> Self {
        self.access = access;
        self
    }
}

impl World {
    /// Sets the room that later participants join.
    #[must_use]
    pub fn room(mut self, name: &str) -> Self {
        name.clone_into(&mut self.room);
        self
    }

    /// Adds a participant that publishes and does not subscribe.
    #[must_use]
    pub fn publishes(self, name: &str, publish_options: PublishOptions) -> Self {
        self.add_publisher(name, publish_options, false)
    }

    /// Adds a participant that publishes and subscribes.
    #[must_use]
    pub fn joins(self, name: &str, publish_options: PublishOptions) -> Self {
        self.add_publisher(name, publish_options, true)
    }

    /// Adds a participant that only subscribes.
    #[must_use]
    pub fn views(mut self, name: &str, access: AccessLink) -> Self {
        self.add_participant(name, access, Vec::new(), true);
        self
    }

    /// Runs the simulation before the next step.
    #[must_use]
    pub fn after(mut self, span: Duration) -> Self {
        self.run(span);
        self
    }

    /// Runs the simulation.
    #[must_use]
    pub fn run_for(self, span: Duration) -> Self {
        self.after(span)
    }

    /// Runs the simulation, then resets all measurements.
    #[must_use]
    pub fn warm_up_for(mut self, span: Duration) -> Self {
        self.run(span);
        let now = self.now();
        let names: Vec<String> = self
            .participants()
            .iter()
            .map(|participant| participant.name.clone())
            .collect();
        for name in names {
            if let Some(participant) = self.participant_mut(&name) {
                participant.browser.receiver.reset_measurements(now);
            }
        }
        self
    }

    /// Limits the bitrate from the server to a participant.
    #[must_use]
    pub fn limits_downlink(mut self, name: &str, rate: Bitrate) -> Self {
        self.change_link(name, |_, down| down.rate = Some(rate));
        self
    }

    /// Changes the link of a participant.
    #[must_use]
    pub fn changes_link(mut self, name: &str, access: AccessLink) -> Self {
        self.change_link(name, |up, down| (*up, *down) = (access.up, access.down));
        self
    }

    /// Starts an outage of the link of a participant.
    #[must_use]
    pub fn has_outage(mut self, name: &str, span: Duration) -> Self {
        self.start_outage(name, span);
        self
    }

    /// Sets how a participant, who has just joined, repairs lost audio.
    #[must_use]
    pub fn repairs_audio(mut self, name: &str, audio_repair: AudioRepair) -> Self {
        if let Some(participant) = self.participant_mut(name) {
            participant.browser.set_audio_repair(audio_repair);
        }
        self
    }

    /// Lets a participant request far more than it needs from now on.
    #[must_use]
    pub fn storms_with_requests(mut self, name: &str) -> Self {
        let now = self.now();
        if let Some(participant) = self.participant_mut(name) {
            participant.browser.receiver.start_request_storm(now);
        }
        self
    }

    /// Sets the clock of a participant's sender reports.
    #[must_use]
    pub fn sets_report_clock(mut self, name: &str, clock: ReportClock) -> Self {
        if let Some(participant) = self.participant_mut(name) {
            participant.browser.sender.set_report_clock(clock);
        }
        self
    }

    /// Lets the sequence numbers and RTP timestamps of all streams of a participant jump.
    #[must_use]
    pub fn jumps(mut self, name: &str, numbers: u16, ticks: u32) -> Self {
        if let Some(participant) = self.participant_mut(name) {
            participant.browser.sender.jump(numbers, ticks);
        }
        self
    }

    /// Sets the preferred spatial layer of the video of `publisher`.
    #[must_use]
    pub fn sets_preferred_layer(mut self, name: &str, publisher: &str, spatial: u8) -> Self {
        let peer = self.peer_of(publisher);
        if let Some(participant) = self.participant_mut(name) {
            participant
                .browser
                .set_preferred_layers(&peer, spatial, None);
        }
        self
    }

    /// Lets a participant send only the encodings that the others want.
    #[must_use]
    pub fn follows_demand(mut self, name: &str) -> Self {
        if let Some(participant) = self.participant_mut(name) {
            participant.browser.follows_demand = true;
        }
        self
    }

    /// Pauses or resumes the source with this index of a participant.
    #[must_use]
    pub fn sets_source_paused(mut self, name: &str, index: usize, paused: bool) -> Self {
        let now = self.now();
        if let Some(participant) = self.participant_mut(name) {
            participant.browser.set_source_paused(now, index, paused);
        }
        self
    }

    /// Pauses or resumes the consumer of the video of another participant.
    #[must_use]
    pub fn sets_video_paused(mut self, name: &str, from: &str, paused: bool) -> Self {
        let (now, peer) = (self.now(), self.peer_of(from));
        if let Some(participant) = self.participant_mut(name) {
            participant
                .browser
                .set_consumers_paused(now, &peer, true, paused);
        }
        self
    }

    /// Closes the source with this index of a participant.
    #[must_use]
    pub fn unpublishes(mut self, name: &str, index: usize) -> Self {
        if let Some(participant) = self.participant_mut(name) {
            participant.browser.unpublish(index);
        }
        self
    }

    /// Lets a participant leave the room; its connection stays open.
    #[must_use]
    pub fn leaves(mut self, name: &str) -> Self {
        let now = self.now();
        if let Some(participant) = self.participant_mut(name) {
            participant.browser.leave(now);
        }
        self
    }

    /// Lets a participant close its connection.
    #[must_use]
    pub fn disconnects(mut self, name: &str) -> Self {
        self.disconnect(name);
        self
    }

    /// Returns the expectations of a participant.
    pub fn expect(&self, name: &str) -> Expectation<'_> {
        assert!(
            self.participant(name).is_some(),
            "there is no participant {name}"
        );
        Expectation {
            world: self,
            name: name.to_owned(),
        }
    }

    /// Returns the counters of the sender of a participant.
    pub fn sender_counts(&self, name: &str) -> SenderCounts {
        self.participant(name)
            .map(|participant| participant.browser.sender.counts())
            .unwrap_or_default()
    }

    fn add_publisher(
        mut self,
        name: &str,
        publish_options: PublishOptions,
        subscribes: bool,
    ) -> Self {
        self.add_participant(
            name,
            publish_options.access,
            publish_options.media,
            subscribes,
        );
        if let Some(participant) = self.participant_mut(name).filter(|_| publish_options.wraps) {
            participant
                .browser
                .sender
                .start_at(u16::MAX - 30, u32::MAX - 180_000);
        }
        self
    }

    fn peer_of(&self, name: &str) -> String {
        let peer = self
            .participant(name)
            .and_then(|participant| participant.browser.peer());
        peer.unwrap_or_default().to_owned()
    }
}

/// Expectations of one participant.
#[derive(Clone)]
pub struct Expectation<'a> {
    /// World of the participant.
    world: &'a World,
    /// Name of the participant.
    name: String,
}

impl Expectation<'_> {
    /// Expects that the participant sees the video of `publisher`; returns expectations of its
    /// quality.
    pub fn sees(&self, publisher: &str) -> VideoExpectation {
        let report = self.video(publisher);
        let subject = format!("seed {}: {} sees {publisher}", self.world.seed(), self.name);
        assert!(report.is_some(), "{subject}: not at all");
        let report = report.unwrap_or_else(|| unreachable!("just checked"));
        assert!(report.frames > 0, "{subject}: no frame");
        VideoExpectation { subject, report }
    }

    /// Expects that the participant hears `publisher`; returns expectations of its quality.
    pub fn hears(&self, publisher: &str) -> AudioExpectation {
        let report = self.audio(publisher);
        let subject = format!(
            "seed {}: {} hears {publisher}",
            self.world.seed(),
            self.name
        );
        assert!(report.is_some(), "{subject}: not at all");
        let report = report.unwrap_or_else(|| unreachable!("just checked"));
        assert!(report.speech_packets > 0, "{subject}: no voice");
        AudioExpectation { subject, report }
    }

    /// Expects that the participant has no consumer of the video of `publisher`.
    pub fn has_no_video_of(&self, publisher: &str) -> &Self {
        let shown = self.video(publisher).is_some();
        assert!(
            !shown,
            "seed {}: {} sees {publisher}",
            self.world.seed(),
            self.name
        );
        self
    }

    /// Returns the measurements of the video of `publisher`.
    pub fn video(&self, publisher: &str) -> Option<VideoReport> {
        let peer = self.world.peer_of(publisher);
        self.world
            .participant(&self.name)?
            .browser
            .video_report(self.world.now(), &peer)
    }

    /// Returns the measurements of the audio of `publisher`.
    pub fn audio(&self, publisher: &str) -> Option<AudioReport> {
        let peer = self.world.peer_of(publisher);
        self.world
            .participant(&self.name)?
            .browser
            .audio_report(self.world.now(), &peer)
    }
}

/// Expectations of a received video.
#[derive(Debug, Clone)]
pub struct VideoExpectation {
    /// Description of seed, viewer and publisher, for messages.
    subject: String,
    /// Measurements.
    pub report: VideoReport,
}

impl VideoExpectation {
    /// Expects at least this frame rate.
    pub fn at_least(&self, fps: f64) -> &Self {
        self.check(self.report.fps >= fps, &format!("at least {fps} fps"))
    }

    /// Expects that every freeze is shorter.
    pub fn with_freezes_under(&self, longest: Duration) -> &Self {
        self.check(
            self.report.longest_freeze < longest,
            &format!("freezes under {longest:?}"),
        )
    }

    /// Expects no freeze.
    pub fn without_freezes(&self) -> &Self {
        self.check(self.report.freezes == 0, "no freezes")
    }

    /// Expects that at most this share of the time is frozen.
    pub fn frozen_at_most(&self, share: f64) -> &Self {
        self.check(
            self.report.freeze_ratio <= share,
            &format!("frozen for at most {share}"),
        )
    }

    /// Expects that at most this share of the packets is neither received nor recovered.
    pub fn losing_at_most(&self, share: f64) -> &Self {
        self.check(
            self.report.residual_loss() <= share,
            &format!("losing at most {share}"),
        )
    }

    /// Expects the first frame within this time after the consumer was created.
    pub fn starting_within(&self, span: Duration) -> &Self {
        let in_time = self.report.first_frame.is_some_and(|first| first <= span);
        self.check(in_time, &format!("a first frame within {span:?}"))
    }

    /// Expects this simulcast encoding.
    pub fn on_layer(&self, layer: u8) -> &Self {
        let shown = self.report.last_frame.map(|signature| signature.layer);
        self.check(
            shown == Some(layer),
            &format!("layer {layer}, not {shown:?}"),
        )
    }

    fn check(&self, holds: bool, expected: &str) -> &Self {
        assert!(
            holds,
            "{}: expected {expected}: {}",
            self.subject, self.report
        );
        self
    }
}

/// Expectations of received audio.
#[derive(Debug, Clone)]
pub struct AudioExpectation {
    /// Description of seed, listener and publisher, for messages.
    subject: String,
    /// Measurements.
    pub report: AudioReport,
}

impl AudioExpectation {
    /// Expects that at most this share of the packets is lost.
    pub fn losing_at_most(&self, share: f64) -> &Self {
        self.check(
            self.report.residual_loss() <= share,
            &format!("losing at most {share}"),
        )
    }

    /// Expects that at most this share of the packets is lost or too late.
    pub fn concealing_at_most(&self, share: f64) -> &Self {
        self.check(
            self.report.concealed() <= share,
            &format!("concealing at most {share}"),
        )
    }

    /// Expects the first packet within this time after the consumer was created.
    pub fn starting_within(&self, span: Duration) -> &Self {
        let in_time = self.report.first_packet.is_some_and(|first| first <= span);
        self.check(in_time, &format!("a first packet within {span:?}"))
    }

    fn check(&self, holds: bool, expected: &str) -> &Self {
        assert!(
            holds,
            "{}: expected {expected}: {}",
            self.subject, self.report
        );
        self
    }
}
