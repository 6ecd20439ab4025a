//! What a publisher without transport-wide feedback is told to send (draft-alvestrand-rmcat-remb):
//! the loss-based half of the receiver's control in draft-ietf-rmcat-gcc-02 §6. Browsers of today
//! send transport-wide feedback's numbers and estimate by themselves; this serves the others.

use watersmeet_wire::units::Bitrate;

/// Where an estimate begins.
const START: Bitrate = Bitrate::from_kbps(1_000);

/// The least that is told: below it no video is worth sending.
const FLOOR: Bitrate = Bitrate::from_kbps(100);

/// The most that is told without a configured limit.
const CEILING: Bitrate = Bitrate::from_kbps(20_000);

/// Loss below which the estimate grows, in 256ths (2 %).
const LOW_LOSS: u8 = 5;

/// Loss above which it shrinks, in 256ths (10 %).
const HIGH_LOSS: u8 = 26;

/// What one publisher may send.
#[derive(Debug)]
pub struct ReceiveEstimate {
    current: Bitrate,
    limit: Bitrate,
}

impl ReceiveEstimate {
    /// The start, under a configured limit if there is one.
    pub fn new(limit: Option<Bitrate>) -> Self {
        let limit = limit.unwrap_or(CEILING);
        Self {
            current: START.min(limit),
            limit,
        }
    }

    /// Takes in a second's loss and what arrived in it; says what to tell the publisher.
    pub fn update(&mut self, fraction_lost: u8, received: Bitrate) -> Bitrate {
        let bps = self.current.as_bps();
        let wanted = if fraction_lost > HIGH_LOSS {
            bps * (512 - u64::from(fraction_lost)) / 512
        } else if fraction_lost < LOW_LOSS {
            // Growth beyond twice what arrives would be a guess about an unused path.
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
    fn an_estimate_grows_without_loss_and_shrinks_with_it() {
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
    fn an_estimate_stays_within_its_limits() {
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
