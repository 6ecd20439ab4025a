//! Fragments of session descriptions with updates of ICE (RFC 8840 §9): further candidates of a client, or
//! the credentials of a restart.

use std::fmt::Write as _;

use super::answer::write_candidate;
use super::attributes::{Attributes, IceCredentials, parse_session};
use super::error::SdpError;
use crate::params::{IceCandidate, IceParameters};

/// Lines with which a fragment becomes a session description.
const SESSION_LINES: &str = "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n";

/// An update of ICE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceFragment {
    /// Credentials that the candidates belong to.
    pub ice: IceCredentials,
}

impl IceFragment {
    /// Parses the fragment of a client. Its candidates are checked for their form only: the server learns the
    /// addresses of a client from the checks that it sends (RFC 8445 §7.3.1.3).
    ///
    /// # Errors
    /// The text exceeds a bound, is malformed, or names no credentials.
    pub fn parse(text: &str) -> Result<Self, SdpError> {
        let session = parse_session(&format!("{SESSION_LINES}{text}"))?;
        let first = session.medias.first();
        let attributes = first.map(|it| Attributes::of_section(it, &session));
        let attributes = attributes.unwrap_or_else(|| Attributes::of_session(&session));
        for section in &session.medias {
            let attributes = Attributes::of_section(section, &session);
            if !attributes.all("candidate").all(is_candidate) {
                return Err(SdpError::Invalid("a=candidate"));
            }
        }
        let ice = attributes.ice_credentials()?;
        Ok(Self {
            ice: ice.ok_or(SdpError::Missing("a=ice-ufrag"))?,
        })
    }

    /// Writes the credentials and candidates of the server after a restart, for the section `mid`.
    pub fn write(ice: &IceParameters, candidates: &[IceCandidate], mid: &str) -> String {
        let mut text = String::from("a=ice-lite\r\n");
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "a=group:BUNDLE {mid}\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\n"
        );
        let _ = write!(
            text,
            "a=mid:{mid}\r\na=ice-ufrag:{}\r\n",
            ice.username_fragment
        );
        let _ = write!(text, "a=ice-pwd:{}\r\n", ice.password);
        for candidate in candidates {
            write_candidate(&mut text, candidate);
        }
        text.push_str("a=end-of-candidates\r\n");
        text
    }
}

/// Returns whether the value of an attribute has the fields of a candidate (RFC 8839 §5.1): foundation,
/// component, transport, priority, address, port, `typ` and a type. Firefox ends a list with an empty one.
fn is_candidate(value: &str) -> bool {
    let fields: Vec<_> = value.split_ascii_whitespace().take(8).collect();
    let is_number = |text: &str| text.parse::<u32>().is_ok();
    match fields.as_slice() {
        [] => true,
        [_, component, _, priority, _, port, "typ", _] => {
            is_number(component) && is_number(priority) && port.parse::<u16>().is_ok()
        }
        _ => false,
    }
}
