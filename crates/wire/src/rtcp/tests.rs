//! Every packet type at its boundaries, alone and in compound datagrams.

use super::extended_report::{DlrrEntry, ExtendedReportBlock};
use super::feedback::FirEntry;
use super::report::{ReportBlock, SenderInfo, ntp_middle};
use super::sdes::{CNAME, SdesItem};
use super::write::CompoundWriter;
use super::*;
use crate::units::{Bitrate, Ssrc};

const LOCAL: Ssrc = Ssrc(0x0102_0304);
const REMOTE: Ssrc = Ssrc(0xa0b0_c0d0);

const BLOCK: ReportBlock = ReportBlock {
    ssrc: REMOTE,
    fraction_lost: 64,
    cumulative_lost: -3,
    highest_seq: 0x0001_ffff,
    jitter: 90,
    last_sr: 0x1234_5678,
    delay_since_last_sr: 65_536,
};

const INFO: SenderInfo = SenderInfo {
    ssrc: LOCAL,
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

fn single_packet(datagram: &[u8]) -> Packet<'_> {
    let mut iter = packets(datagram);
    let packet = iter.next().unwrap().unwrap();
    assert!(iter.next().is_none());
    packet
}

/// Returns the errors and the number of valid packets in a datagram.
fn errors_and_valid(datagram: &[u8]) -> (Vec<RtcpError>, usize) {
    let errors: Vec<_> = packets(datagram).filter_map(Result::err).collect();
    (errors, packets(datagram).filter(Result::is_ok).count())
}

#[test]
fn sender_report_matches_the_layout_of_rfc_3550() {
    let datagram = written(|w| assert!(w.write_sender_report(&INFO, &[BLOCK])));
    let mut expected = vec![0x81, 200, 0, 12];
    expected.extend([0x01, 0x02, 0x03, 0x04, 0xe0, 0, 0, 0, 0x80, 0, 0, 0]);
    expected.extend([0, 1, 0x5f, 0x90, 0, 0, 0, 7, 0, 0, 0x1b, 0x58]);
    expected.extend([
        0xa0, 0xb0, 0xc0, 0xd0, 64, 0xff, 0xff, 0xfd, 0, 1, 0xff, 0xff,
    ]);
    expected.extend([0, 0, 0, 90, 0x12, 0x34, 0x56, 0x78, 0, 1, 0, 0]);
    assert_eq!(datagram, expected);
    let Packet::SenderReport(report) = single_packet(&datagram) else {
        panic!("no sender report")
    };
    assert_eq!(report.info, INFO);
    assert_eq!(report.blocks().collect::<Vec<_>>(), [BLOCK]);
    assert_eq!(ntp_middle(INFO.ntp), 0x0000_8000);
}

#[test]
fn receiver_report_has_up_to_31_blocks() {
    for count in [0, 1, 31] {
        let blocks = vec![BLOCK; count];
        let datagram = written(|w| assert!(w.write_receiver_report(LOCAL, &blocks)));
        let Packet::ReceiverReport(report) = single_packet(&datagram) else {
            panic!("no receiver report")
        };
        assert_eq!(report.ssrc, LOCAL);
        assert_eq!(report.blocks().collect::<Vec<_>>(), blocks);
    }
    let mut out = Vec::new();
    assert!(!CompoundWriter::new(&mut out).write_receiver_report(LOCAL, &[BLOCK; 32]));
    assert!(out.is_empty());
}

#[test]
fn cumulative_loss_is_clamped_to_24_bits() {
    for (lost, expected) in [(i32::MAX, 0x7f_ffff), (i32::MIN, -0x80_0000), (-1, -1)] {
        let block = ReportBlock {
            cumulative_lost: lost,
            ..BLOCK
        };
        let datagram = written(|w| assert!(w.write_receiver_report(LOCAL, &[block])));
        let Packet::ReceiverReport(report) = single_packet(&datagram) else {
            panic!("no receiver report")
        };
        assert_eq!(report.blocks().next().unwrap().cumulative_lost, expected);
    }
}

#[test]
fn cname_of_any_length_ends_with_a_zero_at_a_word_boundary() {
    for len in [0, 1, 2, 3, 4, 255] {
        let name = "n".repeat(len);
        let datagram = written(|w| assert!(w.write_cname(LOCAL, &name)));
        assert_eq!(datagram.len() % 4, 0);
        assert_eq!(datagram.last(), Some(&0));
        let Packet::SourceDescription(names) = single_packet(&datagram) else {
            panic!("no description")
        };
        assert_eq!(
            names.cnames().collect::<Vec<_>>(),
            [(LOCAL, name.as_bytes())]
        );
    }
    let mut out = Vec::new();
    assert!(!CompoundWriter::new(&mut out).write_cname(LOCAL, &"n".repeat(256)));
}

