//! Descriptor of one packet (§A.8.2): reading it with a known structure, and writing it with changes.

use arrayvec::ArrayVec;
use thiserror::Error;

use super::bits::{BitReader, BitWriter};
use super::indication::{Indication, Indications};
use super::limits::{CHAINS_MAX, DECODE_TARGETS_MAX, FRAME_DIFFS_MAX};
use super::structure::DependencyStructure;
use crate::codec::PayloadDescriptor;

/// Most bytes by which [`DependencyDescriptor::write`] can lengthen a descriptor: five flags and a
/// mask of 32 decode targets after the shortest descriptor.
pub const GROWTH_MAX: usize = 5;

/// Length of a descriptor without extended fields.
pub(super) const MANDATORY_LEN: usize = 3;
/// Offset of the flags of the extended fields, in bits.
const FLAGS_AT: usize = MANDATORY_LEN * 8;
/// Number of those flags.
const FLAGS: u32 = 5;
/// Bits of those flags.
const HAS_STRUCTURE: u8 = 0x10;
const HAS_ACTIVE_TARGETS: u8 = 0x08;
const HAS_INDICATIONS: u8 = 0x04;
const HAS_FRAME_DIFFS: u8 = 0x02;
const HAS_CHAINS: u8 = 0x01;

/// Reason why a descriptor cannot be read.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DependencyError {
    /// The descriptor is truncated or exceeds a bound.
    #[error("malformed dependency descriptor")]
    Malformed,
    /// The structure that the descriptor needs is not known.
    #[error("structure of the dependency descriptor is not known")]
    NoStructure,
    /// The structure has no such template, because its packet was lost or is late.
    #[error("template of the dependency descriptor is not known")]
    UnknownTemplate,
}

/// Descriptor of one packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DependencyDescriptor {
    /// Whether the packet is the first of its frame.
    pub starts_frame: bool,
    /// Whether the packet is the last of its frame. Frames of higher spatial layers may follow in
    /// the same picture.
    pub ends_frame: bool,
    /// Number of the frame in decoding order; wraps.
    pub frame_number: u16,
    /// Spatial layer, from 0.
    pub spatial_layer: u8,
    /// Temporal layer, from 0.
    pub temporal_layer: u8,
    /// Distance to the number of each frame that this one refers to.
    pub frame_diffs: ArrayVec<u16, FRAME_DIFFS_MAX>,
    /// For each chain, the distance to the number of its previous frame. Zero starts the chain.
    pub chain_diffs: ArrayVec<u8, CHAINS_MAX>,
    /// Largest width and height of the spatial layer, when the structure gives them.
    pub resolution: Option<(u32, u32)>,
    /// Mask of the active decode targets, when this packet sets them. A structure without a mask
    /// makes all of them active.
    pub active_decode_targets: Option<u32>,
    /// Structure that came with this packet, the first of a keyframe.
    pub structure: Option<Box<DependencyStructure>>,
    pub(super) indications: Indications,
    pub(super) layout: Layout,
}

/// Positions of the parts of a descriptor, in bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    /// Flags of the extended fields; zero without them.
    flags: u8,
    /// Number of decode targets.
    pub(super) target_count: u8,
    /// End of the structure.
    structure_end: usize,
    /// Start of what overrides the template.
    custom_start: usize,
    /// End of what overrides the template; padding follows.
    custom_end: usize,
}

impl DependencyDescriptor {
    /// Reads a descriptor. `known` is the structure that descriptors without their own refer to.
    ///
    /// # Errors
    /// `Malformed` when it is truncated or exceeds a bound, `NoStructure` when it has no structure
    /// and none is known, `UnknownTemplate` when the structure has no such template.
    pub fn parse(
        value: &[u8],
        known: Option<&DependencyStructure>,
    ) -> Result<Self, DependencyError> {
        let Some((&[first, n0, n1], rest)) = value.split_first_chunk::<MANDATORY_LEN>() else {
            return Err(DependencyError::Malformed);
        };
        let mut reader = BitReader::new(value, FLAGS_AT);
        let flags = if rest.is_empty() {
            0
        } else {
            reader.small(FLAGS).ok_or(DependencyError::Malformed)?
        };
        let own = if flags & HAS_STRUCTURE == 0 {
            None
        } else {
            let own = DependencyStructure::parse(&mut reader);
            Some(Box::new(own.ok_or(DependencyError::Malformed)?))
        };
        let structure_end = reader.at();
        let structure = own.as_deref().or(known);
        let structure = structure.ok_or(DependencyError::NoStructure)?;
        let template = structure.template(first & 0x3f);
        let template = template.ok_or(DependencyError::UnknownTemplate)?;
        let mut descriptor = Self {
            starts_frame: first & 0x80 != 0,
            ends_frame: first & 0x40 != 0,
            frame_number: u16::from_be_bytes([n0, n1]),
            spatial_layer: template.spatial_layer,
            temporal_layer: template.temporal_layer,
            frame_diffs: template.frame_diffs.clone(),
            chain_diffs: template.chain_diffs.clone(),
            resolution: structure.resolution(template.spatial_layer),
            active_decode_targets: own.as_ref().map(|own| own.all_decode_targets()),
            indications: template.indications,
            layout: Layout {
                flags,
                target_count: u8::try_from(structure.decode_targets().len()).unwrap_or(0),
                structure_end,
                custom_start: structure_end,
                custom_end: structure_end,
            },
            structure: None,
        };
        let parsed = descriptor.parse_extended(&mut reader, structure.chain_count());
        parsed.ok_or(DependencyError::Malformed)?;
        descriptor.structure = own;
        Ok(descriptor)
    }

