//! Decisions of layer selectors.

/// Decision about a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// The packet belongs to the stream being sent.
    Forward,
    /// As `Forward`, and with this packet the first picture of other layers ends.
    Change,
    /// The packet starts a stream that can be decoded from here; send it as the first of its stream.
    Switch,
    /// The packet belongs to the stream being sent, and to layers that the receiver is not sent.
    Omit,
    /// The packet is not sent.
    Skip,
}

impl Selection {
    /// Returns whether the packet belongs to the stream being sent.
    pub const fn continues(self) -> bool {
        matches!(self, Self::Forward | Self::Change | Self::Omit)
    }
}
