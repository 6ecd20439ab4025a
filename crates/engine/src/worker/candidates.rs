//! Input and result of distributing a transport's bandwidth: the bitrates that its video consumers ask for,
//! and the share that each of them gets.

use arrayvec::ArrayVec;
use watersmeet_wire::units::{Bitrate, Time};

use super::Worker;
use super::outbound::Terms;
use crate::allocation::{Allocation, Candidate, LAYERS_MAX, LayerCost, LayerStep, layer_steps};
use crate::consumer::{BandwidthShare, Consumer};
use crate::producer::activity::bit;

/// Bitrates assumed of layers that are not measured yet, lowest first, and of those above.
const UNKNOWN_LAYERS: [Bitrate; 3] = [
    Bitrate::from_kbps(100),
    Bitrate::from_kbps(300),
    Bitrate::from_kbps(900),
];
const UNKNOWN_TOP: Bitrate = Bitrate::from_kbps(2_500);

/// Bitrate of the path from which on frames are left out of videos that do not fit. On a path with less the audio,
/// which the estimate does not cover, is a large part of what it carries; then video that does not fit is
/// paused.
const SLOWED_BITRATE_MIN: Bitrate = Bitrate::from_kbps(250);

/// Bitrate that is of use to a shared screen, however little it sends at present: a page of text takes two
/// seconds then.
const PAGE_BITRATE: Bitrate = Bitrate::from_kbps(250);

/// Margin above the goal of probing, in percent, so that what was found suffices.
const GOAL_MARGIN_PERCENT: u64 = 5;

impl Worker {
    /// Returns what a video consumer wants; `None` while nothing can be sent to it anyhow.
    pub(super) fn candidate(
        &self,
        now: Time,
        consumer: &Consumer,
        available: Bitrate,
        terms: Terms,
    ) -> Option<Candidate> {
        let producer = self.producers.get(consumer.producer)?;
        if producer.paused || !consumer.is_sending() {
            return None;
        }
        let active = consumer.layers.active();
        let is_active = |layer: &u8| active & bit(*layer) != 0;
        let is_possible = |layer: &u8| is_active(layer) || producer.would_start(now, *layer);
        let preferred = consumer.layers.preferred_max();
        let count = producer.layer_count();
        let lowest = (0..count).find(is_possible)?;
        let top = preferred.max(lowest);
        let mut layers = ArrayVec::<_, LAYERS_MAX>::new();
        for spatial in (0..count).filter(|layer| is_possible(layer) && *layer <= top) {
            let unknown = UNKNOWN_LAYERS.get(usize::from(spatial - lowest));
            let measured = producer.layer_bitrate(now, spatial);
            let mut bitrate = measured.unwrap_or_else(|| *unknown.unwrap_or(&UNKNOWN_TOP));
            if spatial > lowest {
                // A path that does not carry a page in a second gains nothing, and pays for the change with a keyframe.
                bitrate = bitrate.max(producer.peak_bitrate(now, spatial).unwrap_or(bitrate));
            }
            let mut cost = LayerCost {
                spatial,
                bitrate: Bitrate::from_bps(bitrate.as_bps() * terms.cost_percent / 100),
                temporal_permille: producer.temporal_permille(spatial),
            };
            if available < SLOWED_BITRATE_MIN {
                cost.temporal_permille.clear();
            }
            cost.limit_temporal(consumer.layers.preferred_temporal());
            let _ = layers.try_push(cost);
        }
        Some(Candidate {
            priority: consumer.priority,
            steps: layer_steps(&layers, consumer.degradation_preference),
            current: consumer.layers.limit().granted(),
            may_rise: consumer.rise.is_allowed(now),
            is_guess: terms.is_guess,
            is_screen: consumer.screen.is_some(),
        })
    }

    /// Returns the bitrate of the layers that a consumer is being sent.
    pub(super) fn current_bitrate(&self, now: Time, consumer: &Consumer) -> Bitrate {
        let producer = self.producers.get(consumer.producer);
        let current = consumer.layers.current().map(|spatial| LayerStep {
            spatial,
            temporal: consumer.layers.current_temporal(),
        });
        producer
            .zip(current)
            .and_then(|(producer, step)| producer.step_bitrate(now, step))
            .unwrap_or(Bitrate::ZERO)
    }
}

/// Returns the bitrate that would be of use, in bit/s; zero where no more is. `reserved` is that of audio.
pub(super) fn goal(candidates: &[Candidate], allocation: &Allocation, reserved: u64) -> u64 {
    let screen = candidates.iter().find(|it| it.is_screen);
    let next = allocation.next.max(screen.map(|_| PAGE_BITRATE));
    next.map_or(0, |next| {
        (next.as_bps() + reserved) * (100 + GOAL_MARGIN_PERCENT) / 100
    })
}

/// Returns what each candidate can be sent: what it is granted, and an equal part of what is left.
pub(super) fn shares(
    budget: Bitrate,
    candidates: &[Candidate],
    allocation: &Allocation,
    terms: Terms,
) -> Vec<BandwidthShare> {
    let pairs = || candidates.iter().zip(&allocation.granted);
    let best = |candidate: &Candidate| candidate.steps.last().map(|(step, _)| *step);
    let is_limited = |candidate: &Candidate, granted: Option<LayerStep>| granted < best(candidate);
    let limited = pairs().filter(|(candidate, granted)| is_limited(candidate, **granted));
    let parts = u64::try_from(limited.count()).unwrap_or(1).max(1);
    let left = budget.as_bps().saturating_sub(allocation.used.as_bps()) / parts;
    pairs()
        .zip(&allocation.bitrates)
        .map(|((candidate, granted), own)| {
            let bps = own.as_bps() + left;
            let bitrate = Bitrate::from_bps(bps * 100 / terms.cost_percent);
            let spatial = |step: Option<LayerStep>| step.map(|step| step.spatial);
            BandwidthShare {
                bitrate: (!terms.is_guess).then_some(bitrate),
                is_limited: spatial(*granted) < spatial(best(candidate)),
                is_slowed: granted.is_some_and(|step| !step.is_full()),
            }
        })
        .collect()
}
