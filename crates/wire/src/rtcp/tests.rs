//! Every packet type at its boundaries, alone and in company.

use super::extended_report::{DlrrEntry, ExtendedReportBlock};
use super::feedback::FirEntry;
use super::report::{ReportBlock, SenderInfo, ntp_middle};
use super::sdes::{CNAME, SdesItem};
use super::write::CompoundWriter;
use super::*;
use crate::units::{Bitrate, Ssrc};

const US: Ssrc = Ssrc(0x0102_0304);
const THEM: Ssrc = Ssrc(0xa0b0_c0d0);

const BLOCK: ReportBlock = ReportBlock {
    ssrc: THEM,
    fraction_lost: 64,
    cumulative_lost: -3,
    highest_seq: 0x0001_ffff,
    jitter: 90,
    last_sr: 0x1234_5678,
    delay_since_last_sr: 65_536,
};

const INFO: SenderInfo = SenderInfo {
    ssrc: US,
    ntp: 0xe000_0000_8000_0000,
    rtp_timestamp: 90_000,
    packet_count: 7,
    octet_count: 7_000,
};

fn written(write: impl FnOnce(&mut CompoundWriter<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut CompoundWriter::new(&mut out));
    out
}

fn only(datagram: &[u8]) -> Packet<'_> {
    let mut walk = packets(datagram);
    let packet = walk.next().unwrap().unwrap();
    assert!(walk.next().is_none());
    packet
}

/// The errors and the number of sound packets in a datagram.
fn judged(datagram: &[u8]) -> (Vec<RtcpError>, usize) {
    let errors: Vec<_> = packets(datagram).filter_map(Result::err).collect();
    (errors, packets(datagram).filter(Result::is_ok).count())
}

#[test]
fn a_sender_report_is_laid_out_as_rfc_3550_draws_it() {
    let datagram = written(|w| assert!(w.write_sender_report(&INFO, &[BLOCK])));
    let mut expected = vec![0x81, 200, 0, 12];
    expected.extend([0x01, 0x02, 0x03, 0x04, 0xe0, 0, 0, 0, 0x80, 0, 0, 0]);
    expected.extend([0, 1, 0x5f, 0x90, 0, 0, 0, 7, 0, 0, 0x1b, 0x58]);
    expected.extend([
        0xa0, 0xb0, 0xc0, 0xd0, 64, 0xff, 0xff, 0xfd, 0, 1, 0xff, 0xff,
    ]);
    expected.extend([0, 0, 0, 90, 0x12, 0x34, 0x56, 0x78, 0, 1, 0, 0]);
    assert_eq!(datagram, expected);
    let Packet::SenderReport(report) = only(&datagram) else {
        panic!("no sender report")
    };
    assert_eq!(report.info, INFO);
    assert_eq!(report.blocks().collect::<Vec<_>>(), [BLOCK]);
    assert_eq!(ntp_middle(INFO.ntp), 0x0000_8000);
}

#[test]
fn a_receiver_report_has_up_to_31_blocks() {
    for count in [0, 1, 31] {
        let blocks = vec![BLOCK; count];
        let datagram = written(|w| assert!(w.write_receiver_report(US, &blocks)));
        let Packet::ReceiverReport(report) = only(&datagram) else {
            panic!("no receiver report")
        };
        assert_eq!(report.ssrc, US);
        assert_eq!(report.blocks().collect::<Vec<_>>(), blocks);
    }
    let mut out = Vec::new();
    assert!(!CompoundWriter::new(&mut out).write_receiver_report(US, &[BLOCK; 32]));
    assert!(out.is_empty());
}

#[test]
fn loss_beyond_24_bits_is_cut_to_what_can_be_said() {
    for (lost, said) in [(i32::MAX, 0x7f_ffff), (i32::MIN, -0x80_0000), (-1, -1)] {
        let block = ReportBlock {
            cumulative_lost: lost,
            ..BLOCK
        };
        let datagram = written(|w| assert!(w.write_receiver_report(US, &[block])));
        let Packet::ReceiverReport(report) = only(&datagram) else {
            panic!("no receiver report")
        };
        assert_eq!(report.blocks().next().unwrap().cumulative_lost, said);
    }
}

#[test]
fn a_name_of_any_length_ends_in_a_zero_and_a_whole_word() {
    for len in [0, 1, 2, 3, 4, 255] {
        let name = "n".repeat(len);
        let datagram = written(|w| assert!(w.write_cname(US, &name)));
        assert_eq!(datagram.len() % 4, 0);
        assert_eq!(datagram.last(), Some(&0));
        let Packet::SourceDescription(names) = only(&datagram) else {
            panic!("no description")
        };
        assert_eq!(names.cnames().collect::<Vec<_>>(), [(US, name.as_bytes())]);
    }
    let mut out = Vec::new();
    assert!(!CompoundWriter::new(&mut out).write_cname(US, &"n".repeat(256)));
}

