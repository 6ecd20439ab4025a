//! One connection: its public name, its dialect, its message rate and its room. Its media objects
//! are in `conference/media.rs`, its pending commands in `conference/pending_commands.rs`.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use watersmeet_wire::units::{Time, TokenBucket};

use crate::call_quality::ObservedClient;
use crate::connect_request::ClientKey;
use crate::dialect::{DecodeError, Dialect, Effect, RequestTag};
use crate::limits::{
    CAPTIONS_BURST, CAPTIONS_PER_SECOND, ConferenceLimits, REACTIONS_BURST, REACTIONS_PER_SECOND,
};
use crate::liveness::Liveness;
use crate::message::{Notice, PeerId, Refusal, Reply, Request};
use crate::relay_budget::RelayBudget;
use crate::resumption::Resumption;
use crate::seats::ResumeKey;

/// State of one session: that of a connection, which it may outlive.
#[derive(Debug)]
pub(crate) struct Session {
    /// Id by which other participants know it.
    peer: PeerId,
    /// Whether the client chose that id.
    has_claimed_id: bool,
    /// Decoder and encoder of its frames, with their state.
    dialect: Dialect,
    /// Whether the dialect panicked. Its state may be broken, so it is never called again.
    is_failed: bool,
    /// Limit of its message rate.
    rate: MessageRate,
    /// When something arrived from its client last.
    liveness: Liveness,
    /// Limit of what it makes the server send to others.
    relay_budget: RelayBudget,
    /// Limit of its reactions.
    reactions: TokenBucket,
    /// Limit of its captions.
    captions: TokenBucket,
    /// State for observations of its quality.
    observed: ObservedClient,
    /// Token of the connect request. It was valid at that time and may have expired since.
    token: Option<Token>,
    /// Whether joining any room requires a token.
    token_required: bool,
    /// Network address of the client.
    client: Option<ClientKey>,
    /// Time at which the connection is closed because its token expires.
    token_expiry: Option<Time>,
    /// Time at which it joined a room, until one of its transports is connected.
    joined_at: Option<Time>,
    /// Room in which it is a member.
    membership: Option<Membership>,
    /// Room for which it waits until a host admits it.
    lobby: Option<Membership>,
    /// Requests that wait until shards have replied to earlier ones, oldest first.
    waiting: VecDeque<WaitingRequest>,
    /// State by which it outlives its connection; `None` when it ends with that.
    resumption: Option<Resumption>,
    /// Makes the next call of the dialect panic.
    #[cfg(feature = "faults")]
    panics_next: bool,
}

/// Room that a session is in, or waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Membership {
    /// Name of the room.
    pub room: Arc<str>,
    /// Number of the session in that room, never reused.
    pub number: u64,
}

/// Request that waits until shards have replied to earlier ones.
#[derive(Debug)]
pub(crate) struct WaitingRequest {
    /// Time at which it is refused.
    pub deadline: Time,
    /// Tag that identifies the request to the dialect.
    pub tag: RequestTag,
    /// Request to perform.
    pub request: Request,
}

/// Panic in the dialect of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DialectPanic;

/// Token as the client sent it. It is never printed.
struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

impl Session {
    /// Returns the state of a new connection, which is in no room.
    pub(crate) fn new(
        peer: PeerId,
        dialect: Dialect,
        limits: &ConferenceLimits,
        token: Option<String>,
        token_required: bool,
    ) -> Self {
        Self {
            peer,
            has_claimed_id: false,
            dialect,
            is_failed: false,
            rate: MessageRate::new(limits),
            liveness: Liveness::default(),
            relay_budget: RelayBudget::default(),
            reactions: TokenBucket::new(REACTIONS_PER_SECOND, REACTIONS_BURST),
            captions: TokenBucket::new(CAPTIONS_PER_SECOND, CAPTIONS_BURST),
            observed: ObservedClient::default(),
            token: token.map(Token),
            token_required,
            client: None,
            token_expiry: None,
            joined_at: None,
            membership: None,
            lobby: None,
            waiting: VecDeque::new(),
            resumption: None,
            #[cfg(feature = "faults")]
            panics_next: false,
        }
    }

