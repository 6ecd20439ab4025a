//! A camera's encoder without pictures: how large each frame is, which temporal layer it is on, what
//! it is built upon, and when it is a keyframe. Sizes follow what VP8 in a browser does: a keyframe
//! is several times the mean, base layer frames are larger than the ones above.

use std::time::Duration;

use watersmeet_wire::units::{Bitrate, Rid, Rng, Time};

use crate::chance;
use crate::tag::Tag;
use crate::vp8::{Descriptor, PICTURE_ID_MASK};

/// Least time between two keyframes of one encoding; libwebrtc ignores requests within it.
pub const KEYFRAME_SPACING: Duration = Duration::from_millis(300);

/// How many mean frames a keyframe is as large as.
const KEYFRAME_WEIGHT: f64 = 6.0;

/// Least bytes of a frame.
const FRAME_LEN_MIN: f64 = 80.0;

/// Temporal layers of successive frames, and which of them need the base layer alone, when there
/// are three (libvpx's pattern) or one.
const THREE_LAYERS: [(u8, bool); 4] = [(0, false), (2, true), (1, true), (2, false)];
const ONE_LAYER: [(u8, bool); 1] = [(0, false)];

/// One rung of a camera's ladder.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoding {
    /// Its name, when there are several.
    pub rid: Option<Rid>,
    /// What it aims at.
    pub bitrate: Bitrate,
    /// Picture width.
    pub width: u16,
    /// Picture height.
    pub height: u16,
}

/// One frame, before it is cut into packets.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// Its signature; index and count are set when it is cut.
    pub tag: Tag,
    /// Its descriptor; the start bit is set when it is cut.
    pub descriptor: Descriptor,
    /// Bytes of the frame.
    pub len: usize,
    /// Picture width and height.
    pub size: (u16, u16),
}

/// Makes the frames of one encoding.
#[derive(Debug)]
pub struct Encoder {
    /// What it makes.
    encoding: Encoding,
    /// What all its tags say.
    signature: Tag,
    /// Temporal layers of successive frames.
    pattern: &'static [(u8, bool)],
    /// Place in the pattern of the next frame.
    place: usize,
    /// Number of the next frame.
    frame: u32,
    /// Picture id of the next frame.
    picture_id: u16,
    /// Number of the last base layer frame.
    tl0_index: u8,
    /// The newest frame of each temporal layer.
    newest: [Option<u32>; 3],
    /// Whether the next frame must be a keyframe.
    keyframe_wanted: bool,
    /// When the last keyframe was made.
    keyframe_at: Option<Time>,
    /// Keyframes made.
    pub keyframes: u64,
}

impl Encoder {
    /// An encoder of `layer`, whose packets carry the names in `signature`.
    pub fn new(
        encoding: Encoding,
        layer: u8,
        signature: Tag,
        temporal_layers: u8,
        rng: &mut Rng,
    ) -> Self {
        Self {
            encoding,
            signature: Tag { layer, ..signature },
            pattern: if temporal_layers > 1 {
                &THREE_LAYERS
            } else {
                &ONE_LAYER
            },
            place: 0,
            frame: 0,
            picture_id: chance::start(rng) & PICTURE_ID_MASK,
            tl0_index: chance::start(rng).to_be_bytes()[0],
            newest: [None; 3],
            keyframe_wanted: true,
            keyframe_at: None,
            keyframes: 0,
        }
    }

    /// What it makes.
    pub const fn encoding(&self) -> &Encoding {
        &self.encoding
    }

    /// Makes the next frame a keyframe; a request soon after one waits for its time.
    pub const fn request_keyframe(&mut self) {
        self.keyframe_wanted = true;
    }

    /// The next frame of a camera with `fps` frames per second.
    pub fn encode(&mut self, now: Time, fps: u32, rng: &mut Rng) -> Frame {
        let keyframe = self.keyframe_wanted
            && self
                .keyframe_at
                .is_none_or(|at| now.since(at) >= KEYFRAME_SPACING);
        if keyframe {
            self.keyframe_wanted = false;
            self.keyframe_at = Some(now);
            self.keyframes += 1;
            self.place = 0;
            self.newest = [None; 3];
        }
        let (temporal, sync) = self.pattern.get(self.place).copied().unwrap_or_default();
        self.place = (self.place + 1) % self.pattern.len();
        if temporal == 0 {
            self.tl0_index = self.tl0_index.wrapping_add(1);
        }
        let tag = Tag {
            temporal,
            keyframe,
            needs: self.needs(keyframe, temporal, sync),
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
            tag,
            descriptor,
            len: self.frame_len(keyframe, temporal, fps, rng),
            size: (self.encoding.width, self.encoding.height),
        }
    }

    /// How far back the frames lie that the next one needs.
    fn needs(&self, keyframe: bool, temporal: u8, sync: bool) -> [u8; 2] {
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
        reason = "a positive size, far below what a usize holds"
    )]
    fn frame_len(&self, keyframe: bool, temporal: u8, fps: u32, rng: &mut Rng) -> usize {
        let mean = self.encoding.bitrate.as_bps() as f64 / 8.0 / f64::from(fps.max(1));
        let weight = match (keyframe, temporal, self.pattern.len()) {
            (true, ..) => KEYFRAME_WEIGHT,
            (false, _, 1) | (false, 1, _) => 1.0,
            (false, 0, _) => 1.5,
            (false, ..) => 0.75,
        };
        let noise = 0.7 + 0.6 * chance::share(rng);
        (mean * weight * noise).max(FRAME_LEN_MIN) as usize
    }
}
