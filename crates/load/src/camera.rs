//! A camera's frames: how long each is, how it is split into packets, and when they leave. Frames
//! vary around their mean as an encoder's do; packets of one frame differ by one byte at most, as
//! libwebrtc splits them.

use std::collections::VecDeque;
use std::time::Duration;

use clap::ValueEnum;
use serde::Serialize;
use watersmeet_wire::units::{Rng, Time};

use crate::chance::Chance;
use crate::payload::{PAYLOAD_LEN_MAX, Piece, VIDEO_LEN_MIN};

/// Frames per second.
const FRAME_RATE: u64 = 30;

/// Time between two frames.
pub const FRAME_INTERVAL: Duration = Duration::from_micros(1_000_000 / FRAME_RATE);

/// How many times longer than others a keyframe is.
const KEYFRAME_FACTOR: u64 = 4;

/// A frame is this much shorter or longer than the mean at most, in percent.
const VARIATION_PERCENT: u64 = 25;

/// Keyframes are this far apart at least, however many ask.
const KEYFRAME_INTERVAL: Duration = Duration::from_secs(1);

/// How long the packets of a frame are spread at most, when they are spread.
const SPREAD: Duration = Duration::from_millis(5);

/// When the packets of a frame leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Pacing {
    /// One behind the other, as today's Chromium sends a frame.
    Burst,
    /// Spread over 5 ms.
    Spread,
    /// Spread over the time until the next frame.
    Even,
}

impl Pacing {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Burst => "burst",
            Self::Spread => "spread",
            Self::Even => "even",
        }
    }

    /// Time between two of `count` packets.
    fn gap(self, count: usize) -> Duration {
        let count = u32::try_from(count.max(1)).unwrap_or(u32::MAX);
        match self {
            Self::Burst => Duration::ZERO,
            Self::Spread => SPREAD / count,
            Self::Even => FRAME_INTERVAL / count,
        }
    }
}

/// One packet of a frame, before it is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// When it leaves.
    pub due: Time,
    /// The encoding, from the lowest at zero.
    pub layer: usize,
    /// RTP time of the frame.
    pub timestamp: u32,
    /// Its place in the frame.
    pub piece: Piece,
}

/// One encoding.
#[derive(Debug, Clone, Copy)]
struct Layer {
    /// Mean bytes of a frame.
    frame_len: u64,
    /// Width and height.
    size: (u16, u16),
    /// Whether the next frame must need no other.
    wants_keyframe: bool,
    /// When the last such was.
    last_keyframe: Option<Time>,
}

/// A camera, with one encoding or three.
#[derive(Debug)]
pub struct Camera {
    layers: Vec<Layer>,
    pacing: Pacing,
    chance: Chance,
    /// When the next frame is captured.
    next: Time,
    /// Number of the next frame.
    frame: u32,
    /// RTP time of the first.
    origin: u32,
    /// Packets that have not left yet, the next one first.
    waiting: VecDeque<Slice>,
}

impl Camera {
    /// A camera whose best encoding has `kbps`; with `simulcast` there are two smaller ones. It
    /// begins at a random moment within a frame from `now`.
    pub fn new(now: Time, kbps: u32, simulcast: bool, pacing: Pacing, rng: &mut Rng) -> Self {
        let mut chance = Chance::new(rng);
        let phase = chance.below(FRAME_INTERVAL.as_micros().try_into().unwrap_or(1));
        let layer = |divisor: u64, size| Layer {
            frame_len: u64::from(kbps) * 1_000 / 8 / FRAME_RATE / divisor,
            size,
            wants_keyframe: true,
            last_keyframe: None,
        };
        // Each encoding has a quarter of the pixels of the next, and about a third of its bits.
        let layers = if simulcast {
            vec![
                layer(9, (320, 180)),
                layer(3, (640, 360)),
                layer(1, (1_280, 720)),
            ]
        } else {
            vec![layer(1, (1_280, 720))]
        };
        Self {
            layers,
            pacing,
            next: now + Duration::from_micros(phase),
            frame: 0,
            origin: chance.word(),
            chance,
            waiting: VecDeque::new(),
        }
    }

    /// Makes the next frame of an encoding one that needs no other, if the last such is not too
    /// near.
    pub fn request_keyframe(&mut self, layer: usize) {
        if let Some(layer) = self.layers.get_mut(layer) {
            layer.wants_keyframe = true;
        }
    }

    /// When there is something to send.
    pub fn poll_timeout(&self) -> Time {
        self.waiting
            .front()
            .map_or(self.next, |it| it.due.min(self.next))
    }

    /// The next packet that is due.
    pub fn poll_slice(&mut self, now: Time) -> Option<Slice> {
        while self.next <= now {
            self.capture();
            self.next = self.next + FRAME_INTERVAL;
        }
        self.waiting.pop_front_if(|slice| slice.due <= now)
    }

