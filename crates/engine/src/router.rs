//! Routers: the transports and producers of one room on this worker, the consumers of each producer,
//! and who is speaking. A router neither handles packets nor closes anything.

use watersmeet_wire::params::RtpCapabilities;
use watersmeet_wire::units::Map;

use crate::active_speaker::ActiveSpeakers;
use crate::ids::RouterId;
use crate::loudest_voices::LoudestVoices;
use crate::slots::{ConsumerKey, ProducerKey, TransportKey};
use crate::ticket_queue::TicketQueue;
use crate::timers::Deadline;

/// The part of a room that one worker serves.
#[derive(Debug)]
pub struct Router {
    /// Id that commands and events use.
    pub id: RouterId,
    /// RTP capabilities.
    pub capabilities: RtpCapabilities,
    /// Its transports, in the order of their creation.
    pub transports: TicketQueue<TransportKey>,
    /// Its producers that are piped from other shards.
    pub pipes: Vec<ProducerKey>,
    /// Detector of the active speaker, among producers whose publisher sends to this worker.
    pub speakers: ActiveSpeakers<ProducerKey>,
    /// Deadline of the next decision who is speaking.
    pub speaker_deadline: Deadline,
    /// Choice of the loudest voices; absent where all are forwarded.
    pub voices: Option<RouterVoices>,
    /// Active speaker that was reported last.
    reported_speaker: Option<ProducerKey>,
    /// Consumers of each producer, in the order of their creation.
    consumers: Map<ProducerKey, Vec<ConsumerKey>>,
}

/// Loudest voices of a router, for each group of receivers.
#[derive(Debug)]
pub struct RouterVoices {
    /// Among all producers, for consumers on this worker.
    pub here: LoudestVoices<ProducerKey>,
    /// Among producers whose publisher sends to this worker, for other workers, which choose again.
    pub piped: LoudestVoices<ProducerKey>,
}

impl RouterVoices {
    /// Removes a producer.
    pub fn remove(&mut self, producer: ProducerKey) {
        self.here.remove(producer);
        self.piped.remove(producer);
    }
}

impl Router {
    /// Creates an empty router.
    pub fn new(id: RouterId, capabilities: RtpCapabilities) -> Self {
        Self {
            id,
            capabilities,
            transports: TicketQueue::default(),
            pipes: Vec::new(),
            speakers: ActiveSpeakers::default(),
            speaker_deadline: Deadline::default(),
            voices: None,
            reported_speaker: None,
            consumers: Map::new(),
        }
    }

    /// Adds a producer.
    pub fn add_producer(&mut self, producer: ProducerKey) {
        self.consumers.insert(producer, Vec::new());
    }

    /// Removes a producer and returns its consumers.
    pub fn remove_producer(&mut self, producer: ProducerKey) -> Vec<ConsumerKey> {
        self.pipes.retain(|pipe| *pipe != producer);
        self.remove_speaker(producer);
        self.consumers.remove(&producer).unwrap_or_default()
    }

    /// Forwards only the loudest `count` voices from now on.
    pub fn limit_voices(&mut self, count: usize) {
        self.voices = Some(RouterVoices {
            here: LoudestVoices::new(count),
            piped: LoudestVoices::new(count),
        });
    }

    /// Returns whether it has producers.
    pub fn has_producers(&self) -> bool {
        !self.consumers.is_empty()
    }

    /// Forgets what a producer has said.
    pub fn remove_speaker(&mut self, producer: ProducerKey) {
        self.speakers.remove(producer);
        if let Some(voices) = &mut self.voices {
            voices.remove(producer);
        }
    }

    /// Adds a consumer of a producer.
    pub fn add_consumer(&mut self, producer: ProducerKey, consumer: ConsumerKey) {
        self.consumers.entry(producer).or_default().push(consumer);
    }

    /// Removes a consumer of a producer.
    pub fn remove_consumer(&mut self, producer: ProducerKey, consumer: ConsumerKey) {
        if let Some(consumers) = self.consumers.get_mut(&producer)
            && let Some(index) = consumers.iter().position(|&known| known == consumer)
        {
            consumers.remove(index);
        }
    }

    /// Returns the consumers of a producer.
    pub fn consumers_of(&self, producer: ProducerKey) -> &[ConsumerKey] {
        self.consumers.get(&producer).map_or(&[], Vec::as_slice)
    }

    /// Returns the active speaker, or `Some(None)` when there is none any more, if that changed since it
    /// was last returned.
    pub fn take_changed_speaker(&mut self) -> Option<Option<ProducerKey>> {
        let speaker = self.speakers.dominant();
        let before = std::mem::replace(&mut self.reported_speaker, speaker);
        (before != speaker).then_some(speaker)
    }
}
