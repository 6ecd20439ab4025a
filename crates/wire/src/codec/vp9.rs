//! The VP9 payload descriptor (RFC 9628 §4.2) in flexible and non-flexible mode, with the
//! scalability structure of keyframes. The picture id and TL0PICIDX can be rewritten in place, as
//! with VP8.

use arrayvec::ArrayVec;

use super::payload_descriptor::PayloadDescriptor;
use super::picture_id::{NumberOffsets, PayloadReader, PictureId};

/// Most spatial layers that a scalability structure can describe: N_S has 3 bits.
pub const SPATIAL_LAYERS_MAX: usize = 8;

/// Most references of a picture in flexible mode (§4.2, N bit).
pub const REFERENCES_MAX: usize = 3;

/// I bit: a picture id follows.
const HAS_PICTURE_ID: u8 = 0x80;
/// P bit: predicted from earlier pictures.
const INTER_PICTURE: u8 = 0x40;
/// L bit: layer indices follow.
const HAS_LAYERS: u8 = 0x20;
/// F bit: flexible mode.
const FLEXIBLE: u8 = 0x10;
/// B bit: a layer frame starts here.
const STARTS_FRAME: u8 = 0x08;
/// E bit: a layer frame ends here.
const ENDS_FRAME: u8 = 0x04;
/// V bit: the scalability structure follows.
const HAS_STRUCTURE: u8 = 0x02;
/// Z bit: no higher spatial layer refers to this layer frame.
const NOT_REFERENCED_ABOVE: u8 = 0x01;
/// U bit: temporal switching-up point.
const SWITCHING_UP: u8 = 0x10;
/// D bit: predicted from the spatial layer below.
const INTER_LAYER: u8 = 0x01;
/// N bit: one more reference follows.
const ANOTHER_REFERENCE: u8 = 0x01;
/// Y bit of the structure: resolutions follow.
const HAS_RESOLUTIONS: u8 = 0x10;
/// G bit of the structure: the group of pictures follows.
const HAS_GROUP: u8 = 0x08;

/// Descriptor at the start of each VP9 payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vp9Descriptor {
    /// Length of the descriptor, in bytes.
    pub len: usize,
    /// Whether the stream is in flexible mode, in which each picture lists its references.
    pub flexible: bool,
    /// Whether the layer frame is predicted from earlier pictures.
    pub inter_picture: bool,
    /// Whether the layer frame is predicted from the spatial layer below.
    pub inter_layer: bool,
    /// Whether a layer frame starts in this packet.
    pub starts_frame: bool,
    /// Whether a layer frame ends in this packet.
    pub ends_frame: bool,
    /// Whether no higher spatial layer refers to this layer frame.
    pub not_referenced_above: bool,
    /// Number of the picture.
    pub picture_id: Option<PictureId>,
    /// Temporal layer; absent without layer indices.
    pub temporal_layer: Option<u8>,
    /// Spatial layer; absent without layer indices.
    pub spatial_layer: Option<u8>,
    /// Whether later frames of higher temporal layers refer to no frame before this one.
    pub switching_up: bool,
    /// Number of the picture in temporal layer 0 that this one depends on; non-flexible mode only.
    pub tl0_pic_idx: Option<u8>,
    /// Distance of each reference, in pictures; flexible mode only.
    pub references: ArrayVec<u8, REFERENCES_MAX>,
    /// Scalability structure; usually on keyframes only.
    pub structure: Option<ScalabilityStructure>,
    /// Offsets of the picture id and TL0PICIDX.
    offsets: NumberOffsets,
}

/// Layers of a stream (§4.2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScalabilityStructure {
    /// Number of spatial layers, at least one.
    pub spatial_layers: u8,
    /// Width and height of each spatial layer, lowest first; empty when not given.
    pub resolutions: ArrayVec<(u16, u16), SPATIAL_LAYERS_MAX>,
    /// Number of temporal layers in the group of pictures; one when not given.
    pub temporal_layers: u8,
}

