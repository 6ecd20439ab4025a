//! Description of a case as data: people, links over time, events, and what is measured.

use std::time::Duration;

use watersmeet_peer::browser::MediaSource;
use watersmeet_peer::negotiation::AudioRepair;
use watersmeet_peer::sender::media_source::CameraOptions;
use watersmeet_wire::units::Bitrate;

use super::bar::Row;
use crate::cross_traffic::Transfers;
use crate::profiles::{self, AccessLink};
use crate::scenario::secs;

/// Change of a bitrate: time since the start, and bitrate from then on.
pub type RateChange = (Duration, Bitrate);

/// What a participant says about the packets it receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// The truth.
    True,
    /// Everything arrived, all at once.
    AllReceived,
    /// Random arrivals.
    Random,
}

/// Participant of a case.
#[derive(Debug, Clone)]
pub struct Person {
    /// Name, unique in the case.
    pub name: &'static str,
    /// Time of the join.
    pub joins_at: Duration,
    /// Published sources.
    pub media: Vec<MediaSource>,
    /// Whether the person receives everybody else.
    pub subscribes: bool,
    /// Access link.
    pub access: AccessLink,
    /// Changes of the bitrate from the server.
    pub down_rates: Vec<RateChange>,
    /// Changes of the bitrate to the server.
    pub up_rates: Vec<RateChange>,
    /// Whether the shared bottleneck is on the way from the server.
    pub is_behind_bottleneck: bool,
    /// What feedback says.
    pub claim: Claim,
    /// Whether arrivals are reported by congestion control feedback instead of transport-wide.
    pub congestion_feedback: bool,
    /// How lost audio is repaired.
    pub audio_repair: AudioRepair,
}

/// Bottleneck that several people share on the way from the server.
#[derive(Debug, Clone)]
pub struct SharedLink {
    /// Bitrate at the start.
    pub rate: Bitrate,
    /// Changes of the bitrate.
    pub rates: Vec<RateChange>,
    /// Longest queueing delay.
    pub queue: Duration,
    /// TCP flows through it, with the times at which they start.
    pub tcp_flows: Vec<(Duration, Transfers)>,
}

/// Something that happens during a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Nothing passes the link of a person, in either direction, for this time.
    Outage {
        /// Person.
        name: &'static str,
        /// Length of the outage.
        span: Duration,
    },
    /// A viewer pauses or resumes all videos.
    PauseVideos {
        /// Viewer.
        name: &'static str,
        /// Whether they pause.
        paused: bool,
    },
}

/// Case of the scoreboard.
#[derive(Debug, Clone)]
pub struct Case {
    /// Name, as in the table.
    pub name: &'static str,
    /// People, publishers first.
    pub people: Vec<Person>,
    /// Bottleneck that people share.
    pub shared_link: Option<SharedLink>,
    /// Events, with their times.
    pub events: Vec<(Duration, Event)>,
    /// Start of what freezes, loss and frame rate are measured over.
    pub measured_from: Duration,
    /// End of it.
    pub measured_until: Duration,
    /// Length of the case.
    pub length: Duration,
    /// What is measured.
    pub rows: Vec<Row>,
}

impl Person {
    /// Returns a person who publishes the usual camera and speaks without pauses, on an ideal line.
    pub fn publisher(name: &'static str) -> Self {
        Self {
            media: vec![
                MediaSource::Camera(CameraOptions::chromium()),
                MediaSource::Microphone { pauses: false },
            ],
            subscribes: false,
            ..Self::viewer(name, profiles::ideal())
        }
    }

    /// Returns a person who only receives, from the first second on.
    pub fn viewer(name: &'static str, access: AccessLink) -> Self {
        Self {
            name,
            joins_at: secs(0),
            media: Vec::new(),
            subscribes: true,
            access,
            down_rates: Vec::new(),
            up_rates: Vec::new(),
            is_behind_bottleneck: false,
            claim: Claim::True,
            congestion_feedback: false,
            audio_repair: AudioRepair::default(),
        }
    }

    /// Joins at this time.
    #[must_use]
    pub const fn at(mut self, joins_at: Duration) -> Self {
        self.joins_at = joins_at;
        self
    }

    /// Is behind the shared bottleneck.
    #[must_use]
    pub const fn behind_bottleneck(mut self) -> Self {
        self.is_behind_bottleneck = true;
        self
    }

    /// Publishes these sources.
    #[must_use]
    pub fn with_media(mut self, media: Vec<MediaSource>) -> Self {
        self.media = media;
        self
    }

    /// Repairs lost audio in this way.
    #[must_use]
    pub const fn repairing_audio_by(mut self, audio_repair: AudioRepair) -> Self {
        self.audio_repair = audio_repair;
        self
    }

    /// Has a line from the server with these bitrates.
    #[must_use]
    pub fn with_down_rates(mut self, first: Bitrate, changes: &[RateChange]) -> Self {
        self.access.down.rate = Some(first);
        self.down_rates = changes.to_vec();
        self
    }

    /// Has a line to the server with these bitrates.
    #[must_use]
    pub fn with_up_rates(mut self, first: Bitrate, changes: &[RateChange]) -> Self {
        self.access.up.rate = Some(first);
        self.up_rates = changes.to_vec();
        self
    }

    /// Publishes video.
    pub fn has_video(&self) -> bool {
        let is_video = |source: &MediaSource| matches!(source, MediaSource::Camera(_));
        self.media.iter().any(is_video)
    }
}

impl Case {
    /// Returns the bitrate between the server and a viewer at a time; `None` when it is unlimited.
    pub fn capacity_at(&self, viewer: &Person, at: Duration) -> Option<Bitrate> {
        let shared = self
            .shared_link
            .as_ref()
            .filter(|_| viewer.is_behind_bottleneck);
        let (first, changes) = match shared {
            Some(link) => (Some(link.rate), &link.rates),
            None => (viewer.access.down.rate, &viewer.down_rates),
        };
        let passed = changes.iter().rev().find(|(changed, _)| *changed <= at);
        passed.map(|(_, rate)| *rate).or(first)
    }
}
