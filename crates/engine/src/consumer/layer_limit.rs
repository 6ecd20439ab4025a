//! Highest layers that a consumer may be sent, regardless of its preference.

use crate::allocation::{ALL_TEMPORAL, LayerStep};

/// Upper bound of a consumer's layers, which bandwidth allocation sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerLimit {
    /// Nothing may be sent: the path does not carry it.
    Paused,
    /// Layers up to these may be sent.
    UpTo(LayerStep),
}

impl LayerLimit {
    /// No bound.
    pub const UNLIMITED: Self = Self::UpTo(LayerStep::full(u8::MAX));

    /// Returns the highest layers that may be sent; `None` when none may.
    pub const fn step(self) -> Option<LayerStep> {
        match self {
            Self::Paused => None,
            Self::UpTo(step) => Some(step),
        }
    }

    /// Returns the highest spatial layer that may be sent; `None` when none may.
    pub fn spatial_max(self) -> Option<u8> {
        self.step().map(|step| step.spatial)
    }

    /// Returns the highest temporal layer that may be sent while a spatial layer is. All while that is
    /// another one than allowed, whose keyframe is awaited.
    pub fn temporal_max(self, spatial: u8) -> u8 {
        match self.step() {
            Some(limit) if spatial == limit.spatial => limit.temporal,
            _ => ALL_TEMPORAL,
        }
    }

    /// Returns the layers that were granted; `None` when none are, or nothing was limited yet.
    pub fn granted(self) -> Option<LayerStep> {
        self.step().filter(|_| self != Self::UNLIMITED)
    }
}

impl From<Option<LayerStep>> for LayerLimit {
    fn from(step: Option<LayerStep>) -> Self {
        step.map_or(Self::Paused, Self::UpTo)
    }
}
