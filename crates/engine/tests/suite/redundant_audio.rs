//! Redundant audio (RFC 2198): negotiated, made of earlier packets by the losses of the receiver and the
//! bitrate of its path, repeated byte for byte, and stripped from what a publisher sends.

use std::collections::BTreeMap;
use std::time::Duration;

use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use watersmeet_engine::command::{Command, ConsumerStats, Reply};
use watersmeet_engine::ortc;
use watersmeet_engine::transport::discard::DiscardReason;
use watersmeet_wire::codec::RedPayload;
use watersmeet_wire::codec::red::{self, EarlierPayload};
use watersmeet_wire::params::{MediaKind, RtpCapabilities};
use watersmeet_wire::rtcp::report::ReportBlock;
use watersmeet_wire::units::{Bitrate, Pt, Rng, Ssrc};

use crate::support::broadcast::{Broadcast, PublishedPacket, Viewer};
use crate::support::worker_setup::{Datagram, is_rtcp};

/// SSRC and payload types of the publisher.
const SSRC: u32 = 2_222;
const OPUS: u8 = 111;
const RED: u8 = 63;

/// Payload types of the router.
const ROUTER_OPUS: Pt = Pt(100);
const ROUTER_RED: Pt = Pt(101);

/// Duration of a packet, and its length in ticks of the RTP clock.
const PACKET_TIME: Duration = Duration::from_millis(20);
const PACKET_TICKS: u32 = 960;

/// A publisher of audio and a receiver of it.
pub struct Call {
    pub broadcast: Broadcast,
    viewer: Viewer,
    /// Number and RTP timestamp of the next packet.
    next: (u64, u32),
    /// Packets sent since the latest report.
    since_report: u32,
    /// Share of packets that the receiver reports lost, in 256ths.
    lost: u8,
}

/// A packet as it was received: payload type, its own payload, and those it repeats, by their timestamps.
#[derive(Debug, PartialEq)]
struct Received {
    pt: Pt,
    payload: Vec<u8>,
    repeated: Vec<(u32, Vec<u8>)>,
}

fn microphone(codecs: &Value) -> Value {
    json!({ "codecs": codecs, "encodings": [{"ssrc": SSRC, "dtx": true}] })
}

fn opus() -> Value {
    json!({
        "mimeType": "audio/opus", "payloadType": OPUS, "clockRate": 48_000, "channels": 2,
        "parameters": {"useinbandfec": 1, "usedtx": 1},
        "rtcpFeedback": [{"type": "nack"}],
    })
}

fn red() -> Value {
    json!({
        "mimeType": "audio/red", "payloadType": RED, "clockRate": 48_000, "channels": 2,
        "parameters": {"": "111/111"},
    })
}

/// Returns the capabilities without redundant audio, as those of Firefox.
fn without_red(capabilities: &RtpCapabilities) -> RtpCapabilities {
    let mut rest = capabilities.clone();
    rest.codecs.retain(|codec| !codec.is_red());
    rest
}

/// Returns a different payload for each number, of a length that differs too.
fn speech(seq: u64) -> Vec<u8> {
    let mut rng = Rng::seed_from_u64(seq);
    let len = 20 + rng.next_u32() as usize % 80;
    let mut payload = vec![0x78];
    payload.extend((0..len).map(|_| rng.next_u32().to_be_bytes()[0]));
    payload
}

fn broadcast(codecs: &Value) -> Broadcast {
    let mut broadcast = Broadcast::with_codecs(vec![
        ortc::default_codecs().remove(0),
        ortc::redundant_audio_codec(),
    ]);
    broadcast.produce_with(MediaKind::Audio, microphone(codecs));
    broadcast
}

impl Call {
    /// Creates a call of which the receiver supports redundancy.
    pub fn new() -> Self {
        Self::with(&json!([opus()]), true)
    }

    fn with(codecs: &Value, viewer_has_red: bool) -> Self {
        let mut broadcast = broadcast(codecs);
        let mut capabilities = broadcast.capabilities.clone();
        if !viewer_has_red {
            capabilities = without_red(&capabilities);
        }
        let producer = broadcast.producer;
        let viewer = broadcast.add_viewer_with(producer, capabilities);
        Self {
            broadcast,
            viewer,
            next: (1, 5_000),
            since_report: 0,
            lost: 0,
        }
    }

