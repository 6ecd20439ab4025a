//! Assembly of frames from packets: a frame is complete when all packets from its first to the one
//! with the marker bit have arrived. Only sequence numbers determine the order.

use watersmeet_wire::units::{Map, SeqNo};

use crate::signature::PacketSignature;
use crate::vp8::{self, Descriptor};

/// Most packets that are kept until their frame is complete.
pub const PACKETS_MAX: usize = 2_048;

/// Packet of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FramePacket {
    /// RTP timestamp.
    pub timestamp: u32,
    /// Marker bit: the packet ends the frame.
    pub marker: bool,
    /// Payload descriptor.
    pub descriptor: Descriptor,
    /// Whether the frame is a keyframe; set in its first packet only.
    pub keyframe: bool,
    /// Signature.
    pub signature: PacketSignature,
}

impl FramePacket {
    /// Parses a payload. Returns `None` when it is not VP8 or its signature is damaged.
    pub fn parse(timestamp: u32, marker: bool, payload: &[u8]) -> Option<Self> {
        let (descriptor, rest) = Descriptor::parse(payload)?;
        let (keyframe, rest) = if descriptor.starts_frame() {
            vp8::parse_frame_header(rest)?
        } else {
            (false, rest)
        };
        let signature = PacketSignature::parse(rest)?;
        Some(Self {
            timestamp,
            marker,
            descriptor,
            keyframe,
            signature,
        })
    }
}

/// Complete frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AssembledFrame {
    /// First packet.
    pub first: SeqNo,
    /// Last packet.
    pub last: SeqNo,
    /// RTP timestamp.
    pub timestamp: u32,
    /// Payload descriptor of the first packet.
    pub descriptor: Descriptor,
    /// Whether its header marks it as a keyframe.
    pub keyframe: bool,
    /// Signature of the first packet.
    pub signature: PacketSignature,
    /// Whether its packets are exactly those of one frame, in order.
    pub is_consistent: bool,
}

/// Packets of incomplete frames.
#[derive(Debug, Default)]
pub struct FrameAssembler {
    /// Packets by sequence number.
    packets: Map<SeqNo, FramePacket>,
}

impl FrameAssembler {
    /// Adds a packet; returns the frame that it completes.
    pub fn insert(&mut self, seq: SeqNo, packet: FramePacket) -> Option<AssembledFrame> {
        self.packets.insert(seq, packet);
        while self.packets.len() > PACKETS_MAX {
            self.packets.pop_first();
        }
        let first = self.find_boundary(seq, packet.timestamp, Boundary::Start)?;
        let last = self.find_boundary(seq, packet.timestamp, Boundary::End)?;
        let frame = self.build_frame(first, last)?;
        for taken in first.0..=last.0 {
            self.packets.remove(&SeqNo(taken));
        }
        Some(frame)
    }

    /// Drops all packets before `seq`.
    pub fn drop_before(&mut self, seq: SeqNo) {
        self.packets = self.packets.split_off(&seq);
    }

    /// Returns whether the first packet of an incomplete keyframe has arrived.
    pub fn has_keyframe_start(&self) -> bool {
        self.packets.values().any(|packet| packet.keyframe)
    }

    /// Returns the boundary of the frame, when no packet is missing up to there.
    fn find_boundary(&self, from: SeqNo, timestamp: u32, boundary: Boundary) -> Option<SeqNo> {
        let mut seq = from;
        loop {
            let packet = self
                .packets
                .get(&seq)
                .filter(|packet| packet.timestamp == timestamp)?;
            match boundary {
                Boundary::Start if packet.descriptor.starts_frame() => return Some(seq),
                Boundary::End if packet.marker => return Some(seq),
                Boundary::Start => seq = SeqNo(seq.0 - 1),
                Boundary::End => seq = SeqNo(seq.0 + 1),
            }
        }
    }

    fn build_frame(&self, first: SeqNo, last: SeqNo) -> Option<AssembledFrame> {
        let head = self.packets.get(&first)?;
        let len = last.0 - first.0 + 1;
        let fits = |(index, (_, packet)): (u64, (&SeqNo, &FramePacket))| {
            packet.signature.same_frame(&head.signature)
                && u64::from(packet.signature.index) == index
                && packet.descriptor.starts_frame() == (index == 0)
                && packet.descriptor.picture_id == head.descriptor.picture_id
                && packet.descriptor.tl0_index == head.descriptor.tl0_index
        };
        let is_consistent = u64::from(head.signature.count) == len
            && (0..).zip(self.packets.range(first..=last)).all(fits);
        Some(AssembledFrame {
            first,
            last,
            timestamp: head.timestamp,
            descriptor: head.descriptor,
            keyframe: head.keyframe,
            signature: head.signature,
            is_consistent,
        })
    }
}

/// Boundary of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Boundary {
    /// First packet.
    Start,
    /// Last packet.
    End,
}
