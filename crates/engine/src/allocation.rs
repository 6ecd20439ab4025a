//! Distribution of a transport's bitrate among its video consumers: which layer each may be sent. A pure
//! function of the estimate, the bitrates of the layers and the priorities.
//!
//! Consumers of a higher priority get their lowest layer first; then all are raised by one layer in
//! turn, those of a higher priority first, as long as it fits. So everybody has the lowest layer before
//! anybody has a better one, and what does not fit even so is paused. A shared screen does with less than its
//! bitrate: its pictures come later, but it is not paused.

use arrayvec::ArrayVec;
use watersmeet_wire::units::Bitrate;

/// Upper bound of the layers of a consumer.
pub const LAYERS_MAX: usize = 8;

/// Share of the bitrate of a layer that has to be there before it is begun, and so that it is kept, in
/// percent: bitrates and estimates vary, and a layer that is begun and left again is worse than one that
/// comes later. Worst is no picture.
const BEGUN_PERCENT: u64 = 108;
const KEPT_PERCENT: u64 = 95;
const KEPT_LOWEST_PERCENT: u64 = 85;

/// The same of the lowest layer while nothing is known of the path.
const GUESSED_LOWEST_PERCENT: u64 = 33;

/// Bitrate from which on a shared screen is begun: a page of text takes half a minute then.
const SCREEN_MIN: u64 = 15_000;

/// A video consumer that wants a part of the bitrate.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Importance among the consumers of the transport; more is more important.
    pub priority: u8,
    /// Active layers up to the preferred one with the bitrates they need, lowest first.
    pub layers: ArrayVec<(u8, Bitrate), LAYERS_MAX>,
    /// Layer that it is allowed at present; `None` while it is paused.
    pub current: Option<u8>,
    /// Whether it may be allowed a better layer than at present.
    pub may_rise: bool,
    /// Whether the path may well carry more than is distributed, as far as is known.
    pub is_guess: bool,
    /// Whether it is a shared screen, whose lowest layer may have less than it needs.
    pub is_screen: bool,
}

/// Result for all candidates.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Allocation {
    /// Layer that each candidate may be sent, in their order; `None` pauses it.
    pub granted: Vec<Option<u8>>,
    /// Bitrate at which the next better result becomes possible; `None` when all have what they want.
    pub next: Option<Bitrate>,
    /// Bitrate that the granted layers need, or have where there is less.
    pub used: Bitrate,
    /// The same of each candidate.
    pub bitrates: Vec<Bitrate>,
}

/// State of one candidate while layers are distributed.
struct Share<'a> {
    candidate: &'a Candidate,
    /// Index in its layers of the granted one.
    granted: Option<usize>,
    /// Bitrate set aside for it, margins included.
    reserved: u64,
    /// Bitrate that its granted layer lacks.
    lacking: u64,
}

impl Share<'_> {
    /// Returns the bitrate granted so far.
    fn used(&self) -> u64 {
        let layers = &self.candidate.layers;
        let granted = self.granted.and_then(|index| layers.get(index));
        let needed = granted.map_or(0, |(_, bitrate)| bitrate.as_bps());
        match self.lacking {
            0 => needed,
            _ => needed.min(self.reserved),
        }
    }

    /// Returns how much more than what is reserved the next better result needs; `None` when it has what it
    /// wants.
    fn next_needed(&self) -> Option<u64> {
        if self.lacking > 0 {
            return Some(self.lacking);
        }
        Some(self.next()?.2.saturating_sub(self.used()))
    }

    /// Returns the bitrate that may suffice instead of what the next better layer needs.
    fn sufficient(&self, needed: u64) -> u64 {
        if !self.candidate.is_screen || self.granted.is_some() {
            return needed;
        }
        let is_sent = self.candidate.current.is_some();
        needed.min(if is_sent { 1 } else { SCREEN_MIN })
    }

    /// Returns the index of the next better layer, whether it is better than the present one, and the bitrate
    /// it needs, margin included.
    fn next(&self) -> Option<(usize, bool, u64)> {
        let index = self.granted.map_or(0, |index| index + 1);
        let &(layer, bitrate) = self.candidate.layers.get(index)?;
        let is_rise = self.candidate.current.is_none_or(|current| layer > current);
        let percent = match index {
            0 if self.candidate.is_guess => GUESSED_LOWEST_PERCENT,
            _ if is_rise => BEGUN_PERCENT,
            0 => KEPT_LOWEST_PERCENT,
            _ => KEPT_PERCENT,
        };
        Some((index, is_rise, bitrate.as_bps() * percent / 100))
    }
}