    /// Publishes a packet. Every fiftieth time, the receiver reports its loss a second later.
    fn publish(&mut self, pt: u8, payload: &[u8]) -> Vec<Datagram> {
        let mut sent = self.broadcast.advance(PACKET_TIME);
        let (seq, timestamp) = self.next;
        self.next = (seq + 1, timestamp.wrapping_add(PACKET_TICKS));
        sent.extend(self.broadcast.send(&PublishedPacket {
            ssrc: SSRC,
            pt,
            seq,
            timestamp,
            extensions: &[],
            payload,
        }));
        self.since_report += 1;
        if self.since_report == 50 {
            self.since_report = 0;
            self.report();
        }
        sent
    }

    fn report(&mut self) {
        let block = ReportBlock {
            ssrc: self.viewer.rtp.encodings[0].ssrc.unwrap(),
            fraction_lost: self.lost,
            cumulative_lost: 0,
            highest_seq: 0,
            jitter: 0,
            last_sr: 0,
            delay_since_last_sr: 0,
        };
        let report = self
            .viewer
            .rtcp(|out| assert!(out.write_receiver_report(Ssrc(1), &[block])));
        self.broadcast.receive_from(&self.viewer, report);
    }

    /// Publishes speech for some seconds, during which this share of packets is reported lost, in 256ths.
    pub fn speak(&mut self, seconds: u32, lost: u8) {
        self.speak_packets(seconds * 50, lost);
    }

    fn speak_packets(&mut self, packets: u32, lost: u8) {
        self.lost = lost;
        for _ in 0..packets {
            let payload = speech(self.next.0);
            let sent = self.publish(OPUS, &payload);
            self.viewer.received(&sent);
        }
    }

    /// Writes the next packet of speech, encrypted.
    pub fn protect_speech(&mut self) -> Vec<u8> {
        let (seq, timestamp) = self.next;
        self.skip(1);
        let mut datagram = vec![0; 1_500];
        let packet = PublishedPacket {
            ssrc: SSRC,
            pt: OPUS,
            seq,
            timestamp,
            extensions: &[],
            payload: &speech(seq),
        };
        let len = self.broadcast.protect(&packet, &mut datagram);
        datagram.truncate(len);
        datagram
    }

    /// Publishes the next packet of speech, and returns it as it is received.
    fn next_speech(&mut self) -> Received {
        let payload = speech(self.next.0);
        let sent = self.publish(OPUS, &payload);
        self.received(&sent)
    }

    /// Returns the only packet among `sent`, with what it repeats.
    fn received(&mut self, sent: &[Datagram]) -> Received {
        let mut packets = self.viewer.received(sent);
        assert_eq!(packets.len(), 1);
        let (header, packet) = packets.remove(0);
        let payload = header.payload(&packet).unwrap();
        if header.pt != ROUTER_RED {
            return Received {
                pt: header.pt,
                payload: payload.to_vec(),
                repeated: Vec::new(),
            };
        }
        let read = RedPayload::parse(payload).unwrap();
        assert_eq!(read.primary_pt, ROUTER_OPUS);
        assert!(read.redundant.iter().all(|block| block.pt == ROUTER_OPUS));
        let repeated = read.redundant.iter().rev();
        let repeated = repeated.map(|block| {
            let timestamp = block.timestamp(header.timestamp);
            (timestamp, block.payload.to_vec())
        });
        Received {
            pt: header.pt,
            payload: read.primary.to_vec(),
            repeated: repeated.collect(),
        }
    }

    /// Returns what the latest packet is expected to repeat, from packets that are so far before it.
    fn earlier(&self, distances: &[u64]) -> Vec<(u32, Vec<u8>)> {
        let (next, timestamp) = self.next;
        let earlier = distances.iter().map(|distance| {
            let ticks = u32::try_from(distance + 1).unwrap() * PACKET_TICKS;
            (timestamp.wrapping_sub(ticks), speech(next - 1 - distance))
        });
        earlier.collect()
    }

