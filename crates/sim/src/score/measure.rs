//! Names of the measures: figures that are read from the recording of one run.

use std::ops::Range;
use std::time::Duration;

use super::recording::index_at;

/// Time between two times since the start of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Start.
    pub from: Duration,
    /// End.
    pub until: Duration,
}

/// What is measured. Times are in seconds; a time that never comes is infinite. A condition that ends a
/// time must hold for a second, unless the text says otherwise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Measure {
    /// Time from joining to the first frame.
    FirstFrame,
    /// Time from joining to the first audio.
    FirstAudio,
    /// Share of the measured time that was frozen.
    FreezeRatio,
    /// Longest freeze in the measured time.
    LongestFreeze,
    /// Share of video packets of the measured time that were neither received nor recovered.
    VideoLoss,
    /// Frames rendered per second of the measured time, in which nothing counts as a pause.
    FrameRate,
    /// Share of audio packets of the measured time that were lost.
    AudioLoss,
    /// Share of audio packets of the measured time that were lost or too late.
    AudioConcealed,
    /// Keyframe requests per minute to each publisher.
    PliRate(Window),
    /// Keyframe requests to each publisher.
    Plis(Window),
    /// Time until four fifths of the frame rate of 30 are rendered over half a second.
    FrameRateRecovered(Window),
    /// Time until at least this layer is shown.
    LayerReached(Window, u8),
    /// Time until at most this layer is shown, and frames are.
    LayerLowered(Window, u8),
    /// Share of the time in which at least this layer is shown.
    LayerShare(Window, u8),
    /// Changes of the direction in which the layer changes, per minute.
    LayerReversals(Window),
    /// Longest time without a frame.
    LongestGap(Window),
    /// Time until the server announces that it forwards nothing.
    Withheld(Window),
    /// Announcements that the server forwards nothing, per minute.
    Withdrawals(Window),
    /// Time until frames are rendered.
    Resumed(Window),
    /// Time until the queueing delay stays below this.
    QueueDrained(Window, Duration),
    /// 95th percentile of the queueing delay, over time.
    QueueP95(Window),
    /// Share of packets that the queue of the bottleneck dropped.
    CongestionLoss(Window),
    /// Highest bitrate offered in any second, as a multiple of what the line carries.
    OfferedPeak(Window),
    /// Longest time for which more than this multiple of the line is offered, over half a second.
    Overshoot(Window, f64),
    /// Bitrate of what is rendered, as a share of the best layer that fits the line. Like all bitrates
    /// below, it counts frames that are seen, not bytes that arrive.
    Utilisation(Window),
    /// Fairness of the bitrates of all viewers (Jain).
    Fairness(Window),
    /// Fairness of the bitrates of all videos of each viewer (Jain).
    VideoFairness(Window),
    /// Highest bitrate of a viewer divided by the lowest.
    RateRatio(Window),
    /// Bitrate of each viewer, in kbit/s.
    Rate(Window),
    /// Bitrate of each viewer, as a share of that in another window.
    RateAgainst(Window, Window),
    /// Time until this viewer has this bitrate over two seconds, in kbit/s.
    RateReached(Window, &'static str, f64),
    /// Growth of the bitrates of the others from the first to the second window, as a share of what this
    /// viewer received in the first.
    FreedShare(Window, Window, &'static str),
    /// Time until the estimate is at least this, in kbit/s.
    EstimateReached(Window, f64),
    /// Time until the estimate is at most this multiple of the line.
    EstimateFits(Window, f64),
    /// Longest time for which the estimate is above this multiple of the line.
    EstimateAbove(Window, f64),
    /// Largest fall of the estimate from its highest value in a minute, as a share of it.
    EstimateDrawdown(Window),
    /// Lowest estimate, in kbit/s.
    EstimateMin(Window),
    /// Highest estimate, in kbit/s.
    EstimateMax(Window),
}

impl Window {
    /// Returns a window in seconds.
    pub const fn secs(from: u64, until: u64) -> Self {
        Self {
            from: Duration::from_secs(from),
            until: Duration::from_secs(until),
        }
    }

    /// Returns the length of the window.
    pub fn length(self) -> Duration {
        self.until.saturating_sub(self.from)
    }

    /// Returns the indices of its samples.
    pub fn indices(self) -> Range<usize> {
        index_at(self.from)..index_at(self.until)
    }
}
