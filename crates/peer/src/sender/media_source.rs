//! Media sources: a camera with its encoders, and a microphone with talk spurts and pauses. Both
//! produce packet contents; the sender numbers and sends them.

use std::time::Duration;

use watersmeet_wire::rtp::extension::AudioLevel;
use watersmeet_wire::units::{Bitrate, Rid, Rng, Time};

use super::encoder::{Encoder, Encoding, Frame};
use super::stream::PacketContent;
use crate::negotiation::{AUDIO_CLOCK, VIDEO_CLOCK};
use crate::random;
use crate::signature::{PacketSignature, SIGNATURE_LEN};
use crate::vp8::{self, DESCRIPTOR_LEN, KEYFRAME_HEADER_LEN};

/// Longest payload, in bytes: a packet of 1,200 B without the header with all extensions (56 B) and
/// the two bytes that a retransmission adds.
pub const PAYLOAD_LEN_MAX: usize = 1_142;

/// Most packets of a frame.
pub const FRAME_PACKETS_MAX: usize = 512;

/// Interval between two Opus packets with speech.
const OPUS_PTIME: Duration = Duration::from_millis(20);

/// Interval between two Opus packets with silence.
const OPUS_SILENCE: Duration = Duration::from_millis(400);

/// Length of an Opus packet at 32 kbit/s, in bytes.
const OPUS_LEN: usize = 80;

/// First byte of an Opus packet: hybrid fullband, 20 ms, mono, one frame (RFC 6716 §3.1).
const OPUS_TOC: u8 = 15 << 3;

/// Options of a camera.
#[derive(Debug, Clone, PartialEq)]
pub struct CameraOptions {
    /// Encodings, lowest first.
    pub encodings: Vec<Encoding>,
    /// Frames per second.
    pub fps: u32,
    /// Number of temporal layers per encoding: one or three.
    pub temporal_layers: u8,
    /// Whether it is a shared screen.
    pub is_screen: bool,
    /// Numbers of the frames with which a page is turned.
    pub page_turns: Vec<u64>,
}

impl CameraOptions {
    /// Returns a camera with one encoding of 1.25 Mbit/s.
    pub fn single() -> Self {
        let encodings = vec![encoding(None, 1_250, (1_280, 720))];
        Self {
            encodings,
            fps: 30,
            temporal_layers: 3,
            is_screen: false,
            page_turns: Vec::new(),
        }
    }

    /// Returns a camera with the three encodings that Chromium sends of 540 lines: 151, 375 and 1,700
    /// kbit/s.
    pub fn chromium() -> Self {
        let encodings = vec![
            encoding(Some("r0"), 151, (240, 135)),
            encoding(Some("r1"), 375, (480, 270)),
            encoding(Some("r2"), 1_700, (960, 540)),
        ];
        Self {
            encodings,
            ..Self::single()
        }
    }

    /// Returns a camera with one encoding of this bitrate.
    pub fn of_bitrate(bitrate: Bitrate) -> Self {
        let encoding = Encoding {
            bitrate,
            ..encoding(None, 0, (1_280, 720))
        };
        Self {
            encodings: vec![encoding],
            ..Self::single()
        }
    }

    /// Returns a shared screen with one encoding of 2.5 Mbit/s at 15 frames per second.
    pub fn screen() -> Self {
        Self {
            fps: 15,
            is_screen: true,
            ..Self::of_bitrate(Bitrate::from_kbps(2_500))
        }
    }

    /// Returns a shared screen with one frame per second of pages whose keyframes have this length. Pages are
    /// turned in these seconds.
    pub fn pages(page_len: usize, page_turns: Vec<u64>) -> Self {
        let mut options = Self::screen();
        options.fps = 1;
        options.temporal_layers = 1;
        options.page_turns = page_turns;
        for encoding in &mut options.encodings {
            encoding.page_len = Some(page_len);
        }
        options
    }

    /// Returns a camera with up to three simulcast encodings: 150, 400 and 1,250 kbit/s.
    pub fn simulcast(encodings: usize) -> Self {
        let all = [
            encoding(Some("r0"), 150, (320, 180)),
            encoding(Some("r1"), 400, (640, 360)),
            encoding(Some("r2"), 1_250, (1_280, 720)),
        ];
        let encodings = all.into_iter().take(encodings).collect();
        Self {
            encodings,
            ..Self::single()
        }
    }

