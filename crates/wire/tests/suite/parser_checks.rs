//! Checks that hold for any input: parsing reads everything without a panic, and whatever was
//! parsed reads back equal after it is written again. Shared by the fuzz targets and the tests of
//! this crate.

use std::hint::black_box;

use watersmeet_wire::client_hello::{
    ClientHello, HELLO_LEN_MAX, HelloFragment, HelloReassembly, hello_before_retry,
};
use watersmeet_wire::codec::red::{self, EarlierPayload, RedPayload};
use watersmeet_wire::rtcp::congestion_feedback::{PacketArrival, StreamArrivals};
use watersmeet_wire::rtcp::extended_report::{DlrrEntry, ExtendedReportBlock};
use watersmeet_wire::rtcp::feedback::FirEntry;
use watersmeet_wire::rtcp::twcc::{
    FeedbackHeader, LEADING_LOST_MAX, TransportFeedback, WRAP_MICROS,
};
use watersmeet_wire::rtcp::write::CompoundWriter;
use watersmeet_wire::rtcp::{Packet, packets};
use watersmeet_wire::rtp::dependency_descriptor::{
    DependencyDescriptor, DependencyReader, DependencyStructure, GROWTH_MAX, Indication,
};
use watersmeet_wire::rtp::edit::{remove_extension, set_extension};
use watersmeet_wire::rtp::{
    ExtensionForm, RtpHeader, RtpHeaderFields, split_osn, write_header, write_osn,
};
use watersmeet_wire::stun::{
    BindingRequest, Class, ErrorCode, IntegrityKey, StunMessage, write_error, write_success,
};
use watersmeet_wire::units::{Pt, SeqNo, Ssrc, Time};

/// Length of a datagram that any list of RTCP packets fits, in bytes.
const ANY_LEN: usize = 1 << 18;

/// Parses a STUN message and all of its attributes.
pub fn read_stun(bytes: &[u8], key: &IntegrityKey) {
    if let Ok(message) = StunMessage::parse(bytes) {
        black_box((
            message.ufrags(),
            message.verify(key),
            message.mapped_address,
        ));
        black_box((message.error_code, message.unknown_attributes.len()));
    }
}

/// Parses an RTP packet with all of its extensions.
pub fn read_rtp(bytes: &[u8]) {
    if let Ok(header) = RtpHeader::parse(bytes) {
        assert!(header.header_len <= bytes.len());
        assert!(header.extensions(bytes).count() <= bytes.len());
        if let Ok(payload) = header.payload(bytes) {
            assert!(header.header_len + payload.len() <= bytes.len());
            black_box(split_osn(payload));
        }
    }
}

/// Parses RTCP packets and all of their contents.
pub fn read_rtcp(bytes: &[u8]) {
    for packet in packets(bytes).flatten() {
        black_box(match &packet {
            Packet::SenderReport(report) => report.blocks().count(),
            Packet::ReceiverReport(report) => report.blocks().count(),
            Packet::SourceDescription(names) => names.items().count() + names.cnames().count(),
            Packet::Bye(bye) => bye.ssrcs().count(),
            Packet::Nack(nack) => nack.seqs().count(),
            Packet::TransportFeedback(feedback) => feedback.packets().count(),
            Packet::Pli(_) => 0,
            Packet::Fir(fir) => fir.entries().count(),
            Packet::Remb(remb) => remb.ssrcs().count(),
            Packet::ExtendedReport(report) => report.blocks().count(),
            Packet::CongestionFeedback(feedback) => {
                feedback.streams().flat_map(|it| it.packets()).count()
            }
        });
    }
}

/// Checks that a STUN message reads back equal after it is written again. Repeats the check with a
/// corrected header, so that arbitrary bytes get past it.
pub fn stun(bytes: &[u8]) {
    let key = IntegrityKey::from_password("a password of some length");
    rewrite_stun(bytes, &key);
    let mut corrected = bytes.to_vec();
    corrected.truncate(corrected.len() & !3);
    let Some(len) = corrected
        .len()
        .checked_sub(20)
        .and_then(|len| u16::try_from(len).ok())
    else {
        return;
    };
    for (field, byte) in corrected.iter_mut().skip(2).zip(
        len.to_be_bytes()
            .into_iter()
            .chain([0x21, 0x12, 0xa4, 0x42]),
    ) {
        *field = byte;
    }
    rewrite_stun(&corrected, &key);
}

