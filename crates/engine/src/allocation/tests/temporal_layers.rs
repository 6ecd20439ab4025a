//! Steps of temporal layers: what comes before what, and rules that hold for any candidates.

use arrayvec::ArrayVec;
use proptest::prelude::*;

use super::super::*;

/// Shares of the lower temporal layers of three, in thousandths.
const THREE_TEMPORAL: [u64; 2] = [380, 630];

fn layers(kbps: &[u64], permille: &[u64]) -> ArrayVec<LayerCost, LAYERS_MAX> {
    let costs = (0..).zip(kbps);
    costs
        .map(|(spatial, kbps)| LayerCost {
            spatial,
            bitrate: Bitrate::from_kbps(*kbps),
            temporal_permille: permille.iter().copied().collect(),
        })
        .collect()
}

/// Returns a camera of three resolutions of 150, 375 and 1,700 kbit/s that is paused.
fn camera(preference: DegradationPreference) -> Candidate {
    camera_at(preference, None)
}

fn camera_at(preference: DegradationPreference, current: Option<LayerStep>) -> Candidate {
    let layers = layers(&[150, 375, 1_700], &THREE_TEMPORAL);
    Candidate {
        priority: 1,
        steps: layer_steps(&layers, preference),
        current,
        may_rise: true,
        is_guess: false,
        is_screen: false,
    }
}

/// Returns what is granted as text: `1.0` is the lowest temporal layer of the second spatial layer, `1` all
/// of them, `-` nothing.
fn granted(kbps: u64, candidates: &[Candidate]) -> String {
    let granted = allocate(Bitrate::from_kbps(kbps), candidates).granted;
    let text = granted.into_iter().map(|step| match step {
        None => "-".to_owned(),
        Some(step) if step.is_full() => step.spatial.to_string(),
        Some(step) => format!("{}.{}", step.spatial, step.temporal),
    });
    text.collect::<Vec<_>>().join(" ")
}

#[test]
fn lower_frame_rate_is_granted_where_the_lowest_layer_does_not_fit() {
    let camera = [camera(DegradationPreference::MaintainFramerate)];
    assert_eq!(granted(60, &camera), "-");
    assert_eq!(granted(66, &camera), "0.0");
    assert_eq!(granted(110, &camera), "0.1");
    assert_eq!(granted(170, &camera), "0");
    assert_eq!(granted(1_800, &camera), "1");
}

#[test]
fn everybody_has_the_full_frame_rate_before_anybody_has_a_higher_resolution() {
    let cameras = vec![camera(DegradationPreference::MaintainFramerate); 3];
    assert_eq!(granted(200, &cameras), "0.0 0.0 0.0");
    assert_eq!(granted(450, &cameras), "0 0 0.1");
    assert_eq!(granted(560, &cameras), "0 0 0");
    assert_eq!(granted(740, &cameras), "1 0 0");
}

#[test]
fn stream_without_temporal_layers_does_not_overtake_one_with_them() {
    let mut plain = camera(DegradationPreference::MaintainFramerate);
    plain.steps = layer_steps(
        &layers(&[150, 375], &[]),
        DegradationPreference::MaintainFramerate,
    );
    let cameras = [plain, camera(DegradationPreference::MaintainFramerate)];
    assert_eq!(granted(330, &cameras), "0 0");
    assert_eq!(granted(450, &cameras), "0 0");
    assert_eq!(granted(600, &cameras), "1 0");
}

#[test]
fn camera_keeps_its_frames_and_a_screen_its_pixels() {
    let camera = camera(DegradationPreference::MaintainFramerate);
    let screen = Candidate {
        steps: layer_steps(
            &layers(&[150, 375, 1_700], &THREE_TEMPORAL),
            DegradationPreference::MaintainResolution,
        ),
        ..camera.clone()
    };
    assert_eq!(granted(1_300, std::slice::from_ref(&camera)), "1");
    assert_eq!(granted(1_300, std::slice::from_ref(&screen)), "2.1");
    assert_eq!(granted(800, &[screen]), "2.0");
}

#[test]
fn lower_frame_rate_needs_no_more_than_a_higher_one() {
    let mut camera = camera(DegradationPreference::MaintainFramerate);
    let layers = layers(&[150], &[990]);
    camera.steps = layer_steps(&layers, DegradationPreference::MaintainFramerate);
    assert_eq!(granted(163, std::slice::from_ref(&camera)), "0");
    assert_eq!(granted(161, &[camera]), "-");
}

#[test]
fn lowest_layer_is_kept_in_full_longer_than_its_frame_rate_is_raised() {
    let lowest = camera_at(
        DegradationPreference::MaintainFramerate,
        Some(LayerStep::full(0)),
    );
    assert_eq!(granted(128, std::slice::from_ref(&lowest)), "0");
    assert_eq!(granted(127, std::slice::from_ref(&lowest)), "0.1");
    assert_eq!(granted(60, std::slice::from_ref(&lowest)), "0.0");
    assert_eq!(granted(56, &[lowest]), "-");
}

