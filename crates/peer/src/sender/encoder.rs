//! Model of a video encoder without pictures: size, temporal layer and references of each frame,
//! and when it is a keyframe. Sizes follow VP8 in browsers: a keyframe is several times the mean,
//! and base layer frames are larger than those of higher layers.

use std::time::Duration;

use watersmeet_wire::units::{Bitrate, Rid, Rng, Time};

use crate::random;
use crate::signature::PacketSignature;
use crate::vp8::{Descriptor, PICTURE_ID_MASK};

/// Minimum interval between two keyframes of one encoding; libwebrtc ignores requests within it.
pub const KEYFRAME_SPACING: Duration = Duration::from_millis(300);

/// Size of a keyframe relative to the mean frame.
const KEYFRAME_WEIGHT: f64 = 6.0;

/// Minimum length of a frame, in bytes.
const FRAME_LEN_MIN: f64 = 80.0;

/// Length of a frame of an unchanged page, in bytes.
const UNCHANGED_LEN: usize = 300;

/// Pattern of temporal layers, each with whether the frame references only the base layer, for
/// three layers (as in libvpx) and for one.
const THREE_LAYERS: [(u8, bool); 4] = [(0, false), (2, true), (1, true), (2, false)];
const ONE_LAYER: [(u8, bool); 1] = [(0, false)];

/// Encoding of a camera.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoding {
    /// RID, when there are several encodings.
    pub rid: Option<Rid>,
    /// Target bitrate.
    pub bitrate: Bitrate,
    /// Width of the picture, in pixels.
    pub width: u16,
    /// Height of the picture, in pixels.
    pub height: u16,
    /// Length of a keyframe in bytes, of pages that change little until they are turned; absent where
    /// lengths follow the bitrate.
    pub page_len: Option<usize>,
}

/// Frame before it is split into packets.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// Signature; index and count are set per packet.
    pub signature: PacketSignature,
    /// Payload descriptor; the start bit is set per packet.
    pub descriptor: Descriptor,
    /// Length of the frame, in bytes.
    pub len: usize,
    /// Width and height of the picture, in pixels.
    pub size: (u16, u16),
}

/// Encoder of one encoding.
#[derive(Debug)]
pub struct Encoder {
    /// Options of the encoding.
    encoding: Encoding,
    /// Template of the signatures.
    signature: PacketSignature,
    /// Pattern of temporal layers.
    pattern: &'static [(u8, bool)],
    /// Index of the next frame in the pattern.
    pattern_index: usize,
    /// Number of the next frame.
    frame: u32,
    /// Picture id of the next frame.
    picture_id: u16,
    /// TL0PICIDX of the last base layer frame.
    tl0_index: u8,
    /// Newest frame of each temporal layer.
    newest: [Option<u32>; 3],
    /// Whether frames are encoded.
    is_active: bool,
    /// Whether a keyframe is requested.
    keyframe_wanted: bool,
    /// Time of the last keyframe.
    keyframe_at: Option<Time>,
    /// Number of encoded keyframes.
    pub keyframes: u64,
}

impl Encoder {
    /// Creates the encoder of encoding `layer`, whose packets carry `signature`.
    pub fn new(
        encoding: Encoding,
        layer: u8,
        signature: PacketSignature,
        temporal_layers: u8,
        rng: &mut Rng,
    ) -> Self {
        Self {
            encoding,
            signature: PacketSignature { layer, ..signature },
            pattern: if temporal_layers > 1 {
                &THREE_LAYERS
            } else {
                &ONE_LAYER
            },
            pattern_index: 0,
            frame: 0,
            picture_id: random::any_u16(rng) & PICTURE_ID_MASK,
            tl0_index: random::any_u16(rng).to_be_bytes()[0],
            newest: [None; 3],
            is_active: true,
            keyframe_wanted: true,
            keyframe_at: None,
            keyframes: 0,
        }
    }

    /// Returns the options of the encoding.
    pub const fn encoding(&self) -> &Encoding {
        &self.encoding
    }

    /// Returns whether frames are encoded.
    pub const fn is_active(&self) -> bool {
        self.is_active
    }

    /// Turns the encoding on or off. It starts again with a keyframe.
    pub const fn set_active(&mut self, active: bool) {
        self.keyframe_wanted |= active && !self.is_active;
        self.is_active = active;
    }

    /// Requests a keyframe; soon after the last one it is delayed by [`KEYFRAME_SPACING`].
    pub const fn request_keyframe(&mut self) {
        self.keyframe_wanted = true;
    }

    /// Encodes the next frame of a camera with `fps` frames per second.
    pub fn encode(&mut self, now: Time, fps: u32, rng: &mut Rng) -> Frame {
        let keyframe = self.keyframe_wanted
            && self
                .keyframe_at
                .is_none_or(|at| now.since(at) >= KEYFRAME_SPACING);
        if keyframe {
            self.keyframe_wanted = false;
            self.keyframe_at = Some(now);
            self.keyframes += 1;
            self.pattern_index = 0;
            self.newest = [None; 3];
        }
        let (temporal, sync) = self
            .pattern
            .get(self.pattern_index)
            .copied()
            .unwrap_or_default();
        self.pattern_index = (self.pattern_index + 1) % self.pattern.len();
        if temporal == 0 {
            self.tl0_index = self.tl0_index.wrapping_add(1);
        }
        let signature = PacketSignature {
            temporal,
            keyframe,
            reference_distances: self.reference_distances(keyframe, temporal, sync),
            frame: self.frame,
            captured: now,
            ..self.signature
        };
        let descriptor = Descriptor {
            start: false,
            partition: 0,
            unreferenced: temporal == 2,
            picture_id: Some(self.picture_id),
            tl0_index: Some(self.tl0_index),
            temporal: Some(temporal),
            sync,
        };
        if let Some(newest) = self.newest.get_mut(usize::from(temporal)) {
            *newest = Some(self.frame);
        }
        self.frame = self.frame.wrapping_add(1);
        self.picture_id = self.picture_id.wrapping_add(1) & PICTURE_ID_MASK;
        Frame {
            signature,
            descriptor,
            len: self.frame_len(keyframe, temporal, fps, rng),
            size: (self.encoding.width, self.encoding.height),
        }
    }

    /// Returns the distances from the next frame to those that it references.
    fn reference_distances(&self, keyframe: bool, temporal: u8, sync: bool) -> [u8; 2] {
        let back = |layer: usize| {
            let newest = self.newest.get(layer).copied().flatten();
            let distance = newest.map_or(0, |newest| self.frame.wrapping_sub(newest));
            u8::try_from(distance).unwrap_or(0)
        };
        match (keyframe, temporal) {
            (true, _) => [0, 0],
            (false, 2) if !sync => [back(1), back(0)],
            (false, _) => [back(0), 0],
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive and far below the range of usize"
    )]
    fn frame_len(&self, keyframe: bool, temporal: u8, fps: u32, rng: &mut Rng) -> usize {
        if let Some(page_len) = self.encoding.page_len {
            return if keyframe { page_len } else { UNCHANGED_LEN };
        }
        let mean = self.encoding.bitrate.as_bps() as f64 / 8.0 / f64::from(fps.max(1));
        let weight = match (keyframe, temporal, self.pattern.len()) {
            (true, ..) => KEYFRAME_WEIGHT,
            (false, _, 1) | (false, 1, _) => 1.0,
            (false, 0, _) => 1.5,
            (false, ..) => 0.75,
        };
        let noise = 0.7 + 0.6 * random::unit_interval(rng);
        (mean * weight * noise).max(FRAME_LEN_MIN) as usize
    }
}