    fn skip(&mut self, packets: u32) {
        let (seq, timestamp) = self.next;
        let ticks = packets * PACKET_TICKS;
        self.next = (seq + u64::from(packets), timestamp.wrapping_add(ticks));
    }

    fn stats(&mut self) -> ConsumerStats {
        let consumer = self.viewer.consumer;
        match self.broadcast.command(Command::ConsumerStats { consumer }) {
            Reply::ConsumerStats(stats) => *stats,
            other => panic!("no consumer statistics in {other:?}"),
        }
    }
}

#[test]
fn receiver_gets_redundant_audio_as_its_second_codec_if_it_supports_it() {
    let call = Call::new();
    let codecs: Vec<_> = call.viewer.rtp.codecs.iter().collect();
    let [first, second] = codecs[..] else {
        panic!("two codecs, not {codecs:?}");
    };
    assert_eq!(
        (first.payload_type, second.payload_type),
        (ROUTER_OPUS, ROUTER_RED)
    );
    assert_eq!(
        serde_json::to_value(&second.parameters).unwrap(),
        json!({"": "100/100"})
    );
    assert_eq!(
        first
            .parameters
            .get("usedtx")
            .and_then(|it| it.as_integer()),
        Some(1)
    );
    let plain = Call::with(&json!([opus()]), false);
    assert_eq!(plain.viewer.rtp.codecs.len(), 1);
}

#[test]
fn packets_repeat_as_many_earlier_payloads_as_the_loss_calls_for() {
    for (lost, distances) in [(0, &[][..]), (5, &[1]), (20, &[1, 2]), (51, &[1, 2, 3])] {
        let mut call = Call::new();
        call.speak(6, lost);
        let received = call.next_speech();
        let expected = Received {
            pt: if lost == 0 { ROUTER_OPUS } else { ROUTER_RED },
            payload: speech(call.next.0 - 1),
            repeated: call.earlier(distances),
        };
        assert_eq!(received, expected, "{lost}/256");
    }
}

#[test]
fn redundant_packets_are_counted_with_all_their_bytes() {
    let mut call = Call::new();
    call.speak(6, 0);
    let (before, stats) = (call.broadcast.worker.metrics().totals, call.stats());
    assert_eq!(
        (before.redundant_packets_sent, stats.packets_with_redundancy),
        (0, 0)
    );
    call.speak(6, 51);
    let (after, stats) = (call.broadcast.worker.metrics().totals, call.stats());
    assert!(after.redundant_packets_sent > 200);
    assert_eq!(after.redundant_packets_sent, stats.packets_with_redundancy);
    let bytes = after.audio_out.bytes - before.audio_out.bytes;
    assert!(bytes > 2 * before.audio_out.bytes, "{bytes} bytes");
}

#[test]
fn receiver_without_redundant_audio_gets_opus_whatever_it_loses() {
    let mut call = Call::with(&json!([opus()]), false);
    call.speak(6, 51);
    let received = call.next_speech();
    assert_eq!((received.pt, received.repeated.len()), (ROUTER_OPUS, 0));
}

#[test]
fn what_is_lost_before_us_calls_for_no_redundancy() {
    let mut call = Call::new();
    for _ in 0..10 {
        for _ in 0..10 {
            call.skip(1);
            call.speak_packets(4, 51);
        }
    }
    assert_eq!(call.next_speech().pt, ROUTER_OPUS);
    call.speak(6, 51);
    assert_eq!(call.next_speech().pt, ROUTER_RED);
}

#[test]
fn what_did_not_arrive_or_does_not_fit_is_left_out() {
    let mut call = Call::new();
    call.speak(6, 51);
    call.skip(1);
    call.next_speech();
    let received = call.next_speech();
    assert_eq!(
        received.repeated,
        call.earlier(&[1, 3]),
        "a packet is missing"
    );
    // Longer than the length field, and longer than a packet together with what it repeats.
    let sent = call.publish(OPUS, &[7; 1_024]);
    assert_eq!(call.received(&sent).pt, ROUTER_OPUS);
    let received = call.next_speech();
    assert_eq!(received.repeated, call.earlier(&[2, 3]), "a long packet");
}

