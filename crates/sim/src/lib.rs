//! The virtual world: workers, the conference, scripted browsers and the links between them, in one
//! thread and in invented time. One seed is the whole run; the same seed gives the same bytes.
//!
//! A scenario reads aloud (see [`scenario`]); the oracles are always on (see [`oracle`]).

pub mod network;
pub mod oracle;
pub mod person;
pub mod profiles;
pub mod scenario;
pub mod seeds;
pub mod world;
