//! Upper bounds of what connections and participants may use. None can be switched off.

use std::time::Duration;

use serde::Deserialize;

pub use watersmeet_engine::command::LOUDEST_MAX;

/// Longest chat message, in bytes.
pub const CHAT_LEN_MAX: usize = 12 * 1024;

/// Chat messages that a room keeps for participants who come later or come back.
pub const CHAT_HISTORY_LEN_MAX: usize = 500;

/// Bytes of these messages on the wire. An eighth of what may wait to be sent to a client.
pub const CHAT_HISTORY_BYTES_MAX: usize = 128 << 10;

/// Longest key by which a client recognises its own chat message, in bytes.
pub const CHAT_KEY_LEN_MAX: usize = 64;

/// Reactions that a participant may send per second, on average.
pub const REACTIONS_PER_SECOND: u32 = 2;

/// Reactions that a participant may send at once.
pub const REACTIONS_BURST: u32 = 8;

/// Longest caption, in bytes: some lines, of which pages show the last two.
pub const CAPTION_LEN_MAX: usize = 1_024;

/// Captions that a participant may send per second, on average. Recognisers change the last words a few times a
/// second.
pub const CAPTIONS_PER_SECOND: u32 = 5;

/// Captions that a participant may send at once.
pub const CAPTIONS_BURST: u32 = 20;

/// Longest question of a poll, in bytes.
pub const POLL_QUESTION_LEN_MAX: usize = 512;

/// Longest answer of a poll, in bytes.
pub const POLL_OPTION_LEN_MAX: usize = 256;

/// Fewest answers of a poll.
pub const POLL_OPTIONS_MIN: usize = 2;

/// Most answers of a poll.
pub const POLL_OPTIONS_MAX: usize = 10;

/// Bytes per second that a participant may make the server send to others: chat, relayed messages
/// and free-form data, counted once for each receiver.
pub const RELAYED_BYTES_PER_SECOND: u64 = 512 << 10;

/// Bytes that a participant may make the server send to others at once. A message above is
/// accepted while earlier ones leave anything of this, so that every message fits every room.
pub const RELAYED_BYTES_BURST: u64 = 2 << 20;

/// Time for which a room that an operator created in advance waits for its first participant. Rooms
/// of clients wait for less, see `unentered_room_timeout_s`.
pub const RESERVATION_TIMEOUT: Duration = Duration::from_hours(24);

/// Time for which the seat of a participant is kept whose connection was lost: an outage of two
/// minutes, and the time that its client needs to come back.
pub const SEAT_TIMEOUT: Duration = Duration::from_secs(150);

/// Time after the last frame of a client whose connection is lost, for which its session goes on without a
/// connection. Longer than the 16 s after which a silent connection is closed, and about as long as browsers
/// take to give up a path.
pub const RESUME_TIMEOUT: Duration = Duration::from_secs(30);

/// Upper bound of sessions without a connection. Beyond it, a session ends with its connection.
pub const DETACHED_SESSIONS_MAX: usize = 4_096;

/// Lower bound of the breakout rooms of a meeting.
pub const BREAKOUT_ROOMS_MIN: usize = 2;

/// Upper bound of the breakout rooms of a meeting.
pub const BREAKOUT_ROOMS_MAX: usize = 20;

/// Longest countdown before breakout rooms close.
pub const BREAKOUT_CLOSE_MAX: Duration = Duration::from_mins(5);

/// Connection tests at a time.
pub const CONNECTION_TESTS_MAX: usize = 64;

/// Time after which a connection test ends.
pub const CONNECTION_TEST_TIMEOUT: Duration = Duration::from_secs(20);

/// RTP bytes that are accepted on each transport of a connection test: those of a voice, several times.
pub const CONNECTION_TEST_BYTES_MAX: u64 = 1 << 20;

/// Transports of a connection test, one for each direction, closed ones included.
pub const CONNECTION_TEST_TRANSPORTS_MAX: usize = 2;

/// Time for which a request to consume waits for a receive transport.
pub const CONSUME_TIMEOUT: Duration = Duration::from_secs(5);

