//! H.264 payloads (RFC 6184 §5): single NAL units, STAP-A and FU-A, which are all that
//! packetization modes 0 and 1 allow. A keyframe starts at its sequence parameter set or at the
//! first slice of its IDR picture; there are no temporal layers to be read here.

use super::PayloadDescriptor;

/// A coded slice of an ordinary picture (ITU-T H.264 Table 7-1).
const SLICE: u8 = 1;
/// A coded slice of an IDR picture.
const IDR: u8 = 5;
/// Supplemental information, which comes before its picture.
const SEI: u8 = 6;
/// Sequence parameter set.
const SPS: u8 = 7;
/// Access unit delimiter.
const DELIMITER: u8 = 9;
/// Last type of a single NAL unit packet.
const LAST_SINGLE: u8 = 23;
/// Several NAL units of one moment in one packet (§5.7.1).
const STAP_A: u8 = 24;
/// A fragment of a NAL unit (§5.8).
const FU_A: u8 = 28;
/// The type, in the first byte of a NAL unit.
const TYPE: u8 = 0x1f;
/// F: the NAL unit is damaged.
const FORBIDDEN: u8 = 0x80;
/// S of a fragment: the first one.
const FIRST_FRAGMENT: u8 = 0x80;

/// Reads what `payload` says of itself; none for the packet types of packetization mode 2, for
/// types without a meaning, and for lengths that do not fit.
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

/// What the beginning of one NAL unit says.
fn nal_unit(kind: u8, body: &[u8]) -> PayloadDescriptor {
    match kind {
        SPS => PayloadDescriptor {
            keyframe: true,
            starts_frame: true,
            ..PayloadDescriptor::default()
        },
        IDR if is_first_slice(body) => PayloadDescriptor {
            keyframe: true,
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

/// Whether a slice begins with macroblock 0. `first_mb_in_slice` is the first field of a slice
/// header (ITU-T H.264 §7.3.3) in Exp-Golomb code, where zero is the one code that begins with a
/// set bit. Without this, the second slice of an IDR picture would look like another keyframe.
fn is_first_slice(body: &[u8]) -> bool {
    body.first().is_some_and(|byte| byte & 0x80 != 0)
}

/// What an aggregate of NAL units says: whatever one of them says.
fn aggregate(mut rest: &[u8]) -> Option<PayloadDescriptor> {
    let mut whole = PayloadDescriptor::default();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (length, behind) = rest.split_first_chunk::<2>()?;
        let (unit, behind) = behind.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        let (&head, body) = unit.split_first()?;
        let one = nal_unit(head & TYPE, body);
        whole.keyframe |= one.keyframe;
        whole.starts_frame |= one.starts_frame;
        rest = behind;
    }
    Some(whole)
}
