//! What is filmed and heard: a camera with its encoders, and a microphone that falls silent between
//! talk spurts. Both only say what leaves when; the sender numbers and sends it.

use std::time::Duration;

use watersmeet_wire::rtp::extension::AudioLevel;
use watersmeet_wire::units::{Bitrate, Rid, Rng, Time};

use super::encoder::{Encoder, Encoding, Frame};
use super::stream::Piece;
use crate::chance;
use crate::negotiation::{AUDIO_CLOCK, VIDEO_CLOCK};
use crate::tag::{TAG_LEN, Tag};
use crate::vp8::{self, DESCRIPTOR_LEN, KEYFRAME_HEADER_LEN};

/// Most bytes of a payload: 1,200 B of packet less the header with every extension (56 B) and the
/// two bytes that a retransmission adds.
pub const PAYLOAD_LEN_MAX: usize = 1_142;

/// Most packets of a frame.
pub const FRAME_PACKETS_MAX: usize = 512;

/// Time between two packets of Opus.
const OPUS_PTIME: Duration = Duration::from_millis(20);

/// Time between two packets of silence.
const OPUS_SILENCE: Duration = Duration::from_millis(400);

/// Bytes of an Opus packet at 32 kbit/s.
const OPUS_LEN: usize = 80;

/// First byte of an Opus packet: hybrid fullband, 20 ms, mono, one frame (RFC 6716 §3.1).
const OPUS_TOC: u8 = 15 << 3;

/// A camera: what is to be published.
#[derive(Debug, Clone, PartialEq)]
pub struct CameraOptions {
    /// The ladder, lowest first.
    pub encodings: Vec<Encoding>,
    /// Frames per second.
    pub fps: u32,
    /// Temporal layers of each encoding: one or three.
    pub temporal_layers: u8,
}

impl CameraOptions {
    /// A camera with one encoding of 1.25 Mbit/s.
    pub fn single() -> Self {
        let encodings = vec![encoding(None, 1_250, (1_280, 720))];
        Self {
            encodings,
            fps: 30,
            temporal_layers: 3,
        }
    }

    /// A camera with a ladder of up to three rungs: 150, 400 and 1,250 kbit/s.
    pub fn simulcast(rungs: usize) -> Self {
        let ladder = [
            encoding(Some("r0"), 150, (320, 180)),
            encoding(Some("r1"), 400, (640, 360)),
            encoding(Some("r2"), 1_250, (1_280, 720)),
        ];
        let encodings = ladder.into_iter().take(rungs).collect();
        Self {
            encodings,
            fps: 30,
            temporal_layers: 3,
        }
    }

    /// What all encodings aim at together.
    pub fn bitrate(&self) -> Bitrate {
        Bitrate::from_bps(
            self.encodings
                .iter()
                .map(|encoding| encoding.bitrate.as_bps())
                .sum(),
        )
    }
}

fn encoding(rid: Option<&str>, kbps: u64, (width, height): (u16, u16)) -> Encoding {
    Encoding {
        rid: rid.and_then(|rid| Rid::from(rid).ok()),
        bitrate: Bitrate::from_kbps(kbps),
        width,
        height,
    }
}

/// A camera that films.
#[derive(Debug)]
pub struct Camera {
    /// Its encoders, lowest first, and the stream each one feeds.
    pub encoders: Vec<(Encoder, usize)>,
    /// Frames per second.
    fps: u32,
    /// When it began.
    began: Time,
    /// Number of the next frame.
    frame: u64,
    /// Whether it films.
    pub filming: bool,
}

impl Camera {
    /// A camera that films from `now` on.
    pub const fn new(now: Time, fps: u32, encoders: Vec<(Encoder, usize)>) -> Self {
        Self {
            encoders,
            fps,
            began: now,
            frame: 0,
            filming: true,
        }
    }

    /// What its encoders aim at.
    pub fn bitrate(&self) -> Bitrate {
        let rates = self
            .encoders
            .iter()
            .map(|(encoder, _)| encoder.encoding().bitrate.as_bps());
        Bitrate::from_bps(rates.sum())
    }

    /// When the next frame is captured.
    pub fn poll_timeout(&self) -> Time {
        if !self.filming {
            return Time::FAR_FUTURE;
        }
        // From the beginning each time, so that thirds of a millisecond do not add up.
        self.began + Duration::from_micros(self.frame * 1_000_000 / u64::from(self.fps.max(1)))
    }

    /// Stops or goes on filming. Whoever looks on needs a keyframe then, and asks for it.
    pub fn film(&mut self, now: Time, filming: bool) {
        if filming && !self.filming {
            let since = now.since(self.began).as_micros();
            let passed = since * u128::from(self.fps) / 1_000_000;
            self.frame = u64::try_from(passed).unwrap_or(0) + 1;
        }
        self.filming = filming;
    }

    /// Captures a frame if it is time: the packets of every encoding, each with its stream.
    pub fn capture(&mut self, now: Time, rng: &mut Rng) -> Vec<(usize, Piece)> {
        if now < self.poll_timeout() {
            return Vec::new();
        }
        self.frame += 1;
        let ticks = ticks(now.since(self.began), VIDEO_CLOCK);
        let mut pieces = Vec::new();
        for (encoder, stream) in &mut self.encoders {
            let frame = encoder.encode(now, self.fps, rng);
            pieces.extend(cut(&frame, ticks).into_iter().map(|piece| (*stream, piece)));
        }
        pieces
    }
}

