//! What crosses from the worker of one shard to that of another: a room may be spread over shards,
//! and a producer's packets then reach each of them once.
//!
//! Values only; who sends what to whom is the worker's business. Crossings between two shards keep
//! their order, and any of them may be lost when a queue is full: what is wanted is therefore said
//! again every second, and the answer says how things stand.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::ids::ProducerId;
use crate::packet::{Arrival, Incoming};
use crate::packet_cache::CachedPacket;

/// The most shared packets kept for use again. Another shard gives one back within one of its
/// turns; this many are some 10 ms of a worker that hands over all it can receive.
pub const POOL_MAX: usize = 4_096;

/// Something that crosses between two shards.
#[derive(Debug, Clone)]
pub enum ShardMessage {
    /// A packet of a producer, to a shard where it is consumed.
    Media(Arc<SharedPacket>),
    /// How a producer stands, to a shard where it is consumed.
    State {
        /// Which.
        producer: ProducerId,
        /// Whether it is paused.
        paused: bool,
        /// Which of its streams bring packets, as a set of bits.
        active: u8,
    },
    /// There is no such producer any more, to a shard where it is consumed.
    Closed {
        /// Which.
        producer: ProducerId,
    },
    /// A producer is wanted, to the shard that it comes from. Repeated while it is.
    Subscribe {
        /// Which.
        producer: ProducerId,
        /// The streams of which a keyframe is waited for, as a set of bits.
        awaited: u8,
    },
    /// A producer is no longer wanted, to the shard that it comes from.
    Unsubscribe {
        /// Which.
        producer: ProducerId,
    },
    /// A keyframe is needed, to the shard that the producer comes from.
    Keyframe {
        /// Of which.
        producer: ProducerId,
        /// Of which of its streams.
        stream: u8,
    },
}

impl ShardMessage {
    /// Whether it carries a packet.
    pub const fn is_media(&self) -> bool {
        matches!(self, Self::Media(_))
    }
}

/// A packet that a producer has accepted, decrypted, for all shards that want it.
#[derive(Debug)]
pub struct SharedPacket {
    /// Its producer.
    pub(crate) producer: ProducerId,
    /// What consumers decide by.
    pub(crate) arrival: Arrival,
    /// What is known of it; absent for a packet that is only padding.
    pub(crate) incoming: Option<Incoming>,
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
}

/// Shared packets that are used again once every shard has let go of them, so that handing over
/// allocates nothing after warm-up.
#[derive(Debug, Default)]
pub struct PacketPool {
    /// Oldest first.
    packets: VecDeque<Arc<SharedPacket>>,
}

impl PacketPool {
    /// A packet to hand over. The bytes are copied once, however many shards it goes to.
    pub fn share(
        &mut self,
        producer: ProducerId,
        arrival: Arrival,
        stored: Option<&CachedPacket>,
    ) -> Arc<SharedPacket> {
        let mut shared = self.take_free().unwrap_or_else(|| {
            Arc::new(SharedPacket {
                producer,
                arrival,
                incoming: None,
                bytes: Vec::new(),
            })
        });
        if let Some(packet) = Arc::get_mut(&mut shared) {
            packet.producer = producer;
            packet.arrival = arrival;
            packet.incoming = stored.and_then(CachedPacket::incoming).copied();
            packet.bytes.clear();
            packet
                .bytes
                .extend_from_slice(stored.map_or(&[], CachedPacket::bytes));
        }
        if self.packets.len() < POOL_MAX {
            self.packets.push_back(Arc::clone(&shared));
        }
        shared
    }

    /// The oldest packet, if nobody else has it any more.
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
    use watersmeet_wire::units::SeqNo;

    use super::*;

    fn share(pool: &mut PacketPool) -> Arc<SharedPacket> {
        let arrival = Arrival {
            stream: 0,
            seq: SeqNo(1),
            timestamp: 0,
            has_payload: false,
            descriptor: PayloadDescriptor::default(),
            clock: None,
        };
        pool.share(ProducerId(Uuid::from_u128(1)), arrival, None)
    }

    #[test]
    fn a_packet_that_everybody_has_let_go_of_is_used_again() {
        let mut pool = PacketPool::default();
        let first = Arc::as_ptr(&share(&mut pool));
        assert_eq!(Arc::as_ptr(&share(&mut pool)), first);
        assert_eq!(pool.packets.len(), 1);
    }

    #[test]
    fn a_packet_that_somebody_has_is_left_alone() {
        let mut pool = PacketPool::default();
        let first = share(&mut pool);
        let second = share(&mut pool);
        assert!(!Arc::ptr_eq(&first, &second));
    }

    #[test]
    fn the_pool_never_grows_past_its_limit() {
        let mut pool = PacketPool::default();
        let held: Vec<_> = (0..POOL_MAX + 10).map(|_| share(&mut pool)).collect();
        assert_eq!((held.len(), pool.packets.len()), (POOL_MAX + 10, POOL_MAX));
    }
}
