//! How much anybody may have: the caps of rooms, participants and messages, all in one place.
//! None of them is ever unlimited; a zero means that there may be none.

use std::time::Duration;

/// The close code of a session that is over, with nobody to blame (RFC 6455 §7.4.1).
pub const CLOSE_NORMAL: u16 = 1000;
/// The close code of a connection that broke the rules (RFC 6455 §7.4.1).
pub const CLOSE_POLICY: u16 = 1008;
/// The close code of a connection whose message is too long (RFC 6455 §7.4.1).
pub const CLOSE_TOO_LONG: u16 = 1009;
/// The close code of a service that starts afresh: come back (IANA's WebSocket close code registry).
pub const CLOSE_RESTART: u16 = 1012;
/// The close code that says "try again later" (IANA's WebSocket close code registry).
pub const CLOSE_TRY_LATER: u16 = 1013;
/// The close code that says "do not come back" to protoo's clients; every other one makes them try
/// again.
pub const CLOSE_PROTOO_FOR_GOOD: u16 = 4000;

/// How much anybody may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caps {
    /// Connections at a time.
    pub sessions_max: usize,
    /// Rooms at a time.
    pub rooms_max: usize,
    /// Participants in a room; as many again may wait to be let in.
    pub participants_max: usize,
    /// Transports of a participant. It needs two; the rest is for replacing them.
    pub transports_max: usize,
    /// Producers of a participant.
    pub producers_max: usize,
    /// Consumers of a participant, waiting ones included.
    pub consumers_max: usize,
    /// Requests of a connection that shards work on at a time. Further ones wait their turn.
    pub pending_requests_max: usize,
    /// Requests of a connection that wait their turn. A page that enters a full room asks for all
    /// its producers at once, so there is room for as many as it may have consumers.
    pub waiting_requests_max: usize,
    /// Bytes of a frame. It bounds everything inside, application data too.
    pub frame_len_max: usize,
    /// Bytes of a room's or a participant's name.
    pub name_len_max: usize,
    /// Messages that a connection may send per second, on average.
    pub messages_per_second: u32,
    /// Messages that a connection may send at once.
    pub messages_burst: u32,
    /// Messages over the rate that are refused before the connection is closed.
    pub strikes_max: u32,
    /// Bytes of what is said to everybody at once.
    pub chat_len_max: usize,
    /// How long a room that was made in advance waits for its first participant.
    pub reservation: Duration,
    /// How long a shard may take to answer.
    pub request_timeout: Duration,
    /// How long `Consume` waits for a receive transport.
    pub consume_patience: Duration,
}

impl Default for Caps {
    fn default() -> Self {
        Self {
            sessions_max: 20_000,
            rooms_max: 10_000,
            participants_max: 200,
            transports_max: 4,
            producers_max: 16,
            consumers_max: 512,
            pending_requests_max: 64,
            waiting_requests_max: 512,
            frame_len_max: 64 * 1024,
            name_len_max: 256,
            messages_per_second: 50,
            messages_burst: 200,
            strikes_max: 3,
            chat_len_max: 4 * 1024,
            reservation: Duration::from_hours(24),
            request_timeout: Duration::from_secs(10),
            consume_patience: Duration::from_secs(5),
        }
    }
}
