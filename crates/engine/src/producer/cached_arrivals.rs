//! Cached packets of a producer, as they arrived: for consumers that start or continue with them.

use watersmeet_wire::units::SeqNo;

use super::Producer;
use super::stream::Stream;
use crate::keyframe_index::{CatchUp, CatchUpLimits};
use crate::packet::Arrival;
use crate::packet_cache::{CachedPacket, SLOTS_MAX};

impl Producer {
    /// Returns the cached packet of an arrival; `None` if it was only padding.
    #[inline]
    pub fn cached(&self, arrival: &Arrival) -> Option<&CachedPacket> {
        let stream = self.streams.get(usize::from(arrival.stream))?;
        stream.cache.get(arrival.seq)
    }

    /// Returns the cached packets with which a new receiver of a layer can start, within the limits.
    pub fn catch_up(&self, layer: u8, limits: CatchUpLimits) -> Option<CatchUp> {
        // Keyframes of layers that share a stream are not told apart.
        if self.structure.has_shared_stream() {
            return None;
        }
        self.streams.get(usize::from(layer))?.catch_up(limits)
    }

    /// Returns the cached packets from `first` to `last` of a stream, in order.
    pub fn cached_between(
        &self,
        index: u8,
        first: SeqNo,
        last: SeqNo,
    ) -> impl Iterator<Item = Arrival> + '_ {
        let numbers = (first.0..=last.0).take(SLOTS_MAX);
        numbers.filter_map(move |seq| self.cached_arrival(index, SeqNo(seq)))
    }

    /// Returns the cached packets that follow `arrival` in its stream, in order. They could not be
    /// sent to consumers while `arrival` was missing.
    pub fn cached_after(&self, arrival: &Arrival) -> impl Iterator<Item = Arrival> + '_ {
        let stream = self.streams.get(usize::from(arrival.stream));
        let highest = stream.map_or(SeqNo(0), Stream::highest);
        self.cached_between(arrival.stream, SeqNo(arrival.seq.0 + 1), highest)
    }

    /// Returns the arrival of a cached packet.
    pub fn cached_arrival(&self, index: u8, seq: SeqNo) -> Option<Arrival> {
        let stream = self.streams.get(usize::from(index))?;
        let cached = stream.cache.get(seq)?;
        let incoming = cached.incoming()?;
        let format = self
            .formats
            .iter()
            .find(|format| format.mapped == Some(incoming.pt))?;
        let mut descriptor = stream.describe_again(format.codec, incoming, cached.bytes());
        let layer = self.structure.layer_of(index, &mut descriptor);
        Some(Arrival {
            at: cached.arrived,
            stream: index,
            pt: incoming.pt,
            layer,
            seq,
            timestamp: incoming.timestamp,
            has_payload: incoming.payload_len > 0,
            marker: incoming.marker,
            descriptor,
            clock: stream.clock_reference,
            redundancy: incoming.redundancy(),
        })
    }
}
