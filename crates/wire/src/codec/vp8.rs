//! The VP8 payload descriptor (RFC 7741 §4.2) and the keyframe bit of the payload header (§4.3).
//! The picture id and TL0PICIDX can be rewritten in place: they must stay continuous for a receiver
//! when the forwarded encoding changes.

use super::payload_descriptor::PayloadDescriptor;
use super::picture_id::{NumberOffsets, PayloadReader, PictureId};

/// X bit: an extension byte follows.
const EXTENDED: u8 = 0x80;
/// N bit: no frame refers to this one.
const NON_REFERENCE: u8 = 0x20;
/// S bit: a partition starts here.
const START_OF_PARTITION: u8 = 0x10;
/// PID: number of the partition.
const PARTITION: u8 = 0x07;
/// I bit: a picture id follows.
const HAS_PICTURE_ID: u8 = 0x80;
/// L bit: TL0PICIDX follows.
const HAS_TL0_PIC_IDX: u8 = 0x40;
/// T bit: the temporal layer follows.
const HAS_TEMPORAL_LAYER: u8 = 0x20;
/// K bit: the keyframe index follows.
const HAS_KEY_INDEX: u8 = 0x10;
/// Y bit: the frame refers to temporal layer 0 only.
const LAYER_SYNC: u8 = 0x20;
/// KEYIDX: number of the keyframe.
const KEY_INDEX: u8 = 0x1f;
/// P bit of the payload header: the frame is not a keyframe.
const INTER_FRAME: u8 = 0x01;

/// Descriptor at the start of each VP8 payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vp8Descriptor {
    /// Length of the descriptor, in bytes.
    pub len: usize,
    /// Whether a partition starts in this packet.
    pub starts_partition: bool,
    /// Number of the partition, from 0.
    pub partition: u8,
    /// Whether no other frame refers to this one.
    pub non_reference: bool,
    /// Number of the picture.
    pub picture_id: Option<PictureId>,
    /// Number of the picture in temporal layer 0 that this one depends on.
    pub tl0_pic_idx: Option<u8>,
    /// Temporal layer; absent when the stream has none.
    pub temporal_layer: Option<u8>,
    /// Whether the frame refers to temporal layer 0 only.
    pub layer_sync: bool,
    /// Number of the keyframe that this frame depends on, in 5 bits.
    pub key_index: Option<u8>,
    /// Whether a keyframe starts in this packet.
    pub keyframe: bool,
    /// Offsets of the picture id and TL0PICIDX.
    offsets: NumberOffsets,
}

impl Vp8Descriptor {
    /// Reads the descriptor of `payload`. Returns `None` when it is truncated or no VP8 data
    /// follows it.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let mut reader = PayloadReader::new(payload);
        let first = reader.u8()?;
        let mut descriptor = Self {
            len: 0,
            starts_partition: first & START_OF_PARTITION != 0,
            partition: first & PARTITION,
            non_reference: first & NON_REFERENCE != 0,
            picture_id: None,
            tl0_pic_idx: None,
            temporal_layer: None,
            layer_sync: false,
            key_index: None,
            keyframe: false,
            offsets: NumberOffsets::default(),
        };
        if first & EXTENDED != 0 {
            descriptor.parse_extension(&mut reader)?;
        }
        descriptor.len = reader.at;
        let header = reader.peek_u8()?;
        descriptor.keyframe = descriptor.starts_frame() && header & INTER_FRAME == 0;
        Some(descriptor)
    }

    /// Reads the extension byte and the fields that it announces.
    fn parse_extension(&mut self, reader: &mut PayloadReader<'_>) -> Option<()> {
        let has = reader.u8()?;
        if has & HAS_PICTURE_ID != 0 {
            self.offsets.picture_id = reader.at;
            self.picture_id = Some(PictureId::parse(reader)?);
        }
        if has & HAS_TL0_PIC_IDX != 0 {
            self.offsets.tl0_pic_idx = reader.at;
            self.tl0_pic_idx = Some(reader.u8()?);
        }
        if has & (HAS_TEMPORAL_LAYER | HAS_KEY_INDEX) != 0 {
            let layer = reader.u8()?;
            if has & HAS_TEMPORAL_LAYER != 0 {
                self.temporal_layer = Some(layer >> 6);
                self.layer_sync = layer & LAYER_SYNC != 0;
            }
            if has & HAS_KEY_INDEX != 0 {
                self.key_index = Some(layer & KEY_INDEX);
            }
        }
        Some(())
    }

    /// Returns whether a frame starts in this packet.
    pub const fn starts_frame(&self) -> bool {
        self.starts_partition && self.partition == 0
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
            keyframe: self.keyframe,
            starts_layer: self.keyframe,
            starts_frame: self.starts_frame(),
            inter_picture: !self.keyframe,
            temporal_layer: self.temporal_layer.unwrap_or(0),
            layer_sync: self.layer_sync,
            picture_id: self.picture_id,
            tl0_pic_idx: self.tl0_pic_idx,
            ..PayloadDescriptor::default()
        }
    }
}
