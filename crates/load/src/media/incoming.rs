//! One stream that is received: opened, proven to be what was asked for, and counted
//! (RFC 3550 §6.4.1, RFC 4588 §4).

use std::time::Duration;

use watersmeet_engine::transport::srtp::{SrtpError, SrtpHeader, SrtpReceiver};
use watersmeet_peer::negotiation;
use watersmeet_wire::rtcp::report::{ReportBlock, ntp_middle};
use watersmeet_wire::rtp::{RtpHeader, split_osn};
use watersmeet_wire::units::{Ssrc, Time};

use crate::gaps::{Count, Gaps, Place};
use crate::payload::{Seen, read_audio, read_video};
use crate::tally::{Reception, Tally};

/// Wait for a keyframe before it is asked for, and asked for again.
const KEYFRAME_PATIENCE: Duration = Duration::from_millis(700);

/// What a stream has to be.
#[derive(Debug, Clone)]
pub struct Expectation {
    /// The run.
    pub run: u32,
    /// The room.
    pub room: u32,
    /// The camera or microphone, once known.
    pub source: Option<u32>,
    /// The names on the wire.
    pub stream: negotiation::IncomingStream,
}

/// A packet that came.
pub struct Arrived<'a> {
    /// When the kernel got it, on the wall's clock.
    pub at_ns: u64,
    /// The same on the run's.
    pub now: Time,
    /// Its header.
    pub header: RtpHeader,
    /// The datagram, sealed.
    pub datagram: &'a mut [u8],
}

/// One stream.
pub struct Incoming {
    expected: Expectation,
    receiver: SrtpReceiver,
    gaps: Gaps,
    /// Of how many packets one is opened.
    verify_every: u32,
    /// Packets until the next is opened.
    until_verified: u32,
    /// Packets that counted.
    delivered: u64,
    /// Whether it was there before anything counted.
    whole: bool,
    /// How much had come when counting began, and when it ended.
    count_from: Count,
    /// The same at the last report.
    reported: Count,
    /// When to ask for a keyframe; never when there is one.
    keyframe_due: Time,
    /// The last report of the server: the middle of its NTP time, and when it came.
    last_report: Option<(u32, Time)>,
}

impl Incoming {
    /// A stream that begins.
    pub fn new(
        now: Time,
        expected: Expectation,
        receiver: SrtpReceiver,
        verify_every: u32,
    ) -> Self {
        let keyframe_due = if expected.stream.video {
            now + KEYFRAME_PATIENCE
        } else {
            Time::FAR_FUTURE
        };
        Self {
            expected,
            receiver,
            gaps: Gaps::default(),
            verify_every,
            until_verified: 0,
            delivered: 0,
            whole: false,
            count_from: Count::default(),
            reported: Count::default(),
            keyframe_due,
            last_report: None,
        }
    }

    /// The stream.
    pub const fn ssrc(&self) -> Ssrc {
        self.expected.stream.ssrc
    }

    /// Its retransmissions.
    pub const fn rtx_ssrc(&self) -> Option<Ssrc> {
        self.expected.stream.rtx_ssrc
    }

    /// Id of the number that a packet has on its transport.
    pub const fn transport_seq_id(&self) -> Option<u8> {
        self.expected.stream.extensions.transport_wide_cc
    }

    /// Begins to count.
    pub fn begin(&mut self) {
        self.whole = true;
        self.delivered = 0;
        self.count_from = self.gaps.count();
    }

    /// What came since.
    pub fn reception(&self) -> Reception {
        Reception {
            source: self.expected.source,
            whole: self.whole,
            delivered: self.delivered,
            count: self.gaps.count().since(self.count_from),
        }
    }

