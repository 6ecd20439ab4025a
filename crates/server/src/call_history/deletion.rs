//! Deletions that operators can ask for.

/// Part of the history that is deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deletion {
    /// A call with all participants.
    Call(String),
    /// A participant of a call, with its minutes.
    Participant {
        /// Id of the call.
        call: String,
        /// Id of the participant in it.
        participant: String,
    },
    /// All participants of all calls that have this name, where names are stored.
    Name(String),
}
