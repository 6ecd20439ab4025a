//! Transport-wide congestion control feedback: arrival time of each packet of a transport
//! (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1).
//!
//! A feedback packet holds a base sequence number, chunks that give each following number one of
//! three symbols (not received, received with a small delta, received with a large delta), and the
//! deltas in steps of 250 µs. Parsing validates all of it before the first arrival is returned.

mod chunk;
#[cfg(test)]
mod tests;
mod write;

use self::chunk::{Chunk, REFERENCE_MICROS, Symbol, TICK_MICROS};
use super::reader::Reader;
use crate::units::Ssrc;

pub use chunk::STATUSES_MAX;
pub use write::{FeedbackHeader, FeedbackProgress, LEADING_LOST_MAX};

/// Period after which arrival times wrap, in microseconds: 2^24 times 64 ms.
pub const WRAP_MICROS: i64 = REFERENCE_MICROS << 24;

/// Feedback packet.
#[derive(Debug, Clone, Copy)]
pub struct TransportFeedback<'a> {
    /// Sender of the feedback.
    pub sender: Ssrc,
    /// Any stream of the transport; has no meaning.
    pub media: Ssrc,
    /// Sequence number of the first covered packet.
    pub base_seq: u16,
    /// Number of covered packets.
    pub status_count: u16,
    /// Time that the deltas count from, in units of 64 ms of the receiver's clock; 24 bits.
    pub reference_time: u32,
    /// Number of this feedback packet; a gap means that feedback was lost.
    pub feedback_count: u8,
    /// Chunks with `status_count` symbols.
    chunks: &'a [u8],
    /// Deltas of the received packets, possibly followed by unused bytes.
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
            reference_time: reader.u24()?,
            feedback_count: reader.u8()?,
            chunks: &[],
            deltas: &[],
        };
        if !(1..=STATUSES_MAX).contains(&feedback.status_count) {
            return None;
        }
        let chunks_and_deltas = reader.0;
        let mut left = usize::from(feedback.status_count);
        let mut deltas_len = 0;
        while left > 0 {
            let chunk = Chunk::parse(reader.u16()?);
            let symbols = chunk.len().min(left);
            deltas_len += chunk.deltas_len(symbols)?;
            left -= symbols;
        }
        feedback.chunks = chunks_and_deltas.get(..chunks_and_deltas.len() - reader.0.len())?;
        feedback.deltas = reader.take(deltas_len)?;
        Some(feedback)
    }

    /// Returns each covered packet in order: its sequence number, and its arrival in microseconds
    /// of the receiver's clock or `None` when it did not arrive. The clock wraps after
    /// [`WRAP_MICROS`].
    pub fn packets(&self) -> PacketStatuses<'a> {
        PacketStatuses {
            next_seq: self.base_seq,
            left: self.status_count,
            chunk: Chunk::Run {
                symbol: Symbol::Lost,
                len: 0,
            },
            chunk_at: 0,
            chunks: Reader(self.chunks),
            deltas: Reader(self.deltas),
            arrival: i64::from(self.reference_time) * REFERENCE_MICROS,
        }
    }
}

/// Iterator over the packets of a feedback as `(sequence number, arrival in microseconds)`.
#[derive(Debug, Clone)]
pub struct PacketStatuses<'a> {
    /// Sequence number of the next packet.
    next_seq: u16,
    /// Number of packets not returned yet.
    left: u16,
    /// Current chunk.
    chunk: Chunk,
    /// Number of its symbols already read.
    chunk_at: usize,
    /// Chunks after the current one.
    chunks: Reader<'a>,
    /// Deltas not read yet.
    deltas: Reader<'a>,
    /// Arrival of the last received packet, in microseconds.
    arrival: i64,
}

impl Iterator for PacketStatuses<'_> {
    type Item = (u16, Option<i64>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        // A run may be empty, so more than one chunk may have to be read.
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
