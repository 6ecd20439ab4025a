//! A publisher of three simulcast encodings, a picture a packet.

use serde_json::json;
use watersmeet_engine::command::ProducerId;
use watersmeet_wire::params::MediaKind;
use watersmeet_wire::rtp::extension::ExtensionKind;

use super::broadcast::{Broadcast, PublishedPacket};
use super::worker_setup::Datagram;

/// Adds a producer with three simulcast encodings.
pub fn simulcast_producer(broadcast: &mut Broadcast) -> ProducerId {
    let rtp = json!({
        "mid": "7",
        "codecs": [{
            "mimeType": "video/VP8", "payloadType": 96, "clockRate": 90_000,
            "rtcpFeedback": [{"type": "nack"}, {"type": "nack", "parameter": "pli"}],
        }],
        "headerExtensions": [
            {"uri": ExtensionKind::Mid.uri(), "id": 1},
            {"uri": ExtensionKind::Rid.uri(), "id": 2},
        ],
        "encodings": [{"rid": "q"}, {"rid": "h"}, {"rid": "f"}],
    });
    broadcast.produce_with(MediaKind::Video, rtp)
}

/// Sends a picture in the encodings, with payloads of these lengths; those of length 0 are not sent. Returns
/// the datagrams sent in consequence.
pub fn send_picture(
    broadcast: &mut Broadcast,
    count: u64,
    keyframe: bool,
    payload_lens: [usize; 3],
) -> Vec<Datagram> {
    let mut sent = Vec::new();
    let timestamp = u32::try_from(broadcast.now.as_millis() * 90).expect("small");
    let encodings = [(10, b"q"), (20, b"h"), (30, b"f")];
    for ((ssrc, rid), len) in encodings.into_iter().zip(payload_lens) {
        if len == 0 {
            continue;
        }
        let mut payload = vec![0; len];
        payload[..2].copy_from_slice(&[0x10, u8::from(!keyframe)]);
        sent.extend(broadcast.send(&PublishedPacket {
            ssrc,
            pt: 96,
            seq: count,
            timestamp,
            extensions: &[(1, b"7"), (2, rid)],
            payload: &payload,
        }));
    }
    sent
}