    /// Returns the name of its dialect.
    pub(crate) const fn dialect_name(&self) -> &'static str {
        self.dialect.name()
    }

    /// Returns the id by which other participants know it.
    pub(crate) const fn peer(&self) -> &PeerId {
        &self.peer
    }

    /// Records that the client chose the id by which others know it.
    pub(crate) const fn claim_id(&mut self) {
        self.has_claimed_id = true;
    }

    /// Records the network address of the client.
    pub(crate) const fn set_client(&mut self, client: Option<ClientKey>) {
        self.client = client;
    }

    /// Returns the network address of the client.
    pub(crate) const fn client(&self) -> Option<ClientKey> {
        self.client
    }

    /// Records when the connection is closed because its token expires. Returns the time before.
    pub(crate) const fn set_token_expiry(&mut self, at: Option<Time>) -> Option<Time> {
        std::mem::replace(&mut self.token_expiry, at)
    }

    /// Returns whether the client chose the id by which others know it.
    pub(crate) const fn has_claimed_id(&self) -> bool {
        self.has_claimed_id
    }

    /// Returns the token of the connect request.
    pub(crate) fn token(&self) -> Option<&str> {
        self.token.as_ref().map(|Token(token)| token.as_str())
    }

    /// Returns whether joining any room requires a token.
    pub(crate) const fn token_required(&self) -> bool {
        self.token_required
    }

    /// Returns whether its client receives each producer on a separate transport.
    pub(crate) const fn has_transport_per_producer(&self) -> bool {
        self.dialect.has_transport_per_producer()
    }

    /// Returns the room in which it is a member.
    pub(crate) const fn membership(&self) -> Option<&Membership> {
        self.membership.as_ref()
    }

    /// Returns the room in whose lobby it waits.
    pub(crate) const fn lobby(&self) -> Option<&Membership> {
        self.lobby.as_ref()
    }

    /// Records the room that it enters and returns the previous one.
    pub(crate) const fn enter(&mut self, membership: Membership) -> Option<Membership> {
        self.membership.replace(membership)
    }

    /// Records that it has left its room.
    pub(crate) fn leave(&mut self) {
        self.membership = None;
    }

    /// Records the room in whose lobby it waits.
    pub(crate) fn enter_lobby(&mut self, lobby: Membership) {
        self.lobby = Some(lobby);
    }

    /// Records that it has left the lobby and returns the room of that lobby.
    pub(crate) const fn leave_lobby(&mut self) -> Option<Membership> {
        self.lobby.take()
    }

    /// Records the time at which it joined a room.
    pub(crate) fn record_join(&mut self, now: Time) {
        self.joined_at = Some(now);
        self.observed.record_join(now);
    }

    /// Takes the time at which it joined a room, for the join duration; later calls return `None`.
    pub(crate) const fn take_joined_at(&mut self) -> Option<Time> {
        self.joined_at.take()
    }

    /// Returns whether one of its transports was connected since it joined.
    pub(crate) const fn has_connected(&self) -> bool {
        self.joined_at.is_none()
    }

    /// Counts a message against the rate limit.
    ///
    /// # Errors
    /// The number of messages refused since the rate was last fully recovered.
    pub(crate) fn count_message(&mut self, now: Time) -> Result<(), u32> {
        self.rate.count(now)
    }

    /// Returns when something arrived from its client last.
    pub(crate) const fn liveness(&mut self) -> &mut Liveness {
        &mut self.liveness
    }

    /// Returns the limit of what it makes the server send to others.
    pub(crate) const fn relay_budget(&mut self) -> &mut RelayBudget {
        &mut self.relay_budget
    }

    /// Returns what is kept of it from one observation to the next.
    pub(crate) const fn observed(&mut self) -> &mut ObservedClient {
        &mut self.observed
    }

    /// Counts a reaction. Returns false, and counts nothing, when there were too many.
    pub(crate) fn may_react(&mut self, now: Time) -> bool {
        self.reactions.try_take(now, 1)
    }

    /// Counts a caption. Returns false, and counts nothing, when there were too many.
    pub(crate) fn may_caption(&mut self, now: Time) -> bool {
        self.captions.try_take(now, 1)
    }

    /// Returns whether its client tells private messages from others.
    pub(crate) const fn has_private_messages(&self) -> bool {
        self.dialect.has_private_messages()
    }

    /// Returns whether its client can be moved to breakout rooms.
    pub(crate) const fn has_breakout_rooms(&self) -> bool {
        self.dialect.has_breakout_rooms()
    }

    /// Allows more messages, because announced producers make the client send them.
    pub(crate) fn credit_messages(&mut self, messages: usize) {
        self.rate.credit(messages);
    }

    /// Returns the number of waiting requests.
    pub(crate) fn waiting_len(&self) -> usize {
        self.waiting.len()
    }

    /// Adds a request at the end of the waiting ones.
    pub(crate) fn push_waiting(&mut self, request: WaitingRequest) {
        self.waiting.push_back(request);
    }

    /// Takes the oldest waiting request.
    pub(crate) fn pop_waiting(&mut self) -> Option<WaitingRequest> {
        self.waiting.pop_front()
    }

    /// Makes the session outlive its connection, for a client that shows this secret.
    pub(crate) fn start_resumption(&mut self, key: ResumeKey) {
        match &mut self.resumption {
            Some(resumption) => resumption.set_key(key),
            None => self.resumption = Some(Resumption::new(key)),
        }
    }

    /// Returns the state by which it outlives its connection.
    pub(crate) const fn resumption(&self) -> Option<&Resumption> {
        self.resumption.as_ref()
    }

    /// Returns the state by which it outlives its connection, mutably.
    pub(crate) const fn resumption_mut(&mut self) -> Option<&mut Resumption> {
        self.resumption.as_mut()
    }

    /// Records the id of a request that arrived, valid or not.
    pub(crate) fn record_request(&mut self, decoded: Result<&Vec<Effect>, &DecodeError>) {
        let Some(resumption) = &mut self.resumption else {
            return;
        };
        let id = match decoded {
            Ok(effects) => effects.iter().find_map(|effect| match effect {
                Effect::Request(tag, _) => tag.id.clone(),
                Effect::SendFrame(_) | Effect::Close { .. } => None,
            }),
            Err(error) => error.tag.id.clone(),
        };
        resumption.record_request(id);
    }

    /// Numbers and keeps a frame that is sent, if the session outlives its connection.
    pub(crate) fn record_sent(&mut self, now: Time, text: String) -> String {
        let Some(resumption) = &mut self.resumption else {
            return text;
        };
        let text = self.dialect.number_frame(text, resumption.next_seq());
        resumption.record_frame(now, text.clone());
        text
    }

    /// Decodes a frame.
    ///
    /// # Errors
    /// The dialect panicked.
    pub(crate) fn decode(
        &mut self,
        frame: &str,
    ) -> Result<Result<Vec<Effect>, DecodeError>, DialectPanic> {
        self.call_dialect(|dialect| dialect.decode(frame), Ok(Vec::new()))
    }

    /// Encodes the reply to a request, or its refusal.
    ///
    /// # Errors
    /// The dialect panicked.
    pub(crate) fn encode_response(
        &mut self,
        tag: &RequestTag,
        outcome: &Result<Reply, Refusal>,
    ) -> Result<Vec<Effect>, DialectPanic> {
        let encode = |dialect: &mut Dialect| match outcome {
            Ok(reply) => dialect.encode_reply(tag, reply),
            Err(refusal) => dialect.encode_refusal(tag, refusal),
        };
        self.call_dialect(encode, Vec::new())
    }

    /// Encodes a notice.
    ///
    /// # Errors
    /// The dialect panicked.
    pub(crate) fn encode_notice(&mut self, notice: &Notice) -> Result<Vec<Effect>, DialectPanic> {
        self.call_dialect(|dialect| dialect.encode_notice(notice), Vec::new())
    }

    /// Makes the next call of the dialect panic.
    #[cfg(feature = "faults")]
    pub(crate) const fn panic_next(&mut self) {
        self.panics_next = true;
    }

    /// Calls the dialect and catches its panic, which can only have changed the dialect's own
    /// state. A dialect that panicked before is not called; the result is then `otherwise`.
    fn call_dialect<T>(
        &mut self,
        call: impl FnOnce(&mut Dialect) -> T,
        otherwise: T,
    ) -> Result<T, DialectPanic> {
        if self.is_failed {
            return Ok(otherwise);
        }
        let dialect = AssertUnwindSafe(&mut self.dialect);
        #[cfg(feature = "faults")]
        let panics = std::mem::take(&mut self.panics_next);
        let called = catch_unwind(AssertUnwindSafe(move || {
            let AssertUnwindSafe(dialect) = dialect;
            #[cfg(feature = "faults")]
            crate::faults::panic_if(panics);
            call(dialect)
        }));
        called.map_err(|_| {
            self.is_failed = true;
            DialectPanic
        })
    }
}

