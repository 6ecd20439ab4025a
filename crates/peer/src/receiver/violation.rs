//! Violations that no network condition can cause: each one is a defect of the server.

use watersmeet_wire::units::{SeqNo, Ssrc};

use crate::signature::PacketSignature;

/// Violation that a receiver detected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Violation {
    /// A packet of a stream that was not announced.
    UnknownStream {
        /// The stream.
        ssrc: Ssrc,
    },
    /// A payload type other than the announced one.
    WrongPayloadType {
        /// The stream.
        ssrc: Ssrc,
    },
    /// A packet that is not valid RTP or RTCP, or has invalid padding.
    Unreadable {
        /// The stream.
        ssrc: Ssrc,
    },
    /// A payload whose signature is missing or damaged.
    CorruptPayload {
        /// The packet.
        seq: SeqNo,
    },
    /// A packet repeats an earlier payload with another timestamp than it had, or that is none of the stream.
    WrongRedundancy {
        /// The packet.
        ssrc: Ssrc,
    },
    /// Sequence numbers jumped by thousands.
    SequenceJump {
        /// The stream.
        ssrc: Ssrc,
    },
    /// A frame consists of packets of several frames, or lacks one.
    InconsistentFrame {
        /// First packet of the frame.
        seq: SeqNo,
    },
    /// A frame was decodable although a referenced frame was not decoded.
    MissingReference {
        /// First packet of the frame.
        seq: SeqNo,
        /// Signature of the frame.
        signature: PacketSignature,
    },
    /// The encoding changed without a keyframe.
    SwitchWithoutKeyframe {
        /// First packet of the frame.
        seq: SeqNo,
    },
    /// The keyframe flag differs from the kind of the frame.
    KeyframeFlagMismatch {
        /// First packet of the frame.
        seq: SeqNo,
    },
    /// A later frame has an earlier or equal timestamp.
    TimestampBackwards {
        /// First packet of the frame.
        seq: SeqNo,
    },
    /// The timestamp drifted from the capture clock.
    TimestampDrift {
        /// First packet of the frame.
        seq: SeqNo,
        /// Deviation, in microseconds.
        micros: i64,
    },
    /// Picture ids of consecutive frames are not consecutive.
    PictureIdJump {
        /// First packet of the frame.
        seq: SeqNo,
        /// Id of the previous frame.
        before: u16,
        /// Id of this frame.
        after: u16,
    },
    /// TL0PICIDX of consecutive frames is not continuous.
    Tl0Jump {
        /// First packet of the frame.
        seq: SeqNo,
        /// Number of the previous frame.
        before: u8,
        /// Number of this frame.
        after: u8,
    },
    /// Media of a source that the receiver must not get.
    ForeignMedia {
        /// Signature of the packet.
        signature: PacketSignature,
    },
}
