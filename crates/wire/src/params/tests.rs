//! Parsing and validation of RTP parameters: what clients send, and what is rejected.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::rtp::extension::ExtensionKind;
use crate::units::{Pt, Ssrc};

fn capabilities(value: Value) -> Result<RtpCapabilities, serde_json::Error> {
    serde_json::from_str(&value.to_string())
}

fn parameters(value: Value) -> Result<RtpParameters, serde_json::Error> {
    serde_json::from_str(&value.to_string())
}

#[test]
fn absent_fields_read_as_their_defaults() {
    let read = parameters(json!({ "codecs": [
        { "mimeType": "audio/opus", "payloadType": 111, "clockRate": 48000 },
    ] }))
    .unwrap();
    assert_eq!(
        serde_json::to_value(&read).unwrap(),
        json!({
            "codecs": [{
                "mimeType": "audio/opus", "payloadType": 111, "clockRate": 48000, "channels": 1,
                "parameters": {}, "rtcpFeedback": [],
            }],
            "headerExtensions": [],
            "encodings": [],
            "rtcp": { "reducedSize": true },
        })
    );
    assert_eq!(capabilities(json!({})).unwrap(), RtpCapabilities::default());
}

#[test]
fn parameters_of_a_chrome_simulcast_publisher_are_read_completely() {
    let read = parameters(json!({
        "mid": "1",
        "codecs": [
            {
                "mimeType": "video/VP8", "payloadType": 96, "clockRate": 90000, "parameters": {},
                "rtcpFeedback": [
                    { "type": "goog-remb", "parameter": "" },
                    { "type": "nack" },
                    { "type": "nack", "parameter": "pli" },
                ],
            },
            {
                "mimeType": "video/rtx", "payloadType": 97, "clockRate": 90000,
                "parameters": { "apt": 96 }, "rtcpFeedback": [],
            },
        ],
        "headerExtensions": [
            { "uri": "urn:ietf:params:rtp-hdrext:sdes:mid", "id": 4, "encrypt": false,
              "parameters": {} },
        ],
        "encodings": [
            { "active": true, "rid": "r0", "scaleResolutionDownBy": 4, "maxBitrate": 150_000,
              "scalabilityMode": "L1T3", "priority": "low", "dtx": false },
            { "active": true, "rid": "r1", "scaleResolutionDownBy": 2.5 },
        ],
        "rtcp": { "cname": "", "reducedSize": false, "mux": true },
        "msid": "stream track",
    }))
    .unwrap();
    assert_eq!(read.mid.as_deref(), Some("1"));
    assert_eq!(read.codecs[1].apt(), Some(Pt(96)));
    assert!(read.codecs[1].is_rtx() && !read.codecs[0].is_rtx());
    assert!(read.codecs[0].has_feedback("nack", "") && read.codecs[0].has_feedback("nack", "pli"));
    assert!(!read.codecs[0].has_feedback("ccm", "fir"));
    assert_eq!(
        read.header_extensions[0].extension_kind(),
        Some(ExtensionKind::Mid)
    );
    assert_eq!(read.encodings[0].rid.as_deref(), Some("r0"));
    assert_eq!(read.encodings[0].max_bitrate, Some(150_000));
    assert_eq!(read.encodings[1].scale_resolution_down_by, Some(2.5));
    assert_eq!(
        read.rtcp,
        RtcpParameters {
            cname: None,
            reduced_size: true,
            mux: Some(true)
        }
    );
    assert_eq!(read.msid.as_deref(), Some("stream track"));
    assert_eq!(read.validate(), Ok(()));
    let again = parameters(serde_json::to_value(&read).unwrap()).unwrap();
    assert_eq!(again, read);
}

#[test]
fn null_reads_as_absent_in_optional_fields() {
    let read = parameters(json!({
        "mid": null,
        "codecs": [{ "mimeType": "video/VP9", "payloadType": 0, "clockRate": 90000,
                     "channels": null, "parameters": null, "rtcpFeedback": null }],
        "headerExtensions": null,
        "encodings": [{ "ssrc": null, "rid": null, "rtx": null, "maxBitrate": null }],
        "rtcp": null,
        "msid": null,
    }))
    .unwrap();
    assert_eq!(read.codecs[0].channels, None);
    assert_eq!(read.encodings[0].ssrc, None);
}

