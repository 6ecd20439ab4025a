//! The VP8 payload descriptor (RFC 7741 §4.2) and the one bit of the payload header (§4.3) that
//! tells a keyframe. The two numbers in it that must stay continuous for a receiver when its
//! source changes, the picture id and TL0PICIDX, can be written back in place.

use super::{PayloadDescriptor, PictureId};

/// X: an extension byte follows.
const EXTENDED: u8 = 0x80;
/// N: nothing refers to this frame.
const NON_REFERENCE: u8 = 0x20;
/// S: a partition starts here.
const START_OF_PARTITION: u8 = 0x10;
/// PID: the partition's number.
const PARTITION: u8 = 0x07;
/// I: a picture id follows.
const HAS_PICTURE_ID: u8 = 0x80;
/// L: TL0PICIDX follows.
const HAS_TL0_PIC_IDX: u8 = 0x40;
/// T: the temporal layer follows.
const HAS_TEMPORAL_LAYER: u8 = 0x20;
/// K: the keyframe index follows.
const HAS_KEY_INDEX: u8 = 0x10;
/// Y: the frame refers to temporal layer 0 only.
const LAYER_SYNC: u8 = 0x20;
/// KEYIDX: the keyframe's number.
const KEY_INDEX: u8 = 0x1f;
/// P of the payload header: the frame is not a keyframe.
const INTER_FRAME: u8 = 0x01;

/// The descriptor in front of each VP8 payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vp8Descriptor {
    /// Its length, in bytes.
    pub len: usize,
    /// A partition starts in this packet.
    pub starts_partition: bool,
    /// The number of the partition, 0 for the first.
    pub partition: u8,
    /// Nothing refers to this frame.
    pub non_reference: bool,
    /// The picture's number.
    pub picture_id: Option<PictureId>,
    /// The number of the picture in temporal layer 0 that this one builds on.
    pub tl0_pic_idx: Option<u8>,
    /// Temporal layer, when there are any.
    pub temporal_layer: Option<u8>,
    /// The frame refers to temporal layer 0 only.
    pub layer_sync: bool,
    /// The number of the keyframe that this frame builds on, in 5 bits.
    pub key_index: Option<u8>,
    /// A keyframe starts in this packet.
    pub keyframe: bool,
    /// Where the picture id stands.
    picture_id_at: usize,
    /// Where TL0PICIDX stands.
    tl0_pic_idx_at: usize,
}

impl Vp8Descriptor {
    /// Reads the descriptor of `payload`; none when it is cut short or no VP8 follows it.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let first = *payload.first()?;
        let mut at = 1;
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
            picture_id_at: 0,
            tl0_pic_idx_at: 0,
        };
        if first & EXTENDED != 0 {
            descriptor.parse_extension(payload, &mut at)?;
        }
        descriptor.len = at;
        let header = *payload.get(at)?;
        descriptor.keyframe = descriptor.starts_frame() && header & INTER_FRAME == 0;
        Some(descriptor)
    }

    /// Reads what the extension byte at `at` announces, and moves `at` behind it.
    fn parse_extension(&mut self, payload: &[u8], at: &mut usize) -> Option<()> {
        let has = *payload.get(*at)?;
        *at += 1;
        if has & HAS_PICTURE_ID != 0 {
            self.picture_id_at = *at;
            self.picture_id = Some(PictureId::parse(payload, at)?);
        }
        if has & HAS_TL0_PIC_IDX != 0 {
            self.tl0_pic_idx_at = *at;
            self.tl0_pic_idx = Some(*payload.get(*at)?);
            *at += 1;
        }
        if has & (HAS_TEMPORAL_LAYER | HAS_KEY_INDEX) != 0 {
            let layer = *payload.get(*at)?;
            *at += 1;
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

    /// Whether a frame starts in this packet.
    pub const fn starts_frame(&self) -> bool {
        self.starts_partition && self.partition == 0
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
            keyframe: self.keyframe,
            starts_frame: self.starts_frame(),
            temporal_layer: self.temporal_layer.unwrap_or(0),
            layer_sync: self.layer_sync,
            picture_id: self.picture_id,
            tl0_pic_idx: self.tl0_pic_idx,
            ..PayloadDescriptor::default()
        }
    }
}