#[test]
fn silence_of_a_publisher_is_not_repeated_for_long_and_requests_nothing() {
    let mut call = Call::new();
    call.speak(6, 51);
    let nacks = |call: &mut Call| {
        let producer = call.broadcast.producer;
        call.broadcast.producer_stats(producer).remove(0)
    };
    let before = nacks(&mut call);
    let ticks = 20 * PACKET_TICKS;
    for round in 0..30 {
        // A packet each 400 ms, beyond the 14 bits of a timestamp offset.
        call.next.1 = call.next.1.wrapping_add(ticks - PACKET_TICKS);
        let mut sent = call.broadcast.advance(PACKET_TIME * 19);
        sent.extend(call.publish(OPUS, &[0x78]));
        let received = call.received(&sent);
        assert_eq!(
            (received.pt, received.repeated.len()),
            (ROUTER_OPUS, 0),
            "{round}"
        );
    }
    let after = nacks(&mut call);
    assert_eq!(
        (after.nack_count, after.packets_lost),
        (before.nack_count, 0)
    );
    assert_eq!((after.score, after.fraction_lost), (10, 0));
    call.next.1 = call.next.1.wrapping_add(ticks);
    call.next_speech();
    let received = call.next_speech();
    assert_eq!(
        received.repeated,
        call.earlier(&[1]),
        "not the silence before"
    );
}

#[test]
fn repeated_packets_are_the_same_byte_for_byte() {
    let mut call = Call::new();
    call.speak(6, 51);
    let mut originals = Vec::new();
    let mut seqs = Vec::new();
    for _ in 0..20 {
        let payload = speech(call.next.0);
        let sent = call.publish(OPUS, &payload);
        originals.extend(sent.iter().filter(|(_, it)| !is_rtcp(it)).cloned());
        seqs.push(call.viewer.received(&sent)[0].0.seq);
    }
    // The distance changes meanwhile.
    call.lost = 0;
    call.report();
    let ssrc = call.viewer.rtp.encodings[0].ssrc.unwrap();
    let mut repeated = Vec::new();
    for seq in &seqs {
        let nack = call.viewer.nack(ssrc, &[*seq]);
        call.broadcast.receive_from(&call.viewer, nack);
        repeated.extend(call.broadcast.drain());
    }
    assert_eq!(repeated, originals);
}

#[test]
fn path_that_carries_too_little_gets_no_redundancy() {
    for (kbps, distances) in [(50, &[][..]), (100, &[1]), (500, &[1, 2, 3])] {
        let mut call = Call::new();
        let ssrc = call.viewer.rtp.encodings[0].ssrc.unwrap();
        let bitrate = Bitrate::from_kbps(kbps);
        let remb = call
            .viewer
            .rtcp(|out| assert!(out.write_remb(Ssrc(1), bitrate, &[ssrc])));
        call.broadcast.receive_from(&call.viewer, remb);
        call.speak(6, 51);
        let received = call.next_speech();
        assert_eq!(received.repeated, call.earlier(distances), "{kbps} kbit/s");
    }
}

/// Returns a payload of a publisher with redundancy: of this packet and the `count` before it.
fn redundant_payload(seq: u64, count: u64) -> Vec<u8> {
    let earlier: Vec<_> = (1..=count).map(|distance| speech(seq - distance)).collect();
    let blocks = earlier
        .iter()
        .zip(1..)
        .map(|(payload, distance)| EarlierPayload {
            timestamp: 100_000 - distance * PACKET_TICKS,
            payload,
        });
    let blocks: Vec<_> = blocks.collect();
    let mut out = [0; 1_000];
    let len = red::write(&mut out, 1_000, Pt(OPUS), 100_000, &speech(seq), &blocks);
    out[..len.unwrap()].to_vec()
}

