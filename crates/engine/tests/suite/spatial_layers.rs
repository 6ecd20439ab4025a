//! Layers inside one stream: of independent spatial layers one is sent, of others those that belong together,
//! and a preference that is not carried out is refused.

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
fn layers_that_packets_tell_can_be_preferred() {
    for (codec, mode, encodings, spatial, temporal) in [
        ("video/VP9", "L3T3", 1, 0, None),
        ("video/VP9", "L3T3_KEY", 1, 1, Some(1)),
        ("video/VP9", "L1T3", 1, 0, Some(1)),
        ("video/VP9", "S3T3", 1, 0, Some(1)),
        ("video/VP8", "L1T3", 3, 1, Some(0)),
        ("video/VP8", "L1T1", 1, 0, Some(0)),
    ] {
        let mut broadcast = broadcast_in(codec, mode, encodings);
        let viewer = broadcast.add_viewer();
        let result = prefer(&mut broadcast, &viewer, spatial, temporal);
        result.unwrap_or_else(|refusal| panic!("{codec} {mode}: {refusal:?}"));
    }
}

#[test]
fn preference_that_is_not_carried_out_is_refused() {
    // The packets of VP8 tell no spatial layers.
    let mut broadcast = broadcast_in("video/VP8", "L3T3", 1);
    let viewer = broadcast.add_viewer();
    prefer(&mut broadcast, &viewer, 2, Some(2)).expect("all layers");
    let refusal = prefer(&mut broadcast, &viewer, 0, None).expect_err("a part of them");
    assert_eq!(refusal.code(), "bad-parameters");
}

/// Sends a picture of VP9 in three spatial layers of two packets each, `inter_layer` if each refers to the
/// one below. Returns the layers of the packets that the viewer receives, their sequence numbers and their
/// marker bits.
fn send_layers(
    broadcast: &mut Broadcast,
    viewer: &mut Viewer,
    picture: u64,
    (keyframe, inter_layer): (bool, bool),
) -> Vec<(u8, u16, bool)> {
    broadcast.advance(Duration::from_millis(33));
    let mut received = Vec::new();
    for layer in 0..3_u8 {
        for part in 0..2_u8 {
            // I, P unless in a keyframe, L, and F; then B or E, and V: three layers follow.
            let has_structure = keyframe && layer == 0 && part == 0;
            let has = 0xb0 | u8::from(!keyframe) << 6 | if part == 0 { 0x08 } else { 0x04 };
            let has = has | u8::from(has_structure) << 1;
            let structure: &[u8] = if has_structure { &[0x40] } else { &[] };
            let references: &[u8] = if keyframe { &[] } else { &[2] };
            let layers = layer << 1 | u8::from(inter_layer && layer > 0);
            let head = [has, u8::try_from(picture % 128).expect("small"), layers];
            let payload = [&head, references, structure, &[layer, 0, 0, 0]].concat();
            broadcast.sends_markers = layer == 2 && part == 1;
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
                received.push((payload[2] >> 1, header.seq, header.marker));
            }
        }
    }
    received
}

/// Sends a picture of independent layers. Returns the layers of the packets that the viewer receives, and
/// their sequence numbers.
fn send_picture(
    broadcast: &mut Broadcast,
    viewer: &mut Viewer,
    picture: u64,
    keyframe: bool,
) -> Vec<(u8, u16)> {
    let received = send_layers(broadcast, viewer, picture, (keyframe, false));
    received
        .into_iter()
        .map(|(layer, seq, _)| (layer, seq))
        .collect()
}

/// Sends pictures, the first a keyframe, to a viewer that prefers one spatial layer after another. Returns
/// for each picture the layers of its packets, after checking that numbers have no gaps and that the marker
/// bit is on the last packet alone.
fn layers_of_pictures(mode: &str, preferred: &[(u64, u8)], pictures: u64) -> Vec<Vec<u8>> {
    let mut broadcast = broadcast_in("video/VP9", mode, 1);
    let mut viewer = broadcast.add_viewer();
    let mut next = None;
    let mut sent = Vec::new();
    for picture in 0..pictures {
        for &(_, layer) in preferred.iter().filter(|(at, _)| *at == picture) {
            prefer(&mut broadcast, &viewer, layer, None).expect("layers can be chosen");
        }
        let keyframe = picture % 10 == 0;
        let inter_layer = keyframe || mode == "L3T3";
        let received = send_layers(
            &mut broadcast,
            &mut viewer,
            picture,
            (keyframe, inter_layer),
        );
        for &(layer, seq, marker) in &received {
            assert!(next.is_none_or(|next| next == seq), "picture {picture}");
            next = Some(seq.wrapping_add(1));
            let is_last = received.last().is_some_and(|last| last.1 == seq);
            assert_eq!(marker, is_last, "picture {picture}, layer {layer}");
        }
        sent.push(received.into_iter().map(|(layer, ..)| layer).collect());
    }
    sent
}

#[test]
fn lower_layers_are_sent_with_those_that_need_them() {
    let sent = layers_of_pictures("L3T3", &[(0, 1), (23, 0), (26, 2)], 40);
    let [one, two, three] = [&[0, 0][..], &[0, 0, 1, 1], &[0, 0, 1, 1, 2, 2]];
    assert_eq!((&sent[5][..], &sent[22][..]), (two, two));
    assert_eq!(sent[23], one, "lower layers are possible at once");
    assert_eq!(
        (&sent[29][..], &sent[30][..]),
        (one, three),
        "with a keyframe"
    );
    assert_eq!(sent[39], three);
}

#[test]
fn lower_layers_of_key_pictures_alone_are_sent_where_that_suffices() {
    let sent = layers_of_pictures("L3T3_KEY", &[(0, 2), (23, 0), (36, 1)], 50);
    assert_eq!(
        (&sent[20][..], &sent[22][..]),
        (&[0, 0, 1, 1, 2, 2][..], &[2, 2][..])
    );
    assert_eq!(sent[29], [2, 2], "lower layers begin with a keyframe");
    assert_eq!((&sent[30][..], &sent[39][..]), (&[0, 0][..], &[0, 0][..]));
    assert_eq!(
        (&sent[40][..], &sent[41][..]),
        (&[0, 0, 1, 1][..], &[1, 1][..])
    );
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
