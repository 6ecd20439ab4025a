//! Reading attributes of a session or of a section, with their bounds.

use sdp_types::{Attribute, Media, Session};

use super::bounds::check_bounds;
use super::error::SdpError;
use crate::params::{DtlsFingerprint, FINGERPRINTS_MAX};

/// Lengths of a user name fragment, in characters (RFC 8839 §5.4).
const UFRAG_LEN: std::ops::RangeInclusive<usize> = 4..=256;

/// Lengths of a password, in characters (RFC 8839 §5.4).
const PASSWORD_LEN: std::ops::RangeInclusive<usize> = 22..=256;

/// Longest value of a fingerprint: SHA-512 in hexadecimal with colons.
const FINGERPRINT_LEN_MAX: usize = 64 * 3 - 1;

/// Credentials of ICE (RFC 8839 §5.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceCredentials {
    /// User name fragment, 4 to 256 characters.
    pub username_fragment: String,
    /// Password, 22 to 256 characters.
    pub password: String,
}

/// Direction of media (RFC 3264 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaDirection {
    /// Both directions.
    SendRecv,
    /// Only from the side that offers it.
    SendOnly,
    /// Only to the side that offers it.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl MediaDirection {
    /// Returns whether the side that offers it sends.
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }
}

/// Splits a text into lines of a session and of sections.
///
/// # Errors
/// The text exceeds a bound, or a line is malformed.
pub(super) fn parse_session(text: &str) -> Result<Session, SdpError> {
    check_bounds(text)?;
    Session::parse(text.as_bytes()).map_err(|it| SdpError::Malformed(it.to_string()))
}

/// Attributes of a section, and those of the session, which hold where the section has none.
#[derive(Clone, Copy)]
pub(super) struct Attributes<'a> {
    /// Attributes of the section.
    section: &'a [Attribute],
    /// Attributes of the session.
    session: &'a [Attribute],
}

impl<'a> Attributes<'a> {
    /// Returns the attributes of a section.
    pub(super) fn of_section(section: &'a Media, session: &'a Session) -> Self {
        Self {
            section: &section.attributes,
            session: &session.attributes,
        }
    }

    /// Returns the attributes of the session alone.
    pub(super) fn of_session(session: &'a Session) -> Self {
        Self {
            section: &[],
            session: &session.attributes,
        }
    }

    /// Returns the values of all attributes of the section with this name.
    pub(super) fn all(self, name: &'static str) -> impl Iterator<Item = &'a str> {
        values(self.section, name)
    }

    /// Returns whether the section has an attribute.
    pub(super) fn has(self, name: &'static str) -> bool {
        self.all(name).next().is_some()
    }

    /// Returns the value of an attribute of the section, else that of the session.
    pub(super) fn inherited(self, name: &'static str) -> Option<&'a str> {
        self.all(name).chain(values(self.session, name)).next()
    }

    /// Reads the direction of a section, else that of the session; both directions without either.
    pub(super) fn direction(self) -> MediaDirection {
        let names = self.section.iter().chain(self.session);
        let mut named = names.filter_map(|it| match it.attribute.as_str() {
            "sendrecv" => Some(MediaDirection::SendRecv),
            "sendonly" => Some(MediaDirection::SendOnly),
            "recvonly" => Some(MediaDirection::RecvOnly),
            "inactive" => Some(MediaDirection::Inactive),
            _ => None,
        });
        named.next().unwrap_or(MediaDirection::SendRecv)
    }

    /// Reads the credentials of ICE, if there are any.
    ///
    /// # Errors
    /// One of the two is missing, or has a length or a character that RFC 8839 rules out.
    pub(super) fn ice_credentials(self) -> Result<Option<IceCredentials>, SdpError> {
        let (ufrag, password) = match (self.inherited("ice-ufrag"), self.inherited("ice-pwd")) {
            (None, None) => return Ok(None),
            (Some(ufrag), Some(password)) => (ufrag, password),
            (None, Some(_)) => return Err(SdpError::Missing("a=ice-ufrag")),
            (Some(_), None) => return Err(SdpError::Missing("a=ice-pwd")),
        };
        if !UFRAG_LEN.contains(&ufrag.len()) || !ufrag.bytes().all(is_ice_char) {
            return Err(SdpError::Invalid("a=ice-ufrag"));
        }
        if !PASSWORD_LEN.contains(&password.len()) || !password.bytes().all(is_ice_char) {
            return Err(SdpError::Invalid("a=ice-pwd"));
        }
        Ok(Some(IceCredentials {
            username_fragment: ufrag.to_owned(),
            password: password.to_owned(),
        }))
    }

    /// Reads the fingerprints of the section's certificate, else those of the session (RFC 8122 §5).
    ///
    /// # Errors
    /// There are too many, or one has another form.
    pub(super) fn fingerprints(self) -> Result<Vec<DtlsFingerprint>, SdpError> {
        let source = match self.has("fingerprint") {
            true => self.section,
            false => self.session,
        };
        let mut fingerprints = Vec::new();
        for value in values(source, "fingerprint") {
            let (algorithm, value) = value
                .split_once(' ')
                .filter(|(_, value)| is_fingerprint(value))
                .ok_or(SdpError::Invalid("a=fingerprint"))?;
            if fingerprints.len() == FINGERPRINTS_MAX {
                return Err(SdpError::TooMany("fingerprints"));
            }
            fingerprints.push(DtlsFingerprint {
                algorithm: algorithm.to_ascii_lowercase(),
                value: value.to_ascii_uppercase(),
            });
        }
        Ok(fingerprints)
    }
}

/// Returns the values of the attributes with this name; that of a flag is empty.
fn values<'a>(attributes: &'a [Attribute], name: &'static str) -> impl Iterator<Item = &'a str> {
    let named = attributes.iter().filter(move |it| it.attribute == name);
    named.map(|it| it.value.as_deref().unwrap_or_default().trim())
}

/// Returns whether a character may be part of a user name fragment or of a password.
fn is_ice_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=' | b'#')
}

/// Returns whether a text has the form of a fingerprint: hexadecimal bytes separated by colons.
fn is_fingerprint(value: &str) -> bool {
    value.len() <= FINGERPRINT_LEN_MAX
        && value
            .split(':')
            .all(|byte| byte.len() == 2 && byte.bytes().all(|it| it.is_ascii_hexdigit()))
}
