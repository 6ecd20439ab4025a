//! Transport-wide feedback: for each packet of a transport, whether it arrived and when
//! (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1).
//!
//! The packet states a first sequence number, a list of chunks that give each following number
//! one of three symbols (lost, arrived with a small delta, arrived with a large one), and then the
//! deltas in steps of 250 µs. Reading checks all of it before the first arrival is handed out.

#[cfg(test)]
mod tests;
mod write;

use super::reader::Reader;
use crate::units::Ssrc;

pub use write::{FeedbackHeader, FeedbackProgress, LEADING_LOST_MAX};

/// Most packets one feedback may speak of. The format allows 65,535 in 16 bytes; at 800 Mbit/s a
/// transport sends this many in 100 ms, which is as long as a feedback is ever awaited.
pub const STATUSES_MAX: u16 = 8_192;

/// How long until arrival times wrap: 24 bits of 64 ms.
pub const WRAP_MICROS: i64 = REFERENCE_MICROS << 24;

const REFERENCE_MICROS: i64 = 64_000;
const TICK_MICROS: i64 = 250;
const RUN_LEN_MAX: usize = 0x1fff;
const ONE_BIT_LEN: usize = 14;
const TWO_BIT_LEN: usize = 7;

/// Feedback on the packets of a transport.
#[derive(Debug, Clone, Copy)]
pub struct TransportFeedback<'a> {
    /// Who received.
    pub sender: Ssrc,
    /// Some stream of the transport; of no meaning.
    pub media: Ssrc,
    /// Number of the first packet spoken of.
    pub base_seq: u16,
    /// How many packets it speaks of.
    pub status_count: u16,
    /// The moment that deltas count from, in units of 64 ms of the receiver's clock; 24 bits.
    pub reference: u32,
    /// Number of this feedback; a gap means that feedback was lost.
    pub feedback_count: u8,
    /// The chunks that hold `status_count` symbols.
    chunks: &'a [u8],
    /// The deltas those symbols call for, and perhaps more.
    deltas: &'a [u8],
}

impl<'a> TransportFeedback<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(body);
        let mut feedback = Self {
            sender: reader.ssrc()?,
            media: reader.ssrc()?,
            base_seq: reader.u16()?,
            status_count: reader.u16()?,
            reference: reader.u24()?,
            feedback_count: reader.u8()?,
            chunks: &[],
            deltas: &[],
        };
        if !(1..=STATUSES_MAX).contains(&feedback.status_count) {
            return None;
        }
        let all = reader.0;
        let mut left = usize::from(feedback.status_count);
        let mut deltas_len = 0;
        while left > 0 {
            let chunk = Chunk::parse(reader.u16()?);
            let symbols = chunk.len().min(left);
            deltas_len += chunk.deltas_len(symbols)?;
            left -= symbols;
        }
        feedback.chunks = all.get(..all.len() - reader.0.len())?;
        feedback.deltas = reader.take(deltas_len)?;
        Some(feedback)
    }

    /// Each packet spoken of, in order: its number, and when it arrived in microseconds of the
    /// receiver's clock, or nothing when it did not. The clock wraps after `WRAP_MICROS`.
    pub fn packets(&self) -> Arrivals<'a> {
        Arrivals {
            next_seq: self.base_seq,
            left: self.status_count,
            chunk: Chunk::Run {
                symbol: Symbol::Lost,
                len: 0,
            },
            chunk_at: 0,
            chunks: Reader(self.chunks),
            deltas: Reader(self.deltas),
            arrival: i64::from(self.reference) * REFERENCE_MICROS,
        }
    }
}

/// Walk over the packets of a feedback as `(number, arrival in microseconds)`.
#[derive(Debug, Clone)]
pub struct Arrivals<'a> {
    /// Number of the next packet.
    next_seq: u16,
    /// Packets still to come.
    left: u16,
    /// The chunk being read.
    chunk: Chunk,
    /// How many of its symbols are read.
    chunk_at: usize,
    /// The chunks after it.
    chunks: Reader<'a>,
    /// Deltas not read yet.
    deltas: Reader<'a>,
    /// When the last packet that arrived did so.
    arrival: i64,
}

