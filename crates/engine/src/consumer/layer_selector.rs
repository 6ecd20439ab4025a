//! Selectors: which packets of a producer are sent so that a consumer gets a given layer.

use watersmeet_wire::codec::PayloadDescriptor;

use super::scalable_selector::ScalableSelector;
use super::selection::Selection;
use super::simple_selector::SimpleSelector;
use super::simulcast_selector::SimulcastSelector;
use crate::layer_structure::LayerStructure;

/// Selector of a consumer, by the kind of its producer.
#[derive(Debug)]
pub enum LayerSelector {
    /// One stream, audio or video.
    Simple(SimpleSelector),
    /// Several streams of one video source.
    Simulcast(SimulcastSelector),
    /// Several layers in one stream, of which higher ones need lower ones.
    Scalable(ScalableSelector),
}

impl LayerSelector {
    /// Creates the selector for a producer with these layers. `needs_keyframe` tells whether a stream can
    /// only be decoded from a keyframe on.
    pub const fn new(structure: LayerStructure, needs_keyframe: bool) -> Self {
        match structure {
            LayerStructure::Scalable(count, prediction) => {
                Self::Scalable(ScalableSelector::new(count, prediction))
            }
            LayerStructure::Streams(0 | 1) => Self::Simple(SimpleSelector::new(needs_keyframe)),
            LayerStructure::Streams(count) | LayerStructure::Independent(count) => {
                Self::Simulcast(SimulcastSelector::new(count, needs_keyframe))
            }
        }
    }

    /// Decides about a packet of a layer, when at most these layers are to be sent.
    #[inline]
    pub fn select(
        &mut self,
        (spatial_max, temporal_max): (u8, u8),
        layer: u8,
        packet: &PayloadDescriptor,
    ) -> Selection {
        match self {
            Self::Simple(selector) => selector.select(layer, packet.keyframe),
            Self::Simulcast(selector) => selector.select(spatial_max, layer, packet.keyframe),
            Self::Scalable(selector) => selector.select(spatial_max, temporal_max, packet),
        }
    }

    /// Records that a layer is sent from now on.
    pub fn switched_to(&mut self, (spatial_max, temporal_max): (u8, u8), layer: u8) {
        match self {
            Self::Simple(selector) => selector.started(),
            Self::Simulcast(selector) => selector.switched_to(layer),
            Self::Scalable(selector) => selector.started(spatial_max, temporal_max),
        }
    }

    /// Returns whether a packet that is sent ends the picture of its receiver. `marker` is the bit that it
    /// came with.
    #[inline]
    pub fn ends_picture(&self, packet: &PayloadDescriptor, marker: bool) -> bool {
        match self {
            Self::Simple(_) | Self::Simulcast(_) => marker,
            Self::Scalable(selector) => selector.ends_picture(packet, marker),
        }
    }

    /// Returns the layer that should be sent; `None` while none is active.
    pub fn target(&self, spatial_max: u8) -> Option<u8> {
        match self {
            Self::Simple(selector) => selector.target(),
            Self::Simulcast(selector) => selector.target(spatial_max),
            Self::Scalable(selector) => selector.target(spatial_max),
        }
    }

    /// Returns the layer being sent.
    pub fn current(&self) -> Option<u8> {
        match self {
            Self::Simple(selector) => selector.current(),
            Self::Simulcast(selector) => selector.current(),
            Self::Scalable(selector) => selector.current(),
        }
    }

    /// Returns whether temporal layers are selected here.
    pub const fn selects_temporal(&self) -> bool {
        matches!(self, Self::Scalable(_))
    }

    /// Returns the highest temporal layer being sent, where it is selected here.
    pub fn current_temporal(&self) -> Option<u8> {
        match self {
            Self::Simple(_) | Self::Simulcast(_) => None,
            Self::Scalable(selector) => selector.current_temporal(),
        }
    }

    /// Returns the layer whose keyframe is awaited.
    pub fn awaited_keyframe(&self, spatial_max: u8) -> Option<u8> {
        match self {
            Self::Simple(selector) => selector.awaited_keyframe(),
            Self::Simulcast(selector) => selector.awaited_keyframe(spatial_max),
            Self::Scalable(selector) => selector.awaited_keyframe(spatial_max),
        }
    }

    /// Sets which layers bring packets, as a bit set.
    pub fn set_active(&mut self, active: u8) {
        match self {
            Self::Simple(selector) => selector.set_active(active & 1 != 0),
            Self::Simulcast(selector) => selector.set_active(active),
            Self::Scalable(selector) => selector.set_active(active),
        }
    }

    /// Stops sending until the next keyframe.
    pub fn restart(&mut self) {
        match self {
            Self::Simple(selector) => selector.restart(),
            Self::Simulcast(selector) => selector.restart(),
            Self::Scalable(selector) => selector.restart(),
        }
    }
}