fn rewrite_stun(bytes: &[u8], key: &IntegrityKey) {
    read_stun(bytes, key);
    let Ok(message) = StunMessage::parse(bytes) else {
        return;
    };
    let mut out = [0; 1_024];
    if let (Class::Success, Some(mapped)) = (message.class, message.mapped_address) {
        let len = write_success(&mut out, &message.transaction_id, mapped, key).unwrap_or(0);
        let again = StunMessage::parse(out.get(..len).unwrap_or_default());
        assert!(again.is_ok_and(|again| again.verify(key)
            && again.mapped_address.map(|a| (a.ip(), a.port()))
                == Some((mapped.ip(), mapped.port()))));
    }
    if !message.unknown_attributes.is_empty() {
        let code = ErrorCode::UnknownAttribute;
        let id = &message.transaction_id;
        let len =
            write_error(&mut out, id, code, &message.unknown_attributes, Some(key)).unwrap_or(0);
        let again = StunMessage::parse(out.get(..len).unwrap_or_default());
        assert!(again.is_ok_and(|again| again.verify(key) && again.error_code == Some(420)));
    }
    let (Some(username), Some(role)) = (message.username, message.role) else {
        return;
    };
    let request = BindingRequest {
        transaction_id: message.transaction_id,
        username,
        priority: message.priority.unwrap_or(1),
        role,
        use_candidate: message.use_candidate,
        nomination: message.nomination,
        network_info: None,
    };
    let Some(len) = request.write(&mut out, key) else {
        assert!(username.len() > 800, "only a long user name does not fit");
        return;
    };
    let again = StunMessage::parse(out.get(..len).unwrap_or_default());
    assert!(again.is_ok_and(|again| again.class == Class::Request
        && again.has_fingerprint
        && again.verify(key)
        && again.transaction_id == message.transaction_id
        && again.username == message.username
        && again.priority == Some(request.priority)
        && again.role == message.role
        && again.use_candidate == message.use_candidate
        && again.nomination == message.nomination));
}

/// Checks that an RTP header reads back equal after it is written again, and that editing one
/// extension element changes only that element.
pub fn rtp(bytes: &[u8]) {
    read_rtp(bytes);
    let Ok(header) = RtpHeader::parse(bytes) else {
        return;
    };
    let elements: Vec<(u8, &[u8])> = header.extensions(bytes).collect();
    let fields = RtpHeaderFields {
        marker: header.marker,
        padding: header.has_padding,
        pt: header.pt,
        seq: header.seq,
        timestamp: header.timestamp,
        ssrc: header.ssrc,
    };
    let mut out = vec![0; 2 * bytes.len() + 64];
    let written = write_header(&mut out, &fields, &elements);
    assert!(written.is_some());
    out.truncate(written.unwrap_or(0));
    let again = RtpHeader::parse(&out);
    assert!(again.is_ok_and(|again| {
        again.header_len == out.len()
            && again.marker == header.marker
            && again.has_padding == header.has_padding
            && (again.pt, again.seq, again.timestamp, again.ssrc)
                == (header.pt, header.seq, header.timestamp, header.ssrc)
            && again.extensions(&out).eq(elements.iter().copied())
    }));
    if let Some((&id, value)) = bytes.split_last() {
        edit(
            bytes,
            &header,
            id,
            value.get(..usize::from(id) % 24).unwrap_or(value),
        );
    }
    if let Some(osn) = write_osn(&mut out, header.seq) {
        assert_eq!(
            split_osn(&out).map(|(seq, rest)| (seq, rest.len() + osn)),
            Some((header.seq, out.len()))
        );
    }
}