impl Iterator for Arrivals<'_> {
    type Item = (u16, Option<i64>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        // A run may be empty, so one step may not be enough.
        while self.chunk_at == self.chunk.len() {
            self.chunk = Chunk::parse(self.chunks.u16()?);
            self.chunk_at = 0;
        }
        let symbol = self.chunk.symbol(self.chunk_at);
        self.chunk_at += 1;
        let seq = self.next_seq;
        self.next_seq = seq.wrapping_add(1);
        let ticks = match symbol {
            Symbol::Lost | Symbol::Reserved => return Some((seq, None)),
            Symbol::Small => i64::from(self.deltas.u8()?),
            Symbol::Large => i64::from(self.deltas.u16()?.cast_signed()),
        };
        self.arrival += ticks * TICK_MICROS;
        Some((seq, Some(self.arrival)))
    }
}

/// What a chunk says of one packet; the order is that of the numbers on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Symbol {
    /// It did not arrive.
    Lost,
    /// It arrived, 0 to 63.75 ms after the one before.
    Small,
    /// It arrived, up to 8.19 s before or after the one before.
    Large,
    /// Never sent by anybody; a feedback that has it is refused.
    Reserved,
}

impl Symbol {
    const fn of_bits(bits: u16) -> Self {
        match bits & 3 {
            0 => Self::Lost,
            1 => Self::Small,
            2 => Self::Large,
            _ => Self::Reserved,
        }
    }

    const fn bits(self) -> u16 {
        match self {
            Self::Lost => 0,
            Self::Small => 1,
            Self::Large => 2,
            Self::Reserved => 3,
        }
    }

    /// Length of its delta.
    const fn delta_len(self) -> Option<usize> {
        match self {
            Self::Lost => Some(0),
            Self::Small => Some(1),
            Self::Large => Some(2),
            Self::Reserved => None,
        }
    }
}

/// Sixteen bits that hold several symbols (§3.1.3, §3.1.4).
#[derive(Debug, Clone, Copy)]
enum Chunk {
    /// The same symbol many times.
    Run {
        /// Which.
        symbol: Symbol,
        /// How many times.
        len: usize,
    },
    /// Fourteen symbols that are lost or small.
    OneBit(u16),
    /// Seven symbols.
    TwoBit(u16),
}

impl Chunk {
    fn parse(bits: u16) -> Self {
        match bits >> 14 {
            3 => Self::TwoBit(bits),
            2 => Self::OneBit(bits),
            _ => Self::Run {
                symbol: Symbol::of_bits(bits >> 13),
                len: usize::from(bits) & RUN_LEN_MAX,
            },
        }
    }

    /// How many symbols it holds.
    const fn len(self) -> usize {
        match self {
            Self::Run { len, .. } => len,
            Self::OneBit(_) => ONE_BIT_LEN,
            Self::TwoBit(_) => TWO_BIT_LEN,
        }
    }

    /// The symbol at this place, which is below `len`.
    const fn symbol(self, at: usize) -> Symbol {
        match self {
            Self::Run { symbol, .. } => symbol,
            Self::OneBit(bits) => Symbol::of_bits(bits >> (ONE_BIT_LEN - 1 - at) & 1),
            Self::TwoBit(bits) => Symbol::of_bits(bits >> ((TWO_BIT_LEN - 1 - at) * 2)),
        }
    }

    /// Length of the deltas of the first `count` symbols; none when one of them is reserved.
    fn deltas_len(self, count: usize) -> Option<usize> {
        match self {
            Self::Run { symbol, .. } => Some(symbol.delta_len()? * count),
            _ => (0..count).map(|at| self.symbol(at).delta_len()).sum(),
        }
    }
}
