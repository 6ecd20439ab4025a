//! Which stream of a producer goes to one peer: the wish, what there is, and the rule that a
//! picture only changes on a keyframe.
//!
//! One choice serves every kind of producer: audio and single streams have one stream and, for
//! audio, no keyframes to wait for.

use crate::layers::Layers;

/// What to do with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// It belongs to what is being sent.
    Forward,
    /// It is the keyframe to change at; send it as the first of its stream.
    Switch,
    /// It is not for this peer.
    Skip,
}

/// The choice of one consumer.
#[derive(Debug)]
pub struct LayerChoice {
    /// How many streams the producer has.
    count: u8,
    /// The wish; absent for the best there is.
    preferred: Option<Layers>,
    /// The streams that bring packets, as a set of bits.
    active: u8,
    /// What is being sent; absent while nothing is.
    current: Option<u8>,
    /// Whether what is sent next must be a keyframe, even of the current stream.
    resync: bool,
    /// Whether pictures are made of keyframes at all; audio is not.
    needs_keyframe: bool,
}

impl LayerChoice {
    /// The choice among `count` streams.
    pub fn new(count: u8, preferred: Option<Layers>, needs_keyframe: bool) -> Self {
        Self {
            count,
            preferred,
            active: 0,
            current: None,
            resync: true,
            needs_keyframe,
        }
    }

    /// Decides about a packet of a stream.
    #[inline]
    pub fn choose(&self, stream: u8, keyframe: bool) -> Choice {
        if self.current == Some(stream) && !self.resync {
            return Choice::Forward;
        }
        let sendable = keyframe || !self.needs_keyframe;
        if sendable && self.target() == Some(stream) {
            return Choice::Switch;
        }
        Choice::Skip
    }

    /// The stream is being sent from now on.
    pub fn switched_to(&mut self, stream: u8) {
        self.current = Some(stream);
        self.resync = false;
    }

    /// The stream that should be sent: the highest active one up to the wish, or else the lowest
    /// active one above it.
    pub fn target(&self) -> Option<u8> {
        let wish = self
            .preferred
            .map_or(u8::MAX, |layers| layers.spatial_layer);
        let top = wish.min(self.count.saturating_sub(1));
        let is_active = |stream: &u8| self.active & 1 << stream != 0;
        let below = (0..=top).rev().find(is_active);
        below.or_else(|| (top + 1..self.count).find(is_active))
    }

    /// The stream whose keyframe is waited for, if one is.
    pub fn awaited_keyframe(&self) -> Option<u8> {
        let target = self.target().filter(|_| self.needs_keyframe)?;
        (self.resync || self.current != Some(target)).then_some(target)
    }

    /// Changes the wish.
    pub fn prefer(&mut self, layers: Layers) {
        self.preferred = Some(layers);
    }

    /// Tells which streams bring packets.
    pub fn set_active(&mut self, active: u8) {
        self.active = active;
    }

    /// Begins anew: nothing is sent before the next keyframe.
    pub fn restart(&mut self) {
        self.current = None;
        self.resync = true;
    }

    /// What is being sent.
    pub fn current(&self) -> Option<u8> {
        self.current
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(spatial_layer: u8) -> Layers {
        Layers {
            spatial_layer,
            temporal_layer: None,
        }
    }

    fn camera(preferred: Option<Layers>, active: u8) -> LayerChoice {
        let mut choice = LayerChoice::new(3, preferred, true);
        choice.set_active(active);
        choice
    }

    #[test]
    fn nothing_is_sent_before_a_keyframe() {
        let choice = camera(None, 0b111);
        assert_eq!(choice.choose(2, false), Choice::Skip);
        assert_eq!(choice.choose(1, true), Choice::Skip);
        assert_eq!(choice.choose(2, true), Choice::Switch);
    }

    #[test]
    fn audio_waits_for_nothing() {
        let mut choice = LayerChoice::new(1, None, false);
        choice.set_active(1);
        assert_eq!(choice.choose(0, false), Choice::Switch);
        choice.switched_to(0);
        assert_eq!(choice.choose(0, false), Choice::Forward);
        assert_eq!(choice.awaited_keyframe(), None);
    }

    #[test]
    fn a_wish_changes_the_picture_at_the_next_keyframe() {
        let mut choice = camera(None, 0b111);
        choice.switched_to(2);
        choice.prefer(layer(0));
        assert_eq!(choice.awaited_keyframe(), Some(0));
        assert_eq!(choice.choose(2, false), Choice::Forward);
        assert_eq!(choice.choose(0, false), Choice::Skip);
        assert_eq!(choice.choose(0, true), Choice::Switch);
        choice.switched_to(0);
        assert_eq!(choice.choose(2, true), Choice::Skip);
        assert_eq!(choice.awaited_keyframe(), None);
    }

    #[test]
    fn a_silent_layer_is_replaced_by_the_next_best() {
        assert_eq!(camera(Some(layer(2)), 0b011).target(), Some(1));
        assert_eq!(camera(Some(layer(0)), 0b110).target(), Some(1));
        assert_eq!(camera(Some(layer(9)), 0b111).target(), Some(2));
        assert_eq!(camera(None, 0).target(), None);
    }

    #[test]
    fn a_restart_waits_for_a_keyframe_again() {
        let mut choice = camera(None, 0b111);
        choice.switched_to(2);
        choice.restart();
        assert_eq!(choice.choose(2, false), Choice::Skip);
        assert_eq!(choice.awaited_keyframe(), Some(2));
    }
}