/// Number of messages that a client sends for each announced producer: create a transport, connect
/// it, consume, and resume the consumer. A page that joins a room of a hundred sends all of them at
/// once, which must not exceed the rate limit.
pub const MESSAGES_PER_PRODUCER: usize = 4;

/// Numbers of cameras and voices that are forwarded to each participant of a room; 0 forwards all.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct ForwardingLimits {
    /// Cameras: those of the latest speakers, then those of who came first.
    pub last_n_video: u16,
    /// Voices: the loudest ones, at most [`LOUDEST_MAX`].
    pub top_n_audio: u8,
}

/// Upper bounds that the operator decides: the table `[caps]` of the configuration. The last line
/// of each comment is the line of `watersmeet.toml.example`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConferenceLimits {
    /// Signalling connections at a time. Default 20,000.
    /// `sessions_max = 20000`
    pub sessions_max: usize,
    /// Rooms at a time. Default 10,000.
    /// `rooms_max = 10000`
    pub rooms_max: usize,
    /// Rooms that one client network has created by the REST API and nobody has entered yet. Default
    /// 20; operators have no such limit.
    /// `unentered_rooms_per_client_max = 20`
    pub unentered_rooms_per_client_max: usize,
    /// Seconds for which such a room waits for its first participant. Default 900; rooms of
    /// operators wait for a day.
    /// `unentered_room_timeout_s = 900`
    pub unentered_room_timeout_s: u32,
    /// Participants in a room. Default 200.
    /// `participants_max = 200`
    pub participants_max: usize,
    /// Participants of a room up to which all are told of one another. In a larger room, those who
    /// join and publish nothing are only counted. Default 100.
    /// `presence_max = 100`
    pub presence_max: usize,
    /// Transports of a participant, at least 2. Default 4; clients that open one for each person
    /// they see get as many as they need.
    /// `transports_max = 4`
    pub transports_max: usize,
    /// Producers of a participant. Default 16.
    /// `producers_max = 16`
    pub producers_max: usize,
    /// Consumers of a participant. Default 512.
    /// `consumers_max = 512`
    pub consumers_max: usize,
    /// Requests of a connection that are worked on at a time. Default 64.
    /// `pending_requests_max = 64`
    pub pending_requests_max: usize,
    /// Requests of a connection that wait their turn. Default 512.
    /// `waiting_requests_max = 512`
    pub waiting_requests_max: usize,
    /// Bytes of a message, 1,024 at least: a browser's offer of media has that much. Default
    /// 65,536.
    /// `frame_len_max = 65536`
    pub frame_len_max: usize,
    /// Bytes of a room's or a participant's name. Default 256.
    /// `name_len_max = 256`
    pub name_len_max: usize,
    /// Messages of a connection per second, on average. Default 50.
    /// `messages_per_second = 50`
    pub messages_per_second: u32,
    /// Messages of a connection at once. Default 200.
    /// `messages_burst = 200`
    pub messages_burst: u32,
    /// Messages over the rate that are refused before the connection is closed; 0 closes at the
    /// first. Default 3.
    /// `strikes_max = 3`
    pub strikes_max: u32,
    /// Seconds that a request may take. Default 10.
    /// `request_timeout_s = 10`
    pub request_timeout_s: u32,
}

impl ConferenceLimits {
    /// Returns the time for which a room that a client has created waits for its first participant.
    pub fn unentered_room_timeout(&self) -> Duration {
        Duration::from_secs(self.unentered_room_timeout_s.into())
    }

    /// Returns the time after which a request that a shard has not answered is refused.
    pub fn request_timeout(&self) -> Duration {
        Duration::from_secs(self.request_timeout_s.into())
    }
}

impl Default for ConferenceLimits {
    fn default() -> Self {
        Self {
            sessions_max: 20_000,
            rooms_max: 10_000,
            unentered_rooms_per_client_max: 20,
            unentered_room_timeout_s: 900,
            participants_max: 200,
            presence_max: 100,
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
            request_timeout_s: 10,
        }
    }
}