#[test]
fn every_item_of_every_chunk_is_seen() {
    let mut datagram = vec![0x83, 202, 0, 7];
    datagram.extend([0, 0, 0, 1, CNAME, 2, b'a', b'b', 15, 1, b'0', 0]);
    datagram.extend([0, 0, 0, 2, 0, 0, 0, 0]);
    datagram.extend([0, 0, 0, 3, CNAME, 0, 0, 0]);
    let Packet::SourceDescription(names) = only(&datagram) else {
        panic!("no description")
    };
    let item = |ssrc, kind, text| SdesItem {
        ssrc: Ssrc(ssrc),
        kind,
        text,
    };
    let items: Vec<_> = names.items().collect();
    assert_eq!(
        items,
        [
            item(1, CNAME, &b"ab"[..]),
            item(1, 15, b"0"),
            item(3, CNAME, b"")
        ]
    );
    assert_eq!(names.cnames().count(), 2);
}

#[test]
fn a_description_that_ends_early_is_malformed() {
    for (words, body) in [
        (2, &[0, 0, 0, 1, CNAME, 3, b'a', b'b'][..]),
        (2, &[0, 0, 0, 1, CNAME, 2, b'a', b'b']),
        (1, &[0, 0, 0, 1]),
        (0, &[]),
    ] {
        let mut datagram = vec![0x81, 202, 0, words];
        datagram.extend_from_slice(body);
        assert_eq!(judged(&datagram), (vec![RtcpError::Malformed(202)], 0));
    }
}

#[test]
fn a_goodbye_names_its_sources_and_its_reason_is_passed_over() {
    let mut datagram = written(|w| assert!(w.write_bye(&[US, THEM])));
    let Packet::Bye(bye) = only(&datagram) else {
        panic!("no goodbye")
    };
    assert_eq!(bye.ssrcs().collect::<Vec<_>>(), [US, THEM]);
    datagram[3] += 1;
    datagram.extend([3, b'b', b'y', b'e']);
    let Packet::Bye(bye) = only(&datagram) else {
        panic!("no goodbye")
    };
    assert_eq!(bye.ssrcs().len(), 2);
}

#[test]
fn a_nack_names_a_number_and_sixteen_after_it() {
    let seqs = [65_530, 65_531, 65_534, 10, 11, 27, 28];
    let datagram = written(|w| assert_eq!(w.write_nack(US, THEM, &seqs), seqs.len()));
    let mut expected = vec![0x81, 205, 0, 5, 1, 2, 3, 4, 0xa0, 0xb0, 0xc0, 0xd0];
    // 10 is 16 after 65530; 27 is 16 after 11.
    expected.extend([0xff, 0xfa, 0x80, 0x09, 0, 11, 0x80, 0, 0, 28, 0, 0]);
    assert_eq!(datagram, expected);
    let Packet::Nack(nack) = only(&datagram) else {
        panic!("no nack")
    };
    assert_eq!((nack.sender, nack.media), (US, THEM));
    assert_eq!(nack.seqs().collect::<Vec<_>>(), seqs);
}

#[test]
fn a_nack_takes_as_many_numbers_as_fit_and_says_so() {
    let apart: Vec<u16> = (0..1_000).map(|i| i * 20).collect();
    let mut out = Vec::new();
    let mut writer = CompoundWriter::with_len_max(&mut out, 50);
    assert_eq!(writer.write_nack(US, THEM, &apart), 9);
    assert_eq!(writer.write_nack(US, THEM, &apart), 0);
    let Packet::Nack(nack) = only(&out) else {
        panic!("no nack")
    };
    assert_eq!(nack.seqs().collect::<Vec<_>>(), apart[..9]);
    assert_eq!(
        CompoundWriter::new(&mut Vec::new()).write_nack(US, THEM, &[]),
        0
    );
}

#[test]
fn a_repeated_number_is_named_once() {
    let datagram = written(|w| assert_eq!(w.write_nack(US, THEM, &[5, 5, 6, 6]), 4));
    let Packet::Nack(nack) = only(&datagram) else {
        panic!("no nack")
    };
    assert_eq!(nack.seqs().collect::<Vec<_>>(), [5, 6]);
}

#[test]
fn keyframe_requests_survive_the_wire() {
    let datagram = written(|w| assert!(w.write_pli(US, THEM)));
    assert_eq!(
        datagram,
        [0x81, 206, 0, 2, 1, 2, 3, 4, 0xa0, 0xb0, 0xc0, 0xd0]
    );
    let Packet::Pli(pli) = only(&datagram) else {
        panic!("no pli")
    };
    assert_eq!((pli.sender, pli.media), (US, THEM));

    let entries = [
        FirEntry { ssrc: THEM, seq: 9 },
        FirEntry { ssrc: US, seq: 255 },
    ];
    let datagram = written(|w| assert!(w.write_fir(US, &entries)));
    let Packet::Fir(fir) = only(&datagram) else {
        panic!("no fir")
    };
    assert_eq!(fir.sender, US);
    assert_eq!(fir.entries().collect::<Vec<_>>(), entries);
    assert!(!CompoundWriter::new(&mut Vec::new()).write_fir(US, &[]));
}

