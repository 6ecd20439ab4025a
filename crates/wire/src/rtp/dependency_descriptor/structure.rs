//! Template dependency structure (§A.8.2): the templates that descriptors refer to, and the decode
//! targets of a stream. Senders attach it to the first packet of a keyframe.

use arrayvec::ArrayVec;

use super::bits::BitReader;
use super::indication::Indications;
use super::limits::{
    CHAINS_MAX, DECODE_TARGETS_MAX, FRAME_DIFFS_MAX, SPATIAL_LAYERS_MAX, TEMPLATES_MAX,
    TEMPORAL_LAYERS_MAX,
};

/// Values of `next_layer_idc` (table A.2).
const NEXT_TEMPORAL_LAYER: u8 = 1;
const NEXT_SPATIAL_LAYER: u8 = 2;
const NO_MORE_LAYERS: u8 = 3;

/// Templates and decode targets of a stream, valid until the next structure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DependencyStructure {
    /// Id of the first template.
    pub(super) template_id_offset: u8,
    /// Templates, at least one and at most `TEMPLATES_MAX`.
    pub(super) templates: Vec<FrameTemplate>,
    /// Decode targets, at least one.
    decode_targets: ArrayVec<DecodeTarget, DECODE_TARGETS_MAX>,
    /// Number of chains, at most one per decode target.
    chain_count: u8,
    /// Largest width and height of each spatial layer, lowest first; empty when not given.
    resolutions: ArrayVec<(u32, u32), SPATIAL_LAYERS_MAX>,
}

/// Subset of a stream that can be decoded alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeTarget {
    /// Highest spatial layer it contains.
    pub spatial_layer: u8,
    /// Highest temporal layer it contains.
    pub temporal_layer: u8,
    /// Chain that protects it: while no frame of the chain is lost, it stays decodable.
    pub chain: Option<u8>,
}

/// Description that many frames share.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct FrameTemplate {
    pub spatial_layer: u8,
    pub temporal_layer: u8,
    pub indications: Indications,
    pub frame_diffs: ArrayVec<u16, FRAME_DIFFS_MAX>,
    pub chain_diffs: ArrayVec<u8, CHAINS_MAX>,
}

impl DependencyStructure {
    /// Returns the decode targets in the order of their indications and of their bits in masks.
    pub fn decode_targets(&self) -> &[DecodeTarget] {
        &self.decode_targets
    }

    /// Returns the number of chains.
    pub const fn chain_count(&self) -> u8 {
        self.chain_count
    }

    /// Returns the largest width and height of a spatial layer, when given.
    pub fn resolution(&self, spatial_layer: u8) -> Option<(u32, u32)> {
        self.resolutions.get(usize::from(spatial_layer)).copied()
    }

    /// Returns the mask of all decode targets.
    pub fn all_decode_targets(&self) -> u32 {
        self.mask_of(|_| true)
    }

    /// Returns the mask of the decode targets that need no higher layers than these: what is left
    /// of the stream when the higher layers are dropped.
    pub fn decode_targets_within(&self, spatial_layer: u8, temporal_layer: u8) -> u32 {
        self.mask_of(|target| {
            target.spatial_layer <= spatial_layer && target.temporal_layer <= temporal_layer
        })
    }

    /// Returns the index of the decode target with the highest layers, the spatial one first, among
    /// those that need no higher layers than these and are in the mask `active`.
    pub fn best_decode_target(
        &self,
        spatial_layer: u8,
        temporal_layer: u8,
        active: u32,
    ) -> Option<usize> {
        let possible = active & self.decode_targets_within(spatial_layer, temporal_layer);
        let targets = self.decode_targets.iter().enumerate();
        targets
            .filter(|(index, _)| possible >> index & 1 == 1)
            .max_by_key(|(_, target)| (target.spatial_layer, target.temporal_layer))
            .map(|(index, _)| index)
    }

    fn mask_of(&self, includes: impl Fn(&DecodeTarget) -> bool) -> u32 {
        let targets = self.decode_targets.iter().enumerate();
        targets.fold(0, |mask, (index, target)| {
            mask | u32::from(includes(target)) << index
        })
    }

    /// Returns the template with this id.
    pub(super) fn template(&self, id: u8) -> Option<&FrameTemplate> {
        let index = id.wrapping_sub(self.template_id_offset) % 64;
        self.templates.get(usize::from(index))
    }

    /// Reads a structure. Returns `None` when it is truncated or exceeds a bound.
    pub(super) fn parse(reader: &mut BitReader<'_>) -> Option<Self> {
        let template_id_offset = reader.small(6)?;
        let target_count = reader.bits(5)? + 1;
        let mut templates = parse_layers(reader)?;
        for template in &mut templates {
            template.indications = Indications::parse(reader, target_count)?;
        }
        for template in &mut templates {
            while reader.flag()? {
                let diff = u16::from(reader.small(4)?) + 1;
                template.frame_diffs.try_push(diff).ok()?;
            }
        }
        let chain_count = reader.non_symmetric(target_count + 1)?;
        let mut decode_targets = ArrayVec::new();
        for index in 0..target_count {
            let chain = match chain_count {
                0 => None,
                count => Some(u8::try_from(reader.non_symmetric(count)?).ok()?),
            };
            decode_targets
                .try_push(decode_target(&templates, index, chain))
                .ok()?;
        }
        for template in &mut templates {
            for _ in 0..chain_count {
                template.chain_diffs.try_push(reader.small(4)?).ok()?;
            }
        }
        let mut resolutions = ArrayVec::new();
        if reader.flag()? {
            let spatial_layers = templates.last()?.spatial_layer + 1;
            for _ in 0..spatial_layers {
                let resolution = (reader.bits(16)? + 1, reader.bits(16)? + 1);
                resolutions.try_push(resolution).ok()?;
            }
        }
        Some(Self {
            template_id_offset,
            templates,
            decode_targets,
            chain_count: u8::try_from(chain_count).ok()?,
            resolutions,
        })
    }
}

/// Reads the layers of the templates, which never descend to a lower spatial layer.
fn parse_layers(reader: &mut BitReader<'_>) -> Option<Vec<FrameTemplate>> {
    let mut templates = Vec::new();
    let (mut spatial_layer, mut temporal_layer) = (0_u8, 0_u8);
    for _ in 0..TEMPLATES_MAX {
        templates.push(FrameTemplate {
            spatial_layer,
            temporal_layer,
            ..FrameTemplate::default()
        });
        match reader.small(2)? {
            NEXT_TEMPORAL_LAYER => temporal_layer += 1,
            NEXT_SPATIAL_LAYER => {
                spatial_layer += 1;
                temporal_layer = 0;
            }
            NO_MORE_LAYERS => return Some(templates),
            _ => {}
        }
        let is_valid = usize::from(spatial_layer) < SPATIAL_LAYERS_MAX
            && usize::from(temporal_layer) < TEMPORAL_LAYERS_MAX;
        if !is_valid {
            return None;
        }
    }
    None
}

/// Returns the decode target with this index: its layers are the highest of the frames in it.
fn decode_target(templates: &[FrameTemplate], index: u32, chain: Option<u8>) -> DecodeTarget {
    let present = templates
        .iter()
        .filter(|template| template.indications.is_present(index));
    present.fold(
        DecodeTarget {
            spatial_layer: 0,
            temporal_layer: 0,
            chain,
        },
        |target, template| DecodeTarget {
            spatial_layer: target.spatial_layer.max(template.spatial_layer),
            temporal_layer: target.temporal_layer.max(template.temporal_layer),
            chain,
        },
    )
}
