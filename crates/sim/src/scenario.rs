//! Scenarios that read aloud, and what is expected of them.
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
use watersmeet_peer::receiver::report::{AudioReport, VideoReport};
use watersmeet_peer::sender::SenderCounts;
use watersmeet_peer::sender::media_source::CameraOptions;
use watersmeet_wire::units::Bitrate;

use crate::profiles::{self, Access};
use crate::world::World;

/// So many seconds.
pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// So many milliseconds.
pub const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// So many thousand bits per second.
pub const fn kbps(kbps: u64) -> Bitrate {
    Bitrate::from_kbps(kbps)
}

/// So many frames per second.
pub const fn fps(fps: f64) -> f64 {
    fps
}

/// What somebody publishes, and over which link.
#[derive(Debug, Clone)]
pub struct Publishing {
    /// Video before audio, as clients do it.
    media: Vec<MediaSource>,
    /// The link.
    access: Access,
    /// Whether its numbers wrap soon.
    wraps: bool,
}

/// A camera with one encoding and a microphone, on an ideal link.
pub fn camera() -> Publishing {
    Publishing {
        media: vec![
            MediaSource::Camera(CameraOptions::single()),
            MediaSource::Microphone { pauses: true },
        ],
        access: profiles::ideal(),
        wraps: false,
    }
}

/// A microphone alone.
pub fn microphone() -> Publishing {
    Publishing {
        media: vec![MediaSource::Microphone { pauses: true }],
        access: profiles::ideal(),
        wraps: false,
    }
}

impl Publishing {
    /// With a ladder of so many rungs.
    #[must_use]
    pub fn simulcast(mut self, rungs: usize) -> Self {
        for source in &mut self.media {
            if let MediaSource::Camera(options) = source {
                *options = CameraOptions::simulcast(rungs);
            }
        }
        self
    }

    /// Somebody who never stops talking.
    #[must_use]
    pub fn without_pauses(mut self) -> Self {
        for source in &mut self.media {
            if let MediaSource::Microphone { pauses } = source {
                *pauses = false;
            }
        }
        self
    }

    /// Whose sequence numbers wrap after 30 packets and whose media time wraps after two seconds.
    #[must_use]
    pub const fn about_to_wrap(mut self) -> Self {
        self.wraps = true;
        self
    }

    /// Over this link.
    #[must_use]
    pub const fn over(mut self, access: Access) -> Self {
        self.access = access;
        self
    }
}

impl World {
    /// Speaks of this room from now on.
    #[must_use]
    pub fn room(mut self, name: &str) -> Self {
        name.clone_into(&mut self.room);
        self
    }

    /// Somebody comes who publishes and does not look.
    #[must_use]
    pub fn publishes(self, name: &str, publishing: Publishing) -> Self {
        self.come(name, publishing, false)
    }

    /// Somebody comes who publishes and looks.
    #[must_use]
    pub fn meets(self, name: &str, publishing: Publishing) -> Self {
        self.come(name, publishing, true)
    }

    /// Somebody comes who only looks.
    #[must_use]
    pub fn views(mut self, name: &str, access: Access) -> Self {
        self.enter(name, access, Vec::new(), true);
        self
    }

    /// Lets time pass before what follows.
    #[must_use]
    pub fn after(mut self, span: Duration) -> Self {
        self.run(span);
        self
    }

    /// Lets time pass.
    #[must_use]
    pub fn run_for(self, span: Duration) -> Self {
        self.after(span)
    }

    /// Lets time pass, and judges what comes after it alone.
    #[must_use]
    pub fn settled_for(mut self, span: Duration) -> Self {
        self.run(span);
        let now = self.now();
        let names: Vec<String> = self
            .people()
            .iter()
            .map(|person| person.name.clone())
            .collect();
        for name in names {
            if let Some(person) = self.person_mut(&name) {
                person.browser.receiver.reset_measurements(now);
            }
        }
        self
    }

