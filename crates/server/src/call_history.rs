//! History of calls: who was there, over which route, the quality of each minute, and the likely cause of what was
//! bad. Off unless configured.
//!
//! A thread of its own writes it into an SQLite file. The hub puts events and observations into a bounded queue and
//! never waits: what finds the queue full is dropped and counted. A file that cannot be used costs the history and
//! nothing else. Requests read over connections of their own (docs/decisions/0053-call-history.md).

mod counters;
mod deletion;
mod handle;
mod observer;
mod queries;
mod recorder;
mod schema;
mod store;
#[cfg(test)]
mod tests;
mod writer;

pub use self::counters::HistoryCounters;
pub use self::deletion::Deletion;
pub use self::handle::CallHistory;
pub use self::observer::Observer;
pub use self::queries::{
    CALLS_LISTED_MAX, CallFilter, HistoryError, StoredCall, StoredCallDetails, StoredMinute,
    StoredParticipant,
};
