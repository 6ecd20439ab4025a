//! Codecs and header extensions of a section: `a=rtpmap`, `a=fmtp`, `a=rtcp-fb` and `a=extmap`.

use super::attributes::Attributes;
use super::error::SdpError;
use crate::params::{
    CODECS_MAX, FormatParameters, HEADER_EXTENSIONS_MAX, MediaKind, PARAMETERS_MAX, ParameterValue,
    RTCP_FEEDBACK_MAX, RtcpFeedback, RtpCodecParameters, RtpHeaderExtensionParameters,
    TEXT_LEN_MAX,
};
use crate::units::Pt;

/// Payload types from which none can be told from RTCP on a shared port (RFC 5761 §4).
const PAYLOAD_TYPE_MAX: u8 = 127;

/// Codecs without `a=rtpmap` (RFC 3551 §6): payload type, name, clock rate.
const STATIC_CODECS: [(u8, &str, u32); 3] =
    [(0, "PCMU", 8_000), (8, "PCMA", 8_000), (9, "G722", 8_000)];

/// Largest id of a header extension in the one-byte form (RFC 8285 §4.2). Others are not used.
const EXTENSION_ID_MAX: u8 = 14;

/// Reads the codecs of a section in the order of its m= line.
///
/// # Errors
/// There are too many codecs or parameters, or an attribute is malformed.
pub(super) fn read_codecs(
    kind: MediaKind,
    formats: &str,
    attributes: Attributes<'_>,
) -> Result<Vec<RtpCodecParameters>, SdpError> {
    let mut codecs: Vec<RtpCodecParameters> = Vec::new();
    for (at, format) in formats.split_ascii_whitespace().enumerate() {
        let payload_type = parse_payload_type(format).ok_or(SdpError::Invalid("m= line"))?;
        if codecs.iter().any(|it| it.payload_type == payload_type) {
            return Err(SdpError::Invalid("m= line"));
        }
        if at == CODECS_MAX {
            return Err(SdpError::TooMany("codecs"));
        }
        codecs.extend(mapped_codec(kind, payload_type, attributes)?);
    }
    read_format_parameters(&mut codecs, attributes)?;
    read_feedback(&mut codecs, attributes)?;
    Ok(codecs)
}

/// Reads the header extensions of a section that its client can send.
///
/// # Errors
/// There are too many, or one is malformed.
pub(super) fn read_header_extensions(
    attributes: Attributes<'_>,
) -> Result<Vec<RtpHeaderExtensionParameters>, SdpError> {
    let invalid = SdpError::Invalid("a=extmap");
    let mut extensions = Vec::new();
    for value in attributes.all("extmap") {
        let mut fields = value.split_ascii_whitespace();
        let (Some(id), Some(uri)) = (fields.next(), fields.next()) else {
            return Err(invalid);
        };
        let (id, direction) = id.split_once('/').unwrap_or((id, "sendrecv"));
        let id: u16 = id.parse().map_err(|_| invalid.clone())?;
        if uri.len() > TEXT_LEN_MAX {
            return Err(invalid);
        }
        if extensions.len() == HEADER_EXTENSIONS_MAX {
            return Err(SdpError::TooMany("header extensions"));
        }
        let id = u8::try_from(id).ok();
        let id = id.filter(|id| (1..=EXTENSION_ID_MAX).contains(id));
        if let Some(id) = id.filter(|_| matches!(direction, "sendrecv" | "sendonly")) {
            extensions.push(RtpHeaderExtensionParameters {
                uri: uri.to_owned(),
                id,
                encrypt: false,
                parameters: FormatParameters::new(),
            });
        }
    }
    Ok(extensions)
}

/// Reads a payload type of at most 7 bits.
pub(super) fn parse_payload_type(text: &str) -> Option<Pt> {
    let number = text.parse().ok().filter(|it| *it <= PAYLOAD_TYPE_MAX);
    number.map(Pt)
}