    /// Takes a packet of the stream. Whether something is missed.
    pub fn accept(&mut self, arrived: Arrived<'_>, tally: &mut Tally) -> bool {
        if Some(arrived.header.ssrc) == self.rtx_ssrc() {
            self.accept_again(arrived, tally);
            return !self.gaps.is_whole();
        }
        let seq = self.gaps.seq_of(arrived.header.seq);
        let is_sample = self.until_verified == 0;
        let rest = if is_sample {
            self.verify_every
        } else {
            self.until_verified
        };
        self.until_verified = rest.saturating_sub(1);
        let is_opened = is_sample
            || self.keyframe_due != Time::FAR_FUTURE
            || tally.window.is_near_edge(arrived.at_ns);
        let len = arrived.datagram.len();
        if !is_opened {
            // What is not opened has no stamp, and counts when it comes: no edge is near.
            match self.gaps.note(arrived.now, seq) {
                Place::Known => tally.duplicates += 1,
                _ if tally.window.holds(arrived.at_ns) => self.deliver(len, tally),
                _ => {}
            }
            return !self.gaps.is_whole();
        }
        let plain_len = match self.open(&arrived.header, arrived.datagram) {
            Ok(plain_len) => plain_len,
            Err(SrtpError::Replayed) => {
                tally.duplicates += 1;
                return false;
            }
            Err(_) => {
                tally.discarded += 1;
                return false;
            }
        };
        let place = self.gaps.note(arrived.now, seq);
        let plain = arrived.datagram.get(..plain_len).unwrap_or_default();
        let payload = arrived.header.payload(plain).unwrap_or_default();
        if !payload.is_empty() {
            self.judge(payload, arrived.at_ns, len, place, is_sample, tally);
        }
        !self.gaps.is_whole()
    }

    /// Takes a packet that was sent again.
    fn accept_again(&mut self, arrived: Arrived<'_>, tally: &mut Tally) {
        let Ok(plain_len) = self.open(&arrived.header, arrived.datagram) else {
            tally.discarded += 1;
            return;
        };
        let len = arrived.datagram.len();
        let plain = arrived.datagram.get(..plain_len).unwrap_or_default();
        let payload = arrived.header.payload(plain).unwrap_or_default();
        // Padding, or a packet sent again only to measure the path, is nobody's loss.
        let Some((osn, payload)) = split_osn(payload) else {
            return;
        };
        let seq = self.gaps.seq_of(osn);
        if self.gaps.note(arrived.now, seq) == Place::Missed {
            tally.retransmitted += 1;
            self.judge(payload, arrived.at_ns, len, Place::Missed, true, tally);
        }
    }

    fn open(&mut self, header: &RtpHeader, datagram: &mut [u8]) -> Result<usize, SrtpError> {
        let prefix = SrtpHeader {
            ssrc: header.ssrc,
            seq: header.seq,
            header_len: header.header_len,
        };
        self.receiver.unprotect_rtp(prefix, datagram)
    }

    /// Proves that a payload is what was asked for, and counts it. How long it took is noted of a
    /// sample only, so that packets near an edge, which are all opened, weigh no more than others.
    fn judge(
        &mut self,
        payload: &[u8],
        at_ns: u64,
        len: usize,
        place: Place,
        is_sample: bool,
        tally: &mut Tally,
    ) {
        let read = if self.expected.stream.video {
            read_video
        } else {
            read_audio
        };
        let Some(seen) = read(payload) else {
            tally.violate(|| format!("{} bytes that nobody sent", payload.len()));
            return;
        };
        if !self.is_expected(&seen) {
            let expected = &self.expected;
            tally.violate(|| format!("{seen:?} instead of {expected:?}"));
            return;
        }
        if seen.begins_keyframe {
            self.keyframe_due = Time::FAR_FUTURE;
        }
        let sent_ns = seen.stamp.sent_ns;
        if !tally.window.holds(sent_ns) {
            return;
        }
        self.deliver(len, tally);
        tally.late += u64::from(place != Place::New);
        if is_sample {
            let took_ns = at_ns.saturating_sub(sent_ns);
            tally.latencies.record_micros(took_ns / 1_000);
        }
    }

    /// Whether a packet is of the right run, room and source; the first one shows the source when
    /// nobody said it.
    fn is_expected(&mut self, seen: &Seen) -> bool {
        let stamp = &seen.stamp;
        let source = *self.expected.source.get_or_insert(stamp.source);
        (stamp.run, stamp.room, stamp.source) == (self.expected.run, self.expected.room, source)
    }

    fn deliver(&mut self, len: usize, tally: &mut Tally) {
        self.delivered += 1;
        tally.deliver(len);
    }

    /// Notes a report of the server.
    pub fn note_report(&mut self, now: Time, ntp: u64) {
        self.last_report = Some((ntp_middle(ntp), now));
    }

    /// Appends the numbers to ask for now.
    pub fn ask(&mut self, now: Time, wanted: &mut Vec<u16>) {
        let given_up = self.gaps.ask(now, wanted);
        if given_up && self.expected.stream.video {
            self.keyframe_due = self.keyframe_due.min(now);
        }
    }

