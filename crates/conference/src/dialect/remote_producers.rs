//! Producers of others in the room, for the dialects whose clients create a receive transport for
//! each of them. When a producer is closed, the receiving client closes only its side of the
//! transport; this module closes the server's side. Must never decide about permissions.

use watersmeet_engine::command::{ProducerId, TransportId};
use watersmeet_wire::units::Map;

use super::effect::{Effect, RequestTag};
use crate::message::{ParticipantSummary, Request};

/// Tag of the dialect's own request to close a receive transport.
const CLOSE: &str = "close";

/// Producers of others with their receive transports. Bounded by the producers of the room.
#[derive(Debug, Default)]
pub(super) struct RemoteProducers {
    /// Producers by id.
    producers: Map<ProducerId, RemoteProducer>,
    /// Number of the next producer.
    next_number: u64,
}

/// A producer of another participant.
#[derive(Debug)]
struct RemoteProducer {
    /// Position in the order in which the producers became known.
    number: u64,
    /// Its receive transport; `None` until the client names one.
    transport: Option<TransportId>,
}

impl RemoteProducers {
    /// Returns the producers of a room that was just entered.
    pub(super) fn of(others: &[ParticipantSummary]) -> Self {
        let mut producers = Self::default();
        for producer in others.iter().flat_map(|it| &it.producers) {
            producers.add(producer.producer);
        }
        producers
    }

    /// Adds a new producer.
    pub(super) fn add(&mut self, producer: ProducerId) {
        let number = self.next_number;
        self.next_number += 1;
        let added = RemoteProducer {
            number,
            transport: None,
        };
        self.producers.insert(producer, added);
    }

    /// Returns all producers, oldest first.
    pub(super) fn oldest_first(&self) -> Vec<ProducerId> {
        let mut producers: Vec<_> = self.producers.iter().collect();
        producers.sort_unstable_by_key(|(_, it)| it.number);
        producers.into_iter().map(|(id, _)| *id).collect()
    }

    /// Returns whether another participant in the room has this producer.
    pub(super) fn contains(&self, producer: ProducerId) -> bool {
        self.producers.contains_key(&producer)
    }

    /// Returns the receive transport of a producer.
    pub(super) fn transport(&self, producer: ProducerId) -> Option<TransportId> {
        self.producers.get(&producer)?.transport
    }

    /// Records the receive transport of a producer. Returns false if the producer was closed.
    pub(super) fn set_transport(&mut self, producer: ProducerId, transport: TransportId) -> bool {
        let recorded = self.producers.get_mut(&producer);
        recorded.map(|it| it.transport = Some(transport)).is_some()
    }

    /// Removes a producer and closes its transport. Returns `None` if there is no such producer.
    pub(super) fn remove(&mut self, producer: ProducerId) -> Option<Vec<Effect>> {
        let transport = self.producers.remove(&producer)?.transport;
        Some(transport.map_or_else(Vec::new, |it| self.close_unused(it)))
    }

    /// Closes a transport, unless another producer is received on it.
    pub(super) fn close_unused(&self, transport: TransportId) -> Vec<Effect> {
        let mut producers = self.producers.values();
        if producers.any(|it| it.transport == Some(transport)) {
            return Vec::new();
        }
        let request = Request::CloseTransport { transport };
        vec![Effect::Request(RequestTag::internal(CLOSE), request)]
    }

    /// Removes the record of a closed transport.
    pub(super) fn forget_transport(&mut self, transport: TransportId) {
        let recorded = self.producers.values_mut();
        for recorded in recorded.filter(|it| it.transport == Some(transport)) {
            recorded.transport = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn producer(n: u8) -> ProducerId {
        ProducerId::parse(&uuid(n)).unwrap()
    }

    fn transport(n: u8) -> TransportId {
        TransportId::parse(&uuid(n)).unwrap()
    }

    fn uuid(n: u8) -> String {
        format!("00000000-0000-4000-8000-{n:012}")
    }

    fn close_effects(transport: TransportId) -> Vec<Effect> {
        let request = Request::CloseTransport { transport };
        vec![Effect::Request(RequestTag::internal(CLOSE), request)]
    }

    #[test]
    fn removing_a_producer_closes_its_transport_once() {
        let mut remotes = RemoteProducers::default();
        remotes.add(producer(1));
        assert!(remotes.contains(producer(1)));
        assert!(remotes.set_transport(producer(1), transport(1)));
        assert_eq!(remotes.transport(producer(1)), Some(transport(1)));
        assert_eq!(
            remotes.remove(producer(1)),
            Some(close_effects(transport(1)))
        );
        assert_eq!(remotes.remove(producer(1)), None);
        assert!(!remotes.set_transport(producer(1), transport(1)));
    }

    #[test]
    fn removing_a_producer_without_a_transport_closes_nothing() {
        let mut remotes = RemoteProducers::default();
        remotes.add(producer(1));
        assert_eq!(remotes.remove(producer(1)), Some(Vec::new()));
    }

    #[test]
    fn a_transport_is_closed_with_its_last_producer() {
        let mut remotes = RemoteProducers::default();
        for n in [1, 2] {
            remotes.add(producer(n));
            remotes.set_transport(producer(n), transport(9));
        }
        assert_eq!(remotes.close_unused(transport(9)), Vec::new());
        assert_eq!(remotes.remove(producer(1)), Some(Vec::new()));
        assert_eq!(
            remotes.remove(producer(2)),
            Some(close_effects(transport(9)))
        );
    }

    #[test]
    fn a_closed_transport_is_not_closed_again() {
        let mut remotes = RemoteProducers::default();
        remotes.add(producer(1));
        remotes.set_transport(producer(1), transport(9));
        remotes.forget_transport(transport(9));
        assert_eq!(remotes.transport(producer(1)), None);
        assert_eq!(remotes.remove(producer(1)), Some(Vec::new()));
    }
}
