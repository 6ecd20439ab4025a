//! One received video: packets become frames, frames are shown in time, what is missing is asked for
//! again, and a keyframe is asked for when nothing else helps. The order of things is libwebrtc's:
//! 200 ms without a frame while a keyframe is needed, three seconds otherwise.

use std::time::Duration;

use watersmeet_wire::units::{Map, SeqNo, Time};

use super::assembly::{Assembly, Frame, Piece};
use super::decoder::Decoder;
use super::ledger::{Arrival, Ledger};
use super::nack::NackList;
use super::playout::Playout;
use super::smoothness::Smoothness;
use super::violation::Violation;
use crate::tag::Tag;

/// How long to wait for a keyframe before it is asked for, and asked for again.
const KEYFRAME_WAIT: Duration = Duration::from_millis(200);

/// How long to wait for any frame before a keyframe is asked for.
const FRAME_WAIT: Duration = Duration::from_secs(3);

/// A video from which nothing came for so long is not being sent.
const ACTIVE: Duration = Duration::from_secs(5);

/// Nothing for so long is an outage, not jitter.
const OUTAGE: Duration = Duration::from_millis(200);

/// Most whole frames that wait to be shown.
const FRAMES_MAX: usize = 800;

/// Payload of a packet that must be whole to be judged.
#[derive(Debug, Clone, Copy)]
pub struct Media<'a> {
    /// Number of the packet.
    pub seq: u16,
    /// Media time.
    pub timestamp: u32,
    /// Whether it ends a frame.
    pub marker: bool,
    /// VP8.
    pub payload: &'a [u8],
    /// Whether a retransmission brought it.
    pub repaired: bool,
}

/// One received video.
#[derive(Debug)]
pub struct Video {
    /// What became of each packet.
    pub ledger: Ledger,
    /// How it looked.
    pub smoothness: Smoothness,
    /// What is asked for again.
    nacks: NackList,
    /// Packets that wait for their frame.
    assembly: Assembly,
    /// Whole frames that wait to be shown.
    whole: Map<SeqNo, Frame>,
    /// What was shown.
    decoder: Decoder,
    /// When to show it.
    playout: Playout,
    /// Whether only a keyframe helps.
    needs_keyframe: bool,
    /// Since when no frame was shown or keyframe asked for; none before the first packet.
    waiting_since: Option<Time>,
    /// When the last packet came.
    received_at: Time,
    /// Whether a keyframe is to be asked for now.
    pli_wanted: bool,
    /// Keyframes asked for.
    pub plis: u64,
    /// Packets asked for again.
    pub nacked: u64,
    /// Whole frames that came too late to be shown.
    pub late: u64,
    /// Keyframes shown.
    pub keyframes: u64,
    /// The last frame shown.
    pub shown: Option<Tag>,
}

impl Video {
    /// A video of which nothing came yet.
    pub fn new(now: Time) -> Self {
        Self {
            ledger: Ledger::default(),
            smoothness: Smoothness::new(now),
            nacks: NackList::default(),
            assembly: Assembly::default(),
            whole: Map::new(),
            decoder: Decoder::default(),
            playout: Playout::default(),
            needs_keyframe: true,
            waiting_since: None,
            received_at: now,
            pli_wanted: false,
            plis: 0,
            nacked: 0,
            late: 0,
            keyframes: 0,
            shown: None,
        }
    }

    /// How often another encoding was shown.
    pub const fn switches(&self) -> u64 {
        self.decoder.switches
    }

