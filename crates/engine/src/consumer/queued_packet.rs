//! Packets queued for sending, described by numbers: the producer's packet, and the fields that are
//! rewritten. The bytes are written when the packet is sent.

use watersmeet_wire::codec::Vp8Descriptor;
use watersmeet_wire::rtp::extension::AbsSendTime;
use watersmeet_wire::units::SeqNo;

use crate::slots::ConsumerKey;

/// Changes to a payload header. Only VP8 needs them: its picture counters are per stream, and a
/// receiver takes a jump for a loss.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct PayloadDescriptorPatch {
    /// New picture id.
    pub picture_id: Option<u16>,
    /// New TL0PICIDX.
    pub tl0_pic_idx: Option<u8>,
}

impl PayloadDescriptorPatch {
    /// Applies the changes to the payload header of a VP8 packet.
    pub fn apply(self, payload: &mut [u8]) {
        let Some(mut descriptor) = Vp8Descriptor::parse(payload) else {
            return;
        };
        let width = descriptor.picture_id;
        descriptor.picture_id = self
            .picture_id
            .zip(width)
            .map(|(id, width)| width.with_value(id));
        descriptor.tl0_pic_idx = self.tl0_pic_idx;
        descriptor.write(payload);
    }
}

/// Whether a packet is new, or how it is retransmitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transmission {
    /// The packet is sent for the first time.
    First,
    /// The packet with this sequence number is retransmitted on the RTX stream.
    Rtx(u16),
    /// The same packet is sent again, byte for byte: the peer has no RTX stream.
    Repetition,
}

/// A packet to send.
#[derive(Debug, Clone, Copy)]
pub struct QueuedPacket {
    /// Consumer that sends it.
    pub consumer: ConsumerKey,
    /// Index of the producer's stream.
    pub stream: u8,
    /// Sequence number in that stream.
    pub origin: SeqNo,
    /// Outgoing sequence number; of the RTX stream for a retransmission there.
    pub seq: u64,
    /// Whether it is new, or how it is retransmitted.
    pub transmission: Transmission,
    /// Outgoing RTP timestamp.
    pub timestamp: u32,
    /// Changes to its payload header.
    pub patch: PayloadDescriptorPatch,
}

/// Fields that are known only when a packet is sent.
#[derive(Debug, Clone, Copy)]
pub struct WireFields {
    /// Time of sending.
    pub abs_send_time: AbsSendTime,
    /// Transport-wide sequence number.
    pub transport_seq: u16,
    /// Bytes of padding that make it as long as others (RFC 3550 §5.1).
    pub padding: u8,
}
