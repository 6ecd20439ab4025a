//! RTP parameters and capabilities of a scripted browser, in the format of mediasoup-client.
//! Payload types and extension ids differ from those of the server on purpose, so that all mappings
//! are tested.

use serde_json::{Value, json};
use watersmeet_wire::params::{RED_MIME_TYPE, RtpHeaderExtensionParameters, RtpParameters};
use watersmeet_wire::rtp::RtpHeader;
use watersmeet_wire::rtp::extension::{self, ExtensionKind};
use watersmeet_wire::units::{Pt, Ssrc};

/// Payload type of VP8, as in Chrome.
pub const VP8: Pt = Pt(96);

/// Payload type of VP8 retransmissions, as in Chrome.
pub const VP8_RTX: Pt = Pt(97);

/// Payload type of Opus, as in Chrome.
pub const OPUS: Pt = Pt(111);

/// RTP clock rate of video, in Hz.
pub const VIDEO_CLOCK: u32 = 90_000;

/// RTP clock rate of Opus, in Hz.
pub const AUDIO_CLOCK: u32 = 48_000;

/// SSRC of the probation stream: padding that probes a path before there is a stream with
/// retransmissions, announced to nobody. A mediasoup client receives it with a hidden receiver.
pub const PROBATION_SSRC: Ssrc = Ssrc(1234);

/// Payload type of the probation stream.
pub const PROBATION_PT: Pt = Pt(127);

/// Ids of the header extensions on a transport; absent ones are not in use.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct ExtensionIds {
    /// MID.
    pub mid: Option<u8>,
    /// RID.
    pub rid: Option<u8>,
    /// RID of the encoding that a retransmission repairs.
    pub repaired_rid: Option<u8>,
    /// Absolute send time.
    pub abs_send_time: Option<u8>,
    /// Transport-wide sequence number.
    pub transport_wide_cc: Option<u8>,
    /// Audio level.
    pub audio_level: Option<u8>,
}

impl ExtensionIds {
    /// Ids that Chrome offers.
    pub const CHROME: Self = Self {
        mid: Some(4),
        rid: Some(10),
        repaired_rid: Some(11),
        abs_send_time: Some(2),
        transport_wide_cc: Some(3),
        audio_level: Some(1),
    };

    /// Returns the ids in negotiated parameters.
    pub fn from_parameters(extensions: &[RtpHeaderExtensionParameters]) -> Self {
        let mut ids = Self::default();
        for extension in extensions {
            let id = Some(extension.id);
            match ExtensionKind::from_uri(&extension.uri) {
                Some(ExtensionKind::Mid) => ids.mid = id,
                Some(ExtensionKind::Rid) => ids.rid = id,
                Some(ExtensionKind::RepairedRid) => ids.repaired_rid = id,
                Some(ExtensionKind::AbsSendTime) => ids.abs_send_time = id,
                Some(ExtensionKind::TransportWideCc) => ids.transport_wide_cc = id,
                Some(ExtensionKind::AudioLevel) => ids.audio_level = id,
                _ => {}
            }
        }
        ids
    }

    /// Returns the extensions in use as parameters, for video or audio.
    fn parameters(self, video: bool) -> Value {
        let both = [
            (ExtensionKind::Mid, self.mid),
            (ExtensionKind::AbsSendTime, self.abs_send_time),
            (ExtensionKind::TransportWideCc, self.transport_wide_cc),
        ];
        let own = if video {
            vec![
                (ExtensionKind::Rid, self.rid),
                (ExtensionKind::RepairedRid, self.repaired_rid),
            ]
        } else {
            vec![(ExtensionKind::AudioLevel, self.audio_level)]
        };
        both.into_iter()
            .chain(own)
            .filter_map(|(kind, id)| Some(json!({"uri": kind.uri(), "id": id?})))
            .collect()
    }
}

/// Returns the RTP parameters of a camera: encodings with RIDs, or a single one with SSRCs.
pub fn camera_parameters(mid: &str, cname: &str, encodings: &[Value]) -> Value {
    json!({
        "mid": mid,
        "codecs": [
            {
                "mimeType": "video/VP8", "payloadType": VP8.0, "clockRate": VIDEO_CLOCK,
                "parameters": {},
                "rtcpFeedback": [
                    {"type": "goog-remb", "parameter": ""},
                    {"type": "transport-cc", "parameter": ""},
                    {"type": "ccm", "parameter": "fir"},
                    {"type": "nack", "parameter": ""},
                    {"type": "nack", "parameter": "pli"},
                ],
            },
            {
                "mimeType": "video/rtx", "payloadType": VP8_RTX.0, "clockRate": VIDEO_CLOCK,
                "parameters": {"apt": VP8.0}, "rtcpFeedback": [],
            },
        ],
        "headerExtensions": ExtensionIds::CHROME.parameters(true),
        "encodings": encodings,
        "rtcp": {"cname": cname, "reducedSize": true},
    })
}

/// Returns the RTP parameters of a microphone.
pub fn microphone_parameters(mid: &str, cname: &str, ssrc: Ssrc) -> Value {
    json!({
        "mid": mid,
        "codecs": [{
            "mimeType": "audio/opus", "payloadType": OPUS.0, "clockRate": AUDIO_CLOCK,
            "channels": 2,
            "parameters": {"minptime": 10, "useinbandfec": 1, "usedtx": 1},
            "rtcpFeedback": [{"type": "transport-cc", "parameter": ""}],
        }],
        "headerExtensions": ExtensionIds::CHROME.parameters(false),
        "encodings": [{"ssrc": ssrc.0, "dtx": true}],
        "rtcp": {"cname": cname, "reducedSize": true},
    })
}

