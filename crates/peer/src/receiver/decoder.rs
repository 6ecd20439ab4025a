//! Model of a decoder. `can_decode` decides like the reference finder of libwebrtc, from the
//! payload descriptors alone, as a browser does. `decode` then verifies with the signatures, which
//! only a test has, that the decision was right.

use std::collections::VecDeque;

use watersmeet_wire::units::SeqNo;

use super::frame_assembler::AssembledFrame;
use super::violation::Violation;
use crate::negotiation::VIDEO_CLOCK;
use crate::vp8::PICTURE_ID_MASK;

/// Most decoded frames that are remembered: more than any reference distance.
const DECODED_MAX: usize = 64;

/// Pictures from a frame to one that references it, at most. TL0PICIDX alone has eight bits: after 256
/// lost base frames it looks like the next one.
const REFERENCE_PICTURES_MAX: u16 = 255;

/// Maximum deviation of RTP timestamps from the capture clock, in microseconds. A server aligns the
/// clocks of two encodings by sender reports, which are far more exact; without them by arrival, of a
/// keyframe that may have been sent again.
const DRIFT_MICROS_MAX: i64 = 150_000;

/// Most by which two frames may be further apart, or closer together, by RTP timestamp than by capture, in
/// microseconds. Frames of the past that are sent at once are closer together, and are not compared.
const STEP_MICROS_MAX: i64 = 5_000;

/// Decoder without pictures.
#[derive(Debug, Default)]
pub struct Decoder {
    /// Last decoded frame.
    last: Option<AssembledFrame>,
    /// TL0PICIDX of the last decoded base layer frame.
    tl0_index: Option<u8>,
    /// Encoding and number of the decoded frames since the last keyframe.
    decoded: VecDeque<(u8, u32)>,
    /// Capture time in microseconds and unwrapped RTP timestamp of the first frame that was compared.
    origin: Option<(i64, i64)>,
    /// Unwrapped RTP timestamp of the last frame.
    ticks: i64,
    /// Capture time of the last frame in microseconds.
    captured: i64,
    /// Number of changes to another encoding.
    pub layer_switches: u64,
}

impl Decoder {
    /// Returns the last decoded frame.
    pub const fn last(&self) -> Option<&AssembledFrame> {
        self.last.as_ref()
    }

    /// Returns whether a browser would decode `frame` now.
    pub fn can_decode(&self, frame: &AssembledFrame) -> bool {
        if frame.keyframe {
            return true;
        }
        let Some(last) = &self.last else {
            return false;
        };
        let follows = frame.first.0 == last.last.0 + 1;
        let descriptor = &frame.descriptor;
        let (Some(tl0), Some(temporal), Some(id)) = (
            descriptor.tl0_index,
            descriptor.temporal,
            descriptor.picture_id,
        ) else {
            return follows;
        };
        let Some(decoded_tl0) = self.tl0_index else {
            return follows;
        };
        let last_id = last.descriptor.picture_id;
        let next_id = last_id.map(|id| id.wrapping_add(1) & PICTURE_ID_MASK);
        let step = last_id.map_or(0, |last| id.wrapping_sub(last) & PICTURE_ID_MASK);
        if step > REFERENCE_PICTURES_MAX {
            return false;
        }
        match temporal {
            0 => tl0 == decoded_tl0.wrapping_add(1),
            _ if descriptor.sync => tl0 == decoded_tl0,
            _ => tl0 == decoded_tl0 && next_id == Some(id),
        }
    }

    /// Decodes a frame; returns the violations that it shows.
    pub fn decode(&mut self, frame: AssembledFrame) -> Vec<Violation> {
        let mut violations = self.check_frame(&frame);
        violations.extend(self.check_clock(&frame));
        if let Some(last) = &self.last {
            self.layer_switches += u64::from(last.signature.layer != frame.signature.layer);
        }
        if frame.keyframe {
            self.decoded.clear();
        }
        self.decoded
            .push_back((frame.signature.layer, frame.signature.frame));
        if self.decoded.len() > DECODED_MAX {
            self.decoded.pop_front();
        }
        if frame.keyframe || frame.descriptor.temporal == Some(0) {
            self.tl0_index = frame.descriptor.tl0_index;
        }
        self.last = Some(frame);
        violations
    }

