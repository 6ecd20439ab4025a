//! Selectors: which packets of a producer are sent so that a consumer gets a given layer.

use super::selection::Selection;
use super::simple_selector::SimpleSelector;
use super::simulcast_selector::SimulcastSelector;

/// Selector of a consumer, by the kind of its producer.
#[derive(Debug)]
pub enum LayerSelector {
    /// One stream, audio or video.
    Simple(SimpleSelector),
    /// Several streams of one video source.
    Simulcast(SimulcastSelector),
}

impl LayerSelector {
    /// Creates the selector for a producer with this many streams. `needs_keyframe` tells whether
    /// a stream can only be decoded from a keyframe on.
    pub const fn new(streams: u8, needs_keyframe: bool) -> Self {
        match streams {
            0 | 1 => Self::Simple(SimpleSelector::new(needs_keyframe)),
            _ => Self::Simulcast(SimulcastSelector::new(streams, needs_keyframe)),
        }
    }

    /// Decides about a packet of a stream, when at most layer `spatial_max` is to be sent.
    #[inline]
    pub fn select(&self, spatial_max: u8, stream: u8, is_keyframe: bool) -> Selection {
        match self {
            Self::Simple(selector) => selector.select(stream, is_keyframe),
            Self::Simulcast(selector) => selector.select(spatial_max, stream, is_keyframe),
        }
    }

    /// Records that a stream is sent from now on.
    pub fn switched_to(&mut self, stream: u8) {
        match self {
            Self::Simple(selector) => selector.started(),
            Self::Simulcast(selector) => selector.switched_to(stream),
        }
    }

    /// Returns the stream that should be sent; `None` while none is active.
    pub fn target(&self, spatial_max: u8) -> Option<u8> {
        match self {
            Self::Simple(selector) => selector.target(),
            Self::Simulcast(selector) => selector.target(spatial_max),
        }
    }

    /// Returns the stream being sent.
    pub fn current(&self) -> Option<u8> {
        match self {
            Self::Simple(selector) => selector.current(),
            Self::Simulcast(selector) => selector.current(),
        }
    }

    /// Returns the stream whose keyframe is awaited.
    pub fn awaited_keyframe(&self, spatial_max: u8) -> Option<u8> {
        match self {
            Self::Simple(selector) => selector.awaited_keyframe(),
            Self::Simulcast(selector) => selector.awaited_keyframe(spatial_max),
        }
    }

    /// Sets which streams bring packets, as a bit set.
    pub fn set_active(&mut self, active: u8) {
        match self {
            Self::Simple(selector) => selector.set_active(active & 1 != 0),
            Self::Simulcast(selector) => selector.set_active(active),
        }
    }

    /// Stops sending until the next keyframe.
    pub fn restart(&mut self) {
        match self {
            Self::Simple(selector) => selector.restart(),
            Self::Simulcast(selector) => selector.restart(),
        }
    }
}
