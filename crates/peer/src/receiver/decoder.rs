//! Which frames a decoder would show, by what their descriptors say, after libwebrtc's reference
//! finder; and proof, by their signatures, that it was right to. The first half is what a browser
//! knows. The second half is what only a test knows.

use std::collections::VecDeque;

use watersmeet_wire::units::SeqNo;

use super::assembly::Frame;
use super::violation::Violation;
use crate::negotiation::VIDEO_CLOCK;
use crate::vp8::PICTURE_ID_MASK;

/// Shown frames that are remembered: more than any frame reaches back.
const SHOWN_MAX: usize = 64;

/// How far the media clock may be from the camera's. A server joins the clocks of two encodings by
/// reports whose times are exact to far less; without one it may go by arrival.
const DRIFT_MICROS_MAX: i64 = 100_000;

/// A decoder without pictures.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The last frame that was shown.
    last: Option<Frame>,
    /// The last base layer number that was shown.
    tl0_index: Option<u8>,
    /// Encoding and number of the frames shown.
    shown: VecDeque<(u8, u32)>,
    /// Camera time and media time of the first frame, in microseconds and unwrapped ticks.
    origin: Option<(i64, i64)>,
    /// Unwrapped media time of the last frame.
    ticks: i64,
    /// How often another encoding was shown.
    pub switches: u64,
}

impl Decoder {
    /// The last frame that was shown.
    pub const fn last(&self) -> Option<&Frame> {
        self.last.as_ref()
    }

    /// Whether `frame` can be shown now, as far as a browser can tell.
    pub fn can_show(&self, frame: &Frame) -> bool {
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
        let Some(shown_tl0) = self.tl0_index else {
            return follows;
        };
        let next_id = last
            .descriptor
            .picture_id
            .map(|id| id.wrapping_add(1) & PICTURE_ID_MASK);
        match temporal {
            0 => tl0 == shown_tl0.wrapping_add(1),
            _ if descriptor.sync => tl0 == shown_tl0,
            _ => tl0 == shown_tl0 && next_id == Some(id),
        }
    }

    /// Shows a frame; what was wrong with that.
    pub fn show(&mut self, frame: Frame) -> Vec<Violation> {
        let mut violations = self.judge(&frame);
        violations.extend(self.judge_clock(&frame));
        if let Some(last) = &self.last {
            self.switches += u64::from(last.tag.layer != frame.tag.layer);
        }
        if frame.keyframe {
            self.shown.clear();
        }
        self.shown.push_back((frame.tag.layer, frame.tag.frame));
        if self.shown.len() > SHOWN_MAX {
            self.shown.pop_front();
        }
        if frame.keyframe || frame.descriptor.temporal == Some(0) {
            self.tl0_index = frame.descriptor.tl0_index;
        }
        self.last = Some(frame);
        violations
    }

    fn judge(&self, frame: &Frame) -> Vec<Violation> {
        let mut violations = Vec::new();
        let seq = frame.first;
        if !frame.sound {
            violations.push(Violation::Torn { seq });
        }
        if frame.keyframe != frame.tag.keyframe {
            violations.push(Violation::WrongKind { seq });
        }
        if !frame.tag.keyframe {
            let switched = self
                .last
                .is_some_and(|last| last.tag.layer != frame.tag.layer);
            let shown = |back: u8| {
                let needed = frame.tag.frame.wrapping_sub(u32::from(back));
                back == 0 || self.shown.contains(&(frame.tag.layer, needed))
            };
            if switched {
                violations.push(Violation::SwitchWithoutKeyframe { seq });
            } else if !frame.tag.needs.into_iter().all(shown) {
                violations.push(Violation::Unfounded {
                    seq,
                    tag: frame.tag,
                });
            }
        }
        if let Some(last) = &self.last {
            violations.extend(follows(last, frame, seq));
        }
        violations
    }

    /// Compares the media clock with the camera's.
    fn judge_clock(&mut self, frame: &Frame) -> Option<Violation> {
        let captured = i64::try_from(frame.tag.captured.as_micros()).ok()?;
        let seq = frame.first;
        if let Some(last) = &self.last {
            let step = frame.timestamp.wrapping_sub(last.timestamp).cast_signed();
            if step <= 0 {
                return Some(Violation::TimestampBackwards { seq });
            }
            self.ticks += i64::from(step);
        }
        let (captured_first, ticks_first) = *self.origin.get_or_insert((captured, self.ticks));
        let media = (self.ticks - ticks_first) * 1_000_000 / i64::from(VIDEO_CLOCK);
        let micros = media - (captured - captured_first);
        (micros.abs() > DRIFT_MICROS_MAX).then(|| {
            // Told once: what follows is judged by the new relation.
            self.origin = Some((captured, self.ticks));
            Violation::TimestampDrift { seq, micros }
        })
    }
}

