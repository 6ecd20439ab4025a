//! Retransmission of a consumer's packets: on its RTX stream (RFC 4588), or as the same packet again.

use std::time::Duration;

use watersmeet_wire::params::MediaKind;
use watersmeet_wire::units::{Pt, Time};

use super::Consumer;
use super::queued_packet::{QueuedPacket, SendPriority, Transmission, WireFields, low_32_bits};
use super::rewrite::low_16_bits;
use crate::retransmission_budget::Importance;

impl Consumer {
    /// Returns the packet with this sequence number, to be sent again as it was, if it may be sent now, and
    /// what it is needed for. `round_trip` is the measured round-trip time of the transport.
    /// [`Self::on_retransmission_stream`] decides how it is sent; when it is sent,
    /// [`Self::record_retransmission`] must be called.
    pub fn due_retransmission(
        &self,
        now: Time,
        wanted: u16,
        round_trip: Option<Duration>,
    ) -> Option<(QueuedPacket, Importance)> {
        let sent = self.sent.due(now, wanted, round_trip)?;
        let number = self.sequence.number_of(wanted);
        let transmission = Transmission::Repetition;
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
            seq: number,
            transmission,
            priority: SendPriority::of(self.kind, transmission, self.screen.is_some()),
            queued_millis: low_32_bits(now.as_millis()),
            timestamp: sent.timestamp,
            patch: sent.patch,
        };
        Some((packet, importance))
    }

    /// Returns how a packet is sent again whose media has the payload type `media`: on the retransmission
    /// stream, or as it was. `None` when the peer supports neither for that codec.
    pub fn on_retransmission_stream(
        &self,
        packet: QueuedPacket,
        media: Pt,
    ) -> Option<QueuedPacket> {
        let format = self.format(media)?;
        let Some(rtx) = self.rtx.as_ref().filter(|_| format.rtx_pt.is_some()) else {
            return format.repeats.then_some(packet);
        };
        Some(QueuedPacket {
            seq: rtx.next_seq,
            transmission: Transmission::Rtx(low_16_bits(packet.seq)),
            ..packet
        })
    }

    /// Keeps packets for this time, to retransmit them.
    pub fn keep_packets_for(&mut self, span: Duration) {
        self.sent.keep_for(span);
    }

    /// Records that a packet is retransmitted, which first had the sequence number `wanted`.
    pub fn record_retransmission(&mut self, now: Time, wanted: u16, packet: &QueuedPacket) {
        if self.sent.record_resend(now, wanted) {
            self.distance_control.record_request();
        }
        if let Some(rtx) = &mut self.rtx
            && packet.transmission != Transmission::Repetition
        {
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

#[cfg(test)]
mod tests {
    use serde_json::json;
    use watersmeet_wire::units::SeqNo;

    use super::*;
    use crate::consumer::ConsumerSetup;
    use crate::consumer::queued_packet::PacketPatch;
    use crate::ids::ConsumerId;
    use crate::layer_structure::LayerStructure;
    use crate::slots::{ConsumerKey, Key as _, ProducerKey, TransportKey};

    /// A consumer of VP8 (101) with RTX (102), H.264 (103) without, and VP9 (104) without and without NACK.
    fn consumer() -> Consumer {
        let nack = json!([{"type": "nack"}]);
        let codec = |name: &str, pt: u8, feedback| {
            json!({
                "mimeType": format!("video/{name}"), "payloadType": pt, "clockRate": 90_000,
                "rtcpFeedback": feedback,
            })
        };
        let rtx = json!({
            "mimeType": "video/rtx", "payloadType": 102, "clockRate": 90_000,
            "parameters": {"apt": 101},
        });
        let rtp = json!({
            "codecs": [
                codec("VP8", 101, nack.clone()), rtx, codec("H264", 103, nack),
                codec("VP9", 104, json!([])),
            ],
            "encodings": [{"ssrc": 1, "rtx": {"ssrc": 2}}],
        });
        Consumer::new(ConsumerSetup {
            id: ConsumerId(uuid::Uuid::from_u128(1)),
            key: ConsumerKey::from_index(0),
            producer: ProducerKey::from_index(0),
            transport: TransportKey::from_index(0),
            kind: MediaKind::Video,
            rtp: serde_json::from_value(rtp).unwrap(),
            layers: LayerStructure::Streams(1),
            is_screen: false,
            preferred_layers: None,
            priority: 1,
            degradation_preference: crate::allocation::DegradationPreference::MaintainFramerate,
            paused: false,
            first_seq: 1,
        })
    }

    #[test]
    fn each_codec_is_sent_again_as_the_peer_supports_it() {
        let mut consumer = consumer();
        let packet = QueuedPacket {
            consumer: consumer.key,
            stream: 0,
            origin: SeqNo::first(7),
            seq: SeqNo::first(9).0,
            transmission: Transmission::Repetition,
            priority: SendPriority::Retransmission,
            queued_millis: 0,
            timestamp: 0,
            patch: PacketPatch::default(),
        };
        let first_seq = SeqNo::first(1).0;
        let sent = |consumer: &Consumer, pt| consumer.on_retransmission_stream(packet, Pt(pt));
        let rtx = sent(&consumer, 101).unwrap();
        assert_eq!(
            (rtx.seq, rtx.transmission),
            (first_seq, Transmission::Rtx(9))
        );
        let repetition = sent(&consumer, 103).unwrap();
        assert_eq!(repetition.transmission, Transmission::Repetition);
        assert_eq!(repetition.seq, packet.seq);
        assert!(consumer.repeats && sent(&consumer, 104).is_none());

        // Only retransmissions on the stream of their own take its numbers.
        consumer.record_retransmission(Time::ZERO, 9, &repetition);
        assert_eq!(sent(&consumer, 101).unwrap().seq, first_seq);
        consumer.record_retransmission(Time::ZERO, 9, &rtx);
        assert_eq!(sent(&consumer, 101).unwrap().seq, first_seq + 1);
    }
}