impl Vp9Descriptor {
    /// Reads the descriptor of `payload`. Returns `None` when it is truncated, violates the format
    /// or no VP9 data follows it.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let mut reader = PayloadReader::new(payload);
        let has = reader.u8()?;
        let mut descriptor = Self {
            len: 0,
            flexible: has & FLEXIBLE != 0,
            inter_picture: has & INTER_PICTURE != 0,
            inter_layer: false,
            starts_frame: has & STARTS_FRAME != 0,
            ends_frame: has & ENDS_FRAME != 0,
            not_referenced_above: has & NOT_REFERENCED_ABOVE != 0,
            picture_id: None,
            temporal_layer: None,
            spatial_layer: None,
            switching_up: false,
            tl0_pic_idx: None,
            references: ArrayVec::new(),
            structure: None,
            offsets: NumberOffsets::default(),
        };
        if has & HAS_PICTURE_ID != 0 {
            descriptor.offsets.picture_id = reader.at;
            descriptor.picture_id = Some(PictureId::parse(&mut reader)?);
        }
        if has & HAS_LAYERS != 0 {
            descriptor.parse_layers(&mut reader)?;
        }
        if descriptor.flexible && descriptor.inter_picture {
            descriptor.parse_references(&mut reader)?;
        }
        if has & HAS_STRUCTURE != 0 {
            descriptor.structure = Some(ScalabilityStructure::parse(&mut reader)?);
        }
        descriptor.len = reader.at;
        // A descriptor without data after it carries no media.
        (reader.at < payload.len()).then_some(descriptor)
    }

    fn parse_layers(&mut self, reader: &mut PayloadReader<'_>) -> Option<()> {
        let layers = reader.u8()?;
        self.temporal_layer = Some(layers >> 5);
        self.switching_up = layers & SWITCHING_UP != 0;
        self.spatial_layer = Some((layers >> 1) & 0x07);
        self.inter_layer = layers & INTER_LAYER != 0;
        if !self.flexible {
            self.offsets.tl0_pic_idx = reader.at;
            self.tl0_pic_idx = Some(reader.u8()?);
        }
        Some(())
    }

    fn parse_references(&mut self, reader: &mut PayloadReader<'_>) -> Option<()> {
        loop {
            let reference = reader.u8()?;
            // A fourth reference violates the format.
            self.references.try_push(reference >> 1).ok()?;
            if reference & ANOTHER_REFERENCE == 0 {
                return Some(());
            }
        }
    }

    /// Returns whether a keyframe starts in this packet: the lowest spatial layer of a picture
    /// that is predicted from no other.
    pub fn is_keyframe(&self) -> bool {
        self.starts_frame && !self.inter_picture && self.spatial_layer.unwrap_or(0) == 0
    }

    /// Writes the picture id and TL0PICIDX into the `payload` that the descriptor was read from, or
    /// into a copy of it. A number that the payload does not have is not added.
    pub fn write(&self, payload: &mut [u8]) {
        self.offsets
            .write(payload, self.picture_id, self.tl0_pic_idx);
    }

    /// Returns the properties that all codecs share.
    pub fn payload_descriptor(&self) -> PayloadDescriptor {
        PayloadDescriptor {
            keyframe: self.is_keyframe(),
            starts_frame: self.starts_frame,
            ends_frame: self.ends_frame,
            starts_layer: self.starts_frame && !self.inter_picture && !self.inter_layer,
            spatial_layer: self.spatial_layer.unwrap_or(0),
            spatial_layers: self.structure.as_ref().map_or(0, |it| it.spatial_layers),
            temporal_layer: self.temporal_layer.unwrap_or(0),
            inter_picture: self.inter_picture,
            inter_layer: self.inter_layer,
            layer_sync: false,
            switching_up: self.switching_up,
            picture_id: self.picture_id,
            tl0_pic_idx: self.tl0_pic_idx,
            dtx: false,
        }
    }
}

impl ScalabilityStructure {
    fn parse(reader: &mut PayloadReader<'_>) -> Option<Self> {
        let head = reader.u8()?;
        let mut structure = Self {
            spatial_layers: (head >> 5) + 1,
            resolutions: ArrayVec::new(),
            temporal_layers: 1,
        };
        if head & HAS_RESOLUTIONS != 0 {
            for _ in 0..structure.spatial_layers {
                let resolution = (reader.u16()?, reader.u16()?);
                structure.resolutions.try_push(resolution).ok()?;
            }
        }
        if head & HAS_GROUP != 0 {
            // At most 255 pictures of at most three references each.
            for _ in 0..reader.u8()? {
                let picture = reader.u8()?;
                structure.temporal_layers = structure.temporal_layers.max((picture >> 5) + 1);
                for _ in 0..((picture >> 2) & 0x03) {
                    reader.u8()?;
                }
            }
        }
        Some(structure)
    }
}
