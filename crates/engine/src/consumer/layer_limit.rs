//! Highest layers that a consumer may be sent, regardless of its preference.

/// Upper bound of a consumer's layers. Bandwidth allocation sets it; without one, there is no bound.
#[derive(Debug, Clone, Copy)]
pub struct LayerLimit {
    /// Highest spatial layer that may be sent.
    spatial_max: u8,
}

impl LayerLimit {
    /// No bound.
    pub const UNLIMITED: Self = Self {
        spatial_max: u8::MAX,
    };

    /// Returns the highest spatial layer that may be sent.
    pub const fn spatial_max(self) -> u8 {
        self.spatial_max
    }
}
