//! The dependency descriptor (RTP payload format for AV1, AOMedia, appendix A): layer, references and
//! decode targets of the frame that a packet belongs to. Browsers send it with AV1, and on request
//! with all other video codecs.
//!
//! A descriptor refers to the templates of a structure that came with the last keyframe, so the
//! descriptors of a stream are read with a [`DependencyReader`]. A router can forward the descriptor
//! with another frame number, and tell the receiver which decode targets it still sends.

mod bits;
mod descriptor;
mod indication;
mod limits;
mod reader;
mod structure;
#[cfg(test)]
mod tests;

pub use self::descriptor::{DependencyDescriptor, DependencyError, GROWTH_MAX};
pub use self::indication::Indication;
pub use self::limits::{
    CHAINS_MAX, DECODE_TARGETS_MAX, FRAME_DIFFS_MAX, SPATIAL_LAYERS_MAX, TEMPLATES_MAX,
    TEMPORAL_LAYERS_MAX,
};
pub use self::reader::{DependencyReader, LATE_FRAMES_MAX};
pub use self::structure::{DecodeTarget, DependencyStructure};
