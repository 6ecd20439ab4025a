//! Layers that the client of a consumer asked for.

use crate::layers::Layers;

/// Preferred layers of a consumer.
#[derive(Debug, Default, Clone, Copy)]
pub struct LayerPreference {
    /// Preferred layers; absent means the highest.
    layers: Option<Layers>,
}

impl LayerPreference {
    /// Creates a preference; `None` prefers the highest layers.
    pub const fn new(layers: Option<Layers>) -> Self {
        Self { layers }
    }

    /// Returns the highest spatial layer that is preferred.
    pub fn spatial_max(self) -> u8 {
        self.layers.map_or(u8::MAX, |layers| layers.spatial_layer)
    }

    /// Returns the highest temporal layer that is preferred.
    pub fn temporal_max(self) -> u8 {
        let temporal = self.layers.and_then(|layers| layers.temporal_layer);
        temporal.unwrap_or(u8::MAX)
    }
}