    /// Returns the target bitrate of all encodings together.
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
        page_len: None,
    }
}

/// Camera with its encoders.
#[derive(Debug)]
pub struct Camera {
    /// Encoders, lowest first, each with the index of its stream.
    pub encoders: Vec<(Encoder, usize)>,
    /// Frames per second.
    fps: u32,
    /// Start of the capture.
    started_at: Time,
    /// Number of the next frame.
    frame: u64,
    /// Numbers of the frames with which a page is turned.
    page_turns: Vec<u64>,
    /// Whether the camera is on.
    pub enabled: bool,
}

impl Camera {
    /// Creates a camera that captures from `now` on.
    pub fn new(now: Time, options: &CameraOptions, encoders: Vec<(Encoder, usize)>) -> Self {
        Self {
            encoders,
            fps: options.fps,
            page_turns: options.page_turns.clone(),
            started_at: now,
            frame: 0,
            enabled: true,
        }
    }

    /// Returns the target bitrate of all active encoders together.
    pub fn bitrate(&self) -> Bitrate {
        let active = self.encoders.iter().filter(|(it, _)| it.is_active());
        let rates = active.map(|(encoder, _)| encoder.encoding().bitrate.as_bps());
        Bitrate::from_bps(rates.sum())
    }

    /// Returns when the next frame is captured.
    pub fn poll_timeout(&self) -> Time {
        if !self.enabled {
            return Time::FAR_FUTURE;
        }
        // Computed from the start each time, so that rounding errors do not add up.
        self.started_at + Duration::from_micros(self.frame * 1_000_000 / u64::from(self.fps.max(1)))
    }

    /// Turns the camera on or off. Receivers request a keyframe after it is turned on.
    pub fn set_enabled(&mut self, now: Time, enabled: bool) {
        if enabled && !self.enabled {
            let since = now.since(self.started_at).as_micros();
            let passed = since * u128::from(self.fps) / 1_000_000;
            self.frame = u64::try_from(passed).unwrap_or(0) + 1;
        }
        self.enabled = enabled;
    }

    /// Turns an encoding on or off.
    pub fn set_encoding_active(&mut self, encoding: usize, active: bool) {
        if let Some((encoder, _)) = self.encoders.get_mut(encoding) {
            encoder.set_active(active);
        }
    }

    /// Captures a frame if one is due; returns the packets of all encodings with the indices of
    /// their streams.
    pub fn capture(&mut self, now: Time, rng: &mut Rng) -> Vec<(usize, PacketContent)> {
        if now < self.poll_timeout() {
            return Vec::new();
        }
        let is_turned = self.page_turns.contains(&self.frame);
        self.frame += 1;
        let ticks = ticks(now.since(self.started_at), VIDEO_CLOCK);
        let mut contents = Vec::new();
        let active = self.encoders.iter_mut().filter(|(it, _)| it.is_active());
        for (encoder, stream) in active {
            if is_turned {
                encoder.request_keyframe();
            }
            let frame = encoder.encode(now, self.fps, rng);
            contents.extend(
                packetize(&frame, ticks)
                    .into_iter()
                    .map(|content| (*stream, content)),
            );
        }
        contents
    }
}

/// Splits a frame into packets whose lengths differ by at most one byte, the shorter ones first,
/// like libwebrtc.
fn packetize(frame: &Frame, ticks: u32) -> Vec<PacketContent> {
    let len_max = PAYLOAD_LEN_MAX - DESCRIPTOR_LEN;
    let count = frame.len.div_ceil(len_max).clamp(1, FRAME_PACKETS_MAX);
    let (small, larger) = (frame.len / count, frame.len % count);
    let keyframe = frame.signature.keyframe;
    let content = |index: usize| {
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
        let signature = PacketSignature {
            index: u16::try_from(index).unwrap_or(u16::MAX),
            count: u16::try_from(count).unwrap_or(u16::MAX),
            ..frame.signature
        };
        signature.write(&mut payload, len.saturating_sub(header_len));
        PacketContent {
            marker: index + 1 == count,
            ticks,
            payload,
            level: None,
        }
    };
    (0..count).map(content).collect()
}

/// A frame header and a signature fit one packet.
const _: () = assert!(KEYFRAME_HEADER_LEN + SIGNATURE_LEN < PAYLOAD_LEN_MAX);

