//! Runs a case with a seed, and records samples.

use std::time::Duration;

use watersmeet_peer::receiver::arrival_log::FeedbackClaim;
use watersmeet_peer::receiver::report::{AudioReport, VideoReport};
use watersmeet_wire::units::{Bitrate, Time};

use super::case::{Case, Claim, Event, Person, RateChange};
use super::recording::{
    CAMERA_FPS, LAYERS_ON_THE_LINE, LineSample, PairRecording, Recording, STEP, VideoSample,
    ViewerRecording,
};
use crate::network::LinkProfile;
use crate::network::capacity::RateStep;
use crate::seeds;
use crate::world::World;

/// Runs a case.
///
/// # Panics
/// When an invariant of the simulator does not hold.
pub fn run_case(case: &Case, seed: u64) -> Recording {
    let mut run = Run {
        case,
        world: World::new(seed),
        recording: empty_recording(case),
    };
    run.add_shared_link();
    let mut at = Duration::ZERO;
    while at <= case.length {
        run.start_due(at);
        if at == case.measured_from {
            run.reset_measurements();
        }
        if at == case.measured_until {
            run.record_reports();
        }
        run.record_samples(at);
        run.world.run(STEP);
        at += STEP;
    }
    run.record_first_media();
    run.world.finish();
    run.recording
}

/// Returns a recording of the viewers of a case, without samples.
fn empty_recording(case: &Case) -> Recording {
    let viewers = case.people.iter().filter(|person| person.subscribes);
    let others = |name: &str| {
        let videos = case.people.iter().filter(|it| it.has_video());
        let of_others = videos.filter(|it| it.name != name);
        of_others
            .map(|it| PairRecording {
                publisher: it.name,
                ..PairRecording::default()
            })
            .collect()
    };
    let viewers = viewers.map(|person| ViewerRecording {
        name: person.name,
        joins_at: person.joins_at,
        line: Vec::new(),
        pairs: others(person.name),
    });
    Recording {
        viewers: viewers.collect(),
        plis: case.people.iter().map(|_| Vec::new()).collect(),
        measured: (case.measured_from, case.measured_until),
    }
}

/// Run in progress.
struct Run<'a> {
    /// The case.
    case: &'a Case,
    /// World that it runs in.
    world: World,
    /// What was recorded.
    recording: Recording,
}

impl Run<'_> {
    fn add_shared_link(&mut self) {
        let Some(shared) = &self.case.shared_link else {
            return;
        };
        let profile = LinkProfile {
            rate: Some(shared.rate),
            queue: shared.queue,
            ..LinkProfile::clean(Duration::ZERO)
        };
        self.world.add_bottleneck(profile, steps_of(&shared.rates));
        for (start, transfers) in &shared.tcp_flows {
            self.world.add_tcp_flow(*transfers, Time::ZERO + *start);
        }
    }

    /// Lets people join, and events happen, that are due at this time.
    fn start_due(&mut self, at: Duration) {
        for person in self.case.people.iter().filter(|it| it.joins_at == at) {
            self.join(person);
        }
        for (_, event) in self.case.events.iter().filter(|(due, _)| *due == at) {
            match *event {
                Event::Outage { name, span } => self.world.start_outage(name, span),
                Event::PauseVideos { name, paused } => self.pause_videos(name, paused),
            }
        }
    }

    fn join(&mut self, person: &Person) {
        let (name, media) = (person.name, person.media.clone());
        self.world
            .add_participant(name, person.access, media, person.subscribes);
        if person.is_behind_bottleneck {
            self.world.place_behind_bottleneck(name);
        }
        let seed = self.world.seed();
        if let Some(participant) = self.world.participant_mut(name) {
            participant
                .down
                .schedule_rates(steps_of(&person.down_rates));
            participant.up.schedule_rates(steps_of(&person.up_rates));
            let claim = match person.claim {
                Claim::True => FeedbackClaim::True,
                Claim::AllReceived => FeedbackClaim::AllReceived,
                Claim::Random => FeedbackClaim::Random(Box::new(seeds::generator(seed, name))),
            };
            if person.congestion_feedback {
                participant.browser.use_congestion_feedback();
            }
            participant.browser.receiver.set_feedback_claim(claim);
            participant.browser.set_audio_repair(person.audio_repair);
        }
    }

    fn pause_videos(&mut self, name: &str, paused: bool) {
        let now = self.world.now();
        let publishers = self.case.people.iter().filter(|it| it.has_video());
        let peers: Vec<String> = publishers
            .filter_map(|it| self.world.participant(it.name)?.browser.peer())
            .map(str::to_owned)
            .collect();
        if let Some(participant) = self.world.participant_mut(name) {
            for peer in peers {
                participant
                    .browser
                    .set_consumers_paused(now, &peer, true, paused);
            }
        }
    }

    fn reset_measurements(&mut self) {
        let now = self.world.now();
        for person in self.case.people.iter().filter(|it| it.subscribes) {
            if let Some(participant) = self.world.participant_mut(person.name) {
                participant.browser.receiver.reset_measurements(now);
            }
        }
    }

    /// Records the reports of the measured time.
    fn record_reports(&mut self) {
        for viewer in &mut self.recording.viewers {
            for pair in &mut viewer.pairs {
                (pair.video, pair.audio) = reports(&self.world, viewer.name, pair.publisher);
            }
        }
    }

    /// Records how long the first frame and the first audio took.
    fn record_first_media(&mut self) {
        for viewer in &mut self.recording.viewers {
            for pair in &mut viewer.pairs {
                let (video, audio) = reports(&self.world, viewer.name, pair.publisher);
                pair.first_frame = video.and_then(|it| it.first_frame);
                pair.first_audio = audio.and_then(|it| it.first_packet);
            }
        }
    }

    fn record_samples(&mut self, at: Duration) {
        for viewer in &mut self.recording.viewers {
            let estimate = self.world.available_outgoing_bitrate(viewer.name);
            let person = self.case.people.iter().find(|it| it.name == viewer.name);
            let rate = person.and_then(|person| self.case.capacity_at(person, at));
            let mut line = sample_line(&self.world, viewer.name);
            line.capacity = rate.map_or(f64::INFINITY, bits);
            line.estimate = estimate.map(bits);
            viewer.line.push(line);
            sample_videos(&self.world, viewer);
        }
        for (person, plis) in self.case.people.iter().zip(&mut self.recording.plis) {
            let counts = self.world.sender_counts(person.name);
            plis.push(counts.plis + counts.firs);
        }
    }
}

