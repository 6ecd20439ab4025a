//! Objects that were closed a short while ago, for each session. A client and the server may close
//! the same object at the same time: a browser that closes its connection ends the transport by
//! DTLS, and its request to close it arrives afterwards. Such a request succeeds.

use std::collections::VecDeque;

use watersmeet_engine::command::{ConsumerId, ProducerId, TransportId};

/// Number of closed objects that are remembered for a session; the oldest are forgotten first.
const CLOSED_OBJECTS_MAX: usize = 128;

/// An object that was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClosedObject {
    /// A transport of the session.
    Transport(TransportId),
    /// A producer of the session.
    Producer(ProducerId),
    /// A consumer of the session.
    Consumer(ConsumerId),
}

/// Objects of a session that were closed, oldest first.
#[derive(Debug, Default)]
pub(super) struct ClosedObjects(VecDeque<ClosedObject>);

impl ClosedObjects {
    /// Records a closed object.
    pub fn record(&mut self, object: ClosedObject) {
        if self.0.len() >= CLOSED_OBJECTS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(object);
    }

    /// Returns whether an object was closed and is still remembered.
    pub fn contains(&self, object: ClosedObject) -> bool {
        self.0.contains(&object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transport(n: usize) -> ClosedObject {
        let id = TransportId::parse(&format!("00000000-0000-4000-8000-{n:012}"));
        ClosedObject::Transport(id.unwrap())
    }

    #[test]
    fn the_oldest_closed_objects_are_forgotten_beyond_the_maximum() {
        let mut closed = ClosedObjects::default();
        for n in 0..=CLOSED_OBJECTS_MAX {
            closed.record(transport(n));
        }
        assert!(!closed.contains(transport(0)));
        assert!(closed.contains(transport(1)));
        assert!(closed.contains(transport(CLOSED_OBJECTS_MAX)));
        assert_eq!(closed.0.len(), CLOSED_OBJECTS_MAX);
    }
}
