//! What no receiver may ever see, whatever the network does: each one is a fault of the server.

use watersmeet_wire::units::{SeqNo, Ssrc};

use crate::tag::Tag;

/// A fault that a receiver proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Violation {
    /// A packet of a stream that nobody announced.
    UnknownStream {
        /// Which.
        ssrc: Ssrc,
    },
    /// A payload type other than the announced one.
    WrongPayloadType {
        /// The stream.
        ssrc: Ssrc,
    },
    /// Bytes that are no RTP, or a payload that is not its codec's.
    Unreadable {
        /// The stream.
        ssrc: Ssrc,
    },
    /// A payload whose signature is missing or was written over.
    Damaged {
        /// The packet.
        seq: SeqNo,
    },
    /// Sequence numbers jumped by thousands.
    SequenceJump {
        /// The stream.
        ssrc: Ssrc,
    },
    /// Pieces of different frames were put together, or one is missing in the middle.
    Torn {
        /// First packet of the frame.
        seq: SeqNo,
    },
    /// A frame was shown whose foundations were not.
    Unfounded {
        /// First packet of the frame.
        seq: SeqNo,
        /// Whose frame it is.
        tag: Tag,
    },
    /// A frame of another encoding came without a keyframe.
    SwitchWithoutKeyframe {
        /// First packet of the frame.
        seq: SeqNo,
    },
    /// The descriptor says keyframe and the frame is none, or the other way round.
    WrongKind {
        /// First packet of the frame.
        seq: SeqNo,
    },
    /// A later frame has an earlier timestamp.
    TimestampBackwards {
        /// First packet of the frame.
        seq: SeqNo,
    },
    /// The timestamp moved otherwise than the clock of the camera did.
    TimestampDrift {
        /// First packet of the frame.
        seq: SeqNo,
        /// By how many microseconds.
        micros: i64,
    },
    /// Picture ids of neighbouring frames do not follow one another.
    PictureIdJump {
        /// First packet of the frame.
        seq: SeqNo,
        /// The id before.
        before: u16,
        /// The id of this frame.
        after: u16,
    },
    /// Base layer numbers of neighbouring frames do not follow one another.
    Tl0Jump {
        /// First packet of the frame.
        seq: SeqNo,
        /// The number before.
        before: u8,
        /// The number of this frame.
        after: u8,
    },
    /// Media of somebody who is not meant to be here.
    Foreign {
        /// Whose it is.
        tag: Tag,
    },
}
