//! Signalling messages that all dialects share: requests of participants, their replies or
//! refusals, and notices sent without a request.
//!
//! Every dialect translates between these and its own frames. This module does not handle frames,
//! sockets or media, and must not contain fields that only one dialect needs.

mod breakouts;
mod conversation;
mod ids;
mod media;
mod notice;
mod page_report;
mod participant;
mod refusal;
mod reply;
mod request;
mod role;

pub use self::breakouts::{
    BreakoutPerson, BreakoutPlan, BreakoutRoom, BreakoutState, BreakoutsRequest,
};
pub use self::conversation::{
    Author, Caption, CaptionRequest, ChatMessage, ChatPolicy, ChatRequest, ConversationSnapshot,
    PollRequest, PollState, REACTIONS, RaisedHand, ReadMessage,
};
pub use self::ids::{CommandToken, PeerId, SessionId, ShardId};
pub(crate) use self::ids::{event_rng, random_id};
pub use self::media::{CreatedConsumer, CreatedTransport, Direction, StatsSubject, TransportKey};
pub use self::notice::{Applicant, Notice, RemovalReason, overall_score};
pub use self::page_report::{DeviceState, PageReport, Route};
pub use self::participant::{
    ClientDevice, LobbyState, MediaSource, ParticipantSummary, ProducerSummary, RoomSnapshot, User,
};
pub use self::refusal::Refusal;
pub use self::reply::Reply;
pub use self::request::{JoinRequest, Moderation, Request, ResumeRequest};
pub use self::role::{Policy, Role, Sharing};