    /// Makes a frame of each encoding.
    fn capture(&mut self) {
        let at = self.next;
        let ticks = self.frame.wrapping_mul(90_000 / 30);
        for (number, layer) in self.layers.iter_mut().enumerate() {
            let may = layer
                .last_keyframe
                .is_none_or(|it| at.since(it) >= KEYFRAME_INTERVAL);
            let keyframe = layer.wants_keyframe && may;
            if keyframe {
                layer.wants_keyframe = false;
                layer.last_keyframe = Some(at);
            }
            let percent = 100 - VARIATION_PERCENT + self.chance.below(2 * VARIATION_PERCENT + 1);
            let factor = if keyframe { KEYFRAME_FACTOR } else { 1 };
            let len = layer.frame_len * factor * percent / 100;
            let lens = split(usize::try_from(len).unwrap_or(0));
            let count = lens.clone().count();
            let mut due = at;
            for (index, len) in lens.enumerate() {
                self.waiting.push_back(Slice {
                    due,
                    layer: number,
                    timestamp: self.origin.wrapping_add(ticks),
                    piece: Piece {
                        frame: self.frame,
                        keyframe,
                        first: index == 0,
                        last: index + 1 == count,
                        size: layer.size,
                        len,
                    },
                });
                due = due + self.pacing.gap(count);
            }
        }
        // The sort is stable: packets of one encoding stay in order.
        self.waiting
            .make_contiguous()
            .sort_by_key(|slice| slice.due);
        self.frame = self.frame.wrapping_add(1);
    }
}

/// Lengths of the payloads of a frame of `len` bytes: as few as possible, and as equal; the longer
/// ones come last.
fn split(len: usize) -> impl Iterator<Item = usize> + Clone {
    let len = len.max(VIDEO_LEN_MIN);
    let count = len.div_ceil(PAYLOAD_LEN_MAX);
    let (shorter, longer) = (len / count, len % count);
    (0..count).map(move |index| {
        let is_longer = index >= count - longer;
        (shorter + usize::from(is_longer)).max(VIDEO_LEN_MIN)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance;

    fn camera(pacing: Pacing, simulcast: bool) -> Camera {
        Camera::new(Time::ZERO, 1_200, simulcast, pacing, &mut chance::seeded(7))
    }

    fn slices(camera: &mut Camera, until: Time) -> Vec<(Time, Slice)> {
        let mut seen = Vec::new();
        while camera.poll_timeout() <= until {
            let now = camera.poll_timeout();
            while let Some(slice) = camera.poll_slice(now) {
                seen.push((now, slice));
            }
        }
        seen
    }

    #[test]
    fn pieces_of_a_frame_are_few_and_differ_by_one_byte() {
        for len in [60, 1_199, 1_200, 1_201, 5_000, 20_003, 60_000] {
            let lens: Vec<_> = split(len).collect();
            assert_eq!(lens.iter().sum::<usize>(), len);
            assert_eq!(lens.len(), len.div_ceil(PAYLOAD_LEN_MAX));
            assert!(lens.is_sorted());
            assert!(lens.last().unwrap() - lens.first().unwrap() <= 1);
        }
        assert_eq!(split(0).collect::<Vec<_>>(), [VIDEO_LEN_MIN]);
    }

    #[test]
    fn the_rate_is_kept() {
        let mut camera = camera(Pacing::Burst, false);
        let seen = slices(&mut camera, Time::from_millis(60_000));
        let bytes: usize = seen.iter().map(|(_, it)| it.piece.len).sum();
        let kbps = bytes * 8 / 60_000;
        assert!((1_150..1_260).contains(&kbps), "{kbps}");
    }

    #[test]
    fn packets_leave_in_the_order_of_their_frames_whatever_the_pacing() {
        for pacing in [Pacing::Burst, Pacing::Spread, Pacing::Even] {
            let mut camera = camera(pacing, true);
            let seen = slices(&mut camera, Time::from_millis(2_000));
            for layer in 0..3 {
                let of_layer = || seen.iter().filter(|(_, it)| it.layer == layer);
                let pairs = of_layer().zip(of_layer().skip(1));
                for ((_, one), (_, next)) in pairs {
                    assert_eq!(next.piece.first, one.piece.last, "{pacing:?}");
                    assert_eq!(next.piece.frame != one.piece.frame, one.piece.last);
                }
            }
            assert!(seen.iter().all(|(now, it)| *now >= it.due));
        }
    }

    #[test]
    fn a_frame_is_spread_as_far_as_its_pacing_says() {
        let spread = |pacing| {
            let mut camera = camera(pacing, false);
            let seen = slices(&mut camera, Time::from_millis(1_000));
            let frame = seen.iter().filter(|(_, it)| it.piece.frame == 20);
            let times: Vec<_> = frame.map(|(now, _)| *now).collect();
            times.last().unwrap().since(*times.first().unwrap())
        };
        assert_eq!(spread(Pacing::Burst), Duration::ZERO);
        assert!(spread(Pacing::Spread) > Duration::ZERO && spread(Pacing::Spread) < SPREAD);
        assert!(spread(Pacing::Even) > SPREAD && spread(Pacing::Even) < FRAME_INTERVAL);
    }

    #[test]
    fn a_keyframe_comes_at_once_and_then_once_a_second_at_most() {
        let mut camera = camera(Pacing::Burst, false);
        let mut keyframes = Vec::new();
        for millis in 0..5_000 {
            let now = Time::from_millis(millis);
            if millis < 3_000 {
                camera.request_keyframe(0);
            }
            while let Some(slice) = camera.poll_slice(now) {
                if slice.piece.first && slice.piece.keyframe {
                    keyframes.push(millis);
                }
            }
        }
        assert_eq!(keyframes.len(), 4, "{keyframes:?}");
        assert!(keyframes.windows(2).all(|pair| pair[1] - pair[0] >= 999));
    }
}
