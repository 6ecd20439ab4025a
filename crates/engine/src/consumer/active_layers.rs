//! Layers of a producer that bring packets, and which of them should be sent.

/// Active ones among the layers of a producer.
#[derive(Debug, Clone, Copy)]
pub struct ActiveLayers {
    /// Number of layers, lowest quality first.
    count: u8,
    /// Layers that bring packets, as a bit set.
    active: u8,
}

impl ActiveLayers {
    /// Creates a set of `count` layers, none of which is active.
    pub const fn new(count: u8) -> Self {
        Self { count, active: 0 }
    }

    /// Sets which layers bring packets, as a bit set.
    pub const fn set(&mut self, active: u8) {
        self.active = active;
    }

    /// Returns the layer that should be sent: the highest active one up to `max`, or else the lowest active
    /// one above it.
    pub fn target(self, max: u8) -> Option<u8> {
        let top = max.min(self.count.saturating_sub(1));
        let is_active = |layer: &u8| self.active & 1 << layer != 0;
        let below = (0..=top).rev().find(is_active);
        below.or_else(|| (top + 1..self.count).find(is_active))
    }
}
