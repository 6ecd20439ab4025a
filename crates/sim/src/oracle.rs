//! Invariants of every run, for all scenarios and seeds. A fault is recorded with its time and
//! fails the run; no fault is ever expected.

use watersmeet_engine::command::TransportId;
use watersmeet_wire::rtp::RtpHeader;
use watersmeet_wire::units::{Map, SeqNo, Ssrc, Time};

/// Most faults that are kept; later ones are dropped.
pub const FAULTS_MAX: usize = 32;

/// Packets per stream that are remembered: more than a server may retransmit.
const REMEMBERED_PACKETS: u64 = 4_096;

/// Largest step of the sequence numbers of a stream. A receiver follows 32,767 (RFC 3711 §3.3.1), but
/// loses sight of what is missing long before.
const STEP_MAX: u64 = 1_000;

/// Most retransmissions of one packet.
const REPETITIONS_MAX: u8 = 10;

/// Packets that a worker sent on one stream of a transport.
#[derive(Debug)]
struct SentStream {
    /// Newest packet.
    newest: SeqNo,
    /// Hashes of the recently sent, encrypted packets, and how often each was sent again.
    hashes: Map<SeqNo, (u64, u8)>,
}

/// Checks of the invariants, and hash of everything that was sent.
#[derive(Debug, Default)]
pub struct Oracle {
    /// Recorded faults.
    faults: Vec<String>,
    /// Sent packets by transport and stream.
    sent: Map<(TransportId, Ssrc), SentStream>,
    /// Hash of all datagrams and frames sent so far.
    trace: Trace,
    /// Number of RTP packets that workers sent.
    pub packets: u64,
}

impl Oracle {
    /// Records a fault.
    pub fn record_fault(&mut self, now: Time, what: String) {
        if self.faults.len() < FAULTS_MAX {
            self.faults
                .push(format!("{:.6} s: {what}", now.since_origin().as_secs_f64()));
        }
    }

    /// Returns the recorded faults.
    pub fn faults(&self) -> &[String] {
        &self.faults
    }

    /// Returns the hash of all datagrams and frames sent so far.
    pub const fn trace(&self) -> u64 {
        self.trace.0
    }

    /// Records a datagram of a worker. `preserves_order` is set when all incoming packets arrived
    /// in order; the worker must then send in order as well.
    pub fn record_datagram(
        &mut self,
        now: Time,
        transport: TransportId,
        datagram: &[u8],
        preserves_order: bool,
    ) {
        self.trace.add(&now.as_micros().to_be_bytes());
        self.trace.add(datagram);
        let is_rtp =
            matches!(datagram, [128..=191, second, ..] if !watersmeet_wire::rtcp::is_rtcp(*second));
        if !is_rtp {
            return;
        }
        self.packets += 1;
        let Ok(header) = RtpHeader::parse(datagram) else {
            self.record_fault(now, "a worker sent RTP that cannot be read".to_owned());
            return;
        };
        if let Some(fault) = self.check_packet(transport, &header, datagram, preserves_order) {
            self.record_fault(now, fault);
        }
    }

    /// Records a signalling frame of the server.
    pub fn record_frame(&mut self, now: Time, text: &str) {
        self.trace.add(&now.as_micros().to_be_bytes());
        self.trace.add(text.as_bytes());
    }

