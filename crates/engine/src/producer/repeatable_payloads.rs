//! Earlier payloads of an audio stream that a packet can repeat (RFC 2198), out of the packet cache.

use watersmeet_wire::codec::red::{
    PRIMARY_HEADER_LEN, REDUNDANT_HEADER_LEN, REDUNDANT_LEN_MAX, TIMESTAMP_OFFSET_MAX,
};
use watersmeet_wire::units::SeqNo;

use super::Producer;
use crate::packet::Arrival;
use crate::redundancy::{DISTANCE_MAX, Redundancy};

/// Longest payload with redundancy, in bytes: with header and encryption it is a packet of at most
/// 1,200 bytes, as browsers send.
const REDUNDANT_PAYLOAD_LEN_MAX: usize = 1_024;

impl Producer {
    /// Adds to an arrival which earlier payloads it can repeat: those that are cached, of the same codec,
    /// not older and not longer than their header can state, and that fit one packet together.
    #[inline]
    pub fn with_redundancy(&self, arrival: Arrival) -> Arrival {
        let is_repeatable = self.repeatable_pt == Some(arrival.pt) && arrival.has_payload;
        if !is_repeatable || !arrival.redundancy.is_none() {
            return arrival;
        }
        Arrival {
            redundancy: self.repeatable_payloads(&arrival),
            ..arrival
        }
    }

    fn repeatable_payloads(&self, arrival: &Arrival) -> Redundancy {
        let mut repeatable = Redundancy::NONE;
        let stream = self.streams.get(usize::from(arrival.stream));
        let Some((stream, own)) = stream.and_then(|it| Some((it, it.cache.get(arrival.seq)?)))
        else {
            return repeatable;
        };
        let mut len = PRIMARY_HEADER_LEN + own.payload().len();
        for distance in 1..=DISTANCE_MAX {
            let seq = SeqNo(arrival.seq.0.wrapping_sub(distance.into()));
            let Some(earlier) = stream.cache.get(seq) else {
                continue;
            };
            let Some(incoming) = earlier.incoming().filter(|it| it.pt == arrival.pt) else {
                continue;
            };
            let age = arrival.timestamp.wrapping_sub(incoming.timestamp);
            let payload_len = earlier.payload().len();
            let is_describable = (1..=u32::from(TIMESTAMP_OFFSET_MAX)).contains(&age)
                && (1..=REDUNDANT_LEN_MAX).contains(&payload_len);
            let block_len = REDUNDANT_HEADER_LEN + payload_len;
            if is_describable && len + block_len <= REDUNDANT_PAYLOAD_LEN_MAX {
                len += block_len;
                repeatable.insert(distance);
            }
        }
        repeatable
    }
}
