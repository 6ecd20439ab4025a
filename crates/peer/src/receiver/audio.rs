//! Received audio stream: counts of packets, those that arrive too late to be played, and the time of
//! the first one. Missing packets are requested where the server announces that it retransmits them, and
//! taken from redundancy (RFC 2198) where later packets repeat them.

use std::time::Duration;

use watersmeet_wire::codec::RedPayload;
use watersmeet_wire::units::{Pt, SeqNo, Time};

use super::nack::NackList;
use super::packet_stats::{PacketArrival, PacketStats};
use super::playout::PlayoutTiming;
use super::violation::Violation;
use crate::negotiation::AUDIO_CLOCK;
use crate::signature::{PacketSignature, SIGNATURE_LEN};

/// Packets of a second, after which a missing one is not requested any more.
const PLAYED_PACKETS: u64 = 50;

/// Time that a jitter buffer holds every packet, beyond the delay of the slowest ones: two packets, as
/// NetEq does at least.
const PLAYOUT_MARGIN: Duration = Duration::from_millis(40);

/// Received audio stream.
#[derive(Debug)]
pub struct AudioTrack {
    /// Packet statistics.
    pub packet_stats: PacketStats,
    /// Time at which the track was created.
    created_at: Time,
    /// Arrival of the first packet.
    first: Option<Time>,
    /// Number of packets with speech.
    pub speech_packets: u64,
    /// Number of packets with silence.
    pub silence_packets: u64,
    /// Number of packets that arrived too late to be played.
    pub late_packets: u64,
    /// Number of lost packets that later ones repeated.
    pub recovered: u64,
    /// Playout times.
    playout: PlayoutTiming,
    /// Missing packets to request; absent when the server does not retransmit.
    nacks: Option<NackList>,
}

impl AudioTrack {
    /// Creates a track that has received nothing. With `nack` it requests missing packets.
    pub fn new(now: Time, nack: bool) -> Self {
        Self {
            nacks: nack.then(NackList::default),
            packet_stats: PacketStats::default(),
            created_at: now,
            first: None,
            speech_packets: 0,
            silence_packets: 0,
            late_packets: 0,
            recovered: 0,
            playout: PlayoutTiming::new(AUDIO_CLOCK),
        }
    }

    /// Returns the time from the creation of the track to its first packet.
    pub fn first_packet(&self) -> Option<Duration> {
        self.first.map(|first| first.since(self.created_at))
    }

    /// Returns the packets to request now.
    pub fn take_nacks(&mut self, now: Time, rtt: Duration) -> Vec<u16> {
        let due = self.nacks.as_mut().map(|nacks| nacks.take_due(now, rtt));
        due.into_iter().flatten().map(SeqNo::raw).collect()
    }

    /// Returns when the next request is due.
    pub fn poll_timeout(&self, rtt: Duration) -> Time {
        let nacks = self.nacks.as_ref();
        nacks.map_or(Time::FAR_FUTURE, |nacks| nacks.poll_timeout(rtt))
    }

    /// Handles a packet; returns its signature, unless it is silence.
    ///
    /// # Errors
    /// The violation that the packet shows.
    pub fn receive(
        &mut self,
        now: Time,
        seq: u16,
        timestamp: u32,
        payload: &[u8],
    ) -> Result<Option<PacketSignature>, Violation> {
        let seq = match self.packet_stats.record(now, seq, false) {
            PacketArrival::Newest(seq) | PacketArrival::FilledGap(seq) => seq,
            PacketArrival::Duplicate => return Ok(None),
            PacketArrival::SequenceJump => {
                return Err(Violation::SequenceJump {
                    ssrc: Default::default(),
                });
            }
        };
        let is_first = self.first.is_none();
        self.first.get_or_insert(now);
        self.play(now, timestamp, is_first);
        if let Some(nacks) = &mut self.nacks {
            nacks.record_packet(now, seq);
            // Later than that it would not be played any more.
            nacks.drop_before(SeqNo(seq.0.saturating_sub(PLAYED_PACKETS)));
        }
        if payload.len() <= SIGNATURE_LEN {
            self.silence_packets += 1;
            return Ok(None);
        }
        self.speech_packets += 1;
        let signature = payload.get(1..).and_then(PacketSignature::parse);
        signature.map(Some).ok_or(Violation::CorruptPayload { seq })
    }

    /// Handles a packet with redundancy; returns the signature of its own payload, unless that is silence.
    /// `pt` is the payload type of all payloads in it.
    ///
    /// # Errors
    /// The violation that the packet shows.
    pub fn receive_redundant(
        &mut self,
        now: Time,
        seq: u16,
        timestamp: u32,
        payload: &[u8],
        pt: Pt,
    ) -> Result<Option<PacketSignature>, Violation> {
        let wrong = Violation::WrongRedundancy {
            ssrc: Default::default(),
        };
        let red = RedPayload::parse(payload).ok_or(wrong)?;
        if red.primary_pt != pt || red.redundant.iter().any(|block| block.pt != pt) {
            return Err(wrong);
        }
        let signature = self.receive(now, seq, timestamp, red.primary)?;
        let Some(own) = signature else {
            return Ok(None);
        };
        for block in &red.redundant {
            if block.payload.len() <= SIGNATURE_LEN {
                continue;
            }
            let earlier = block.payload.get(1..).and_then(PacketSignature::parse);
            let earlier = earlier.filter(|it| is_repeated_by(it, &own, block.timestamp_offset));
            let earlier = earlier.ok_or(wrong)?;
            let distance = low_16_bits(own.frame.wrapping_sub(earlier.frame));
            self.recover(now, seq.wrapping_sub(distance), block.timestamp(timestamp));
        }
        Ok(signature)
    }

    /// Handles a payload that another packet repeats.
    fn recover(&mut self, now: Time, seq: u16, timestamp: u32) {
        let Some(seq) = self.packet_stats.recover(seq) else {
            return;
        };
        self.play(now, timestamp, false);
        self.recovered += 1;
        self.speech_packets += 1;
        if let Some(nacks) = &mut self.nacks {
            nacks.record_packet(now, seq);
        }
    }

    /// Counts a payload as late if it is, and learns from its delay.
    fn play(&mut self, now: Time, timestamp: u32, is_first: bool) {
        let due = self.playout.render_time(timestamp) + PLAYOUT_MARGIN;
        self.late_packets += u64::from(!is_first && now > due);
        self.playout.record_frame(now, timestamp);
    }
}

/// Returns whether a payload is an earlier one of the same source, captured as long before as its timestamp
/// says, to one tick.
fn is_repeated_by(earlier: &PacketSignature, own: &PacketSignature, timestamp_offset: u16) -> bool {
    let age = own.captured.since(earlier.captured).as_micros();
    let ticks = age * u128::from(AUDIO_CLOCK) / 1_000_000;
    (earlier.room, earlier.source) == (own.room, own.source)
        && ticks.abs_diff(timestamp_offset.into()) <= 1
}

/// Returns the low 16 bits of a number.
#[expect(clippy::cast_possible_truncation, reason = "wanted modulo 2^16")]
const fn low_16_bits(number: u32) -> u16 {
    number as u16
}