    /// Takes a packet; what was wrong with it. The signature, if it has one, was checked.
    pub fn receive(&mut self, now: Time, media: &Media<'_>) -> Result<Option<Tag>, Violation> {
        let seq = match self.ledger.place(now, media.seq, media.repaired) {
            Arrival::Newest(seq) | Arrival::Filling(seq) => seq,
            Arrival::Known => return Ok(None),
            Arrival::Jump => {
                return Err(Violation::SequenceJump {
                    ssrc: Default::default(),
                });
            }
        };
        if now.since(self.received_at) > OUTAGE {
            self.playout.note_outage(media.timestamp);
        }
        self.received_at = now;
        self.waiting_since.get_or_insert(now);
        if self.nacks.received(now, seq) {
            self.need_keyframe(now);
        }
        if media.payload.is_empty() {
            // Padding: a number and nothing else.
            return Ok(None);
        }
        let piece = Piece::parse(media.timestamp, media.marker, media.payload)
            .ok_or(Violation::Damaged { seq })?;
        let tag = piece.tag;
        if self.decoder.last().is_some_and(|last| seq <= last.last) {
            self.late += u64::from(media.marker);
            return Ok(Some(tag));
        }
        if let Some(frame) = self.assembly.add(seq, piece) {
            self.playout.observe(now, frame.timestamp);
            if self.whole.is_empty() && self.decoder.last().is_none() && !frame.keyframe {
                self.ask_for_keyframe(now);
            }
            self.whole.insert(frame.first, frame);
            while self.whole.len() > FRAMES_MAX {
                self.whole.pop_first();
            }
        }
        Ok(Some(tag))
    }

    /// Shows what is due; what was wrong with it.
    pub fn show(&mut self, now: Time) -> Vec<Violation> {
        let mut violations = Vec::new();
        while let Some(frame) = self.next_frame() {
            if self.playout.due(frame.timestamp) > now {
                break;
            }
            let after = self.whole.split_off(&SeqNo(frame.last.0 + 1));
            self.late += self.whole.len() as u64 - 1;
            self.whole = after;
            self.assembly.forget_before(frame.last);
            self.nacks.forget_before(frame.last);
            self.keyframes += u64::from(frame.keyframe);
            self.needs_keyframe = false;
            self.waiting_since = Some(now);
            self.shown = Some(frame.tag);
            self.smoothness.show(now, frame.tag.captured);
            violations.extend(self.decoder.show(frame));
        }
        violations
    }

    /// Packets to ask for now.
    pub fn take_nacks(&mut self, now: Time, rtt: Duration) -> Vec<u16> {
        let due = self.nacks.due(now, rtt);
        self.nacked += due.len() as u64;
        due.into_iter().map(SeqNo::raw).collect()
    }

    /// Whether to ask for a keyframe now.
    pub fn take_pli(&mut self, now: Time) -> bool {
        if self.keyframe_due() <= now {
            self.ask_for_keyframe(now);
        }
        let wanted = std::mem::take(&mut self.pli_wanted);
        self.plis += u64::from(wanted);
        wanted
    }

    /// Expects nothing: it was paused.
    pub fn hold(&mut self, now: Time) {
        self.smoothness.hold(now);
        self.waiting_since = None;
        self.playout.restart();
    }

    /// When something is to be done.
    pub fn poll_timeout(&self, rtt: Duration) -> Time {
        let next = self
            .next_frame()
            .map(|frame| self.playout.due(frame.timestamp));
        let pli = if self.pli_wanted {
            Time::ZERO
        } else {
            self.keyframe_due()
        };
        next.unwrap_or(Time::FAR_FUTURE)
            .min(self.nacks.poll_timeout(rtt))
            .min(pli)
    }

    /// The first frame that can be shown.
    fn next_frame(&self) -> Option<Frame> {
        self.whole
            .values()
            .find(|frame| self.decoder.can_show(frame))
            .copied()
    }

    /// When a keyframe is to be asked for. A keyframe that is arriving is waited for, and so is one
    /// that waits to be shown.
    fn keyframe_due(&self) -> Time {
        let Some(since) = self.waiting_since else {
            return Time::FAR_FUTURE;
        };
        let arriving = self.assembly.holds_keyframe() || self.next_frame().is_some();
        let wait = if self.needs_keyframe && !arriving {
            KEYFRAME_WAIT
        } else {
            FRAME_WAIT
        };
        let due = since + wait;
        if due.since(self.received_at) > ACTIVE {
            Time::FAR_FUTURE
        } else {
            due
        }
    }

    fn need_keyframe(&mut self, now: Time) {
        self.needs_keyframe = true;
        self.ask_for_keyframe(now);
    }

    fn ask_for_keyframe(&mut self, now: Time) {
        self.pli_wanted = true;
        self.waiting_since = Some(now);
    }
}
