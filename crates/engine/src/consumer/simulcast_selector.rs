//! Selector for simulcast producers: sends one of several streams, and changes to another only at
//! a keyframe of it, so that the receiver can decode what follows.

use super::selection::Selection;

/// Selects one stream of a simulcast producer.
#[derive(Debug)]
pub struct SimulcastSelector {
    /// Number of streams, lowest quality first.
    count: u8,
    /// Streams that bring packets, as a bit set.
    active: u8,
    /// Stream being sent; absent while none is.
    current: Option<u8>,
    /// Whether streams can only be decoded from a keyframe on.
    needs_keyframe: bool,
}

impl SimulcastSelector {
    /// Creates a selector among `count` streams that has sent nothing.
    pub const fn new(count: u8, needs_keyframe: bool) -> Self {
        Self {
            count,
            active: 0,
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

    /// Returns the stream that should be sent: the highest active one up to `spatial_max`, or else the
    /// lowest active one above it.
    pub fn target(&self, spatial_max: u8) -> Option<u8> {
        let top = spatial_max.min(self.count.saturating_sub(1));
        let is_active = |stream: &u8| self.active & 1 << stream != 0;
        let below = (0..=top).rev().find(is_active);
        below.or_else(|| (top + 1..self.count).find(is_active))
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
        self.active = active;
    }

    /// Stops sending until the next keyframe.
    pub fn restart(&mut self) {
        self.current = None;
    }
}
