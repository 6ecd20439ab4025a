//! Recovery of lost packets from the redundancy that a publisher sends with later ones (RFC 2198), so that
//! receivers without redundancy get them too, and they need not be requested.

use watersmeet_wire::codec::RedPayload;
use watersmeet_wire::units::{SeqNo, Time};

use super::Producer;
use crate::packet::{Arrival, ExtensionSpans, Incoming};

impl Producer {
    /// Caches the payloads of the packets that are missing directly before an arrival and that it repeats.
    /// `packet` are its decrypted bytes. Returns the number of the first; that of the arrival when there are
    /// none.
    ///
    /// Redundancy has timestamps and no numbers. It is used only where both fit: there are as many earlier
    /// payloads as missing packets, all newer than the packet before the gap, or that packet comes next.
    pub fn recover(&mut self, now: Time, arrival: &Arrival, packet: &[u8]) -> SeqNo {
        let recovered = self.missing_before(arrival, packet);
        let (Some((red, missing)), Some(stream)) =
            (recovered, self.streams.get_mut(usize::from(arrival.stream)))
        else {
            return arrival.seq;
        };
        for (block, distance) in red.redundant.iter().rev().zip(1..=missing) {
            let seq = SeqNo(arrival.seq.0 - distance);
            let incoming = Incoming {
                seq: seq.raw(),
                timestamp: block.timestamp(arrival.timestamp),
                marker: false,
                pt: arrival.pt,
                payload_start: 0,
                payload_len: u16::try_from(block.payload.len()).unwrap_or(0),
                redundancy_len: 0,
                extensions: ExtensionSpans::default(),
                retransmitted: false,
            };
            stream.recover(now, seq, &incoming, block.payload);
        }
        SeqNo(arrival.seq.0 - missing)
    }

    /// Returns the redundancy of a packet, and how many packets directly before it are missing, if it repeats
    /// them all.
    fn missing_before<'a>(
        &self,
        arrival: &Arrival,
        packet: &'a [u8],
    ) -> Option<(RedPayload<'a>, u64)> {
        let cache = &self.streams.get(usize::from(arrival.stream))?.cache;
        let before = |distance: u64| cache.get(SeqNo(arrival.seq.0.checked_sub(distance)?));
        if before(1).is_some() {
            return None;
        }
        let incoming = cache.get(arrival.seq)?.incoming()?;
        let red = RedPayload::parse(incoming.redundant_payload(packet))?;
        let count = red.redundant.len() as u64;
        let missing = (1..=count).take_while(|it| before(*it).is_none()).count() as u64;
        let former = before(missing + 1)?.incoming()?.timestamp;
        let mut blocks = red.redundant.iter().rev();
        let is_after_former = |timestamp: u32| timestamp.wrapping_sub(former).cast_signed() > 0;
        let oldest = usize::try_from(missing.checked_sub(1)?).ok()?;
        let is_newer = blocks
            .by_ref()
            .take(oldest + 1)
            .all(|it| !it.payload.is_empty() && is_after_former(it.timestamp(arrival.timestamp)));
        let next = blocks.next().map(|it| it.timestamp(arrival.timestamp));
        let is_complete = is_newer && next.is_none_or(|next| next == former);
        is_complete.then_some((red, missing))
    }
}