/// Cuts a frame into packets of equal size or one byte more, the smaller ones first, as libwebrtc
/// does.
fn cut(frame: &Frame, ticks: u32) -> Vec<Piece> {
    let room = PAYLOAD_LEN_MAX - DESCRIPTOR_LEN;
    let count = frame.len.div_ceil(room).clamp(1, FRAME_PACKETS_MAX);
    let (small, larger) = (frame.len / count, frame.len % count);
    let keyframe = frame.tag.keyframe;
    let piece = |index: usize| {
        let len = small + usize::from(index >= count - larger);
        let mut payload = Vec::with_capacity(PAYLOAD_LEN_MAX);
        vp8::Descriptor {
            start: index == 0,
            ..frame.descriptor
        }
        .write(&mut payload);
        if index == 0 {
            vp8::write_frame_header(&mut payload, keyframe, frame.size.0, frame.size.1);
        }
        let header_len = payload.len() - DESCRIPTOR_LEN;
        let tag = Tag {
            index: u16::try_from(index).unwrap_or(u16::MAX),
            count: u16::try_from(count).unwrap_or(u16::MAX),
            ..frame.tag
        };
        tag.write(&mut payload, len.saturating_sub(header_len));
        Piece {
            marker: index + 1 == count,
            ticks,
            payload,
            level: None,
        }
    };
    (0..count).map(piece).collect()
}

/// The least that a packet with a frame header and a tag takes.
const _: () = assert!(KEYFRAME_HEADER_LEN + TAG_LEN < PAYLOAD_LEN_MAX);

/// A microphone that hears somebody talk and pause.
#[derive(Debug)]
pub struct Microphone {
    /// What all its tags say.
    signature: Tag,
    /// The stream it feeds.
    pub stream: usize,
    /// When it began.
    began: Time,
    /// When the next packet is due.
    next: Time,
    /// Until when the present spurt or pause lasts.
    until: Time,
    /// Whether somebody talks.
    talking: bool,
    /// Whether it falls silent between spurts.
    pauses: bool,
    /// Whether it listens.
    pub listening: bool,
    /// Number of the next packet.
    frame: u32,
}

impl Microphone {
    /// A microphone that listens from `now` on. With `pauses`, talk spurts of one to four seconds
    /// alternate with pauses of half a second to two.
    pub const fn new(now: Time, signature: Tag, stream: usize, pauses: bool) -> Self {
        Self {
            signature,
            stream,
            began: now,
            next: now,
            until: now,
            talking: false,
            pauses,
            listening: true,
            frame: 0,
        }
    }

    /// When the next packet is due.
    pub const fn poll_timeout(&self) -> Time {
        if self.listening {
            self.next
        } else {
            Time::FAR_FUTURE
        }
    }

    /// Stops or goes on listening.
    pub fn listen(&mut self, now: Time, listening: bool) {
        if listening && !self.listening {
            self.next = self.next.max(now);
        }
        self.listening = listening;
    }

    /// The packet of this moment, if one is due.
    pub fn capture(&mut self, now: Time, rng: &mut Rng) -> Option<Piece> {
        if now < self.poll_timeout() {
            return None;
        }
        let was_talking = self.talking;
        if !self.pauses {
            self.talking = true;
        } else if now >= self.until {
            self.talking = !self.talking;
            let millis = if self.talking {
                1_000 + chance::below(rng, 3_000)
            } else {
                500 + chance::below(rng, 1_500)
            };
            self.until = now + Duration::from_millis(millis);
        }
        let ticks = ticks(now.since(self.began), AUDIO_CLOCK);
        let mut payload = vec![OPUS_TOC];
        self.next = if self.talking {
            let tag = Tag {
                frame: self.frame,
                count: 1,
                captured: now,
                ..self.signature
            };
            tag.write(&mut payload, OPUS_LEN - 1);
            now + OPUS_PTIME
        } else {
            // Silence: the first byte alone (RFC 6716 §3.1); a spurt may begin before the next one.
            (now + OPUS_SILENCE).min(self.until.max(now + OPUS_PTIME))
        };
        self.frame = self.frame.wrapping_add(1);
        let level = u8::try_from(20 + chance::below(rng, 30)).unwrap_or(20);
        let level = if self.talking { level } else { 127 };
        Some(Piece {
            marker: self.talking && !was_talking,
            ticks,
            payload,
            level: Some(AudioLevel {
                level,
                voice: self.talking,
            }),
        })
    }
}

/// How many ticks of a clock pass in `time`; the clock wraps.
#[expect(
    clippy::cast_possible_truncation,
    reason = "media time wraps at 32 bits"
)]
fn ticks(time: Duration, clock_rate: u32) -> u32 {
    (time.as_micros() * u128::from(clock_rate) / 1_000_000) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_cut_into_equal_pieces() {
        let tag = Tag {
            room: 1,
            source: 2,
            layer: 0,
            temporal: 0,
            keyframe: true,
            needs: [0, 0],
            frame: 0,
            index: 0,
            count: 0,
            captured: Time::ZERO,
        };
        let descriptor = vp8::Descriptor {
            start: false,
            partition: 0,
            unreferenced: false,
            picture_id: Some(1),
            tl0_index: Some(1),
            temporal: Some(0),
            sync: false,
        };
        let frame = Frame {
            tag,
            descriptor,
            len: 5_003,
            size: (320, 180),
        };
        let pieces = cut(&frame, 0);
        let lens: Vec<usize> = pieces.iter().map(|piece| piece.payload.len()).collect();
        assert_eq!(lens, [1_006, 1_006, 1_007, 1_007, 1_007]);
        let markers: Vec<bool> = pieces.iter().map(|piece| piece.marker).collect();
        assert_eq!(markers, [false, false, false, false, true]);
    }

    #[test]
    fn a_camera_keeps_its_rate_over_a_minute() {
        let camera = Camera {
            frame: 1_800,
            ..Camera::new(Time::ZERO, 30, Vec::new())
        };
        assert_eq!(camera.poll_timeout(), Time::from_millis(60_000));
    }
}
