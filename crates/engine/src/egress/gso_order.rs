//! Orders and pads the packets of one destination so that the kernel gets long runs of equal lengths
//! (generic segmentation offload): its cost is per run, not per packet.
//!
//! Packets of one stream keep their order, because a receiver takes a gap for a loss and requests it
//! (RFC 4585 §6.2.1); whole streams may be reordered. A packet may be lengthened by padding (RFC 3550
//! §5.1), and the last packet of a run may be shorter than the others.
//!
//! The optimum is expensive to find; this is a greedy approximation. The length for which the most
//! packets can be sent in one run goes first, and a shorter packet that fits no other run ends it.

use arrayvec::ArrayVec;

/// Upper bound of the packets ordered together. Runs hold no more (`UDP_MAX_SEGMENTS`).
pub const PACKETS_MAX: usize = 64;

/// Upper bound of the lengths compared for one run, so that ordering 64 packets of 64 streams costs
/// about as much as writing them.
const LENGTHS_MAX: usize = 8;

/// Padding is at most this fraction of a packet's length: for audio, 16 bytes give as long runs as 32
/// for a third of the padding.
const GROWTH_PART: u16 = 8;

/// Index that stands for no packet.
const NONE: u8 = u8::MAX;

/// Stream and length of a packet before it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketSize {
    /// Stream whose packets must keep their order.
    pub stream: u64,
    /// Length in bytes, without padding.
    pub len: u16,
}

/// A packet in sending order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderedPacket {
    /// Index of the packet in the order in which they were pushed.
    pub index: u8,
    /// Padding to add, in bytes.
    pub padding: u8,
}

/// Orders the packets of one destination. Reused, so that it allocates nothing.
#[derive(Debug, Default)]
pub struct GsoOrder {
    /// Packets in the order in which they were pushed.
    sizes: ArrayVec<PacketSize, PACKETS_MAX>,
    /// Next packet of the same stream, by packet.
    followers: ArrayVec<u8, PACKETS_MAX>,
    /// First packet of each stream that is not ordered yet.
    fronts: ArrayVec<u8, PACKETS_MAX>,
    /// Packets in sending order.
    ordered: ArrayVec<OrderedPacket, PACKETS_MAX>,
}

impl GsoOrder {
    /// Removes all packets.
    pub fn clear(&mut self) {
        self.sizes.clear();
        self.followers.clear();
        self.fronts.clear();
        self.ordered.clear();
    }

    /// Adds a packet. Returns false when there are too many.
    pub fn push(&mut self, size: PacketSize) -> bool {
        self.sizes.try_push(size).is_ok()
    }

    /// Returns the packets in sending order. None gets more than `padding_max` bytes of padding.
    pub fn group(&mut self, padding_max: u8) -> &[OrderedPacket] {
        self.link_streams();
        while !self.fronts.is_empty() {
            let len = self.best_len(padding_max);
            let start = self.ordered.len();
            self.take_run(len, padding_max);
            if !self.take_last(len, padding_max) {
                self.spare_padding(start);
            }
        }
        &self.ordered
    }

