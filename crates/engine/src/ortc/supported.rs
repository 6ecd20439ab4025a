//! Codecs and header extensions that this server supports. Ids and order are those of mediasoup
//! 3.27, so that packet captures of both servers can be compared. Only redundant audio is added.

use watersmeet_wire::params::{
    FormatParameters, HeaderExtensionDirection, MediaKind, ParameterValue, RED_MIME_TYPE,
    RtcpFeedback, RtpCapabilities, RtpCodecCapability, RtpHeaderExtension,
};
use watersmeet_wire::rtp::extension::ExtensionKind;
use watersmeet_wire::units::Pt;

/// mediasoup's extension for packets between its servers. Announced for equality, but unused.
const PACKET_ID_URI: &str = "urn:mediasoup:params:rtp-hdrext:packet-id";

/// An audio codec: MIME type, clock rate, channels, fixed payload type and RTCP feedback.
type AudioCodec = (&'static str, u32, u8, Option<u8>, &'static [&'static str]);

/// RTCP feedback of Opus, including NACK.
const OPUS_FEEDBACK: &[&str] = &["nack", "transport-cc"];

/// RTCP feedback of the other audio codecs.
const AUDIO_FEEDBACK: &[&str] = &["transport-cc"];

/// Audio codecs except Opus, comfort noise and DTMF. Payload types below 96 are those of
/// RFC 3551 §6.
const AUDIO_CODECS: &[AudioCodec] = &[
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

/// Surround layouts of Opus in libwebrtc: channels, their mapping, streams, coupled streams.
const MULTIOPUS_LAYOUTS: &[(u8, &str, u32, u32)] = &[
    (4, "0,1,2,3", 2, 2),
    (6, "0,4,1,2,3,5", 4, 2),
    (8, "0,6,1,2,3,4,5,7", 5, 3),
];

/// Video codecs, all with 90 kHz and the same RTCP feedback.
const VIDEO_CODECS: &[&str] = &["video/VP8", "video/VP9", "video/H264", "video/AV1"];

/// RTCP feedback of video: retransmission, keyframe requests, REMB and transport-wide feedback.
const VIDEO_FEEDBACK: &[(&str, &str)] = &[
    ("nack", ""),
    ("nack", "pli"),
    ("ccm", "fir"),
    ("goog-remb", ""),
    ("transport-cc", ""),
];

/// Returns all supported codecs and header extensions. Only codecs with a fixed payload type have
/// one here.
pub fn supported_capabilities() -> RtpCapabilities {
    let mut codecs = vec![audio_codec(("audio/opus", 48_000, 2, None, OPUS_FEEDBACK))];
    codecs.extend(
        MULTIOPUS_LAYOUTS
            .iter()
            .map(|layout| multiopus_codec(*layout)),
    );
    codecs.push(redundant_audio_codec());
    codecs.extend(AUDIO_CODECS.iter().map(|codec| audio_codec(*codec)));
    codecs.extend(VIDEO_CODECS.iter().map(|mime_type| video_codec(mime_type)));
    RtpCapabilities {
        codecs,
        header_extensions: header_extensions(),
    }
}

/// Returns redundant audio (RFC 2198) as a codec of a router, which then repeats payloads of Opus to
/// receivers that lose packets. It has no feedback of its own.
pub fn redundant_audio_codec() -> RtpCodecCapability {
    audio_codec((RED_MIME_TYPE, 48_000, 2, None, &[]))
}

/// Returns the default codecs of a router, in order of preference.
///
/// VP8 comes first because every browser encodes it in simulcast at low cost. H.264 is for devices
/// with hardware codecs: Baseline for all, Main at a high level for screens. AV1 is left out because
/// encoding it in software is too slow for many devices; it can be configured.
pub fn default_codecs() -> Vec<RtpCodecCapability> {
    let number = |number: u32| ParameterValue::from(number);
    let h264 = |profile: &str| {
        let mut codec = video_codec("video/H264");
        codec.parameters = FormatParameters::from([
            ("level-asymmetry-allowed".to_owned(), number(1)),
            ("packetization-mode".to_owned(), number(1)),
            ("profile-level-id".to_owned(), ParameterValue::from(profile)),
        ]);
        codec
    };
    let mut vp9 = video_codec("video/VP9");
    vp9.parameters.insert("profile-id".to_owned(), number(0));
    vec![
        audio_codec(("audio/opus", 48_000, 2, None, OPUS_FEEDBACK)),
        video_codec("video/VP8"),
        vp9,
        h264("42e01f"),
        h264("4d0032"),
    ]
}

fn audio_codec(
    (mime_type, clock_rate, channels, payload_type, feedback): AudioCodec,
) -> RtpCodecCapability {
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

fn multiopus_codec(
    (channels, mapping, streams, coupled): (u8, &str, u32, u32),
) -> RtpCodecCapability {
    let mut codec = audio_codec(("audio/multiopus", 48_000, channels, None, OPUS_FEEDBACK));
    codec.parameters = FormatParameters::from([
        ("channel_mapping".to_owned(), ParameterValue::from(mapping)),
        ("num_streams".to_owned(), ParameterValue::from(streams)),
        ("coupled_streams".to_owned(), ParameterValue::from(coupled)),
    ]);
    codec
}

fn video_codec(mime_type: &str) -> RtpCodecCapability {
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

/// Returns all header extensions, per media kind.
///
/// RIDs are only received, because a consumer gets one stream; so is the dependency descriptor, except in
/// routers with AV1.
/// Audio's transport-wide sequence numbers are only received, because browsers send feedback for
/// video alone unless both are negotiated.
fn header_extensions() -> Vec<RtpHeaderExtension> {
    use ExtensionKind as Kind;
    use HeaderExtensionDirection::{RecvOnly, SendRecv};
    use MediaKind::{Audio, Video};
    let with_kind = |kind, extension: Kind, id, direction| {
        header_extension(kind, extension.uri(), id, direction)
    };
    vec![
        with_kind(Audio, Kind::Mid, 1, SendRecv),
        with_kind(Video, Kind::Mid, 1, SendRecv),
        with_kind(Video, Kind::Rid, 2, RecvOnly),
        with_kind(Video, Kind::RepairedRid, 3, RecvOnly),
        with_kind(Audio, Kind::AbsSendTime, 4, SendRecv),
        with_kind(Video, Kind::AbsSendTime, 4, SendRecv),
        with_kind(Audio, Kind::TransportWideCc, 5, RecvOnly),
        with_kind(Video, Kind::TransportWideCc, 5, SendRecv),
        with_kind(Audio, Kind::AudioLevel, 6, SendRecv),
        with_kind(Video, Kind::DependencyDescriptor, 7, RecvOnly),
        with_kind(Video, Kind::VideoOrientation, 8, SendRecv),
        with_kind(Video, Kind::TransmissionOffset, 9, SendRecv),
        with_kind(Audio, Kind::AbsCaptureTime, 10, SendRecv),
        with_kind(Video, Kind::AbsCaptureTime, 10, SendRecv),
        with_kind(Audio, Kind::PlayoutDelay, 11, SendRecv),
        with_kind(Video, Kind::PlayoutDelay, 11, SendRecv),
        header_extension(Audio, PACKET_ID_URI, 12, SendRecv),
        header_extension(Video, PACKET_ID_URI, 12, SendRecv),
    ]
}

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