/// Returns the codec of a payload type, without its parameters. A payload type that neither the section nor
/// RFC 3551 explains has none.
fn mapped_codec(
    kind: MediaKind,
    payload_type: Pt,
    attributes: Attributes<'_>,
) -> Result<Option<RtpCodecParameters>, SdpError> {
    let invalid = SdpError::Invalid("a=rtpmap");
    let of_type = |value: &'_ str| {
        let (number, _) = value.split_once(' ')?;
        (parse_payload_type(number) == Some(payload_type)).then_some(())
    };
    let Some(mapping) = attributes.all("rtpmap").find(|it| of_type(it).is_some()) else {
        let known = STATIC_CODECS.iter().find(|it| it.0 == payload_type.0);
        let known = known.filter(|_| kind == MediaKind::Audio);
        return Ok(
            known.map(|(_, name, clock_rate)| codec(kind, payload_type, name, *clock_rate, 1))
        );
    };
    let (_, encoding) = mapping.split_once(' ').ok_or(invalid.clone())?;
    let mut fields = encoding.trim().split('/');
    let (Some(name), Some(clock_rate)) = (fields.next(), fields.next()) else {
        return Err(invalid);
    };
    let clock_rate = clock_rate.parse().map_err(|_| invalid.clone())?;
    let channels = match fields.next() {
        Some(channels) => channels.parse().map_err(|_| invalid.clone())?,
        None => 1,
    };
    if name.is_empty() || name.len() > TEXT_LEN_MAX {
        return Err(invalid);
    }
    Ok(Some(codec(kind, payload_type, name, clock_rate, channels)))
}

fn codec(
    kind: MediaKind,
    payload_type: Pt,
    name: &str,
    clock_rate: u32,
    channels: u8,
) -> RtpCodecParameters {
    RtpCodecParameters {
        mime_type: format!("{}/{name}", kind.as_str()),
        payload_type,
        clock_rate,
        channels: (kind == MediaKind::Audio).then_some(channels),
        parameters: FormatParameters::new(),
        rtcp_feedback: Vec::new(),
    }
}

/// Adds the format parameters of each codec.
fn read_format_parameters(
    codecs: &mut [RtpCodecParameters],
    attributes: Attributes<'_>,
) -> Result<(), SdpError> {
    for value in attributes.all("fmtp") {
        let (format, list) = value.split_once(' ').unwrap_or((value, ""));
        let payload_type = parse_payload_type(format).ok_or(SdpError::Invalid("a=fmtp"))?;
        let Some(codec) = codecs.iter_mut().find(|it| it.payload_type == payload_type) else {
            continue;
        };
        for parameter in list.split(';').map(str::trim).filter(|it| !it.is_empty()) {
            // The parameter of redundant audio has no name (RFC 2198 §5).
            let (name, value) = parameter.split_once('=').unwrap_or(("", parameter));
            if name.len().max(value.len()) > TEXT_LEN_MAX {
                return Err(SdpError::Invalid("a=fmtp"));
            }
            if codec.parameters.len() == PARAMETERS_MAX {
                return Err(SdpError::TooMany("format parameters"));
            }
            let value = parameter_value(name, value)?;
            codec.parameters.insert(name.trim().to_owned(), value);
        }
    }
    Ok(())
}

/// Returns the value of a format parameter: a number where it is written as one, as clients of RTP parameters
/// do. Profiles of H.264 are texts that may look like numbers.
fn parameter_value(name: &str, value: &str) -> Result<ParameterValue, SdpError> {
    let value = value.trim();
    if name == "apt" {
        let payload_type = parse_payload_type(value).ok_or(SdpError::Invalid("apt of a=fmtp"))?;
        return Ok(ParameterValue::from(u32::from(payload_type.0)));
    }
    let is_number = !value.is_empty()
        && value.bytes().all(|it| it.is_ascii_digit())
        && (value == "0" || !value.starts_with('0'));
    match value.parse::<u32>().ok().filter(|_| is_number) {
        Some(number) if name != "profile-level-id" => Ok(ParameterValue::from(number)),
        _ => Ok(ParameterValue::from(value)),
    }
}

/// Adds the RTCP feedback of each codec; `*` is for all media codecs of the section.
fn read_feedback(
    codecs: &mut [RtpCodecParameters],
    attributes: Attributes<'_>,
) -> Result<(), SdpError> {
    for value in attributes.all("rtcp-fb") {
        let mut fields = value.split_ascii_whitespace();
        let (Some(format), Some(kind)) = (fields.next(), fields.next()) else {
            return Err(SdpError::Invalid("a=rtcp-fb"));
        };
        let feedback = RtcpFeedback::new(kind, fields.next().unwrap_or_default());
        let payload_type = match format {
            "*" => None,
            number => Some(parse_payload_type(number).ok_or(SdpError::Invalid("a=rtcp-fb"))?),
        };
        let concerned = codecs.iter_mut().filter(|it| match payload_type {
            Some(payload_type) => it.payload_type == payload_type,
            None => it.is_media(),
        });
        for codec in concerned {
            if codec.rtcp_feedback.len() == RTCP_FEEDBACK_MAX {
                return Err(SdpError::TooMany("kinds of RTCP feedback"));
            }
            codec.rtcp_feedback.push(feedback.clone());
        }
    }
    Ok(())
}
