//! The steps in which what a consumer is sent gets better: pairs of a spatial and a temporal layer.
//!
//! Of the lowest resolution every frame rate is a step, because a slow picture is better than none. A camera gets a
//! higher resolution only at its full frame rate: half of the frames of a large picture cost more than all of a
//! smaller one, and on a path that falls there is more in the way. A shared screen first gets its pixels
//! and then its frames.

use arrayvec::ArrayVec;
use watersmeet_wire::units::Bitrate;

/// Upper bound of the spatial layers of a consumer.
pub const LAYERS_MAX: usize = 8;

/// Upper bound of the temporal layers that are distinguished; higher ones count as the last.
pub const TEMPORAL_LAYERS_MAX: usize = 4;

/// Upper bound of the steps of a consumer.
pub const STEPS_MAX: usize = LAYERS_MAX * TEMPORAL_LAYERS_MAX;

/// Temporal layer that stands for all.
pub const ALL_TEMPORAL: u8 = u8::MAX;

/// Highest layers that a consumer may be sent; more is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LayerStep {
    /// Highest spatial layer.
    pub spatial: u8,
    /// Highest temporal layer of that spatial layer; [`ALL_TEMPORAL`] does not limit it.
    pub temporal: u8,
}

impl LayerStep {
    /// Returns the step with all temporal layers of a spatial layer.
    pub const fn full(spatial: u8) -> Self {
        Self {
            spatial,
            temporal: ALL_TEMPORAL,
        }
    }

    /// Returns whether temporal layers are not limited.
    pub const fn is_full(self) -> bool {
        self.temporal == ALL_TEMPORAL
    }
}

/// Steps of a consumer with the bitrates that they need, lowest first. No step needs less than one before.
pub type Steps = ArrayVec<(LayerStep, Bitrate), STEPS_MAX>;

/// Whether frame rate or resolution is kept when the bandwidth does not suffice for both. Named as W3C's
/// `RTCDegradationPreference`.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum DegradationPreference {
    /// The frame rate, in which sign language and lips are read. For cameras.
    #[default]
    MaintainFramerate,
    /// The resolution. For shared screens with text.
    MaintainResolution,
}

/// Cost of a spatial layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerCost {
    /// Spatial layer.
    pub spatial: u8,
    /// Bitrate that it needs in full.
    pub bitrate: Bitrate,
    /// Share of it that each temporal layer needs together with those below, in thousandths, lowest first
    /// and without the highest one.
    pub temporal_permille: ArrayVec<u64, TEMPORAL_LAYERS_MAX>,
}

impl LayerCost {
    /// Leaves out the temporal layers above this one, which its receiver does not want.
    pub fn limit_temporal(&mut self, highest: u8) {
        let highest = usize::from(highest);
        let Some(share) = self.temporal_permille.get(highest).copied() else {
            return;
        };
        self.temporal_permille.truncate(highest);
        self.bitrate = Bitrate::from_bps(self.bitrate.as_bps() * share / 1_000);
        for lower in &mut self.temporal_permille {
            *lower = *lower * 1_000 / share.max(1);
        }
    }
}

/// Returns the steps among these spatial layers, lowest first.
pub fn layer_steps(
    layers: &ArrayVec<LayerCost, LAYERS_MAX>,
    preference: DegradationPreference,
) -> Steps {
    let (Some(lowest), Some(highest)) = (layers.first(), layers.last()) else {
        return Steps::new();
    };
    let mut steps = Steps::new();
    for layer in layers {
        let is_lowest = layer.spatial == lowest.spatial;
        let is_highest = layer.spatial == highest.spatial;
        let reduced = layer.temporal_permille.iter().zip(0..);
        let is_offered = |temporal: u8| match preference {
            DegradationPreference::MaintainFramerate => is_lowest,
            DegradationPreference::MaintainResolution => temporal == 0 || is_highest,
        };
        for (permille, temporal) in reduced.filter(|(_, temporal)| is_offered(*temporal)) {
            let bps = layer.bitrate.as_bps() * permille / 1_000;
            let step = LayerStep {
                spatial: layer.spatial,
                temporal,
            };
            push(&mut steps, step, Bitrate::from_bps(bps));
        }
        let is_pixels_first = preference == DegradationPreference::MaintainResolution;
        if !is_pixels_first || is_highest || layer.temporal_permille.is_empty() {
            push(&mut steps, LayerStep::full(layer.spatial), layer.bitrate);
        }
    }
    steps
}

/// Adds a step. One that brings less than the one before, as of a resting source, costs nothing more.
fn push(steps: &mut Steps, step: LayerStep, bitrate: Bitrate) {
    let former = steps.last().map_or(Bitrate::ZERO, |(_, former)| *former);
    let _ = steps.try_push((step, bitrate.max(former)));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three resolutions of 150, 375 and 1,700 kbit/s, each with a quarter, a half and all of the frames.
    fn camera() -> ArrayVec<LayerCost, LAYERS_MAX> {
        let layers = (0..).zip([150, 375, 1_700]);
        layers
            .map(|(spatial, kbps)| LayerCost {
                spatial,
                bitrate: Bitrate::from_kbps(kbps),
                temporal_permille: [380, 630].into_iter().collect(),
            })
            .collect()
    }

    /// Returns the steps as text: `1.0` is the lowest temporal layer of the second spatial layer, `1` all.
    fn described(preference: DegradationPreference) -> String {
        let steps = layer_steps(&camera(), preference);
        let text = steps.iter().map(|(step, _)| match step.is_full() {
            true => step.spatial.to_string(),
            false => format!("{}.{}", step.spatial, step.temporal),
        });
        text.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn higher_resolution_of_a_camera_has_all_its_frames() {
        let camera = described(DegradationPreference::MaintainFramerate);
        assert_eq!(camera, "0.0 0.1 0 1 2");
    }

    #[test]
    fn screen_has_its_pixels_before_its_frames() {
        let pixels = described(DegradationPreference::MaintainResolution);
        assert_eq!(pixels, "0.0 1.0 2.0 2.1 2");
    }

    #[test]
    fn no_step_needs_less_than_one_before() {
        let mut layers = camera();
        layers[1].bitrate = Bitrate::from_kbps(20);
        let steps = layer_steps(&layers, DegradationPreference::MaintainFramerate);
        assert!(steps.is_sorted_by_key(|(_, bitrate)| *bitrate));
        assert!(steps.is_sorted_by_key(|(step, _)| *step));
    }
}
