//! Round trips: written packets, headers and extension values read back equal.

use std::net::SocketAddr;

use proptest::collection::vec;
use proptest::prelude::*;
use watersmeet_wire::rtcp::extended_report::DlrrEntry;
use watersmeet_wire::rtcp::feedback::FirEntry;
use watersmeet_wire::rtcp::report::{ReportBlock, SenderInfo};
use watersmeet_wire::rtcp::write::CompoundWriter;
use watersmeet_wire::rtcp::{Packet, packets};
use watersmeet_wire::rtp::extension::{
    AbsCaptureTime, AbsSendTime, AudioLevel, PlayoutDelay, VideoOrientation, parse_sdes_item,
};
use watersmeet_wire::rtp::{ExtensionForm, RtpHeader, RtpHeaderFields, write_header};
use watersmeet_wire::stun::{
    BindingRequest, Class, IceRole, IntegrityKey, StunMessage, write_success,
};
use watersmeet_wire::units::{Bitrate, Pt, Ssrc};

use crate::parser_checks::{self, content};

/// RTCP packet to write.
#[derive(Debug, Clone)]
enum Written {
    SenderReport(SenderInfo, Vec<ReportBlock>),
    ReceiverReport(Ssrc, Vec<ReportBlock>),
    Cname(Ssrc, String),
    Bye(Vec<Ssrc>),
    Nack(Ssrc, Vec<u16>),
    Pli(Ssrc, Ssrc),
    Fir(Ssrc, Vec<FirEntry>),
    Remb(Ssrc, Bitrate, Vec<Ssrc>),
    ReceiverReferenceTime(Ssrc, u64),
    Dlrr(Ssrc, Vec<DlrrEntry>),
}

impl Written {
    /// Writes the packet; returns whether all of it was written.
    fn write(&self, writer: &mut CompoundWriter<'_>) -> bool {
        match self {
            Self::SenderReport(info, blocks) => writer.write_sender_report(info, blocks),
            Self::ReceiverReport(ssrc, blocks) => writer.write_receiver_report(*ssrc, blocks),
            Self::Cname(ssrc, name) => writer.write_cname(*ssrc, name),
            Self::Bye(ssrcs) => writer.write_bye(ssrcs),
            Self::Nack(media, seqs) => writer.write_nack(Ssrc(1), *media, seqs) == seqs.len(),
            Self::Pli(sender, media) => writer.write_pli(*sender, *media),
            Self::Fir(sender, entries) => writer.write_fir(*sender, entries),
            Self::Remb(sender, bitrate, ssrcs) => writer.write_remb(*sender, *bitrate, ssrcs),
            Self::ReceiverReferenceTime(ssrc, ntp) => {
                writer.write_receiver_reference_time(*ssrc, *ntp)
            }
            Self::Dlrr(ssrc, delays) => writer.write_dlrr(*ssrc, delays),
        }
    }

