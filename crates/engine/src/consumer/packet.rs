//! The bytes of a departing packet: a header of the consumer's own, and the publisher's payload
//! (RFC 3550 §5.1, RFC 4588 §4).

use arrayvec::ArrayVec;
use watersmeet_wire::rtp::extension::{ExtensionKind, write_transport_seq};
use watersmeet_wire::rtp::{self, OSN_LEN, RtpHeaderFields, write_osn};

use super::{Consumer, raw};
use crate::consumer::queued_packet::{DescriptorPatch, QueuedPacket, WireFields};
use crate::packet_cache::CachedPacket;

/// Extensions that pass from the publisher's packet to the consumer's unchanged.
const PASSED_ON: [ExtensionKind; 5] = [
    ExtensionKind::AudioLevel,
    ExtensionKind::VideoOrientation,
    ExtensionKind::DependencyDescriptor,
    ExtensionKind::AbsCaptureTime,
    ExtensionKind::PlayoutDelay,
];

/// Ids and values of a packet's extensions.
type Extensions<'a> = ArrayVec<(u8, &'a [u8]), { PASSED_ON.len() + 3 }>;

/// The values of extensions that differ from packet to packet.
#[derive(Debug, Default)]
struct Values {
    abs_send_time: [u8; 3],
    transport_seq: [u8; 2],
}

impl Consumer {
    /// Writes a departing packet, still in the clear, into `out`. Returns the length of the header
    /// and of the whole packet; `None` when it does not fit.
    #[inline]
    pub fn write(
        &self,
        departure: &QueuedPacket,
        stored: &CachedPacket,
        stamp: &WireFields,
        out: &mut [u8],
    ) -> Option<(usize, usize)> {
        let incoming = stored.incoming()?;
        let header_len = self.write_header(departure, stored, stamp, incoming.marker, out)?;
        let mut at = header_len;
        if let Some(repeats) = departure.repeats {
            at += write_osn(out.get_mut(at..)?, repeats)?;
        }
        let payload = stored.payload();
        let body = out.get_mut(at..at + payload.len())?;
        body.copy_from_slice(payload);
        if departure.patch != DescriptorPatch::default() {
            departure.patch.apply(body);
        }
        at += payload.len();
        if stamp.padding > 0 {
            let padding = out.get_mut(at..at + usize::from(stamp.padding))?;
            let (count, zeros) = padding.split_last_mut()?;
            zeros.fill(0);
            *count = stamp.padding;
        }
        Some((header_len, at + usize::from(stamp.padding)))
    }

    /// How long [`Self::write`] will find a departing packet, without padding.
    #[inline]
    pub fn packet_len(&self, departure: &QueuedPacket, stored: &CachedPacket) -> Option<usize> {
        let values = Values::default();
        let header_len = rtp::header_len(&self.extensions(stored, &values)?);
        let osn_len = departure.repeats.map_or(0, |_| OSN_LEN);
        Some(header_len + osn_len + stored.payload().len())
    }

    fn write_header(
        &self,
        departure: &QueuedPacket,
        stored: &CachedPacket,
        stamp: &WireFields,
        marker: bool,
        out: &mut [u8],
    ) -> Option<usize> {
        let values = Values {
            abs_send_time: stamp.abs_send_time.write(),
            transport_seq: write_transport_seq(stamp.transport_seq),
        };
        let extensions = self.extensions(stored, &values)?;
        let (pt, ssrc) = self.outgoing_stream(departure);
        let fields = RtpHeaderFields {
            marker,
            padding: stamp.padding > 0,
            pt,
            seq: raw(departure.seq),
            timestamp: departure.timestamp,
            ssrc,
        };
        rtp::write_header(out, &fields, &extensions)
    }

    /// The extensions of a packet: the consumer's own, and what passes on.
    #[inline]
    fn extensions<'a>(
        &'a self,
        stored: &'a CachedPacket,
        values: &'a Values,
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
        let (places, bytes) = stored.extensions()?;
        for kind in PASSED_ON {
            if let Some(value) = places.value(kind, bytes) {
                add(kind, value);
            }
        }
        Some(extensions)
    }
}
