//! State of one native connection.

/// State of one connection.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Whether the client supports more than the first version of the protocol.
    pub(super) extended: bool,
}

impl State {
    /// Returns whether the client supports more than the first version of the protocol.
    pub(crate) const fn is_extended(&self) -> bool {
        self.extended
    }
}
