//! Simulated camera: lengths of video frames, their split into packets, and the send time of each.
//! Frame lengths vary around their mean as an encoder's do. Packets of one frame differ by at most one
//! byte, as in libwebrtc.

use std::collections::VecDeque;
use std::time::Duration;

use clap::ValueEnum;
use serde::Serialize;
use watersmeet_wire::units::{Rng, Time};

use crate::payload::{FramePart, PAYLOAD_LEN_MAX, VIDEO_LEN_MIN};
use crate::seeded_rng::SeededRng;

/// Frames per second.
const FRAME_RATE: u64 = 30;

/// Time between two frames.
pub const FRAME_INTERVAL: Duration = Duration::from_micros(1_000_000 / FRAME_RATE);

/// Length of a keyframe relative to other frames.
const KEYFRAME_FACTOR: u64 = 4;

/// Greatest deviation of a frame length from the mean, in percent.
const VARIATION_PERCENT: u64 = 25;

/// Minimum time between two keyframes.
const KEYFRAME_INTERVAL: Duration = Duration::from_secs(1);

/// Duration over which `Pacing::Spread` spreads a frame.
const SPREAD_DURATION: Duration = Duration::from_millis(5);

/// How the packets of a frame are spread over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Pacing {
    /// All at once, as Chromium sends a frame.
    Burst,
    /// Over 5 ms.
    Spread,
    /// Over the time until the next frame.
    Even,
}

impl Pacing {
    /// Returns its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Burst => "burst",
            Self::Spread => "spread",
            Self::Even => "even",
        }
    }

    /// Returns the time between two of `count` packets.
    fn packet_interval(self, count: usize) -> Duration {
        let count = u32::try_from(count.max(1)).unwrap_or(u32::MAX);
        match self {
            Self::Burst => Duration::ZERO,
            Self::Spread => SPREAD_DURATION / count,
            Self::Even => FRAME_INTERVAL / count,
        }
    }
}

/// A packet of a video frame, before it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VideoPacket {
    /// When it is sent.
    pub due: Time,
    /// Simulcast layer, 0 is the lowest.
    pub layer: usize,
    /// RTP timestamp of the frame.
    pub timestamp: u32,
    /// Position in the frame.
    pub part: FramePart,
}

/// A simulcast layer.
#[derive(Debug, Clone, Copy)]
struct Layer {
    /// Mean length of a frame in bytes.
    frame_len: u64,
    /// Width and height in pixels.
    size: (u16, u16),
    /// Whether a keyframe was requested.
    wants_keyframe: bool,
    /// Time of the last keyframe.
    last_keyframe: Option<Time>,
}

/// A camera with one or three simulcast layers.
#[derive(Debug)]
pub struct Camera {
    layers: Vec<Layer>,
    pacing: Pacing,
    rng: SeededRng,
    /// Time of the next frame.
    next: Time,
    /// Number of the next frame.
    frame: u32,
    /// RTP timestamp of the first frame.
    first_timestamp: u32,
    /// Packets not sent yet, the next one first.
    waiting: VecDeque<VideoPacket>,
}

impl Camera {
    /// Creates a camera whose best layer has `kbps`; with `simulcast` it has two smaller layers. The
    /// first frame is at a random time within a frame interval from `now`.
    pub fn new(now: Time, kbps: u32, simulcast: bool, pacing: Pacing, rng: &mut Rng) -> Self {
        let mut rng = SeededRng::new(rng);
        let phase = rng.below(FRAME_INTERVAL.as_micros().try_into().unwrap_or(1));
        let layer = |divisor: u64, size| Layer {
            frame_len: u64::from(kbps) * 1_000 / 8 / FRAME_RATE / divisor,
            size,
            wants_keyframe: true,
            last_keyframe: None,
        };
        // Each layer has a quarter of the pixels of the next, and about a third of its bitrate.
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
            first_timestamp: rng.next_u32(),
            rng,
            waiting: VecDeque::new(),
        }
    }

    /// Makes the next frame of a layer a keyframe, once [`KEYFRAME_INTERVAL`] has passed since the
    /// last one.
    pub fn request_keyframe(&mut self, layer: usize) {
        if let Some(layer) = self.layers.get_mut(layer) {
            layer.wants_keyframe = true;
        }
    }

    /// Returns when the next packet is due.
    pub fn poll_timeout(&self) -> Time {
        self.waiting
            .front()
            .map_or(self.next, |it| it.due.min(self.next))
    }

    /// Returns the next packet that is due.
    pub fn poll_packet(&mut self, now: Time) -> Option<VideoPacket> {
        while self.next <= now {
            self.capture();
            self.next = self.next + FRAME_INTERVAL;
        }
        self.waiting.pop_front_if(|packet| packet.due <= now)
    }

    /// Queues the packets of one frame of each layer.
    fn capture(&mut self) {
        let at = self.next;
        let ticks = self.frame.wrapping_mul(90_000 / 30);
        for (number, layer) in self.layers.iter_mut().enumerate() {
            let is_permitted = layer
                .last_keyframe
                .is_none_or(|it| at.since(it) >= KEYFRAME_INTERVAL);
            let keyframe = layer.wants_keyframe && is_permitted;
            if keyframe {
                layer.wants_keyframe = false;
                layer.last_keyframe = Some(at);
            }
            let percent = 100 - VARIATION_PERCENT + self.rng.below(2 * VARIATION_PERCENT + 1);
            let factor = if keyframe { KEYFRAME_FACTOR } else { 1 };
            let len = layer.frame_len * factor * percent / 100;
            let lens = split(usize::try_from(len).unwrap_or(0));
            let count = lens.clone().count();
            let mut due = at;
            for (index, len) in lens.enumerate() {
                self.waiting.push_back(VideoPacket {
                    due,
                    layer: number,
                    timestamp: self.first_timestamp.wrapping_add(ticks),
                    part: FramePart {
                        frame: self.frame,
                        keyframe,
                        first: index == 0,
                        last: index + 1 == count,
                        size: layer.size,
                        len,
                    },
                });
                due = due + self.pacing.packet_interval(count);
            }
        }
        // The sort is stable, so packets of one layer stay in order.
        self.waiting
            .make_contiguous()
            .sort_by_key(|packet| packet.due);
        self.frame = self.frame.wrapping_add(1);
    }
}