    /// Somebody's way from the server carries so much.
    #[must_use]
    pub fn link(mut self, name: &str, rate: Bitrate) -> Self {
        self.relink(name, |_, down| down.rate = Some(rate));
        self
    }

    /// Somebody's link becomes another.
    #[must_use]
    pub fn moves(mut self, name: &str, access: Access) -> Self {
        self.relink(name, |up, down| (*up, *down) = (access.up, access.down));
        self
    }

    /// Nothing passes on somebody's link for so long.
    #[must_use]
    pub fn outage(mut self, name: &str, span: Duration) -> Self {
        self.darken(name, span);
        self
    }

    /// Somebody wishes for a layer of another's video.
    #[must_use]
    pub fn prefers(mut self, name: &str, of: &str, spatial: u8) -> Self {
        let peer = self.peer_of(of);
        if let Some(person) = self.person_mut(name) {
            person.browser.prefer(&peer, spatial, None);
        }
        self
    }

    /// Somebody mutes what they published at this place, or lets it go on.
    #[must_use]
    pub fn mutes(mut self, name: &str, place: usize, muted: bool) -> Self {
        let now = self.now();
        if let Some(person) = self.person_mut(name) {
            person.browser.pause(now, place, muted);
        }
        self
    }

    /// Somebody stops receiving another's video, or goes on.
    #[must_use]
    pub fn looks_away(mut self, name: &str, from: &str, away: bool) -> Self {
        let (now, peer) = (self.now(), self.peer_of(from));
        if let Some(person) = self.person_mut(name) {
            person.browser.pause_consumers(now, &peer, true, away);
        }
        self
    }

    /// Somebody ends what they published at this place.
    #[must_use]
    pub fn unpublishes(mut self, name: &str, place: usize) -> Self {
        if let Some(person) = self.person_mut(name) {
            person.browser.unpublish(place);
        }
        self
    }

    /// Somebody leaves the room and keeps the connection.
    #[must_use]
    pub fn leaves(mut self, name: &str) -> Self {
        let now = self.now();
        if let Some(person) = self.person_mut(name) {
            person.browser.leave(now);
        }
        self
    }

    /// Somebody closes the page.
    #[must_use]
    pub fn hangs_up(mut self, name: &str) -> Self {
        self.hang_up(name);
        self
    }

    /// What is expected of somebody.
    pub fn expect(&self, name: &str) -> Expectation<'_> {
        assert!(self.person(name).is_some(), "nobody is called {name}");
        Expectation {
            world: self,
            name: name.to_owned(),
        }
    }

    /// What somebody sent and was asked for.
    pub fn sent_by(&self, name: &str) -> SenderCounts {
        self.person(name)
            .map(|person| person.browser.sender.counts())
            .unwrap_or_default()
    }

    fn come(mut self, name: &str, publishing: Publishing, subscribes: bool) -> Self {
        self.enter(name, publishing.access, publishing.media, subscribes);
        if let Some(person) = self.person_mut(name).filter(|_| publishing.wraps) {
            person
                .browser
                .sender
                .start_at(u16::MAX - 30, u32::MAX - 180_000);
        }
        self
    }

    fn peer_of(&self, name: &str) -> String {
        let peer = self.person(name).and_then(|person| person.browser.peer());
        peer.unwrap_or_default().to_owned()
    }
}

/// What is expected of somebody.
#[derive(Clone)]
pub struct Expectation<'a> {
    /// Where.
    world: &'a World,
    /// Of whom.
    name: String,
}

