//! Scripts of a publisher whose packets are lost and repaired, and of a viewer that requests packets, sensibly
//! or not. The server requests only what is missing; the viewer is sent again only what it was sent, as it
//! was, at most ten times and within the budget.

use std::collections::BTreeMap;
use std::time::Duration;

use watersmeet_engine::transport::srtp::SrtpProfile;
use watersmeet_wire::rtp::split_osn;
use watersmeet_wire::units::Ssrc;

use crate::support::broadcast::{Broadcast, Viewer};
use crate::support::worker_setup::{Datagram, is_rtcp};

/// Commands of a script that are carried out; the rest is ignored.
const STEPS_MAX: usize = 400;

/// Most retransmissions of one packet.
const RESENDS_MAX: u32 = 10;

/// Bytes that may be retransmitted whatever was sent, and again in each half second.
const BUDGET_MIN: u64 = 12_000;

/// Most packets in one request of a script.
const REQUESTED_MAX: u16 = 64;

/// A packet that the viewer was sent.
struct Sent {
    timestamp: u32,
    payload: Vec<u8>,
    resends: u32,
}

/// The server, the viewer, and what it was sent.
struct Run {
    broadcast: Broadcast,
    viewer: Viewer,
    media: Ssrc,
    rtx: Option<Ssrc>,
    sent: BTreeMap<u16, Sent>,
    /// Encrypted datagrams of the media, by number.
    datagrams: BTreeMap<u16, Vec<u8>>,
    media_bytes: u64,
    resent_bytes: u64,
    millis: u64,
    /// Packets of the publisher that were lost, and may be requested.
    lost: Vec<Vec<u8>>,
    lost_count: u64,
    has_started: bool,
}

impl Run {
    fn new(has_rtx: bool) -> Self {
        let mut broadcast = Broadcast::new(SrtpProfile::AeadAes128Gcm);
        let viewer = if has_rtx {
            broadcast.add_viewer()
        } else {
            broadcast.add_viewer_without_rtx()
        };
        let encoding = &viewer.rtp.encodings[0];
        Self {
            media: encoding.ssrc.expect("an SSRC"),
            rtx: encoding.rtx.as_ref().map(|it| it.ssrc),
            broadcast,
            viewer,
            sent: BTreeMap::new(),
            datagrams: BTreeMap::new(),
            media_bytes: 0,
            resent_bytes: 0,
            millis: 0,
            lost: Vec::new(),
            lost_count: 0,
            has_started: false,
        }
    }

    /// Records what the server sent.
    fn record(&mut self, sent: Vec<Datagram>) {
        for (path, datagram) in sent {
            if path == self.broadcast.publisher_path && is_rtcp(&datagram) {
                continue;
            }
            if path != self.viewer.path || is_rtcp(&datagram) {
                continue;
            }
            let seq = u16::from_be_bytes([datagram[2], datagram[3]]);
            let is_media = datagram[8..12] == self.media.0.to_be_bytes();
            if is_media && let Some(first) = self.datagrams.get(&seq) {
                assert_eq!(*first, datagram, "the same number with other bytes");
                assert_eq!(self.rtx, None, "there is a stream of retransmissions");
                self.record_resent(seq, datagram.len());
                continue;
            }
            let len = datagram.len();
            if is_media {
                self.datagrams.insert(seq, datagram.clone());
                self.media_bytes += len as u64;
            }
            let received = self.viewer.received(&[(path, datagram)]);
            let (header, packet) = &received[0];
            let payload = header.payload(packet).expect("good padding");
            if is_media {
                let sent = Sent {
                    timestamp: header.timestamp,
                    payload: payload.to_vec(),
                    resends: 0,
                };
                self.sent.insert(seq, sent);
                continue;
            }
            assert_eq!(Some(header.ssrc), self.rtx);
            let (original, rest) = split_osn(payload).expect("a number");
            let first = self.sent.get(&original).expect("it was sent");
            assert_eq!(
                (header.timestamp, rest),
                (first.timestamp, &first.payload[..])
            );
            self.record_resent(original, len);
        }
    }