    /// Whether something is missed.
    pub fn is_whole(&self) -> bool {
        self.gaps.is_whole()
    }

    /// Whether to ask for a keyframe now.
    pub fn wants_keyframe(&mut self, now: Time) -> bool {
        let is_due = self.keyframe_due <= now;
        if is_due {
            self.keyframe_due = now + KEYFRAME_PATIENCE;
        }
        is_due
    }

    /// What a report says of it; nothing before the first packet.
    pub fn report(&mut self, now: Time) -> Option<ReportBlock> {
        let count = self.gaps.count();
        if count.expected == 0 {
            return None;
        }
        let since = count.since(self.reported);
        self.reported = count;
        let fraction = (since.missing() * 256)
            .checked_div(since.expected)
            .unwrap_or(0);
        let (last_sr, heard_at) = self.last_report.unwrap_or((0, now));
        let delay = now.since(heard_at).as_micros() * 65_536 / 1_000_000;
        Some(ReportBlock {
            ssrc: self.ssrc(),
            fraction_lost: u8::try_from(fraction).unwrap_or(u8::MAX),
            cumulative_lost: i32::try_from(count.missing()).unwrap_or(i32::MAX),
            highest_seq: self.gaps.highest(),
            jitter: 0,
            last_sr,
            delay_since_last_sr: u32::try_from(delay).unwrap_or(u32::MAX),
        })
    }
}

#[cfg(test)]
mod tests {
    use watersmeet_engine::transport::srtp::{SrtpProfile, SrtpSender};
    use watersmeet_peer::negotiation::{ExtensionIds, VP8, VP8_RTX};
    use watersmeet_wire::rtp::{RtpHeaderFields, write_header};
    use watersmeet_wire::units::SeqNo;

    use super::*;
    use crate::payload::{Piece, write_video};
    use crate::stamp::Stamp;
    use crate::tally::Window;

    const PROFILE: SrtpProfile = SrtpProfile::AeadAes128Gcm;
    const MASTER: [u8; 28] = [7; 28];

    struct Rig {
        incoming: Incoming,
        sender: SrtpSender,
        tally: Tally,
        /// When packets come.
        at_ns: u64,
    }

    fn rig(verify_every: u32) -> Rig {
        let stream = negotiation::IncomingStream {
            ssrc: Ssrc(5),
            rtx_ssrc: Some(Ssrc(6)),
            pt: VP8,
            rtx_pt: Some(VP8_RTX),
            clock_rate: 90_000,
            video: true,
            extensions: ExtensionIds::default(),
        };
        let expected = Expectation {
            run: 1,
            room: 2,
            source: None,
            stream,
        };
        let receiver = SrtpReceiver::new(PROFILE, &MASTER).unwrap();
        let mut tally = Tally::default();
        tally.begin(Window {
            from_ns: 0,
            until_ns: u64::MAX,
        });
        let mut incoming = Incoming::new(Time::ZERO, expected, receiver, verify_every);
        incoming.begin();
        Rig {
            incoming,
            sender: SrtpSender::new(PROFILE, &MASTER).unwrap(),
            tally,
            at_ns: STAMP.sent_ns + 2_000_000,
        }
    }

    impl Rig {
        fn packet(&mut self, ssrc: u32, seq: u16, osn: Option<u16>, stamp: &Stamp) -> Vec<u8> {
            let mut packet = vec![0; 12];
            let fields = RtpHeaderFields {
                marker: false,
                padding: false,
                pt: VP8,
                seq,
                timestamp: 0,
                ssrc: Ssrc(ssrc),
            };
            write_header(&mut packet, &fields, &[]).unwrap();
            packet.extend(osn.into_iter().flat_map(u16::to_be_bytes));
            let piece = Piece {
                frame: 0,
                keyframe: true,
                first: true,
                last: true,
                size: (16, 16),
                len: 500,
            };
            write_video(&mut packet, &piece, stamp);
            let plain_len = packet.len();
            packet.resize(plain_len + self.sender.overhead(), 0);
            let seq = SeqNo::first(seq);
            self.sender
                .protect_rtp(Ssrc(ssrc), seq, &mut packet, 12, plain_len);
            packet
        }

        fn feed(&mut self, packet: &[u8]) -> bool {
            let mut datagram = packet.to_vec();
            let arrived = Arrived {
                at_ns: self.at_ns,
                now: Time::from_millis(3),
                header: RtpHeader::parse(&datagram).unwrap(),
                datagram: &mut datagram,
            };
            self.incoming.accept(arrived, &mut self.tally)
        }
    }

