//! Answers of the server (RFC 3264 §6, RFC 9429 §5.3).

use std::fmt::Write as _;

use super::offer::{Offer, OfferedMedia};
use crate::params::{
    DtlsParameters, DtlsRole, IceCandidate, IceParameters, IceProtocol, ParameterValue,
    RtpCodecParameters, RtpParameters,
};
use crate::units::Rid;

/// Parameters of the answer to an offer.
#[derive(Debug)]
pub struct Answer<'a> {
    /// The offer.
    pub offer: &'a Offer,
    /// Credentials of the server.
    pub ice: &'a IceParameters,
    /// Addresses of the server.
    pub candidates: &'a [IceCandidate],
    /// Fingerprints of the server's certificate.
    pub dtls: &'a DtlsParameters,
    /// Accepted media of each section of the offer, in their order.
    pub media: &'a [AcceptedMedia],
}

/// Accepted media of a section.
#[derive(Debug, Clone, PartialEq)]
pub enum AcceptedMedia {
    /// The client sends with these parameters.
    Receive(Box<RtpParameters>),
    /// Nothing is sent in either direction.
    Rejected,
}

impl Answer<'_> {
    /// Writes the answer.
    pub fn write(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        text.push_str("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\n");
        text.push_str("s=-\r\nt=0 0\r\na=ice-lite\r\na=group:BUNDLE");
        let sections = self.offer.media.iter().zip(self.media);
        for (offered, accepted) in sections.clone() {
            if matches!(accepted, AcceptedMedia::Receive(_)) {
                let _ = write!(text, " {}", offered.mid);
            }
        }
        text.push_str("\r\n");
        let mut is_first = true;
        for (offered, accepted) in sections {
            match accepted {
                AcceptedMedia::Rejected => write_rejected(&mut text, offered),
                AcceptedMedia::Receive(parameters) => {
                    self.write_received(&mut text, offered, parameters, is_first);
                    is_first = false;
                }
            }
        }
        text
    }

    /// Writes a section whose media the server receives. Candidates are in the first one only (RFC 9143 §7.3).
    fn write_received(
        &self,
        text: &mut String,
        offered: &OfferedMedia,
        parameters: &RtpParameters,
        is_first: bool,
    ) {
        let (media, protocol, _) = &offered.line;
        let _ = write!(text, "m={media} 9 {protocol}");
        for codec in &parameters.codecs {
            let _ = write!(text, " {}", codec.payload_type.0);
        }
        text.push_str("\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n");
        let _ = write!(text, "a=mid:{}\r\n", offered.mid);
        let _ = write!(text, "a=ice-ufrag:{}\r\n", self.ice.username_fragment);
        let _ = write!(text, "a=ice-pwd:{}\r\n", self.ice.password);
        for fingerprint in &self.dtls.fingerprints {
            let (algorithm, value) = (&fingerprint.algorithm, &fingerprint.value);
            let _ = write!(text, "a=fingerprint:{algorithm} {value}\r\n");
        }
        let setup = match self.offer.dtls.role {
            DtlsRole::Server => "active",
            DtlsRole::Client | DtlsRole::Auto => "passive",
        };
        let _ = write!(text, "a=setup:{setup}\r\na=recvonly\r\na=rtcp-mux\r\n");
        if offered.has_reduced_size_rtcp {
            text.push_str("a=rtcp-rsize\r\n");
        }
        for extension in &parameters.header_extensions {
            let _ = write!(text, "a=extmap:{} {}\r\n", extension.id, extension.uri);
        }
        for codec in &parameters.codecs {
            write_codec(text, codec);
        }
        write_simulcast(text, &offered.simulcast);
        if is_first {
            for candidate in self.candidates {
                write_candidate(text, candidate);
            }
            text.push_str("a=end-of-candidates\r\n");
        }
    }
}

/// Writes a section that is rejected (RFC 3264 §6).
fn write_rejected(text: &mut String, offered: &OfferedMedia) {
    let (media, protocol, formats) = &offered.line;
    let _ = write!(
        text,
        "m={media} 0 {protocol} {formats}\r\nc=IN IP4 0.0.0.0\r\n"
    );
    let _ = write!(text, "a=mid:{}\r\na=inactive\r\n", offered.mid);
}

/// Writes a codec with its parameters and feedback.
fn write_codec(text: &mut String, codec: &RtpCodecParameters) {
    let (payload_type, clock_rate) = (codec.payload_type.0, codec.clock_rate);
    let name = codec.mime_type.split_once('/').map_or("", |it| it.1);
    let _ = write!(text, "a=rtpmap:{payload_type} {name}/{clock_rate}");
    if let Some(channels) = codec.channels.filter(|it| *it > 1) {
        let _ = write!(text, "/{channels}");
    }
    text.push_str("\r\n");
    for (at, (name, value)) in codec.parameters.iter().enumerate() {
        match at {
            0 => drop(write!(text, "a=fmtp:{payload_type} ")),
            _ => text.push(';'),
        }
        if !name.is_empty() {
            let _ = write!(text, "{name}=");
        }
        let _ = match value {
            ParameterValue::Number(number) => write!(text, "{number}"),
            ParameterValue::Text(value) => write!(text, "{value}"),
        };
    }
    if !codec.parameters.is_empty() {
        text.push_str("\r\n");
    }
    for feedback in &codec.rtcp_feedback {
        let _ = write!(text, "a=rtcp-fb:{payload_type} {}", feedback.kind);
        if !feedback.parameter.is_empty() {
            let _ = write!(text, " {}", feedback.parameter);
        }
        text.push_str("\r\n");
    }
}

/// Writes the encodings of a simulcast, all of which are received (RFC 8853 §5.3.2).
fn write_simulcast(text: &mut String, rids: &[Rid]) {
    if rids.is_empty() {
        return;
    }
    for rid in rids {
        let _ = write!(text, "a=rid:{rid} recv\r\n");
    }
    let names: Vec<_> = rids.iter().map(Rid::as_str).collect();
    let _ = write!(text, "a=simulcast:recv {}\r\n", names.join(";"));
}

/// Writes a candidate (RFC 8839 §5.1, RFC 6544 §4.5).
pub(super) fn write_candidate(text: &mut String, candidate: &IceCandidate) {
    let (protocol, suffix) = match candidate.protocol {
        IceProtocol::Udp => ("udp", ""),
        IceProtocol::Tcp => ("tcp", " tcptype passive"),
    };
    let IceCandidate {
        foundation,
        priority,
        address,
        port,
        ..
    } = candidate;
    let _ = write!(
        text,
        "a=candidate:{foundation} 1 {protocol} {priority} {address} {port} typ host{suffix}\r\n"
    );
}