#[test]
fn an_estimate_keeps_eighteen_bits_of_its_rate() {
    for (rate, said) in [
        (0, 0),
        (1, 1),
        (0x3_ffff, 0x3_ffff),
        (0x4_0001, 0x4_0000),
        (5_000_000, 5_000_000),
        (u64::MAX, 0x3_ffff << 46),
    ] {
        let datagram = written(|w| assert!(w.write_remb(US, Bitrate::from_bps(rate), &[THEM, US])));
        let Packet::Remb(remb) = only(&datagram) else {
            panic!("no remb")
        };
        assert_eq!(remb.bitrate, Bitrate::from_bps(said));
        assert_eq!(remb.sender, US);
        assert_eq!(remb.ssrcs().collect::<Vec<_>>(), [THEM, US]);
    }
    let golden = written(|w| assert!(w.write_remb(US, Bitrate::from_bps(5_000_000), &[THEM])));
    let mut expected = vec![0x8f, 206, 0, 5, 1, 2, 3, 4, 0, 0, 0, 0];
    expected.extend(b"REMB");
    // 5,000,000 = 156,250 << 5.
    expected.extend([1, 5 << 2 | 2, 0x62, 0x5a, 0xa0, 0xb0, 0xc0, 0xd0]);
    assert_eq!(golden, expected);
    assert!(!CompoundWriter::new(&mut Vec::new()).write_remb(US, Bitrate::ZERO, &[US; 256]));
}

#[test]
fn an_estimate_of_more_than_64_bits_or_with_missing_streams_is_malformed() {
    let sound = written(|w| assert!(w.write_remb(US, Bitrate::from_bps(1), &[THEM])));
    let mut huge = sound.clone();
    huge[17] = 63 << 2 | 2;
    assert_eq!(judged(&huge), (vec![RtcpError::Malformed(206)], 0));
    let mut missing = sound;
    missing[16] = 2;
    assert_eq!(judged(&missing), (vec![RtcpError::Malformed(206)], 0));
}

#[test]
fn application_feedback_of_another_name_is_passed_over() {
    let mut datagram = written(|w| assert!(w.write_remb(US, Bitrate::from_bps(1), &[])));
    datagram[12] = b'X';
    let mut walk = packets(&datagram);
    assert!(walk.next().is_none());
    assert_eq!(walk.skipped(), 1);
}

#[test]
fn extended_reports_carry_reference_times_and_their_answers() {
    let delays = [
        DlrrEntry {
            ssrc: THEM,
            last_rr: 7,
            delay_since_last_rr: 8,
        },
        DlrrEntry {
            ssrc: US,
            last_rr: 9,
            delay_since_last_rr: 10,
        },
    ];
    let datagram = written(|w| {
        assert!(w.write_receiver_reference_time(US, 0x1122_3344_5566_7788));
        assert!(w.write_dlrr(US, &delays));
    });
    let mut seen = Vec::new();
    for packet in packets(&datagram) {
        let Packet::ExtendedReport(report) = packet.unwrap() else {
            panic!("no report")
        };
        assert_eq!(report.ssrc, US);
        for block in report.blocks() {
            match block {
                ExtendedReportBlock::ReceiverReferenceTime(ntp) => {
                    assert_eq!(ntp, 0x1122_3344_5566_7788)
                }
                ExtendedReportBlock::Dlrr(found) => seen.extend(found.iter()),
                ExtendedReportBlock::Other { .. } => panic!("unknown block"),
            }
        }
    }
    assert_eq!(seen, delays);
}

