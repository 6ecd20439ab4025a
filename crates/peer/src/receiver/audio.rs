//! Received audio stream: counts of packets and the time of the first one. Lost packets are not
//! retransmitted.

use std::time::Duration;

use watersmeet_wire::units::Time;

use super::packet_stats::{PacketArrival, PacketStats};
use super::violation::Violation;
use crate::signature::{PacketSignature, SIGNATURE_LEN};

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
}

impl AudioTrack {
    /// Creates a track that has received nothing.
    pub fn new(now: Time) -> Self {
        Self {
            packet_stats: PacketStats::default(),
            created_at: now,
            first: None,
            speech_packets: 0,
            silence_packets: 0,
        }
    }

    /// Returns the time from the creation of the track to its first packet.
    pub fn first_packet(&self) -> Option<Duration> {
        self.first.map(|first| first.since(self.created_at))
    }

    /// Handles a packet; returns its signature, unless it is silence.
    ///
    /// # Errors
    /// The violation that the packet shows.
    pub fn receive(
        &mut self,
        now: Time,
        seq: u16,
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
        self.first.get_or_insert(now);
        if payload.len() <= SIGNATURE_LEN {
            self.silence_packets += 1;
            return Ok(None);
        }
        self.speech_packets += 1;
        let signature = payload.get(1..).and_then(PacketSignature::parse);
        signature.map(Some).ok_or(Violation::CorruptPayload { seq })
    }
}
