//! Parsing packets and writing into existing buffers never allocate: both happen for every packet.

use allocation_counter::measure;
use watersmeet_wire::rtcp::report::ReportBlock;
use watersmeet_wire::rtcp::twcc::FeedbackHeader;
use watersmeet_wire::rtcp::write::CompoundWriter;
use watersmeet_wire::rtp::{RtpHeaderFields, write_header};
use watersmeet_wire::stun::{BindingRequest, IceRole, IntegrityKey, write_success};
use watersmeet_wire::units::{Bitrate, Pt, SeqNo, Ssrc, Time};

use crate::parser_checks::{read_rtcp, read_rtp, read_stun};

#[test]
fn parsing_packets_allocates_nothing() {
    let key = IntegrityKey::from_password("a password of some length");
    let stun = include_bytes!("../../../../fuzz/seeds/stun/chrome-check");
    let rtp = include_bytes!("../../../../fuzz/seeds/rtp/av1-descriptor");
    let rtcp: [&[u8]; 4] = [
        include_bytes!("../../../../fuzz/seeds/rtcp/receiver-report-and-estimate"),
        include_bytes!("../../../../fuzz/seeds/rtcp/feedback-large"),
        include_bytes!("../../../../fuzz/seeds/rtcp/sender-report"),
        include_bytes!("../../../../fuzz/seeds/rtcp/extended-mixed"),
    ];
    let counted = measure(|| {
        read_stun(stun, &key);
        read_rtp(rtp);
        rtcp.iter().for_each(|datagram| read_rtcp(datagram));
    });
    assert_eq!(counted.count_total, 0);
}

#[test]
fn writing_into_existing_buffers_allocates_nothing() {
    let key = IntegrityKey::from_password("a password of some length");
    let fields = RtpHeaderFields {
        marker: true,
        padding: false,
        pt: Pt(96),
        seq: 1,
        timestamp: 2,
        ssrc: Ssrc(3),
    };
    let request = BindingRequest {
        transaction_id: [1; 12],
        username: "server:client",
        priority: 1,
        role: IceRole::Controlling(1),
        use_candidate: true,
        nomination: None,
        network_info: None,
    };
    let arrivals: Vec<(SeqNo, Time)> = (0..200)
        .map(|seq| {
            (
                SeqNo(0x1_0000 + seq * 3 / 2),
                Time::from_millis(1_000 + seq * 7 % 90),
            )
        })
        .collect();
    let mapped = "[2001:db8::1]:1".parse().unwrap();
    let mut out = [0; 1_500];
    let mut datagram = Vec::with_capacity(4_096);
    let counted = measure(|| {
        assert!(
            write_header(&mut out, &fields, &[(1, b"0"), (5, &[0, 1]), (7, &[9; 40])]).is_some()
        );
        assert!(request.write(&mut out, &key).is_some());
        assert!(write_success(&mut out, &[1; 12], mapped, &key).is_some());
        let mut writer = CompoundWriter::new(&mut datagram);
        assert!(writer.write_receiver_report(Ssrc(1), &[ReportBlock::default(); 4]));
        assert!(writer.write_cname(Ssrc(1), "name"));
        assert_eq!(writer.write_nack(Ssrc(1), Ssrc(2), &[1, 2, 3, 40, 60]), 5);
        assert!(writer.write_remb(Ssrc(1), Bitrate::from_kbps(900), &[Ssrc(2)]));
        let head = FeedbackHeader {
            sender: Ssrc(1),
            media: Ssrc(2),
            base: SeqNo(0x1_0000),
            feedback_count: 1,
        };
        assert!(writer.write_transport_feedback(&head, &arrivals).is_some());
    });
    assert_eq!(counted.count_total, 0);
}
