//! Checks that hold for any text as a session description. Shared by a fuzz target and the tests of this crate.

use watersmeet_wire::params::IceParameters;
use watersmeet_wire::sdp::{AcceptedMedia, Answer, IceFragment, Offer};

/// Checks an offer, the answer that accepts all of it, and an ICE fragment.
pub fn sdp(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let _ = IceFragment::parse(text);
    let Ok(offer) = Offer::parse(text) else {
        return;
    };
    let media: Vec<_> = offer
        .media
        .iter()
        .map(|section| match section.is_rejected {
            true => AcceptedMedia::Rejected,
            false => AcceptedMedia::Receive(Box::new(section.parameters.clone())),
        })
        .collect();
    for section in &offer.media {
        assert_eq!(section.parameters.validate(), Ok(()));
    }
    let ice = IceParameters {
        username_fragment: "server".to_owned(),
        password: "0123456789012345678901".to_owned(),
        ice_lite: true,
    };
    let answer = Answer {
        offer: &offer,
        ice: &ice,
        candidates: &[],
        dtls: &offer.dtls,
        media: &media,
    };
    // No value of an offer adds a line to the answer.
    let text = answer.write();
    assert!(
        text.lines()
            .all(|line| line.as_bytes().get(1) == Some(&b'='))
    );
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
}
