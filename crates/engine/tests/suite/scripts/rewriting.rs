//! Scripts of a publisher with three simulcast encodings, and of a viewer that changes layers, pauses and
//! goes on: packets are lost, come late and twice, numbers and timestamps jump. The viewer is sent a stream
//! that a receiver can decrypt and decode.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use watersmeet_engine::command::{Command, Layers};
use watersmeet_engine::transport::srtp::SrtpProfile;
use watersmeet_wire::codec::Vp8Descriptor;
use watersmeet_wire::rtp::RtpHeader;
use watersmeet_wire::units::SeqNo;

use crate::support::broadcast::{Broadcast, PublishedPacket, ReceivedRtp, Viewer};
use crate::support::simulcast::simulcast_producer;

/// Commands of a script that are carried out; the rest is ignored.
const STEPS_MAX: usize = 400;

/// Most packets that are held back to be sent late.
const HELD_MAX: usize = 32;

/// Largest step of the outgoing sequence numbers.
const STEP_MAX: u64 = 512;

/// Length of a descriptor with a picture id of 15 bits, TL0PICIDX and a temporal layer.
const DESCRIPTOR_LEN: usize = 6;

/// Contents of a packet, by which the viewer's packets are recognised: encoding, frame, part and number of
/// parts.
type Mark = (u8, u16, u8, u8);

/// A packet that the viewer received.
type ReceivedPacket = (Mark, RtpHeader, Vp8Descriptor);

/// A packet of the publisher.
#[derive(Clone)]
struct Packet {
    encoding: u8,
    seq: u64,
    timestamp: u32,
    payload: Vec<u8>,
}

/// One encoding of the publisher.
struct Encoding {
    seq: u64,
    timestamp: u32,
    picture_id: u16,
    tl0_pic_idx: u8,
    frames: u16,
}

/// The publisher.
struct Publisher {
    encodings: [Encoding; 3],
    held: VecDeque<Packet>,
}

/// What the viewer was sent.
#[derive(Default)]
struct Received {
    /// Sequence number with its wraps that was last the newest.
    newest: Option<SeqNo>,
    /// Contents by sequence number.
    packets: BTreeMap<u64, ReceivedPacket>,
    /// Contents that were received.
    marks: BTreeSet<Mark>,
}

impl Publisher {
    fn new(start: u8) -> Self {
        // Some wrap soon.
        let start = u16::from(start);
        let encoding = |index: u16| Encoding {
            seq: u64::from(65_000 + start * 2 + index),
            timestamp: u32::MAX - u32::from(start) * 1_000 * u32::from(index),
            picture_id: 32_700 + start % 64,
            tl0_pic_idx: 250,
            frames: 0,
        };
        Self {
            encodings: [encoding(0), encoding(1), encoding(2)],
            held: VecDeque::new(),
        }
    }

    /// Returns the packets of the next frame of an encoding.
    fn frame(&mut self, index: u8, keyframe: bool, parts: u8, ticks: u32) -> Vec<Packet> {
        let encoding = &mut self.encodings[usize::from(index)];
        let keyframe = keyframe || encoding.frames == 0;
        let temporal_layer = if keyframe { 0 } else { encoding.frames & 1 };
        encoding.frames = encoding.frames.wrapping_add(1);
        encoding.timestamp = encoding.timestamp.wrapping_add(ticks.max(1));
        encoding.picture_id = (encoding.picture_id + 1) & 0x7fff;
        if temporal_layer == 0 {
            encoding.tl0_pic_idx = encoding.tl0_pic_idx.wrapping_add(1);
        }
        let mut packets = Vec::new();
        for part in 0..parts {
            encoding.seq += 1;
            // X, S; I, L and T; M and the picture id; TL0PICIDX; TID.
            let [high, low] = encoding.picture_id.to_be_bytes();
            let start = u8::from(part == 0) << 4;
            let layer = u8::try_from(temporal_layer << 6).expect("small");
            let mut payload = vec![0x80 | start, 0xe0, 0x80 | high, low];
            payload.extend([encoding.tl0_pic_idx, layer, u8::from(!keyframe), index]);
            payload.extend(encoding.frames.to_be_bytes());
            payload.extend([part, parts]);
            packets.push(Packet {
                encoding: index,
                seq: encoding.seq,
                timestamp: encoding.timestamp,
                payload,
            });
        }
        packets
    }
}

