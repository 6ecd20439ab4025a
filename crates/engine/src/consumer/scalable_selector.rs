//! Selector for producers whose layers share one stream and build on one another: sends the packets that a
//! receiver of some layers needs, and changes to other layers where that keeps every frame decodable.

use watersmeet_wire::codec::{InterLayerPrediction, LayerFilter, PayloadDescriptor};

use super::active_layers::ActiveLayers;
use super::selection::Selection;

/// Selects layers of one stream.
#[derive(Debug)]
pub struct ScalableSelector {
    /// Spatial layers that bring packets.
    active: ActiveLayers,
    /// How spatial layers depend on one another.
    prediction: InterLayerPrediction,
    /// Layers being sent; absent while none are.
    filter: Option<LayerFilter>,
    /// Highest spatial layer that a key picture has brought so far; absent after it.
    reached: Option<u8>,
    /// Spatial and temporal layer at the end of the latest picture that was sent.
    shown: Option<(u8, u8)>,
}

impl ScalableSelector {
    /// Creates a selector that has sent nothing.
    pub const fn new(count: u8, prediction: InterLayerPrediction) -> Self {
        Self {
            active: ActiveLayers::new(count),
            prediction,
            filter: None,
            reached: None,
            shown: None,
        }
    }

    /// Decides about a packet, when at most the spatial layer `spatial_max` and the temporal layer
    /// `temporal_max` are to be sent.
    pub fn select(
        &mut self,
        spatial_max: u8,
        temporal_max: u8,
        packet: &PayloadDescriptor,
    ) -> Selection {
        let target = self.target(spatial_max);
        let Some(filter) = &mut self.filter else {
            return match target {
                Some(_) if packet.keyframe => Selection::Switch,
                _ => Selection::Skip,
            };
        };
        let layer = packet.spatial_layer;
        if packet.inter_picture
            && let Some(reached) = self.reached.take()
        {
            // The key picture is over, and may have had fewer layers than expected.
            filter.spatial_layer = reached.min(filter.spatial_layer);
        } else if packet.starts_layer && layer == 0 {
            filter.spatial_layer = target.unwrap_or(filter.spatial_layer);
            self.reached = Some(0);
        }
        let current = filter.spatial_layer;
        let is_nearer = target.is_some_and(|target| {
            (current < layer && layer <= target) || (target <= layer && layer < current)
        });
        if is_nearer && filter.can_switch_spatial(packet) {
            filter.spatial_layer = layer;
        }
        filter.temporal_layer = filter.temporal_layer_from(packet, temporal_max);
        if !filter.includes(packet) {
            return Selection::Omit;
        }
        self.reached = self.reached.map(|reached| reached.max(layer));
        let layers = (filter.spatial_layer, filter.temporal_layer);
        if filter.ends_picture(packet, false) && self.shown != Some(layers) {
            self.shown = Some(layers);
            return Selection::Change;
        }
        Selection::Forward
    }

    /// Returns whether a packet that is sent ends the picture of its receiver. `marker` is the bit that it
    /// came with.
    pub fn ends_picture(&self, packet: &PayloadDescriptor, marker: bool) -> bool {
        let filter = self.filter.as_ref();
        filter.map_or(marker, |filter| filter.ends_picture(packet, marker))
    }

    /// Records that the stream is sent from a keyframe on, whose picture begins with the lowest layer.
    pub fn started(&mut self, spatial_max: u8, temporal_max: u8) {
        self.reached = Some(0);
        self.filter = Some(LayerFilter {
            spatial_layer: self.target(spatial_max).unwrap_or(0),
            temporal_layer: temporal_max,
            prediction: self.prediction,
        });
        self.shown = None;
    }

    /// Returns the spatial layer that should be sent.
    pub fn target(&self, spatial_max: u8) -> Option<u8> {
        self.active.target(spatial_max)
    }

    /// Returns the highest spatial layer being sent.
    pub fn current(&self) -> Option<u8> {
        self.filter.as_ref().map(|filter| filter.spatial_layer)
    }

    /// Returns the highest temporal layer being sent.
    pub fn current_temporal(&self) -> Option<u8> {
        self.filter.as_ref().map(|filter| filter.temporal_layer)
    }

    /// Returns the layer that only a keyframe brings. Without gaps between pictures, lower layers are
    /// possible at any picture.
    pub fn awaited_keyframe(&self, spatial_max: u8) -> Option<u8> {
        let target = self.target(spatial_max)?;
        let falls = self.prediction == InterLayerPrediction::Always;
        match self.current() {
            Some(current) if current == target || current > target && falls => None,
            _ => Some(target),
        }
    }

    /// Sets which layers bring packets, as a bit set.
    pub fn set_active(&mut self, active: u8) {
        self.active.set(active);
    }

    /// Stops sending until the next keyframe.
    pub fn restart(&mut self) {
        self.filter = None;
        self.reached = None;
        self.shown = None;
    }
}

#[cfg(test)]
mod tests;
