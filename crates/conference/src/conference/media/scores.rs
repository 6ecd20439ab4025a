//! Reception scores of producers and consumers, and when the scores of a producer are told again.

use std::time::Duration;

use watersmeet_engine::command::{ConsumerId, EncodingScore, ProducerId};
use watersmeet_wire::units::Time;

use super::MediaOwnership;
use super::objects::SCORE_MAX;
use crate::message::SessionId;

/// Shortest time between two notices of the scores of a producer.
const TOLD_INTERVAL_MIN: Duration = Duration::from_secs(1);

/// Time that this interval has at least for each notice, counted for all producers of the room, so that a
/// room of any size causes at most 1,000 such notices per second in the long run.
const TOLD_INTERVAL_EACH: Duration = Duration::from_millis(1);

/// Scores of a producer, and who is told them.
#[derive(Debug)]
pub struct ToldScores {
    /// Session that sends the producer.
    pub owner: SessionId,
    /// Consumers of the producer and their owners.
    pub consumers: Vec<(ConsumerId, SessionId)>,
    /// Scores of the encodings that have arrived.
    pub scores: Vec<EncodingScore>,
}

impl MediaOwnership {
    /// Records the scores of an announced producer. Returns when they are to be told: at a later time for
    /// which a timer is to be set, or at `now`. `None` when nobody need be told, or a timer is set already.
    pub fn record_scores(
        &mut self,
        now: Time,
        producer: ProducerId,
        scores: Vec<EncodingScore>,
    ) -> Option<Time> {
        let known = &mut self.producers.get_mut(&producer)?.scores;
        let is_first = known.current.is_empty();
        known.current = scores;
        // Everybody expects that everything arrives.
        let is_perfect = known.current.iter().all(|it| it.score == SCORE_MAX);
        if known.timer.is_some() || (is_first && is_perfect) {
            return None;
        }
        let due = known.next.max(now);
        known.timer = Some(due).filter(|it| *it > now);
        Some(due)
    }

    /// Records that the scores of a producer are told now, in a room of so many producers. Returns them, and
    /// who is told.
    pub fn take_scores(
        &mut self,
        now: Time,
        producer: ProducerId,
        producers: usize,
    ) -> Option<ToldScores> {
        let announced = self.producers.get_mut(&producer)?;
        let scores = &mut announced.scores;
        let notices = (announced.consumers.len() + 1).saturating_mul(producers);
        let notices = u32::try_from(notices).unwrap_or(u32::MAX);
        scores.next = now + TOLD_INTERVAL_MIN.max(TOLD_INTERVAL_EACH.saturating_mul(notices));
        scores.timer = None;
        let consumers = announced.consumers.iter();
        Some(ToldScores {
            owner: announced.owner,
            consumers: consumers.map(|(id, owner)| (*id, *owner)).collect(),
            scores: scores.current.clone(),
        })
    }

    /// Records the score of a consumer. Returns its owner.
    pub fn set_consumer_score(&mut self, consumer: ConsumerId, score: u8) -> Option<SessionId> {
        let owner = self.consumer_owner(consumer)?;
        let media = self.by_session.get_mut(&owner)?;
        media.consumers.get_mut(&consumer)?.score = score;
        Some(owner)
    }

    /// Returns the score of a session's consumer and those of its producer; `None` while nothing is known of
    /// the producer.
    pub fn scores_of(
        &self,
        session: SessionId,
        consumer: ConsumerId,
    ) -> Option<(u8, Vec<EncodingScore>)> {
        let consumer = self.of(session)?.consumers.get(&consumer)?;
        let scores = &self.producers.get(&consumer.producer)?.scores.current;
        (!scores.is_empty()).then(|| (consumer.score, scores.clone()))
    }
}
