//! Selector for simulcast producers: sends one of several streams, and changes to another only at
//! a keyframe of it, so that the receiver can decode what follows.

use super::active_layers::ActiveLayers;
use super::selection::Selection;

/// Selects one stream of a simulcast producer.
#[derive(Debug)]
pub struct SimulcastSelector {
    /// Streams that bring packets.
    active: ActiveLayers,
    /// Stream being sent; absent while none is.
    current: Option<u8>,
    /// Whether streams can only be decoded from a keyframe on.
    needs_keyframe: bool,
}

impl SimulcastSelector {
    /// Creates a selector among `count` streams that has sent nothing.
    pub const fn new(count: u8, needs_keyframe: bool) -> Self {
        Self {
            active: ActiveLayers::new(count),
            current: None,
            needs_keyframe,
        }
    }

    /// Decides about a packet of a stream, when at most layer `spatial_max` is to be sent.
    #[inline]
    pub fn select(&self, spatial_max: u8, stream: u8, is_keyframe: bool) -> Selection {
        if self.current == Some(stream) {
            return Selection::Forward;
        }
        let is_wanted = match self.target(spatial_max) {
            Some(target) if self.needs_keyframe => is_keyframe && self.is_nearer(target, stream),
            target => target == Some(stream),
        };
        if is_wanted {
            Selection::Switch
        } else {
            Selection::Skip
        }
    }

    /// Returns whether a stream is the target, or better than what is sent until the target has a
    /// keyframe: not above it, and between both.
    fn is_nearer(&self, target: u8, stream: u8) -> bool {
        let is_between = |current| current > target || stream > current;
        stream <= target && self.current.is_none_or(is_between)
    }

    /// Records that a stream is sent from now on.
    pub fn switched_to(&mut self, stream: u8) {
        self.current = Some(stream);
    }

    /// Returns the stream that should be sent.
    pub fn target(&self, spatial_max: u8) -> Option<u8> {
        self.active.target(spatial_max)
    }

    /// Returns the stream being sent.
    pub fn current(&self) -> Option<u8> {
        self.current
    }

    /// Returns the stream whose keyframe is awaited.
    pub fn awaited_keyframe(&self, spatial_max: u8) -> Option<u8> {
        let target = self.target(spatial_max);
        let target = target.filter(|_| self.needs_keyframe)?;
        (self.current != Some(target)).then_some(target)
    }

    /// Sets which streams bring packets, as a bit set.
    pub fn set_active(&mut self, active: u8) {
        self.active.set(active);
    }

    /// Stops sending until the next keyframe.
    pub fn restart(&mut self) {
        self.current = None;
    }
}