#[test]
fn publishers_redundancy_is_forwarded_with_the_payload_types_of_the_router() {
    let mut call = Call::with(&json!([opus(), red()]), true);
    for count in [0, 1, 2] {
        call.skip(3);
        let payload = redundant_payload(call.next.0, count);
        let sent = call.publish(RED, &payload);
        let received = call.received(&sent);
        let expected = Received {
            pt: ROUTER_RED,
            payload: speech(call.next.0 - 1),
            repeated: call.earlier(&(1..=count).collect::<Vec<_>>()),
        };
        assert_eq!(received, expected);
    }
}

#[test]
fn publishers_redundancy_is_stripped_for_receivers_without() {
    for codecs in [json!([opus(), red()]), json!([red(), opus()])] {
        let mut call = Call::with(&codecs, false);
        for round in 0..20 {
            // Publishers change between both from packet to packet.
            let plain = speech(call.next.0);
            let sent = match round % 3 {
                0 => call.publish(OPUS, &plain),
                count => call.publish(RED, &redundant_payload(call.next.0, count)),
            };
            let received = call.received(&sent);
            assert_eq!((received.pt, received.payload), (ROUTER_OPUS, plain));
        }
        assert_eq!(call.stats().mime_type, "audio/opus");
    }
}

#[test]
fn lost_packets_are_recovered_from_the_publishers_redundancy_if_it_repeats_all_of_them() {
    for viewer_has_red in [false, true] {
        for (lost, count, is_recovered) in [(1, 1, true), (2, 2, true), (1, 2, true), (2, 1, false)]
        {
            let mut call = Call::with(&json!([opus(), red()]), viewer_has_red);
            call.speak(1, 0);
            let before = call.broadcast.worker.metrics().totals.audio_in.nacks;
            call.skip(lost);
            let payload = redundant_payload(call.next.0, count);
            let sent = call.publish(RED, &payload);
            let packets = call.viewer.received(&sent);
            let (last, recovered) = packets.split_last().unwrap();
            let numbers = recovered.iter().chain([last]).map(|(header, _)| header.seq);
            let numbers: Vec<_> = numbers.collect();
            assert!(
                numbers
                    .windows(2)
                    .all(|pair| pair[1] == pair[0].wrapping_add(1))
            );
            assert_eq!(
                recovered.len(),
                if is_recovered { lost as usize } else { 0 }
            );
            let seqs = call.next.0 - 1 - u64::from(lost)..;
            for ((header, packet), seq) in recovered.iter().zip(seqs) {
                assert_eq!(header.pt, ROUTER_OPUS);
                assert_eq!(header.payload(packet), Ok(&speech(seq)[..]));
            }
            let after = call.broadcast.worker.metrics().totals.audio_in.nacks;
            assert_eq!(after > before, !is_recovered, "requests");
            let producer = call.broadcast.producer;
            let stats = call.broadcast.producer_stats(producer).remove(0);
            let expected = if is_recovered { u64::from(lost) } else { 0 };
            assert_eq!(
                (stats.packets_recovered, stats.packets_lost),
                (expected, lost.into())
            );
        }
    }
}

#[test]
fn redundancy_whose_timestamps_do_not_fit_the_gap_recovers_nothing() {
    let mut call = Call::with(&json!([opus(), red()]), false);
    call.speak(1, 0);
    // Of the two payloads before, the second is not that of the packet before the gap: it has another time.
    call.skip(1);
    call.next.1 = call.next.1.wrapping_add(PACKET_TICKS);
    let payload = redundant_payload(call.next.0, 2);
    let sent = call.publish(RED, &payload);
    assert_eq!(call.viewer.received(&sent).len(), 1);
}

#[test]
fn malformed_redundancy_is_discarded_and_counted() {
    let mut call = Call::with(&json!([opus(), red()]), true);
    call.speak(1, 0);
    let good = redundant_payload(call.next.0, 2);
    let mut unknown_pt = good.clone();
    red::set_payload_type(&mut unknown_pt, Pt(99));
    for payload in [
        &good[..8],
        &[0x80],
        &[0xef, 0xff, 0xff, 0xff, 0x6f, 1],
        &unknown_pt,
    ] {
        assert!(call.publish(RED, payload).iter().all(|(_, it)| is_rtcp(it)));
    }
    let discards = call.broadcast.worker.metrics().totals.discards;
    assert_eq!(discards[DiscardReason::Malformed as usize], 4);
    assert_eq!(call.next_speech().payload, speech(call.next.0 - 1));
}

