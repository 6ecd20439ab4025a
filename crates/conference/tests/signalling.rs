//! Requests of all dialects and their outcomes, against whole conferences with fake shards.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test must stop where something is missing"
)]

#[path = "signalling/audience.rs"]
mod audience;
#[path = "signalling/breakouts.rs"]
mod breakouts;
#[path = "signalling/call.rs"]
mod call;
#[path = "signalling/connection_tests.rs"]
mod connection_tests;
#[path = "signalling/conversation.rs"]
mod conversation;
#[path = "signalling/harness.rs"]
mod harness;
#[path = "signalling/hostile_frames.rs"]
mod hostile_frames;
#[path = "signalling/hosting.rs"]
mod hosting;
#[path = "signalling/interleavings.rs"]
mod interleavings;
#[path = "signalling/interruptions.rs"]
mod interruptions;
#[path = "signalling/last_n.rs"]
mod last_n;
#[path = "signalling/lifecycle.rs"]
mod lifecycle;
#[path = "signalling/limits.rs"]
mod limits;
#[path = "signalling/lobby.rs"]
mod lobby;
#[path = "signalling/meetlite.rs"]
mod meetlite;
#[path = "signalling/messages.rs"]
mod messages;
#[path = "signalling/mixed_dialects.rs"]
mod mixed_dialects;
#[path = "signalling/native.rs"]
mod native;
#[cfg(feature = "faults")]
#[path = "signalling/panics.rs"]
mod panics;
#[path = "signalling/protocol_document.rs"]
mod protocol_document;
#[path = "signalling/protoo.rs"]
mod protoo;
#[path = "signalling/request_outcomes.rs"]
mod request_outcomes;
#[path = "signalling/resuming.rs"]
mod resuming;
#[path = "signalling/returning.rs"]
mod returning;
#[path = "signalling/rmm.rs"]
mod rmm;
#[path = "signalling/roles.rs"]
mod roles;
#[path = "signalling/room_events.rs"]
mod room_events;
#[path = "signalling/scores.rs"]
mod scores;
#[path = "signalling/sfu.rs"]
mod sfu;
#[path = "signalling/speakers.rs"]
mod speakers;
#[path = "signalling/spread_rooms.rs"]
mod spread_rooms;
#[path = "signalling/tutorial.rs"]
mod tutorial;