#[test]
fn probes_look_for_the_next_layer_at_its_full_frame_rate() {
    let camera = [camera(DegradationPreference::MaintainFramerate)];
    let next = |kbps| allocate(Bitrate::from_kbps(kbps), &camera).next;
    assert_eq!(next(110), Some(Bitrate::from_kbps(162)));
    assert_eq!(next(170), Some(Bitrate::from_kbps(405)));
    assert_eq!(next(1_200), Some(Bitrate::from_kbps(1_836)));
}

fn any_preference() -> impl Strategy<Value = DegradationPreference> {
    prop_oneof![
        Just(DegradationPreference::MaintainFramerate),
        Just(DegradationPreference::MaintainResolution),
    ]
}

/// Candidates with up to four spatial and three temporal layers of any bitrates.
fn any_candidate() -> impl Strategy<Value = Candidate> {
    let kbps = prop::collection::vec(20_u64..3_000, 1..=4);
    let shares = prop::sample::select(vec![Vec::new(), vec![600], THREE_TEMPORAL.to_vec()]);
    let current = prop::option::of((0_u8..4, prop::sample::select(vec![0, 1, ALL_TEMPORAL])));
    (
        kbps,
        shares,
        any_preference(),
        0_u8..4,
        current,
        any::<bool>(),
    )
        .prop_map(
            |(mut kbps, shares, preference, priority, current, may_rise)| {
                kbps.sort_unstable();
                let current = current.map(|(spatial, temporal)| LayerStep { spatial, temporal });
                Candidate {
                    priority,
                    steps: layer_steps(&layers(&kbps, &shares), preference),
                    current,
                    may_rise,
                    is_guess: false,
                    is_screen: false,
                }
            },
        )
}

/// Returns what a step costs at least, margin of those that are kept included.
fn least_cost(candidate: &Candidate, step: Option<LayerStep>) -> u64 {
    let cost = candidate.steps.iter().find(|(it, _)| Some(*it) == step);
    cost.map_or(0, |(_, bitrate)| {
        bitrate.as_bps() * KEPT_LOWEST_PERCENT / 100
    })
}

proptest! {
    #[test]
    fn more_bitrate_never_gives_one_consumer_less(
        candidate in any_candidate(),
        kbps in 0_u64..4_000,
        more in 0_u64..4_000,
    ) {
        let with = |kbps| allocate(Bitrate::from_kbps(kbps), std::slice::from_ref(&candidate));
        prop_assert!(with(kbps).granted <= with(kbps + more).granted);
    }

    #[test]
    fn more_bitrate_is_never_used_less_by_new_consumers(
        mut candidates in prop::collection::vec(any_candidate(), 1..8),
        kbps in 0_u64..8_000,
        more in 0_u64..8_000,
    ) {
        for candidate in &mut candidates {
            candidate.current = None;
            candidate.may_rise = true;
        }
        let used = |kbps| allocate(Bitrate::from_kbps(kbps), &candidates).used.as_bps();
        // Whole bits of the margins.
        prop_assert!(used(kbps) <= used(kbps + more) + 64);
    }

    #[test]
    fn what_is_granted_fits_the_bitrate(
        candidates in prop::collection::vec(any_candidate(), 1..8),
        kbps in 0_u64..8_000,
    ) {
        let granted = allocate(Bitrate::from_kbps(kbps), &candidates).granted;
        let costs = candidates.iter().zip(granted).map(|(it, step)| least_cost(it, step));
        prop_assert!(costs.sum::<u64>() <= kbps * 1_000);
    }

    #[test]
    fn nobody_of_the_same_priority_rises_while_another_could_have_a_first_picture(
        mut candidates in prop::collection::vec(any_candidate(), 2..8),
        kbps in 0_u64..8_000,
    ) {
        for candidate in &mut candidates {
            candidate.priority = 1;
            candidate.may_rise = true;
            candidate.current = None;
        }
        let result = allocate(Bitrate::from_kbps(kbps), &candidates);
        // Better steps are granted only from the bitrate that is left after the first steps: a candidate
        // with nothing would have nothing even if all others had only their first step.
         let first = |it: &Candidate| it.steps.first().map_or(0, |(step, bitrate)| {
            let percent = if step.is_full() { BEGUN_PERCENT } else { SLOWED_BEGUN_PERCENT };
            bitrate.as_bps() * percent / 100
        });
        let pairs = || candidates.iter().zip(&result.granted);
        let firsts: u64 = pairs().filter(|(_, step)| step.is_some()).map(|(it, _)| first(it)).sum();
        for (candidate, _) in pairs().filter(|(_, step)| step.is_none()) {
            prop_assert!(firsts + first(candidate) > kbps * 1_000);
        }
    }

    #[test]
    fn higher_resolution_of_a_camera_is_sent_with_all_its_frames(
        mut candidate in any_candidate(),
        kbps in 0_u64..4_000,
    ) {
        let layers = layers(&[100, 300, 900], &THREE_TEMPORAL);
        candidate.steps = layer_steps(&layers, DegradationPreference::MaintainFramerate);
        for step in allocate(Bitrate::from_kbps(kbps), &[candidate]).granted.into_iter().flatten() {
            prop_assert!(step.spatial == 0 || step.is_full());
        }
    }
}