impl Received {
    fn record(&mut self, (header, packet): &ReceivedRtp) {
        let payload = header.payload(packet).expect("no padding");
        let descriptor = Vp8Descriptor::parse(payload).expect("a descriptor");
        let contents = &payload[DESCRIPTOR_LEN + 1..];
        let mark = (
            contents[0],
            u16::from_be_bytes([contents[1], contents[2]]),
            contents[3],
            contents[4],
        );
        assert!(self.marks.insert(mark), "{mark:?} is sent twice");
        let seq = self.newest.map_or_else(
            || SeqNo::first(header.seq),
            |newest| newest.nearest(header.seq),
        );
        if let Some(newest) = self.newest {
            assert!(seq.0 <= newest.0 + STEP_MAX, "{newest:?} to {seq:?}");
        }
        self.newest = self.newest.max(Some(seq));
        let packet = (mark, *header, descriptor);
        assert!(self.packets.insert(seq.0, packet).is_none());
    }

    /// Returns whether a frame was received completely.
    fn is_complete(&self, (encoding, frame, _, parts): Mark) -> bool {
        (0..parts).all(|part| self.marks.contains(&(encoding, frame, part, parts)))
    }

    /// Checks the order of everything that was received.
    fn check(&self) {
        let pairs = self.packets.iter().zip(self.packets.iter().skip(1));
        for ((seq, one), (next_seq, next)) in pairs {
            let ((encoding, frame, part, _), header, descriptor) = one;
            let ((next_encoding, next_frame, next_part, _), next_header, next_descriptor) = next;
            let is_adjacent = next_seq - seq == 1;
            let step = next_header.timestamp.wrapping_sub(header.timestamp);
            if (encoding, frame) == (next_encoding, next_frame) {
                assert_eq!(step, 0, "one frame has one timestamp");
                assert_eq!(descriptor.picture_id, next_descriptor.picture_id);
                assert!(!is_adjacent || part + 1 == *next_part);
                continue;
            }
            assert!(step.cast_signed() > 0, "{one:?} before {next:?}");
            if encoding != next_encoding {
                assert!(next_descriptor.keyframe, "a change without a keyframe");
            }
            // Late packets of a frame that is left out are sent, because there is a number for them.
            if is_adjacent && self.is_complete(one.0) && self.is_complete(next.0) {
                check_counters(one, next);
            }
        }
    }
}

/// Checks that the picture counters of a frame follow those of the one before.
fn check_counters(one: &ReceivedPacket, next: &ReceivedPacket) {
    let (descriptor, next_descriptor) = (&one.2, &next.2);
    let id = |it: &Vp8Descriptor| it.picture_id.expect("an id").value();
    let step = id(next_descriptor).wrapping_sub(id(descriptor)) & 0x7fff;
    assert_eq!(step, 1, "{one:?} before {next:?}");
    let tl0 = |it: &Vp8Descriptor| it.tl0_pic_idx.expect("an index");
    let is_base = next_descriptor.temporal_layer == Some(0);
    assert_eq!(
        tl0(next_descriptor).wrapping_sub(tl0(descriptor)),
        u8::from(is_base),
        "{one:?} before {next:?}"
    );
}

