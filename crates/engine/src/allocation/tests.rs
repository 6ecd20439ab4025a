//! Which layers are granted for which bitrate.

mod temporal_layers;

use super::*;

const CAMERA: [u64; 3] = [150, 375, 1_700];

fn candidate(kbps: &[u64], priority: u8, current: Option<u8>) -> Candidate {
    let layers = kbps.iter().zip(0..);
    Candidate {
        priority,
        steps: layers
            .map(|(kbps, layer)| (LayerStep::full(layer), Bitrate::from_kbps(*kbps)))
            .collect(),
        current: current.map(LayerStep::full),
        may_rise: true,
        is_guess: false,
        is_screen: false,
    }
}

/// Returns spatial layers that are granted, each in full.
fn granted(kbps: u64, candidates: &[Candidate]) -> Vec<Option<u8>> {
    let granted = allocate(Bitrate::from_kbps(kbps), candidates).granted;
    let spatial = |step: LayerStep| {
        assert!(step.is_full());
        step.spatial
    };
    granted.into_iter().map(|step| step.map(spatial)).collect()
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
    assert_eq!(allocation.granted, [None, Some(LayerStep::full(0))]);
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
