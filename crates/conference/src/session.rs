//! One connection: who it is, how it speaks, how fast it may ask, and what it holds on shards.
//! A session knows nothing of other sessions; the conference introduces them.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use watersmeet_engine::command::{ConsumerId, ProducerId, TransportId};
use watersmeet_wire::params::RtpCapabilities;
use watersmeet_wire::units::{Map, Time, TokenBucket};

use crate::dialect::{Dialect, RequestTag};
use crate::limits::ConferenceLimits;
use crate::message::{
    CommandToken, CreatedTransport, Direction, PeerId, Request, ShardId, TransportKey,
};

/// One connection.
#[derive(Debug)]
pub(crate) struct Session {
    /// Its public name.
    pub peer: PeerId,
    /// How it speaks.
    pub dialect: Dialect,
    /// How fast it may ask.
    pub rate: MessageRate,
    /// The token of its opening, which was good then.
    pub token: Option<Token>,
    /// Whether it may enter no room without a token.
    pub token_required: bool,
    /// When it entered a room, until one of its transports can carry media.
    pub entered_at: Option<Time>,
    /// Where it takes part, if it does.
    pub place: Option<Place>,
    /// Where it waits to be let in, if it does.
    pub lobby: Option<Place>,
    /// Its transports, those that are being made included.
    pub transports: Map<TransportId, Transport>,
    /// The newest transport that it receives on, once that one is made.
    pub receive_transport: Option<TransportId>,
    /// Its producers, those that are being made included, and the transports they are on.
    pub producers: Map<ProducerId, TransportId>,
    /// Its consumers, those that are being made included.
    pub consumers: Map<ConsumerId, Consumer>,
    /// What it will consume when it has a receive transport, oldest first.
    pub held: VecDeque<Held>,
    /// Its requests that shards work on.
    pub pending: BTreeSet<CommandToken>,
    /// Its requests that wait their turn, oldest first.
    pub waiting: VecDeque<Waiting>,
}

/// A token as it came. It is never printed.
pub(crate) struct Token(pub String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

/// Where a session takes part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The room's name.
    pub room: Arc<str>,
    /// Its number among all who ever entered that room.
    pub order: u64,
}

/// A transport of a session.
#[derive(Debug)]
pub(crate) struct Transport {
    /// What it is for.
    pub direction: Direction,
    /// Where it lives.
    pub shard: ShardId,
    /// Which one it is, if its client asks for it so.
    pub key: Option<TransportKey>,
    /// What its client was offered, once its shard has made it.
    pub offer: Option<Box<CreatedTransport>>,
    /// Further requests for the same transport, which wait until it is made.
    pub also_asked: Vec<RequestTag>,
}

impl Transport {
    /// Whether its shard has made it.
    pub(crate) const fn is_made(&self) -> bool {
        self.offer.is_some()
    }
}

/// A consumer of a session.
#[derive(Debug)]
pub(crate) struct Consumer {
    /// The transport it leaves on.
    pub transport: TransportId,
    /// What it receives.
    pub producer: ProducerId,
}

/// A wish to consume that waits for a receive transport.
#[derive(Debug)]
pub(crate) struct Held {
    /// When it is given up.
    pub deadline: Time,
    /// Which request it is.
    pub tag: RequestTag,
    /// What is wished for.
    pub producer: ProducerId,
    /// What the participant can receive.
    pub capabilities: RtpCapabilities,
    /// Whether the consumer begins paused.
    pub start_paused: bool,
}

/// A request that waits its turn.
#[derive(Debug)]
pub(crate) struct Waiting {
    /// When it is given up.
    pub deadline: Time,
    /// Which request it is.
    pub tag: RequestTag,
    /// What is asked.
    pub request: Request,
}

impl Session {
    /// A connection that has just opened.
    pub(crate) fn new(peer: PeerId, dialect: Dialect, limits: &ConferenceLimits) -> Self {
        Self {
            peer,
            dialect,
            rate: MessageRate::new(limits),
            token: None,
            token_required: false,
            entered_at: None,
            place: None,
            lobby: None,
            transports: Map::new(),
            receive_transport: None,
            producers: Map::new(),
            consumers: Map::new(),
            held: VecDeque::new(),
            pending: BTreeSet::new(),
            waiting: VecDeque::new(),
        }
    }

