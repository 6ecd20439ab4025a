//! Tests of headers against published bytes and an independent parser.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;

const LOCAL: Mac = [2, 0, 0, 0, 0, 1];
const NEXT_HOP: Mac = [2, 0, 0, 0, 0, 2];

/// Computes the checksum two bytes at a time, as in RFC 1071 §4.1.
fn plain_checksum(bytes: &[u8]) -> u16 {
    let mut sum = 0_u32;
    for pair in bytes.chunks(2) {
        sum += u32::from(u16::from_be_bytes([
            pair[0],
            pair.get(1).copied().unwrap_or(0),
        ]));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap()
}

/// Returns a packet with `payload` from port 5,000 to port 6,000.
fn packet(source: IpAddr, destination: IpAddr, payload: &[u8]) -> Vec<u8> {
    let template = FrameTemplate::new((LOCAL, NEXT_HOP), source, 5_000, destination).unwrap();
    let mut frame = vec![0xaa; 2_000];
    let len = template.write(&mut frame, 6_000, payload).unwrap();
    assert!(frame[len..].iter().all(|byte| *byte == 0xaa));
    frame.truncate(len);
    frame
}

/// Returns the bytes that the UDP checksum covers: addresses, protocol, length, header, payload.
fn checksummed_bytes(addresses: &[u8], udp: &[u8]) -> Vec<u8> {
    let len = u16::try_from(udp.len()).unwrap().to_be_bytes();
    [addresses, &[0, PROTOCOL_UDP], &len, udp].concat()
}

#[test]
fn checksum_matches_the_example_of_rfc_1071() {
    // RFC 1071 §3: the sum is ddf2, so the checksum is its complement.
    let mut sum = ChecksumSum::default();
    sum.add(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
    assert_eq!(sum.checksum(), [0x22, 0x0d]);
}

#[test]
fn checksum_of_any_length_matches_the_two_byte_algorithm() {
    let bytes: Vec<u8> = (0..=255)
        .cycle()
        .map(|byte: u8| byte.wrapping_mul(77))
        .take(9_000)
        .collect();
    for len in (0..70).chain([1_199, 1_200, 1_201, 9_000]) {
        let mut sum = ChecksumSum::default();
        sum.add(&bytes[..len]);
        assert_eq!(
            sum.checksum(),
            plain_checksum(&bytes[..len]).to_be_bytes(),
            "{len}"
        );
    }
    let mut sum = ChecksumSum::default();
    sum.add(&[0xff; 9_000]);
    assert_eq!(sum.checksum(), [0, 0]);
}

#[test]
fn ipv4_header_matches_a_published_one() {
    // An IPv4 header printed with its checksum (b861) in many textbooks, carrying UDP.
    let source = Ipv4Addr::new(192, 168, 0, 1);
    let destination = Ipv4Addr::new(192, 168, 0, 199);
    let frame = packet(source.into(), destination.into(), &[0; 87]);
    let mut ip: [u8; 20] = *frame[14..].first_chunk().unwrap();
    assert_eq!(ip[..2], [0x45, 0x00]);
    assert_eq!(ip[2..4], 115_u16.to_be_bytes());
    assert_eq!(ip[6..10], [0x40, 0x00, 0x40, 0x11]);
    assert_eq!(ip[10..12], [0xb8, 0x61]);
    ip[10..12].fill(0);
    assert_eq!(plain_checksum(&ip), 0xb861);
}

#[test]
fn ipv4_headers_contain_addresses_lengths_and_valid_checksums() {
    let source = Ipv4Addr::new(10, 1, 2, 3);
    let destination = Ipv4Addr::new(203, 0, 113, 9);
    for len in [0, 1, 2, 3, 100, 1_199, 1_200, 1_472] {
        let payload: Vec<u8> = (0..=255).cycle().take(len).collect();
        let frame = packet(source.into(), destination.into(), &payload);
        assert_eq!(frame[..6], NEXT_HOP);
        assert_eq!(frame[6..12], LOCAL);
        assert_eq!(frame[12..14], [0x08, 0x00]);
        let (ip, udp) = frame[14..].split_at(20);
        assert_eq!(
            plain_checksum(ip),
            0,
            "a header with its checksum sums to zero"
        );
        assert_eq!(usize::from(u16::from_be_bytes([ip[2], ip[3]])), 28 + len);
        assert_eq!(ip[12..16], source.octets());
        assert_eq!(ip[16..20], destination.octets());
        assert_eq!(
            udp[..4],
            [5_000_u16.to_be_bytes(), 6_000_u16.to_be_bytes()].concat()
        );
        assert_eq!(usize::from(u16::from_be_bytes([udp[4], udp[5]])), 8 + len);
        assert_eq!(udp[8..], payload);
        assert_eq!(plain_checksum(&checksummed_bytes(&ip[12..20], udp)), 0);
    }
}

#[test]
fn ipv6_headers_contain_addresses_lengths_and_valid_checksums() {
    let source: Ipv6Addr = "2001:db8::1".parse().unwrap();
    let destination: Ipv6Addr = "2001:db8:7::9".parse().unwrap();
    for len in [0, 1, 99, 1_200, 1_452] {
        let payload: Vec<u8> = (0..=255).rev().cycle().take(len).collect();
        let frame = packet(source.into(), destination.into(), &payload);
        assert_eq!(frame[12..14], [0x86, 0xdd]);
        let (ip, udp) = frame[14..].split_at(40);
        assert_eq!(ip[..4], [0x60, 0, 0, 0]);
        assert_eq!(usize::from(u16::from_be_bytes([ip[4], ip[5]])), 8 + len);
        assert_eq!(ip[6..8], [17, 64]);
        assert_eq!(ip[8..24], source.octets());
        assert_eq!(ip[24..40], destination.octets());
        assert_eq!(usize::from(u16::from_be_bytes([udp[4], udp[5]])), 8 + len);
        assert_eq!(udp[8..], payload);
        assert_eq!(plain_checksum(&checksummed_bytes(&ip[8..40], udp)), 0);
    }
}

#[test]
fn zero_udp_checksum_is_sent_as_ffff() {
    let source = Ipv4Addr::new(10, 0, 0, 1).into();
    let destination = Ipv4Addr::new(10, 0, 0, 2).into();
    // A payload equal to the checksum of the rest makes the checksum zero.
    let frame = packet(source, destination, &[0, 0]);
    let payload = [frame[14 + 20 + 6], frame[14 + 20 + 7]];
    let frame = packet(source, destination, &payload);
    assert_eq!(frame[14 + 20 + 6..][..2], [0xff, 0xff]);
    assert_eq!(
        plain_checksum(&checksummed_bytes(&frame[26..34], &frame[34..])),
        0
    );
}

#[test]
fn oversized_payload_is_not_written() {
    let v4 = IpAddr::from([10, 0, 0, 1]);
    let v6 = IpAddr::V6(Ipv6Addr::LOCALHOST);
    assert_eq!(FrameTemplate::new((LOCAL, NEXT_HOP), v4, 1, v6), None);
    let template = FrameTemplate::new((LOCAL, NEXT_HOP), v4, 1, v4).unwrap();
    assert_eq!(template.write(&mut [0; 141], 1, &[0; 100]), None);
    assert_eq!(template.write(&mut [0; 142], 1, &[0; 100]), Some(142));
    let mut long = vec![0; 70_000];
    assert_eq!(template.write(&mut long, 1, &[0; 65_508]), None);
    assert!(template.write(&mut long, 1, &[0; 65_507]).is_some());
    assert_eq!((overhead(v4), overhead(v6)), (28, 48));
}