fn edit(bytes: &[u8], header: &RtpHeader, id: u8, value: &[u8]) {
    let others = |packet: &[u8], header: &RtpHeader| {
        let kept = header.extensions(packet).filter(|(found, _)| *found != id);
        kept.map(|(found, value)| (found, value.to_vec()))
            .collect::<Vec<_>>()
    };
    let before = others(bytes, header);
    let after_header = bytes.get(header.header_len..);
    let mut packet = bytes.to_vec();
    match set_extension(&mut packet, id, value) {
        Ok(edited) => {
            assert_eq!(edited.extension(&packet, id), Some(value));
            assert_eq!(others(&packet, &edited), before);
            assert_eq!(packet.get(edited.header_len..), after_header);
            assert_eq!(
                (edited.seq, edited.pt, edited.ssrc),
                (header.seq, header.pt, header.ssrc)
            );
        }
        Err(_) => assert_eq!(packet, bytes),
    }
    match remove_extension(&mut packet, id) {
        Ok(edited) => {
            assert_eq!(edited.extension(&packet, id), None);
            assert_eq!(others(&packet, &edited), before);
            assert_eq!(packet.get(edited.header_len..), after_header);
        }
        Err(_) => assert!(
            matches!(header.extension_form, ExtensionForm::Other(_))
                || before.len() > 32
                || before
                    .iter()
                    .map(|(_, value)| value.len() + 2)
                    .sum::<usize>()
                    > 1_400
        ),
    }
}

/// Checks that each RTCP packet reads back equal after it is written again.
pub fn rtcp(bytes: &[u8]) {
    for packet in packets(bytes).flatten() {
        let mut out = Vec::new();
        let mut writer = CompoundWriter::with_len_max(&mut out, ANY_LEN);
        if let Packet::TransportFeedback(feedback) = &packet {
            rewrite_feedback(feedback);
        } else if rewrite(&packet, &mut writer) {
            let again: Vec<_> = packets(&out).collect();
            assert!(
                again.len() == 1
                    && again.iter().all(|again| {
                        again
                            .as_ref()
                            .is_ok_and(|again| content(again) == content(&packet))
                    }),
                "{packet:?} became {again:?}"
            );
        }
    }
}

/// Writes a packet again; returns false when the writer cannot express all of it.
fn rewrite(packet: &Packet<'_>, writer: &mut CompoundWriter<'_>) -> bool {
    match packet {
        Packet::SenderReport(report) => {
            writer.write_sender_report(&report.info, &report.blocks().collect::<Vec<_>>())
        }
        Packet::ReceiverReport(report) => {
            writer.write_receiver_report(report.ssrc, &report.blocks().collect::<Vec<_>>())
        }
        Packet::SourceDescription(names) => {
            let items: Vec<_> = names.items().collect();
            let &[(ssrc, text)] = names.cnames().collect::<Vec<_>>().as_slice() else {
                return false;
            };
            items.len() == 1
                && std::str::from_utf8(text).is_ok_and(|cname| writer.write_cname(ssrc, cname))
        }
        Packet::Bye(bye) => writer.write_bye(&bye.ssrcs().collect::<Vec<_>>()),
        Packet::Nack(nack) => {
            let seqs: Vec<u16> = nack.seqs().collect();
            let taken = writer.write_nack(nack.sender, nack.media, &seqs);
            assert_eq!(taken, seqs.len());
            true
        }
        Packet::Pli(pli) => writer.write_pli(pli.sender, pli.media),
        Packet::Fir(fir) => writer.write_fir(fir.sender, &fir.entries().collect::<Vec<FirEntry>>()),
        Packet::Remb(remb) => {
            writer.write_remb(remb.sender, remb.bitrate, &remb.ssrcs().collect::<Vec<_>>())
        }
        Packet::ExtendedReport(report) => {
            let blocks: Vec<_> = report.blocks().collect();
            match blocks.as_slice() {
                [ExtendedReportBlock::ReceiverReferenceTime(ntp)] => {
                    writer.write_receiver_reference_time(report.ssrc, *ntp)
                }
                [ExtendedReportBlock::Dlrr(delays)] => {
                    writer.write_dlrr(report.ssrc, &delays.iter().collect::<Vec<DlrrEntry>>())
                }
                _ => false,
            }
        }
        Packet::CongestionFeedback(feedback) => {
            let arrivals: Vec<Vec<Option<PacketArrival>>> = feedback
                .streams()
                .map(|stream| stream.packets().map(|(_, arrival)| arrival).collect())
                .collect();
            let streams = feedback.streams().zip(&arrivals);
            let streams = streams.map(|(stream, arrivals)| StreamArrivals {
                ssrc: stream.ssrc,
                begin_seq: stream.begin_seq,
                arrivals,
            });
            let streams: Vec<_> = streams.collect();
            writer.write_congestion_feedback(feedback.sender, feedback.report_timestamp, &streams)
        }
        Packet::TransportFeedback(_) => false,
    }
}

