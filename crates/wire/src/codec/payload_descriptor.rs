//! The properties of a payload that all codecs share.

use super::picture_id::PictureId;

/// Properties of one payload, read from its leading bytes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct PayloadDescriptor {
    /// Whether a receiver without any earlier packet can start here: a keyframe starts, or the
    /// payload is audio. Later packets of the same keyframe have it unset.
    pub keyframe: bool,
    /// Whether a frame (in VP9 one spatial layer of it) starts here. An H.264 frame may set this
    /// twice, at its parameter sets and at its first slice.
    pub starts_frame: bool,
    /// Whether the payload itself marks the end of a frame (in VP9 of one spatial layer). Only VP9
    /// and Opus do; with other codecs the RTP marker bit ends a frame.
    pub ends_frame: bool,
    /// Whether a receiver of this spatial layer alone can start here, where spatial layers are
    /// independent of one another; equal to `keyframe` without spatial layers.
    pub starts_layer: bool,
    /// Spatial layer, from 0.
    pub spatial_layer: u8,
    /// Number of spatial layers from here on, where a keyframe tells it; else zero.
    pub spatial_layers: u8,
    /// Temporal layer, from 0.
    pub temporal_layer: u8,
    /// Whether the frame refers to earlier pictures. Only codecs with spatial layers tell.
    pub inter_picture: bool,
    /// Whether the frame refers to the spatial layer below.
    pub inter_layer: bool,
    /// Whether the frame refers to the lowest temporal layer alone, so that a receiver of lower temporal
    /// layers can switch up to this one here (VP8).
    pub layer_sync: bool,
    /// Whether later frames of higher temporal layers refer to no frame before this one (VP9, AV1).
    pub switching_up: bool,
    /// Number of the picture.
    pub picture_id: Option<PictureId>,
    /// Number of the picture in temporal layer 0 that this one depends on.
    pub tl0_pic_idx: Option<u8>,
    /// Whether the packet carries silence (DTX) and may be dropped.
    pub dtx: bool,
}