    /// Checks that no sequence number is used for two packets, which would break the encryption. The
    /// same packet may be sent again, where retransmissions have no stream of their own, and no
    /// number is far ahead of those before.
    fn check_packet(
        &mut self,
        transport: TransportId,
        header: &RtpHeader,
        datagram: &[u8],
        preserves_order: bool,
    ) -> Option<String> {
        let mut trace = Trace::default();
        trace.add(datagram);
        let hash = trace.0;
        let ssrc = header.ssrc;
        let Some(sent) = self.sent.get_mut(&(transport, ssrc)) else {
            let newest = SeqNo::first(header.seq);
            let sent = SentStream {
                newest,
                hashes: Map::from([(newest, (hash, 0))]),
            };
            self.sent.insert((transport, ssrc), sent);
            return None;
        };
        let seq = sent.newest.nearest(header.seq);
        if let Some((first, repetitions)) = sent.hashes.get_mut(&seq) {
            if *first != hash {
                return Some(format!("{ssrc} used number {} for two packets", header.seq));
            }
            *repetitions += 1;
            let is_too_often = *repetitions > REPETITIONS_MAX;
            return is_too_often.then(|| format!("{ssrc} sent number {} too often", header.seq));
        }
        sent.hashes.insert(seq, (hash, 0));
        if seq.0 > sent.newest.0 + STEP_MAX {
            return Some(format!("{ssrc} jumped to {}", header.seq));
        }
        let backwards = seq < sent.newest;
        let from = sent.newest.raw();
        sent.newest = sent.newest.max(seq);
        let oldest = SeqNo(sent.newest.0.saturating_sub(REMEMBERED_PACKETS));
        sent.hashes = match sent.hashes.first_key_value() {
            Some((first, _)) if first.0 + 2 * REMEMBERED_PACKETS < sent.newest.0 => {
                sent.hashes.split_off(&oldest)
            }
            _ => std::mem::take(&mut sent.hashes),
        };
        (backwards && preserves_order)
            .then(|| format!("{ssrc} went backwards from {from} to {}", header.seq))
    }
}

/// Running hash: fast and equal on every machine, but not cryptographic.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Trace(u64);

impl Trace {
    /// Adds bytes and their length.
    pub fn add(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.add_word(u64::from_le_bytes(*word));
        }
        let tail = rest
            .iter()
            .fold(0, |tail, byte| tail << 8 | u64::from(*byte));
        self.add_word(tail);
        self.add_word(bytes.len() as u64);
    }

    const fn add_word(&mut self, word: u64) {
        let mixed = (self.0.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ mixed >> 29;
    }
}

#[cfg(test)]
mod tests {
    use watersmeet_wire::rtp::{self, RtpHeaderFields};
    use watersmeet_wire::units::Pt;

    use super::*;
    use crate::seeds;

    fn packet(seq: u16, content: u8) -> Vec<u8> {
        let fields = RtpHeaderFields {
            marker: false,
            padding: false,
            pt: Pt(96),
            seq,
            timestamp: 0,
            ssrc: Ssrc(7),
        };
        let mut packet = vec![content; 20];
        rtp::write_header(&mut packet, &fields, &[]).unwrap();
        packet
    }

    fn faults(packets: &[Vec<u8>], preserves_order: bool) -> usize {
        let mut oracle = Oracle::default();
        let transport = TransportId::generate(&mut seeds::generator(1, "oracle"));
        for packet in packets {
            oracle.record_datagram(Time::ZERO, transport, packet, preserves_order);
        }
        oracle.faults().len()
    }

    #[test]
    fn reordering_is_a_fault_only_on_links_that_preserve_order() {
        let packets = [packet(65_535, 1), packet(1, 2), packet(0, 3)];
        assert_eq!((faults(&packets, true), faults(&packets, false)), (1, 0));
    }

    #[test]
    fn number_of_two_packets_is_always_a_fault() {
        assert_eq!(faults(&[packet(5, 1), packet(5, 2)], false), 1);
    }

    #[test]
    fn packet_may_be_sent_again_ten_times() {
        let packets = |count: usize| vec![packet(5, 1); count];
        assert_eq!(faults(&packets(11), true), 0);
        assert_eq!(faults(&packets(12), true), 1);
    }

    #[test]
    fn jump_of_the_numbers_is_a_fault() {
        assert_eq!(faults(&[packet(65_000, 1), packet(464, 2)], true), 0);
        assert_eq!(faults(&[packet(65_000, 1), packet(465, 2)], true), 1);
    }

    #[test]
    fn any_byte_changes_the_trace() {
        let (mut one, mut other) = (Trace::default(), Trace::default());
        one.add(b"twelve bytes");
        other.add(b"twelve bytez");
        assert_ne!(one, other);
    }
}
