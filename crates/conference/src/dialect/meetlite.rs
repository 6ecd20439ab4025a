//! The meetlite dialect: Socket.IO events of the default namespace, for users with a token. The
//! server consumes for its clients and announces each consumer, which the client then resumes.
//! Requests are not acknowledged; every reply is an event. A client rejects all its promises on an
//! `error`, so that event is only sent for requests that failed.
//!
//! A client joins in two steps: it enters the room with `join-room`, and receives the list of other
//! participants with its first transport. That list includes the changes made in between. Must
//! never decide about permissions; the rule that only users may join comes from this dialect's
//! clients.

mod consumers;
mod decode;
mod encode;
mod p2p_signalling;
mod payloads;
mod request_names;
mod room_changes;
mod state;

#[cfg(test)]
mod tests;

pub(crate) use self::state::State;
