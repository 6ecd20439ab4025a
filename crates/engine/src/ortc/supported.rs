//! What this server can carry: every codec it may be asked to route, and every header extension
//! with the id it always has. The ids and their order are mediasoup 3.27's, so that a capture of
//! either server reads the same.

use watersmeet_wire::params::{
    FormatParameters, HeaderExtensionDirection, MediaKind, ParameterValue, RtcpFeedback,
    RtpCapabilities, RtpCodecCapability, RtpHeaderExtension,
};
use watersmeet_wire::rtp::extension::ExtensionKind;
use watersmeet_wire::units::Pt;

/// mediasoup's own extension, which servers exchange among each other; announced for equality.
const PACKET_ID_URI: &str = "urn:mediasoup:params:rtp-hdrext:packet-id";

/// One audio codec: name, clock rate, channels, fixed payload type, and its feedback.
type Audio = (&'static str, u32, u8, Option<u8>, &'static [&'static str]);

/// Feedback of Opus: lost packets are worth asking for.
const OPUS_FEEDBACK: &[&str] = &["nack", "transport-cc"];

/// Feedback of the other audio codecs.
const AUDIO_FEEDBACK: &[&str] = &["transport-cc"];

/// Audio codecs, and the signals that travel as audio. Payload types below 96 are those of
/// RFC 3551 §6.
const AUDIO: &[Audio] = &[
    ("audio/PCMU", 8_000, 1, Some(0), AUDIO_FEEDBACK),
    ("audio/PCMA", 8_000, 1, Some(8), AUDIO_FEEDBACK),
    ("audio/ISAC", 32_000, 1, None, AUDIO_FEEDBACK),
    ("audio/ISAC", 16_000, 1, None, AUDIO_FEEDBACK),
    ("audio/G722", 8_000, 1, Some(9), AUDIO_FEEDBACK),
    ("audio/iLBC", 8_000, 1, None, AUDIO_FEEDBACK),
    ("audio/SILK", 24_000, 1, None, AUDIO_FEEDBACK),
    ("audio/SILK", 16_000, 1, None, AUDIO_FEEDBACK),
    ("audio/SILK", 12_000, 1, None, AUDIO_FEEDBACK),
    ("audio/SILK", 8_000, 1, None, AUDIO_FEEDBACK),
    ("audio/CN", 32_000, 1, Some(13), &[]),
    ("audio/CN", 16_000, 1, Some(13), &[]),
    ("audio/CN", 8_000, 1, Some(13), &[]),
    ("audio/telephone-event", 48_000, 1, None, &[]),
    ("audio/telephone-event", 32_000, 1, None, &[]),
    ("audio/telephone-event", 16_000, 1, None, &[]),
    ("audio/telephone-event", 8_000, 1, None, &[]),
];

/// Surround Opus as libwebrtc has it: channels, their mapping, streams, coupled streams.
const MULTIOPUS: &[(u8, &str, u32, u32)] = &[
    (4, "0,1,2,3", 2, 2),
    (6, "0,4,1,2,3,5", 4, 2),
    (8, "0,6,1,2,3,4,5,7", 5, 3),
];

/// Video codecs, all at 90 kHz and with the same feedback.
const VIDEO: &[&str] = &["video/VP8", "video/VP9", "video/H264", "video/AV1"];

/// Feedback of video: retransmission, keyframes, and both generations of bandwidth estimates.
const VIDEO_FEEDBACK: &[(&str, &str)] = &[
    ("nack", ""),
    ("nack", "pli"),
    ("ccm", "fir"),
    ("goog-remb", ""),
    ("transport-cc", ""),
];

/// Everything this server can carry. Only codecs with a fixed payload type have one here.
pub fn supported_capabilities() -> RtpCapabilities {
    let mut codecs = vec![audio(("audio/opus", 48_000, 2, None, OPUS_FEEDBACK))];
    codecs.extend(MULTIOPUS.iter().map(|layout| multiopus(*layout)));
    codecs.extend(AUDIO.iter().map(|codec| audio(*codec)));
    codecs.extend(VIDEO.iter().map(|mime_type| video(mime_type)));
    RtpCapabilities {
        codecs,
        header_extensions: header_extensions(),
    }
}

/// The codecs of a router that serves browsers in a meeting, best first. VP8 leads because every
/// browser encodes it, in simulcast, at little cost; H.264 follows for machines that have it in
/// hardware, Baseline for everyone and Main at a high level for screens. AV1 is left out: it can
/// be routed, but its keyframes cannot be told apart yet, and a viewer would wait for one.
pub fn default_codecs() -> Vec<RtpCodecCapability> {
    let number = |number: u32| ParameterValue::from(number);
    let h264 = |profile: &str| {
        let mut codec = video("video/H264");
        codec.parameters = FormatParameters::from([
            ("level-asymmetry-allowed".to_owned(), number(1)),
            ("packetization-mode".to_owned(), number(1)),
            ("profile-level-id".to_owned(), ParameterValue::from(profile)),
        ]);
        codec
    };
    let mut vp9 = video("video/VP9");
    vp9.parameters.insert("profile-id".to_owned(), number(0));
    vec![
        audio(("audio/opus", 48_000, 2, None, OPUS_FEEDBACK)),
        video("video/VP8"),
        vp9,
        h264("42e01f"),
        h264("4d0032"),
    ]
}

/// One audio codec of the table.
fn audio((mime_type, clock_rate, channels, payload_type, feedback): Audio) -> RtpCodecCapability {
    RtpCodecCapability {
        kind: MediaKind::Audio,
        mime_type: mime_type.to_owned(),
        preferred_payload_type: payload_type.map(Pt),
        clock_rate,
        channels: Some(channels),
        parameters: FormatParameters::new(),
        rtcp_feedback: feedback
            .iter()
            .map(|kind| RtcpFeedback::new(kind, ""))
            .collect(),
    }
}

/// One layout of surround Opus.
fn multiopus((channels, mapping, streams, coupled): (u8, &str, u32, u32)) -> RtpCodecCapability {
    let mut codec = audio(("audio/multiopus", 48_000, channels, None, OPUS_FEEDBACK));
    codec.parameters = FormatParameters::from([
        ("channel_mapping".to_owned(), ParameterValue::from(mapping)),
        ("num_streams".to_owned(), ParameterValue::from(streams)),
        ("coupled_streams".to_owned(), ParameterValue::from(coupled)),
    ]);
    codec
}

/// One video codec.
fn video(mime_type: &str) -> RtpCodecCapability {
    let mut parameters = FormatParameters::new();
    if mime_type == "video/H264" {
        parameters.insert(
            "level-asymmetry-allowed".to_owned(),
            ParameterValue::from(1),
        );
    }
    let feedback = VIDEO_FEEDBACK.iter();
    RtpCodecCapability {
        kind: MediaKind::Video,
        mime_type: mime_type.to_owned(),
        preferred_payload_type: None,
        clock_rate: 90_000,
        channels: None,
        parameters,
        rtcp_feedback: feedback
            .map(|(kind, it)| RtcpFeedback::new(kind, it))
            .collect(),
    }
}

/// Every header extension, per kind of media. The names of simulcast streams and the dependency
/// descriptor end here, since consumers receive one stream; transport-wide numbers on audio are
/// read but not sent, because browsers answer for video alone unless both are negotiated.
fn header_extensions() -> Vec<RtpHeaderExtension> {
    use ExtensionKind as Kind;
    use HeaderExtensionDirection::{RecvOnly, SendRecv};
    use MediaKind::{Audio, Video};
    let known = |kind, extension: Kind, id, direction| {
        header_extension(kind, extension.uri(), id, direction)
    };
    vec![
        known(Audio, Kind::Mid, 1, SendRecv),
        known(Video, Kind::Mid, 1, SendRecv),
        known(Video, Kind::Rid, 2, RecvOnly),
        known(Video, Kind::RepairedRid, 3, RecvOnly),
        known(Audio, Kind::AbsSendTime, 4, SendRecv),
        known(Video, Kind::AbsSendTime, 4, SendRecv),
        known(Audio, Kind::TransportWideCc, 5, RecvOnly),
        known(Video, Kind::TransportWideCc, 5, SendRecv),
        known(Audio, Kind::AudioLevel, 6, SendRecv),
        known(Video, Kind::DependencyDescriptor, 7, RecvOnly),
        known(Video, Kind::VideoOrientation, 8, SendRecv),
        known(Video, Kind::TransmissionOffset, 9, SendRecv),
        known(Audio, Kind::AbsCaptureTime, 10, SendRecv),
        known(Video, Kind::AbsCaptureTime, 10, SendRecv),
        known(Audio, Kind::PlayoutDelay, 11, SendRecv),
        known(Video, Kind::PlayoutDelay, 11, SendRecv),
        header_extension(Audio, PACKET_ID_URI, 12, SendRecv),
        header_extension(Video, PACKET_ID_URI, 12, SendRecv),
    ]
}

/// One header extension for one kind of media.
fn header_extension(
    kind: MediaKind,
    uri: &str,
    preferred_id: u8,
    direction: HeaderExtensionDirection,
) -> RtpHeaderExtension {
    RtpHeaderExtension {
        kind,
        uri: uri.to_owned(),
        preferred_id,
        preferred_encrypt: false,
        direction,
    }
}
