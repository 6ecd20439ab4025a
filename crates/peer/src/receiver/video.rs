//! Received video: assembles packets to frames, renders frames in time, and requests missing
//! packets and keyframes. Time-outs are those of libwebrtc: a keyframe is requested after 200 ms
//! without a frame while one is needed, and after three seconds otherwise.

use std::time::Duration;

use watersmeet_wire::units::{Map, SeqNo, Time};

use super::decoder::Decoder;
use super::frame_assembler::{AssembledFrame, FrameAssembler, FramePacket};
use super::nack::NackList;
use super::packet_stats::{PacketArrival, PacketStats};
use super::playback_quality::PlaybackQuality;
use super::playout::PlayoutTiming;
use super::violation::Violation;
use crate::negotiation::VIDEO_CLOCK;
use crate::signature::PacketSignature;

/// Time to wait for a keyframe before it is requested, and requested again.
const KEYFRAME_TIMEOUT: Duration = Duration::from_millis(200);

/// Time to wait for any frame before a keyframe is requested.
const FRAME_TIMEOUT: Duration = Duration::from_secs(3);

/// Time without packets after which the video counts as not being sent.
const INACTIVE_AFTER: Duration = Duration::from_secs(5);

/// Time without packets that counts as an outage rather than jitter.
const OUTAGE: Duration = Duration::from_millis(200);

/// Most complete frames that wait to be rendered.
const FRAMES_MAX: usize = 800;

/// Packet of a video stream.
#[derive(Debug, Clone, Copy)]
pub struct VideoPacket<'a> {
    /// Sequence number.
    pub seq: u16,
    /// RTP timestamp.
    pub timestamp: u32,
    /// Marker bit: the packet ends a frame.
    pub marker: bool,
    /// VP8 payload.
    pub payload: &'a [u8],
    /// Whether it was recovered by a retransmission.
    pub repaired: bool,
}

/// Received video stream.
#[derive(Debug)]
pub struct VideoTrack {
    /// Packet statistics.
    pub packet_stats: PacketStats,
    /// Playback quality.
    pub quality: PlaybackQuality,
    /// Missing packets to request.
    nacks: NackList,
    /// Packets of incomplete frames.
    assembler: FrameAssembler,
    /// Complete frames that wait to be rendered.
    complete_frames: Map<SeqNo, AssembledFrame>,
    /// Decoder model.
    decoder: Decoder,
    /// Rendering times.
    playout: PlayoutTiming,
    /// Whether a keyframe is needed.
    needs_keyframe: bool,
    /// Time of the last rendered frame or keyframe request; `None` before the first packet.
    waiting_since: Option<Time>,
    /// Arrival of the last packet.
    received_at: Time,
    /// Whether a keyframe must be requested now.
    pli_pending: bool,
    /// Number of requested keyframes.
    pub plis: u64,
    /// Number of requested retransmissions.
    pub nacked: u64,
    /// Number of complete frames that arrived too late to be rendered.
    pub late_frames: u64,
    /// Number of rendered frames since the track was created.
    pub rendered: u64,
    /// Number of rendered keyframes.
    pub keyframes: u64,
    /// Signature of the last rendered frame.
    pub last_frame: Option<PacketSignature>,
}

impl VideoTrack {
    /// Creates a track that has received nothing.
    pub fn new(now: Time) -> Self {
        Self {
            packet_stats: PacketStats::default(),
            quality: PlaybackQuality::new(now),
            nacks: NackList::default(),
            assembler: FrameAssembler::default(),
            complete_frames: Map::new(),
            decoder: Decoder::default(),
            playout: PlayoutTiming::new(VIDEO_CLOCK),
            needs_keyframe: true,
            waiting_since: None,
            received_at: now,
            pli_pending: false,
            plis: 0,
            nacked: 0,
            late_frames: 0,
            rendered: 0,
            keyframes: 0,
            last_frame: None,
        }
    }

    /// Returns the number of changes to another encoding.
    pub const fn layer_switches(&self) -> u64 {
        self.decoder.layer_switches
    }