    const STAMP: Stamp = Stamp {
        run: 1,
        room: 2,
        source: 3,
        layer: 0,
        number: 0,
        sent_ns: 1_000_000_000,
    };

    #[test]
    fn what_was_asked_for_is_delivered_with_its_latency() {
        let mut rig = rig(1);
        let packet = rig.packet(5, 100, None, &STAMP);
        assert!(!rig.feed(&packet));
        assert_eq!((rig.tally.delivered, rig.tally.violations), (1, 0));
        assert_eq!(rig.tally.latencies.summary().p50_us, 2_000);
        assert_eq!(rig.incoming.reception().source, Some(3));
        assert!(!rig.feed(&packet), "it came before");
        assert_eq!((rig.tally.delivered, rig.tally.duplicates), (1, 1));
    }

    #[test]
    fn a_packet_of_another_room_run_or_source_is_a_violation() {
        for wrong in [
            Stamp { room: 9, ..STAMP },
            Stamp { run: 9, ..STAMP },
            Stamp { source: 9, ..STAMP },
        ] {
            let mut rig = rig(1);
            let right = rig.packet(5, 100, None, &STAMP);
            let wrong = rig.packet(5, 101, None, &wrong);
            rig.feed(&right);
            rig.feed(&wrong);
            assert_eq!((rig.tally.delivered, rig.tally.violations), (1, 1));
            assert!(rig.tally.first_violation.is_some());
        }
    }

    #[test]
    fn what_is_missed_is_asked_for_and_taken_from_a_retransmission_once() {
        let mut rig = rig(1);
        for seq in [100, 103] {
            let packet = rig.packet(5, seq, None, &STAMP);
            assert_eq!(rig.feed(&packet), seq == 103);
        }
        let mut wanted = Vec::new();
        rig.incoming.ask(Time::from_millis(20), &mut wanted);
        assert_eq!(wanted, [101, 102]);
        for (seq, osn) in [(1, 101), (2, 102), (3, 102), (4, 100)] {
            let packet = rig.packet(6, seq, Some(osn), &STAMP);
            rig.feed(&packet);
        }
        let tally = &rig.tally;
        assert_eq!((tally.delivered, tally.retransmitted), (4, 2));
        assert_eq!((tally.duplicates, tally.violations), (0, 0));
        assert!(rig.incoming.is_whole());
        assert_eq!(rig.incoming.report(Time::ZERO).unwrap().cumulative_lost, 0);
    }

    #[test]
    fn all_are_counted_when_only_some_are_opened() {
        let mut rig = rig(4);
        let packets: Vec<_> = (0..16)
            .map(|seq| rig.packet(5, seq, None, &STAMP))
            .collect();
        packets.iter().for_each(|packet| {
            rig.feed(packet);
        });
        assert_eq!(rig.tally.delivered, 16);
        assert_eq!(rig.tally.latencies.summary().count, 4);
        assert_eq!(rig.incoming.reception().count.received, 16);
    }

    #[test]
    fn near_the_edges_packets_count_by_when_they_left() {
        let edge = STAMP.sent_ns;
        let deliver = |from_ns, until_ns| {
            let mut rig = rig(4);
            rig.tally.begin(Window { from_ns, until_ns });
            for (seq, sent_ns) in [(0, edge - 1), (1, edge - 1), (2, edge), (3, edge)] {
                let packet = rig.packet(5, seq, None, &Stamp { sent_ns, ..STAMP });
                rig.feed(&packet);
            }
            rig.tally.delivered
        };
        assert_eq!(deliver(edge, u64::MAX), 2, "those that left in time");
        assert_eq!(deliver(0, edge), 2, "those that came later");
    }

    #[test]
    fn a_keyframe_is_asked_for_until_it_comes() {
        let mut rig = rig(1);
        assert!(!rig.incoming.wants_keyframe(Time::from_millis(10)));
        assert!(rig.incoming.wants_keyframe(Time::from_millis(701)));
        assert!(!rig.incoming.wants_keyframe(Time::from_millis(702)));
        let packet = rig.packet(5, 0, None, &STAMP);
        rig.feed(&packet);
        assert!(!rig.incoming.wants_keyframe(Time::from_millis(9_000)));
    }
}
