//! Boundary cases of capability negotiation. `tests/ortc_oracle.rs` compares whole results with
//! mediasoup.

use rand_chacha::rand_core::SeedableRng;
use serde_json::{Value, json};
use watersmeet_wire::params::{RtcpFeedback, RtpEncodingParameters, RtpParameters};
use watersmeet_wire::units::{Rng, Ssrc};

use super::ssrc::random_ssrc;
use super::*;

fn rng() -> Rng {
    Rng::seed_from_u64(7)
}

fn codecs(value: Value) -> Vec<RtpCodecCapability> {
    serde_json::from_value(value).unwrap()
}

fn router() -> RtpCapabilities {
    router_capabilities(&default_codecs()).unwrap()
}

/// Returns the parameters of a VP8 publisher with RTX and these encodings.
fn vp8(encodings: Value) -> RtpParameters {
    serde_json::from_value(json!({
        "codecs": [
            { "mimeType": "video/VP8", "payloadType": 96, "clockRate": 90000 },
            { "mimeType": "video/rtx", "payloadType": 97, "clockRate": 90000,
              "parameters": { "apt": 96 } },
        ],
        "encodings": encodings,
    }))
    .unwrap()
}

fn negotiate(parameters: RtpParameters) -> Result<NegotiatedProducer, NegotiationError> {
    negotiate_producer(MediaKind::Video, parameters, "cname", &router(), &mut rng())
}

#[test]
fn the_default_router_offers_vp8_first_and_an_rtx_codec_after_each_video_codec() {
    let router = router();
    let names: Vec<_> = router
        .codecs
        .iter()
        .map(|it| it.mime_type.as_str())
        .collect();
    let expected = [
        "audio/opus",
        "video/VP8",
        "video/rtx",
        "video/VP9",
        "video/rtx",
        "video/H264",
        "video/rtx",
        "video/H264",
        "video/rtx",
    ];
    assert_eq!(names, expected);
    let payload_types: Vec<_> = router
        .codecs
        .iter()
        .filter_map(|it| it.preferred_payload_type)
        .collect();
    assert_eq!(payload_types, (100..109).map(Pt).collect::<Vec<_>>());
    assert_eq!(router.validate(), Ok(()));
}

#[test]
fn a_router_accepts_every_supported_codec_alone() {
    for codec in supported_capabilities().codecs {
        assert!(
            router_capabilities(std::slice::from_ref(&codec)).is_ok(),
            "{}",
            codec.mime_type
        );
    }
}

#[test]
fn consumers_receive_the_dependency_descriptor_in_routers_with_av1_only() {
    let uri = ExtensionKind::DependencyDescriptor.uri();
    for codec in supported_capabilities().codecs {
        let router = router_capabilities(std::slice::from_ref(&codec)).unwrap();
        let mut extensions = router.header_extensions.iter();
        let extension = extensions.find(|it| it.uri == uri).unwrap();
        let is_sent = extension.direction == HeaderExtensionDirection::SendRecv;
        assert_eq!(
            is_sent,
            codec.mime_type == "video/AV1",
            "{}",
            codec.mime_type
        );
    }
}

#[test]
fn a_router_refuses_unsupported_codecs_and_payload_type_conflicts() {
    let one = |value| router_capabilities(&codecs(json!([value])));
    let unknown = json!({ "mimeType": "video/H261", "clockRate": 90000 });
    let refusal = NegotiationError::UnsupportedCodec {
        mime_type: "video/H261".into(),
    };
    assert_eq!(one(unknown), Err(refusal));
    let mono = json!({ "mimeType": "audio/opus", "clockRate": 48000 });
    assert!(one(mono).is_err());
    let twice = json!([
        { "mimeType": "video/VP8", "clockRate": 90000, "preferredPayloadType": 110 },
        { "mimeType": "video/VP9", "clockRate": 90000, "preferredPayloadType": 110 },
    ]);
    let refusal = NegotiationError::DuplicatePayloadType(Pt(110));
    assert_eq!(router_capabilities(&codecs(twice)), Err(refusal));
    let vp8 = json!({ "mimeType": "video/VP8", "clockRate": 90000 });
    let full = codecs(json!(vec![vp8.clone(); DYNAMIC_PAYLOAD_TYPES.len() / 2]));
    assert!(router_capabilities(&full).is_ok());
    let over = codecs(json!(vec![vp8; DYNAMIC_PAYLOAD_TYPES.len() / 2 + 1]));
    assert_eq!(
        router_capabilities(&over),
        Err(NegotiationError::PayloadTypesExhausted)
    );
}