/// Returns the payload lengths of a frame of `len` bytes: as few as possible, equal except for one
/// byte, the longer ones last.
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
    use crate::seeded_rng;

    fn camera(pacing: Pacing, simulcast: bool) -> Camera {
        Camera::new(
            Time::ZERO,
            1_200,
            simulcast,
            pacing,
            &mut seeded_rng::seeded(7),
        )
    }

    fn packets(camera: &mut Camera, until: Time) -> Vec<(Time, VideoPacket)> {
        let mut seen = Vec::new();
        while camera.poll_timeout() <= until {
            let now = camera.poll_timeout();
            while let Some(packet) = camera.poll_packet(now) {
                seen.push((now, packet));
            }
        }
        seen
    }

    #[test]
    fn frame_is_split_into_few_payloads_that_differ_by_one_byte() {
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
    fn mean_bitrate_is_kept() {
        let mut camera = camera(Pacing::Burst, false);
        let seen = packets(&mut camera, Time::from_millis(60_000));
        let bytes: usize = seen.iter().map(|(_, it)| it.part.len).sum();
        let kbps = bytes * 8 / 60_000;
        assert!((1_150..1_260).contains(&kbps), "{kbps}");
    }

    #[test]
    fn packets_are_sent_in_frame_order_with_every_pacing() {
        for pacing in [Pacing::Burst, Pacing::Spread, Pacing::Even] {
            let mut camera = camera(pacing, true);
            let seen = packets(&mut camera, Time::from_millis(2_000));
            for layer in 0..3 {
                let of_layer = || seen.iter().filter(|(_, it)| it.layer == layer);
                let pairs = of_layer().zip(of_layer().skip(1));
                for ((_, one), (_, next)) in pairs {
                    assert_eq!(next.part.first, one.part.last, "{pacing:?}");
                    assert_eq!(next.part.frame != one.part.frame, one.part.last);
                }
            }
            assert!(seen.iter().all(|(now, it)| *now >= it.due));
        }
    }

    #[test]
    fn frame_is_spread_as_its_pacing_specifies() {
        let spread = |pacing| {
            let mut camera = camera(pacing, false);
            let seen = packets(&mut camera, Time::from_millis(1_000));
            let frame = seen.iter().filter(|(_, it)| it.part.frame == 20);
            let times: Vec<_> = frame.map(|(now, _)| *now).collect();
            times.last().unwrap().since(*times.first().unwrap())
        };
        assert_eq!(spread(Pacing::Burst), Duration::ZERO);
        assert!(
            spread(Pacing::Spread) > Duration::ZERO && spread(Pacing::Spread) < SPREAD_DURATION
        );
        assert!(spread(Pacing::Even) > SPREAD_DURATION && spread(Pacing::Even) < FRAME_INTERVAL);
    }

    #[test]
    fn keyframes_are_sent_at_once_and_then_at_most_once_per_second() {
        let mut camera = camera(Pacing::Burst, false);
        let mut keyframes = Vec::new();
        for millis in 0..5_000 {
            let now = Time::from_millis(millis);
            if millis < 3_000 {
                camera.request_keyframe(0);
            }
            while let Some(packet) = camera.poll_packet(now) {
                if packet.part.first && packet.part.keyframe {
                    keyframes.push(millis);
                }
            }
        }
        assert_eq!(keyframes.len(), 4, "{keyframes:?}");
        assert!(keyframes.windows(2).all(|pair| pair[1] - pair[0] >= 999));
    }
}
