//! Changes to a layer whose keyframe comes late, because it was lost and is repaired: what follows has the
//! timestamps that it would have without the loss.

use std::time::Duration;

use watersmeet_engine::command::{Command, Layers};
use watersmeet_engine::transport::srtp::SrtpProfile;

use crate::support::broadcast::{Broadcast, PublishedPacket, Viewer};
use crate::support::simulcast::simulcast_producer;

/// Interval between frames.
const FRAME: Duration = Duration::from_millis(40);

/// Interval between frames in timestamp units.
const FRAME_TICKS: u32 = 3_600;

/// Where the timestamps of each encoding start, as if they were drawn.
const STARTS: [u32; 3] = [1_000, 3_000_000_000, u32::MAX - 20_000];

/// Number of the frame with the keyframe of the other encoding.
const KEYFRAME: u32 = 20;

/// Sends one frame of an encoding in one packet. Returns the timestamps that the viewer receives.
fn send(broadcast: &mut Broadcast, viewer: &mut Viewer, encoding: usize, count: u32) -> Vec<u32> {
    let is_keyframe = count == 0 || encoding == 2 && count == KEYFRAME;
    let rids: [&[u8]; 3] = [b"q", b"h", b"f"];
    let sent = broadcast.send(&PublishedPacket {
        ssrc: [10, 20, 30][encoding],
        pt: 96,
        seq: u64::from(count),
        timestamp: STARTS[encoding].wrapping_add(count * FRAME_TICKS),
        extensions: &[(1, b"7"), (2, rids[encoding])],
        payload: &[0x10, u8::from(!is_keyframe), 0, 0, 0, 0],
    });
    let received = viewer.received(&sent);
    received
        .iter()
        .map(|(header, _)| header.timestamp)
        .collect()
}

fn prefer(broadcast: &mut Broadcast, viewer: &Viewer, spatial_layer: u8) {
    broadcast.command(Command::SetPreferredLayers {
        consumer: viewer.consumer,
        layers: Layers {
            spatial_layer,
            temporal_layer: None,
        },
    });
}

/// Returns by how many timestamp units frames are off after a change to an encoding whose keyframe comes
/// `late` frames later.
fn deviation_after(late: u32) -> i32 {
    let mut broadcast = Broadcast::new(SrtpProfile::AeadAes128Gcm);
    let producer = simulcast_producer(&mut broadcast);
    let mut viewer = broadcast.add_viewer_of(producer);
    prefer(&mut broadcast, &viewer, 0);
    let mut timestamps = Vec::new();
    for count in 0..60 {
        if count == 10 {
            prefer(&mut broadcast, &viewer, 2);
        }
        timestamps.extend(send(&mut broadcast, &mut viewer, 0, count));
        let is_lost = count == KEYFRAME && late > 0;
        if !is_lost {
            timestamps.extend(send(&mut broadcast, &mut viewer, 2, count));
        }
        if count == KEYFRAME + late && late > 0 {
            timestamps.extend(send(&mut broadcast, &mut viewer, 2, KEYFRAME));
        }
        broadcast.advance(FRAME);
    }
    assert!(timestamps.len() >= 60, "{late}: {}", timestamps.len());
    let steps = timestamps.windows(2);
    let is_later = |pair: &[u32]| pair[1].wrapping_sub(pair[0]).cast_signed() > 0;
    assert!(steps.clone().all(is_later), "{late}: {timestamps:?}");
    let spanned = timestamps[timestamps.len() - 1].wrapping_sub(timestamps[0]);
    spanned.wrapping_sub(59 * FRAME_TICKS).cast_signed()
}

#[test]
fn frames_after_a_late_keyframe_are_shown_when_they_were_captured() {
    for late in 0..=12 {
        let deviation = deviation_after(late);
        assert!(deviation.abs() <= 90, "{late} frames late: {deviation}");
    }
}
