//! Cost of parsing and writing the packets of a call. A header is parsed once per incoming packet
//! and written once per outgoing packet.

#![expect(clippy::unwrap_used, reason = "the packets built here are valid")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use watersmeet_wire::rtcp::twcc::FeedbackHeader;
use watersmeet_wire::rtcp::write::CompoundWriter;
use watersmeet_wire::rtcp::{Packet, packets};
use watersmeet_wire::rtp::{RtpHeader, RtpHeaderFields, write_header};
use watersmeet_wire::stun::{BindingRequest, IceRole, IntegrityKey, StunMessage, write_success};
use watersmeet_wire::units::{Pt, SeqNo, Ssrc, Time};

const FIELDS: RtpHeaderFields = RtpHeaderFields {
    marker: true,
    padding: false,
    pt: Pt(96),
    seq: 7,
    timestamp: 8,
    ssrc: Ssrc(9),
};

const EXTENSIONS: [(u8, &[u8]); 4] = [(1, b"0"), (2, b"r0"), (4, &[1, 2, 3]), (5, &[0, 1])];

fn rtp(criterion: &mut Criterion) {
    let mut packet = [0; 1_200];
    write_header(&mut packet, &FIELDS, &EXTENSIONS).unwrap();
    criterion.bench_function("rtp/parse", |bencher| {
        bencher.iter(|| RtpHeader::parse(black_box(&packet)));
    });
    criterion.bench_function("rtp/parse and iterate 4 extensions", |bencher| {
        bencher.iter(|| {
            let packet = black_box(&packet);
            let header = RtpHeader::parse(packet).unwrap();
            header
                .extensions(packet)
                .map(|(id, value)| usize::from(id) + value.len())
                .sum::<usize>()
        });
    });
    criterion.bench_function("rtp/write with 4 extensions", |bencher| {
        bencher.iter(|| write_header(black_box(&mut packet), black_box(&FIELDS), &EXTENSIONS));
    });
}

fn stun(criterion: &mut Criterion) {
    let key = IntegrityKey::from_password("a password of some length");
    let request = BindingRequest {
        transaction_id: [1; 12],
        username: "server-ufrag:client",
        priority: 1,
        role: IceRole::Controlling(1),
        use_candidate: true,
        nomination: None,
        network_info: None,
    };
    let mut datagram = [0; 200];
    let len = request.write(&mut datagram, &key).unwrap();
    let datagram = datagram.get(..len).unwrap();
    let mapped = "192.0.2.1:5000".parse().unwrap();
    criterion.bench_function("stun/parse, verify and answer", |bencher| {
        let mut out = [0; 100];
        bencher.iter(|| {
            let message = StunMessage::parse(black_box(datagram)).unwrap();
            assert!(message.verify(&key));
            write_success(&mut out, &message.transaction_id, mapped, &key)
        });
    });
}

fn feedback(criterion: &mut Criterion) {
    let arrivals: Vec<(SeqNo, Time)> = (0..100)
        .map(|seq| (SeqNo(0x1_0000 + seq), Time::from_millis(1_000 + seq / 2)))
        .collect();
    let head = FeedbackHeader {
        sender: Ssrc(1),
        media: Ssrc(2),
        base: SeqNo(0x1_0000),
        feedback_count: 1,
    };
    let mut out = Vec::with_capacity(1_500);
    criterion.bench_function("rtcp/write feedback on 100 packets", |bencher| {
        bencher.iter(|| {
            out.clear();
            CompoundWriter::new(&mut out).write_transport_feedback(&head, black_box(&arrivals))
        });
    });
    criterion.bench_function("rtcp/read feedback on 100 packets", |bencher| {
        bencher.iter(|| match packets(black_box(&out)).next() {
            Some(Ok(Packet::TransportFeedback(feedback))) => {
                feedback.packets().filter_map(|(_, at)| at).sum::<i64>()
            }
            _ => 0,
        });
    });
}

criterion_group!(benches, rtp, stun, feedback);
criterion_main!(benches);
