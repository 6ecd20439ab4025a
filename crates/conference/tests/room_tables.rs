//! Who may do what: requests and their outcomes, over conferences whose shards only keep books.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests: what is missing must stop them where it is missing"
)]

#[path = "room_tables/call.rs"]
mod call;
#[path = "room_tables/documents.rs"]
mod documents;
#[path = "room_tables/golden.rs"]
mod golden;
#[path = "room_tables/hostile.rs"]
mod hostile;
#[path = "room_tables/interleavings.rs"]
mod interleavings;
#[path = "room_tables/lifecycle.rs"]
mod lifecycle;
#[path = "room_tables/limits.rs"]
mod limits;
#[path = "room_tables/meetlite.rs"]
mod meetlite;
#[path = "room_tables/mixed.rs"]
mod mixed;
#[path = "room_tables/outcomes.rs"]
mod outcomes;
#[path = "room_tables/protoo.rs"]
mod protoo;
#[path = "room_tables/rmm.rs"]
mod rmm;
#[path = "room_tables/roles.rs"]
mod roles;
#[path = "room_tables/sfu.rs"]
mod sfu;
#[path = "room_tables/spread.rs"]
mod spread;
#[path = "room_tables/world.rs"]
mod world;
