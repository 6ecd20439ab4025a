//! Layers inside one stream: of independent spatial layers one is sent, and a preference that is not
//! carried out is refused.

use std::time::Duration;

use serde_json::json;
use watersmeet_engine::command::{Command, Layers, Refusal};
use watersmeet_engine::transport::srtp::SrtpProfile;
use watersmeet_wire::params::MediaKind;

use crate::support::broadcast::{Broadcast, PublishedPacket, Viewer};

const SSRC: u32 = 4_444;

/// A worker with a producer of one stream in this scalability mode, or of several.
fn broadcast_in(codec: &str, mode: &str, encodings: usize) -> Broadcast {
    let mut broadcast = Broadcast::new(SrtpProfile::AeadAes128Gcm);
    let encodings: Vec<_> = (0..encodings)
        .map(
            |at| json!({"ssrc": SSRC + u32::try_from(at).expect("small"), "scalabilityMode": mode}),
        )
        .collect();
    let rtp = json!({
        "codecs": [{
            "mimeType": codec, "payloadType": 98, "clockRate": 90_000,
            "rtcpFeedback": [{"type": "nack"}, {"type": "nack", "parameter": "pli"}],
        }],
        "encodings": encodings,
    });
    broadcast.produce_with(MediaKind::Video, rtp);
    broadcast
}

fn prefer(
    broadcast: &mut Broadcast,
    viewer: &Viewer,
    spatial_layer: u8,
    temporal_layer: Option<u8>,
) -> Result<(), Refusal> {
    let command = Command::SetPreferredLayers {
        consumer: viewer.consumer,
        layers: Layers {
            spatial_layer,
            temporal_layer,
        },
    };
    let now = broadcast.now;
    broadcast.worker.handle_command(now, command).map(|_| ())
}

#[test]
fn preference_that_is_not_carried_out_is_refused() {
    for (codec, mode, encodings, spatial, temporal, is_done) in [
        ("video/VP9", "L3T3", 1, 0, None, false),
        ("video/VP9", "L3T3", 1, 2, Some(0), false),
        ("video/VP9", "L3T3_KEY", 1, 1, Some(2), false),
        ("video/VP9", "L3T3", 1, 2, Some(2), true),
        ("video/VP9", "L1T3", 1, 0, Some(1), false),
        ("video/VP8", "L1T3", 1, 0, Some(0), false),
        ("video/VP8", "L1T3", 1, 0, None, true),
        ("video/VP8", "L1T1", 1, 0, Some(0), true),
        ("video/VP8", "L1T3", 3, 1, None, true),
        ("video/VP8", "L1T3", 3, 1, Some(2), true),
        ("video/VP8", "L1T3", 3, 1, Some(0), false),
        ("video/VP9", "S3T3", 1, 0, None, true),
        ("video/VP9", "S3T3", 1, 0, Some(1), false),
    ] {
        let mut broadcast = broadcast_in(codec, mode, encodings);
        let viewer = broadcast.add_viewer();
        let result = prefer(&mut broadcast, &viewer, spatial, temporal);
        let case = format!("{codec} {mode} ×{encodings}: {spatial}, {temporal:?}");
        assert_eq!(result.is_ok(), is_done, "{case}");
        if let Err(refusal) = result {
            assert_eq!(refusal.code(), "bad-parameters", "{case}");
        }
    }
}

