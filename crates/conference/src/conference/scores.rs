//! Tells publishers how much of their media arrives at the server, and receivers how much arrives of the
//! producers that they consume: at the server, and at themselves.

use watersmeet_engine::command::{ConsumerId, EncodingScore, ProducerId};

use super::Conference;
use super::timers::Timer;
use crate::message::{Notice, SessionId};

impl Conference {
    /// Handles the report that another share of a producer arrives than before. It is told at once, or later
    /// where it was told only just now.
    pub(super) fn producer_score_changed(
        &mut self,
        producer: ProducerId,
        scores: Vec<EncodingScore>,
    ) {
        match self.media.record_scores(self.now, producer, scores) {
            Some(due) if due > self.now => {
                self.timers.schedule(due, Timer::ProducerScore(producer));
            }
            Some(_) => self.tell_producer_score(producer),
            None => {}
        }
    }

    /// Tells the owner and the receivers of a producer its scores.
    pub(super) fn tell_producer_score(&mut self, producer: ProducerId) {
        let producers = self.producers_len_of_room(producer);
        let Some(told) = self.media.take_scores(self.now, producer, producers) else {
            return;
        };
        let scores = told.scores;
        self.notify(told.owner, &Notice::ProducerScore { producer, scores });
        for (consumer, session) in told.consumers {
            self.tell_consumer_score(session, consumer);
        }
    }

    /// Handles the report that another share of a consumer arrives at its receiver than before.
    pub(super) fn consumer_score_changed(&mut self, consumer: ConsumerId, score: u8) {
        if let Some(session) = self.media.set_consumer_score(consumer, score) {
            self.tell_consumer_score(session, consumer);
        }
    }

    /// Tells a session the scores of one of its consumers, if they are known.
    pub(super) fn tell_consumer_score(&mut self, session: SessionId, consumer: ConsumerId) {
        if let Some((score, producer_scores)) = self.media.scores_of(session, consumer) {
            let notice = Notice::ConsumerScore {
                consumer,
                score,
                producer_scores,
            };
            self.notify(session, &notice);
        }
    }

    /// Returns the number of producers in the room of a producer.
    fn producers_len_of_room(&self, producer: ProducerId) -> usize {
        let room = self.media.producer_room(producer);
        let room = room.and_then(|it| self.rooms.get(&it));
        let sessions = room.map(|it| it.sessions()).unwrap_or_default();
        let producers = sessions.iter().map(|it| self.media.announced_len_of(*it));
        producers.sum()
    }
}
