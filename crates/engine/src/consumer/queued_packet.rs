//! Packets queued for sending, described by numbers: the producer's packet, and the fields that are
//! rewritten. The bytes are written when the packet is sent.

use std::time::Duration;

use watersmeet_wire::codec::Vp8Descriptor;
use watersmeet_wire::params::MediaKind;
use watersmeet_wire::rtp::extension::AbsSendTime;
use watersmeet_wire::units::{SeqNo, Time};

use crate::redundancy::Redundancy;
use crate::slots::ConsumerKey;

/// Changes to a packet that is forwarded. Picture counters change in VP8 only: they are per stream, and a
/// receiver takes a jump for a loss.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct PacketPatch {
    /// New picture id.
    pub picture_id: Option<u16>,
    /// New TL0PICIDX.
    pub tl0_pic_idx: Option<u8>,
    /// Whether the packet gets the marker bit: it ends the picture of a receiver of fewer layers.
    pub sets_marker: bool,
    /// Earlier payloads that an audio packet repeats.
    pub redundancy: Redundancy,
}

impl PacketPatch {
    /// Applies the changes to the payload header of a VP8 packet; others have none.
    pub fn apply(self, payload: &mut [u8]) {
        if self.picture_id.is_none() && self.tl0_pic_idx.is_none() {
            return;
        }
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

/// Order in which packets are sent when they have to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SendPriority {
    /// Audio, new or retransmitted.
    Audio,
    /// Retransmitted video.
    Retransmission,
    /// Shared screens: what is talked about goes before those who talk.
    Screen,
    /// Other video.
    Video,
}

impl SendPriority {
    /// Returns the priority of a packet.
    pub const fn of(kind: MediaKind, transmission: Transmission, is_screen: bool) -> Self {
        match (kind, transmission) {
            (MediaKind::Audio, _) => Self::Audio,
            (MediaKind::Video, Transmission::First) if is_screen => Self::Screen,
            (MediaKind::Video, Transmission::First) => Self::Video,
            (MediaKind::Video, Transmission::Rtx(_) | Transmission::Repetition) => {
                Self::Retransmission
            }
        }
    }
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
    /// Order among packets that wait.
    pub priority: SendPriority,
    /// Milliseconds of the time at which it was queued, modulo 2^32.
    pub queued_millis: u32,
    /// Outgoing RTP timestamp.
    pub timestamp: u32,
    /// Changes to the producer's packet.
    pub patch: PacketPatch,
}

impl QueuedPacket {
    /// Returns whether it is sent for the first time.
    pub fn is_first(&self) -> bool {
        self.transmission == Transmission::First
    }

    /// Returns how long it has waited.
    pub const fn waited(&self, now: Time) -> Duration {
        let millis = low_32_bits(now.as_millis()).wrapping_sub(self.queued_millis);
        Duration::from_millis(millis as u64)
    }
}

/// Returns the low 32 bits of a number.
#[expect(clippy::cast_possible_truncation, reason = "wanted modulo 2^32")]
pub const fn low_32_bits(number: u64) -> u32 {
    number as u32
}

const _: () = assert!(
    size_of::<QueuedPacket>() <= 48,
    "packets are queued per receiver"
);

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