/// Whether the numbers of a frame go on from those of the one shown before.
fn follows(last: &Frame, frame: &Frame, seq: SeqNo) -> Option<Violation> {
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
    use crate::tag::Tag;
    use crate::vp8::Descriptor;

    /// The `number`th frame of one packet each, with three temporal layers.
    fn frame(number: u32) -> Frame {
        let place = number % 4;
        let temporal = [0, 2, 1, 2][place as usize];
        let millis = u64::from(number) * 100;
        let tag = Tag {
            room: 0,
            source: 0,
            layer: 0,
            temporal,
            keyframe: number == 0,
            needs: [[4, 0], [1, 0], [2, 0], [1, 3]][place as usize],
            frame: number,
            index: 0,
            count: 1,
            captured: Time::from_millis(millis),
        };
        let tag = Tag {
            needs: if number == 0 { [0, 0] } else { tag.needs },
            ..tag
        };
        let seq = SeqNo(70_000 + u64::from(number));
        Frame {
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
                sync: place == 1 || place == 2,
            },
            keyframe: number == 0,
            tag,
            sound: true,
        }
    }

    #[test]
    fn frames_in_order_are_shown_without_complaint() {
        let mut decoder = Decoder::default();
        for number in 0..40 {
            assert!(decoder.can_show(&frame(number)), "frame {number}");
            assert_eq!(decoder.show(frame(number)), []);
        }
    }

    #[test]
    fn what_needs_a_lost_frame_is_not_shown() {
        let mut decoder = Decoder::default();
        decoder.show(frame(0));
        // Frame 2 is lost: 3 builds on it, 4 does not, 8 builds on 4.
        decoder.show(frame(1));
        assert!(!decoder.can_show(&frame(3)));
        assert!(!decoder.can_show(&frame(8)));
        assert!(decoder.can_show(&frame(4)));
        assert_eq!(decoder.show(frame(4)), []);
    }

    #[test]
    fn showing_what_cannot_be_shown_is_noticed() {
        let mut decoder = Decoder::default();
        decoder.show(frame(0));
        let violations = decoder.show(frame(8));
        assert!(
            matches!(violations[..], [Violation::Unfounded { .. }]),
            "{violations:?}"
        );
        let other = Frame {
            tag: Tag {
                layer: 1,
                ..frame(9).tag
            },
            ..frame(9)
        };
        assert!(
            decoder
                .show(other)
                .contains(&Violation::SwitchWithoutKeyframe { seq: other.first })
        );
    }

    #[test]
    fn numbers_that_do_not_follow_are_noticed() {
        let mut decoder = Decoder::default();
        decoder.show(frame(0));
        let mut next = frame(1);
        next.descriptor.picture_id = Some(2);
        assert!(matches!(
            decoder.show(next)[..],
            [Violation::PictureIdJump {
                before: 0,
                after: 2,
                ..
            }]
        ));
        let mut next = Frame {
            descriptor: Descriptor {
                tl0_index: Some(1),
                ..frame(2).descriptor
            },
            ..frame(2)
        };
        next.descriptor.picture_id = Some(3);
        assert!(matches!(
            decoder.show(next)[..],
            [Violation::Tl0Jump {
                before: 0,
                after: 1,
                ..
            }]
        ));
    }

    #[test]
    fn a_clock_that_runs_away_is_noticed_once() {
        let mut decoder = Decoder::default();
        decoder.show(frame(0));
        let late = Frame {
            timestamp: 9_000 + 18_000,
            ..frame(1)
        };
        assert!(matches!(
            decoder.show(late)[..],
            [Violation::TimestampDrift {
                micros: 200_000,
                ..
            }]
        ));
        let next = Frame {
            timestamp: 18_000 + 18_000,
            ..frame(2)
        };
        assert_eq!(decoder.show(next), []);
        let back = Frame {
            timestamp: 17_000,
            ..frame(3)
        };
        assert_eq!(
            decoder.show(back),
            [Violation::TimestampBackwards { seq: back.first }]
        );
    }
}
