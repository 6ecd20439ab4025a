//! Retransmission of a consumer's packets: on its RTX stream (RFC 4588), or as the same packet again.

use std::time::Duration;

use watersmeet_wire::params::MediaKind;
use watersmeet_wire::units::Time;

use super::Consumer;
use super::queued_packet::{QueuedPacket, SendPriority, Transmission, WireFields, low_32_bits};
use super::rewrite::low_16_bits;
use crate::retransmission_budget::Importance;

impl Consumer {
    /// Returns the retransmission of the packet with this sequence number, if it may be sent now, and what
    /// it is needed for.
    /// `round_trip` is the measured round-trip time of the transport. When it is sent,
    /// [`Self::record_retransmission`] must be called.
    pub fn due_retransmission(
        &self,
        now: Time,
        wanted: u16,
        round_trip: Option<Duration>,
    ) -> Option<(QueuedPacket, Importance)> {
        let sent = self.sent.due(now, wanted, round_trip)?;
        let (seq, transmission) = match &self.rtx {
            Some(rtx) => (rtx.next_seq, Transmission::Rtx(wanted)),
            None => (self.sequence.number_of(wanted), Transmission::Repetition),
        };
        let number = self.sequence.number_of(wanted);
        let is_before_keyframe = self.keyframe_sent.is_some_and(|keyframe| number < keyframe);
        let importance = match self.kind {
            MediaKind::Audio => Importance::Audio,
            MediaKind::Video if sent.temporal_layer == 0 && !is_before_keyframe => {
                Importance::BaseLayer
            }
            MediaKind::Video => Importance::Dispensable,
        };
        let packet = QueuedPacket {
            consumer: self.key,
            stream: sent.stream,
            origin: sent.origin,
            seq,
            transmission,
            priority: SendPriority::of(self.kind, transmission),
            queued_millis: low_32_bits(now.as_millis()),
            timestamp: sent.timestamp,
            patch: sent.patch,
        };
        Some((packet, importance))
    }

    /// Records that the packet with this sequence number is retransmitted.
    pub fn record_retransmission(&mut self, now: Time, wanted: u16) {
        if self.sent.record_resend(now, wanted) {
            self.distance_control.record_request();
        }
        if let Some(rtx) = &mut self.rtx {
            rtx.next_seq += 1;
        }
    }

    /// Returns the fields with which a packet was first sent; `None` when they are not known any more.
    pub fn written_fields(&self, packet: &QueuedPacket) -> Option<WireFields> {
        self.written.fields(low_16_bits(packet.seq))
    }

    /// Checks a written packet before it is encrypted: one that is sent again must be the same, byte
    /// for byte. Remembers a packet that may be sent again.
    #[inline]
    pub fn check_written(
        &mut self,
        packet: &QueuedPacket,
        fields: &WireFields,
        bytes: &[u8],
    ) -> bool {
        if !self.repeats {
            return true;
        }
        let seq = low_16_bits(packet.seq);
        match packet.transmission {
            Transmission::First => {
                let capacity = self.sent.capacity();
                self.written.record(capacity, seq, fields, bytes);
                true
            }
            Transmission::Rtx(_) => true,
            Transmission::Repetition => self.written.is_same(seq, bytes),
        }
    }
}
