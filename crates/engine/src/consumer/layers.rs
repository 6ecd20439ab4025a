//! Choice of the layers that a consumer is sent, in three parts: the *preference* of its client, the
//! *limit* of what it may be sent, and the *selector* that picks the packets which realise the lower
//! of both. Temporal layers are selected inside the stream that the selector has chosen.

use watersmeet_wire::codec::{InterLayerPrediction, LayerFilter, PayloadDescriptor};

use super::layer_limit::LayerLimit;
use super::layer_preference::LayerPreference;
use super::layer_selector::LayerSelector;
use super::selection::Selection;
use crate::allocation::ALL_TEMPORAL;
use crate::layer_structure::LayerStructure;
use crate::layers::Layers;

/// Layers of one consumer.
#[derive(Debug)]
pub struct ConsumerLayers {
    preference: LayerPreference,
    limit: LayerLimit,
    selector: LayerSelector,
    /// Highest temporal layer that is sent, where the selector does not select it.
    temporal: u8,
    /// Highest temporal layer of the latest packet that was sent, for the same selectors.
    shown_temporal: u8,
    /// Layers that bring packets, as a bit set.
    active: u8,
}

impl ConsumerLayers {
    /// Creates the choice among layers; nothing is sent before the first decodable packet.
    pub fn new(structure: LayerStructure, preferred: Option<Layers>, needs_keyframe: bool) -> Self {
        Self {
            preference: LayerPreference::new(preferred),
            limit: LayerLimit::UNLIMITED,
            selector: LayerSelector::new(structure, needs_keyframe),
            temporal: ALL_TEMPORAL,
            shown_temporal: ALL_TEMPORAL,
            active: 0,
        }
    }

    /// Decides about a packet of a layer.
    #[inline]
    pub fn select(&mut self, layer: u8, packet: &PayloadDescriptor) -> Selection {
        let Some(max) = self.spatial_max() else {
            return Selection::Skip;
        };
        let temporal_max = self.temporal_max(self.current().unwrap_or(layer));
        let selection = self.selector.select((max, temporal_max), layer, packet);
        if selection != Selection::Forward || self.selector.selects_temporal() {
            return selection;
        }
        if self.temporal != temporal_max {
            self.temporal = self
                .temporal_filter()
                .temporal_layer_from(packet, temporal_max);
        }
        if packet.temporal_layer > self.temporal {
            return Selection::Omit;
        }
        let former = std::mem::replace(&mut self.shown_temporal, self.temporal);
        if former == self.temporal {
            Selection::Forward
        } else {
            Selection::Change
        }
    }

    /// Records that a layer is sent from now on.
    pub fn switched_to(&mut self, layer: u8) {
        let spatial_max = self.spatial_max().unwrap_or(0);
        let target = self.selector.target(spatial_max).unwrap_or(layer);
        let temporal_max = match self.selector.selects_temporal() {
            true => self.temporal_max(target),
            false => self.temporal_max(layer),
        };
        self.selector
            .switched_to((spatial_max, temporal_max), layer);
        self.temporal = temporal_max;
        self.shown_temporal = temporal_max;
    }

    /// Returns whether a packet that is sent ends the picture of its receiver. `marker` is the bit that it
    /// came with.
    #[inline]
    pub fn ends_picture(&self, packet: &PayloadDescriptor, marker: bool) -> bool {
        self.selector.ends_picture(packet, marker)
    }

    /// Returns whether changes of the layer are told at the end of a picture.
    pub const fn changes_within_stream(&self) -> bool {
        self.selector.selects_temporal()
    }

    /// Returns the layers being sent; the temporal one where it is limited.
    pub fn sent(&self) -> Option<Layers> {
        let temporal = self.current_temporal();
        Some(Layers {
            spatial_layer: self.current()?,
            temporal_layer: Some(temporal).filter(|it| *it != ALL_TEMPORAL),
        })
    }

    /// Returns whether some temporal layers are left out.
    pub fn is_slowed(&self) -> bool {
        self.current_temporal() != ALL_TEMPORAL
    }

    /// Returns the highest temporal layer being sent; [`ALL_TEMPORAL`] without a bound.
    pub fn current_temporal(&self) -> u8 {
        self.selector.current_temporal().unwrap_or(self.temporal)
    }

    const fn temporal_filter(&self) -> LayerFilter {
        LayerFilter {
            spatial_layer: 0,
            temporal_layer: self.temporal,
            prediction: InterLayerPrediction::Always,
        }
    }

    /// Returns the stream that should be sent; `None` while none is active or may be sent.
    pub fn target(&self) -> Option<u8> {
        self.selector.target(self.spatial_max()?)
    }

