//! Opening of rooms: refused while the server drains, and during shutdown.

/// Whether further rooms are opened.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum RoomOpening {
    /// Rooms are opened.
    #[default]
    Open,
    /// An operator drains the server; that can be undone.
    Draining,
    /// The program is about to end.
    ShuttingDown,
}
