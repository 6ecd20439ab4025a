//! Arbitrary text as the three documents of a negotiation: the codecs of the router, the parameters
//! of a publisher and the capabilities of a receiver, separated by lines with a dash.
#![no_main]

use std::fmt::Debug;

use rand_chacha::rand_core::SeedableRng;
use serde::Serialize;
use serde::de::DeserializeOwned;
use watersmeet_engine::ortc::{
    can_consume, consumer_parameters, default_codecs, negotiate_producer, router_capabilities,
};
use watersmeet_wire::params::{RtpCapabilities, RtpCodecCapability, RtpParameters};
use watersmeet_wire::units::{Rng, Ssrc};

/// Parses `text`, and checks that the result reads back equal after it is written.
fn read<T: DeserializeOwned + Serialize + PartialEq + Debug>(text: &str) -> Option<T> {
    let read = serde_json::from_str::<T>(text).ok()?;
    let again = serde_json::to_string(&read).expect("a parsed document can be written");
    assert_eq!(serde_json::from_str::<T>(&again).ok().as_ref(), Some(&read));
    Some(read)
}

libfuzzer_sys::fuzz_target!(|text: &str| {
    let mut documents = text.split("\n-\n");
    let codecs = documents.next().and_then(read::<Vec<RtpCodecCapability>>);
    let parameters = documents.next().and_then(read::<RtpParameters>);
    let remote = documents.next().and_then(read::<RtpCapabilities>);

    let router = codecs.and_then(|codecs| router_capabilities(&codecs).ok());
    let router = router.unwrap_or_else(|| {
        router_capabilities(&default_codecs()).expect("the default codecs are supported")
    });
    let Some(parameters) = parameters else { return };
    assert_eq!(parameters.validate(), Ok(()));
    let Some(kind) = parameters.codecs.first().and_then(|codec| codec.kind()) else {
        return;
    };
    let mut rng = Rng::seed_from_u64(1);
    let Ok(producer) = negotiate_producer(kind, parameters, "cname", &router, &mut rng) else {
        return;
    };
    assert_eq!(
        producer.consumable.encodings.len(),
        producer.mapping.encodings.len()
    );

    let remote = remote.unwrap_or(router);
    assert_eq!(remote.validate(), Ok(()));
    for enable_rtx in [true, false] {
        let consumer = consumer_parameters(&producer.consumable, &remote, enable_rtx, Ssrc(7));
        let Ok(consumer) = consumer else {
            assert!(!can_consume(&producer.consumable, &remote));
            continue;
        };
        assert_eq!(consumer.validate(), Ok(()));
        assert_eq!(consumer.encodings.len(), 1);
        assert!(!consumer.codecs[0].is_rtx());
        assert!(enable_rtx || consumer.encodings[0].rtx.is_none());
        let known = |id, uri: &str| {
            remote
                .header_extensions
                .iter()
                .any(|it| it.preferred_id == id && it.uri == uri)
        };
        assert!(
            consumer
                .header_extensions
                .iter()
                .all(|it| known(it.id, &it.uri))
        );
        let again = serde_json::to_string(&consumer).expect("parameters can be written");
        let again = read::<RtpParameters>(&again).expect("written parameters can be read");
        assert_eq!(again.codecs, consumer.codecs);
    }
});
