//! What there is to receive, for the dialects whose clients make a receive transport for each
//! producer of others: which producers are in the room, and on which transport each arrives. The
//! client closes its own side when a producer ends; the server's side is closed from here, so that
//! nothing is left behind. Must never be asked who may receive what.

use watersmeet_engine::command::{ProducerId, TransportId};
use watersmeet_wire::units::Map;

use super::{Effect, RequestTag};
use crate::message::{ParticipantSummary, Request};

/// What a dialect asks by itself: to close a transport on which nothing will come any more.
const CLOSE: &str = "close";

/// The producers of others. There are no more than the room allows.
#[derive(Debug, Default)]
pub(super) struct RemoteProducers {
    /// Each producer with the transport it arrives on, once there is one.
    producers: Map<ProducerId, Option<TransportId>>,
}

impl RemoteProducers {
    /// What there is in a room that was just entered.
    pub(super) fn of(others: &[ParticipantSummary]) -> Self {
        let producers = others.iter().flat_map(|it| &it.producers);
        Self {
            producers: producers.map(|it| (it.producer, None)).collect(),
        }
    }

    /// Somebody sends something new.
    pub(super) fn add(&mut self, producer: ProducerId) {
        self.producers.insert(producer, None);
    }

    /// Whether somebody else in the room sends this.
    pub(super) fn has(&self, producer: ProducerId) -> bool {
        self.producers.contains_key(&producer)
    }

    /// The transport that a producer arrives on.
    pub(super) fn transport(&self, producer: ProducerId) -> Option<TransportId> {
        self.producers.get(&producer).copied().flatten()
    }

    /// A producer arrives on a transport from now on. False when it has ended meanwhile.
    pub(super) fn arrives(&mut self, producer: ProducerId, transport: TransportId) -> bool {
        let arrival = self.producers.get_mut(&producer);
        arrival.map(|it| *it = Some(transport)).is_some()
    }

    /// A producer has ended: its transport goes with it. `None` when it was not there.
    pub(super) fn end(&mut self, producer: ProducerId) -> Option<Vec<Effect>> {
        let transport = self.producers.remove(&producer)?;
        Some(transport.map_or_else(Vec::new, |it| self.close(it)))
    }

    /// Closes a transport, unless something else arrives on it.
    pub(super) fn close(&self, transport: TransportId) -> Vec<Effect> {
        if self.producers.values().any(|it| *it == Some(transport)) {
            return Vec::new();
        }
        let request = Request::CloseTransport { transport };
        vec![Effect::Request(RequestTag::internal(CLOSE), request)]
    }

    /// A transport has ended.
    pub(super) fn forget(&mut self, transport: TransportId) {
        let arrivals = self.producers.values_mut();
        for arrival in arrivals.filter(|it| **it == Some(transport)) {
            *arrival = None;
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

    fn closing(transport: TransportId) -> Vec<Effect> {
        let request = Request::CloseTransport { transport };
        vec![Effect::Request(RequestTag::internal(CLOSE), request)]
    }

    #[test]
    fn a_producer_ends_once_and_takes_its_transport_along() {
        let mut remotes = RemoteProducers::default();
        remotes.add(producer(1));
        assert!(remotes.has(producer(1)));
        assert!(remotes.arrives(producer(1), transport(1)));
        assert_eq!(remotes.transport(producer(1)), Some(transport(1)));
        assert_eq!(remotes.end(producer(1)), Some(closing(transport(1))));
        assert_eq!(remotes.end(producer(1)), None);
        assert!(!remotes.arrives(producer(1), transport(1)));
    }

    #[test]
    fn what_never_arrived_has_nothing_to_close() {
        let mut remotes = RemoteProducers::default();
        remotes.add(producer(1));
        assert_eq!(remotes.end(producer(1)), Some(Vec::new()));
    }

    #[test]
    fn a_transport_is_closed_by_the_last_that_arrives_on_it() {
        let mut remotes = RemoteProducers::default();
        for n in [1, 2] {
            remotes.add(producer(n));
            remotes.arrives(producer(n), transport(9));
        }
        assert_eq!(remotes.close(transport(9)), Vec::new());
        assert_eq!(remotes.end(producer(1)), Some(Vec::new()));
        assert_eq!(remotes.end(producer(2)), Some(closing(transport(9))));
    }

    #[test]
    fn a_transport_that_ended_is_not_closed_again() {
        let mut remotes = RemoteProducers::default();
        remotes.add(producer(1));
        remotes.arrives(producer(1), transport(9));
        remotes.forget(transport(9));
        assert_eq!(remotes.transport(producer(1)), None);
        assert_eq!(remotes.end(producer(1)), Some(Vec::new()));
    }
}