/// Microphone with talk spurts and pauses.
#[derive(Debug)]
pub struct Microphone {
    /// Template of the signatures.
    signature: PacketSignature,
    /// Index of its stream.
    pub stream: usize,
    /// Start of the capture.
    started_at: Time,
    /// Time of the next packet.
    next: Time,
    /// End of the current talk spurt or pause.
    until: Time,
    /// Whether a talk spurt is going on.
    talking: bool,
    /// Whether the speech has pauses.
    pauses: bool,
    /// Whether the microphone is on.
    pub enabled: bool,
    /// Number of the next packet.
    frame: u32,
}

impl Microphone {
    /// Creates a microphone that captures from `now` on. With `pauses`, talk spurts of one to four
    /// seconds alternate with pauses of 0.5 to 2 s.
    pub const fn new(now: Time, signature: PacketSignature, stream: usize, pauses: bool) -> Self {
        Self {
            signature,
            stream,
            started_at: now,
            next: now,
            until: now,
            talking: false,
            pauses,
            enabled: true,
            frame: 0,
        }
    }

    /// Returns when the next packet is due.
    pub const fn poll_timeout(&self) -> Time {
        if self.enabled {
            self.next
        } else {
            Time::FAR_FUTURE
        }
    }

    /// Turns the microphone on or off.
    pub fn set_enabled(&mut self, now: Time, enabled: bool) {
        if enabled && !self.enabled {
            self.next = self.next.max(now);
        }
        self.enabled = enabled;
    }

    /// Returns a packet, if one is due.
    pub fn capture(&mut self, now: Time, rng: &mut Rng) -> Option<PacketContent> {
        if now < self.poll_timeout() {
            return None;
        }
        let was_talking = self.talking;
        if !self.pauses {
            self.talking = true;
        } else if now >= self.until {
            self.talking = !self.talking;
            let millis = if self.talking {
                1_000 + random::below(rng, 3_000)
            } else {
                500 + random::below(rng, 1_500)
            };
            self.until = now + Duration::from_millis(millis);
        }
        let ticks = ticks(now.since(self.started_at), AUDIO_CLOCK);
        let mut payload = vec![OPUS_TOC];
        self.next = if self.talking {
            let signature = PacketSignature {
                frame: self.frame,
                count: 1,
                captured: now,
                ..self.signature
            };
            signature.write(&mut payload, OPUS_LEN - 1);
            now + OPUS_PTIME
        } else {
            // Silence: the TOC byte alone (RFC 6716 §3.1). A talk spurt may start before the next
            // one.
            (now + OPUS_SILENCE).min(self.until.max(now + OPUS_PTIME))
        };
        self.frame = self.frame.wrapping_add(1);
        let level = u8::try_from(20 + random::below(rng, 30)).unwrap_or(20);
        let level = if self.talking { level } else { 127 };
        Some(PacketContent {
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

/// Converts a duration to ticks of an RTP clock, which wraps.
#[expect(
    clippy::cast_possible_truncation,
    reason = "RTP timestamps wrap at 32 bits"
)]
fn ticks(time: Duration, clock_rate: u32) -> u32 {
    (time.as_micros() * u128::from(clock_rate) / 1_000_000) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_is_split_into_packets_of_equal_length() {
        let signature = PacketSignature {
            room: 1,
            source: 2,
            layer: 0,
            temporal: 0,
            keyframe: true,
            reference_distances: [0, 0],
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
            signature,
            descriptor,
            len: 5_003,
            size: (320, 180),
        };
        let contents = packetize(&frame, 0);
        let lens: Vec<usize> = contents
            .iter()
            .map(|content| content.payload.len())
            .collect();
        assert_eq!(lens, [1_006, 1_006, 1_007, 1_007, 1_007]);
        let markers: Vec<bool> = contents.iter().map(|content| content.marker).collect();
        assert_eq!(markers, [false, false, false, false, true]);
    }

    #[test]
    fn camera_keeps_its_frame_rate_over_a_minute() {
        let camera = Camera {
            frame: 1_800,
            ..Camera::new(Time::ZERO, &CameraOptions::single(), Vec::new())
        };
        assert_eq!(camera.poll_timeout(), Time::from_millis(60_000));
    }
}