    fn check_frame(&self, frame: &AssembledFrame) -> Vec<Violation> {
        let mut violations = Vec::new();
        let seq = frame.first;
        if !frame.is_consistent {
            violations.push(Violation::InconsistentFrame { seq });
        }
        if frame.keyframe != frame.signature.keyframe {
            violations.push(Violation::KeyframeFlagMismatch { seq });
        }
        if !frame.signature.keyframe {
            let switched = self
                .last
                .is_some_and(|last| last.signature.layer != frame.signature.layer);
            let decoded = |back: u8| {
                let needed = frame.signature.frame.wrapping_sub(u32::from(back));
                back == 0 || self.decoded.contains(&(frame.signature.layer, needed))
            };
            if switched {
                violations.push(Violation::SwitchWithoutKeyframe { seq });
            } else if !frame.signature.reference_distances.into_iter().all(decoded) {
                violations.push(Violation::MissingReference {
                    seq,
                    signature: frame.signature,
                });
            }
        }
        if let Some(last) = &self.last {
            violations.extend(check_numbers(last, frame, seq));
        }
        violations
    }

    /// Compares RTP timestamps with capture times. The first frame after a change of the clock is not
    /// compared: only the next one shows that the change lasts.
    fn check_clock(&mut self, frame: &AssembledFrame) -> Option<Violation> {
        let captured = i64::try_from(frame.signature.captured.as_micros()).ok()?;
        let seq = frame.first;
        let before = std::mem::replace(&mut self.captured, captured);
        let last = self.last.as_ref()?;
        let step = frame.timestamp.wrapping_sub(last.timestamp).cast_signed();
        if step <= 0 {
            return Some(Violation::TimestampBackwards { seq });
        }
        self.ticks += i64::from(step);
        let micros = |ticks| ticks * 1_000_000 / i64::from(VIDEO_CLOCK);
        let change = micros(i64::from(step)) - (captured - before);
        if change.abs() > STEP_MICROS_MAX {
            return None;
        }
        let (captured_first, ticks_first) = *self.origin.get_or_insert((captured, self.ticks));
        let drift = micros(self.ticks - ticks_first) - (captured - captured_first);
        (drift.abs() > DRIFT_MICROS_MAX).then(|| {
            // Reported once: later frames are compared with the new offset.
            self.origin = Some((captured, self.ticks));
            let micros = drift;
            Violation::TimestampDrift { seq, micros }
        })
    }
}

/// Checks that the picture numbers of a frame continue those of the previous one.
fn check_numbers(last: &AssembledFrame, frame: &AssembledFrame, seq: SeqNo) -> Option<Violation> {
    let (before, after) = (last.descriptor.picture_id?, frame.descriptor.picture_id?);
    let step = after.wrapping_sub(before) & PICTURE_ID_MASK;
    let adjacent = frame.first.0 == last.last.0 + 1;
    let jumped = if adjacent {
        step != 1
    } else {
        step == 0 || step > PICTURE_ID_MASK / 2
    };
    if jumped {
        return Some(Violation::PictureIdJump { seq, before, after });
    }
    let (before, after) = (last.descriptor.tl0_index?, frame.descriptor.tl0_index?);
    let expected = match frame.descriptor.temporal {
        Some(0) => before.wrapping_add(1),
        _ => before,
    };
    (adjacent && after != expected).then_some(Violation::Tl0Jump { seq, before, after })
}

#[cfg(test)]
mod tests {
    use watersmeet_wire::units::Time;

    use super::*;
    use crate::signature::PacketSignature;
    use crate::vp8::Descriptor;

    /// Returns frame `number` of a stream with three temporal layers and one packet per frame.
    fn frame(number: u32) -> AssembledFrame {
        let index = number % 4;
        let temporal = [0, 2, 1, 2][index as usize];
        let millis = u64::from(number) * 100;
        let signature = PacketSignature {
            room: 0,
            source: 0,
            layer: 0,
            temporal,
            keyframe: number == 0,
            reference_distances: [[4, 0], [1, 0], [2, 0], [1, 3]][index as usize],
            frame: number,
            index: 0,
            count: 1,
            captured: Time::from_millis(millis),
        };
        let signature = PacketSignature {
            reference_distances: if number == 0 {
                [0, 0]
            } else {
                signature.reference_distances
            },
            ..signature
        };
        let seq = SeqNo(70_000 + u64::from(number));
        AssembledFrame {
            first: seq,
            last: seq,
            timestamp: number * 9_000,
            descriptor: Descriptor {
                start: true,
                partition: 0,
                unreferenced: temporal == 2,
                picture_id: Some(u16::try_from(number).unwrap()),
                tl0_index: Some(u8::try_from(number / 4).unwrap()),
                temporal: Some(temporal),
                sync: index == 1 || index == 2,
            },
            keyframe: number == 0,
            signature,
            is_consistent: true,
        }
    }

