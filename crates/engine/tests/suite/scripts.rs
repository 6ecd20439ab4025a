//! Scripts of random commands, checked against models. The fuzz targets of the same names search for more of
//! them.

pub mod feedback;
pub mod retransmissions;
pub mod rewriting;

use rand_chacha::rand_core::{Rng as _, SeedableRng};
use watersmeet_wire::units::Rng;

/// Scripts that each test runs.
const SCRIPTS: u64 = 60;

/// Length of a script, in bytes.
const SCRIPT_LEN: usize = 700;

fn run_scripts(check: impl Fn(&[u8])) {
    for seed in 0..SCRIPTS {
        let mut script = vec![0; SCRIPT_LEN];
        Rng::seed_from_u64(seed).fill_bytes(&mut script);
        check(&script);
    }
}

#[test]
fn rewritten_streams_can_be_decrypted_and_decoded() {
    run_scripts(rewriting::rewriting);
}

#[test]
fn only_what_was_sent_is_sent_again_and_not_too_often() {
    run_scripts(retransmissions::retransmissions);
}

#[test]
fn estimate_stays_within_its_bounds_whatever_is_reported() {
    run_scripts(feedback::feedback);
}

/// Two packets of a frame that the fuzz target found with timestamps of their own: a layer is joined with a keyframe
/// that was repaired after 8 s, more than frames catch up.
#[test]
fn frame_that_comes_very_late_has_one_timestamp() {
    let start = [0xe9];
    let held_back = [0x60, 0x9f, 0xe9, 0x9f, 0xea, 0xff];
    let pause = [0xff, 0xff, 0xff, 0xe9, 0x95, 0xe9];
    let repaired = [0x9f, 0x0a, 0xf0, 0xf0, 0xf0, 0xf0];
    let script = [&start[..], &held_back, &pause, &repaired].concat();
    rewriting::rewriting(&script);
}

/// Frames that the fuzz target found sent twice: a keyframe of the layer that the viewer had just left for a lower one
/// was repaired late.
#[test]
fn frames_are_not_sent_again_after_a_late_keyframe() {
    let start = [0x2b];
    let frames = [0xa7, 0xff, 0x00, 0x14, 0x68, 0x08, 0x62];
    let same_frames = [&[0x2b][..], &frames].concat();
    let other_frames = [
        0x83, 0xea, 0xea, 0xea, 0x97, 0xa6, 0x2f, 0x5b, 0x5a, 0xe4, 0x8f, 0x7f, 0x01, 0x00, 0xa4,
        0x00, 0x00, 0x5b,
    ];
    let script = [
        &start[..],
        &frames,
        &same_frames,
        &other_frames,
        &other_frames,
    ]
    .concat();
    rewriting::rewriting(&script);
}

/// Packets of one frame that the fuzz target found with different picture ids: one came 13 s late, after many frames of
/// a temporal layer were left out.
#[test]
fn packets_of_a_frame_have_one_picture_id_however_late() {
    let start = [0x0a];
    let held_back = [0xd1, 0xe9, 0x60, 0x9f, 0xe9, 0x9f, 0xea, 0xff];
    let base_layer_only = [0x5b, 0x95, 0xe9, 0x9f];
    let pauses = [0xff; 8];
    let frames = [0x54; 7];
    let repaired = [0x0a, 0xf0, 0xf0, 0xf0, 0xf0, 0xf0, 0x46, 0x2b, 0xff];
    let script = [
        &start[..],
        &held_back,
        &base_layer_only,
        &[0; 18],
        &[0x0a, 0, 0, 0],
        &pauses,
        &[0; 10],
        &frames,
        &[0; 8],
        &repaired,
    ]
    .concat();
    rewriting::rewriting(&script);
}

/// A frame that the fuzz target found sent twice: it was sent before a pause, after which a layer began with a keyframe;
/// then an earlier keyframe of the former layer was repaired.
#[test]
fn frames_from_before_a_pause_are_not_sent_again() {
    let start = [0xd7];
    let held_back = [0x57, 0xac];
    let resume = [0xac, 0xff];
    let long_pause = [0xff, 0xff];
    let frames = [0xf7, 0xac];
    let pause = [0xac, 0xac];
    let repaired = [0xf7, 0xe1];
    let script = [
        &start[..],
        &held_back,
        &pause,
        &resume,
        &long_pause,
        &frames,
        &pause,
        &resume,
        &repaired,
    ]
    .concat();
    rewriting::rewriting(&script);
}

/// Frames that the fuzz target found with a picture missing between them and no number: the media clock jumped after
/// a lost packet and a frame of a temporal layer that was left out.
#[test]
fn lost_packets_keep_their_numbers_when_the_clock_jumps() {
    let start = [0x2b];
    let keyframe = [0xa7, 0xff];
    let base_layer_only = [0x2b, 0xa7];
    let pause = [0xff, 0x93];
    let left_out = [0xa6, 0x5b];
    let repaired = [0x5a, 0xa4];
    let lost = [0x93, 0x5a, 0xfb, 0x93, 0x5b, 0x5a];
    let left_out_again = [0xa4, 0x93];
    let clock_jump = [0x5a, 0x0a, 0x3b, 0x01, 0x1e, 0xa4, 0x3b, 0x17];
    let frames = [0x17, 0x5b, 0x17, 0xbf, 0x17, 0x17, 0xb1, 0xc5];
    let script = [
        &start[..],
        &keyframe,
        &base_layer_only,
        &pause,
        &left_out,
        &repaired,
        &lost,
        &left_out_again,
        &clock_jump,
        &frames,
    ]
    .concat();
    rewriting::rewriting(&script);
}

/// Frames that the fuzz target found sent twice after a pause: the first keyframe of the layer that was sent came more
/// than a second late.
#[test]
fn keyframe_that_comes_very_late_starts_nothing_after_a_pause() {
    let start = [0xfb];
    let held_back = [0x93, 0x53, 0xa6, 0x0a, 0x3b];
    let pause = [0x8c; 12];
    let base_layer_frame = [0x84, 0xb5];
    let frames_with_a_loss = [0xaf, 0xb5];
    let pauses = [0x8c; 28];
    let resume_and_repair = [0xbf, 0x0a, 0x00];
    let script = [
        &start[..],
        &held_back,
        &pause,
        &[0xb5; 5],
        &base_layer_frame,
        &[0xb5; 29],
        &frames_with_a_loss,
        &[0xb5; 18],
        &pauses,
        &resume_and_repair,
    ]
    .concat();
    rewriting::rewriting(&script);
}