/// Returns the contents of a packet as numbers.
pub fn content(packet: &Packet<'_>) -> Vec<i64> {
    let number = |ssrc: Ssrc| i64::from(ssrc.0);
    match packet {
        Packet::SenderReport(report) => {
            let info = &report.info;
            let counts = [info.rtp_timestamp, info.packet_count, info.octet_count];
            let head = [number(info.ssrc), info.ntp.cast_signed()];
            let blocks = report.blocks().flat_map(|block| block_content(&block));
            head.into_iter()
                .chain(counts.map(i64::from))
                .chain(blocks)
                .collect()
        }
        Packet::ReceiverReport(report) => {
            let blocks = report.blocks().flat_map(|block| block_content(&block));
            std::iter::once(number(report.ssrc)).chain(blocks).collect()
        }
        Packet::SourceDescription(names) => names
            .items()
            .flat_map(|item| {
                let text = item.text.iter().map(|byte| i64::from(*byte));
                [number(item.ssrc), i64::from(item.kind)]
                    .into_iter()
                    .chain(text)
            })
            .collect(),
        Packet::Bye(bye) => bye.ssrcs().map(number).collect(),
        Packet::Nack(nack) => {
            // Compared as a set: numbers that do not ascend are written in another order.
            let mut seqs: Vec<i64> = nack.seqs().map(i64::from).collect();
            seqs.sort_unstable();
            seqs.dedup();
            [number(nack.sender), number(nack.media)]
                .into_iter()
                .chain(seqs)
                .collect()
        }
        Packet::Pli(pli) => vec![number(pli.sender), number(pli.media)],
        Packet::Fir(fir) => {
            let entries = fir
                .entries()
                .flat_map(|entry| [number(entry.ssrc), i64::from(entry.seq)]);
            std::iter::once(number(fir.sender)).chain(entries).collect()
        }
        Packet::Remb(remb) => {
            let head = [number(remb.sender), remb.bitrate.as_bps().cast_signed()];
            head.into_iter().chain(remb.ssrcs().map(number)).collect()
        }
        Packet::ExtendedReport(report) => {
            let blocks = report.blocks().flat_map(|block| extended_content(&block));
            std::iter::once(number(report.ssrc)).chain(blocks).collect()
        }
        Packet::CongestionFeedback(feedback) => {
            let head = [
                number(feedback.sender),
                i64::from(feedback.report_timestamp),
            ];
            let streams = feedback.streams().flat_map(|stream| {
                let packets = stream.packets().flat_map(|(seq, arrival)| {
                    let ecn = arrival.map_or(-1, |arrival| arrival.ecn as i64);
                    let offset = arrival.and_then(|arrival| arrival.offset);
                    [i64::from(seq), ecn, offset.map_or(-1, i64::from)]
                });
                [number(stream.ssrc), i64::from(stream.begin_seq)]
                    .into_iter()
                    .chain(packets)
                    .collect::<Vec<_>>()
            });
            head.into_iter().chain(streams).collect()
        }
        Packet::TransportFeedback(feedback) => {
            let statuses = feedback.packets();
            statuses
                .flat_map(|(seq, at)| [i64::from(seq), at.unwrap_or(-1)])
                .collect()
        }
    }
}

fn block_content(block: &watersmeet_wire::rtcp::report::ReportBlock) -> [i64; 7] {
    [
        i64::from(block.ssrc.0),
        i64::from(block.fraction_lost),
        i64::from(block.cumulative_lost),
        i64::from(block.highest_seq),
        i64::from(block.jitter),
        i64::from(block.last_sr),
        i64::from(block.delay_since_last_sr),
    ]
}