#[test]
fn codec_kind_is_derived_from_the_mime_type() {
    let read = capabilities(json!({ "codecs": [
        { "kind": "audio", "mimeType": "VIDEO/h264", "clockRate": 90000, "channels": 2 },
    ] }))
    .unwrap();
    assert_eq!(read.codecs[0].kind, MediaKind::Video);
    assert_eq!(read.codecs[0].channels, None);
    assert_eq!(read.codecs[0].preferred_payload_type, None);
}

#[test]
fn values_of_wrong_types_are_rejected() {
    let codec = |field: &str, value: Value| {
        let mut codec = json!({ "mimeType": "audio/opus", "payloadType": 1, "clockRate": 8000 });
        codec[field] = value;
        parameters(json!({ "codecs": [codec] }))
    };
    assert!(codec("clockRate", json!(8000)).is_ok());
    for (field, value) in [
        ("mimeType", json!("")),
        ("mimeType", json!("text/plain")),
        ("mimeType", json!("audio/")),
        ("mimeType", json!(7)),
        ("payloadType", json!("96")),
        ("payloadType", json!(128)),
        ("payloadType", json!(-1)),
        ("payloadType", json!(1.5)),
        ("clockRate", json!(null)),
        ("channels", json!(256)),
        ("parameters", json!({ "x": null })),
        ("parameters", json!({ "x": true })),
        ("parameters", json!({ "x": {} })),
        ("parameters", json!({ "apt": "96" })),
        ("rtcpFeedback", json!([{}])),
        ("rtcpFeedback", json!([null])),
        ("rtcpFeedback", json!([{ "type": 1 }])),
    ] {
        assert!(codec(field, value.clone()).is_err(), "{field}: {value}");
    }
    for document in [
        json!(null),
        json!({}),
        json!({ "codecs": null }),
        json!({ "codecs": {} }),
    ] {
        assert!(parameters(document.clone()).is_err(), "{document}");
    }
    for (field, value) in [
        ("mid", json!(1)),
        ("mid", json!("seventeen letters")),
        ("headerExtensions", json!([{ "uri": "x" }])),
        ("headerExtensions", json!([{ "id": 1 }])),
        ("headerExtensions", json!({})),
        ("encodings", json!([{ "ssrc": "1" }])),
        ("encodings", json!([{ "ssrc": 4_294_967_296_u64 }])),
        ("encodings", json!([{ "rid": 1 }])),
        ("encodings", json!([{ "rtx": {} }])),
        ("encodings", json!([{ "rtx": { "ssrc": "1" } }])),
        ("encodings", json!([{ "scalabilityMode": 3 }])),
        ("rtcp", json!({ "cname": 1 })),
        ("msid", json!(["a"])),
    ] {
        assert!(
            parameters(json!({ "codecs": [], field: value.clone() })).is_err(),
            "{value}"
        );
    }
}

#[test]
fn lists_longer_than_their_limit_are_rejected() {
    let codec = json!({ "mimeType": "audio/opus", "clockRate": 48000 });
    let extension = json!({ "kind": "audio", "uri": "u", "preferredId": 1 });
    let sent = json!({ "uri": "u", "id": 1 });
    for (of, field, element, max) in [
        ("capabilities", "codecs", &codec, CODECS_MAX),
        (
            "capabilities",
            "headerExtensions",
            &extension,
            HEADER_EXTENSIONS_MAX,
        ),
        (
            "parameters",
            "headerExtensions",
            &sent,
            HEADER_EXTENSIONS_MAX,
        ),
        ("parameters", "encodings", &json!({}), ENCODINGS_MAX),
    ] {
        let of_len = |len| {
            let list = vec![element.clone(); len];
            match of {
                "capabilities" => capabilities(json!({ field: list })).is_ok(),
                _ => parameters(json!({ "codecs": [], field: list })).is_ok(),
            }
        };
        assert!(of_len(max) && !of_len(max + 1), "{field}");
    }
}

