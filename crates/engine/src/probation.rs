//! Padding packets of the probation stream: they fill probes for bandwidth where there is not enough
//! media. mediasoup's clients have a hidden receiver for it, with a fixed MID, SSRC and payload type.

use watersmeet_wire::rtp::extension::{AbsSendTime, ExtensionKind, write_transport_seq};
use watersmeet_wire::rtp::{self, RtpHeaderFields};
use watersmeet_wire::units::{Pt, SeqNo, Ssrc, Time};

use crate::consumer::rewrite::low_16_bits;
use crate::packet::ExtensionIds;

/// SSRC of the probation stream.
pub const SSRC: Ssrc = Ssrc(1_234);

/// Its payload type.
const PAYLOAD_TYPE: Pt = Pt(127);

/// Its MID.
const MID: &[u8] = b"probator";

/// Bytes of padding in a packet, their count included: the most that fits the count.
const PADDING: u8 = 255;

/// Probation stream of a transport.
#[derive(Debug)]
pub struct Probation {
    /// Header extensions, which are those of the transport's first video consumer.
    extension_ids: ExtensionIds,
    /// Sequence number of the next packet.
    next_seq: u64,
}

impl Probation {
    /// Creates a stream that has sent nothing.
    pub const fn new(extension_ids: ExtensionIds) -> Self {
        Self {
            extension_ids,
            next_seq: SeqNo::first(1).0,
        }
    }

    /// Writes the next packet, not yet encrypted, into `out`. Returns its sequence number, and the lengths
    /// of its header and of all of it; `None` when it does not fit.
    pub fn write(
        &mut self,
        now: Time,
        transport_seq: u16,
        out: &mut [u8],
    ) -> Option<(SeqNo, usize, usize)> {
        let transport_seq = write_transport_seq(transport_seq);
        let abs_send_time = AbsSendTime::from_micros(now.as_micros()).write();
        let values: [(ExtensionKind, &[u8]); 3] = [
            (ExtensionKind::Mid, MID),
            (ExtensionKind::AbsSendTime, &abs_send_time),
            (ExtensionKind::TransportWideCc, &transport_seq),
        ];
        let extensions = values
            .iter()
            .filter_map(|(kind, value)| Some((self.extension_ids.id(*kind)?, *value)));
        let extensions = extensions.collect::<arrayvec::ArrayVec<_, 3>>();
        let fields = RtpHeaderFields {
            marker: false,
            padding: true,
            pt: PAYLOAD_TYPE,
            seq: low_16_bits(self.next_seq),
            timestamp: 0,
            ssrc: SSRC,
        };
        let header_len = rtp::write_header(out, &fields, &extensions)?;
        let len = header_len + usize::from(PADDING);
        let (count, zeros) = out.get_mut(header_len..len)?.split_last_mut()?;
        zeros.fill(0);
        *count = PADDING;
        let seq = SeqNo(self.next_seq);
        self.next_seq += 1;
        Some((seq, header_len, len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use watersmeet_wire::params::RtpHeaderExtensionParameters;
    use watersmeet_wire::rtp::RtpHeader;
    use watersmeet_wire::rtp::extension::parse_transport_seq;

    #[test]
    fn packet_is_padding_with_a_transport_wide_number() {
        let uri = ExtensionKind::TransportWideCc.uri().to_owned();
        let mut ids = ExtensionIds::default();
        ids.learn(&[RtpHeaderExtensionParameters {
            uri,
            id: 5,
            encrypt: false,
            parameters: std::collections::BTreeMap::new(),
        }]);
        let mut probation = Probation::new(ids);
        let mut out = [0; 500];
        let (first, ..) = probation.write(Time::ZERO, 77, &mut out).unwrap();
        let (seq, _, len) = probation.write(Time::ZERO, 78, &mut out).unwrap();
        assert_eq!(seq.0, first.0 + 1);
        let packet = &out[..len];
        let header = RtpHeader::parse(packet).unwrap();
        assert_eq!((header.ssrc, header.pt), (SSRC, PAYLOAD_TYPE));
        assert_eq!(header.payload(packet), Ok(&[][..]));
        let spans = ids.locate(&header, packet);
        let value = spans.value(ExtensionKind::TransportWideCc, packet);
        assert_eq!(value.and_then(parse_transport_seq), Some(78));
        assert!(probation.write(Time::ZERO, 79, &mut [0; 100]).is_none());
    }
}
