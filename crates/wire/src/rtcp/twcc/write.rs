//! Making transport-wide feedback from arrivals.
//!
//! Arrivals go in as they were noted; what does not fit one packet (its length, the 8.19 s a delta
//! can bridge, the number of statuses) is left for the next, which the caller asks for. Times are
//! rounded to 250 µs once each, so no error adds up.

use arrayvec::ArrayVec;

use super::super::write::{CompoundWriter, FEEDBACK_HEADER_LEN};
use super::super::{HEADER_LEN, format, kind};
use super::{
    ONE_BIT_LEN, REFERENCE_MICROS, RUN_LEN_MAX, STATUSES_MAX, Symbol, TICK_MICROS, TWO_BIT_LEN,
};
use crate::units::{SeqNo, Ssrc, Time};

/// Most lost packets spoken of in front of the first arrival. A longer gap is a sender that
/// jumped, and its beginning is passed over.
pub const LEADING_LOST_MAX: u64 = 1_024;

/// Base, count, reference and feedback count.
const FIELDS_LEN: usize = 8;

const CHUNK_LEN: usize = 2;
const TICKS_PER_REFERENCE: i64 = REFERENCE_MICROS / TICK_MICROS;

/// What a feedback says besides the arrivals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedbackHeader {
    /// Who received.
    pub sender: Ssrc,
    /// Some stream of the transport.
    pub media: Ssrc,
    /// First packet to speak of: the one after the last that was spoken of before.
    pub base: SeqNo,
    /// Number of this feedback.
    pub feedback_count: u8,
}

/// How far a feedback got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedbackProgress {
    /// How many arrivals it took, old and repeated ones included.
    pub arrivals: usize,
    /// First packet it does not speak of: the base of the next feedback.
    pub next_base: SeqNo,
}

impl CompoundWriter<'_> {
    /// Writes feedback on these arrivals, whose numbers rise; numbers below the base or equal to
    /// the one before are passed over. `None`, and nothing written, when there is no arrival to
    /// speak of or no room. Ask again with the arrivals that are left, `next_base` and the next
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
        let room =
            (self.remaining() & !3).checked_sub(HEADER_LEN + FEEDBACK_HEADER_LEN + FIELDS_LEN)?;
        let chunks = Chunks {
            statuses: statuses.clone(),
            room,
        };
        let covered: usize = chunks.clone().map(|(_, len)| len).sum();
        let status_count = u16::try_from(covered).ok().filter(|count| *count > 0)?;
        let written = self.feedback(
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

/// A moment in steps of 250 µs.
fn ticks(at: Time) -> i64 {
    i64::try_from(at.as_micros()).unwrap_or(i64::MAX) / TICK_MICROS
}

/// What became of one packet.
#[derive(Debug, Clone, Copy)]
enum Status {
    /// It did not arrive.
    Lost,
    /// It arrived this many steps after the one before.
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

/// Walk over the packets from the base to the last arrival, or to the first whose delta fits no
/// symbol.
#[derive(Debug, Clone)]
struct Statuses<'a> {
    /// Arrivals not reached yet.
    arrivals: &'a [(SeqNo, Time)],
    /// The next packet.
    next: SeqNo,
    /// How many packets may still be spoken of.
    left: u16,
    /// When the last packet arrived, in steps.
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

/// Walk over the chunks for these statuses as `(bits, symbols in it)`, as far as chunks and
/// deltas fit the room.
#[derive(Debug, Clone)]
struct Chunks<'a> {
    /// Statuses not in a chunk yet.
    statuses: Statuses<'a>,
    /// Bytes left for chunks and deltas.
    room: usize,
}

impl Iterator for Chunks<'_> {
    type Item = (u16, usize);

    fn next(&mut self) -> Option<Self::Item> {
        let room = self.room.checked_sub(CHUNK_LEN)?;
        let ahead: ArrayVec<Symbol, ONE_BIT_LEN> = self
            .statuses
            .clone()
            .take(ONE_BIT_LEN)
            .map(Status::symbol)
            .collect();
        let first = *ahead.first()?;
        let delta_len = first.delta_len()?;
        let fitting = room.checked_div(delta_len).unwrap_or(RUN_LEN_MAX);
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
        // A vector is only partly full when the statuses end in it, because `ahead` is short
        // then. A run may end anywhere, so it is what fills the last bytes of room.
        let (bits, len, deltas_len) = if run > vector_len || vector_deltas_len > room {
            (
                first.bits() << 13 | u16::try_from(run).ok()?,
                run,
                run * delta_len,
            )
        } else if has_large {
            (
                0xc000 | packed(&ahead, TWO_BIT_LEN, 2),
                vector_len,
                vector_deltas_len,
            )
        } else {
            (
                0x8000 | packed(&ahead, ONE_BIT_LEN, 1),
                vector_len,
                vector_deltas_len,
            )
        };
        self.room = room.checked_sub(deltas_len)?;
        self.statuses.by_ref().take(len).for_each(drop);
        (len > 0).then_some((bits, len))
    }
}

impl Chunks<'_> {
    /// How many of the next statuses have this symbol, up to `len_max`: looking no further than
    /// what fits keeps the cost of a datagram in proportion to its length.
    fn run_len(&self, symbol: Symbol, len_max: usize) -> usize {
        let statuses = self.statuses.clone().take(len_max);
        statuses
            .take_while(|status| status.symbol() == symbol)
            .count()
    }
}

/// Up to `len` symbols of so many bits each, the first one highest.
fn packed(symbols: &[Symbol], len: usize, bits_each: usize) -> u16 {
    let places = (0..len).rev();
    symbols.iter().zip(places).fold(0, |bits, (symbol, place)| {
        bits | symbol.bits() << (place * bits_each)
    })
}
