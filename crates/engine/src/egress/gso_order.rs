//! In which order the packets of one destination leave, and which of them are lengthened, so that
//! the kernel gets long runs of equal lengths: its cost is per run, not per packet.
//!
//! A stream's packets never overtake one another: a receiver takes a gap for a loss and asks again
//! (RFC 4585 §6.2.1). Whole streams may. A packet may be lengthened by padding (RFC 3550 §5.1),
//! and the last packet of a run may be shorter than the others.
//!
//! What is best is a puzzle; this is a greedy answer: the length for which the most packets can
//! leave at once goes first, and a shorter packet that fits no other run goes last with it.

use arrayvec::ArrayVec;

/// The most packets that are ordered together. Runs hold no more (`UDP_MAX_SEGMENTS`).
pub const PACKETS_MAX: usize = 64;

/// The most lengths weighed for one run, so that 64 packets of 64 streams cost no more than about
/// as much as writing them.
const LENGTHS_MAX: usize = 8;

/// A packet grows by at most this part of its length: of sound, 16 bytes bring as many runs as 32 and
/// cost a third of the padding.
const GROWTH_PART: u16 = 8;

/// No packet.
const NONE: u8 = u8::MAX;

/// A packet before it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketSize {
    /// Whose packets it must not overtake.
    pub stream: u64,
    /// How long it will be.
    pub len: u16,
}

/// A packet in its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderedPacket {
    /// Which packet, by its place among those that were pushed.
    pub index: u8,
    /// Bytes of padding to add.
    pub padding: u8,
}

/// Packets of one destination, and the order they leave in. Reused, so that it allocates nothing.
#[derive(Debug, Default)]
pub struct GsoOrder {
    /// The packets, as they came.
    parcels: ArrayVec<PacketSize, PACKETS_MAX>,
    /// The next packet of the same stream.
    followers: ArrayVec<u8, PACKETS_MAX>,
    /// The first packet of each stream that has not had its turn.
    fronts: ArrayVec<u8, PACKETS_MAX>,
    /// Packets in their turn.
    steps: ArrayVec<OrderedPacket, PACKETS_MAX>,
}

impl GsoOrder {
    /// Forgets all packets.
    pub fn clear(&mut self) {
        self.parcels.clear();
        self.followers.clear();
        self.fronts.clear();
        self.steps.clear();
    }

    /// Takes one more packet; false when there are too many.
    pub fn push(&mut self, parcel: PacketSize) -> bool {
        self.parcels.try_push(parcel).is_ok()
    }

    /// The order in which they leave. No packet gets more than `padding_max` bytes of padding.
    pub fn group(&mut self, padding_max: u8) -> &[OrderedPacket] {
        self.chain();
        while !self.fronts.is_empty() {
            let len = self.best_len(padding_max);
            let start = self.steps.len();
            self.take_run(len, padding_max);
            if !self.take_last(len, padding_max) {
                self.spare_padding(start);
            }
        }
        &self.steps
    }

    /// Finds the streams, and what follows what in them.
    fn chain(&mut self) {
        let mut ends: ArrayVec<u8, PACKETS_MAX> = ArrayVec::new();
        for (index, parcel) in (0_u8..).zip(&self.parcels) {
            self.followers.push(NONE);
            let stream = |end: &u8| self.parcels.get(usize::from(*end)).map(|it| it.stream);
            let end = ends
                .iter_mut()
                .find(|end| stream(end) == Some(parcel.stream));
            let Some(end) = end else {
                self.fronts.push(index);
                ends.push(index);
                continue;
            };
            if let Some(follower) = self.followers.get_mut(usize::from(*end)) {
                *follower = index;
            }
            *end = index;
        }
    }

    fn len(&self, index: u8) -> u16 {
        self.parcels.get(usize::from(index)).map_or(0, |it| it.len)
    }

    fn follower(&self, index: u8) -> u8 {
        let follower = self.followers.get(usize::from(index));
        follower.copied().unwrap_or(NONE)
    }

    /// Whether a packet can be made `len` long.
    fn fits(&self, index: u8, len: u16, padding_max: u8) -> bool {
        let own = self.len(index);
        own <= len && len - own <= u16::from(padding_max).min(own / GROWTH_PART)
    }

