//! Writes the bytes of a consumer's packet: its own header, then the publisher's payload
//! (RFC 3550 §5.1, RFC 4588 §4).

use arrayvec::ArrayVec;
use watersmeet_wire::rtp::extension::{ExtensionKind, write_transport_seq};
use watersmeet_wire::rtp::{self, OSN_LEN, RtpHeaderFields, write_osn};

use super::Consumer;
use super::redundant_audio;
use super::rewrite::low_16_bits;
use crate::consumer::queued_packet::{PacketPatch, QueuedPacket, Transmission, WireFields};
use crate::packet::Incoming;
use crate::packet_cache::{CachedPacket, PacketInCache};

/// Extensions copied unchanged from the publisher's packet.
const FORWARDED: [ExtensionKind; 5] = [
    ExtensionKind::AudioLevel,
    ExtensionKind::VideoOrientation,
    ExtensionKind::DependencyDescriptor,
    ExtensionKind::AbsCaptureTime,
    ExtensionKind::PlayoutDelay,
];

/// Extensions left out, in this order, where a packet would otherwise need IP fragments. The others
/// are needed to decode, to route, or to estimate the bandwidth.
const OPTIONAL: [ExtensionKind; 4] = [
    ExtensionKind::AbsCaptureTime,
    ExtensionKind::PlayoutDelay,
    ExtensionKind::AudioLevel,
    ExtensionKind::AbsSendTime,
];

/// Length of a packet, not yet encrypted, that Ethernet carries in one piece over IPv4 and IPv6: 1,452
/// without the longest SRTP tag.
const UNFRAGMENTED_LEN_MAX: usize = 1_436;

/// Upper bound of the length of a header with all extensions. Shorter packets are not measured.
const HEADER_LEN_MAX: usize = 256;

/// Ids and values of the header extensions of a packet.
type Extensions<'a> = ArrayVec<(u8, &'a [u8]), { FORWARDED.len() + 3 }>;

/// Values of the extensions that are set per packet.
#[derive(Debug, Default)]
struct Values {
    abs_send_time: [u8; 3],
    transport_seq: [u8; 2],
}

impl Consumer {
    /// Writes a packet, not yet encrypted, into `out`. Returns the lengths of the header and of the
    /// whole packet; `None` when it does not fit.
    #[inline]
    pub fn write(
        &self,
        packet: &QueuedPacket,
        cached: PacketInCache<'_>,
        wire: &WireFields,
        out: &mut [u8],
    ) -> Option<(usize, usize)> {
        let incoming = cached.packet.incoming()?;
        let header_len = self.write_header(packet, cached, wire, incoming, out)?;
        let mut at = header_len;
        if let Transmission::Rtx(original) = packet.transmission {
            at += write_osn(out.get_mut(at..)?, original)?;
        }
        if packet.patch.redundancy.is_none() {
            let payload = cached.packet.payload();
            let body = out.get_mut(at..at + payload.len())?;
            body.copy_from_slice(payload);
            if packet.patch != PacketPatch::default() {
                packet.patch.apply(body);
            }
            at += payload.len();
        } else {
            at += redundant_audio::write(packet, cached, out.get_mut(at..)?)?;
        }
        if wire.padding > 0 {
            let padding = out.get_mut(at..at + usize::from(wire.padding))?;
            let (count, zeros) = padding.split_last_mut()?;
            zeros.fill(0);
            *count = wire.padding;
        }
        Some((header_len, at + usize::from(wire.padding)))
    }

    /// Returns the length of the packet that [`Self::write`] writes. Only the padding of a repeated
    /// packet is included.
    #[inline]
    pub fn packet_len(&self, packet: &QueuedPacket, cached: PacketInCache<'_>) -> Option<usize> {
        let values = Values::default();
        let payload_len = payload_len(packet, cached);
        let extensions = self.extensions(cached.packet, &values, payload_len)?;
        let header_len = rtp::header_len(&extensions);
        let padding = match packet.transmission {
            Transmission::First | Transmission::Rtx(_) => 0,
            Transmission::Repetition => usize::from(self.written_fields(packet)?.padding),
        };
        Some(header_len + payload_len + padding)
    }

    fn write_header(
        &self,
        packet: &QueuedPacket,
        cached: PacketInCache<'_>,
        wire: &WireFields,
        incoming: &Incoming,
        out: &mut [u8],
    ) -> Option<usize> {
        let values = Values {
            abs_send_time: wire.abs_send_time.write(),
            transport_seq: write_transport_seq(wire.transport_seq),
        };
        let extensions = self.extensions(cached.packet, &values, payload_len(packet, cached))?;
        let fields = RtpHeaderFields {
            marker: incoming.marker || packet.patch.sets_marker,
            padding: wire.padding > 0,
            pt: self.outgoing_pt(packet, incoming.pt)?,
            seq: low_16_bits(packet.seq),
            timestamp: packet.timestamp,
            ssrc: self.outgoing_ssrc(packet),
        };
        rtp::write_header(out, &fields, &extensions)
    }

    /// Returns the extensions of a packet: the consumer's own, and those copied from the publisher.
    /// Optional ones are left out while the packet is too long with them.
    #[inline]
    fn extensions<'a>(
        &'a self,
        cached: &'a CachedPacket,
        values: &'a Values,
        payload_len: usize,
    ) -> Option<Extensions<'a>> {
        let mut extensions = Extensions::new();
        let mut add = |kind, value| {
            if let Some(id) = self.extension_ids.id(kind) {
                extensions.push((id, value));
            }
        };
        if !self.mid.is_empty() {
            add(ExtensionKind::Mid, self.mid.as_bytes());
        }
        add(ExtensionKind::AbsSendTime, &values.abs_send_time);
        add(ExtensionKind::TransportWideCc, &values.transport_seq);
        let (spans, bytes) = cached.extensions()?;
        for kind in FORWARDED {
            if let Some(value) = spans.value(kind, bytes) {
                add(kind, value);
            }
        }
        if payload_len + HEADER_LEN_MAX > UNFRAGMENTED_LEN_MAX {
            self.leave_out_optional(&mut extensions, payload_len);
        }
        Some(extensions)
    }

    /// Removes optional extensions until the packet needs no IP fragments, or none is left.
    #[cold]
    fn leave_out_optional(&self, extensions: &mut Extensions<'_>, payload_len: usize) {
        for kind in OPTIONAL {
            if rtp::header_len(extensions) + payload_len <= UNFRAGMENTED_LEN_MAX {
                return;
            }
            let left_out = self.extension_ids.id(kind);
            extensions.retain(|(id, _)| Some(*id) != left_out);
        }
    }
}

/// Returns the length of everything behind the header.
#[inline]
fn payload_len(packet: &QueuedPacket, cached: PacketInCache<'_>) -> usize {
    let osn_len = match packet.transmission {
        Transmission::Rtx(_) => OSN_LEN,
        Transmission::First | Transmission::Repetition => 0,
    };
    osn_len + redundant_audio::payload_len(packet, cached)
}