    #[test]
    fn frames_in_order_are_decoded_without_violations() {
        let mut decoder = Decoder::default();
        for number in 0..40 {
            assert!(decoder.can_decode(&frame(number)), "frame {number}");
            assert_eq!(decoder.decode(frame(number)), []);
        }
    }

    #[test]
    fn wrapped_number_of_a_base_frame_is_not_the_next_one() {
        let mut decoder = Decoder::default();
        decoder.decode(frame(0));
        let later = frame(4 * 255);
        let next_index = frame(4).descriptor.tl0_index;
        let wrapped = AssembledFrame {
            descriptor: Descriptor {
                tl0_index: next_index,
                ..later.descriptor
            },
            ..later
        };
        assert!(!decoder.can_decode(&wrapped));
    }

    #[test]
    fn frame_that_references_a_lost_frame_is_not_decodable() {
        let mut decoder = Decoder::default();
        decoder.decode(frame(0));
        // Frame 2 is lost: 3 references it, 4 does not, 8 references 4.
        decoder.decode(frame(1));
        assert!(!decoder.can_decode(&frame(3)));
        assert!(!decoder.can_decode(&frame(8)));
        assert!(decoder.can_decode(&frame(4)));
        assert_eq!(decoder.decode(frame(4)), []);
    }

    #[test]
    fn decoding_without_the_references_is_a_violation() {
        let mut decoder = Decoder::default();
        decoder.decode(frame(0));
        let violations = decoder.decode(frame(8));
        assert!(
            matches!(violations[..], [Violation::MissingReference { .. }]),
            "{violations:?}"
        );
        let other = AssembledFrame {
            signature: PacketSignature {
                layer: 1,
                ..frame(9).signature
            },
            ..frame(9)
        };
        assert!(
            decoder
                .decode(other)
                .contains(&Violation::SwitchWithoutKeyframe { seq: other.first })
        );
    }

    #[test]
    fn discontinuous_picture_numbers_are_violations() {
        let mut decoder = Decoder::default();
        decoder.decode(frame(0));
        let mut next = frame(1);
        next.descriptor.picture_id = Some(2);
        assert!(matches!(
            decoder.decode(next)[..],
            [Violation::PictureIdJump {
                before: 0,
                after: 2,
                ..
            }]
        ));
        let mut next = AssembledFrame {
            descriptor: Descriptor {
                tl0_index: Some(1),
                ..frame(2).descriptor
            },
            ..frame(2)
        };
        next.descriptor.picture_id = Some(3);
        assert!(matches!(
            decoder.decode(next)[..],
            [Violation::Tl0Jump {
                before: 0,
                after: 1,
                ..
            }]
        ));
    }

    #[test]
    fn timestamp_drift_is_reported_once() {
        let mut decoder = Decoder::default();
        decoder.decode(frame(0));
        let late = |number| AssembledFrame {
            timestamp: frame(number).timestamp + 18_000,
            ..frame(number)
        };
        decoder.decode(frame(1));
        assert_eq!(decoder.decode(late(2)), []);
        assert!(matches!(
            decoder.decode(late(3))[..],
            [Violation::TimestampDrift {
                micros: 200_000,
                ..
            }]
        ));
        assert_eq!(decoder.decode(late(4)), []);
        let back = AssembledFrame {
            timestamp: 17_000,
            ..frame(5)
        };
        assert_eq!(
            decoder.decode(back),
            [Violation::TimestampBackwards { seq: back.first }]
        );
    }

    #[test]
    fn frames_of_the_past_may_have_timestamps_later_than_their_capture() {
        let mut decoder = Decoder::default();
        let live = 20 * 9_000;
        for number in 0..20 {
            let caught_up = AssembledFrame {
                timestamp: live - (20 - number) * 90,
                ..frame(number)
            };
            assert_eq!(decoder.decode(caught_up), []);
        }
        for number in 20..40 {
            assert_eq!(decoder.decode(frame(number)), []);
        }
        let late = |number| AssembledFrame {
            timestamp: frame(number).timestamp + 18_000,
            ..frame(number)
        };
        decoder.decode(late(40));
        assert_eq!(decoder.decode(late(41)).len(), 1, "the clock has changed");
    }
}
