//! Agreement with independent implementations of STUN (`is`) and RTCP (`rtc-rtcp`), in both
//! directions.

use aws_lc_rs::hmac;
use is::stun::{StunMessage as TheirMessage, TransId};
use proptest::collection::vec;
use proptest::prelude::*;
use rtc_rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc;
use watersmeet_wire::rtcp::feedback::FirEntry;
use watersmeet_wire::rtcp::report::{ReportBlock, SenderInfo};
use watersmeet_wire::rtcp::twcc::FeedbackHeader;
use watersmeet_wire::rtcp::write::CompoundWriter;
use watersmeet_wire::rtcp::{Packet, packets};
use watersmeet_wire::stun::{BindingRequest, IceRole, IntegrityKey, StunMessage, write_success};
use watersmeet_wire::units::{Bitrate, SeqNo, Ssrc, Time};

use crate::parser_checks::content;

/// Computes HMAC-SHA1, with the signature that the other STUN implementation takes.
fn sha1_hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 20] {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key);
    let mut context = hmac::Context::with_key(&key);
    parts.iter().for_each(|part| context.update(part));
    context.sign().as_ref().try_into().unwrap_or_default()
}

/// Returns the contents of all packets of a datagram as this crate reads them.
fn contents(datagram: &[u8]) -> Vec<Vec<i64>> {
    packets(datagram)
        .map(|packet| packet.map_or(Vec::new(), |packet| content(&packet)))
        .collect()
}

/// Returns the datagram after the other RTCP implementation parsed and wrote it.
fn rewritten_by_rtc_rtcp(datagram: &[u8]) -> Option<Vec<u8>> {
    let packets = rtc_rtcp::packet::unmarshal(&mut &*datagram).ok()?;
    Some(rtc_rtcp::packet::marshal(&packets).ok()?.to_vec())
}

fn block(word: u32) -> ReportBlock {
    ReportBlock {
        ssrc: Ssrc(word),
        fraction_lost: word.to_be_bytes()[0],
        // `rtc-rtcp` reads these 24 bits without a sign.
        cumulative_lost: 0x0012_3456,
        highest_seq: word.rotate_left(3),
        jitter: word.rotate_left(7),
        last_sr: word.rotate_left(11),
        delay_since_last_sr: word.rotate_left(17),
    }
}