    /// How many packets could leave at once, all of them `len` long.
    fn count(&self, len: u16, padding_max: u8) -> usize {
        let streams = self.fronts.iter();
        streams
            .map(|&front| self.count_stream(front, len, padding_max))
            .sum()
    }

    /// How many packets of one stream could leave at once, all of them `len` long.
    fn count_stream(&self, front: u8, len: u16, padding_max: u8) -> usize {
        let (mut index, mut count) = (front, 0);
        while index != NONE && self.fits(index, len, padding_max) {
            index = self.follower(index);
            count += 1;
        }
        count
    }

    /// The length for which the most packets can leave at once; of several the longest.
    fn best_len(&self, padding_max: u8) -> u16 {
        let mut weighed: ArrayVec<u16, LENGTHS_MAX> = ArrayVec::new();
        let mut best = (0, 0);
        for &front in &self.fronts {
            for len in [self.len(front), self.highest(front, padding_max)] {
                if weighed.contains(&len) || weighed.try_push(len).is_err() {
                    continue;
                }
                best = best.max((self.count(len, padding_max), len));
            }
        }
        best.1
    }

    /// The greatest length of the packets that can leave with the first of their stream. A frame
    /// is cut into pieces that differ by a byte, the shorter first.
    fn highest(&self, front: u8, padding_max: u8) -> u16 {
        let lowest = self.len(front);
        let highest = lowest.saturating_add(u16::from(padding_max));
        let (mut index, mut len) = (self.follower(front), lowest);
        while index != NONE && (lowest..=highest).contains(&self.len(index)) {
            len = len.max(self.len(index));
            index = self.follower(index);
        }
        len
    }

    /// Everything that can be `len` long has its turn.
    fn take_run(&mut self, len: u16, padding_max: u8) {
        let mut place = 0;
        while let Some(&front) = self.fronts.get(place) {
            let mut index = front;
            while index != NONE && self.fits(index, len, padding_max) {
                let padding = u8::try_from(len - self.len(index)).unwrap_or(0);
                self.steps.push(OrderedPacket { index, padding });
                index = self.follower(index);
            }
            place += self.go_on(place, index);
        }
    }

    /// A shorter packet ends the run, if there is one: one that would find few others of its length.
    fn take_last(&mut self, len: u16, padding_max: u8) -> bool {
        let streams = (0..).zip(&self.fronts);
        let shorter = streams.filter(|&(_, &front)| self.len(front) < len);
        let rank = |&(_, &front): &(usize, &u8)| {
            let own = self.len(front);
            (self.count(own, padding_max), own)
        };
        let found = shorter.min_by_key(rank);
        let Some((place, index)) = found.map(|(place, &front)| (place, front)) else {
            return false;
        };
        self.steps.push(OrderedPacket { index, padding: 0 });
        self.go_on(place, self.follower(index));
        true
    }

    /// The run that begins at `start` ends with the packet that has the most padding, without it.
    /// Only the last of its stream can be last of all; a stream's packets stand together.
    fn spare_padding(&mut self, start: usize) {
        let stream = |step: &OrderedPacket| {
            self.parcels
                .get(usize::from(step.index))
                .map(|it| it.stream)
        };
        let run = self.steps.get(start..).unwrap_or_default();
        let next = run.iter().skip(1).map(stream).chain([None]);
        let ends = (start..).zip(run).zip(next);
        let ends = ends.filter(|&((_, step), next)| stream(step) != next);
        let most = ends.max_by_key(|((_, step), _)| step.padding);
        let Some(place) = most.map(|((place, _), _)| place) else {
            return;
        };
        let step = self.steps.remove(place);
        self.steps.push(OrderedPacket { padding: 0, ..step });
    }

    /// The stream at `place` goes on with `index`. Says whether it is still there.
    fn go_on(&mut self, place: usize, index: u8) -> usize {
        if index == NONE {
            self.fronts.remove(place);
            return 0;
        }
        if let Some(front) = self.fronts.get_mut(place) {
            *front = index;
        }
        1
    }
}

#[cfg(test)]
mod tests;
