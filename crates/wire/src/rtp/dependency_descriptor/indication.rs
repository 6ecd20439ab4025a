//! Relations between frames and decode targets (table A.1).

use super::bits::BitReader;

/// Relation of a frame to a decode target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Indication {
    /// The frame is not part of it.
    NotPresent,
    /// The frame is part of it, and no other frame of it refers to this one.
    Discardable,
    /// A receiver that can decode this frame can decode all later frames of it.
    Switch,
    /// The frame is part of it, and neither discardable nor a switching point.
    Required,
}

/// Relations of a frame to all decode targets, two bits each.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Indications(u64);

impl Indications {
    /// Reads the relations to `target_count` decode targets, at most 32.
    pub fn parse(reader: &mut BitReader<'_>, target_count: u32) -> Option<Self> {
        let mut all = 0;
        for index in 0..target_count {
            all |= u64::from(reader.bits(2)?) << (2 * index);
        }
        Some(Self(all))
    }

    /// Returns the relation to the decode target with this index, below 32.
    pub const fn get(self, index: u32) -> Indication {
        match self.0 >> (2 * index) & 0x03 {
            0 => Indication::NotPresent,
            1 => Indication::Discardable,
            2 => Indication::Switch,
            _ => Indication::Required,
        }
    }

    /// Returns whether the frame is part of the decode target.
    pub fn is_present(self, index: u32) -> bool {
        self.get(index) != Indication::NotPresent
    }
}
