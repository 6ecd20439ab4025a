//! Writer of transport-wide feedback.
//!
//! A packet is limited by its length, by the 8.19 s a delta can span and by the number of statuses.
//! Arrivals beyond these limits are left for the next packet, which the caller writes with another
//! call. Each time is rounded to 250 µs by itself, so rounding errors do not add up.

use arrayvec::ArrayVec;

use super::chunk::{
    ONE_BIT_LEN, REFERENCE_MICROS, RUN_LEN_MAX, STATUSES_MAX, Symbol, TICK_MICROS, TWO_BIT_LEN,
};
use crate::rtcp::header::{HEADER_LEN, format, kind};
use crate::rtcp::write::{CompoundWriter, FEEDBACK_HEADER_LEN};
use crate::units::{SeqNo, Ssrc, Time};

/// Most lost packets that are reported before the first arrival. A longer gap means that the sender
/// jumped; its beginning is skipped.
pub const LEADING_LOST_MAX: u64 = 1_024;

/// Length of base sequence number, status count, reference time and feedback count.
const FIELDS_LEN: usize = 8;

const CHUNK_LEN: usize = 2;
const TICKS_PER_REFERENCE: i64 = REFERENCE_MICROS / TICK_MICROS;

/// Fields of a feedback packet other than the arrivals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedbackHeader {
    /// Sender of the feedback.
    pub sender: Ssrc,
    /// Any stream of the transport.
    pub media: Ssrc,
    /// First packet to cover: the one after the last that was covered before.
    pub base: SeqNo,
    /// Number of this feedback packet.
    pub feedback_count: u8,
}

/// Progress of reporting after one feedback packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedbackProgress {
    /// Number of arrivals that are processed, old and repeated ones included.
    pub arrivals: usize,
    /// First packet that is not covered: the base of the next feedback packet.
    pub next_base: SeqNo,
}

impl CompoundWriter<'_> {
    /// Writes feedback on these arrivals, given in ascending order; numbers below the base or equal
    /// to the previous one are skipped. Returns `None` and writes nothing when there is no arrival
    /// to report or no space. Call again with the remaining arrivals, `next_base` and the next
    /// feedback count.
    #[must_use]
    pub fn write_transport_feedback(
        &mut self,
        head: &FeedbackHeader,
        arrivals: &[(SeqNo, Time)],
    ) -> Option<FeedbackProgress> {
        let (first, first_at) = *arrivals.iter().find(|(seq, _)| *seq >= head.base)?;
        let base = head
            .base
            .max(SeqNo(first.0.saturating_sub(LEADING_LOST_MAX)));
        let reference = ticks(first_at) / TICKS_PER_REFERENCE;
        let statuses = Statuses {
            arrivals,
            next: base,
            left: STATUSES_MAX,
            last_ticks: reference * TICKS_PER_REFERENCE,
        };
        let space_left =
            (self.remaining() & !3).checked_sub(HEADER_LEN + FEEDBACK_HEADER_LEN + FIELDS_LEN)?;
        let chunks = Chunks {
            statuses: statuses.clone(),
            space_left,
        };
        let covered: usize = chunks.clone().map(|(_, len)| len).sum();
        let status_count = u16::try_from(covered).ok().filter(|count| *count > 0)?;
        let written = self.write_feedback(
            kind::TRANSPORT_FEEDBACK,
            format::TRANSPORT_WIDE,
            head.sender,
            head.media,
            |out| {
                let [.., r0, r1, r2] = reference.to_be_bytes();
                out.extend(base.raw().to_be_bytes());
                out.extend(status_count.to_be_bytes());
                out.extend([r0, r1, r2, head.feedback_count]);
                out.extend(chunks.flat_map(|(bits, _)| bits.to_be_bytes()));
                for status in statuses.clone().take(covered) {
                    status.write_delta(out);
                }
            },
        );
        if !written {
            return None;
        }
        let mut after = statuses;
        after.by_ref().take(covered).for_each(drop);
        Some(FeedbackProgress {
            arrivals: arrivals.len() - after.arrivals.len(),
            next_base: after.next,
        })
    }
}

/// Converts a time to steps of 250 µs.
fn ticks(at: Time) -> i64 {
    i64::try_from(at.as_micros()).unwrap_or(i64::MAX) / TICK_MICROS
}

/// Status of one packet.
#[derive(Debug, Clone, Copy)]
enum Status {
    /// Not received.
    Lost,
    /// Received this many steps of 250 µs after the previous one.
    Arrived(i16),
}

