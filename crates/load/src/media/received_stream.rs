//! A received stream: its packets are decrypted, verified against the expected sender, and counted
//! (RFC 3550 §6.4.1, RFC 4588 §4).

use std::time::Duration;

use watersmeet_engine::transport::srtp::{REPLAY_WINDOW, SrtpError, SrtpHeader, SrtpReceiver};
use watersmeet_peer::negotiation;
use watersmeet_wire::rtcp::report::{ReportBlock, ntp_middle};
use watersmeet_wire::rtp::{RtpHeader, split_osn};
use watersmeet_wire::units::{Ssrc, Time};

use crate::loss_tracker::{Arrival, LossTracker, SequenceCount};
use crate::payload::{ParsedPayload, parse_audio, parse_video};
use crate::traffic_stats::{ConsumerStats, TrafficStats};

/// Wait for a keyframe before it is requested, and between two requests.
const KEYFRAME_TIMEOUT: Duration = Duration::from_millis(700);

/// Sender and RTP parameters that a stream must have.
#[derive(Debug, Clone)]
pub struct ExpectedStream {
    /// Number of the run.
    pub run: u32,
    /// Number of the room.
    pub room: u32,
    /// Number of the producer, once known.
    pub producer: Option<u32>,
    /// SSRCs, payload types and header extensions.
    pub stream: negotiation::IncomingStream,
}

/// A packet as received.
pub struct ReceivedPacket<'a> {
    /// Receive timestamp of the kernel, in nanoseconds since the Unix epoch.
    pub at_ns: u64,
    /// Receive timestamp on the run's clock.
    pub now: Time,
    /// RTP header.
    pub header: RtpHeader,
    /// The datagram, encrypted.
    pub datagram: &'a mut [u8],
}

/// A received stream.
pub struct ReceivedStream {
    expected: ExpectedStream,
    receiver: SrtpReceiver,
    losses: LossTracker,
    /// One of this many packets is decrypted.
    verify_every: u32,
    /// Packets until the next one is decrypted.
    until_verified: u32,
    /// Packets received within the measurement window.
    delivered: u64,
    /// Whether it existed when counting started.
    is_complete: bool,
    /// Counts when counting started.
    count_at_start: SequenceCount,
    /// Counts at the last receiver report.
    reported: SequenceCount,
    /// Time at which to request a keyframe; `FAR_FUTURE` if none is needed.
    keyframe_due: Time,
    /// Last sender report: middle 32 bits of its NTP time, and when it arrived.
    last_report: Option<(u32, Time)>,
}

impl ReceivedStream {
    /// Creates a stream without packets.
    pub fn new(
        now: Time,
        expected: ExpectedStream,
        receiver: SrtpReceiver,
        verify_every: u32,
    ) -> Self {
        let keyframe_due = if expected.stream.video {
            now + KEYFRAME_TIMEOUT
        } else {
            Time::FAR_FUTURE
        };
        Self {
            expected,
            receiver,
            losses: LossTracker::default(),
            verify_every,
            until_verified: 0,
            delivered: 0,
            is_complete: false,
            count_at_start: SequenceCount::default(),
            reported: SequenceCount::default(),
            keyframe_due,
            last_report: None,
        }
    }

    /// Returns the SSRC.
    pub const fn ssrc(&self) -> Ssrc {
        self.expected.stream.ssrc
    }

    /// Returns the SSRC of retransmissions.
    pub const fn rtx_ssrc(&self) -> Option<Ssrc> {
        self.expected.stream.rtx_ssrc
    }

    /// Returns the header extension ID of the transport-wide sequence number.
    pub const fn transport_seq_id(&self) -> Option<u8> {
        self.expected.stream.extensions.transport_wide_cc
    }

    /// Starts counting.
    pub fn start_counting(&mut self) {
        self.is_complete = true;
        self.delivered = 0;
        self.count_at_start = self.losses.count();
    }

    /// Returns the counts since counting started.
    pub fn stats(&self) -> ConsumerStats {
        ConsumerStats {
            producer: self.expected.producer,
            is_complete: self.is_complete,
            delivered: self.delivered,
            count: self.losses.count().since(self.count_at_start),
        }
    }

