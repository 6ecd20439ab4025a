//! Decisions of layer selectors.

/// Decision about a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// The packet belongs to the stream being sent.
    Forward,
    /// The packet starts a stream that can be decoded from here; send it as the first of its stream.
    Switch,
    /// The packet is not sent.
    Skip,
}
