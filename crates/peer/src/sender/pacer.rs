//! Packets on their way out of a browser. Audio leaves at once; retransmissions and then video
//! leave in steps of 5 ms at a few times the rate the encoders aim at, so that a keyframe is spread
//! and not a burst (libwebrtc paces at 2.5 times the target).

use std::collections::VecDeque;
use std::time::Duration;

use watersmeet_wire::units::{Bitrate, Time};

use super::stream::Piece;

/// Most packets that wait: two seconds of keyframes of every encoding.
pub const PACED_MAX: usize = 4_096;

/// Time between two steps.
const STEP: Duration = Duration::from_millis(5);
const STEPS_PER_SECOND: u64 = 200;

/// How much faster than their target the encoders' output may leave.
const PACE: f64 = 2.5;

/// A packet that waits.
#[derive(Debug)]
pub enum Waiting {
    /// A new packet.
    New {
        /// Which stream.
        stream: usize,
        /// What it carries.
        piece: Piece,
        /// When it was captured.
        captured: Time,
    },
    /// A packet sent before.
    Again {
        /// Which stream.
        stream: usize,
        /// Its number.
        seq: u16,
    },
}

/// The queue before the network.
#[derive(Debug)]
pub struct Pacer {
    /// Audio: never held back.
    audio: VecDeque<Waiting>,
    /// Retransmissions.
    again: VecDeque<Waiting>,
    /// Video.
    video: VecDeque<Waiting>,
    /// What leaves per second.
    rate: Bitrate,
    /// Bytes that may leave in this step; negative when the last packet took more than was left.
    allowance: i64,
    /// When the next step begins.
    step_at: Time,
    /// Packets that found the queue full.
    pub dropped: u64,
}

impl Pacer {
    /// A pacer for encoders that aim at nothing yet.
    pub const fn new(now: Time) -> Self {
        Self {
            audio: VecDeque::new(),
            again: VecDeque::new(),
            video: VecDeque::new(),
            rate: Bitrate::from_kbps(300),
            allowance: 0,
            step_at: now,
            dropped: 0,
        }
    }

    /// Sets what the encoders aim at together.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a plain rate"
    )]
    pub fn set_target(&mut self, target: Bitrate) {
        self.rate = Bitrate::from_bps((target.as_bps() as f64 * PACE).max(300_000.0) as u64);
    }

    /// Queues audio.
    pub fn push_audio(&mut self, waiting: Waiting) {
        push(&mut self.audio, waiting, &mut self.dropped);
    }

    /// Queues video.
    pub fn push_video(&mut self, waiting: Waiting) {
        push(&mut self.video, waiting, &mut self.dropped);
    }

    /// Queues a retransmission.
    pub fn push_again(&mut self, waiting: Waiting) {
        push(&mut self.again, waiting, &mut self.dropped);
    }

    /// When something may leave.
    pub fn poll_timeout(&self) -> Time {
        if !self.audio.is_empty() {
            Time::ZERO
        } else if self.again.is_empty() && self.video.is_empty() {
            Time::FAR_FUTURE
        } else if self.allowance > 0 {
            Time::ZERO
        } else {
            self.step_at
        }
    }

    /// The next packet that may leave now.
    pub fn pop(&mut self, now: Time) -> Option<Waiting> {
        if let Some(waiting) = self.audio.pop_front() {
            return Some(waiting);
        }
        if self.again.is_empty() && self.video.is_empty() {
            return None;
        }
        if now >= self.step_at {
            let per_step = self.rate.as_bps() / 8 / STEPS_PER_SECOND;
            let per_step = i64::try_from(per_step).unwrap_or(i64::MAX);
            // An idle pacer does not save up: a step's worth at most.
            self.allowance = self.allowance.min(0).saturating_add(per_step);
            self.step_at = now + STEP;
        }
        if self.allowance <= 0 {
            return None;
        }
        self.again.pop_front().or_else(|| self.video.pop_front())
    }

    /// Accounts for a packet that left.
    pub fn spend(&mut self, bytes: usize) {
        self.allowance = self
            .allowance
            .saturating_sub(i64::try_from(bytes).unwrap_or(i64::MAX));
    }
}

fn push(queue: &mut VecDeque<Waiting>, waiting: Waiting, dropped: &mut u64) {
    if queue.len() < PACED_MAX {
        queue.push_back(waiting);
    } else {
        *dropped += 1;
    }
}
