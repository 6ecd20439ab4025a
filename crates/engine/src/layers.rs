//! Layers of simulcast and SVC, in mediasoup's words, and why a receiver gets fewer of them.

use serde::{Deserialize, Serialize};

/// A spatial and a temporal layer, each counted from the lowest quality at zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Layers {
    /// Resolution: index of the simulcast encoding.
    pub spatial_layer: u8,
    /// Frame rate; absent means the highest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temporal_layer: Option<u8>,
}

/// Why a consumer is sent lower layers than it prefers, or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayersReason {
    /// The path to the receiver does not carry more.
    Bandwidth,
    /// The publisher does not send a better layer.
    Publisher,
    /// The room sends its participants only some of its cameras, and others come first.
    LastN,
}
