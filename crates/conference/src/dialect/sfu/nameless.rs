//! Consuming without the name of a producer. Whether a client can receive a producer is known only
//! when a shard answers, so the candidates are tried one after another.

use watersmeet_engine::command::{ProducerId, TransportId};
use watersmeet_wire::params::RtpCapabilities;

use super::{NamelessConsume, State};
use crate::dialect::effect::{Effect, RequestTag};
use crate::message::{CreatedTransport, Direction, Refusal, Request};

/// Tag of the dialect's own request to close a receive transport that the client replaced.
pub(super) const REPLACE: &str = "replace";

/// Upper bound of unanswered `consume` events that name no producer.
const NAMELESS_MAX: usize = 16;

impl State {
    /// Requests the first candidate for a `consume` that names no producer: the newest producer of
    /// others. The own one comes last, for a page that shows itself its own picture.
    ///
    /// # Errors
    /// Returns `ProducerNotFound` when nobody sends, `LimitReached` when too many are unanswered.
    pub(super) fn consume_any(
        &mut self,
        tag: RequestTag,
        capabilities: RtpCapabilities,
    ) -> Result<Effect, Refusal> {
        if self.nameless.len() >= NAMELESS_MAX {
            return Err(Refusal::LimitReached("requests"));
        }
        let transport = self.nameless_transport.ok_or(Refusal::TransportNotFound)?;
        let own = self.own_producer.into_iter();
        let mut candidates: Vec<_> = own.chain(self.remote_producers.oldest_first()).collect();
        let best = candidates.pop().ok_or(Refusal::ProducerNotFound)?;
        self.nameless.push(NamelessConsume {
            tag: tag.clone(),
            capabilities: capabilities.clone(),
            candidates,
        });
        Ok(consume(tag, best, transport, capabilities))
    }

    /// Requests the next candidate after a refusal. Returns `None` when none is left, or when the
    /// event named its producer.
    pub(super) fn consume_next(&mut self, tag: &RequestTag, refusal: &Refusal) -> Option<Effect> {
        let index = self.nameless.iter().position(|it| it.tag == *tag)?;
        let is_about_producer =
            matches!(refusal, Refusal::CannotConsume | Refusal::ProducerNotFound);
        let waiting = self.nameless.get_mut(index).filter(|_| is_about_producer);
        let next = waiting.and_then(|it| Some((it.candidates.pop()?, it.capabilities.clone())));
        match (next, self.nameless_transport) {
            (Some((producer, capabilities)), Some(transport)) => {
                Some(consume(tag.clone(), producer, transport, capabilities))
            }
            _ => {
                self.nameless.swap_remove(index);
                None
            }
        }
    }

    /// Forgets the candidates of a `consume` that succeeded.
    pub(super) fn nameless_consumed(&mut self, tag: &RequestTag) {
        self.nameless.retain(|it| it.tag != *tag);
    }

    /// Records a receive transport that belongs to no producer, and closes the one before it, which
    /// the client has forgotten.
    pub(super) fn nameless_transport_created(&mut self, created: &CreatedTransport) -> Vec<Effect> {
        if created.direction != Direction::Recv || created.key.is_some() {
            return Vec::new();
        }
        let replaced = self.nameless_transport.replace(created.transport);
        let close = replaced.map(|transport| {
            let request = Request::CloseTransport { transport };
            Effect::Request(RequestTag::internal(REPLACE), request)
        });
        close.into_iter().collect()
    }
}

/// Requests a consumer, which the client resumes when it is ready.
fn consume(
    tag: RequestTag,
    producer: ProducerId,
    transport: TransportId,
    capabilities: RtpCapabilities,
) -> Effect {
    let request = Request::Consume {
        producer,
        transport: Some(transport),
        capabilities,
        start_paused: true,
    };
    Effect::Request(tag, request)
}
