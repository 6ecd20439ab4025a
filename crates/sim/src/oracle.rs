//! What must hold in every run, whatever the scenario and the seed. A fault is kept with its moment
//! and fails the run; there is no such thing as an expected one.

use watersmeet_engine::command::TransportId;
use watersmeet_wire::rtp::RtpHeader;
use watersmeet_wire::units::{Map, SeqNo, Ssrc, Time};

/// Most faults that are kept; the first ones tell the most.
pub const FAULTS_MAX: usize = 32;

/// Packets of a stream that are remembered: more than a server may resend.
const REMEMBERED: u64 = 4_096;

/// What one stream of a transport looked like when the worker sent it.
#[derive(Debug)]
struct Sent {
    /// The newest packet.
    newest: SeqNo,
    /// The hash of each packet lately sent, sealed as it was.
    hashes: Map<SeqNo, u64>,
}

/// Watches everything.
#[derive(Debug, Default)]
pub struct Oracle {
    /// What was wrong.
    faults: Vec<String>,
    /// What each transport was sent.
    sent: Map<(TransportId, Ssrc), Sent>,
    /// Hash of everything sent so far.
    trace: Trace,
    /// RTP packets sent by workers.
    pub packets: u64,
}

impl Oracle {
    /// Notes a fault.
    pub fn fault(&mut self, now: Time, what: String) {
        if self.faults.len() < FAULTS_MAX {
            self.faults
                .push(format!("{:.6} s: {what}", now.since_origin().as_secs_f64()));
        }
    }

    /// What was wrong.
    pub fn faults(&self) -> &[String] {
        &self.faults
    }

    /// The hash of everything sent so far.
    pub const fn trace(&self) -> u64 {
        self.trace.0
    }

    /// A worker sent a datagram. `is_orderly` when every packet that reached it had come in order:
    /// then what it sends must be in order too.
    pub fn sent(&mut self, now: Time, transport: TransportId, datagram: &[u8], is_orderly: bool) {
        self.trace.add(&now.as_micros().to_be_bytes());
        self.trace.add(datagram);
        let is_rtp =
            matches!(datagram, [128..=191, second, ..] if !watersmeet_wire::rtcp::is_rtcp(*second));
        if !is_rtp {
            return;
        }
        self.packets += 1;
        let Ok(header) = RtpHeader::parse(datagram) else {
            self.fault(now, "a worker sent RTP that cannot be read".to_owned());
            return;
        };
        if let Some(fault) = self.judge(transport, &header, datagram, is_orderly) {
            self.fault(now, fault);
        }
    }

    /// Text was sent.
    pub fn told(&mut self, now: Time, text: &str) {
        self.trace.add(&now.as_micros().to_be_bytes());
        self.trace.add(text.as_bytes());
    }

    /// A number is one packet for ever: another one under it would break the cipher, and the same
    /// one twice is a duplicate unless it was asked for.
    fn judge(
        &mut self,
        transport: TransportId,
        header: &RtpHeader,
        datagram: &[u8],
        is_orderly: bool,
    ) -> Option<String> {
        let mut trace = Trace::default();
        trace.add(datagram);
        let hash = trace.0;
        let ssrc = header.ssrc;
        let Some(sent) = self.sent.get_mut(&(transport, ssrc)) else {
            let newest = SeqNo::first(header.seq);
            let sent = Sent {
                newest,
                hashes: Map::from([(newest, hash)]),
            };
            self.sent.insert((transport, ssrc), sent);
            return None;
        };
        let seq = sent.newest.nearest(header.seq);
        if let Some(before) = sent.hashes.insert(seq, hash) {
            let same = if before == hash {
                "again"
            } else {
                "with another packet"
            };
            return Some(format!("{ssrc} was sent number {} {same}", header.seq));
        }
        let backwards = seq < sent.newest;
        let from = sent.newest.raw();
        sent.newest = sent.newest.max(seq);
        let oldest = SeqNo(sent.newest.0.saturating_sub(REMEMBERED));
        sent.hashes = match sent.hashes.first_key_value() {
            Some((first, _)) if first.0 + 2 * REMEMBERED < sent.newest.0 => {
                sent.hashes.split_off(&oldest)
            }
            _ => std::mem::take(&mut sent.hashes),
        };
        (backwards && is_orderly)
            .then(|| format!("{ssrc} went backwards from {from} to {}", header.seq))
    }
}

/// A running hash: fast, the same on every machine, and no defence against anybody.
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

    fn faults(packets: &[Vec<u8>], is_orderly: bool) -> usize {
        let mut oracle = Oracle::default();
        let transport = TransportId::generate(&mut seeds::generator(1, "oracle"));
        for packet in packets {
            oracle.sent(Time::ZERO, transport, packet, is_orderly);
        }
        oracle.faults().len()
    }

    #[test]
    fn going_backwards_is_a_fault_only_where_nothing_came_out_of_order() {
        let packets = [packet(65_535, 1), packet(1, 2), packet(0, 3)];
        assert_eq!((faults(&packets, true), faults(&packets, false)), (1, 0));
    }

    #[test]
    fn one_number_for_two_packets_is_always_a_fault() {
        assert_eq!(faults(&[packet(5, 1), packet(5, 2)], false), 1);
        assert_eq!(faults(&[packet(5, 1), packet(5, 1)], false), 1);
    }

    #[test]
    fn every_byte_changes_the_trace() {
        let (mut one, mut other) = (Trace::default(), Trace::default());
        one.add(b"twelve bytes");
        other.add(b"twelve bytez");
        assert_ne!(one, other);
    }
}
