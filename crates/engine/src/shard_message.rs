//! Messages between the workers of two shards. A room may be spread over shards; each packet of a
//! producer then reaches every shard that consumes it once.
//!
//! Messages between two shards keep their order, and any may be dropped when a queue is full.
//! Subscriptions are therefore repeated every second, and answered with the producer's state.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::ids::ProducerId;
use crate::packet::{Arrival, Incoming};
use crate::packet_cache::CachedPacket;
use crate::producer::demand::Want;

/// Upper bound of the shared packets kept for reuse. Another shard releases one within an iteration of
/// its loop; this many are some 10 ms of a worker that shares all it can receive.
pub const POOL_MAX: usize = 4_096;

/// Message from one shard to another.
#[derive(Debug, Clone)]
pub enum ShardMessage {
    /// A packet of a producer, to a subscribed shard.
    Media(Arc<SharedPacket>),
    /// State of a producer, to a subscribed shard.
    State {
        /// Producer concerned.
        producer: ProducerId,
        /// Whether it is paused.
        paused: bool,
        /// Its active layers, as a bit set.
        active: u8,
        /// Layer whose keyframe is forwarded next, so that nobody need request it.
        started: Option<u8>,
    },
    /// A producer was closed, to a subscribed shard.
    Closed {
        /// Producer that is closed.
        producer: ProducerId,
    },
    /// Subscription to a producer, to its origin; repeated while it has consumers.
    Subscribe {
        /// Producer to forward.
        producer: ProducerId,
        /// Streams whose keyframe is awaited, as a bit set.
        awaited: u8,
        /// Layer and bitrates that the consumers on the subscribing shard want.
        want: Want,
    },
    /// End of a subscription, to the producer's origin.
    Unsubscribe {
        /// Producer that is no longer consumed.
        producer: ProducerId,
    },
    /// Keyframe request, to the producer's origin.
    Keyframe {
        /// Producer concerned.
        producer: ProducerId,
        /// Index of the stream.
        stream: u8,
    },
}

impl ShardMessage {
    /// Returns whether it carries a packet.
    pub const fn is_media(&self) -> bool {
        matches!(self, Self::Media(_))
    }
}

/// What a shard tells another one of the voice to which a packet of audio belongs.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct VoiceState {
    /// Whether packets before this one were omitted.
    pub starts: bool,
    /// Whether it is the active speaker of its shard.
    pub is_speaker: bool,
}

/// A packet that a producer has accepted, decrypted, shared by all subscribed shards.
#[derive(Debug)]
pub struct SharedPacket {
    /// Producer it belongs to.
    pub(crate) producer: ProducerId,
    /// Properties by which consumers decide whether to send it.
    pub(crate) arrival: Arrival,
    /// What its own shard knows of its voice.
    pub(crate) voice: VoiceState,
    /// Its parsed header; absent for a packet that is only padding.
    pub(crate) incoming: Option<Incoming>,
    /// Its bytes, header included.
    pub(crate) bytes: Vec<u8>,
}

/// Shared packets that are reused once every shard has released them, so that sharing allocates
/// nothing after warm-up.
#[derive(Debug, Default)]
pub struct PacketPool {
    /// Oldest first.
    packets: VecDeque<Arc<SharedPacket>>,
}

impl PacketPool {
    /// Returns a shared copy of a packet, for any number of shards.
    pub fn share(
        &mut self,
        producer: ProducerId,
        arrival: Arrival,
        voice: VoiceState,
        cached: Option<&CachedPacket>,
    ) -> Arc<SharedPacket> {
        let mut shared = self.take_free().unwrap_or_else(|| {
            Arc::new(SharedPacket {
                producer,
                arrival,
                voice,
                incoming: None,
                bytes: Vec::new(),
            })
        });
        if let Some(packet) = Arc::get_mut(&mut shared) {
            packet.producer = producer;
            packet.arrival = arrival;
            packet.voice = voice;
            packet.incoming = cached.and_then(CachedPacket::incoming).copied();
            packet.bytes.clear();
            packet
                .bytes
                .extend_from_slice(cached.map_or(&[], CachedPacket::bytes));
        }
        if self.packets.len() < POOL_MAX {
            self.packets.push_back(Arc::clone(&shared));
        }
        shared
    }

    /// Takes the oldest packet, if every shard has released it.
    fn take_free(&mut self) -> Option<Arc<SharedPacket>> {
        let oldest = self.packets.front_mut()?;
        Arc::get_mut(oldest)?;
        self.packets.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;
    use watersmeet_wire::codec::PayloadDescriptor;
    use watersmeet_wire::units::{Pt, SeqNo, Time};

    use super::*;
    use crate::redundancy::Redundancy;

    fn share(pool: &mut PacketPool) -> Arc<SharedPacket> {
        let arrival = Arrival {
            at: Time::ZERO,
            stream: 0,
            pt: Pt::default(),
            layer: 0,
            seq: SeqNo(1),
            timestamp: 0,
            has_payload: false,
            marker: false,
            descriptor: PayloadDescriptor::default(),
            clock: None,
            redundancy: Redundancy::default(),
        };
        let producer = ProducerId(Uuid::from_u128(1));
        pool.share(producer, arrival, VoiceState::default(), None)
    }

    #[test]
    fn released_packet_is_reused() {
        let mut pool = PacketPool::default();
        let first = Arc::as_ptr(&share(&mut pool));
        assert_eq!(Arc::as_ptr(&share(&mut pool)), first);
        assert_eq!(pool.packets.len(), 1);
    }

    #[test]
    fn packet_in_use_is_not_reused() {
        let mut pool = PacketPool::default();
        let first = share(&mut pool);
        let second = share(&mut pool);
        assert!(!Arc::ptr_eq(&first, &second));
    }

    #[test]
    fn pool_is_bounded() {
        let mut pool = PacketPool::default();
        let held: Vec<_> = (0..POOL_MAX + 10).map(|_| share(&mut pool)).collect();
        assert_eq!((held.len(), pool.packets.len()), (POOL_MAX + 10, POOL_MAX));
    }
}
