//! H.264 payloads (RFC 6184 §5): single NAL units, STAP-A and FU-A, the packet types of
//! packetization modes 0 and 1. A keyframe starts at its sequence parameter set or at the first
//! slice of its IDR picture. H.264 payloads carry no temporal layer.

use super::payload_descriptor::PayloadDescriptor;

/// NAL unit type of a slice of a non-IDR picture (ITU-T H.264 Table 7-1).
const SLICE: u8 = 1;
/// NAL unit type of a slice of an IDR picture.
const IDR: u8 = 5;
/// Supplemental enhancement information, which precedes its picture.
const SEI: u8 = 6;
/// Sequence parameter set.
const SPS: u8 = 7;
/// Access unit delimiter.
const DELIMITER: u8 = 9;
/// Highest type of a single NAL unit packet.
const LAST_SINGLE: u8 = 23;
/// Aggregate of NAL units with one timestamp (§5.7.1).
const STAP_A: u8 = 24;
/// Fragment of a NAL unit (§5.8).
const FU_A: u8 = 28;
/// Mask of the type in the first byte of a NAL unit.
const TYPE: u8 = 0x1f;
/// F bit: the NAL unit is damaged.
const FORBIDDEN: u8 = 0x80;
/// S bit of a fragment: the first one of its NAL unit.
const FIRST_FRAGMENT: u8 = 0x80;

/// Reads the properties of `payload`. Returns `None` for the packet types of packetization mode 2,
/// for reserved types, and for an aggregate without a complete unit.
pub fn parse(payload: &[u8]) -> Option<PayloadDescriptor> {
    let (&head, rest) = payload.split_first()?;
    if head & FORBIDDEN != 0 {
        return None;
    }
    match head & TYPE {
        kind @ SLICE..=LAST_SINGLE => Some(nal_unit(kind, rest)),
        STAP_A => aggregate(rest),
        FU_A => {
            let (&fragment, rest) = rest.split_first()?;
            let is_first = fragment & FIRST_FRAGMENT != 0;
            Some(if is_first {
                nal_unit(fragment & TYPE, rest)
            } else {
                PayloadDescriptor::default()
            })
        }
        _ => None,
    }
}

/// Reads the properties of one NAL unit from its type and first byte.
fn nal_unit(kind: u8, body: &[u8]) -> PayloadDescriptor {
    match kind {
        SPS => PayloadDescriptor {
            keyframe: true,
            starts_layer: true,
            starts_frame: true,
            ..PayloadDescriptor::default()
        },
        IDR if is_first_slice(body) => PayloadDescriptor {
            keyframe: true,
            starts_layer: true,
            starts_frame: true,
            ..PayloadDescriptor::default()
        },
        SLICE if is_first_slice(body) => PayloadDescriptor {
            starts_frame: true,
            ..PayloadDescriptor::default()
        },
        SEI | DELIMITER => PayloadDescriptor {
            starts_frame: true,
            ..PayloadDescriptor::default()
        },
        _ => PayloadDescriptor::default(),
    }
}

/// Returns whether a slice begins with macroblock 0. `first_mb_in_slice` is the first field of a
/// slice header (ITU-T H.264 §7.3.3) in Exp-Golomb code, where zero is the only code that starts
/// with a set bit. Without this check the second slice of an IDR picture would look like another
/// keyframe.
fn is_first_slice(body: &[u8]) -> bool {
    body.first().is_some_and(|byte| byte & 0x80 != 0)
}

/// Combines the properties of the NAL units in an aggregate. What follows the last complete unit is
/// ignored, because some senders pad. Returns `None` when not even the first unit is complete.
fn aggregate(mut rest: &[u8]) -> Option<PayloadDescriptor> {
    let mut combined = PayloadDescriptor::default();
    split_unit(rest)?;
    while let Some((head, body, after)) = split_unit(rest) {
        let part = nal_unit(head & TYPE, body);
        combined.keyframe |= part.keyframe;
        combined.starts_layer |= part.starts_layer;
        combined.starts_frame |= part.starts_frame;
        rest = after;
    }
    Some(combined)
}

/// Splits the first NAL unit of an aggregate into its first byte and the others. Returns what follows it
/// too.
fn split_unit(rest: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (length, after) = rest.split_first_chunk::<2>()?;
    let (unit, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    let (&head, body) = unit.split_first()?;
    Some((head, body, after))
}