/// Lets the publisher send a packet, and the viewer receive what follows.
fn deliver(broadcast: &mut Broadcast, viewer: &mut Viewer, seen: &mut Received, packet: &Packet) {
    let index = usize::from(packet.encoding);
    let rids: [&[u8]; 3] = [b"q", b"h", b"f"];
    let sent = broadcast.send(&PublishedPacket {
        ssrc: [10, 20, 30][index],
        pt: 96,
        seq: packet.seq,
        timestamp: packet.timestamp,
        extensions: &[(1, b"7"), (2, rids[index])],
        payload: &packet.payload,
    });
    for received in viewer.received(&sent) {
        seen.record(&received);
    }
}

/// Runs a script.
pub fn rewriting(bytes: &[u8]) {
    let Some((&start, script)) = bytes.split_first() else {
        return;
    };
    let mut broadcast = Broadcast::new(SrtpProfile::AeadAes128Gcm);
    let producer = simulcast_producer(&mut broadcast);
    let mut viewer = broadcast.add_viewer_of(producer);
    let mut publisher = Publisher::new(start);
    let mut seen = Received::default();
    let (steps, _) = script.as_chunks::<2>();
    for &[operation, argument] in steps.iter().take(STEPS_MAX) {
        step(
            &mut broadcast,
            &mut viewer,
            &mut publisher,
            &mut seen,
            (operation, argument),
        );
    }
    seen.check();
}

fn step(
    broadcast: &mut Broadcast,
    viewer: &mut Viewer,
    publisher: &mut Publisher,
    seen: &mut Received,
    (operation, argument): (u8, u8),
) {
    match operation & 15 {
        // A frame of all encodings.
        0..=9 => {
            let parts = operation >> 4 & 3;
            let millis = 20 + u64::from(argument & 31);
            advance(broadcast, viewer, seen, millis);
            for index in 0..3 {
                let ticks = u32::try_from(millis * 90).expect("small");
                let keyframe = argument & 0x20 != 0;
                for packet in publisher.frame(index, keyframe, parts.max(1), ticks) {
                    // Some packets of an encoding are lost or held back.
                    let fate = (operation >> 6).wrapping_mul(argument >> 6);
                    let is_hit = packet.seq % 7 == u64::from(argument % 7);
                    match fate {
                        1 | 3 if is_hit => {}
                        2 | 6 if is_hit && publisher.held.len() < HELD_MAX => {
                            publisher.held.push_back(packet);
                        }
                        _ => deliver(broadcast, viewer, seen, &packet),
                    }
                    if fate == 9 && is_hit {
                        let again = publisher.held.front().cloned();
                        again
                            .iter()
                            .for_each(|it| deliver(broadcast, viewer, seen, it));
                    }
                }
            }
        }
        // A packet that was held back.
        10 => {
            if let Some(packet) = publisher.held.pop_front() {
                deliver(broadcast, viewer, seen, &packet);
            }
        }
        11 => {
            broadcast.command(Command::SetPreferredLayers {
                consumer: viewer.consumer,
                layers: Layers {
                    spatial_layer: argument % 3,
                    temporal_layer: (argument & 0x80 != 0).then_some(argument >> 6 & 1),
                },
            });
        }
        12 => {
            let consumer = viewer.consumer;
            broadcast.command(match argument & 1 {
                0 => Command::PauseConsumer { consumer },
                _ => Command::ResumeConsumer { consumer },
            });
        }
        // Numbers or timestamps jump, as those of a publisher that was cut off.
        13 => {
            publisher.held.clear();
            for encoding in &mut publisher.encodings {
                encoding.seq += u64::from(argument) * 120;
            }
        }
        14 => {
            publisher.held.clear();
            for encoding in &mut publisher.encodings {
                encoding.timestamp = encoding.timestamp.wrapping_add(2_000_000_011);
            }
        }
        _ => advance(broadcast, viewer, seen, u64::from(argument) * 16),
    }
}

/// Lets time pass, and the viewer receive what is sent meanwhile.
fn advance(broadcast: &mut Broadcast, viewer: &mut Viewer, seen: &mut Received, millis: u64) {
    let sent = broadcast.advance(Duration::from_millis(millis));
    for received in viewer.received(&sent) {
        seen.record(&received);
    }
}
