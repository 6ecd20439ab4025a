//! AV1 payloads (RTP payload format for AV1, AOMedia, §4): the aggregation header, and the headers of the
//! open bitstream units (OBU) that follow it. A keyframe starts with a new coded video sequence, whose
//! first unit is a sequence header. The dependency descriptor is not needed for that.

use super::payload_descriptor::PayloadDescriptor;

/// Z bit: the first element continues a unit of the packet before.
const CONTINUES_UNIT: u8 = 0x80;
/// W field: number of elements, of which the last has no length; zero when all have one.
const ELEMENT_COUNT: u8 = 0x30;
/// N bit: the packet is the first of a coded video sequence.
const STARTS_SEQUENCE: u8 = 0x08;
/// Forbidden bit of an OBU header.
const FORBIDDEN: u8 = 0x80;
/// Type of an OBU, in the middle of its header.
const TYPE: u8 = 0x78;
/// Type of a sequence header.
const SEQUENCE_HEADER: u8 = 1 << 3;
/// Type of a temporal delimiter, which senders should remove.
const TEMPORAL_DELIMITER: u8 = 2 << 3;
/// X bit of an OBU header: the layers follow.
const HAS_LAYERS: u8 = 0x04;
/// Upper bound of the elements that are read: a frame starts with a few small units.
const ELEMENTS_MAX: usize = 8;
/// Longest length in LEB128 that is read: three bytes hold more than a packet.
const LENGTH_BYTES_MAX: usize = 3;

/// Reads the properties of `payload`. Returns `None` when it is truncated or violates the format.
pub fn parse(payload: &[u8]) -> Option<PayloadDescriptor> {
    let (&head, rest) = payload.split_first()?;
    let continues_unit = head & CONTINUES_UNIT != 0;
    let starts_sequence = head & STARTS_SEQUENCE != 0;
    if rest.is_empty() || continues_unit && starts_sequence {
        return None;
    }
    if continues_unit {
        return Some(PayloadDescriptor::default());
    }
    let count = usize::from((head & ELEMENT_COUNT) >> 4);
    let first = first_unit(rest, count)?;
    let is_keyframe = starts_sequence || first.kind == SEQUENCE_HEADER;
    Some(PayloadDescriptor {
        keyframe: is_keyframe,
        starts_layer: is_keyframe,
        starts_frame: true,
        spatial_layer: first.spatial_layer,
        temporal_layer: first.temporal_layer,
        ..PayloadDescriptor::default()
    })
}

/// Header of an OBU.
struct Unit {
    kind: u8,
    spatial_layer: u8,
    temporal_layer: u8,
}

/// Reads the header of the first unit that is not a temporal delimiter.
fn first_unit(mut rest: &[u8], count: usize) -> Option<Unit> {
    for at in 1..=ELEMENTS_MAX {
        let (element, after) = if at == count {
            (rest, &[][..])
        } else {
            split_element(rest)?
        };
        let unit = unit(element)?;
        if unit.kind != TEMPORAL_DELIMITER || after.is_empty() {
            return Some(unit);
        }
        rest = after;
    }
    None
}

/// Splits off the first element, whose length precedes it.
fn split_element(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut length = 0;
    for (at, byte) in bytes.iter().take(LENGTH_BYTES_MAX).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return bytes.get(at + 1..)?.split_at_checked(length);
        }
    }
    None
}

fn unit(element: &[u8]) -> Option<Unit> {
    let (&head, rest) = element.split_first()?;
    if head & FORBIDDEN != 0 {
        return None;
    }
    let layers = if head & HAS_LAYERS == 0 {
        0
    } else {
        *rest.first()?
    };
    Some(Unit {
        kind: head & TYPE,
        temporal_layer: layers >> 5,
        spatial_layer: (layers >> 3) & 0x03,
    })
}