    /// Handles a packet of the stream. Returns whether packets are missing.
    pub fn handle_packet(&mut self, packet: ReceivedPacket<'_>, stats: &mut TrafficStats) -> bool {
        if Some(packet.header.ssrc) == self.rtx_ssrc() {
            self.handle_retransmission(packet, stats);
            return !self.losses.is_complete();
        }
        let seq = self.losses.extend(packet.header.seq);
        let is_sample = self.until_verified == 0;
        let rest = if is_sample {
            self.verify_every
        } else {
            self.until_verified
        };
        self.until_verified = rest.saturating_sub(1);
        let is_decrypted = is_sample
            || self.keyframe_due != Time::FAR_FUTURE
            || stats.window.is_near_edge(packet.at_ns);
        let len = packet.datagram.len();
        if !is_decrypted {
            // Without decryption only the arrival time is known; no edge of the window is near.
            match self.losses.record(packet.now, seq) {
                Arrival::Duplicate => stats.duplicates += 1,
                _ if stats.window.contains(packet.at_ns) => self.deliver(len, stats),
                _ => {}
            }
            return !self.losses.is_complete();
        }
        let plain_len = match self.decrypt(&packet.header, packet.datagram) {
            Ok(plain_len) => plain_len,
            Err(SrtpError::Replayed) if !self.losses.is_behind(seq, REPLAY_WINDOW) => {
                stats.duplicates += 1;
                return false;
            }
            Err(SrtpError::Replayed) => {
                // A number far ahead looks like one far behind, which is refused as replayed.
                stats.discarded += 1;
                self.record_wrong_index(stats);
                return false;
            }
            Err(error) => {
                self.record_undecryptable(error, stats);
                return false;
            }
        };
        let arrival = self.losses.record(packet.now, seq);
        let plain = packet.datagram.get(..plain_len).unwrap_or_default();
        let payload = packet.header.payload(plain).unwrap_or_default();
        if !payload.is_empty() {
            self.verify_and_count(payload, packet.at_ns, len, arrival, is_sample, stats);
        }
        !self.losses.is_complete()
    }

    /// Handles a retransmission.
    fn handle_retransmission(&mut self, packet: ReceivedPacket<'_>, stats: &mut TrafficStats) {
        let plain_len = match self.decrypt(&packet.header, packet.datagram) {
            Ok(plain_len) => plain_len,
            Err(error) => {
                self.record_undecryptable(error, stats);
                return;
            }
        };
        let len = packet.datagram.len();
        let plain = packet.datagram.get(..plain_len).unwrap_or_default();
        let payload = packet.header.payload(plain).unwrap_or_default();
        // Padding, or a retransmission that only probes the bandwidth, recovers no loss.
        let Some((osn, payload)) = split_osn(payload) else {
            return;
        };
        let seq = self.losses.extend(osn);
        if self.losses.record(packet.now, seq) == Arrival::Recovered {
            stats.retransmitted += 1;
            self.verify_and_count(payload, packet.at_ns, len, Arrival::Recovered, true, stats);
        }
    }

    /// Records a packet that cannot be decrypted. When it is not authentic, its index is not the one that
    /// a receiver expects after the packets before (RFC 3711 §3.3.1): the server has jumped.
    fn record_undecryptable(&self, error: SrtpError, stats: &mut TrafficStats) {
        stats.discarded += 1;
        if error == SrtpError::AuthFailed {
            self.record_wrong_index(stats);
        }
    }

    fn record_wrong_index(&self, stats: &mut TrafficStats) {
        let ssrc = self.ssrc();
        stats.record_violation(|| format!("a packet of {ssrc} has an unexpected SRTP index"));
    }

    fn decrypt(&mut self, header: &RtpHeader, datagram: &mut [u8]) -> Result<usize, SrtpError> {
        let prefix = SrtpHeader {
            ssrc: header.ssrc,
            seq: header.seq,
            header_len: header.header_len,
        };
        self.receiver.unprotect_rtp(prefix, datagram)
    }