    /// Returns whether the parsed `packet` has the same contents.
    fn equals(&self, packet: &Packet<'_>) -> bool {
        match (self, packet) {
            (Self::SenderReport(info, blocks), Packet::SenderReport(found)) => {
                found.info == *info && found.blocks().eq(blocks.iter().copied())
            }
            (Self::ReceiverReport(ssrc, blocks), Packet::ReceiverReport(found)) => {
                found.ssrc == *ssrc && found.blocks().eq(blocks.iter().copied())
            }
            (Self::Cname(ssrc, name), Packet::SourceDescription(found)) => {
                found.cnames().eq([(*ssrc, name.as_bytes())])
            }
            (Self::Bye(ssrcs), Packet::Bye(found)) => found.ssrcs().eq(ssrcs.iter().copied()),
            (Self::Nack(media, seqs), Packet::Nack(found)) => {
                found.media == *media && found.seqs().eq(seqs.iter().copied())
            }
            (Self::Pli(sender, media), Packet::Pli(found)) => {
                (found.sender, found.media) == (*sender, *media)
            }
            (Self::Fir(sender, entries), Packet::Fir(found)) => {
                found.sender == *sender && found.entries().eq(entries.iter().copied())
            }
            (Self::Remb(sender, bitrate, ssrcs), Packet::Remb(found)) => {
                // Eighteen significant bits: the error is below 1 in 131,072.
                let (written, read) = (bitrate.as_bps(), found.bitrate.as_bps());
                found.sender == *sender
                    && read <= written
                    && written - read <= written >> 17
                    && found.ssrcs().eq(ssrcs.iter().copied())
            }
            (Self::ReceiverReferenceTime(..) | Self::Dlrr(..), Packet::ExtendedReport(_)) => {
                let expected = match self {
                    Self::ReceiverReferenceTime(ssrc, ntp) => {
                        vec![i64::from(ssrc.0), 4, ntp.cast_signed()]
                    }
                    Self::Dlrr(ssrc, delays) => {
                        let words = delays
                            .iter()
                            .flat_map(|d| [d.ssrc.0, d.last_rr, d.delay_since_last_rr]);
                        std::iter::once(ssrc.0)
                            .chain(words)
                            .map(i64::from)
                            .collect()
                    }
                    _ => Vec::new(),
                };
                content(packet) == expected
            }
            _ => false,
        }
    }
}

fn ssrc() -> impl Strategy<Value = Ssrc> {
    any::<u32>().prop_map(Ssrc)
}

fn block() -> impl Strategy<Value = ReportBlock> {
    let lost = -0x80_0000..0x80_0000_i32;
    (ssrc(), any::<u8>(), lost, any::<[u32; 4]>()).prop_map(|(ssrc, fraction, lost, words)| {
        let [highest_seq, jitter, last_sr, delay_since_last_sr] = words;
        ReportBlock {
            ssrc,
            fraction_lost: fraction,
            cumulative_lost: lost,
            highest_seq,
            jitter,
            last_sr,
            delay_since_last_sr,
        }
    })
}

fn sender_info() -> impl Strategy<Value = SenderInfo> {
    (ssrc(), any::<u64>(), any::<[u32; 3]>()).prop_map(|(ssrc, ntp, words)| {
        let [rtp_timestamp, packet_count, octet_count] = words;
        SenderInfo {
            ssrc,
            ntp,
            rtp_timestamp,
            packet_count,
            octet_count,
        }
    })
}

/// Generates ascending sequence numbers with any start.
fn ascending() -> impl Strategy<Value = Vec<u16>> {
    (any::<u16>(), vec(1..40_u16, 1..50)).prop_map(|(start, steps)| {
        let next = |seq: &mut u16, step| {
            *seq = seq.wrapping_add(step);
            Some(*seq)
        };
        steps.into_iter().scan(start, next).collect()
    })
}

fn written() -> impl Strategy<Value = Written> {
    let delay = (ssrc(), any::<u32>(), any::<u32>()).prop_map(|(ssrc, last_rr, delay)| DlrrEntry {
        ssrc,
        last_rr,
        delay_since_last_rr: delay,
    });
    let entry = (ssrc(), any::<u8>()).prop_map(|(ssrc, seq)| FirEntry { ssrc, seq });
    prop_oneof![
        (sender_info(), vec(block(), 0..32)).prop_map(|(i, b)| Written::SenderReport(i, b)),
        (ssrc(), vec(block(), 0..32)).prop_map(|(s, b)| Written::ReceiverReport(s, b)),
        (ssrc(), "[ -~]{0,255}").prop_map(|(s, name)| Written::Cname(s, name)),
        vec(ssrc(), 0..32).prop_map(Written::Bye),
        (ssrc(), ascending()).prop_map(|(s, seqs)| Written::Nack(s, seqs)),
        (ssrc(), ssrc()).prop_map(|(a, b)| Written::Pli(a, b)),
        (ssrc(), vec(entry, 1..10)).prop_map(|(s, e)| Written::Fir(s, e)),
        (ssrc(), any::<u64>(), vec(ssrc(), 0..20)).prop_map(|(s, rate, list)| Written::Remb(
            s,
            Bitrate::from_bps(rate),
            list
        )),
        (ssrc(), any::<u64>()).prop_map(|(s, ntp)| Written::ReceiverReferenceTime(s, ntp)),
        // A DLRR block needs at least one entry to be read as a block.
        (ssrc(), vec(delay, 1..10)).prop_map(|(s, d)| Written::Dlrr(s, d)),
    ]
}

