//! What a run recorded: a series of samples for each viewer and each received video, and the reports
//! of the measured time.

use std::time::Duration;

use watersmeet_peer::receiver::report::{AudioReport, VideoReport};

/// Interval between two samples. It is no multiple of the frame interval, so that samples meet every
/// phase of the frames.
pub const STEP: Duration = Duration::from_millis(20);

/// Frames per second of a camera.
pub const CAMERA_FPS: f64 = 30.0;

/// Bitrate of each layer of a camera on the line, in bits per second, lowest first: media with RTP, SRTP,
/// UDP and IP headers, and the audio beside it.
pub const LAYERS_ON_THE_LINE: [f64; 3] = [232_000.0, 475_000.0, 1_885_000.0];

/// Time without a frame after which a video shows no layer any more.
const SHOWN_FOR: Duration = Duration::from_millis(500);

/// State of the line of a viewer. Counts are totals since the start.
#[derive(Debug, Default, Clone, Copy)]
pub struct LineSample {
    /// Bitrate of the line, in bits per second; infinite when unlimited.
    pub capacity: f64,
    /// Bytes that the server sent to the viewer.
    pub offered: u64,
    /// Bytes that passed the bottleneck.
    pub passed: u64,
    /// Packets at the bottleneck.
    pub packets: u64,
    /// Packets dropped by the queue of the bottleneck.
    pub drops: u64,
    /// Queueing delay of the bottleneck, in seconds.
    pub queue: f64,
    /// The server's estimate, in bits per second.
    pub estimate: Option<f64>,
}

/// State of a received video. Counts are totals since the start.
#[derive(Debug, Default, Clone, Copy)]
pub struct VideoSample {
    /// Layer of the last frame.
    pub layer: Option<u8>,
    /// Rendered frames.
    pub frames: u64,
    /// Rendered media, in bits: each frame counts as that of a camera on its layer, on the line.
    pub rendered: f64,
    /// Whether the server has announced that it forwards nothing.
    pub is_withheld: bool,
}

/// Received video, with the audio of the same person.
#[derive(Debug, Default)]
pub struct PairRecording {
    /// Person who publishes it.
    pub publisher: &'static str,
    /// Samples of the video, from the start of the case.
    pub samples: Vec<VideoSample>,
    /// Video over the measured time.
    pub video: Option<VideoReport>,
    /// Audio over the measured time.
    pub audio: Option<AudioReport>,
    /// Time from joining to the first frame.
    pub first_frame: Option<Duration>,
    /// Time from joining to the first audio.
    pub first_audio: Option<Duration>,
}

/// Recording of a viewer.
#[derive(Debug, Default)]
pub struct ViewerRecording {
    /// Name of the viewer.
    pub name: &'static str,
    /// Time of the join.
    pub joins_at: Duration,
    /// Samples of the line, from the start of the case.
    pub line: Vec<LineSample>,
    /// Received people.
    pub pairs: Vec<PairRecording>,
}

/// Recording of one run of a case.
#[derive(Debug, Default)]
pub struct Recording {
    /// Viewers, in order of the case.
    pub viewers: Vec<ViewerRecording>,
    /// Keyframe requests to each publisher: totals at each sample.
    pub plis: Vec<Vec<u64>>,
    /// Start and end of the measured time.
    pub measured: (Duration, Duration),
}

/// Returns the index of the sample at a time.
pub fn index_at(at: Duration) -> usize {
    usize::try_from(at.as_micros() / STEP.as_micros()).unwrap_or(usize::MAX)
}

/// Returns the number of samples in a time.
pub fn steps_in(span: Duration) -> usize {
    index_at(span).max(1)
}

impl Recording {
    /// Returns a viewer.
    pub fn viewer(&self, name: &str) -> Option<&ViewerRecording> {
        self.viewers.iter().find(|viewer| viewer.name == name)
    }

    /// Returns the viewers that had joined by a time.
    pub fn viewers_at(&self, at: Duration) -> impl Iterator<Item = &ViewerRecording> {
        self.viewers.iter().filter(move |it| it.joins_at <= at)
    }
}

impl ViewerRecording {
    /// Returns the mean bitrate between two times in bits per second, of one of the totals.
    pub fn rate(&self, from: Duration, until: Duration, total: fn(&LineSample) -> u64) -> f64 {
        let at = |time| {
            self.line
                .get(index_at(time))
                .or(self.line.last())
                .map_or(0, total)
        };
        let bits = at(until).saturating_sub(at(from)) as f64 * 8.0;
        bits / until.saturating_sub(from).as_secs_f64()
    }

    /// Returns the bitrate of rendered media between two times, in bits per second. What a line carries
    /// but nobody sees does not count.
    pub fn rendered_rate(&self, from: Duration, until: Duration) -> f64 {
        let pairs = self.pairs.iter();
        pairs.map(|pair| pair.rendered_rate(from, until)).sum()
    }

    /// Returns the samples between two times, with the time of each.
    pub fn line_between(
        &self,
        from: Duration,
        until: Duration,
    ) -> impl Iterator<Item = (Duration, &LineSample)> {
        let samples = self.line.iter().enumerate();
        samples
            .map(|(index, sample)| (time_of(index), sample))
            .filter(move |(at, _)| *at >= from && *at < until)
    }

    /// Returns whether the server gave an estimate: a value that never changes is none.
    pub fn has_estimate(&self) -> bool {
        let mut estimates = self.line.iter().filter_map(|sample| sample.estimate);
        let first = estimates.next();
        estimates.any(|estimate| Some(estimate) != first)
    }
}

impl PairRecording {
    /// Returns the layer that is shown at a sample; `None` when there was no frame lately.
    pub fn shown_layer(&self, index: usize) -> Option<u8> {
        let sample = self.samples.get(index)?;
        let before = index.saturating_sub(steps_in(SHOWN_FOR));
        let frames_before = self.samples.get(before)?.frames;
        sample.layer.filter(|_| sample.frames > frames_before)
    }

    /// Returns the bitrate of rendered media between two times, in bits per second.
    pub fn rendered_rate(&self, from: Duration, until: Duration) -> f64 {
        let at = |time| self.samples.get(index_at(time)).or(self.samples.last());
        let rendered = |time| at(time).map_or(0.0, |sample| sample.rendered);
        (rendered(until) - rendered(from)) / until.saturating_sub(from).as_secs_f64()
    }

    /// Returns the frames rendered between two times.
    pub fn frames_between(&self, from: Duration, until: Duration) -> u64 {
        let at = |time| self.samples.get(index_at(time)).or(self.samples.last());
        let frames = |time| at(time).map_or(0, |sample| sample.frames);
        frames(until).saturating_sub(frames(from))
    }
}

/// Returns the time of a sample.
pub fn time_of(index: usize) -> Duration {
    STEP.saturating_mul(u32::try_from(index).unwrap_or(u32::MAX))
}
