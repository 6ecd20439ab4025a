//! Bounds of what is read from dependency descriptors.

/// Most decode targets of a stream: their count has five bits.
pub const DECODE_TARGETS_MAX: usize = 32;

/// Most chains of a stream: one for each decode target.
pub const CHAINS_MAX: usize = DECODE_TARGETS_MAX;

/// Most spatial layers: AV1 numbers them with two bits.
pub const SPATIAL_LAYERS_MAX: usize = 4;

/// Most references of a frame that are read. H.264 allows 16, AV1 7.
pub const FRAME_DIFFS_MAX: usize = 16;

/// Most templates of a structure: their ids have six bits.
pub const TEMPLATES_MAX: usize = 64;

/// Most temporal layers: AV1 numbers them with three bits.
pub const TEMPORAL_LAYERS_MAX: usize = 8;