/// How a receiver repairs lost audio.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum AudioRepair {
    /// It requests missing packets, where the server announces that it retransmits them.
    #[default]
    Retransmission,
    /// It receives redundant audio (RFC 2198) and requests nothing, as Chromium.
    Redundancy,
    /// Not at all.
    Nothing,
}

/// Returns the capabilities of a receiving browser, selected from those of the router: VP8 with its
/// retransmissions, Opus, redundant audio if it repairs audio by that, and every header extension.
pub fn receive_capabilities(router: &Value, audio_repair: AudioRepair) -> Value {
    let of_router = |list: &str| {
        router
            .get(list)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    let named = |codec: &Value, name: &str| {
        let mime_type = codec.get("mimeType").and_then(Value::as_str);
        mime_type.is_some_and(|mime_type| mime_type.eq_ignore_ascii_case(name))
    };
    let vp8 = of_router("codecs")
        .find(|codec| named(codec, "video/VP8"))
        .and_then(|codec| codec.get("preferredPayloadType"));
    let wanted = |codec: &&Value| {
        let apt = codec
            .get("parameters")
            .and_then(|parameters| parameters.get("apt"));
        named(codec, "video/VP8")
            || named(codec, "audio/opus")
            || (named(codec, RED_MIME_TYPE) && audio_repair == AudioRepair::Redundancy)
            || (named(codec, "video/rtx") && apt.is_some() && apt == vp8)
    };
    let mut codecs: Vec<Value> = of_router("codecs").filter(wanted).cloned().collect();
    if audio_repair != AudioRepair::Retransmission {
        let audio = codecs.iter_mut().filter(|it| named(it, "audio/opus"));
        audio.for_each(remove_nack);
    }
    json!({
        "codecs": codecs,
        "headerExtensions": of_router("headerExtensions").collect::<Vec<_>>(),
    })
}

/// Lists congestion control feedback (RFC 8888) instead of transport-wide feedback.
pub fn replace_transport_feedback(capabilities: &mut Value) {
    let list = |capabilities: &mut Value, name| {
        let list = capabilities.get_mut(name).and_then(Value::as_array_mut);
        list.map(std::mem::take).unwrap_or_default()
    };
    let mut codecs = list(capabilities, "codecs");
    let feedbacks = codecs.iter_mut().filter_map(|codec| {
        let feedback = codec.get_mut("rtcpFeedback").and_then(Value::as_array_mut);
        feedback.filter(|it| !it.is_empty())
    });
    for feedback in feedbacks {
        let is_kept = |it: &Value| {
            let kind = it.get("type").and_then(Value::as_str);
            kind != Some("transport-cc") && kind != Some("goog-remb")
        };
        feedback.retain(is_kept);
        feedback.push(json!({"type": "ack", "parameter": "ccfb"}));
    }
    let mut extensions = list(capabilities, "headerExtensions");
    let transport_wide = ExtensionKind::TransportWideCc.uri();
    extensions.retain(|it| it.get("uri").and_then(Value::as_str) != Some(transport_wide));
    *capabilities = json!({"codecs": codecs, "headerExtensions": extensions});
}

/// Removes generic NACK from the feedback of a codec.
fn remove_nack(codec: &mut Value) {
    let feedback = codec.get_mut("rtcpFeedback").and_then(Value::as_array_mut);
    if let Some(feedback) = feedback {
        feedback.retain(|it| it.get("type").and_then(Value::as_str) != Some("nack"));
    }
}

/// Description of a received stream, from the parameters of a consumer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncomingStream {
    /// SSRC of the media.
    pub ssrc: Ssrc,
    /// SSRC of the retransmissions.
    pub rtx_ssrc: Option<Ssrc>,
    /// Payload type of the media.
    pub pt: Pt,
    /// Payload type of the retransmissions.
    pub rtx_pt: Option<Pt>,
    /// Payload type of packets with redundancy.
    pub red_pt: Option<Pt>,
    /// RTP clock rate, in Hz.
    pub clock_rate: u32,
    /// Whether the stream is video; audio otherwise.
    pub video: bool,
    /// Whether missing packets may be requested.
    pub nack: bool,
    /// Ids of the header extensions.
    pub extensions: ExtensionIds,
}

impl IncomingStream {
    /// Returns the transport-wide sequence number of a packet.
    pub fn transport_seq(&self, header: &RtpHeader, packet: &[u8]) -> Option<u16> {
        let id = self.extensions.transport_wide_cc?;
        header
            .extension(packet, id)
            .and_then(extension::parse_transport_seq)
    }

    /// Reads the parameters of a consumer. Returns `None` when they have no SSRC.
    pub fn from_parameters(parameters: &RtpParameters) -> Option<Self> {
        let codec = parameters.codecs.iter().find(|codec| codec.is_media())?;
        let rtx_codec = parameters
            .codecs
            .iter()
            .find(|other| other.apt() == Some(codec.payload_type));
        let mut red_codecs = parameters.codecs.iter().filter(|other| other.is_red());
        let red_codec = red_codecs.find(|red| red.red_primary() == Some(codec.payload_type));
        let encoding = parameters.encodings.first()?;
        Some(Self {
            ssrc: encoding.ssrc?,
            rtx_ssrc: encoding.rtx.as_ref().map(|rtx| rtx.ssrc),
            pt: codec.payload_type,
            rtx_pt: rtx_codec.map(|rtx| rtx.payload_type),
            red_pt: red_codec.map(|red| red.payload_type),
            clock_rate: codec.clock_rate,
            nack: codec.has_feedback("nack", ""),
            video: codec.kind() == Some(watersmeet_wire::params::MediaKind::Video),
            extensions: ExtensionIds::from_parameters(&parameters.header_extensions),
        })
    }
}