impl Status {
    fn symbol(self) -> Symbol {
        match self {
            Self::Lost => Symbol::Lost,
            Self::Arrived(delta) if u8::try_from(delta).is_ok() => Symbol::Small,
            Self::Arrived(_) => Symbol::Large,
        }
    }

    fn write_delta(self, out: &mut Vec<u8>) {
        if let Self::Arrived(delta) = self {
            match u8::try_from(delta) {
                Ok(small) => out.push(small),
                Err(_) => out.extend(delta.to_be_bytes()),
            }
        }
    }
}

/// Iterator over the packets from the base to the last arrival, or to the first one whose delta
/// fits no symbol.
#[derive(Debug, Clone)]
struct Statuses<'a> {
    /// Arrivals not reached yet.
    arrivals: &'a [(SeqNo, Time)],
    /// Next packet.
    next: SeqNo,
    /// Number of packets that may still be covered.
    left: u16,
    /// Arrival of the last received packet, in steps of 250 µs.
    last_ticks: i64,
}

impl Iterator for Statuses<'_> {
    type Item = Status;

    fn next(&mut self) -> Option<Status> {
        let (&(seq, at), rest) = loop {
            let (first, rest) = self.arrivals.split_first()?;
            if first.0 >= self.next {
                break (first, rest);
            }
            self.arrivals = rest;
        };
        let left = self.left.checked_sub(1)?;
        let status = if seq > self.next {
            Status::Lost
        } else {
            let delta = i16::try_from(ticks(at) - self.last_ticks).ok()?;
            self.last_ticks = ticks(at);
            self.arrivals = rest;
            Status::Arrived(delta)
        };
        self.left = left;
        self.next = SeqNo(self.next.0 + 1);
        Some(status)
    }
}

/// Iterator over the chunks for these statuses as `(bits, number of symbols)`, as far as chunks and
/// deltas fit.
#[derive(Debug, Clone)]
struct Chunks<'a> {
    /// Statuses not in a chunk yet.
    statuses: Statuses<'a>,
    /// Bytes left for chunks and deltas.
    space_left: usize,
}

impl Iterator for Chunks<'_> {
    type Item = (u16, usize);

    fn next(&mut self) -> Option<Self::Item> {
        let space_left = self.space_left.checked_sub(CHUNK_LEN)?;
        let ahead: ArrayVec<Symbol, ONE_BIT_LEN> = self
            .statuses
            .clone()
            .take(ONE_BIT_LEN)
            .map(Status::symbol)
            .collect();
        let first = *ahead.first()?;
        let delta_len = first.delta_len()?;
        let fitting = space_left.checked_div(delta_len).unwrap_or(RUN_LEN_MAX);
        let run = self.run_len(first, fitting.min(RUN_LEN_MAX));
        let has_large = ahead.contains(&Symbol::Large);
        let vector_len = ahead
            .len()
            .min(if has_large { TWO_BIT_LEN } else { ONE_BIT_LEN });
        let vector_deltas_len: usize = ahead
            .iter()
            .take(vector_len)
            .filter_map(|symbol| symbol.delta_len())
            .sum();
        // A vector is only partly full when the statuses end in it, because `ahead` is short then.
        // A run may end anywhere, so a run fills the last bytes.
        let (bits, len, deltas_len) = if run > vector_len || vector_deltas_len > space_left {
            (
                first.bits() << 13 | u16::try_from(run).ok()?,
                run,
                run * delta_len,
            )
        } else if has_large {
            (
                0xc000 | pack(&ahead, TWO_BIT_LEN, 2),
                vector_len,
                vector_deltas_len,
            )
        } else {
            (
                0x8000 | pack(&ahead, ONE_BIT_LEN, 1),
                vector_len,
                vector_deltas_len,
            )
        };
        self.space_left = space_left.checked_sub(deltas_len)?;
        self.statuses.by_ref().take(len).for_each(drop);
        (len > 0).then_some((bits, len))
    }
}

impl Chunks<'_> {
    /// Counts how many of the next statuses have this symbol, up to `len_max`. Looking no further
    /// than what fits keeps the cost proportional to the length of the datagram.
    fn run_len(&self, symbol: Symbol, len_max: usize) -> usize {
        let statuses = self.statuses.clone().take(len_max);
        statuses
            .take_while(|status| status.symbol() == symbol)
            .count()
    }
}

/// Packs up to `len` symbols of `bits_each` bits, the first one in the highest bits.
fn pack(symbols: &[Symbol], len: usize, bits_each: usize) -> u16 {
    let positions = (0..len).rev();
    symbols
        .iter()
        .zip(positions)
        .fold(0, |bits, (symbol, position)| {
            bits | symbol.bits() << (position * bits_each)
        })
}