fn extended_content(block: &ExtendedReportBlock<'_>) -> Vec<i64> {
    match block {
        ExtendedReportBlock::ReceiverReferenceTime(ntp) => vec![4, ntp.cast_signed()],
        ExtendedReportBlock::Dlrr(delays) => delays
            .iter()
            .flat_map(|delay| {
                [delay.ssrc.0, delay.last_rr, delay.delay_since_last_rr].map(i64::from)
            })
            .collect(),
        ExtendedReportBlock::Other { kind, content, .. } => {
            vec![i64::from(*kind), i64::try_from(content.len()).unwrap_or(-1)]
        }
    }
}

/// Checks that parsed feedback reports the same arrivals after it is written again.
fn rewrite_feedback(feedback: &TransportFeedback<'_>) {
    let mut seq = SeqNo::first(feedback.base_seq);
    let mut arrivals = Vec::new();
    for (raw, at) in feedback.packets() {
        seq = seq.nearest(raw);
        // An arrival before the origin has no `Time`; such feedback is not written.
        match at.map(u64::try_from) {
            Some(Ok(at)) => arrivals.push((seq, Time::from_micros(at))),
            Some(Err(_)) => return,
            None => {}
        }
    }
    let head = FeedbackHeader {
        sender: feedback.sender,
        media: feedback.media,
        base: SeqNo::first(feedback.base_seq),
        feedback_count: feedback.feedback_count,
    };
    check_reported_arrivals(head, &arrivals, 1_200);
}

/// Checks that written feedback reports each arrival exactly once. The bytes determine the gaps,
/// the times and the datagram length.
pub fn twcc(bytes: &[u8]) {
    let Some((&[len, base], script)) = bytes.split_first_chunk::<2>() else {
        return;
    };
    let mut seq = SeqNo::first(0xff00 | u16::from(base));
    let head = FeedbackHeader {
        sender: Ssrc(1),
        media: Ssrc(2),
        base: seq,
        feedback_count: base,
    };
    let mut micros: i64 = 100_000_000_000;
    let mut arrivals = Vec::new();
    let (steps, _) = script.as_chunks::<3>();
    for &[gap, high, low] in steps {
        // Mostly consecutive, sometimes a gap of up to 180 packets or a repetition.
        let gap = match gap {
            0..=199 => 1,
            200..=239 => u64::from(gap) - 199,
            240 => 0,
            _ => u64::from(gap - 240) * 12,
        };
        let step = i64::from(i16::from_be_bytes([high, low]));
        // Mostly within a small delta (64 ms), sometimes up to 12 s in either direction.
        micros += if high & 7 == 0 {
            step * 375
        } else {
            step & 0xffff
        };
        seq = SeqNo(seq.0 + gap);
        arrivals.push((seq, Time::from_micros(u64::try_from(micros).unwrap_or(0))));
    }
    check_reported_arrivals(head, &arrivals, 28 + usize::from(len) * 5);
}

