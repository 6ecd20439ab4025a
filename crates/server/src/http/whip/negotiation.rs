//! Decides what is accepted of the offer of a publisher, by the capabilities of routers. Pure: knows no
//! sessions and no requests.
//!
//! One audio and one video track are accepted, as a participant has one microphone and one camera. An offer
//! of which a section cannot be accepted is refused as a whole: one half of a publication would mislead its
//! user (RFC 9725 §4.4.3).

use watersmeet_engine::ortc::received_codec;
use watersmeet_wire::params::{
    HeaderExtensionDirection, MediaKind, RtpCapabilities, RtpCodecParameters, RtpParameters,
};
use watersmeet_wire::sdp::{AcceptedMedia, Offer, OfferedMedia};

/// A track that a publisher sends.
#[derive(Debug, Clone, PartialEq)]
pub struct Track {
    /// Audio or video.
    pub kind: MediaKind,
    /// Parameters with which it is sent.
    pub parameters: RtpParameters,
}

/// Returns what is accepted of each section of an offer.
///
/// # Errors
/// Says which part of the offer cannot be accepted.
pub fn accept(offer: &Offer, router: &RtpCapabilities) -> Result<Vec<AcceptedMedia>, String> {
    let accepted = offer.media.iter().map(|it| accept_section(it, router));
    let accepted: Vec<_> = accepted.collect::<Result<_, _>>()?;
    let tracks = tracks(offer, &accepted);
    if tracks.is_empty() {
        return Err("nothing is sent".to_owned());
    }
    for kind in [MediaKind::Audio, MediaKind::Video] {
        if tracks.iter().filter(|it| it.kind == kind).count() > 1 {
            return Err(format!("only one {} track is accepted", kind.as_str()));
        }
    }
    Ok(accepted)
}

/// Returns the tracks of an offer that are accepted.
pub fn tracks(offer: &Offer, accepted: &[AcceptedMedia]) -> Vec<Track> {
    let sections = offer.media.iter().zip(accepted);
    let tracks = sections.filter_map(|(offered, accepted)| match accepted {
        AcceptedMedia::Receive(parameters) => Some(Track {
            kind: offered.kind?,
            parameters: RtpParameters::clone(parameters),
        }),
        AcceptedMedia::Rejected => None,
    });
    tracks.collect()
}

fn accept_section(
    offered: &OfferedMedia,
    router: &RtpCapabilities,
) -> Result<AcceptedMedia, String> {
    if offered.is_rejected {
        return Ok(AcceptedMedia::Rejected);
    }
    let mid = &offered.mid;
    let Some(kind) = offered.kind else {
        return Err(format!("m= section {mid} is neither audio nor video"));
    };
    if !offered.direction.sends() {
        return Err(format!("m= section {mid} is not sendonly"));
    }
    let codecs = accept_codecs(&offered.parameters.codecs, router).ok_or_else(|| {
        format!(
            "no codec of m= section {mid} is supported: {}",
            names(kind, router)
        )
    })?;
    let mut parameters = RtpParameters {
        codecs,
        ..offered.parameters.clone()
    };
    parameters.header_extensions.retain(|extension| {
        router.header_extensions.iter().any(|own| {
            let is_received = matches!(
                own.direction,
                HeaderExtensionDirection::SendRecv | HeaderExtensionDirection::RecvOnly
            );
            own.kind == kind && own.uri == extension.uri && is_received
        })
    });
    let has_rtx = parameters.codecs.iter().any(RtpCodecParameters::is_rtx);
    if !has_rtx {
        for encoding in &mut parameters.encodings {
            encoding.rtx = None;
        }
    }
    Ok(AcceptedMedia::Receive(Box::new(parameters)))
}

/// Returns the first codec that the router has, and its retransmissions. One is chosen, because a publisher may
/// send any that is accepted.
fn accept_codecs(
    offered: &[RtpCodecParameters],
    router: &RtpCapabilities,
) -> Option<Vec<RtpCodecParameters>> {
    let mut media = offered.iter().filter(|it| it.is_media());
    let chosen = media.find_map(|it| received_codec(it, router))?;
    let retransmits =
        |it: &&RtpCodecParameters| it.is_rtx() && it.apt() == Some(chosen.payload_type);
    let rtx = offered.iter().find(retransmits).cloned();
    let rtx = rtx.filter(|it| it.clock_rate == chosen.clock_rate && chosen.channels.is_none());
    Some([chosen].into_iter().chain(rtx).collect())
}

/// Returns the names of the codecs of a kind that the router has.
fn names(kind: MediaKind, router: &RtpCapabilities) -> String {
    let media = router
        .codecs
        .iter()
        .filter(|it| it.kind == kind && !it.is_rtx() && !it.is_red());
    let mut names: Vec<_> = media
        .filter_map(|it| it.mime_type.split_once('/').map(|it| it.1))
        .collect();
    names.dedup();
    names.join(", ")
}
