//! Pacer of outgoing packets. Audio is sent at once; retransmissions and then video are sent in
//! steps of 5 ms at 2.5 times the target bitrate, so that keyframes cause no bursts (the factor of
//! libwebrtc).

use std::collections::VecDeque;
use std::time::Duration;

use watersmeet_wire::units::{Bitrate, Time};

use super::stream::PacketContent;

/// Most packets in a queue: two seconds of keyframes of all encodings.
pub const PACED_MAX: usize = 4_096;

/// Interval between two steps.
const STEP: Duration = Duration::from_millis(5);
const STEPS_PER_SECOND: u64 = 200;

/// Pacing rate relative to the target bitrate.
const PACE: f64 = 2.5;

/// Packet in the pacer.
#[derive(Debug)]
pub enum PacedPacket {
    /// A new packet.
    Media {
        /// Index of its stream.
        stream: usize,
        /// Contents of the packet.
        content: PacketContent,
        /// Capture time.
        captured: Time,
    },
    /// A packet to retransmit.
    Retransmission {
        /// Index of its stream.
        stream: usize,
        /// Sequence number of the original packet.
        seq: u16,
    },
}

/// Queues of outgoing packets.
#[derive(Debug)]
pub struct Pacer {
    /// Audio packets, sent without pacing.
    audio: VecDeque<PacedPacket>,
    /// Retransmissions, sent before video.
    retransmissions: VecDeque<PacedPacket>,
    /// Video packets.
    video: VecDeque<PacedPacket>,
    /// Pacing rate.
    rate: Bitrate,
    /// Bytes that may be sent in this step; negative after a packet that exceeded the rest.
    allowance: i64,
    /// Start of the next step.
    step_at: Time,
    /// Packets dropped because their queue was full.
    pub dropped: u64,
}

impl Pacer {
    /// Creates an empty pacer.
    pub const fn new(now: Time) -> Self {
        Self {
            audio: VecDeque::new(),
            retransmissions: VecDeque::new(),
            video: VecDeque::new(),
            rate: Bitrate::from_kbps(300),
            allowance: 0,
            step_at: now,
            dropped: 0,
        }
    }

    /// Sets the target bitrate of all encoders together.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bitrates are positive and far below 2^53"
    )]
    pub fn set_target(&mut self, target: Bitrate) {
        self.rate = Bitrate::from_bps((target.as_bps() as f64 * PACE).max(300_000.0) as u64);
    }

    /// Queues audio.
    pub fn push_audio(&mut self, packet: PacedPacket) {
        push(&mut self.audio, packet, &mut self.dropped);
    }

    /// Queues video.
    pub fn push_video(&mut self, packet: PacedPacket) {
        push(&mut self.video, packet, &mut self.dropped);
    }

    /// Queues a retransmission.
    pub fn push_retransmission(&mut self, packet: PacedPacket) {
        push(&mut self.retransmissions, packet, &mut self.dropped);
    }

    /// Returns when a packet may be sent.
    pub fn poll_timeout(&self) -> Time {
        if !self.audio.is_empty() {
            Time::ZERO
        } else if self.retransmissions.is_empty() && self.video.is_empty() {
            Time::FAR_FUTURE
        } else if self.allowance > 0 {
            Time::ZERO
        } else {
            self.step_at
        }
    }

    /// Returns the next packet that may be sent now.
    pub fn pop(&mut self, now: Time) -> Option<PacedPacket> {
        if let Some(packet) = self.audio.pop_front() {
            return Some(packet);
        }
        if self.retransmissions.is_empty() && self.video.is_empty() {
            return None;
        }
        if now >= self.step_at {
            let per_step = self.rate.as_bps() / 8 / STEPS_PER_SECOND;
            let per_step = i64::try_from(per_step).unwrap_or(i64::MAX);
            // An idle pacer accumulates no more than one step.
            self.allowance = self.allowance.min(0).saturating_add(per_step);
            self.step_at = now + STEP;
        }
        if self.allowance <= 0 {
            return None;
        }
        self.retransmissions
            .pop_front()
            .or_else(|| self.video.pop_front())
    }

    /// Subtracts a sent packet from the allowance.
    pub fn consume_allowance(&mut self, bytes: usize) {
        self.allowance = self
            .allowance
            .saturating_sub(i64::try_from(bytes).unwrap_or(i64::MAX));
    }
}

fn push(queue: &mut VecDeque<PacedPacket>, packet: PacedPacket, dropped: &mut u64) {
    if queue.len() < PACED_MAX {
        queue.push_back(packet);
    } else {
        *dropped += 1;
    }
}
