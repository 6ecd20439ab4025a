//! Distribution of a transport's bitrate among its video consumers: which layers each may be sent. A pure
//! function of the estimate, the bitrates of the layers and the priorities.
//!
//! Each consumer has a list of steps, lower ones first, which [`layer_steps`] makes of its layers. In the
//! first round everybody is raised within the lowest resolution, in the second within the next one, and so
//! on. In a round all are raised by one step in turn, those of a higher priority first, as long as it fits.
//! So everybody has a picture before anybody has a better one, and everybody its full frame rate before
//! anybody a higher resolution. What does not fit even so is paused.
//! A shared screen does with less than its bitrate: its pictures come later, but it is not paused.
//!
//! More bitrate never grants less in sum, and one consumer alone never less. Among several, one can be sent
//! less when the bitrate suffices for another one that comes before it.

mod layer_steps;

use watersmeet_wire::units::Bitrate;

pub use layer_steps::{
    ALL_TEMPORAL, DegradationPreference, LAYERS_MAX, LayerCost, LayerStep, STEPS_MAX, Steps,
    TEMPORAL_LAYERS_MAX, layer_steps,
};

/// Share of the bitrate of a step that has to be there before it is begun, and so that it is kept, in
/// percent: bitrates and estimates vary, and a layer that is begun and left again is worse than one that
/// comes later. Worst is no picture.
const BEGUN_PERCENT: u64 = 108;
const KEPT_PERCENT: u64 = 95;
const KEPT_LOWEST_PERCENT: u64 = 85;

/// The same of steps without the highest temporal layer: there is less to lose, and what is sent beyond what
/// the path carries delays the audio.
const SLOWED_BEGUN_PERCENT: u64 = 115;
const SLOWED_KEPT_PERCENT: u64 = 100;

/// The same of the lowest resolution while nothing is known of the path.
const GUESSED_LOWEST_PERCENT: u64 = 33;

/// Bitrate from which on a shared screen is begun: a page of text takes half a minute then.
const SCREEN_MIN: u64 = 15_000;

/// A video consumer that wants a part of the bitrate.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Importance among the consumers of the transport; more is more important.
    pub priority: u8,
    /// Steps among the active layers up to the preferred ones.
    pub steps: Steps,
    /// Step that it is allowed at present; `None` while it is paused.
    pub current: Option<LayerStep>,
    /// Whether it may be allowed a better step than at present.
    pub may_rise: bool,
    /// Whether the path may well carry more than is distributed, as far as is known.
    pub is_guess: bool,
    /// Whether it is a shared screen, whose lowest layer may have less than it needs.
    pub is_screen: bool,
}

impl Candidate {
    /// Returns the number of spatial layers up to that of a step.
    fn rank(&self, index: usize) -> usize {
        let upto = self.steps.iter().take(index + 1);
        let mut last = None;
        let is_other =
            |(step, _): &&(LayerStep, Bitrate)| last.replace(step.spatial) != Some(step.spatial);
        upto.filter(is_other).count()
    }
}

/// Result for all candidates.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Allocation {
    /// Step that each candidate may be sent, in their order; `None` pauses it.
    pub granted: Vec<Option<LayerStep>>,
    /// Bitrate at which the next better layer becomes possible at its full frame rate; `None` when all have
    /// what they want.
    pub next: Option<Bitrate>,
    /// Bitrate that the granted steps need, or have where there is less.
    pub used: Bitrate,
    /// The same of each candidate.
    pub bitrates: Vec<Bitrate>,
}

/// State of one candidate while steps are distributed.
struct Share<'a> {
    candidate: &'a Candidate,
    /// Index in its steps of the granted one.
    granted: Option<usize>,
    /// Bitrate set aside for it, margins included.
    reserved: u64,
    /// Bitrate that its granted layer lacks.
    lacking: u64,
}