#[test]
fn all_items_of_all_chunks_are_returned() {
    let mut datagram = vec![0x83, 202, 0, 7];
    datagram.extend([0, 0, 0, 1, CNAME, 2, b'a', b'b', 15, 1, b'0', 0]);
    datagram.extend([0, 0, 0, 2, 0, 0, 0, 0]);
    datagram.extend([0, 0, 0, 3, CNAME, 0, 0, 0]);
    let Packet::SourceDescription(names) = single_packet(&datagram) else {
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
fn truncated_source_description_is_malformed() {
    for (words, body) in [
        (2, &[0, 0, 0, 1, CNAME, 3, b'a', b'b'][..]),
        (2, &[0, 0, 0, 1, CNAME, 2, b'a', b'b']),
        (1, &[0, 0, 0, 1]),
        (0, &[]),
    ] {
        let mut datagram = vec![0x81, 202, 0, words];
        datagram.extend_from_slice(body);
        assert_eq!(
            errors_and_valid(&datagram),
            (vec![RtcpError::Malformed(202)], 0)
        );
    }
}

#[test]
fn bye_lists_its_streams_and_its_reason_is_ignored() {
    let mut datagram = written(|w| assert!(w.write_bye(&[LOCAL, REMOTE])));
    let Packet::Bye(bye) = single_packet(&datagram) else {
        panic!("no BYE")
    };
    assert_eq!(bye.ssrcs().collect::<Vec<_>>(), [LOCAL, REMOTE]);
    datagram[3] += 1;
    datagram.extend([3, b'b', b'y', b'e']);
    let Packet::Bye(bye) = single_packet(&datagram) else {
        panic!("no BYE")
    };
    assert_eq!(bye.ssrcs().len(), 2);
}

#[test]
fn nack_entry_covers_a_number_and_the_sixteen_after_it() {
    let seqs = [65_530, 65_531, 65_534, 10, 11, 27, 28];
    let datagram = written(|w| assert_eq!(w.write_nack(LOCAL, REMOTE, &seqs), seqs.len()));
    let mut expected = vec![0x81, 205, 0, 5, 1, 2, 3, 4, 0xa0, 0xb0, 0xc0, 0xd0];
    // 10 is 16 after 65530; 27 is 16 after 11.
    expected.extend([0xff, 0xfa, 0x80, 0x09, 0, 11, 0x80, 0, 0, 28, 0, 0]);
    assert_eq!(datagram, expected);
    let Packet::Nack(nack) = single_packet(&datagram) else {
        panic!("no nack")
    };
    assert_eq!((nack.sender, nack.media), (LOCAL, REMOTE));
    assert_eq!(nack.seqs().collect::<Vec<_>>(), seqs);
}

#[test]
fn nack_writes_as_many_numbers_as_fit_and_returns_the_count() {
    let apart: Vec<u16> = (0..1_000).map(|i| i * 20).collect();
    let mut out = Vec::new();
    let mut writer = CompoundWriter::with_len_max(&mut out, 50);
    assert_eq!(writer.write_nack(LOCAL, REMOTE, &apart), 9);
    assert_eq!(writer.write_nack(LOCAL, REMOTE, &apart), 0);
    let Packet::Nack(nack) = single_packet(&out) else {
        panic!("no nack")
    };
    assert_eq!(nack.seqs().collect::<Vec<_>>(), apart[..9]);
    assert_eq!(
        CompoundWriter::new(&mut Vec::new()).write_nack(LOCAL, REMOTE, &[]),
        0
    );
}

#[test]
fn nack_lists_a_repeated_number_once() {
    let datagram = written(|w| assert_eq!(w.write_nack(LOCAL, REMOTE, &[5, 5, 6, 6]), 4));
    let Packet::Nack(nack) = single_packet(&datagram) else {
        panic!("no nack")
    };
    assert_eq!(nack.seqs().collect::<Vec<_>>(), [5, 6]);
}

#[test]
fn keyframe_requests_read_back() {
    let datagram = written(|w| assert!(w.write_pli(LOCAL, REMOTE)));
    assert_eq!(
        datagram,
        [0x81, 206, 0, 2, 1, 2, 3, 4, 0xa0, 0xb0, 0xc0, 0xd0]
    );
    let Packet::Pli(pli) = single_packet(&datagram) else {
        panic!("no pli")
    };
    assert_eq!((pli.sender, pli.media), (LOCAL, REMOTE));

    let entries = [
        FirEntry {
            ssrc: REMOTE,
            seq: 9,
        },
        FirEntry {
            ssrc: LOCAL,
            seq: 255,
        },
    ];
    let datagram = written(|w| assert!(w.write_fir(LOCAL, &entries)));
    let Packet::Fir(fir) = single_packet(&datagram) else {
        panic!("no fir")
    };
    assert_eq!(fir.sender, LOCAL);
    assert_eq!(fir.entries().collect::<Vec<_>>(), entries);
    assert!(!CompoundWriter::new(&mut Vec::new()).write_fir(LOCAL, &[]));
}

#[test]
fn remb_keeps_eighteen_bits_of_its_bitrate() {
    for (rate, expected) in [
        (0, 0),
        (1, 1),
        (0x3_ffff, 0x3_ffff),
        (0x4_0001, 0x4_0000),
        (5_000_000, 5_000_000),
        (u64::MAX, 0x3_ffff << 46),
    ] {
        let datagram =
            written(|w| assert!(w.write_remb(LOCAL, Bitrate::from_bps(rate), &[REMOTE, LOCAL])));
        let Packet::Remb(remb) = single_packet(&datagram) else {
            panic!("no remb")
        };
        assert_eq!(remb.bitrate, Bitrate::from_bps(expected));
        assert_eq!(remb.sender, LOCAL);
        assert_eq!(remb.ssrcs().collect::<Vec<_>>(), [REMOTE, LOCAL]);
    }
    let golden = written(|w| assert!(w.write_remb(LOCAL, Bitrate::from_bps(5_000_000), &[REMOTE])));
    let mut expected = vec![0x8f, 206, 0, 5, 1, 2, 3, 4, 0, 0, 0, 0];
    expected.extend(b"REMB");
    // 5,000,000 = 156,250 << 5.
    expected.extend([1, 5 << 2 | 2, 0x62, 0x5a, 0xa0, 0xb0, 0xc0, 0xd0]);
    assert_eq!(golden, expected);
    assert!(!CompoundWriter::new(&mut Vec::new()).write_remb(LOCAL, Bitrate::ZERO, &[LOCAL; 256]));
}

#[test]
fn remb_above_64_bits_or_with_missing_streams_is_malformed() {
    let valid = written(|w| assert!(w.write_remb(LOCAL, Bitrate::from_bps(1), &[REMOTE])));
    let mut huge = valid.clone();
    huge[17] = 63 << 2 | 2;
    assert_eq!(
        errors_and_valid(&huge),
        (vec![RtcpError::Malformed(206)], 0)
    );
    let mut missing = valid;
    missing[16] = 2;
    assert_eq!(
        errors_and_valid(&missing),
        (vec![RtcpError::Malformed(206)], 0)
    );
}

#[test]
fn application_feedback_with_another_name_is_skipped() {
    let mut datagram = written(|w| assert!(w.write_remb(LOCAL, Bitrate::from_bps(1), &[])));
    datagram[12] = b'X';
    let mut iter = packets(&datagram);
    assert!(iter.next().is_none());
    assert_eq!(iter.skipped(), 1);
}

#[test]
fn extended_reports_carry_rrtr_and_dlrr_blocks() {
    let delays = [
        DlrrEntry {
            ssrc: REMOTE,
            last_rr: 7,
            delay_since_last_rr: 8,
        },
        DlrrEntry {
            ssrc: LOCAL,
            last_rr: 9,
            delay_since_last_rr: 10,
        },
    ];
    let datagram = written(|w| {
        assert!(w.write_receiver_reference_time(LOCAL, 0x1122_3344_5566_7788));
        assert!(w.write_dlrr(LOCAL, &delays));
    });
    let mut seen = Vec::new();
    for packet in packets(&datagram) {
        let Packet::ExtendedReport(report) = packet.unwrap() else {
            panic!("no report")
        };
        assert_eq!(report.ssrc, LOCAL);
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
fn unsupported_extended_report_block_is_returned_unparsed() {
    let datagram = [
        0x80, 207, 0, 4, 1, 2, 3, 4, 1, 9, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8,
    ];
    let Packet::ExtendedReport(report) = single_packet(&datagram) else {
        panic!("no report")
    };
    let blocks: Vec<_> = report.blocks().collect();
    let [
        ExtendedReportBlock::Other {
            kind: 1,
            type_specific: 9,
            content,
        },
    ] = blocks[..]
    else {
        panic!("{blocks:?}")
    };
    assert_eq!(content, [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn extended_report_blocks_of_impossible_length_are_malformed() {
    for block in [
        &[1, 0, 0, 2, 0, 0, 0, 0][..],
        &[4, 0, 0, 1, 0, 0, 0, 0],
        &[5, 0, 0, 1, 0, 0, 0, 0],
    ] {
        let mut datagram = vec![0x80, 207, 0, 3, 1, 2, 3, 4];
        datagram.extend_from_slice(block);
        assert_eq!(
            errors_and_valid(&datagram),
            (vec![RtcpError::Malformed(207)], 0)
        );
    }
}

#[test]
fn compound_datagram_is_parsed_and_unknown_packets_are_counted() {
    let mut datagram = written(|w| {
        assert!(w.is_empty());
        assert!(w.write_receiver_report(LOCAL, &[BLOCK]));
        assert!(w.write_cname(LOCAL, "us"));
    });
    datagram.extend([0x80, 204, 0, 2, 0, 0, 0, 1, b'n', b'a', b'm', b'e']);
    datagram.extend([0x9f, 205, 0, 0]);
    datagram.extend(written(|w| assert!(w.write_pli(LOCAL, REMOTE))));
    let mut iter = packets(&datagram);
    assert!(matches!(iter.next(), Some(Ok(Packet::ReceiverReport(_)))));
    assert!(matches!(
        iter.next(),
        Some(Ok(Packet::SourceDescription(_)))
    ));
    assert!(matches!(iter.next(), Some(Ok(Packet::Pli(_)))));
    assert!(iter.next().is_none());
    assert_eq!(iter.skipped(), 2);
}

#[test]
fn packets_after_a_malformed_one_are_parsed() {
    let mut datagram = vec![0x82, 201, 0, 1, 0, 0, 0, 1];
    datagram.extend(written(|w| assert!(w.write_pli(LOCAL, REMOTE))));
    assert_eq!(
        errors_and_valid(&datagram),
        (vec![RtcpError::Malformed(201)], 1)
    );
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
            errors_and_valid(&datagram),
            (vec![RtcpError::Malformed(kind)], 0),
            "{kind} {count}"
        );
    }
}

#[test]
fn truncated_datagram_yields_its_complete_packets() {
    let mut datagram = written(|w| assert!(w.write_pli(LOCAL, REMOTE)));
    datagram.extend(written(|w| assert!(w.write_cname(LOCAL, "us"))));
    for len in 13..datagram.len() {
        assert_eq!(
            errors_and_valid(&datagram[..len]),
            (vec![RtcpError::Truncated], 1)
        );
    }
    datagram[12] = 0x40;
    assert_eq!(errors_and_valid(&datagram), (vec![RtcpError::Version], 1));
}

#[test]
fn padding_is_stripped_and_impossible_padding_is_rejected() {
    let mut datagram = written(|w| assert!(w.write_bye(&[LOCAL])));
    datagram[0] |= 0x20;
    datagram[3] += 1;
    datagram.extend([0, 0, 0, 4]);
    let Packet::Bye(bye) = single_packet(&datagram) else {
        panic!("no BYE")
    };
    assert_eq!(bye.ssrcs().collect::<Vec<_>>(), [LOCAL]);
    for impossible in [0, 9] {
        datagram[11] = impossible;
        assert_eq!(errors_and_valid(&datagram), (vec![RtcpError::Padding], 0));
    }
    assert_eq!(
        errors_and_valid(&[0xa0, 201, 0, 0]),
        (vec![RtcpError::Padding], 0)
    );
}

#[test]
fn datagram_never_exceeds_its_limit() {
    let mut out = b"existing".to_vec();
    let mut writer = CompoundWriter::new(&mut out);
    let mut fitted = 0;
    while writer.write_receiver_report(LOCAL, &[BLOCK; 31]) {
        fitted += 1;
    }
    assert_eq!(fitted, 1);
    while writer.write_pli(LOCAL, REMOTE) {}
    while writer.write_sender_report(&INFO, &[]) {}
    assert!(writer.remaining() < 12);
    let len = writer.len();
    assert!(!writer.write_cname(LOCAL, "us") && !writer.write_bye(&[LOCAL, REMOTE]));
    assert_eq!(writer.len(), len);
    assert!(len <= COMPOUND_LEN_MAX);
    assert_eq!(&out[..8], b"existing");
    let (errors, valid) = errors_and_valid(&out[8..]);
    assert!(errors.is_empty() && valid > 1);
}

#[test]
fn second_byte_distinguishes_rtcp_from_rtp() {
    assert!((192..=223).all(is_rtcp));
    assert!(!(0..192).any(is_rtcp) && !(224..=255).any(is_rtcp));
}