/// Distributes `budget` among the candidates.
pub fn allocate(budget: Bitrate, candidates: &[Candidate]) -> Allocation {
    let mut shares: Vec<Share<'_>> = candidates
        .iter()
        .map(|candidate| Share {
            candidate,
            granted: None,
            reserved: 0,
            lacking: 0,
        })
        .collect();
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by_key(|&index| candidates.get(index).map(|it| u8::MAX - it.priority));
    let mut left = budget.as_bps();
    loop {
        let mut is_any_raised = false;
        for &index in &order {
            let Some(share) = shares.get_mut(index) else {
                continue;
            };
            let Some((granted, is_rise, needed)) = share.next() else {
                continue;
            };
            let wanted = needed.saturating_sub(share.reserved);
            let more = wanted.min(left.max(share.sufficient(wanted)));
            if share.lacking > 0 || more > left || (is_rise && !share.candidate.may_rise) {
                continue;
            }
            share.lacking = wanted - more;
            left -= more;
            share.reserved += more;
            share.granted = Some(granted);
            is_any_raised = true;
        }
        if !is_any_raised {
            break;
        }
    }
    let used = shares.iter().map(Share::used).sum::<u64>();
    let next = shares.iter().filter_map(Share::next_needed).min();
    Allocation {
        next: next.map(|needed| Bitrate::from_bps(used + needed)),
        used: Bitrate::from_bps(used),
        bitrates: shares
            .iter()
            .map(|share| Bitrate::from_bps(share.used()))
            .collect(),
        granted: shares
            .iter()
            .map(|share| {
                let index = share.granted?;
                share.candidate.layers.get(index).map(|(layer, _)| *layer)
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAMERA: [u64; 3] = [150, 375, 1_700];

    fn candidate(kbps: &[u64], priority: u8, current: Option<u8>) -> Candidate {
        let layers = kbps.iter().zip(0..);
        Candidate {
            priority,
            layers: layers
                .map(|(kbps, layer)| (layer, Bitrate::from_kbps(*kbps)))
                .collect(),
            current,
            may_rise: true,
            is_guess: false,
            is_screen: false,
        }
    }

    fn granted(kbps: u64, candidates: &[Candidate]) -> Vec<Option<u8>> {
        allocate(Bitrate::from_kbps(kbps), candidates).granted
    }

    #[test]
    fn best_layer_that_fits_is_granted() {
        let camera = [candidate(&CAMERA, 1, None)];
        assert_eq!(granted(100, &camera), [None]);
        assert_eq!(granted(170, &camera), [Some(0)]);
        assert_eq!(granted(600, &camera), [Some(1)]);
        assert_eq!(granted(1_900, &camera), [Some(2)]);
    }

    #[test]
    fn everybody_has_the_lowest_layer_before_anybody_has_a_better_one() {
        let cameras = vec![candidate(&CAMERA, 1, None); 3];
        assert_eq!(granted(520, &cameras), [Some(0); 3]);
        assert_eq!(granted(760, &cameras), [Some(1), Some(0), Some(0)]);
        assert_eq!(granted(400, &cameras), [Some(0), Some(0), None]);
    }

    #[test]
    fn more_important_ones_come_first() {
        let screen = candidate(&[500], 200, None);
        let cameras = candidate(&CAMERA, 1, None);
        assert_eq!(
            granted(560, &[cameras.clone(), screen.clone()]),
            [None, Some(0)]
        );
        assert_eq!(granted(720, &[cameras, screen]), [Some(0), Some(0)]);
    }

    #[test]
    fn layer_is_begun_with_a_margin_and_kept_with_less() {
        let begun = [candidate(&CAMERA, 1, Some(0))];
        let kept = [candidate(&CAMERA, 1, Some(1))];
        assert_eq!(granted(400, &begun), [Some(0)]);
        assert_eq!(granted(360, &kept), [Some(1)]);
        assert_eq!(granted(350, &kept), [Some(0)]);
        assert_eq!(granted(130, &begun), [Some(0)]);
        assert_eq!(granted(125, &begun), [None]);
    }

    #[test]
    fn candidate_that_may_not_rise_keeps_its_layer() {
        let mut camera = candidate(&CAMERA, 1, Some(1));
        camera.may_rise = false;
        assert_eq!(granted(9_000, std::slice::from_ref(&camera)), [Some(1)]);
        assert_eq!(granted(200, &[camera]), [Some(0)]);
    }

    #[test]
    fn lowest_layer_is_begun_where_nothing_is_known_of_the_path() {
        let mut screen = candidate(&[2_500], 1, None);
        assert_eq!(granted(1_000, std::slice::from_ref(&screen)), [None]);
        screen.is_guess = true;
        assert_eq!(granted(1_000, std::slice::from_ref(&screen)), [Some(0)]);
        assert_eq!(granted(700, &[screen]), [None]);
    }

    #[test]
    fn next_better_result_is_told() {
        let camera = candidate(&CAMERA, 1, Some(1));
        let result = allocate(Bitrate::from_kbps(600), std::slice::from_ref(&camera));
        assert_eq!(result.used, Bitrate::from_kbps(375));
        assert_eq!(result.next, Some(Bitrate::from_kbps(1_836)));
        let all = allocate(Bitrate::from_kbps(3_000), &[camera]);
        assert_eq!(all.next, None);
    }

    #[test]
    fn never_more_than_the_budget_is_granted() {
        let cameras = vec![candidate(&CAMERA, 1, None); 7];
        for kbps in (0..15_000).step_by(37) {
            let result = allocate(Bitrate::from_kbps(kbps), &cameras);
            assert!(result.used <= Bitrate::from_kbps(kbps));
        }
    }

    fn screen(kbps: u64, current: Option<u8>) -> Candidate {
        Candidate {
            is_screen: true,
            ..candidate(&[kbps], 128, current)
        }
    }

    #[test]
    fn screen_is_sent_with_what_is_left_and_never_paused_for_a_camera() {
        let candidates = [candidate(&CAMERA, 1, Some(0)), screen(500, Some(0))];
        let allocation = allocate(Bitrate::from_kbps(300), &candidates);
        assert_eq!(allocation.granted, [None, Some(0)]);
        assert_eq!(allocation.bitrates[1], Bitrate::from_kbps(300));
        assert!(allocation.next > Some(Bitrate::from_kbps(400)));
        assert_eq!(granted(720, &candidates), [Some(0), Some(0)]);
    }

    #[test]
    fn screen_is_begun_where_a_page_comes_within_half_a_minute() {
        assert_eq!(granted(14, &[screen(500, None)]), [None]);
        assert_eq!(granted(16, &[screen(500, None)]), [Some(0)]);
        assert_eq!(granted(1, &[screen(500, Some(0))]), [Some(0)]);
        assert_eq!(granted(0, &[screen(500, Some(0))]), [None]);
    }
}