    fn record_resent(&mut self, seq: u16, len: usize) {
        let sent = self.sent.get_mut(&seq).expect("it was sent");
        sent.resends += 1;
        assert!(sent.resends <= RESENDS_MAX, "{seq} is sent again too often");
        self.resent_bytes += len as u64;
        let half_seconds = self.millis / 500 + 1;
        let budget = BUDGET_MIN * half_seconds + self.media_bytes / 5;
        assert!(
            self.resent_bytes <= budget,
            "{} of {budget}",
            self.resent_bytes
        );
    }

    /// Passes a packet of the publisher to the server, or loses it.
    fn publish(&mut self, keyframe: bool, len: usize, is_lost: bool) {
        let mut packet = vec![0; 1_500];
        let packet_len = self.broadcast.protect_packet(keyframe, len, &mut packet);
        packet.truncate(packet_len);
        if is_lost && self.has_started {
            self.lost.push(packet);
            self.lost_count += 1;
            return;
        }
        self.has_started = true;
        self.broadcast.receive_from_publisher(&mut packet);
        let sent = self.broadcast.drain();
        self.record(sent);
    }

    /// Lets the publisher send a packet that was lost once more.
    fn repair(&mut self, choice: u8) {
        if self.lost.is_empty() {
            return;
        }
        let index = usize::from(choice) % self.lost.len();
        let mut packet = self.lost.swap_remove(index);
        self.broadcast.receive_from_publisher(&mut packet);
        let sent = self.broadcast.drain();
        self.record(sent);
    }

    /// Lets the viewer request packets, from `back` before the newest on.
    fn request(&mut self, back: u16, count: u16, stride: u16) {
        let newest = self.datagrams.keys().next_back().copied().unwrap_or(0);
        let first = newest.wrapping_sub(back);
        let seqs: Vec<u16> = (0..count.min(REQUESTED_MAX))
            .map(|step| first.wrapping_add(step * stride))
            .collect();
        let media = self.media;
        let mut rest = &seqs[..];
        while !rest.is_empty() {
            let mut taken = 0;
            let datagram = self
                .viewer
                .rtcp(|writer| taken = writer.write_nack(Ssrc(1), media, rest));
            if taken == 0 {
                break;
            }
            self.broadcast.receive_from(&self.viewer, datagram);
            rest = &rest[taken..];
        }
        let sent = self.broadcast.drain();
        self.record(sent);
    }

    fn advance(&mut self, millis: u64) {
        self.millis += millis;
        let sent = self.broadcast.advance(Duration::from_millis(millis));
        self.record(sent);
    }
}

/// Runs a script.
pub fn retransmissions(bytes: &[u8]) {
    let Some((&options, script)) = bytes.split_first() else {
        return;
    };
    let mut run = Run::new(options & 1 == 0);
    let (steps, _) = script.as_chunks::<3>();
    for &[operation, first, second] in steps.iter().take(STEPS_MAX) {
        match operation & 7 {
            0..=3 => {
                let count = usize::from(operation >> 3 & 7) + 1;
                for part in 0..count {
                    let is_lost = second >> part & 1 == 1 && operation & 0x40 != 0;
                    let keyframe = part == 0 && operation & 0x80 != 0;
                    run.publish(keyframe, 20 + usize::from(first) * 4, is_lost);
                }
            }
            4 => run.repair(first),
            5 | 6 => {
                let stride = u16::from(operation >> 6) + 1;
                run.request(u16::from(first), u16::from(second), stride);
            }
            _ => run.advance(u64::from(first) + u64::from(second) * 4),
        }
    }
    let stats = run.broadcast.producer_stats(run.broadcast.producer);
    let requested: u64 = stats.iter().map(|it| it.nack_packet_count).sum();
    assert!(
        requested <= run.lost_count * u64::from(RESENDS_MAX),
        "{requested} requests of {} missing",
        run.lost_count
    );
}