    /// Verifies that a payload comes from the expected sender, and counts it. The latency is recorded
    /// for samples only, so that packets near an edge, which are all decrypted, have no extra weight.
    fn verify_and_count(
        &mut self,
        payload: &[u8],
        at_ns: u64,
        len: usize,
        arrival: Arrival,
        is_sample: bool,
        stats: &mut TrafficStats,
    ) {
        let parse = if self.expected.stream.video {
            parse_video
        } else {
            parse_audio
        };
        let Some(parsed) = parse(payload) else {
            stats.record_violation(|| format!("{} bytes that no peer sent", payload.len()));
            return;
        };
        if !self.is_expected(&parsed) {
            let expected = &self.expected;
            stats.record_violation(|| format!("{parsed:?} instead of {expected:?}"));
            return;
        }
        if parsed.begins_keyframe {
            self.keyframe_due = Time::FAR_FUTURE;
        }
        let sent_ns = parsed.test_header.sent_ns;
        if !stats.window.contains(sent_ns) {
            return;
        }
        self.deliver(len, stats);
        stats.late += u64::from(arrival != Arrival::Newest);
        if is_sample {
            let latency_ns = at_ns.saturating_sub(sent_ns);
            stats.latencies.record_micros(latency_ns / 1_000);
        }
    }

    /// Returns whether a payload has the expected run, room and producer. The first payload sets the
    /// producer if it is not known yet.
    fn is_expected(&mut self, parsed: &ParsedPayload) -> bool {
        let test_header = &parsed.test_header;
        let producer = *self.expected.producer.get_or_insert(test_header.producer);
        (test_header.run, test_header.room, test_header.producer)
            == (self.expected.run, self.expected.room, producer)
    }

    fn deliver(&mut self, len: usize, stats: &mut TrafficStats) {
        self.delivered += 1;
        stats.record_delivered(len);
    }

    /// Records a sender report of the server.
    pub fn record_sender_report(&mut self, now: Time, ntp: u64) {
        self.last_report = Some((ntp_middle(ntp), now));
    }

    /// Appends the sequence numbers to request now.
    pub fn poll_nacks(&mut self, now: Time, requests: &mut Vec<u16>) {
        let given_up = self.losses.poll_requests(now, requests);
        if given_up && self.expected.stream.video {
            self.keyframe_due = self.keyframe_due.min(now);
        }
    }

    /// Returns whether no packet is missing.
    pub fn is_complete(&self) -> bool {
        self.losses.is_complete()
    }

    /// Returns whether to request a keyframe now.
    pub fn poll_keyframe_request(&mut self, now: Time) -> bool {
        let is_due = self.keyframe_due <= now;
        if is_due {
            self.keyframe_due = now + KEYFRAME_TIMEOUT;
        }
        is_due
    }