    /// Its transport of this id, if it is made and for this direction.
    pub(crate) fn transport_for(
        &self,
        id: TransportId,
        direction: Direction,
    ) -> Option<&Transport> {
        self.transports
            .get(&id)
            .filter(|it| it.is_made() && it.direction == direction)
    }

    /// Its transport of this key, made or being made.
    pub(crate) fn transport_of_key(&mut self, key: TransportKey) -> Option<&mut Transport> {
        self.transports.values_mut().find(|it| it.key == Some(key))
    }

    /// The shard that one of its producers is on.
    pub(crate) fn producer_shard(&self, id: ProducerId) -> Option<ShardId> {
        let transport = self.producers.get(&id)?;
        self.transports.get(transport).map(|it| it.shard)
    }

    /// The shard that one of its consumers is on.
    pub(crate) fn consumer_shard(&self, id: ConsumerId) -> Option<ShardId> {
        let consumer = self.consumers.get(&id)?;
        self.transports.get(&consumer.transport).map(|it| it.shard)
    }

    /// The shard that its transports are on, if it has any.
    pub(crate) fn shard(&self) -> Option<ShardId> {
        self.transports.values().next().map(|it| it.shard)
    }

    /// Whether it loses something when this shard is lost: its media is there, or it has none yet
    /// and waits for some.
    pub(crate) fn depends_on(&self, shard: ShardId) -> bool {
        match self.shard() {
            Some(own) => own == shard,
            None => !(self.pending.is_empty() && self.held.is_empty()),
        }
    }
}

/// How fast a connection may send messages.
#[derive(Debug)]
pub(crate) struct MessageRate {
    /// One token for each message.
    bucket: TokenBucket,
    /// Messages refused since the bucket was last full.
    strikes: u32,
}

impl MessageRate {
    /// Returns the rate of a connection that has sent nothing yet.
    pub(crate) fn new(limits: &ConferenceLimits) -> Self {
        Self {
            bucket: TokenBucket::new(limits.messages_per_second, limits.messages_burst),
            strikes: 0,
        }
    }

    /// Counts one message.
    ///
    /// # Errors
    /// The number of messages refused since the bucket was last full, this one included.
    pub(crate) fn count(&mut self, now: Time) -> Result<(), u32> {
        if self.bucket.is_full(now) {
            self.strikes = 0;
        }
        if self.bucket.try_take(now, 1) {
            return Ok(());
        }
        self.strikes = self.strikes.saturating_add(1);
        Err(self.strikes)
    }

    /// Allows more messages, because the server itself has given reason for them.
    pub(crate) fn credit(&mut self, messages: usize) {
        self.bucket.add(u32::try_from(messages).unwrap_or(u32::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate() -> MessageRate {
        MessageRate::new(&ConferenceLimits {
            messages_burst: 10,
            messages_per_second: 5,
            ..ConferenceLimits::default()
        })
    }

    #[test]
    fn a_burst_passes_and_the_next_message_is_a_strike() {
        let mut rate = rate();
        for _ in 0..10 {
            assert_eq!(rate.count(Time::ZERO), Ok(()));
        }
        assert_eq!(rate.count(Time::ZERO), Err(1));
        assert_eq!(rate.count(Time::ZERO), Err(2));
        assert_eq!(rate.count(Time::from_millis(200)), Ok(()));
        assert_eq!(rate.count(Time::from_millis(200)), Err(3));
    }

    #[test]
    fn a_pause_fills_the_bucket_and_forgives_the_strikes() {
        let mut rate = rate();
        while rate.count(Time::ZERO).is_ok() {}
        let later = Time::from_millis(2_000);
        for _ in 0..10 {
            assert_eq!(rate.count(later), Ok(()));
        }
        assert_eq!(rate.count(later), Err(1));
    }

    #[test]
    fn credit_goes_over_the_burst_and_time_does_not() {
        let mut rate = rate();
        rate.credit(3);
        let later = Time::from_millis(60_000);
        for _ in 0..13 {
            assert_eq!(rate.count(later), Ok(()));
        }
        assert_eq!(rate.count(later), Err(1));
    }

    #[test]
    fn a_clock_that_goes_backwards_gives_nothing() {
        let mut rate = rate();
        while rate.count(Time::from_millis(1_000)).is_ok() {}
        assert!(rate.count(Time::ZERO).is_err());
        assert!(rate.count(Time::from_millis(1_000)).is_err());
    }
}