#[test]
fn feedback_and_format_parameters_are_bounded() {
    let with = |field: &str, value: Value| {
        let mut codec = json!({ "mimeType": "audio/opus", "clockRate": 48000 });
        codec[field] = value;
        capabilities(json!({ "codecs": [codec] })).is_ok()
    };
    let named = |len: usize| -> Value {
        (0..len)
            .map(|it| (it.to_string(), json!(it)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let feedback = |len| json!(vec![json!({ "type": "nack" }); len]);
    assert!(with("rtcpFeedback", feedback(RTCP_FEEDBACK_MAX)));
    assert!(!with("rtcpFeedback", feedback(RTCP_FEEDBACK_MAX + 1)));
    assert!(with("parameters", named(PARAMETERS_MAX)));
    assert!(!with("parameters", named(PARAMETERS_MAX + 1)));
    assert!(with("parameters", json!({ "x": "y".repeat(TEXT_LEN_MAX) })));
    assert!(!with(
        "parameters",
        json!({ "x": "y".repeat(TEXT_LEN_MAX + 1) })
    ));
    assert!(!with(
        "mimeType",
        json!("audio/".to_owned() + &"y".repeat(TEXT_LEN_MAX))
    ));
}

#[test]
fn validate_enforces_the_same_limits_as_parsing() {
    let mut built = RtpCapabilities::default();
    let extension = RtpHeaderExtension {
        kind: MediaKind::Audio,
        uri: "u".into(),
        preferred_id: 1,
        preferred_encrypt: false,
        direction: HeaderExtensionDirection::SendRecv,
    };
    built.header_extensions = vec![extension; HEADER_EXTENSIONS_MAX + 1];
    let error = ParamsError::TooMany {
        what: "headerExtensions",
        max: HEADER_EXTENSIONS_MAX,
    };
    assert_eq!(built.validate(), Err(error));
    let encodings = vec![RtpEncodingParameters::default(); ENCODINGS_MAX + 1];
    let built = RtpParameters {
        encodings,
        ..RtpParameters::default()
    };
    let error = ParamsError::TooMany {
        what: "encodings",
        max: ENCODINGS_MAX,
    };
    assert_eq!(built.validate(), Err(error));
    let built = RtpParameters::default().with_cname(&"c".repeat(TEXT_LEN_MAX + 1));
    assert_eq!(
        built.validate(),
        Err(ParamsError::TooLong { what: "cname" })
    );
}

#[test]
fn numbers_equal_other_spellings_but_not_texts() {
    let read = |text: &str| serde_json::from_str::<ParameterValue>(text).unwrap();
    assert_eq!(read("1"), read("1.0"));
    assert_ne!(read("1"), read("\"1\""));
    assert_eq!(serde_json::to_string(&read("96.0")).unwrap(), "96");
    assert_eq!(serde_json::to_string(&read("0.5")).unwrap(), "0.5");
    assert_eq!(
        read("9007199254740993").as_integer(),
        Some(9_007_199_254_740_992)
    );
    assert_eq!(read("1e300").as_integer(), None);
    assert!(!read("0").is_truthy() && !read("\"\"").is_truthy() && read("\"0\"").is_truthy());
}

#[test]
fn unknown_direction_reads_as_inactive() {
    let read = |direction: Value| {
        let extension =
            json!({ "kind": "video", "uri": "u", "preferredId": 3, "direction": direction });
        capabilities(json!({ "headerExtensions": [extension] }))
            .map(|read| read.header_extensions[0].direction)
    };
    assert_eq!(read(json!("")).unwrap(), HeaderExtensionDirection::SendRecv);
    assert_eq!(
        read(json!("recvonly")).unwrap(),
        HeaderExtensionDirection::RecvOnly
    );
    assert_eq!(
        read(json!("sideways")).unwrap(),
        HeaderExtensionDirection::Inactive
    );
    assert!(read(json!(["sendrecv"])).is_err());
}

#[test]
fn transport_parameters_have_the_fields_of_all_client_generations() {
    let candidate = IceCandidate {
        foundation: "tcpcandidate".into(),
        priority: 1_076_302_079,
        ip: "192.0.2.1".into(),
        address: "192.0.2.1".into(),
        protocol: IceProtocol::Tcp,
        port: 40_000,
        kind: CandidateType::Host,
        tcp_type: Some(TcpType::Passive),
    };
    assert_eq!(
        serde_json::to_value(&candidate).unwrap(),
        json!({
            "foundation": "tcpcandidate", "priority": 1_076_302_079_u32, "ip": "192.0.2.1",
            "address": "192.0.2.1", "protocol": "tcp", "port": 40000, "type": "host",
            "tcpType": "passive",
        })
    );
    assert_eq!(
        serde_json::to_value(SctpParameters::webrtc(262_144)).unwrap(),
        json!({
            "port": 5000, "OS": 65535, "MIS": 65535, "maxMessageSize": 262_144,
            "maxSendMessageSize": 262_144, "maxReceiveMessageSize": 262_144,
            "isDataChannel": true,
        })
    );
    let dtls: DtlsParameters = serde_json::from_value(json!({
        "fingerprints": [{ "algorithm": "sha-256", "value": "AB:CD" }],
    }))
    .unwrap();
    assert_eq!(dtls.role, DtlsRole::Auto);
    assert_eq!(
        serde_json::to_value(DtlsRole::Client).unwrap(),
        json!("client")
    );
    let many = vec![json!({ "algorithm": "sha-256", "value": "" }); FINGERPRINTS_MAX + 1];
    assert!(serde_json::from_value::<DtlsParameters>(json!({ "fingerprints": many })).is_err());
}

/// Documents that are too deep, too long or have too many elements.
#[test]
fn oversized_documents_are_rejected() {
    let deep = |len: usize| format!("{}{}", "[".repeat(len), "]".repeat(len));
    let repeated = |field: &str, element: &str| {
        format!(
            "{{\"codecs\":[],\"{field}\":[{}{element}]}}",
            format!("{element},").repeat(100_000)
        )
    };
    let mut documents = vec![
        deep(100_000),
        format!("{{\"codecs\":{}}}", deep(100_000)),
        format!("{{\"codecs\":[],\"mid\":\"{}\"}}", "m".repeat(1_000_000)),
        format!("{{\"codecs\":[],\"msid\":\"{}\"}}", "m".repeat(1_000_000)),
    ];
    for field in ["headerExtensions", "encodings"] {
        for element in ["{}", "[]", "0", "null", "{\"uri\":\"u\",\"id\":1}"] {
            documents.push(repeated(field, element));
        }
    }
    for document in documents {
        assert!(
            serde_json::from_str::<RtpParameters>(&document).is_err(),
            "{:.60}",
            document
        );
    }
}

#[test]
fn unknown_field_is_skipped_at_any_depth() {
    let (open, close) = ("[".repeat(100_000), "]".repeat(100_000));
    let text = format!("{{\"codecs\":[],\"unknown\":{open}{close}}}");
    assert!(serde_json::from_str::<RtpParameters>(&text).is_ok());
}

proptest! {
    #[test]
    fn parsed_parameters_read_back_equal(
        payload_type in 0_u8..128,
        clock_rate: u32,
        ssrc: Option<u32>,
        name in "[a-z-]{1,8}",
        number: i32,
        text in ".{0,20}",
    ) {
        let read = parameters(json!({
            "codecs": [{ "mimeType": "video/VP8", "payloadType": payload_type,
                         "clockRate": clock_rate, "parameters": { name: number, "t": text } }],
            "encodings": [{ "ssrc": ssrc }],
        }));
        // The name may be "apt" (a number, fine) or "t" (overwritten by the text).
        let read = read.unwrap();
        prop_assert_eq!(read.encodings[0].ssrc, ssrc.map(Ssrc));
        prop_assert_eq!(parameters(serde_json::to_value(&read).unwrap()).unwrap(), read);
    }

    #[test]
    fn arbitrary_text_never_panics(text in ".{0,200}") {
        let _ = serde_json::from_str::<RtpParameters>(&text);
        let _ = serde_json::from_str::<RtpCapabilities>(&text);
    }
}