#[test]
fn an_extended_block_that_is_not_spoken_here_is_kept_as_it_came() {
    let datagram = [
        0x80, 207, 0, 4, 1, 2, 3, 4, 1, 9, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8,
    ];
    let Packet::ExtendedReport(report) = only(&datagram) else {
        panic!("no report")
    };
    let blocks: Vec<_> = report.blocks().collect();
    let [
        ExtendedReportBlock::Other {
            kind: 1,
            detail: 9,
            content,
        },
    ] = blocks[..]
    else {
        panic!("{blocks:?}")
    };
    assert_eq!(content, [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn extended_blocks_of_impossible_length_are_malformed() {
    for block in [
        &[1, 0, 0, 2, 0, 0, 0, 0][..],
        &[4, 0, 0, 1, 0, 0, 0, 0],
        &[5, 0, 0, 1, 0, 0, 0, 0],
    ] {
        let mut datagram = vec![0x80, 207, 0, 3, 1, 2, 3, 4];
        datagram.extend_from_slice(block);
        assert_eq!(judged(&datagram), (vec![RtcpError::Malformed(207)], 0));
    }
}

#[test]
fn several_packets_share_a_datagram_and_unknown_ones_are_counted() {
    let mut datagram = written(|w| {
        assert!(w.is_empty());
        assert!(w.write_receiver_report(US, &[BLOCK]));
        assert!(w.write_cname(US, "us"));
    });
    datagram.extend([0x80, 204, 0, 2, 0, 0, 0, 1, b'n', b'a', b'm', b'e']);
    datagram.extend([0x9f, 205, 0, 0]);
    datagram.extend(written(|w| assert!(w.write_pli(US, THEM))));
    let mut walk = packets(&datagram);
    assert!(matches!(walk.next(), Some(Ok(Packet::ReceiverReport(_)))));
    assert!(matches!(
        walk.next(),
        Some(Ok(Packet::SourceDescription(_)))
    ));
    assert!(matches!(walk.next(), Some(Ok(Packet::Pli(_)))));
    assert!(walk.next().is_none());
    assert_eq!(walk.skipped(), 2);
}

#[test]
fn a_malformed_packet_does_not_take_the_next_with_it() {
    let mut datagram = vec![0x82, 201, 0, 1, 0, 0, 0, 1];
    datagram.extend(written(|w| assert!(w.write_pli(US, THEM))));
    assert_eq!(judged(&datagram), (vec![RtcpError::Malformed(201)], 1));
}

#[test]
fn bodies_too_short_for_their_type_are_malformed() {
    for (kind, count, words) in [
        (200, 0, 5),
        (200, 1, 11),
        (201, 0, 0),
        (201, 1, 6),
        (203, 1, 0),
        (205, 1, 1),
        (205, 1, 2),
        (205, 15, 3),
        (206, 1, 1),
        (206, 4, 2),
        (206, 4, 3),
        (207, 0, 0),
    ] {
        let mut datagram = vec![0x80 | count, kind, 0, words];
        datagram.resize(4 + usize::from(words) * 4, 0);
        assert_eq!(
            judged(&datagram),
            (vec![RtcpError::Malformed(kind)], 0),
            "{kind} {count}"
        );
    }
}

#[test]
fn a_datagram_that_ends_inside_a_packet_yields_what_was_whole() {
    let mut datagram = written(|w| assert!(w.write_pli(US, THEM)));
    datagram.extend(written(|w| assert!(w.write_cname(US, "us"))));
    for len in 13..datagram.len() {
        assert_eq!(judged(&datagram[..len]), (vec![RtcpError::Truncated], 1));
    }
    datagram[12] = 0x40;
    assert_eq!(judged(&datagram), (vec![RtcpError::Version], 1));
}

#[test]
fn padding_is_taken_off_and_impossible_padding_is_refused() {
    let mut datagram = written(|w| assert!(w.write_bye(&[US])));
    datagram[0] |= 0x20;
    datagram[3] += 1;
    datagram.extend([0, 0, 0, 4]);
    let Packet::Bye(bye) = only(&datagram) else {
        panic!("no goodbye")
    };
    assert_eq!(bye.ssrcs().collect::<Vec<_>>(), [US]);
    for impossible in [0, 9] {
        datagram[11] = impossible;
        assert_eq!(judged(&datagram), (vec![RtcpError::Padding], 0));
    }
    assert_eq!(judged(&[0xa0, 201, 0, 0]), (vec![RtcpError::Padding], 0));
}

#[test]
fn a_datagram_never_outgrows_its_limit() {
    let mut out = b"in front".to_vec();
    let mut writer = CompoundWriter::new(&mut out);
    let mut fitted = 0;
    while writer.write_receiver_report(US, &[BLOCK; 31]) {
        fitted += 1;
    }
    assert_eq!(fitted, 1);
    while writer.write_pli(US, THEM) {}
    while writer.write_sender_report(&INFO, &[]) {}
    assert!(writer.remaining() < 12);
    let len = writer.len();
    assert!(!writer.write_cname(US, "us") && !writer.write_bye(&[US, THEM]));
    assert_eq!(writer.len(), len);
    assert!(len <= COMPOUND_LEN_MAX);
    assert_eq!(&out[..8], b"in front");
    let (errors, sound) = judged(&out[8..]);
    assert!(errors.is_empty() && sound > 1);
}

#[test]
fn the_second_byte_tells_control_from_media() {
    assert!((192..=223).all(is_rtcp));
    assert!(!(0..192).any(is_rtcp) && !(224..=255).any(is_rtcp));
}
