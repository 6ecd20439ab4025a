//! Highest layers that a consumer may be sent, regardless of its preference.

/// Upper bound of a consumer's layers, which bandwidth allocation sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerLimit {
    /// Nothing may be sent: the path does not carry it.
    Paused,
    /// Spatial layers up to this one may be sent.
    UpTo(u8),
}

impl LayerLimit {
    /// No bound.
    pub const UNLIMITED: Self = Self::UpTo(u8::MAX);

    /// Returns the highest spatial layer that may be sent; `None` when none may.
    pub const fn spatial_max(self) -> Option<u8> {
        match self {
            Self::Paused => None,
            Self::UpTo(layer) => Some(layer),
        }
    }

    /// Returns the layer that was granted; `None` when none is, or nothing was limited yet.
    pub fn granted(self) -> Option<u8> {
        self.spatial_max().filter(|_| self != Self::UNLIMITED)
    }
}

impl From<Option<u8>> for LayerLimit {
    fn from(layer: Option<u8>) -> Self {
        layer.map_or(Self::Paused, Self::UpTo)
    }
}