fn check_reported_arrivals(head: FeedbackHeader, arrivals: &[(SeqNo, Time)], len_max: usize) {
    let mut head = head;
    let mut rest = arrivals;
    let mut reported: Vec<(SeqNo, i64)> = Vec::new();
    let mut out = Vec::new();
    // Every iteration covers an arrival, or skips lost packets of a gap of bounded length.
    for _ in 0..=4 * arrivals.len() + 8 {
        out.clear();
        let mut writer = CompoundWriter::with_len_max(&mut out, len_max);
        let Some(written) = writer.write_transport_feedback(&head, rest) else {
            break;
        };
        assert!(out.len() <= len_max);
        let mut iter = packets(&out);
        let Some(Ok(Packet::TransportFeedback(feedback))) = iter.next() else {
            assert!(out.is_empty(), "written feedback cannot be parsed");
            return;
        };
        let mut seq = SeqNo(written.next_base.0 - u64::from(feedback.status_count));
        let next_arrival = rest.iter().find(|(found, _)| *found >= head.base);
        let first = next_arrival.map_or(head.base, |(found, _)| *found);
        assert_eq!(
            seq,
            head.base
                .max(SeqNo(first.0.saturating_sub(LEADING_LOST_MAX)))
        );
        for (raw, at) in feedback.packets() {
            assert_eq!(raw, seq.raw());
            reported.extend(at.map(|at| (seq, at)));
            seq = SeqNo(seq.0 + 1);
        }
        rest = rest.get(written.arrivals..).unwrap_or_default();
        head.base = written.next_base;
        head.feedback_count = head.feedback_count.wrapping_add(1);
    }
    let mut expected = arrivals.to_vec();
    expected.dedup_by_key(|(seq, _)| *seq);
    assert_eq!(reported.len(), expected.len());
    for ((reported_seq, reported_at), (seq, at)) in reported.iter().zip(&expected) {
        let micros = i64::try_from(at.as_micros()).unwrap_or(i64::MAX);
        let error = (micros - reported_at).rem_euclid(WRAP_MICROS);
        assert!(
            reported_seq == seq && error < 250,
            "{seq:?} at {micros} reported as {reported_at}"
        );
    }
}

/// Checks the descriptors of a stream: each one is preceded by its length, and the first byte of all
/// is what the active decode targets and frame numbers are changed by.
pub fn dependency_descriptor(bytes: &[u8]) {
    let Some((&change, mut rest)) = bytes.split_first() else {
        return;
    };
    let mut reader = DependencyReader::default();
    while let Some((&len, after)) = rest.split_first() {
        let (value, after) = after.split_at(usize::from(len).min(after.len()));
        rest = after;
        let known = reader.structure().cloned();
        let Ok(descriptor) = reader.read(value) else {
            continue;
        };
        if let Some(structure) = &descriptor.structure {
            check_structure(structure);
        }
        assert!(!descriptor.is_keyframe() || reader.structure().is_some());
        rewrite_descriptor(value, &descriptor, known.as_ref(), change);
    }
}

/// Checks that decode targets, layers and masks of a structure agree.
fn check_structure(structure: &DependencyStructure) {
    let targets = structure.decode_targets();
    let all = structure.all_decode_targets();
    assert!((1..=32).contains(&targets.len()));
    assert_eq!(usize::try_from(all.count_ones()), Ok(targets.len()));
    assert_eq!(structure.decode_targets_within(u8::MAX, u8::MAX), all);
    let best = structure.best_decode_target(u8::MAX, u8::MAX, all);
    let best = best.and_then(|best| targets.get(best));
    for target in targets {
        assert!(best.is_some_and(|best| best.spatial_layer >= target.spatial_layer));
        assert!(
            target
                .chain
                .is_none_or(|chain| chain < structure.chain_count())
        );
        assert_eq!(target.chain.is_some(), structure.chain_count() > 0);
    }
}

/// Checks that a descriptor reads back equal after its frame number and mask were changed.
fn rewrite_descriptor(
    value: &[u8],
    descriptor: &DependencyDescriptor,
    known: Option<&DependencyStructure>,
    change: u8,
) {
    let structure = descriptor.structure.as_deref().or(known);
    let all = structure.map_or(0, DependencyStructure::all_decode_targets);
    let mut wanted = descriptor.clone();
    wanted.frame_number = descriptor.frame_number.wrapping_add(u16::from(change));
    wanted.active_decode_targets = Some(u32::from(change).wrapping_mul(0x0101_0101) & all);
    let mut out = vec![0xff; value.len() + GROWTH_MAX];
    let len = wanted.write(value, &mut out);
    assert!(len.is_some(), "{descriptor:?} does not fit");
    let again = DependencyDescriptor::parse(out.get(..len.unwrap_or(0)).unwrap_or_default(), known);
    let targets = 0..structure.map_or(0, |structure| structure.decode_targets().len());
    assert!(again.is_ok_and(|again| {
        again.frame_number == wanted.frame_number
            && again.active_decode_targets == wanted.active_decode_targets
            && again.structure == wanted.structure
            && again.frame_diffs == wanted.frame_diffs
            && again.chain_diffs == wanted.chain_diffs
            && (again.starts_frame, again.ends_frame) == (wanted.starts_frame, wanted.ends_frame)
            && targets
                .clone()
                .all(|target| again.indication(target) == wanted.indication(target))
    }));
    assert_eq!(wanted.indication(32), Indication::NotPresent);
    // Writing into a buffer that is too short must not panic.
    for short in 0..out.len() {
        black_box(wanted.write(value, out.get_mut(..short).unwrap_or_default()));
    }
}

