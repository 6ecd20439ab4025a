//! Packets of a video stream on their way to becoming frames: a frame is whole when every packet
//! from its first to its marked one is there. Order is that of the sequence numbers alone.

use watersmeet_wire::units::{Map, SeqNo};

use crate::tag::Tag;
use crate::vp8::{self, Descriptor};

/// Most packets that wait for their frame.
pub const PACKETS_MAX: usize = 2_048;

/// One packet of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// Media time.
    pub timestamp: u32,
    /// Whether it ends the frame.
    pub marker: bool,
    /// What it says of the frame.
    pub descriptor: Descriptor,
    /// Whether the frame is a keyframe; known to its first packet.
    pub keyframe: bool,
    /// Its signature.
    pub tag: Tag,
}

impl Piece {
    /// Reads a payload. `None` when it is not VP8, or when it was written over.
    pub fn parse(timestamp: u32, marker: bool, payload: &[u8]) -> Option<Self> {
        let (descriptor, rest) = Descriptor::parse(payload)?;
        let (keyframe, rest) = if descriptor.begins_frame() {
            vp8::parse_frame_header(rest)?
        } else {
            (false, rest)
        };
        let tag = Tag::parse(rest)?;
        Some(Self {
            timestamp,
            marker,
            descriptor,
            keyframe,
            tag,
        })
    }
}

/// A whole frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Its first packet.
    pub first: SeqNo,
    /// Its last packet.
    pub last: SeqNo,
    /// Media time.
    pub timestamp: u32,
    /// What it says of itself.
    pub descriptor: Descriptor,
    /// Whether it says that it is a keyframe.
    pub keyframe: bool,
    /// The signature of its first packet.
    pub tag: Tag,
    /// Whether its pieces are those of one frame, all of them, in order.
    pub sound: bool,
}

/// Packets that wait for their frame.
#[derive(Debug, Default)]
pub struct Assembly {
    /// By number.
    pieces: Map<SeqNo, Piece>,
}

impl Assembly {
    /// Adds a packet; the frame that it completes, if it does.
    pub fn add(&mut self, seq: SeqNo, piece: Piece) -> Option<Frame> {
        self.pieces.insert(seq, piece);
        while self.pieces.len() > PACKETS_MAX {
            self.pieces.pop_first();
        }
        let first = self.reach(seq, piece.timestamp, Way::Back)?;
        let last = self.reach(seq, piece.timestamp, Way::On)?;
        let frame = self.frame(first, last)?;
        for taken in first.0..=last.0 {
            self.pieces.remove(&SeqNo(taken));
        }
        Some(frame)
    }

    /// Drops what lies before `seq`.
    pub fn forget_before(&mut self, seq: SeqNo) {
        self.pieces = self.pieces.split_off(&seq);
    }

    /// Whether a packet of a keyframe waits for the others.
    pub fn holds_keyframe(&self) -> bool {
        self.pieces.values().any(|piece| piece.keyframe)
    }

    /// The end of the frame in this direction, when nothing is missing up to there.
    fn reach(&self, from: SeqNo, timestamp: u32, way: Way) -> Option<SeqNo> {
        let mut seq = from;
        loop {
            let piece = self
                .pieces
                .get(&seq)
                .filter(|piece| piece.timestamp == timestamp)?;
            match way {
                Way::Back if piece.descriptor.begins_frame() => return Some(seq),
                Way::On if piece.marker => return Some(seq),
                Way::Back => seq = SeqNo(seq.0 - 1),
                Way::On => seq = SeqNo(seq.0 + 1),
            }
        }
    }

    fn frame(&self, first: SeqNo, last: SeqNo) -> Option<Frame> {
        let head = self.pieces.get(&first)?;
        let len = last.0 - first.0 + 1;
        let fits = |(index, (_, piece)): (u64, (&SeqNo, &Piece))| {
            piece.tag.same_frame(&head.tag)
                && u64::from(piece.tag.index) == index
                && piece.descriptor.begins_frame() == (index == 0)
                && piece.descriptor.picture_id == head.descriptor.picture_id
                && piece.descriptor.tl0_index == head.descriptor.tl0_index
        };
        let sound = u64::from(head.tag.count) == len
            && (0..).zip(self.pieces.range(first..=last)).all(fits);
        Some(Frame {
            first,
            last,
            timestamp: head.timestamp,
            descriptor: head.descriptor,
            keyframe: head.keyframe,
            tag: head.tag,
            sound,
        })
    }
}

/// Which end of a frame is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Its beginning.
    Back,
    /// Its end.
    On,
}
