//! Offers of clients (RFC 3264 §5, RFC 9429 §5.2).

use sdp_types::{Media, Session};

use super::attributes::{Attributes, IceCredentials, MediaDirection, parse_session};
use super::error::SdpError;
use super::{codecs, encodings};
use crate::params::{
    DtlsParameters, DtlsRole, MediaKind, RtcpParameters, RtpParameters, TEXT_LEN_MAX,
};
use crate::units::{Mid, Rid};

/// Transport protocols of sections that carry media (RFC 8827 §6.5, RFC 9429 §5.1.2).
const MEDIA_PROTOCOLS: [&str; 2] = ["UDP/TLS/RTP/SAVPF", "TCP/TLS/RTP/SAVPF"];

/// Offer of a client.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// Credentials of ICE.
    pub ice: IceCredentials,
    /// Role that the client takes in DTLS, and the fingerprints of its certificate.
    pub dtls: DtlsParameters,
    /// The m= sections, in their order.
    pub media: Vec<OfferedMedia>,
}

/// An m= section of an offer.
#[derive(Debug, Clone, PartialEq)]
pub struct OfferedMedia {
    /// Identification of the section (RFC 5888).
    pub mid: Mid,
    /// Audio or video; `None` for other media, such as data channels.
    pub kind: Option<MediaKind>,
    /// Type of the media, transport protocol and formats, as in the m= line.
    pub(super) line: (String, String, String),
    /// Whether the client does not want the section: its port is zero and it is not bundled.
    pub is_rejected: bool,
    /// Direction of the media, as the client sees it.
    pub direction: MediaDirection,
    /// All codecs, header extensions and encodings that are offered.
    pub parameters: RtpParameters,
    /// Names of the simulcast encodings in the order of the offer.
    pub(super) simulcast: Vec<Rid>,
    /// Whether the client accepts RTCP packets of reduced size (RFC 5506).
    pub(super) has_reduced_size_rtcp: bool,
}

impl Offer {
    /// Parses an offer.
    ///
    /// # Errors
    /// The text exceeds a bound, is malformed, or lacks what every client has to offer.
    pub fn parse(text: &str) -> Result<Self, SdpError> {
        let session = parse_session(text)?;
        let mut media: Vec<OfferedMedia> = Vec::new();
        for section in &session.medias {
            let read = read_section(section, &session)?;
            if media.iter().any(|it| it.mid == read.mid) {
                return Err(SdpError::DuplicateMid);
            }
            media.push(read);
        }
        check_bundle(&session, &media)?;
        // All sections share the transport of the first one in the bundle (RFC 9143 §7.1.1).
        let wanted = media.iter().position(|it| !it.is_rejected);
        let first = wanted.and_then(|at| session.medias.get(at));
        let first = first.ok_or(SdpError::Missing("an m= section"))?;
        let attributes = Attributes::of_section(first, &session);
        let ice = attributes.ice_credentials()?;
        let fingerprints = attributes.fingerprints()?;
        if fingerprints.is_empty() {
            return Err(SdpError::Missing("a=fingerprint"));
        }
        let role = match attributes.inherited("setup") {
            // The server lets the client begin the handshake, so that it needs no address of it first.
            Some("actpass" | "active") => DtlsRole::Client,
            Some("passive") => DtlsRole::Server,
            Some(_) => return Err(SdpError::Invalid("a=setup")),
            None => return Err(SdpError::Missing("a=setup")),
        };
        Ok(Self {
            ice: ice.ok_or(SdpError::Missing("a=ice-ufrag"))?,
            dtls: DtlsParameters { role, fingerprints },
            media,
        })
    }
}

/// Requires that all sections that are wanted are in one bundle. A single section needs no group.
fn check_bundle(session: &Session, media: &[OfferedMedia]) -> Result<(), SdpError> {
    let groups = session
        .attributes
        .iter()
        .filter(|it| it.attribute == "group");
    let bundle = groups
        .filter_map(|it| it.value.as_deref()?.trim().strip_prefix("BUNDLE"))
        .next();
    let is_bundled = |mid: &Mid| {
        let mut mids = bundle.unwrap_or_default().split_ascii_whitespace();
        mids.any(|it| it == mid.as_str())
    };
    let mut wanted = media.iter().filter(|it| !it.is_rejected);
    let is_single = bundle.is_none() && media.len() == 1;
    match is_single || wanted.all(|it| is_bundled(&it.mid)) {
        true => Ok(()),
        false => Err(SdpError::NotBundled),
    }
}

/// Reads a section.
fn read_section(section: &Media, session: &Session) -> Result<OfferedMedia, SdpError> {
    let attributes = Attributes::of_section(section, session);
    let mid = attributes
        .all("mid")
        .next()
        .ok_or(SdpError::Missing("a=mid"))?;
    let mid = Mid::from(mid).ok().filter(|it| !it.is_empty());
    let mid = mid.ok_or(SdpError::Invalid("a=mid"))?;
    let kind = match section.media.as_str() {
        "audio" => Some(MediaKind::Audio),
        "video" => Some(MediaKind::Video),
        _ => None,
    };
    let is_rejected = section.port == 0 && !attributes.has("bundle-only");
    let mut parameters = RtpParameters::default();
    if let Some(kind) = kind.filter(|_| !is_rejected) {
        if !MEDIA_PROTOCOLS.contains(&section.proto.as_str()) {
            return Err(SdpError::Invalid("transport protocol of an m= line"));
        }
        if !attributes.has("rtcp-mux") {
            return Err(SdpError::Missing("a=rtcp-mux"));
        }
        parameters = read_parameters(kind, mid, section, attributes)?;
    }
    let direction = attributes.direction();
    let simulcast = encodings::offered_rids(attributes)?;
    let line = (
        section.media.clone(),
        section.proto.clone(),
        section.fmt.clone(),
    );
    Ok(OfferedMedia {
        mid,
        kind,
        line,
        is_rejected,
        direction,
        parameters,
        simulcast,
        has_reduced_size_rtcp: attributes.has("rtcp-rsize"),
    })
}

/// Reads the RTP parameters of a section.
fn read_parameters(
    kind: MediaKind,
    mid: Mid,
    section: &Media,
    attributes: Attributes<'_>,
) -> Result<RtpParameters, SdpError> {
    let cname = attributes.all("ssrc").find_map(|value| {
        let (_, attribute) = value.split_once(' ')?;
        attribute.trim().strip_prefix("cname:")
    });
    let short = |text: &&str| text.len() <= TEXT_LEN_MAX;
    let parameters = RtpParameters {
        mid: Some(mid),
        codecs: codecs::read_codecs(kind, &section.fmt, attributes)?,
        header_extensions: codecs::read_header_extensions(attributes)?,
        encodings: encodings::read_encodings(attributes)?,
        rtcp: RtcpParameters {
            cname: cname.filter(short).map(str::to_owned),
            ..RtcpParameters::default()
        },
        msid: attributes
            .all("msid")
            .next()
            .filter(short)
            .map(str::to_owned),
    };
    parameters.validate()?;
    Ok(parameters)
}
