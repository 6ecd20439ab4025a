//! Budget of the retransmissions on one transport: less than a fifth of the media sent on it. A peer that reports
//! everything missing cannot make the server send more than that on top, and a congested line is not
//! made worse.
//!
//! The base is what was sent. When a transport has an estimate of what its path carries, that becomes
//! the base; nothing else changes here.

/// Share of the media that may be retransmitted, in thousandths: with what was saved up in half a second,
/// less than a fifth of what is sent in any ten.
pub const SHARE_PERMILLE: u64 = 190;

/// Bytes that may be retransmitted however little was sent: some seconds of voice, and the beginning of
/// a first keyframe.
pub const BYTES_MIN: u64 = 12_000;

/// Bytes left for audio when a video packet is retransmitted.
pub const AUDIO_RESERVE: u64 = 1_500;

/// What a packet is needed for. When the budget does not suffice for all, the more important are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Importance {
    /// Audio.
    Audio,
    /// Video on which all later pictures depend.
    BaseLayer,
    /// Video without which later pictures can be decoded: of a higher temporal layer, or from before the
    /// latest keyframe.
    Dispensable,
}

/// Budget of the retransmissions on one transport.
#[derive(Debug, Default)]
pub struct RetransmissionBudget {
    /// Bytes retransmitted, and earned so long ago that they are forfeited.
    spent: u64,
}

/// What was sent on a transport, without retransmissions.
#[derive(Debug, Clone, Copy)]
pub struct MediaSent {
    /// All bytes so far.
    pub bytes: u64,
    /// Bytes of the last second.
    pub last_second: u64,
}

impl RetransmissionBudget {
    /// Takes `len` bytes from the budget. Returns false, and takes nothing, when it does not suffice.
    pub fn take(&mut self, sent: MediaSent, len: u64, importance: Importance) -> bool {
        let earned = share(sent.bytes).max(BYTES_MIN);
        // What was not used within half a second is forfeited, so that a quiet time ends in no burst.
        let kept = (share(sent.last_second) / 2).max(BYTES_MIN);
        self.spent = self.spent.max(earned.saturating_sub(kept));
        let reserve = match importance {
            Importance::Audio => 0,
            Importance::BaseLayer => AUDIO_RESERVE,
            Importance::Dispensable => AUDIO_RESERVE + kept / 2,
        };
        let spent = self.spent.saturating_add(len);
        if spent.saturating_add(reserve) > earned {
            return false;
        }
        self.spent = spent;
        true
    }
}

/// Returns the bytes that may be retransmitted for so many bytes of media.
fn share(bytes: u64) -> u64 {
    bytes.saturating_mul(SHARE_PERMILLE) / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends media of 200,000 B/s for `millis`, with requests for everything after each packet.
    fn retransmitted(budget: &mut RetransmissionBudget, from: u64, millis: u64) -> u64 {
        let mut taken = 0;
        for bytes in (from + 1..=from + millis).map(|millis| millis * 200) {
            let sent = MediaSent {
                bytes,
                last_second: bytes.min(200_000),
            };
            while budget.take(sent, 1_200, Importance::Audio) {
                taken += 1_200;
            }
        }
        taken
    }

    #[test]
    fn less_than_a_fifth_of_the_media_is_retransmitted() {
        let mut budget = RetransmissionBudget::default();
        let taken = retransmitted(&mut budget, 0, 30_000);
        assert!((1_130_000..=1_140_000).contains(&taken), "{taken}");
    }

    #[test]
    fn unused_budget_is_forfeited_after_half_a_second() {
        let mut budget = RetransmissionBudget::default();
        let sent = MediaSent {
            bytes: 100_000_000,
            last_second: 200_000,
        };
        let taken = (0..1_000)
            .filter(|_| budget.take(sent, 1_000, Importance::Audio))
            .count();
        assert_eq!(taken, 19);
    }

    #[test]
    fn small_streams_get_a_minimum() {
        let mut budget = RetransmissionBudget::default();
        let sent = MediaSent {
            bytes: 100,
            last_second: 100,
        };
        let taken = (0..1_000)
            .filter(|_| budget.take(sent, 100, Importance::Audio))
            .count();
        assert_eq!(taken as u64, BYTES_MIN / 100);
    }

    #[test]
    fn base_layer_is_served_before_higher_layers() {
        let mut budget = RetransmissionBudget::default();
        let (mut base, mut higher) = (0, 0);
        for bytes in (1..30_000).map(|millis| millis * 200) {
            let sent = MediaSent {
                bytes,
                last_second: bytes.min(200_000),
            };
            // More is requested of both than the budget allows.
            higher += u64::from(budget.take(sent, 40, Importance::Dispensable));
            base += u64::from(budget.take(sent, 30, Importance::BaseLayer));
            higher += u64::from(budget.take(sent, 40, Importance::Dispensable));
        }
        assert!(base > 29_900, "{base}, and {higher} of higher layers");
        assert!((5_000..10_000).contains(&higher), "{higher}");
    }

    #[test]
    fn video_leaves_a_reserve_for_audio() {
        let mut budget = RetransmissionBudget::default();
        let sent = MediaSent {
            bytes: 1_000_000,
            last_second: 200_000,
        };
        while budget.take(sent, 1_200, Importance::BaseLayer) {}
        assert!(budget.take(sent, 120, Importance::Audio));
    }
}
