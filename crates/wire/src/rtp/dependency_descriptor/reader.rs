//! State that the descriptors of one stream are read with: the newest structure, and which decode
//! targets are active.

use super::descriptor::{DependencyDescriptor, DependencyError};
use super::structure::DependencyStructure;

/// Distance up to which a frame number before that of the structure belongs to an older frame that
/// arrived late. Beyond it, the sender has started to number anew. The late packets of a second
/// are at most 180 frames: three spatial layers at 60 frames per second.
pub const LATE_FRAMES_MAX: u16 = 256;

/// Distance from which a remembered frame number follows the newest one: half a wrap later it would seem
/// to lie ahead.
const FOLLOWED_FROM: u16 = 0x4000;

/// Reads the descriptors of one stream in the order of their arrival.
#[derive(Debug, Default, Clone)]
pub struct DependencyReader {
    structure: Option<Box<DependencyStructure>>,
    /// Number of the frame that brought the structure, or a later one if that was long ago.
    structure_frame: u16,
    /// Mask of the active decode targets.
    active_decode_targets: u32,
    /// Number of the frame that brought the mask, or a later one if that was long ago.
    active_frame: u16,
}

impl DependencyReader {
    /// Returns the newest structure.
    pub fn structure(&self) -> Option<&DependencyStructure> {
        self.structure.as_deref()
    }

    /// Returns the mask of the decode targets that the sender currently produces. Bit 0 is the
    /// first decode target.
    pub const fn active_decode_targets(&self) -> u32 {
        self.active_decode_targets
    }

    /// Reads the descriptor of the next packet, and learns its structure and active decode targets.
    /// Those of a late packet are not learned.
    ///
    /// # Errors
    /// `NoStructure` when no structure arrived yet, or when the packet is older than the structure
    /// and has none of its own; otherwise as [`DependencyDescriptor::parse`].
    pub fn read(&mut self, value: &[u8]) -> Result<DependencyDescriptor, DependencyError> {
        let descriptor = DependencyDescriptor::parse(value, self.structure())?;
        let is_late =
            self.structure.is_some() && is_before(descriptor.frame_number, self.structure_frame);
        match &descriptor.structure {
            None if is_late => return Err(DependencyError::NoStructure),
            Some(structure) if !is_late => {
                self.structure = Some(structure.clone());
                self.structure_frame = descriptor.frame_number;
                self.active_frame = descriptor.frame_number;
            }
            _ => {}
        }
        if let Some(active) = descriptor.active_decode_targets
            && !is_late
            && !is_before(descriptor.frame_number, self.active_frame)
        {
            self.active_decode_targets = active;
            self.active_frame = descriptor.frame_number;
        }
        follow(&mut self.structure_frame, descriptor.frame_number);
        follow(&mut self.active_frame, descriptor.frame_number);
        Ok(descriptor)
    }
}

/// Moves a remembered frame number that is long ago nearer to the newest one.
const fn follow(remembered: &mut u16, newest: u16) {
    let distance = newest.wrapping_sub(*remembered);
    if distance >= FOLLOWED_FROM && distance < 0x8000 {
        *remembered = newest.wrapping_sub(LATE_FRAMES_MAX);
    }
}

/// Returns whether a frame number is a little before another one.
const fn is_before(number: u16, other: u16) -> bool {
    let distance = other.wrapping_sub(number);
    distance > 0 && distance <= LATE_FRAMES_MAX
}