impl Share<'_> {
    /// Returns the bitrate granted so far.
    fn used(&self) -> u64 {
        let steps = &self.candidate.steps;
        let granted = self.granted.and_then(|index| steps.get(index));
        let needed = granted.map_or(0, |(_, bitrate)| bitrate.as_bps());
        match self.lacking {
            0 => needed,
            _ => needed.min(self.reserved),
        }
    }

    /// Returns the bitrate that may suffice instead of what the next step needs.
    fn sufficient(&self, needed: u64) -> u64 {
        if !self.candidate.is_screen || self.granted.is_some() {
            return needed;
        }
        let is_sent = self.candidate.current.is_some();
        needed.min(if is_sent { 1 } else { SCREEN_MIN })
    }

    /// Returns the lowest spatial layer.
    fn lowest(&self) -> u8 {
        let first = self.candidate.steps.first();
        first.map_or(0, |(step, _)| step.spatial)
    }

    /// Returns the index of the first step that has not been granted.
    fn next_index(&self) -> usize {
        self.granted.map_or(0, |index| index + 1)
    }

    /// Returns whether a step is better than the present one.
    fn is_rise(&self, step: LayerStep) -> bool {
        self.candidate.current.is_none_or(|current| step > current)
    }

    /// Returns the bitrate that a step needs, margin included: no more than a better one does.
    fn needed(&self, index: usize) -> Option<u64> {
        let better = index..self.candidate.steps.len();
        better.filter_map(|index| self.needed_alone(index)).min()
    }

    fn needed_alone(&self, index: usize) -> Option<u64> {
        let &(step, bitrate) = self.candidate.steps.get(index)?;
        let is_lowest = step.spatial == self.lowest();
        let percent = match (self.is_rise(step), step.is_full()) {
            _ if is_lowest && self.candidate.is_guess => GUESSED_LOWEST_PERCENT,
            (true, true) => BEGUN_PERCENT,
            (true, false) => SLOWED_BEGUN_PERCENT,
            (false, false) => SLOWED_KEPT_PERCENT,
            (false, true) if is_lowest => KEPT_LOWEST_PERCENT,
            (false, true) => KEPT_PERCENT,
        };
        Some(bitrate.as_bps() * percent / 100)
    }

    /// Returns whether it is to be raised in a round at all.
    fn wants(&self, round: usize) -> bool {
        let index = self.next_index();
        let next = self.candidate.steps.get(index);
        next.is_some_and(|(step, _)| {
            let is_allowed = self.candidate.may_rise || !self.is_rise(*step);
            is_allowed && self.lacking == 0 && self.candidate.rank(index) == round
        })
    }

    /// Raises it by one step if no more than `left` has to be set aside for that. Returns what is left.
    fn raise(&mut self, left: u64) -> Option<u64> {
        let index = self.next_index();
        let wanted = self.needed(index)?.saturating_sub(self.reserved);
        let more = wanted.min(left.max(self.sufficient(wanted)));
        let left = left.checked_sub(more)?;
        self.lacking = wanted - more;
        self.reserved += more;
        self.granted = Some(index);
        Some(left)
    }

    /// Returns the bitrate, in addition to what is used, at which a better layer becomes possible at its
    /// full frame rate.
    fn missing(&self) -> Option<u64> {
        if self.lacking > 0 {
            return Some(self.lacking);
        }
        let mut better = self.next_index()..self.candidate.steps.len();
        let is_full = |index: &usize| {
            let step = self.candidate.steps.get(*index);
            step.is_some_and(|(step, _)| step.is_full())
        };
        let full = better.find(is_full)?;
        Some(self.needed(full)?.saturating_sub(self.used()))
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
    let rounds = candidates.iter().map(|it| it.rank(it.steps.len())).max();
    for round in 1..=rounds.unwrap_or(0) {
        while let Some(rest) = raise_all(&mut shares, &order, round, left) {
            left = rest;
        }
    }
    let used = shares.iter().map(Share::used).sum::<u64>();
    let next = shares.iter().filter_map(Share::missing).min();
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
                share.candidate.steps.get(index).map(|(step, _)| *step)
            })
            .collect(),
    }
}

/// Raises each candidate by one step in a round, where that fits. Returns what is left of the bitrate;
/// `None` when nobody was raised.
fn raise_all(shares: &mut [Share<'_>], order: &[usize], round: usize, left: u64) -> Option<u64> {
    let mut rest = None;
    for &index in order {
        let share = shares.get_mut(index).filter(|share| share.wants(round));
        let raised = share.and_then(|share| share.raise(rest.unwrap_or(left)));
        rest = raised.or(rest);
    }
    rest
}

#[cfg(test)]
mod tests;
