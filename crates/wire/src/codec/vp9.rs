//! The VP9 payload descriptor (RFC 9628 §4.2), in its flexible and non-flexible mode, with the
//! scalability structure that a keyframe carries. The picture id and TL0PICIDX can be written back
//! in place, as with VP8.

use arrayvec::ArrayVec;

use super::{PayloadDescriptor, PictureId};

/// Most spatial layers that a scalability structure describes: N_S is 3 bits.
pub const SPATIAL_LAYERS_MAX: usize = 8;

/// Most pictures that a flexible-mode picture names as its references (§4.2, N bit).
pub const REFERENCES_MAX: usize = 3;

/// I: a picture id follows.
const HAS_PICTURE_ID: u8 = 0x80;
/// P: predicted from earlier pictures.
const INTER_PICTURE: u8 = 0x40;
/// L: layer indices follow.
const HAS_LAYERS: u8 = 0x20;
/// F: flexible mode.
const FLEXIBLE: u8 = 0x10;
/// B: a layer frame starts here.
const STARTS_FRAME: u8 = 0x08;
/// E: a layer frame ends here.
const ENDS_FRAME: u8 = 0x04;
/// V: the scalability structure follows.
const HAS_STRUCTURE: u8 = 0x02;
/// Z: no higher spatial layer refers to this layer frame.
const NOT_REFERENCED_ABOVE: u8 = 0x01;
/// U: temporal switching up.
const SWITCHING_UP: u8 = 0x10;
/// D: predicted from the spatial layer below.
const INTER_LAYER: u8 = 0x01;
/// N: one more reference follows.
const ANOTHER_REFERENCE: u8 = 0x01;
/// Y of the structure: resolutions follow.
const HAS_RESOLUTIONS: u8 = 0x10;
/// G of the structure: the group of pictures follows.
const HAS_GROUP: u8 = 0x08;

/// The descriptor in front of each VP9 payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vp9Descriptor {
    /// Its length, in bytes.
    pub len: usize,
    /// References are named picture by picture.
    pub flexible: bool,
    /// The layer frame is predicted from earlier pictures.
    pub inter_picture: bool,
    /// The layer frame is predicted from the spatial layer below.
    pub inter_layer: bool,
    /// A layer frame starts in this packet.
    pub starts_frame: bool,
    /// A layer frame ends in this packet.
    pub ends_frame: bool,
    /// No higher spatial layer refers to this layer frame.
    pub not_referenced_above: bool,
    /// The picture's number.
    pub picture_id: Option<PictureId>,
    /// Temporal layer, when there are layer indices.
    pub temporal_layer: Option<u8>,
    /// Spatial layer, when there are layer indices.
    pub spatial_layer: Option<u8>,
    /// From here on, higher temporal layers refer to nothing before.
    pub switching_up: bool,
    /// The number of the picture in temporal layer 0 that this one builds on; in non-flexible mode.
    pub tl0_pic_idx: Option<u8>,
    /// How many pictures back each reference is; in flexible mode.
    pub references: ArrayVec<u8, REFERENCES_MAX>,
    /// The scalability structure, on keyframes.
    pub structure: Option<ScalabilityStructure>,
    /// Where the picture id stands.
    picture_id_at: usize,
    /// Where TL0PICIDX stands.
    tl0_pic_idx_at: usize,
}

/// How the layers of a stream are built (§4.2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScalabilityStructure {
    /// Spatial layers, at least one.
    pub spatial_layers: u8,
    /// Width and height of each spatial layer, lowest first; empty when not given.
    pub resolutions: ArrayVec<(u16, u16), SPATIAL_LAYERS_MAX>,
    /// The number of temporal layers in the group of pictures; one when not given.
    pub temporal_layers: u8,
}

