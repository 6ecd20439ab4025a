//! Encodings of a section: simulcast by RID (RFC 8853), or the SSRCs of a single stream (RFC 5576).

use super::attributes::Attributes;
use super::error::SdpError;
use crate::params::{ENCODINGS_MAX, RtpEncodingParameters, RtxParameters};
use crate::units::{Rid, Ssrc};

/// Names of encodings by which their order is known, lowest quality first. Libraries and guides use these.
const KNOWN_ORDERS: [&[&str]; 7] = [
    &["q", "h", "f"],
    &["l", "m", "h"],
    &["low", "mid", "high"],
    &["low", "medium", "high"],
    &["lo", "mid", "hi"],
    &["s", "m", "l"],
    &["r0", "r1", "r2"],
];

/// An encoding of a simulcast.
#[derive(Debug, Clone, PartialEq, Eq)]
struct SimulcastStream {
    /// Name of the encoding.
    rid: Rid,
    /// Bound of the pixels of its pictures, when the client says one (RFC 8851 §5).
    pixels_max: Option<u64>,
}

/// Reads the encodings of a section, lowest quality first.
///
/// # Errors
/// There are too many encodings, or an attribute is malformed.
pub(super) fn read_encodings(
    attributes: Attributes<'_>,
) -> Result<Vec<RtpEncodingParameters>, SdpError> {
    let streams = read_simulcast(attributes)?;
    if streams.is_empty() {
        return Ok(vec![read_single(attributes)?]);
    }
    let in_order = lowest_first(streams).into_iter();
    Ok(in_order
        .map(|stream| RtpEncodingParameters {
            rid: Some(stream.rid),
            ..RtpEncodingParameters::default()
        })
        .collect())
}

/// Reads the names of the encodings of a simulcast, in the order of the offer.
///
/// # Errors
/// See [`read_encodings`].
pub(super) fn offered_rids(attributes: Attributes<'_>) -> Result<Vec<Rid>, SdpError> {
    let streams = read_simulcast(attributes)?;
    Ok(streams.into_iter().map(|it| it.rid).collect())
}

/// Reads the names that `a=simulcast:send` lists. Of alternatives for one encoding only the first is used;
/// `~` marks an encoding that starts paused.
fn read_simulcast(attributes: Attributes<'_>) -> Result<Vec<SimulcastStream>, SdpError> {
    let mut streams: Vec<SimulcastStream> = Vec::new();
    let Some(value) = attributes.all("simulcast").next() else {
        return Ok(streams);
    };
    let mut fields = value.split_ascii_whitespace();
    let send = loop {
        match (fields.next(), fields.next()) {
            (Some("send"), Some(list)) => break list,
            (Some(_), Some(_)) => {}
            _ => return Ok(streams),
        }
    };
    for alternatives in send.split(';') {
        let first = alternatives.split(',').next().unwrap_or_default();
        let name = first.trim_start_matches('~');
        let rid = Rid::from(name).ok().filter(|it| !it.is_empty());
        let rid = rid.ok_or(SdpError::Invalid("a=simulcast"))?;
        if streams.iter().any(|it| it.rid == rid) {
            return Err(SdpError::Invalid("a=simulcast"));
        }
        if streams.len() == ENCODINGS_MAX {
            return Err(SdpError::TooMany("encodings"));
        }
        let pixels_max = read_pixels_max(name, attributes)?;
        streams.push(SimulcastStream { rid, pixels_max });
    }
    Ok(streams)
}

/// Reads the bound of the pixels of an encoding from `a=rid`.
fn read_pixels_max(rid: &str, attributes: Attributes<'_>) -> Result<Option<u64>, SdpError> {
    let declared = attributes.all("rid").find_map(|value| {
        let mut fields = value.splitn(3, ' ');
        (fields.next() == Some(rid) && fields.next() == Some("send")).then_some(fields.next())
    });
    let restrictions = declared.ok_or(SdpError::Missing("a=rid of an encoding"))?;
    let limit = |name: &str| {
        let pairs = restrictions.unwrap_or_default().split(';');
        let mut values = pairs.filter_map(|it| it.trim().split_once('='));
        let (_, value) = values.find(|it| it.0 == name)?;
        value.parse::<u32>().ok().map(u64::from)
    };
    let by_sides = limit("max-width").zip(limit("max-height"));
    Ok(limit("max-fs").or(by_sides.map(|(width, height)| width * height)))
}

/// Sorts encodings: by the bounds of their pictures where all have one, else by names whose order is known.
/// Otherwise the first is the best, since senders list them by preference (RFC 8853 §5.2).
fn lowest_first(mut streams: Vec<SimulcastStream>) -> Vec<SimulcastStream> {
    if streams.iter().all(|it| it.pixels_max.is_some()) {
        streams.sort_by_key(|it| it.pixels_max);
        return streams;
    }
    let position = |order: &[&str], rid: &Rid| order.iter().position(|it| *it == rid.as_str());
    let known = KNOWN_ORDERS
        .iter()
        .find(|order| streams.iter().all(|it| position(order, &it.rid).is_some()));
    match known {
        Some(order) => streams.sort_by_key(|it| position(order, &it.rid)),
        None => streams.reverse(),
    }
    streams
}

/// Reads the SSRC of a section without simulcast, and that of its retransmissions.
fn read_single(attributes: Attributes<'_>) -> Result<RtpEncodingParameters, SdpError> {
    let ssrc = match attributes.all("ssrc").next() {
        Some(value) => Some(parse_ssrc(value).ok_or(SdpError::Invalid("a=ssrc"))?),
        None => None,
    };
    let rtx = match attributes
        .all("ssrc-group")
        .find(|it| it.starts_with("FID "))
    {
        Some(group) => {
            let mut members = group.split_ascii_whitespace().skip(1).map(parse_ssrc);
            match (members.next().flatten(), members.next().flatten()) {
                (Some(media), Some(rtx)) => Some((media, RtxParameters { ssrc: rtx })),
                _ => return Err(SdpError::Invalid("a=ssrc-group")),
            }
        }
        None => None,
    };
    Ok(RtpEncodingParameters {
        ssrc: rtx.map(|it| it.0).or(ssrc),
        rtx: rtx.map(|it| it.1),
        ..RtpEncodingParameters::default()
    })
}

/// Reads the number at the start of a text.
fn parse_ssrc(text: &str) -> Option<Ssrc> {
    text.split(' ').next()?.parse().ok().map(Ssrc)
}