fn role() -> impl Strategy<Value = IceRole> {
    (any::<bool>(), any::<u64>()).prop_map(|(controls, tie_breaker)| {
        if controls {
            IceRole::Controlling(tie_breaker)
        } else {
            IceRole::Controlled(tie_breaker)
        }
    })
}

proptest! {
    #[test]
    fn rtp_header_reads_back(
        (marker, padding, pt, seq, timestamp, ssrc) in
            (any::<bool>(), any::<bool>(), 0..128_u8, any::<u16>(), any::<u32>(), ssrc()),
        extensions in vec((1..=255_u8, vec(any::<u8>(), 0..40)), 0..12),
        payload in vec(any::<u8>(), 0..60),
    ) {
        let elements: Vec<(u8, &[u8])> =
            extensions.iter().map(|(id, value)| (*id, value.as_slice())).collect();
        let fields = RtpHeaderFields { marker, padding, pt: Pt(pt), seq, timestamp, ssrc };
        let mut out = [0xff; 1_500];
        let len = write_header(&mut out, &fields, &elements);
        let len = len.unwrap();
        let packet = [&out[..len], &payload].concat();
        let header = RtpHeader::parse(&packet);
        let header = header.unwrap();
        prop_assert_eq!((header.marker, header.has_padding), (marker, padding));
        prop_assert_eq!((header.pt, header.seq), (Pt(pt), seq));
        prop_assert_eq!((header.timestamp, header.ssrc), (timestamp, ssrc));
        prop_assert_eq!(header.header_len, len);
        prop_assert!(header.extensions(&packet).eq(elements.iter().copied()));
        let small = elements.iter().all(|(id, v)| *id < 15 && (1..=16).contains(&v.len()));
        let form = match (elements.is_empty(), small) {
            (true, _) => ExtensionForm::None,
            (false, true) => ExtensionForm::OneByte,
            (false, false) => ExtensionForm::TwoByte,
        };
        prop_assert_eq!(header.extension_form, form);
        if !padding {
            prop_assert_eq!(header.payload(&packet), Ok(payload.as_slice()));
        }
    }

    #[test]
    fn extension_values_read_back(
        micros in any::<u64>(),
        (level, voice) in (0..128_u8, any::<bool>()),
        (back_camera, flip, quarter_turns) in (any::<bool>(), any::<bool>(), 0..4_u8),
        (low, high) in (0..4_096_u16, 0..4_096_u16),
        (capture_ntp, clock_offset) in (any::<u64>(), any::<Option<i64>>()),
        name in "[!-~]{1,16}",
    ) {
        let time = AbsSendTime::from_micros(micros);
        prop_assert_eq!(AbsSendTime::parse(&time.write()), Some(time));
        let error = i128::from(time.as_micros()) - i128::from(micros % AbsSendTime::WRAP_MICROS);
        prop_assert!(error.rem_euclid(64_000_000) <= 3 || error.rem_euclid(64_000_000) >= 63_999_997);
        let audio_level = AudioLevel { level, voice };
        prop_assert_eq!(AudioLevel::parse(&audio_level.write()), Some(audio_level));
        let orientation = VideoOrientation { back_camera, flip, quarter_turns };
        prop_assert_eq!(VideoOrientation::parse(&orientation.write()), Some(orientation));
        let delay = PlayoutDelay { min_ms: low.min(high) * 10, max_ms: low.max(high) * 10 };
        prop_assert_eq!(PlayoutDelay::parse(&delay.write()), Some(delay));
        let capture = AbsCaptureTime { capture_ntp, clock_offset };
        prop_assert_eq!(AbsCaptureTime::parse(&capture.write()), Some(capture));
        let found = parse_sdes_item::<16>(name.as_bytes());
        prop_assert_eq!(found.as_deref(), Some(name.as_str()));
    }

    #[test]
    fn connectivity_check_reads_back_and_verifies_with_its_password_only(
        transaction_id in any::<[u8; 12]>(),
        username in "[a-zA-Z0-9+/]{4,32}:[a-zA-Z0-9+/]{4,32}",
        (priority, role, use_candidate) in (any::<u32>(), role(), any::<bool>()),
        (nomination, network_info) in any::<(Option<u32>, Option<u32>)>(),
        (password, other) in ("[a-zA-Z0-9+/]{22,64}", "[a-zA-Z0-9+/]{22,64}"),
    ) {
        let key = IntegrityKey::from_password(&password);
        let request = BindingRequest {
            transaction_id, username: &username, priority, role, use_candidate, nomination, network_info,
        };
        let mut out = [0xff; 256];
        let len = request.write(&mut out, &key).unwrap();
        let message = StunMessage::parse(&out[..len]);
        let message = message.unwrap();
        prop_assert_eq!((message.class, message.transaction_id), (Class::Request, transaction_id));
        prop_assert_eq!(message.username, Some(username.as_str()));
        prop_assert_eq!((message.priority, message.role), (Some(priority), Some(role)));
        prop_assert_eq!(message.use_candidate, use_candidate);
        prop_assert_eq!(message.nomination, nomination);
        prop_assert_eq!(message.has_network_info, network_info.is_some());
        prop_assert!(message.has_fingerprint && message.unknown_attributes.is_empty());
        prop_assert!(message.verify(&key));
        prop_assert_eq!(message.verify(&IntegrityKey::from_password(&other)), other == password);
    }

    #[test]
    fn success_response_holds_the_source_address(
        transaction_id in any::<[u8; 12]>(),
        mapped in any::<SocketAddr>(),
    ) {
        let key = IntegrityKey::from_password("password");
        let mut out = [0xff; 80];
        let len = write_success(&mut out, &transaction_id, mapped, &key).unwrap();
        let message = StunMessage::parse(&out[..len]);
        let found = message.ok().and_then(|message| message.mapped_address);
        prop_assert_eq!(found.map(|a| (a.ip(), a.port())), Some((mapped.ip(), mapped.port())));
    }

    #[test]
    fn datagram_holds_exactly_the_rtcp_packets_that_fitted(
        list in vec(written(), 1..12),
        len_max in 0..2_000_usize,
    ) {
        let mut out = Vec::new();
        let mut writer = CompoundWriter::with_len_max(&mut out, len_max);
        let mut fitted = Vec::new();
        for packet in &list {
            let before = writer.len();
            if packet.write(&mut writer) {
                fitted.push(packet);
            } else if writer.len() != before {
                prop_assert!(matches!(packet, Written::Nack(..)), "only a NACK is written partially");
                break;
            }
        }
        prop_assert!(out.len() <= len_max);
        let found: Vec<_> = packets(&out).collect();
        prop_assert!(found.len() == fitted.len() || found.len() == fitted.len() + 1);
        for (written, read) in fitted.iter().zip(&found) {
            prop_assert!(read.as_ref().is_ok_and(|read| written.equals(read)), "{written:?}");
        }
    }

    #[test]
    fn arbitrary_bytes_pass_all_parser_checks(bytes in vec(any::<u8>(), 0..300)) {
        parser_checks::stun(&bytes);
        parser_checks::rtp(&bytes);
        parser_checks::rtcp(&bytes);
        parser_checks::twcc(&bytes);
        parser_checks::client_hello(&bytes);
    }
}