    /// Reads the active decode targets and what overrides the template.
    fn parse_extended(&mut self, reader: &mut BitReader<'_>, chain_count: u8) -> Option<()> {
        let flags = self.layout.flags;
        let target_count = u32::from(self.layout.target_count);
        if flags & HAS_ACTIVE_TARGETS != 0 {
            self.active_decode_targets = Some(reader.bits(target_count)?);
        }
        self.layout.custom_start = reader.at();
        if flags & HAS_INDICATIONS != 0 {
            self.indications = Indications::parse(reader, target_count)?;
        }
        if flags & HAS_FRAME_DIFFS != 0 {
            self.frame_diffs.clear();
            loop {
                let size = reader.bits(2)?;
                if size == 0 {
                    break;
                }
                let diff = u16::try_from(reader.bits(4 * size)? + 1).ok()?;
                self.frame_diffs.try_push(diff).ok()?;
            }
        }
        if flags & HAS_CHAINS != 0 {
            self.chain_diffs.clear();
            for _ in 0..chain_count {
                self.chain_diffs.try_push(reader.small(8)?).ok()?;
            }
        }
        self.layout.custom_end = reader.at();
        Some(())
    }

    /// Returns the relation of the frame to the decode target with this index.
    pub fn indication(&self, decode_target: usize) -> Indication {
        match u32::try_from(decode_target) {
            Ok(index) if decode_target < DECODE_TARGETS_MAX => self.indications.get(index),
            _ => Indication::NotPresent,
        }
    }

    /// Returns the properties that all codecs share. `structure` is the newest one of the stream, which
    /// counts where the descriptor has none of its own.
    ///
    /// Frames of one picture have successive numbers, lowest spatial layer first, so that one in spatial
    /// layer n refers to its own picture where the distance is n at most.
    pub fn payload_descriptor(&self, structure: &DependencyStructure) -> PayloadDescriptor {
        let structure = self.structure.as_deref().unwrap_or(structure);
        let is_within_picture = |diff: &u16| *diff <= u16::from(self.spatial_layer);
        let inter_picture = !self.frame_diffs.iter().all(is_within_picture);
        let inter_layer = self.frame_diffs.iter().any(is_within_picture);
        let own_layer = structure.best_decode_target(self.spatial_layer, u8::MAX, u32::MAX);
        let active = self.structure.as_ref().and(self.active_decode_targets);
        let highest = structure.best_decode_target(u8::MAX, u8::MAX, active.unwrap_or(0));
        let highest = highest.and_then(|index| structure.decode_targets().get(index));
        let is_switch = |target| self.indication(target) == Indication::Switch;
        PayloadDescriptor {
            keyframe: self.is_keyframe(),
            starts_frame: self.starts_frame,
            ends_frame: self.ends_frame,
            starts_layer: self.starts_frame && self.frame_diffs.is_empty(),
            spatial_layer: self.spatial_layer,
            spatial_layers: highest.map_or(0, |target| target.spatial_layer + 1),
            temporal_layer: self.temporal_layer,
            inter_picture,
            inter_layer,
            switching_up: own_layer.is_some_and(is_switch),
            ..PayloadDescriptor::default()
        }
    }

    /// Returns whether a keyframe starts in this packet: it brings the structure.
    pub const fn is_keyframe(&self) -> bool {
        self.structure.is_some()
    }

    /// Writes the descriptor to `out` with the current frame number and active decode targets, and
    /// returns its length. `value` is what it was read from; everything else is copied from there,
    /// so changes to other fields have no effect.
    ///
    /// Returns `None` when it does not fit `out`; the length of `value` and [`GROWTH_MAX`] are always
    /// enough.
    pub fn write(&self, value: &[u8], out: &mut [u8]) -> Option<usize> {
        let layout = self.layout;
        let mask = self.active_decode_targets.filter(|&mask| {
            let is_implied = self.structure.as_ref().is_some_and(|structure| {
                layout.flags & HAS_ACTIVE_TARGETS == 0 && mask == structure.all_decode_targets()
            });
            !is_implied
        });
        let mut flags = layout.flags & !HAS_ACTIVE_TARGETS;
        if mask.is_some() {
            flags |= HAS_ACTIVE_TARGETS;
        }
        let mut writer = BitWriter::new(out);
        writer.bits(u32::from(*value.first()?), 8)?;
        writer.bits(u32::from(self.frame_number), 16)?;
        if flags == 0 {
            return writer.finish();
        }
        writer.bits(u32::from(flags), FLAGS)?;
        if layout.flags & HAS_STRUCTURE != 0 {
            writer.copy(value, FLAGS_AT + FLAGS as usize, layout.structure_end)?;
        }
        if let Some(mask) = mask {
            writer.bits(mask, u32::from(layout.target_count))?;
        }
        writer.copy(value, layout.custom_start, layout.custom_end)?;
        writer.finish()
    }
}