impl Expectation<'_> {
    /// They see another person; how well is said next.
    pub fn sees(&self, other: &str) -> Sight {
        let report = self.video(other);
        let who = format!("seed {}: {} sees {other}", self.world.seed(), self.name);
        assert!(report.is_some(), "{who}: not at all");
        let report = report.unwrap_or_else(|| unreachable!("just checked"));
        assert!(report.frames > 0, "{who}: no frame");
        Sight { who, report }
    }

    /// They hear another person; how well is said next.
    pub fn hears(&self, other: &str) -> Hearing {
        let report = self.audio(other);
        let who = format!("seed {}: {} hears {other}", self.world.seed(), self.name);
        assert!(report.is_some(), "{who}: not at all");
        let report = report.unwrap_or_else(|| unreachable!("just checked"));
        assert!(report.speech_packets > 0, "{who}: no voice");
        Hearing { who, report }
    }

    /// They are not offered another person's video.
    pub fn is_not_shown(&self, other: &str) -> &Self {
        let shown = self.video(other).is_some();
        assert!(
            !shown,
            "seed {}: {} is shown {other}",
            self.world.seed(),
            self.name
        );
        self
    }

    /// How another person's video looks to them.
    pub fn video(&self, other: &str) -> Option<VideoReport> {
        let peer = self.world.peer_of(other);
        self.world
            .person(&self.name)?
            .browser
            .video_of(self.world.now(), &peer)
    }

    /// How another person sounds to them.
    pub fn audio(&self, other: &str) -> Option<AudioReport> {
        let peer = self.world.peer_of(other);
        self.world
            .person(&self.name)?
            .browser
            .audio_of(self.world.now(), &peer)
    }
}

/// How well somebody is seen.
#[derive(Debug, Clone)]
pub struct Sight {
    /// Who sees whom.
    who: String,
    /// How.
    pub report: VideoReport,
}

impl Sight {
    /// At no fewer frames per second.
    pub fn at_least(&self, fps: f64) -> &Self {
        self.check(self.report.fps >= fps, &format!("at least {fps} fps"))
    }

    /// Every freeze is shorter.
    pub fn with_freezes_under(&self, longest: Duration) -> &Self {
        self.check(
            self.report.longest_freeze < longest,
            &format!("freezes under {longest:?}"),
        )
    }

    /// Without any freeze.
    pub fn without_freezes(&self) -> &Self {
        self.check(self.report.freezes == 0, "no freezes")
    }

    /// No larger share of the time is frozen.
    pub fn frozen_at_most(&self, share: f64) -> &Self {
        self.check(
            self.report.freeze_ratio <= share,
            &format!("frozen for at most {share}"),
        )
    }

    /// No larger share of the packets is lost for good.
    pub fn losing_at_most(&self, share: f64) -> &Self {
        self.check(
            self.report.residual_loss() <= share,
            &format!("losing at most {share}"),
        )
    }

    /// The first frame came in time.
    pub fn from_within(&self, span: Duration) -> &Self {
        let in_time = self.report.first_frame.is_some_and(|first| first <= span);
        self.check(in_time, &format!("a first frame within {span:?}"))
    }

    /// In this encoding.
    pub fn on_layer(&self, layer: u8) -> &Self {
        let shown = self.report.last_frame.map(|signature| signature.layer);
        self.check(
            shown == Some(layer),
            &format!("layer {layer}, not {shown:?}"),
        )
    }

    fn check(&self, holds: bool, expected: &str) -> &Self {
        assert!(holds, "{}: expected {expected}: {}", self.who, self.report);
        self
    }
}

/// How well somebody is heard.
#[derive(Debug, Clone)]
pub struct Hearing {
    /// Who hears whom.
    who: String,
    /// How.
    pub report: AudioReport,
}

impl Hearing {
    /// No larger share of the packets is lost.
    pub fn losing_at_most(&self, share: f64) -> &Self {
        self.check(
            self.report.residual_loss() <= share,
            &format!("losing at most {share}"),
        )
    }

    /// The first packet came in time.
    pub fn from_within(&self, span: Duration) -> &Self {
        let in_time = self.report.first_packet.is_some_and(|first| first <= span);
        self.check(in_time, &format!("a first packet within {span:?}"))
    }

    fn check(&self, holds: bool, expected: &str) -> &Self {
        assert!(holds, "{}: expected {expected}: {}", self.who, self.report);
        self
    }
}