#[test]
fn a_producer_without_encodings_gets_one_and_uses_the_transports_cname() {
    let producer = negotiate(vp8(json!([]))).unwrap();
    assert_eq!(producer.parameters.encodings.len(), 1);
    assert_eq!(producer.parameters.rtcp.cname.as_deref(), Some("cname"));
    assert_eq!(producer.consumable.rtcp.cname.as_deref(), Some("cname"));
    assert_eq!(
        producer.consumable.encodings[0].ssrc,
        Some(producer.mapping.encodings[0].mapped_ssrc)
    );
}

#[test]
fn invalid_producer_parameters_are_refused() {
    let router = router();
    let wrong = negotiate_producer(MediaKind::Audio, vp8(json!([])), "", &router, &mut rng());
    assert!(matches!(wrong, Err(NegotiationError::WrongKind { .. })));
    assert_eq!(
        negotiate(RtpParameters::default()),
        Err(NegotiationError::NoMediaCodec)
    );
    let mut reversed = vp8(json!([]));
    reversed.codecs.reverse();
    assert_eq!(negotiate(reversed), Err(NegotiationError::NoMediaCodec));
    let mut twice = vp8(json!([]));
    twice.codecs[1].payload_type = Pt(96);
    assert_eq!(
        negotiate(twice),
        Err(NegotiationError::DuplicatePayloadType(Pt(96)))
    );
    let mut many = vp8(json!([]));
    many.encodings = vec![RtpEncodingParameters::default(); 9];
    assert!(matches!(negotiate(many), Err(NegotiationError::Params(_))));
}

#[test]
fn a_simulcast_consumer_has_one_encoding_with_all_layers_and_the_highest_bitrate() {
    let producer = negotiate(vp8(json!([
        { "rid": "r0", "scalabilityMode": "L1T3", "maxBitrate": 100_000 },
        { "rid": "r1", "scalabilityMode": "L1T3", "maxBitrate": 900_000 },
        { "rid": "r2", "scalabilityMode": "L1T3" },
    ])))
    .unwrap();
    let mapped: Vec<_> = producer
        .mapping
        .encodings
        .iter()
        .map(|it| it.mapped_ssrc.0)
        .collect();
    assert_eq!(mapped, [mapped[0], mapped[0] + 1, mapped[0] + 2]);
    let consumer = consumer_parameters(&producer.consumable, &router(), true, Ssrc(7)).unwrap();
    let [encoding] = consumer.encodings.as_slice() else {
        panic!("one encoding")
    };
    assert_eq!(encoding.scalability_mode.as_deref(), Some("L3T3"));
    assert_eq!(encoding.max_bitrate, Some(900_000));
    let (ssrc, rtx) = (encoding.ssrc.unwrap(), encoding.rtx.unwrap());
    assert_eq!(rtx.ssrc.0, ssrc.0 + 1);
    let plain = consumer_parameters(&producer.consumable, &router(), false, Ssrc(7)).unwrap();
    assert_eq!(plain.codecs.len(), 1);
    assert!(plain.encodings[0].rtx.is_none() && !plain.codecs[0].has_feedback("nack", ""));
    assert!(plain.codecs[0].has_feedback("nack", "pli"));
}

/// Returns a router with redundant audio, and what an Opus publisher with these codecs sends to it.
fn redundant_audio(
    codecs: Value,
) -> (
    RtpCapabilities,
    Result<NegotiatedProducer, NegotiationError>,
) {
    let mut offered = default_codecs();
    offered.push(redundant_audio_codec());
    let router = router_capabilities(&offered).unwrap();
    let parameters = json!({ "codecs": codecs, "encodings": [{ "ssrc": 5 }] });
    let parameters = serde_json::from_value(parameters).unwrap();
    let producer = negotiate_producer(MediaKind::Audio, parameters, "cname", &router, &mut rng());
    (router, producer)
}

