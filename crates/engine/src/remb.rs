//! Receive-side bitrate estimate for publishers without transport-wide feedback
//! (draft-alvestrand-rmcat-remb): the loss-based controller of draft-ietf-rmcat-gcc-02 §6. Current
//! browsers use transport-wide feedback and estimate by themselves; this serves the others.

use watersmeet_wire::units::Bitrate;

/// Initial estimate.
const START: Bitrate = Bitrate::from_kbps(1_000);

/// Lower bound: with less, video is not worth sending.
const FLOOR: Bitrate = Bitrate::from_kbps(100);

/// Upper bound without a configured limit.
const CEILING: Bitrate = Bitrate::from_kbps(20_000);

/// Loss below which the estimate grows, in 256ths (2 %).
const LOW_LOSS: u8 = 5;

/// Loss above which the estimate shrinks, in 256ths (10 %).
const HIGH_LOSS: u8 = 26;

/// Bitrate that one publisher may send.
#[derive(Debug)]
pub struct ReceiveEstimate {
    current: Bitrate,
    limit: Bitrate,
}

impl ReceiveEstimate {
    /// Creates the initial estimate, at most the configured limit.
    pub fn new(limit: Option<Bitrate>) -> Self {
        let limit = limit.unwrap_or(CEILING);
        Self {
            current: START.min(limit),
            limit,
        }
    }

    /// Updates the estimate by the loss and the bitrate of the last second, and returns it.
    pub fn update(&mut self, fraction_lost: u8, received: Bitrate) -> Bitrate {
        let bps = self.current.as_bps();
        let wanted = if fraction_lost > HIGH_LOSS {
            bps * (512 - u64::from(fraction_lost)) / 512
        } else if fraction_lost < LOW_LOSS {
            // Growth beyond twice the arriving bitrate would be a guess about an unused path.
            (bps * 108 / 100).min((received.as_bps() * 2).max(START.as_bps()))
        } else {
            bps
        };
        self.current = Bitrate::from_bps(wanted).clamp(FLOOR.min(self.limit), self.limit);
        self.current
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimate_grows_without_loss_and_shrinks_with_it() {
        let mut estimate = ReceiveEstimate::new(None);
        let received = Bitrate::from_kbps(5_000);
        let grown = (0..20)
            .map(|_| estimate.update(0, received))
            .last()
            .unwrap();
        assert!(grown > Bitrate::from_kbps(4_000), "{grown:?}");
        let kept = estimate.update(10, received);
        assert_eq!(kept, grown);
        assert!(estimate.update(128, received) < grown);
    }

    #[test]
    fn estimate_stays_within_its_bounds() {
        let mut estimate = ReceiveEstimate::new(Some(Bitrate::from_kbps(300)));
        assert_eq!(
            estimate.update(0, Bitrate::from_kbps(9_000)),
            Bitrate::from_kbps(300)
        );
        let low = (0..100)
            .map(|_| estimate.update(255, Bitrate::ZERO))
            .last()
            .unwrap();
        assert_eq!(low, FLOOR);
    }
}