/// Rate limit for the messages of a connection.
#[derive(Debug)]
pub(crate) struct MessageRate {
    /// Bucket from which each message takes one token.
    bucket: TokenBucket,
    /// Messages refused since the bucket was last full.
    strikes: u32,
}

impl MessageRate {
    /// Returns the rate limit of a new connection, with a full bucket.
    pub(crate) fn new(limits: &ConferenceLimits) -> Self {
        Self {
            bucket: TokenBucket::new(limits.messages_per_second, limits.messages_burst),
            strikes: 0,
        }
    }

    /// Counts one message against the limit.
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

    /// Allows more messages, because announced producers make the client send them.
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
    fn message_above_the_burst_is_a_strike() {
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
    fn full_bucket_resets_the_strikes() {
        let mut rate = rate();
        while rate.count(Time::ZERO).is_ok() {}
        let later = Time::from_millis(2_000);
        for _ in 0..10 {
            assert_eq!(rate.count(later), Ok(()));
        }
        assert_eq!(rate.count(later), Err(1));
    }

    #[test]
    fn credit_exceeds_the_burst_and_time_does_not() {
        let mut rate = rate();
        rate.credit(3);
        let later = Time::from_millis(60_000);
        for _ in 0..13 {
            assert_eq!(rate.count(later), Ok(()));
        }
        assert_eq!(rate.count(later), Err(1));
    }

    #[test]
    fn clock_that_goes_backwards_allows_nothing() {
        let mut rate = rate();
        while rate.count(Time::from_millis(1_000)).is_ok() {}
        assert!(rate.count(Time::ZERO).is_err());
        assert!(rate.count(Time::from_millis(1_000)).is_err());
    }
}