    /// Handles a packet; returns its signature, if it has one.
    ///
    /// # Errors
    /// The violation that the packet shows.
    pub fn receive(
        &mut self,
        now: Time,
        packet: &VideoPacket<'_>,
    ) -> Result<Option<PacketSignature>, Violation> {
        let seq = match self.packet_stats.record(now, packet.seq, packet.repaired) {
            PacketArrival::Newest(seq) | PacketArrival::FilledGap(seq) => seq,
            PacketArrival::Duplicate => return Ok(None),
            PacketArrival::SequenceJump => {
                return Err(Violation::SequenceJump {
                    ssrc: Default::default(),
                });
            }
        };
        if now.since(self.received_at) > OUTAGE {
            self.playout.record_outage(packet.timestamp);
        }
        self.received_at = now;
        self.waiting_since.get_or_insert(now);
        if self.nacks.record_packet(now, seq) {
            self.require_keyframe(now);
        }
        if packet.payload.is_empty() {
            // Padding only.
            return Ok(None);
        }
        let packet = FramePacket::parse(packet.timestamp, packet.marker, packet.payload)
            .ok_or(Violation::CorruptPayload { seq })?;
        let signature = packet.signature;
        if self.decoder.last().is_some_and(|last| seq <= last.last) {
            self.late_frames += u64::from(packet.marker);
            return Ok(Some(signature));
        }
        if let Some(frame) = self.assembler.insert(seq, packet) {
            self.playout.record_frame(now, frame.timestamp);
            if self.complete_frames.is_empty() && self.decoder.last().is_none() && !frame.keyframe {
                self.request_keyframe(now);
            }
            self.complete_frames.insert(frame.first, frame);
            while self.complete_frames.len() > FRAMES_MAX {
                self.complete_frames.pop_first();
            }
        }
        Ok(Some(signature))
    }

    /// Renders the due frames; returns the violations that they show.
    pub fn render_due_frames(&mut self, now: Time) -> Vec<Violation> {
        let mut violations = Vec::new();
        while let Some(frame) = self.next_frame() {
            if self.playout.render_time(frame.timestamp) > now {
                break;
            }
            let after = self.complete_frames.split_off(&SeqNo(frame.last.0 + 1));
            self.late_frames += self.complete_frames.len() as u64 - 1;
            self.complete_frames = after;
            self.assembler.drop_before(frame.last);
            self.nacks.drop_before(frame.last);
            self.rendered += 1;
            self.keyframes += u64::from(frame.keyframe);
            self.needs_keyframe = false;
            self.waiting_since = Some(now);
            self.last_frame = Some(frame.signature);
            self.quality.record_frame(now, frame.signature.captured);
            violations.extend(self.decoder.decode(frame));
        }
        violations
    }

    /// Returns the packets to request now.
    pub fn take_nacks(&mut self, now: Time, rtt: Duration) -> Vec<u16> {
        let due = self.nacks.take_due(now, rtt);
        self.nacked += due.len() as u64;
        due.into_iter().map(SeqNo::raw).collect()
    }

    /// Returns whether to request a keyframe now.
    pub fn take_pli(&mut self, now: Time) -> bool {
        if self.keyframe_due() <= now {
            self.request_keyframe(now);
        }
        let wanted = std::mem::take(&mut self.pli_pending);
        self.plis += u64::from(wanted);
        wanted
    }

    /// Handles a pause of the stream.
    pub fn pause(&mut self, now: Time) {
        self.quality.pause(now);
        self.waiting_since = None;
        self.playout.reset();
    }

    /// Returns when something is due.
    pub fn poll_timeout(&self, rtt: Duration) -> Time {
        let next = self
            .next_frame()
            .map(|frame| self.playout.render_time(frame.timestamp));
        let pli = if self.pli_pending {
            Time::ZERO
        } else {
            self.keyframe_due()
        };
        next.unwrap_or(Time::FAR_FUTURE)
            .min(self.nacks.poll_timeout(rtt))
            .min(pli)
    }

    /// Returns the first frame that can be decoded.
    fn next_frame(&self) -> Option<AssembledFrame> {
        self.complete_frames
            .values()
            .find(|frame| self.decoder.can_decode(frame))
            .copied()
    }

    /// Returns when to request a keyframe. Waits longer while a keyframe is arriving or waits to be
    /// rendered.
    fn keyframe_due(&self) -> Time {
        let Some(since) = self.waiting_since else {
            return Time::FAR_FUTURE;
        };
        let arriving = self.assembler.has_keyframe_start() || self.next_frame().is_some();
        let wait = if self.needs_keyframe && !arriving {
            KEYFRAME_TIMEOUT
        } else {
            FRAME_TIMEOUT
        };
        let due = since + wait;
        if due.since(self.received_at) > INACTIVE_AFTER {
            Time::FAR_FUTURE
        } else {
            due
        }
    }

    fn require_keyframe(&mut self, now: Time) {
        self.needs_keyframe = true;
        self.request_keyframe(now);
    }

    fn request_keyframe(&mut self, now: Time) {
        self.pli_pending = true;
        self.waiting_since = Some(now);
    }
}
