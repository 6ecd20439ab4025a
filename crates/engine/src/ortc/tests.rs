//! Capability negotiation at its boundaries; its results as a whole are compared with the reference
//! by `tests/ortc_oracle.rs`.

use rand_chacha::rand_core::SeedableRng;
use serde_json::{Value, json};
use watersmeet_wire::params::{RtpEncodingParameters, RtpParameters};

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

/// A publisher of VP8 with RTX, with these encodings.
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
fn every_supported_codec_makes_a_router_by_itself() {
    for codec in supported_capabilities().codecs {
        assert!(
            router_capabilities(std::slice::from_ref(&codec)).is_ok(),
            "{}",
            codec.mime_type
        );
    }
}

#[test]
fn a_router_refuses_what_it_cannot_number_or_carry() {
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
fn a_producer_without_encodings_has_one_and_everyone_gets_the_transports_cname() {
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
fn a_producer_of_another_kind_or_without_media_is_refused() {
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
fn simulcast_becomes_one_stream_with_all_its_layers_and_its_highest_rate() {
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
    let consumer = consumer_parameters(&producer.consumable, &router(), true, &mut rng()).unwrap();
    let [encoding] = consumer.encodings.as_slice() else {
        panic!("one encoding")
    };
    assert_eq!(encoding.scalability_mode.as_deref(), Some("L3T3"));
    assert_eq!(encoding.max_bitrate, Some(900_000));
    let (ssrc, rtx) = (encoding.ssrc.unwrap(), encoding.rtx.unwrap());
    assert_eq!(rtx.ssrc.0, ssrc.0 + 1);
    let plain = consumer_parameters(&producer.consumable, &router(), false, &mut rng()).unwrap();
    assert_eq!(plain.codecs.len(), 1);
    assert!(plain.encodings[0].rtx.is_none() && !plain.codecs[0].has_feedback("nack", ""));
    assert!(plain.codecs[0].has_feedback("nack", "pli"));
}

#[test]
fn a_client_without_capabilities_consumes_nothing() {
    let consumable = negotiate(vp8(json!([]))).unwrap().consumable;
    let nobody = RtpCapabilities::default();
    assert!(can_consume(&consumable, &router()) && !can_consume(&consumable, &nobody));
    let refused = consumer_parameters(&consumable, &nobody, true, &mut rng());
    assert_eq!(refused, Err(NegotiationError::NoCompatibleCodecs));
}

#[test]
fn the_same_seed_draws_the_same_ssrcs_and_another_seed_others() {
    let draw = |seed| random_ssrc(&mut Rng::seed_from_u64(seed));
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
    let mut rng = rng();
    for _ in 0..1_000 {
        assert!((100_000_000..1_000_000_000).contains(&random_ssrc(&mut rng).0));
    }
}