/// Sends a picture of VP9 in three independent spatial layers of two packets each. Returns the layers
/// of the packets that the viewer receives, and their sequence numbers.
fn send_picture(
    broadcast: &mut Broadcast,
    viewer: &mut Viewer,
    picture: u64,
    keyframe: bool,
) -> Vec<(u8, u16)> {
    broadcast.advance(Duration::from_millis(33));
    let mut received = Vec::new();
    for layer in 0..3_u8 {
        for part in 0..2_u8 {
            // I, P unless in a keyframe, L, and F; then B or E.
            let has = 0xb0 | u8::from(!keyframe) << 6 | if part == 0 { 0x08 } else { 0x04 };
            let references: &[u8] = if keyframe { &[] } else { &[2] };
            let head = [has, u8::try_from(picture % 128).expect("small"), layer << 1];
            let payload = [&head, references, &[layer, 0, 0, 0]].concat();
            let sent = broadcast.send(&PublishedPacket {
                ssrc: SSRC,
                pt: 98,
                seq: picture * 6 + u64::from(layer) * 2 + u64::from(part),
                timestamp: u32::try_from(picture * 3_000).expect("small"),
                extensions: &[],
                payload: &payload,
            });
            for (header, packet) in viewer.received(&sent) {
                let payload = header.payload(&packet).expect("no padding");
                received.push((payload[2] >> 1, header.seq));
            }
        }
    }
    received
}

#[test]
fn one_of_three_independent_spatial_layers_is_sent_without_gaps() {
    let mut broadcast = broadcast_in("video/VP9", "S3T3", 1);
    let mut viewer = broadcast.add_viewer();
    send_picture(&mut broadcast, &mut viewer, 0, true);
    let mut all = Vec::new();
    for picture in 1..60 {
        all.extend(send_picture(
            &mut broadcast,
            &mut viewer,
            picture,
            picture % 10 == 0,
        ));
    }
    let first = all
        .iter()
        .position(|(layer, _)| *layer == 2)
        .expect("the highest layer");
    let rest = &all[first..];
    assert!(rest.iter().all(|(layer, _)| *layer == 2));
    assert!(rest.len() >= 90, "{} packets", rest.len());
    for pair in all.windows(2) {
        assert_eq!(pair[1].1, pair[0].1.wrapping_add(1));
    }
}

#[test]
fn preferred_independent_spatial_layer_is_sent_from_its_next_keyframe_on() {
    let mut broadcast = broadcast_in("video/VP9", "S3T3", 1);
    let mut viewer = broadcast.add_viewer();
    for picture in 0..20 {
        send_picture(&mut broadcast, &mut viewer, picture, picture % 10 == 0);
    }
    let before = broadcast.keyframe_requests();
    prefer(&mut broadcast, &viewer, 0, None).expect("carried out");
    assert_eq!(broadcast.keyframe_requests(), before + 1);
    let rest = send_picture(&mut broadcast, &mut viewer, 20, false);
    assert!(rest.iter().all(|(layer, _)| *layer == 2) && rest.len() == 2);
    send_picture(&mut broadcast, &mut viewer, 21, true);
    let low = send_picture(&mut broadcast, &mut viewer, 22, false);
    assert!(low.iter().all(|(layer, _)| *layer == 0) && low.len() == 2);
}

#[test]
fn independent_spatial_layer_that_stops_is_replaced_by_the_next_best() {
    let mut broadcast = broadcast_in("video/VP9", "S2T1", 1);
    let mut viewer = broadcast.add_viewer();
    let mut layers = Vec::new();
    for picture in 0..120_u64 {
        broadcast.advance(Duration::from_millis(33));
        let keyframe = picture % 10 == 0;
        for layer in 0..2_u8 {
            if layer == 1 && picture >= 60 {
                continue;
            }
            let has = 0xbc | u8::from(!keyframe) << 6;
            let references: &[u8] = if keyframe { &[] } else { &[2] };
            let payload = [&[has, 1, layer << 1], references, &[0; 4]].concat();
            let sent = broadcast.send(&PublishedPacket {
                ssrc: SSRC,
                pt: 98,
                seq: picture * 2 + u64::from(layer),
                timestamp: u32::try_from(picture * 3_000).expect("small"),
                extensions: &[],
                payload: &payload,
            });
            let received = viewer.received(&sent);
            layers.extend(
                received
                    .iter()
                    .map(|(header, packet)| header.payload(packet).expect("no padding")[2] >> 1),
            );
        }
    }
    assert!(layers.ends_with(&[0; 15]), "{layers:?}");
}