    /// Links each packet to the next of its stream, and collects the first packet of each stream.
    fn link_streams(&mut self) {
        let mut ends: ArrayVec<u8, PACKETS_MAX> = ArrayVec::new();
        for (index, size) in (0_u8..).zip(&self.sizes) {
            self.followers.push(NONE);
            let stream = |end: &u8| self.sizes.get(usize::from(*end)).map(|it| it.stream);
            let end = ends.iter_mut().find(|end| stream(end) == Some(size.stream));
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
        self.sizes.get(usize::from(index)).map_or(0, |it| it.len)
    }

    fn follower(&self, index: u8) -> u8 {
        let follower = self.followers.get(usize::from(index));
        follower.copied().unwrap_or(NONE)
    }

    /// Returns whether a packet can be padded to `len` bytes.
    fn fits(&self, index: u8, len: u16, padding_max: u8) -> bool {
        let own = self.len(index);
        own <= len && len - own <= u16::from(padding_max).min(own / GROWTH_PART)
    }

    /// Returns how many packets could be sent in one run of `len` bytes each.
    fn count(&self, len: u16, padding_max: u8) -> usize {
        let streams = self.fronts.iter();
        streams
            .map(|&front| self.count_stream(front, len, padding_max))
            .sum()
    }

    /// Returns how many packets of one stream could be sent in one run of `len` bytes each.
    fn count_stream(&self, front: u8, len: u16, padding_max: u8) -> usize {
        let (mut index, mut count) = (front, 0);
        while index != NONE && self.fits(index, len, padding_max) {
            index = self.follower(index);
            count += 1;
        }
        count
    }

    /// Returns the length for which the most packets can be sent in one run; the longest of several.
    fn best_len(&self, padding_max: u8) -> u16 {
        let mut compared: ArrayVec<u16, LENGTHS_MAX> = ArrayVec::new();
        let mut best = (0, 0);
        for &front in &self.fronts {
            for len in [self.len(front), self.greatest_len(front, padding_max)] {
                if compared.contains(&len) || compared.try_push(len).is_err() {
                    continue;
                }
                best = best.max((self.count(len, padding_max), len));
            }
        }
        best.1
    }

    /// Returns the greatest length among the packets of a stream that can be sent with its first. A
    /// frame is split into packets that differ by a byte, the shorter ones first.
    fn greatest_len(&self, front: u8, padding_max: u8) -> u16 {
        let lowest = self.len(front);
        let highest = lowest.saturating_add(u16::from(padding_max));
        let (mut index, mut len) = (self.follower(front), lowest);
        while index != NONE && (lowest..=highest).contains(&self.len(index)) {
            len = len.max(self.len(index));
            index = self.follower(index);
        }
        len
    }

    /// Orders all packets that can be `len` bytes long.
    fn take_run(&mut self, len: u16, padding_max: u8) {
        let mut position = 0;
        while let Some(&front) = self.fronts.get(position) {
            let mut index = front;
            while index != NONE && self.fits(index, len, padding_max) {
                let padding = u8::try_from(len - self.len(index)).unwrap_or(0);
                self.ordered.push(OrderedPacket { index, padding });
                index = self.follower(index);
            }
            position += self.advance(position, index);
        }
    }

    /// Ends the run with a shorter packet, if there is one: with that which has the fewest packets of its
    /// length. Returns whether there was one.
    fn take_last(&mut self, len: u16, padding_max: u8) -> bool {
        let streams = (0..).zip(&self.fronts);
        let shorter = streams.filter(|&(_, &front)| self.len(front) < len);
        let rank = |&(_, &front): &(usize, &u8)| {
            let own = self.len(front);
            (self.count(own, padding_max), own)
        };
        let found = shorter.min_by_key(rank);
        let Some((position, index)) = found.map(|(position, &front)| (position, front)) else {
            return false;
        };
        self.ordered.push(OrderedPacket { index, padding: 0 });
        self.advance(position, self.follower(index));
        true
    }

    /// Moves the packet with the most padding to the end of the run that begins at `start`, where it
    /// needs none. Only the last packet of a stream can be moved.
    fn spare_padding(&mut self, start: usize) {
        let stream = |ordered: &OrderedPacket| {
            self.sizes
                .get(usize::from(ordered.index))
                .map(|it| it.stream)
        };
        let run = self.ordered.get(start..).unwrap_or_default();
        let next = run.iter().skip(1).map(stream).chain([None]);
        let ends = (start..).zip(run).zip(next);
        let ends = ends.filter(|&((_, ordered), next)| stream(ordered) != next);
        let most = ends.max_by_key(|((_, ordered), _)| ordered.padding);
        let Some(position) = most.map(|((position, _), _)| position) else {
            return;
        };
        let packet = self.ordered.remove(position);
        self.ordered.push(OrderedPacket {
            padding: 0,
            ..packet
        });
    }

    /// Sets the next packet of the stream at `position`, and removes the stream when it has none. Returns
    /// by how many streams the position advances.
    fn advance(&mut self, position: usize, index: u8) -> usize {
        if index == NONE {
            self.fronts.remove(position);
            return 0;
        }
        if let Some(front) = self.fronts.get_mut(position) {
            *front = index;
        }
        1
    }
}

#[cfg(test)]
mod tests;