    /// Returns the stream being sent.
    pub fn current(&self) -> Option<u8> {
        self.selector.current()
    }

    /// Returns the stream whose keyframe is awaited.
    pub fn awaited_keyframe(&self) -> Option<u8> {
        self.selector.awaited_keyframe(self.spatial_max()?)
    }

    /// Sets the preferred layers.
    pub fn prefer(&mut self, layers: Layers) {
        self.preference = LayerPreference::new(Some(layers));
    }

    /// Returns the highest layer that is preferred.
    pub fn preferred_max(&self) -> u8 {
        self.preference.spatial_max()
    }

    /// Returns the highest of `count` layers that is wanted, whether or not it brings packets. Where the
    /// bandwidth is the limit, no better layer than that allows is, and the lowest one at least.
    pub fn wanted(&self, count: u8, is_limited: bool) -> Option<u8> {
        let limit = self.limit.spatial_max();
        let max = if is_limited {
            limit.unwrap_or(0)
        } else {
            u8::MAX
        };
        let wanted = max.min(self.preference.spatial_max());
        let wanted = wanted.min(count.checked_sub(1)?);
        Some(wanted.max(self.current().unwrap_or(0)))
    }

    /// Returns the highest temporal layer that is preferred; [`ALL_TEMPORAL`] for the highest.
    pub fn preferred_temporal(&self) -> u8 {
        self.preference.temporal_max()
    }

    /// Returns the layers that bring packets, as a bit set.
    pub const fn active(&self) -> u8 {
        self.active
    }

    /// Returns the bound of what may be sent.
    pub const fn limit(&self) -> LayerLimit {
        self.limit
    }

    /// Bounds what may be sent. Where nothing may, sending later starts with a keyframe.
    pub fn set_limit(&mut self, limit: LayerLimit) {
        self.limit = limit;
        if limit == LayerLimit::Paused {
            self.restart();
        }
    }

    /// Sets which streams bring packets, as a bit set.
    pub fn set_active(&mut self, active: u8) {
        self.active = active;
        self.selector.set_active(active);
    }

    /// Stops sending until the next keyframe.
    pub fn restart(&mut self) {
        self.selector.restart();
    }

    /// Returns the highest spatial layer to send; `None` when nothing may be sent.
    #[inline]
    fn spatial_max(&self) -> Option<u8> {
        let limit = self.limit.spatial_max()?;
        Some(self.preference.spatial_max().min(limit))
    }