#[test]
fn redundant_audio_follows_opus_for_clients_that_have_both() {
    let opus = json!({ "mimeType": "audio/opus", "payloadType": 111, "clockRate": 48000,
        "channels": 2, "parameters": { "usedtx": 1 } });
    let red = json!({ "mimeType": "audio/red", "payloadType": 63, "clockRate": 48000,
        "channels": 2, "parameters": { "": "111/111" } });
    for codecs in [json!([opus]), json!([opus, red]), json!([red, opus])] {
        let (router, producer) = redundant_audio(codecs);
        let consumable = producer.unwrap().consumable;
        let receive = |names: &[&str]| {
            let mut client = router.clone();
            let is_kept = |it: &RtpCodecCapability| names.contains(&it.mime_type.as_str());
            client.codecs.retain(is_kept);
            let consumer = consumer_parameters(&consumable, &client, true, Ssrc(7));
            assert_eq!(consumer.is_ok(), can_consume(&consumable, &client));
            let codecs = consumer.map(|it| it.codecs).unwrap_or_default();
            let codec = |it: &watersmeet_wire::params::RtpCodecParameters| {
                (it.payload_type, it.red_primary(), it.parameters.len())
            };
            codecs.iter().map(codec).collect::<Vec<_>>()
        };
        let both = receive(&["audio/opus", "audio/red", "video/VP8"]);
        assert_eq!(both, [(Pt(100), None, 1), (Pt(109), Some(Pt(100)), 1)]);
        assert_eq!(receive(&["audio/opus"]), [(Pt(100), None, 1)]);
        assert!(receive(&["audio/red"]).is_empty());
    }
    let (_, alone) = redundant_audio(json!([red]));
    assert_eq!(alone, Err(NegotiationError::NoMediaCodec));
}

#[test]
fn congestion_feedback_is_used_by_clients_that_list_it_and_offered_to_none() {
    let offered = |router: &RtpCapabilities| {
        let mut feedback = router.codecs.iter().flat_map(|it| &it.rtcp_feedback);
        feedback.any(|it| it.kind == "ack")
    };
    assert!(!offered(&router()) && !offered(&supported_capabilities()));
    let consumable = negotiate(vp8(json!([]))).unwrap().consumable;
    let listed = RtcpFeedback {
        kind: "ack".to_owned(),
        parameter: "ccfb".to_owned(),
    };
    for with_extension in [true, false] {
        let mut client = router();
        for codec in &mut client.codecs {
            codec.rtcp_feedback.push(listed.clone());
        }
        let uri = ExtensionKind::TransportWideCc.uri();
        client
            .header_extensions
            .retain(|it| with_extension || it.uri != uri);
        let parameters = consumer_parameters(&consumable, &client, true, Ssrc(7)).unwrap();
        let codec = &parameters.codecs[0];
        assert!(codec.has_feedback("ack", "ccfb"));
        assert_eq!(codec.has_feedback("transport-cc", ""), with_extension);
        assert!(!codec.has_feedback("goog-remb", ""));
    }
}

#[test]
fn a_client_without_capabilities_cannot_consume() {
    let consumable = negotiate(vp8(json!([]))).unwrap().consumable;
    let no_capabilities = RtpCapabilities::default();
    assert!(can_consume(&consumable, &router()) && !can_consume(&consumable, &no_capabilities));
    let refused = consumer_parameters(&consumable, &no_capabilities, true, Ssrc(7));
    assert_eq!(refused, Err(NegotiationError::NoCompatibleCodecs));
}

#[test]
fn random_ssrcs_depend_on_the_seed_and_have_nine_digits() {
    let ssrc = |seed| random_ssrc(&mut Rng::seed_from_u64(seed));
    assert_eq!(ssrc(1), ssrc(1));
    assert_ne!(ssrc(1), ssrc(2));
    let mut rng = rng();
    for _ in 0..1_000 {
        assert!((100_000_000..1_000_000_000).contains(&random_ssrc(&mut rng).0));
    }
}