    /// Returns its block of a receiver report; `None` before the first packet.
    pub fn report(&mut self, now: Time) -> Option<ReportBlock> {
        let count = self.losses.count();
        if count.expected == 0 {
            return None;
        }
        let since = count.since(self.reported);
        self.reported = count;
        let fraction = (since.missing() * 256)
            .checked_div(since.expected)
            .unwrap_or(0);
        let (last_sr, received_at) = self.last_report.unwrap_or((0, now));
        let delay = now.since(received_at).as_micros() * 65_536 / 1_000_000;
        Some(ReportBlock {
            ssrc: self.ssrc(),
            fraction_lost: u8::try_from(fraction).unwrap_or(u8::MAX),
            cumulative_lost: i32::try_from(count.missing()).unwrap_or(i32::MAX),
            highest_seq: self.losses.highest(),
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
    use crate::payload::{FramePart, write_video};
    use crate::test_header::TestHeader;
    use crate::traffic_stats::MeasurementWindow;

    const PROFILE: SrtpProfile = SrtpProfile::AeadAes128Gcm;
    const MASTER: [u8; 28] = [7; 28];

    struct Fixture {
        stream: ReceivedStream,
        sender: SrtpSender,
        stats: TrafficStats,
        /// Arrival time of the packets.
        at_ns: u64,
    }

    fn fixture(verify_every: u32) -> Fixture {
        let parameters = negotiation::IncomingStream {
            ssrc: Ssrc(5),
            rtx_ssrc: Some(Ssrc(6)),
            pt: VP8,
            rtx_pt: Some(VP8_RTX),
            red_pt: None,
            clock_rate: 90_000,
            video: true,
            nack: true,
            extensions: ExtensionIds::default(),
        };
        let expected = ExpectedStream {
            run: 1,
            room: 2,
            producer: None,
            stream: parameters,
        };
        let receiver = SrtpReceiver::new(PROFILE, &MASTER).unwrap();
        let mut stats = TrafficStats::default();
        stats.start_counting(MeasurementWindow {
            from_ns: 0,
            until_ns: u64::MAX,
        });
        let mut stream = ReceivedStream::new(Time::ZERO, expected, receiver, verify_every);
        stream.start_counting();
        Fixture {
            stream,
            sender: SrtpSender::new(PROFILE, &MASTER).unwrap(),
            stats,
            at_ns: HEADER.sent_ns + 2_000_000,
        }
    }

    impl Fixture {
        fn packet(
            &mut self,
            ssrc: u32,
            seq: u16,
            osn: Option<u16>,
            test_header: &TestHeader,
        ) -> Vec<u8> {
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
            let piece = FramePart {
                frame: 0,
                keyframe: true,
                first: true,
                last: true,
                size: (16, 16),
                len: 500,
            };
            write_video(&mut packet, &piece, test_header);
            let plain_len = packet.len();
            packet.resize(plain_len + self.sender.overhead(), 0);
            let seq = SeqNo::first(seq);
            self.sender
                .protect_rtp(Ssrc(ssrc), seq, &mut packet, 12, plain_len);
            packet
        }

        /// Protects the media packet with this extended sequence number.
        fn packet_at(&mut self, seq: SeqNo) -> Vec<u8> {
            let mut packet = self.packet(5, seq.raw(), None, &HEADER);
            let plain_len = packet.len() - self.sender.overhead();
            let mut plain = packet.clone();
            let mut receiver = SrtpReceiver::new(PROFILE, &MASTER).unwrap();
            let header = SrtpHeader {
                ssrc: Ssrc(5),
                seq: seq.raw(),
                header_len: 12,
            };
            receiver.unprotect_rtp(header, &mut plain).unwrap();
            packet[..plain_len].copy_from_slice(&plain[..plain_len]);
            self.sender
                .protect_rtp(Ssrc(5), seq, &mut packet, 12, plain_len);
            packet
        }

        fn receive(&mut self, packet: &[u8]) -> bool {
            let mut datagram = packet.to_vec();
            let packet = ReceivedPacket {
                at_ns: self.at_ns,
                now: Time::from_millis(3),
                header: RtpHeader::parse(&datagram).unwrap(),
                datagram: &mut datagram,
            };
            self.stream.handle_packet(packet, &mut self.stats)
        }
    }

    #[test]
    fn index_that_jumps_by_more_than_half_a_wrap_is_a_violation() {
        for (jump, violations) in [(1, 0), (0x7fff, 0), (0x8001, 1), (0x1_0001, 1)] {
            let mut fixture = fixture(1);
            // Above the first wrap, where a receiver knows the rollover counter.
            for seq in [
                SeqNo::first(100),
                SeqNo::first(30_000),
                SeqNo::first(60_000),
            ] {
                let packet = fixture.packet_at(seq);
                fixture.receive(&packet);
            }
            assert_eq!(fixture.stats.violations, 0);
            let packet = fixture.packet_at(SeqNo(SeqNo::first(60_000).0 + jump));
            fixture.receive(&packet);
            assert_eq!(fixture.stats.violations, violations, "{jump}");
        }
    }

    const HEADER: TestHeader = TestHeader {
        run: 1,
        room: 2,
        producer: 3,
        layer: 0,
        number: 0,
        sent_ns: 1_000_000_000,
    };

    #[test]
    fn expected_packet_is_counted_with_its_latency() {
        let mut fixture = fixture(1);
        let packet = fixture.packet(5, 100, None, &HEADER);
        assert!(!fixture.receive(&packet));
        assert_eq!((fixture.stats.delivered, fixture.stats.violations), (1, 0));
        assert_eq!(fixture.stats.latencies.summary().p50_us, 2_000);
        assert_eq!(fixture.stream.stats().producer, Some(3));
        assert!(!fixture.receive(&packet), "it is a duplicate");
        assert_eq!((fixture.stats.delivered, fixture.stats.duplicates), (1, 1));
    }

    #[test]
    fn packet_of_another_room_run_or_producer_is_a_violation() {
        for wrong in [
            TestHeader { room: 9, ..HEADER },
            TestHeader { run: 9, ..HEADER },
            TestHeader {
                producer: 9,
                ..HEADER
            },
        ] {
            let mut fixture = fixture(1);
            let right = fixture.packet(5, 100, None, &HEADER);
            let wrong = fixture.packet(5, 101, None, &wrong);
            fixture.receive(&right);
            fixture.receive(&wrong);
            assert_eq!((fixture.stats.delivered, fixture.stats.violations), (1, 1));
            assert!(fixture.stats.first_violation.is_some());
        }
    }

    #[test]
    fn missing_packet_is_requested_and_recovered_once_by_retransmission() {
        let mut fixture = fixture(1);
        for seq in [100, 103] {
            let packet = fixture.packet(5, seq, None, &HEADER);
            assert_eq!(fixture.receive(&packet), seq == 103);
        }
        let mut requests = Vec::new();
        fixture
            .stream
            .poll_nacks(Time::from_millis(20), &mut requests);
        assert_eq!(requests, [101, 102]);
        for (seq, osn) in [(1, 101), (2, 102), (3, 102), (4, 100)] {
            let packet = fixture.packet(6, seq, Some(osn), &HEADER);
            fixture.receive(&packet);
        }
        let stats = &fixture.stats;
        assert_eq!((stats.delivered, stats.retransmitted), (4, 2));
        assert_eq!((stats.duplicates, stats.violations), (0, 0));
        assert!(fixture.stream.is_complete());
        assert_eq!(
            fixture.stream.report(Time::ZERO).unwrap().cumulative_lost,
            0
        );
    }

    #[test]
    fn all_packets_are_counted_when_only_some_are_decrypted() {
        let mut fixture = fixture(4);
        let packets: Vec<_> = (0..16)
            .map(|seq| fixture.packet(5, seq, None, &HEADER))
            .collect();
        packets.iter().for_each(|packet| {
            fixture.receive(packet);
        });
        assert_eq!(fixture.stats.delivered, 16);
        assert_eq!(fixture.stats.latencies.summary().count, 4);
        assert_eq!(fixture.stream.stats().count.received, 16);
    }

    #[test]
    fn packets_near_an_edge_count_by_their_send_time() {
        let edge = HEADER.sent_ns;
        let deliver = |from_ns, until_ns| {
            let mut fixture = fixture(4);
            fixture
                .stats
                .start_counting(MeasurementWindow { from_ns, until_ns });
            for (seq, sent_ns) in [(0, edge - 1), (1, edge - 1), (2, edge), (3, edge)] {
                let packet = fixture.packet(5, seq, None, &TestHeader { sent_ns, ..HEADER });
                fixture.receive(&packet);
            }
            fixture.stats.delivered
        };
        assert_eq!(deliver(edge, u64::MAX), 2, "packets sent within the window");
        assert_eq!(deliver(0, edge), 2, "packets sent before the end");
    }

    #[test]
    fn keyframe_is_requested_until_it_arrives() {
        let mut fixture = fixture(1);
        assert!(!fixture.stream.poll_keyframe_request(Time::from_millis(10)));
        assert!(fixture.stream.poll_keyframe_request(Time::from_millis(701)));
        assert!(!fixture.stream.poll_keyframe_request(Time::from_millis(702)));
        let packet = fixture.packet(5, 0, None, &HEADER);
        fixture.receive(&packet);
        assert!(
            !fixture
                .stream
                .poll_keyframe_request(Time::from_millis(9_000))
        );
    }
}