/// Checks that redundant audio reads back equal after it is written again. The first two bytes are
/// the timestamp and the limit of the length.
pub fn red(bytes: &[u8]) {
    let Some((&[time, len_max], payload)) = bytes.split_first_chunk::<2>() else {
        return;
    };
    let Some(read) = RedPayload::parse(payload) else {
        assert_eq!(red::strip(payload), None);
        return;
    };
    assert_eq!(red::strip(payload), Some((read.primary_pt, read.primary)));
    let mut renamed = payload.to_vec();
    red::set_payload_type(&mut renamed, Pt(time));
    let pt = Pt(time & 0x7f);
    assert!(RedPayload::parse(&renamed).is_some_and(|renamed| {
        let blocks = renamed.redundant.iter().zip(&read.redundant);
        let mut same = blocks.map(|(new, old)| {
            new.pt == pt
                && (new.timestamp_offset, new.payload) == (old.timestamp_offset, old.payload)
        });
        renamed.primary_pt == pt && renamed.primary == read.primary && same.all(|it| it)
    }));
    let timestamp = u32::from(time) << 8;
    let newest_first = read.redundant.iter().rev().map(|block| EarlierPayload {
        timestamp: block.timestamp(timestamp),
        payload: block.payload,
    });
    let earlier: Vec<EarlierPayload<'_>> = newest_first.collect();
    let len_max = 4 * usize::from(len_max);
    let mut out = vec![0; 2 * bytes.len()];
    let pt = read.primary_pt;
    let Some(len) = red::write(&mut out, len_max, pt, timestamp, read.primary, &earlier) else {
        assert!(read.primary.len() + 1 > len_max);
        return;
    };
    assert!(len <= len_max);
    let again = RedPayload::parse(out.get(..len).unwrap_or_default());
    assert!(again.is_some_and(|again| {
        (again.primary_pt, again.primary) == (read.primary_pt, read.primary)
            && again.redundant.iter().all(|block| {
                read.redundant.iter().any(|found| {
                    (found.timestamp_offset, found.payload)
                        == (block.timestamp_offset, block.payload)
                })
            })
    }));
}

/// Checks that a ClientHello is reassembled from two fragments, and that the one before a
/// HelloRetryRequest has no cookie and is like it otherwise. The first byte is where it is split.
pub fn client_hello(bytes: &[u8]) {
    let Some((split, body)) = bytes.split_first() else {
        return;
    };
    let (first, second) = body
        .split_at_checked(usize::from(*split) * 8)
        .unwrap_or((body, &[]));
    let fragment = |offset, bytes| HelloFragment {
        seq: 0,
        message_len: body.len(),
        offset,
        bytes,
    };
    let mut reassembly = HelloReassembly::default();
    let fragments = [fragment(0, first), fragment(first.len(), second)];
    let complete = fragments.iter().find_map(|it| reassembly.add(it));
    if !first.is_empty() && body.len() <= HELLO_LEN_MAX {
        assert_eq!(complete.as_deref(), Some(body));
    } else {
        assert_ne!(complete.as_deref(), Some(&[][..]));
    }
    let Some(hello) = ClientHello::parse(body) else {
        assert_eq!(hello_before_retry(body), None);
        return;
    };
    if let Some(restored) = hello_before_retry(body) {
        assert!(ClientHello::parse(&restored).is_some_and(|before| {
            before.retry_cookie().is_none()
                && before.accepts_hello_retry() == hello.accepts_hello_retry()
                && before.prefers_aes_gcm() == hello.prefers_aes_gcm()
        }));
    }
}