    /// Returns the highest temporal layer to send while a spatial layer is sent.
    #[inline]
    fn temporal_max(&self, spatial: u8) -> u8 {
        let limit = self.limit.temporal_max(spatial);
        self.preference.temporal_max().min(limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::allocation::LayerStep;

    fn layer(spatial_layer: u8) -> Layers {
        Layers {
            spatial_layer,
            temporal_layer: None,
        }
    }

    fn packet(keyframe: bool) -> PayloadDescriptor {
        PayloadDescriptor {
            keyframe,
            ..PayloadDescriptor::default()
        }
    }

    fn camera(preferred: Option<Layers>, active: u8) -> ConsumerLayers {
        let mut layers = ConsumerLayers::new(LayerStructure::Streams(3), preferred, true);
        layers.set_active(active);
        layers
    }

    #[test]
    fn lower_layer_is_sent_until_the_target_has_a_keyframe() {
        let mut layers = camera(None, 0b111);
        assert_eq!(layers.select(2, &packet(false)), Selection::Skip);
        assert_eq!(layers.select(1, &packet(true)), Selection::Switch);
        layers.switched_to(1);
        assert_eq!(layers.select(0, &packet(true)), Selection::Skip);
        assert_eq!(layers.awaited_keyframe(), Some(2));
        assert_eq!(layers.select(2, &packet(true)), Selection::Switch);
    }

    #[test]
    fn layer_above_the_target_is_left_at_the_next_lower_keyframe() {
        let mut layers = camera(Some(layer(1)), 0b111);
        layers.switched_to(2);
        assert_eq!(layers.select(0, &packet(true)), Selection::Switch);
        layers.switched_to(0);
        assert_eq!(layers.select(2, &packet(true)), Selection::Skip);
        assert_eq!(layers.select(1, &packet(true)), Selection::Switch);
    }

    #[test]
    fn audio_is_sent_without_waiting_for_a_keyframe() {
        let mut layers = ConsumerLayers::new(LayerStructure::Streams(1), None, false);
        layers.set_active(1);
        assert_eq!(layers.select(0, &packet(false)), Selection::Switch);
        layers.switched_to(0);
        assert_eq!(layers.select(0, &packet(false)), Selection::Forward);
        assert_eq!(layers.awaited_keyframe(), None);
    }

    #[test]
    fn preference_takes_effect_at_the_next_keyframe() {
        let mut layers = camera(None, 0b111);
        layers.switched_to(2);
        layers.prefer(layer(0));
        assert_eq!(layers.awaited_keyframe(), Some(0));
        assert_eq!(layers.select(2, &packet(false)), Selection::Forward);
        assert_eq!(layers.select(0, &packet(false)), Selection::Skip);
        assert_eq!(layers.select(0, &packet(true)), Selection::Switch);
        layers.switched_to(0);
        assert_eq!(layers.select(2, &packet(true)), Selection::Skip);
        assert_eq!(layers.awaited_keyframe(), None);
    }

    #[test]
    fn inactive_layer_is_replaced_by_the_next_best() {
        assert_eq!(camera(Some(layer(2)), 0b011).target(), Some(1));
        assert_eq!(camera(Some(layer(0)), 0b110).target(), Some(1));
        assert_eq!(camera(Some(layer(9)), 0b111).target(), Some(2));
        assert_eq!(camera(None, 0).target(), None);
    }

    #[test]
    fn limit_bounds_what_is_sent_and_may_pause_it() {
        let mut layers = camera(None, 0b111);
        layers.switched_to(2);
        layers.set_limit(LayerLimit::UpTo(LayerStep::full(1)));
        assert_eq!(layers.awaited_keyframe(), Some(1));
        layers.set_limit(LayerLimit::Paused);
        assert_eq!((layers.target(), layers.awaited_keyframe()), (None, None));
        assert_eq!(layers.select(2, &packet(true)), Selection::Skip);
        layers.set_limit(LayerLimit::UNLIMITED);
        assert_eq!(layers.select(2, &packet(false)), Selection::Skip);
        assert_eq!(layers.select(2, &packet(true)), Selection::Switch);
    }

    #[test]
    fn restart_waits_for_a_keyframe_again() {
        let mut layers = camera(None, 0b111);
        layers.switched_to(2);
        layers.restart();
        assert_eq!(layers.select(2, &packet(false)), Selection::Skip);
        assert_eq!(layers.awaited_keyframe(), Some(2));
    }

    /// Returns the first packet of a frame that is no keyframe.
    fn frame(temporal_layer: u8, is_sync: bool) -> PayloadDescriptor {
        PayloadDescriptor {
            starts_frame: true,
            inter_picture: true,
            temporal_layer,
            layer_sync: is_sync,
            ..PayloadDescriptor::default()
        }
    }

    #[test]
    fn temporal_layers_above_the_preference_are_omitted() {
        let mut layers = camera(None, 0b111);
        layers.switched_to(2);
        assert_eq!(layers.select(2, &frame(2, false)), Selection::Forward);
        layers.prefer(Layers {
            spatial_layer: 2,
            temporal_layer: Some(0),
        });
        assert_eq!(layers.select(2, &frame(2, false)), Selection::Omit);
        assert_eq!(layers.select(2, &frame(0, false)), Selection::Change);
        assert_eq!(layers.select(2, &frame(0, false)), Selection::Forward);
        assert_eq!(layers.sent().and_then(|it| it.temporal_layer), Some(0));
        layers.prefer(layer(2));
        assert_eq!(layers.select(2, &frame(1, false)), Selection::Omit);
        assert_eq!(layers.select(2, &frame(1, true)), Selection::Change);
        assert_eq!(layers.select(2, &frame(2, false)), Selection::Omit);
        assert_eq!(layers.select(2, &frame(2, true)), Selection::Change);
    }

    #[test]
    fn limit_bounds_temporal_layers_of_the_spatial_layer_that_it_names() {
        let limit = |spatial, temporal| LayerLimit::UpTo(LayerStep { spatial, temporal });
        let mut layers = camera(None, 0b111);
        layers.switched_to(1);
        layers.set_limit(limit(2, 0));
        assert_eq!(layers.select(1, &frame(2, false)), Selection::Forward);
        layers.set_limit(limit(1, 1));
        assert_eq!(layers.select(1, &frame(2, false)), Selection::Omit);
        assert_eq!(layers.select(1, &frame(1, false)), Selection::Change);
        layers.set_limit(LayerLimit::UpTo(LayerStep::full(1)));
        assert_eq!(layers.select(1, &frame(2, false)), Selection::Omit);
        assert_eq!(layers.select(1, &frame(2, true)), Selection::Change);
    }
}