fn bits(rate: Bitrate) -> f64 {
    rate.as_bps() as f64
}

/// Returns the measurements of what a viewer receives from somebody.
fn reports(
    world: &World,
    viewer: &str,
    publisher: &str,
) -> (Option<VideoReport>, Option<AudioReport>) {
    if world.participant(viewer).is_none() {
        return (None, None);
    }
    let received = world.expect(viewer);
    (received.video(publisher), received.audio(publisher))
}

fn sample_line(world: &World, name: &str) -> LineSample {
    let Some(participant) = world.participant(name) else {
        return LineSample::default();
    };
    let shared = world
        .bottleneck()
        .filter(|_| participant.is_behind_bottleneck);
    let bottleneck = shared.unwrap_or(&participant.down);
    // What passed a shared bottleneck is what the line of the viewer is offered.
    let own = participant.down.counts();
    let passed = match shared {
        Some(_) => own.offered_bytes,
        None => own.passed_bytes,
    };
    LineSample {
        offered: participant.offered_bytes,
        passed,
        packets: bottleneck.counts().offered,
        drops: bottleneck.counts().queue_drops,
        queue: bottleneck.queueing_delay(world.now()).as_secs_f64(),
        ..LineSample::default()
    }
}

fn sample_videos(world: &World, viewer: &mut ViewerRecording) {
    for pair in &mut viewer.pairs {
        let before = pair.samples.last().copied().unwrap_or_default();
        let mut sample = sample_video(world, viewer.name, pair.publisher).unwrap_or(before);
        let layer = sample.layer.map(usize::from);
        let rate = layer.and_then(|layer| LAYERS_ON_THE_LINE.get(layer));
        let frames = sample.frames.saturating_sub(before.frames) as f64;
        sample.rendered = before.rendered + frames * rate.unwrap_or(&0.0) / CAMERA_FPS;
        pair.samples.push(sample);
    }
}

fn steps_of(changes: &[RateChange]) -> Vec<RateStep> {
    let step = |(at, rate): &RateChange| RateStep {
        at: Time::ZERO + *at,
        rate: *rate,
    };
    changes.iter().map(step).collect()
}

/// Returns the state of a received video.
fn sample_video(world: &World, viewer: &str, publisher: &str) -> Option<VideoSample> {
    let peer = world.participant(publisher)?.browser.peer()?;
    let browser = &world.participant(viewer)?.browser;
    let mut streams = browser.consumed_streams();
    let stream = streams.find(|it| it.video && it.peer == peer)?;
    let progress = browser.receiver.video_progress(stream.ssrc)?;
    Some(VideoSample {
        layer: progress.layer,
        frames: progress.frames,
        is_withheld: stream.withheld_since.is_some(),
        ..VideoSample::default()
    })
}
