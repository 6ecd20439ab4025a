//! Identifiers of RTP: SSRC, payload type, MID, RID and sequence number.

use std::fmt;

use arrayvec::ArrayString;
use serde::{Deserialize, Serialize};

/// Longest MID that a one-byte header extension can carry, in bytes (RFC 8285 §4.2).
pub const MID_LEN_MAX: usize = 16;

/// Longest RID that a one-byte header extension can carry, in bytes (RFC 8285 §4.2, RFC 8852 §3.1).
pub const RID_LEN_MAX: usize = 16;

/// Synchronisation source: identifies an RTP stream within a transport (RFC 3550 §3).
#[derive(
    Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Ssrc(pub u32);

impl fmt::Display for Ssrc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// RTP payload type, 0 to 127 (RFC 3550 §5.1).
#[derive(
    Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Pt(pub u8);

/// Media identification of an m= section (RFC 9143 §5), as carried in RTP.
pub type Mid = ArrayString<MID_LEN_MAX>;

/// Restriction identifier: name of a simulcast encoding (RFC 8851), as carried in RTP.
pub type Rid = ArrayString<RID_LEN_MAX>;

/// Extended sequence number, which never wraps: the 16 bits of the packet below a count of wraps.
/// The count starts at one, so that packets older than the first have a number as well.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeqNo(pub u64);

impl SeqNo {
    /// Returns the number of the first packet of a stream, which carries `raw`.
    pub const fn first(raw: u16) -> Self {
        Self(0x1_0000 + raw as u64)
    }

    /// Returns the number nearest to this one whose low 16 bits are `raw` (the rule of
    /// RFC 3711 §3.3.1 for the rollover counter).
    pub const fn nearest(self, raw: u16) -> Self {
        let forward = raw.wrapping_sub(self.raw());
        if forward < 0x8000 {
            Self(self.0.wrapping_add(forward as u64))
        } else {
            Self(self.0.wrapping_sub(0x1_0000 - forward as u64))
        }
    }

    /// Returns the 16 bits that packets carry.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "truncation keeps the low 16 bits"
    )]
    pub const fn raw(self) -> u16 {
        self.0 as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_number_extends_across_a_wrap_in_both_directions() {
        let before = SeqNo::first(65_535);
        let after = before.nearest(0);
        assert_eq!(after.0, before.0 + 1);
        assert_eq!(after.nearest(65_535), before);
        assert_eq!(after.nearest(0x7fff).0, after.0 + 0x7fff);
        assert_eq!(after.nearest(0x8000).0, after.0 - 0x8000);
    }
}
