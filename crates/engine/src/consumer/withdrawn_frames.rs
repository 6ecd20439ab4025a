//! Frames that were queued and are dropped before any packet of them was sent. Their picture numbers are
//! given again, as their sequence numbers are.

/// Frames dropped since the stream being sent was joined.
#[derive(Debug)]
pub struct WithdrawnFrames {
    /// Least outgoing sequence number of them.
    pub first: u64,
    /// Number of frames.
    pub frames: u16,
    /// Number of those in the base temporal layer.
    pub base_frames: u16,
    /// RTP timestamp of the latest one.
    latest: Option<u32>,
}

impl Default for WithdrawnFrames {
    fn default() -> Self {
        Self {
            first: u64::MAX,
            frames: 0,
            base_frames: 0,
            latest: None,
        }
    }
}

impl WithdrawnFrames {
    /// Records a packet that is dropped, in the order of queueing, of a frame with this timestamp. `is_base` tells
    /// whether that is in the base temporal layer. `sent_before` is the timestamp of the packet
    /// with the number before it, where that was sent: a frame that was sent in part keeps its picture
    /// number.
    pub fn record(&mut self, seq: u64, timestamp: u32, is_base: bool, sent_before: Option<u32>) {
        self.first = self.first.min(seq);
        let is_newer = |latest: u32| timestamp.wrapping_sub(latest).cast_signed() > 0;
        if !self.latest.is_none_or(is_newer) {
            return;
        }
        self.latest = Some(timestamp);
        if sent_before != Some(timestamp) {
            self.frames = self.frames.saturating_add(1);
            self.base_frames = self.base_frames.saturating_add(u16::from(is_base));
        }
    }
}