#[test]
fn producer_without_a_primary_codec_is_refused() {
    let mut broadcast = broadcast(&json!([opus()]));
    let rtp = serde_json::from_value(microphone(&json!([red()]))).unwrap();
    let refused = broadcast.worker.handle_command(
        broadcast.now,
        Command::Produce {
            transport: broadcast.publisher,
            producer: watersmeet_engine::command::ProducerId(uuid::Uuid::from_u128(77)),
            kind: MediaKind::Audio,
            rtp,
            paused: false,
            is_screen: false,
        },
    );
    assert!(refused.is_err());
}

/// Random loss, reordering and silence of the publisher, changes of the loss that is reported, and requests
/// for packets.
#[test]
fn no_number_is_used_twice_and_all_that_is_repeated_is_original() {
    for seed in 0..40 {
        let mut rng = Rng::seed_from_u64(seed);
        let mut call = Call::new();
        let mut held: Option<PublishedOwned> = None;
        let mut datagrams: BTreeMap<u16, Vec<u8>> = BTreeMap::new();
        let mut originals: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
        let (mut repeats, mut blocks) = (0, 0);
        for step in 0..1_500 {
            if step % 100 == 0 {
                call.lost = rng.next_u32().to_be_bytes()[0] / 4;
            }
            let mut sent = Vec::new();
            let payload = speech(call.next.0);
            originals.insert(call.next.1, payload.clone());
            match rng.next_u32() % 20 {
                0 => call.skip(1),
                1 if held.is_none() => {
                    held = Some((call.next.0, call.next.1, payload));
                    call.skip(1);
                }
                _ => sent.extend(call.publish(OPUS, &payload)),
            }
            if rng.next_u32() % 4 == 0
                && let Some((seq, timestamp, payload)) = held.take()
            {
                sent.extend(call.broadcast.send(&PublishedPacket {
                    ssrc: SSRC,
                    pt: OPUS,
                    seq,
                    timestamp,
                    extensions: &[],
                    payload: &payload,
                }));
            }
            for (header, packet) in call.viewer.received(&sent) {
                let payload = header.payload(&packet).unwrap();
                let read = RedPayload::parse(payload).filter(|_| header.pt == ROUTER_RED);
                let primary = read.as_ref().map_or(payload, |read| read.primary);
                assert_eq!(primary, originals[&header.timestamp], "seed {seed}");
                for block in read.into_iter().flat_map(|read| read.redundant) {
                    let timestamp = block.timestamp(header.timestamp);
                    assert_eq!(block.payload, originals[&timestamp], "seed {seed}");
                    blocks += 1;
                }
            }
            if rng.next_u32() % 3 == 0 && !datagrams.is_empty() {
                let at = rng.next_u32() as usize % datagrams.len().min(60);
                let seq = *datagrams.keys().rev().nth(at).unwrap();
                let ssrc = call.viewer.rtp.encodings[0].ssrc.unwrap();
                let nack = call.viewer.nack(ssrc, &[seq]);
                call.broadcast.receive_from(&call.viewer, nack);
                let again = call.broadcast.drain();
                repeats += again.len();
                sent.extend(again);
            }
            for (_, datagram) in sent.iter().filter(|(_, it)| !is_rtcp(it)) {
                let seq = u16::from_be_bytes([datagram[2], datagram[3]]);
                let first = datagrams.entry(seq).or_insert_with(|| datagram.clone());
                assert_eq!(first, datagram, "seed {seed}: number {seq} is used twice");
            }
        }
        assert!(
            repeats > 50 && blocks > 200,
            "seed {seed}: {repeats}, {blocks}"
        );
    }
}

/// Number, timestamp and payload of a packet that comes late.
type PublishedOwned = (u64, u32, Vec<u8>);