impl Vp9Descriptor {
    /// Reads the descriptor of `payload`; none when it is cut short or no VP9 follows it.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let has = *payload.first()?;
        let mut at = 1;
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
            picture_id_at: 0,
            tl0_pic_idx_at: 0,
        };
        if has & HAS_PICTURE_ID != 0 {
            descriptor.picture_id_at = at;
            descriptor.picture_id = Some(PictureId::parse(payload, &mut at)?);
        }
        if has & HAS_LAYERS != 0 {
            descriptor.parse_layers(payload, &mut at)?;
        }
        if descriptor.flexible && descriptor.inter_picture {
            descriptor.parse_references(payload, &mut at)?;
        }
        if has & HAS_STRUCTURE != 0 {
            descriptor.structure = Some(ScalabilityStructure::parse(payload, &mut at)?);
        }
        descriptor.len = at;
        // A descriptor with nothing behind it carries no media.
        (at < payload.len()).then_some(descriptor)
    }

    /// Reads the layer indices at `at`, and moves `at` behind them.
    fn parse_layers(&mut self, payload: &[u8], at: &mut usize) -> Option<()> {
        let layers = take(payload, at)?;
        self.temporal_layer = Some(layers >> 5);
        self.switching_up = layers & SWITCHING_UP != 0;
        self.spatial_layer = Some((layers >> 1) & 0x07);
        self.inter_layer = layers & INTER_LAYER != 0;
        if !self.flexible {
            self.tl0_pic_idx_at = *at;
            self.tl0_pic_idx = Some(take(payload, at)?);
        }
        Some(())
    }

    /// Reads the references at `at`, and moves `at` behind them.
    fn parse_references(&mut self, payload: &[u8], at: &mut usize) -> Option<()> {
        loop {
            let reference = take(payload, at)?;
            // A fourth reference contradicts the format.
            self.references.try_push(reference >> 1).ok()?;
            if reference & ANOTHER_REFERENCE == 0 {
                return Some(());
            }
        }
    }

    /// Whether a keyframe starts in this packet: the lowest spatial layer of a picture that is
    /// predicted from no other.
    pub fn is_keyframe(&self) -> bool {
        self.starts_frame && !self.inter_picture && self.spatial_layer.unwrap_or(0) == 0
    }

    /// Writes the picture id and TL0PICIDX into the `payload` that the descriptor was read from,
    /// or a copy of it. What the payload does not have is not added.
    pub fn write(&self, payload: &mut [u8]) {
        if let (Some(picture_id), 1..) = (self.picture_id, self.picture_id_at) {
            picture_id.write(payload, self.picture_id_at);
        }
        if let (Some(tl0_pic_idx), 1..) = (self.tl0_pic_idx, self.tl0_pic_idx_at) {
            payload
                .get_mut(self.tl0_pic_idx_at)
                .into_iter()
                .for_each(|byte| *byte = tl0_pic_idx);
        }
    }

    /// The descriptor in words that all codecs share.
    pub fn payload_descriptor(&self) -> PayloadDescriptor {
        PayloadDescriptor {
            keyframe: self.is_keyframe(),
            starts_frame: self.starts_frame,
            ends_frame: self.ends_frame,
            spatial_layer: self.spatial_layer.unwrap_or(0),
            temporal_layer: self.temporal_layer.unwrap_or(0),
            layer_sync: self.switching_up,
            picture_id: self.picture_id,
            tl0_pic_idx: self.tl0_pic_idx,
            dtx: false,
        }
    }
}

impl ScalabilityStructure {
    /// Reads the structure at `at`, and moves `at` behind it.
    fn parse(payload: &[u8], at: &mut usize) -> Option<Self> {
        let head = take(payload, at)?;
        let mut structure = Self {
            spatial_layers: (head >> 5) + 1,
            resolutions: ArrayVec::new(),
            temporal_layers: 1,
        };
        if head & HAS_RESOLUTIONS != 0 {
            for _ in 0..structure.spatial_layers {
                let width = u16::from_be_bytes([take(payload, at)?, take(payload, at)?]);
                let height = u16::from_be_bytes([take(payload, at)?, take(payload, at)?]);
                structure.resolutions.try_push((width, height)).ok()?;
            }
        }
        if head & HAS_GROUP != 0 {
            // At most 255 pictures of at most three references each.
            for _ in 0..take(payload, at)? {
                let picture = take(payload, at)?;
                structure.temporal_layers = structure.temporal_layers.max((picture >> 5) + 1);
                for _ in 0..((picture >> 2) & 0x03) {
                    take(payload, at)?;
                }
            }
        }
        Some(structure)
    }
}

/// The byte at `at`, which moves behind it.
fn take(payload: &[u8], at: &mut usize) -> Option<u8> {
    let byte = *payload.get(*at)?;
    *at += 1;
    Some(byte)
}
