//! Requests of all dialects and their outcomes, against whole conferences with fake shards.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test must stop where something is missing"
)]

#[path = "room_tables/call.rs"]
mod call;
#[path = "room_tables/harness.rs"]
mod harness;
#[path = "room_tables/hostile_frames.rs"]
mod hostile_frames;
#[path = "room_tables/interleavings.rs"]
mod interleavings;
#[path = "room_tables/lifecycle.rs"]
mod lifecycle;
#[path = "room_tables/limits.rs"]
mod limits;
#[path = "room_tables/meetlite.rs"]
mod meetlite;
#[path = "room_tables/mixed_dialects.rs"]
mod mixed_dialects;
#[path = "room_tables/native.rs"]
mod native;
#[cfg(feature = "faults")]
#[path = "room_tables/panics.rs"]
mod panics;
#[path = "room_tables/protocol_document.rs"]
mod protocol_document;
#[path = "room_tables/protoo.rs"]
mod protoo;
#[path = "room_tables/request_outcomes.rs"]
mod request_outcomes;
#[path = "room_tables/rmm.rs"]
mod rmm;
#[path = "room_tables/roles.rs"]
mod roles;
#[path = "room_tables/sfu.rs"]
mod sfu;
#[path = "room_tables/spread_rooms.rs"]
mod spread_rooms;
