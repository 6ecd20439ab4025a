//! A packet on its way out, by name: which packet of the producer it is, and what is rewritten of
//! it. The bytes are written when its turn comes.

use watersmeet_wire::codec::Vp8Descriptor;
use watersmeet_wire::rtp::extension::AbsSendTime;
use watersmeet_wire::units::SeqNo;

use crate::slots::ConsumerKey;

/// What to write over a payload header. Only VP8 needs it: its picture counters are per stream,
/// and a receiver takes a jump for a loss.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct DescriptorPatch {
    /// VP8's picture id.
    pub picture_id: Option<u16>,
    /// VP8's TL0PICIDX.
    pub tl0_pic_idx: Option<u8>,
}

impl DescriptorPatch {
    /// Writes itself over the payload header of a VP8 packet.
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

/// A packet that is to leave.
#[derive(Debug, Clone, Copy)]
pub struct QueuedPacket {
    /// The consumer's place in the worker.
    pub consumer: ConsumerKey,
    /// The stream of the producer it comes from.
    pub stream: u8,
    /// Its number in that stream.
    pub origin: SeqNo,
    /// Its outgoing number, of the retransmission stream if it is one.
    pub seq: u64,
    /// The outgoing number of the packet it repeats.
    pub repeats: Option<u16>,
    /// Its outgoing media time.
    pub timestamp: u32,
    /// What to write over its payload header.
    pub patch: DescriptorPatch,
}

/// What is added to every packet when it is sent.
#[derive(Debug, Clone, Copy)]
pub struct WireFields {
    /// When the packet leaves.
    pub abs_send_time: AbsSendTime,
    /// Its number on the transport.
    pub transport_seq: u16,
    /// Bytes that make it as long as others (RFC 3550 §5.1); zero for none.
    pub padding: u8,
}