proptest! {
    #[test]
    fn rtcp_packets_agree_with_rtc_rtcp(
        words in vec(any::<u32>(), 1..20),
        seqs in any::<u16>(),
        rate in 0..1_u64 << 40,
    ) {
        let local = Ssrc(words[0]);
        let ssrcs: Vec<Ssrc> = words.iter().copied().map(Ssrc).collect();
        let blocks: Vec<ReportBlock> = words.iter().copied().map(block).collect();
        let seqs: Vec<u16> = words
            .iter()
            .scan(seqs, |seq, word| {
                *seq = seq.wrapping_add(1 + u16::from(word.to_be_bytes()[3] & 31));
                Some(*seq)
            })
            .collect();
        let entries: Vec<FirEntry> =
            ssrcs.iter().map(|ssrc| FirEntry { ssrc: *ssrc, seq: 7 }).collect();
        let info = SenderInfo {
            ssrc: local,
            ntp: u64::from(words[0]) << 17,
            rtp_timestamp: 1,
            packet_count: 2,
            octet_count: 3,
        };
        let mut out = Vec::new();
        let mut writer = CompoundWriter::with_len_max(&mut out, 4_000);
        prop_assert!(writer.write_sender_report(&info, &blocks));
        prop_assert!(writer.write_receiver_report(local, &blocks));
        prop_assert!(writer.write_cname(local, "a canonical name"));
        prop_assert_eq!(writer.write_nack(local, ssrcs[0], &seqs), seqs.len());
        prop_assert!(writer.write_pli(local, ssrcs[0]));
        prop_assert!(writer.write_fir(local, &entries));
        prop_assert!(writer.write_remb(local, Bitrate::from_bps(rate), &ssrcs));
        prop_assert!(writer.write_receiver_reference_time(local, u64::from(words[0]) << 9));
        prop_assert!(writer.write_bye(&ssrcs));
        let theirs = rewritten_by_rtc_rtcp(&out);
        prop_assert_eq!(contents(&theirs.unwrap()), contents(&out));
    }

    #[test]
    fn transport_feedback_agrees_with_rtc_rtcp(
        steps in vec((1..30_u64, -2_000..90_000_i64), 1..120),
        base in any::<u16>(),
    ) {
        let base = SeqNo::first(base);
        let mut at = 10_000_000;
        let mut seq = base.0;
        let arrivals: Vec<(SeqNo, Time)> = steps
            .iter()
            .map(|(gap, step)| {
                // Most packets are consecutive.
                seq += gap.saturating_sub(20).max(1);
                at += step;
                (SeqNo(seq), Time::from_micros(at.unsigned_abs()))
            })
            .collect();
        let mut out = Vec::new();
        let head = FeedbackHeader { sender: Ssrc(1), media: Ssrc(2), base, feedback_count: 9 };
        let written = CompoundWriter::new(&mut out).write_transport_feedback(&head, &arrivals);
        prop_assert_eq!(written.map(|written| written.arrivals), Some(arrivals.len()));

        let theirs = rtc_rtcp::packet::unmarshal(&mut &*out);
        let theirs = theirs.unwrap();
        let feedback = theirs[0].as_any().downcast_ref::<TransportLayerCc>();
        let feedback = feedback.unwrap();
        let mut at = i64::from(feedback.reference_time) * 64_000;
        let reported: Vec<i64> = feedback
            .recv_deltas
            .iter()
            .map(|delta| {
                at += delta.delta;
                at
            })
            .collect();
        let expected: Vec<i64> =
            arrivals.iter().map(|(_, at)| at.as_micros().cast_signed() / 250 * 250).collect();
        prop_assert_eq!(reported, expected);
        prop_assert_eq!(feedback.base_sequence_number, base.raw());
        prop_assert_eq!(u64::from(feedback.packet_status_count), seq - base.0 + 1);
        let again = rtc_rtcp::packet::marshal(&theirs).map(|bytes| bytes.to_vec());
        let again = again.unwrap();
        prop_assert!(matches!(packets(&again).next(), Some(Ok(Packet::TransportFeedback(_)))));
        prop_assert_eq!(contents(&again), contents(&out));
    }

    #[test]
    fn connectivity_checks_agree_with_is(
        priority in any::<u32>(),
        tie_breaker in any::<u64>(),
        controls in any::<bool>(),
        use_candidate in any::<bool>(),
        username in "[a-z0-9]{4,16}:[a-z0-9]{4,16}",
        password in "[a-zA-Z0-9]{22,32}",
    ) {
        let key = IntegrityKey::from_password(&password);
        let role = if controls {
            IceRole::Controlling(tie_breaker)
        } else {
            IceRole::Controlled(tie_breaker)
        };
        let request = BindingRequest {
            transaction_id: [7; 12],
            username: &username,
            priority,
            role,
            use_candidate,
            nomination: None,
            network_info: None,
        };
        let mut out = [0; 256];
        let len = request.write(&mut out, &key).unwrap();
        let theirs = TheirMessage::parse(&out[..len]);
        let theirs = theirs.unwrap();
        prop_assert!(theirs.is_binding_request());
        prop_assert!(theirs.verify(password.as_bytes(), sha1_hmac));
        prop_assert_eq!(theirs.username(), Some(username.as_str()));
        prop_assert_eq!(theirs.prio(), Some(priority));
        prop_assert_eq!(theirs.use_candidate(), use_candidate);
        let roles = (theirs.ice_controlling(), theirs.ice_controlled());
        let expected = if controls { (Some(tie_breaker), None) } else { (None, Some(tie_breaker)) };
        prop_assert_eq!(roles, expected);

        let theirs = TheirMessage::binding_request(
            &username, TransId::new(), controls, tie_breaker, priority, use_candidate,
        );
        let mut out = [0; 256];
        let len = theirs.to_bytes(Some(password.as_bytes()), &mut out, sha1_hmac).unwrap();
        let ours = StunMessage::parse(&out[..len]);
        let ours = ours.unwrap();
        prop_assert!(ours.verify(&key) && ours.has_fingerprint);
        prop_assert_eq!(ours.username, Some(username.as_str()));
        prop_assert_eq!((ours.priority, ours.role), (Some(priority), Some(role)));
        prop_assert_eq!(ours.use_candidate, use_candidate);
    }
}

#[test]
fn success_responses_are_accepted_by_is() {
    let key = IntegrityKey::from_password("password");
    for mapped in ["192.0.2.1:5000", "[2001:db8::1]:65535"]
        .map(str::parse)
        .into_iter()
        .flatten()
    {
        let mut out = [0; 80];
        let len = write_success(&mut out, &[9; 12], mapped, &key).unwrap();
        let theirs = TheirMessage::parse(&out[..len]);
        assert!(
            theirs.is_ok_and(|theirs| theirs.is_successful_binding_response()
                && theirs.verify(b"password", sha1_hmac)
                && theirs.mapped_address() == Some(mapped))
        );
    }
}
