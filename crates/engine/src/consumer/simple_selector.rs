//! Selector for producers with one stream.

use super::selection::Selection;

/// Selects the packets of an only stream, from a keyframe on where it needs one.
#[derive(Debug)]
pub struct SimpleSelector {
    /// Whether the stream is being sent.
    is_sending: bool,
    /// Whether the stream brings packets.
    is_active: bool,
    /// Whether the stream can only be decoded from a keyframe on; false for audio.
    needs_keyframe: bool,
}

impl SimpleSelector {
    /// Creates a selector that has sent nothing.
    pub const fn new(needs_keyframe: bool) -> Self {
        Self {
            is_sending: false,
            is_active: false,
            needs_keyframe,
        }
    }

    /// Decides about a packet.
    #[inline]
    pub fn select(&self, stream: u8, is_keyframe: bool) -> Selection {
        if stream != 0 {
            Selection::Skip
        } else if self.is_sending {
            Selection::Forward
        } else if self.is_active && (is_keyframe || !self.needs_keyframe) {
            Selection::Switch
        } else {
            Selection::Skip
        }
    }

    /// Records that the stream is sent from now on.
    pub fn started(&mut self) {
        self.is_sending = true;
    }

    /// Returns the stream, if it brings packets.
    pub fn target(&self) -> Option<u8> {
        self.is_active.then_some(0)
    }

    /// Returns the stream, if it is being sent.
    pub fn current(&self) -> Option<u8> {
        self.is_sending.then_some(0)
    }

    /// Returns the stream, if its keyframe is awaited.
    pub fn awaited_keyframe(&self) -> Option<u8> {
        (self.needs_keyframe && self.is_active && !self.is_sending).then_some(0)
    }

    /// Sets whether the stream brings packets.
    pub fn set_active(&mut self, is_active: bool) {
        self.is_active = is_active;
    }

    /// Stops sending until the next keyframe.
    pub fn restart(&mut self) {
        self.is_sending = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audio_starts_with_any_packet() {
        let mut selector = SimpleSelector::new(false);
        selector.set_active(true);
        assert_eq!(selector.select(0, false), Selection::Switch);
        selector.started();
        assert_eq!(selector.select(0, false), Selection::Forward);
        assert_eq!(selector.awaited_keyframe(), None);
    }

    #[test]
    fn video_starts_with_a_keyframe() {
        let mut selector = SimpleSelector::new(true);
        selector.set_active(true);
        assert_eq!(selector.select(0, false), Selection::Skip);
        assert_eq!(selector.awaited_keyframe(), Some(0));
        assert_eq!(selector.select(0, true), Selection::Switch);
        selector.started();
        selector.set_active(false);
        assert_eq!(selector.select(0, false), Selection::Forward);
        selector.restart();
        assert_eq!(selector.current(), None);
    }
}
