//! RFC 5769's messages, and the rules of RFC 8489 §14 one by one.

use super::format::{COOKIE, attribute};
use super::integrity::fingerprint;
use super::*;

const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";
const TRANSACTION: TransactionId = [
    0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae,
];

/// RFC 5769 §2.1.
const REQUEST: &str = "000100582112a442b7e7a701bc34d686fa87dfae\
    802200105354554e207465737420636c69656e74\
    002400046e0001ff\
    80290008932ff9b151263b36\
    000600096576746a3a68367659202020\
    000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2\
    80280004e57a3bcf";

/// RFC 5769 §2.2.
const RESPONSE_V4: &str = "0101003c2112a442b7e7a701bc34d686fa87dfae\
    8022000b7465737420766563746f7220\
    002000080001a147e112a643\
    000800142b91f599fd9e90c38c7489f92af9ba53f06be7d7\
    80280004c07d4c96";

/// RFC 5769 §2.3.
const RESPONSE_V6: &str = "010100482112a442b7e7a701bc34d686fa87dfae\
    8022000b7465737420766563746f7220\
    002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9\
    00080014a382954e4be67bf11784c97c8292c275bfe3ed41\
    80280004c8fb0b4c";

/// RFC 5769 §2.4; its key is the MD5 hash of user, realm and password, separated by colons.
const LONG_TERM: &str = "000100602112a44278ad3433c6ad72c029da412e\
    00060012e3839ee38388e383aae38383e382afe382b90000\
    0015001c662f2f3439396b39353464364f4c33346f4c39465354767936347341\
    0014000b6578616d706c652e6f726700\
    00080014f67024656dd64a3e02b8e0712e85c9a28ca89666";

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2)
        .map(|i| u8::from_str_radix(&hex[i * 2..i * 2 + 2], 16).unwrap())
        .collect()
}

/// Returns a message with these attributes and a correct length.
fn message(kind: u16, attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut out = kind.to_be_bytes().to_vec();
    out.extend([0, 0]);
    out.extend(COOKIE.to_be_bytes());
    out.extend(TRANSACTION);
    for (kind, value) in attributes {
        out.extend(kind.to_be_bytes());
        out.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        out.extend_from_slice(value);
        out.resize(out.len().next_multiple_of(4), 0xff);
    }
    let len = u16::try_from(out.len() - HEADER_LEN).unwrap();
    out[2..4].copy_from_slice(&len.to_be_bytes());
    out
}

fn parse(datagram: &[u8]) -> StunMessage<'_> {
    StunMessage::parse(datagram).unwrap()
}

fn request() -> BindingRequest<'static> {
    BindingRequest {
        transaction_id: TRANSACTION,
        username: "server:client",
        priority: 0x6e00_01ff,
        role: IceRole::Controlling(0x0102_0304_0506_0708),
        use_candidate: true,
        nomination: Some(7),
        network_info: None,
    }
}

fn written_request(key: &IntegrityKey) -> Vec<u8> {
    let mut out = vec![0; 200];
    let len = request().write(&mut out, key).unwrap();
    out.truncate(len);
    out
}

#[test]
fn request_of_rfc_5769_is_parsed_and_verified() {
    let datagram = bytes(REQUEST);
    let message = parse(&datagram);
    assert_eq!(message.class, Class::Request);
    assert_eq!(message.method, BINDING);
    assert_eq!(message.transaction_id, TRANSACTION);
    assert_eq!(message.username, Some("evtj:h6vY"));
    assert_eq!(message.ufrags(), Some(("evtj", "h6vY")));
    assert_eq!(message.priority, Some(0x6e00_01ff));
    assert_eq!(
        message.role,
        Some(IceRole::Controlled(0x932f_f9b1_5126_3b36))
    );
    assert!(message.has_fingerprint);
    assert!(message.unknown_attributes.is_empty());
    assert!(message.verify(&IntegrityKey::from_password(PASSWORD)));
    assert!(!message.verify(&IntegrityKey::from_password("VOkJxbRl1RmTxUk/WvJxBu")));
}

#[test]
fn responses_of_rfc_5769_are_parsed_and_verified() {
    for (hex, address) in [
        (RESPONSE_V4, "192.0.2.1:32853"),
        (RESPONSE_V6, "[2001:db8:1234:5678:11:2233:4455:6677]:32853"),
    ] {
        let datagram = bytes(hex);
        let message = parse(&datagram);
        assert_eq!(message.class, Class::Success);
        assert_eq!(message.mapped_address, Some(address.parse().unwrap()));
        assert!(message.verify(&IntegrityKey::from_password(PASSWORD)));
    }
}

#[test]
fn long_term_request_of_rfc_5769_is_verified_without_a_fingerprint() {
    let datagram = bytes(LONG_TERM);
    let message = parse(&datagram);
    assert_eq!(message.username, Some("マトリックス"));
    assert!(!message.has_fingerprint);
    assert!(message.unknown_attributes.is_empty());
    assert!(message.verify(&IntegrityKey::from_bytes(&bytes(
        "e8ca7ad59d5eb0518e312911d2dab2a9"
    ))));
}

#[test]
fn written_request_reads_back() {
    let key = IntegrityKey::from_password(PASSWORD);
    let datagram = written_request(&key);
    let message = parse(&datagram);
    assert_eq!(message.class, Class::Request);
    assert_eq!(message.ufrags(), Some(("server", "client")));
    assert_eq!(message.priority, Some(0x6e00_01ff));
    assert_eq!(
        message.role,
        Some(IceRole::Controlling(0x0102_0304_0506_0708))
    );
    assert!(message.use_candidate);
    assert_eq!(message.nomination, Some(7));
    assert!(message.has_fingerprint);
    assert!(message.verify(&key));
    let quiet = BindingRequest {
        role: IceRole::Controlled(9),
        use_candidate: false,
        nomination: None,
        network_info: None,
        ..request()
    };
    let mut out = [0; 200];
    let len = quiet.write(&mut out, &key).unwrap();
    let message = parse(&out[..len]);
    assert_eq!(message.role, Some(IceRole::Controlled(9)));
    assert!(!message.use_candidate);
    assert_eq!(message.nomination, None);
}

#[test]
fn written_response_holds_the_source_address_and_has_a_known_length() {
    let key = IntegrityKey::from_password(PASSWORD);
    for (address, expected) in [("192.0.2.1:32853", 64), ("[2001:db8::7]:1", 76)] {
        let mut out = [0; 76];
        let len = write_success(&mut out, &TRANSACTION, address.parse().unwrap(), &key).unwrap();
        assert_eq!(len, expected);
        let message = parse(&out[..len]);
        assert_eq!(message.class, Class::Success);
        assert_eq!(message.mapped_address, Some(address.parse().unwrap()));
        assert!(message.verify(&key));
        assert!(message.has_fingerprint);
        let mut short = vec![0; len - 1];
        assert_eq!(
            write_success(&mut short, &TRANSACTION, address.parse().unwrap(), &key),
            None
        );
    }
}

#[test]
fn written_error_response_has_its_code_and_the_unknown_attributes() {
    let key = IntegrityKey::from_password(PASSWORD);
    for code in [
        ErrorCode::BadRequest,
        ErrorCode::Unauthenticated,
        ErrorCode::UnknownAttribute,
        ErrorCode::RoleConflict,
    ] {
        let mut out = [0; 200];
        let len = write_error(&mut out, &TRANSACTION, code, &[], None).unwrap();
        let message = parse(&out[..len]);
        assert_eq!(message.class, Class::Error);
        assert_eq!(message.error_code, Some(code.code()));
        assert!(!message.has_integrity());
        assert!(!message.verify(&key));
    }
    let mut out = [0; 200];
    let unknown = [0x0002, 0x0003, 0x0004];
    let len = write_error(
        &mut out,
        &TRANSACTION,
        ErrorCode::UnknownAttribute,
        &unknown,
        Some(&key),
    )
    .unwrap();
    let list = [0x00, 0x0a, 0, 6, 0, 2, 0, 3, 0, 4, 0, 0];
    assert!(out[..len].windows(list.len()).any(|window| window == list));
    assert!(parse(&out[..len]).verify(&key));
}

#[test]
fn written_indication_is_a_header_and_a_fingerprint() {
    let mut out = [0; 28];
    assert_eq!(write_indication(&mut out, &TRANSACTION), Some(28));
    let message = parse(&out);
    assert_eq!(message.class, Class::Indication);
    assert_eq!(message.transaction_id, TRANSACTION);
    assert!(message.has_fingerprint);
}

#[test]
fn class_and_method_bits_are_interleaved() {
    for (kind, class, method) in [
        (0x0001, Class::Request, 1),
        (0x0011, Class::Indication, 1),
        (0x0101, Class::Success, 1),
        (0x0111, Class::Error, 1),
        (0x02ef, Class::Request, 0x0ff),
        (0x0020, Class::Request, 0x010),
        (0x0200, Class::Request, 0x080),
    ] {
        let datagram = message(kind, &[]);
        let message = parse(&datagram);
        assert_eq!((message.class, message.method), (class, method));
    }
}

#[test]
fn any_changed_byte_is_detected() {
    let key = IntegrityKey::from_password(PASSWORD);
    let datagram = written_request(&key);
    for at in 0..datagram.len() {
        for bit in 0..8 {
            let mut changed = datagram.clone();
            changed[at] ^= 1 << bit;
            let accepted = StunMessage::parse(&changed)
                .is_ok_and(|message| message.has_fingerprint && message.verify(&key));
            assert!(!accepted, "byte {at} bit {bit}");
        }
    }
}

#[test]
fn truncated_or_extended_message_is_rejected() {
    let mut datagram = bytes(REQUEST);
    for len in 0..datagram.len() {
        assert_eq!(
            StunMessage::parse(&datagram[..len]).unwrap_err(),
            StunError::Length
        );
    }
    datagram.extend([0; 4]);
    assert_eq!(
        StunMessage::parse(&datagram).unwrap_err(),
        StunError::Length
    );
    let mut odd = message(1, &[]);
    odd.extend([0; 2]);
    odd[3] = 2;
    assert_eq!(StunMessage::parse(&odd).unwrap_err(), StunError::Length);
}

#[test]
fn message_without_the_cookie_is_not_stun() {
    let mut datagram = message(1, &[]);
    datagram[4] ^= 1;
    assert_eq!(
        StunMessage::parse(&datagram).unwrap_err(),
        StunError::Cookie
    );
    let mut datagram = message(1, &[]);
    datagram[0] = 0x40;
    assert_eq!(
        StunMessage::parse(&datagram).unwrap_err(),
        StunError::Cookie
    );
    assert!((0..4).all(is_stun) && !(4..=255).any(is_stun));
}

#[test]
fn attributes_after_the_integrity_are_ignored() {
    let key = IntegrityKey::from_password(PASSWORD);
    let mut covered = message(1, &[(attribute::PRIORITY, &[0, 0, 0, 1])]);
    let tag = key.sign(&covered).unwrap();
    let late: [(u16, &[u8]); 5] = [
        (attribute::MESSAGE_INTEGRITY, tag.as_ref()),
        (attribute::USERNAME, b"a:b"),
        (attribute::USE_CANDIDATE, b""),
        (attribute::MESSAGE_INTEGRITY, &[0; 20]),
        (0x0003, b"\0\0\0\0"),
    ];
    let rest = message(1, &late);
    covered.extend_from_slice(&rest[HEADER_LEN..]);
    let len = u16::try_from(covered.len() - HEADER_LEN).unwrap();
    covered[2..4].copy_from_slice(&len.to_be_bytes());
    let message = parse(&covered);
    assert!(message.verify(&key));
    assert_eq!(message.priority, Some(1));
    assert_eq!(message.username, None);
    assert!(!message.use_candidate);
    assert!(message.unknown_attributes.is_empty());
}

#[test]
fn first_of_repeated_attributes_counts() {
    let datagram = message(
        1,
        &[
            (attribute::USERNAME, b"first:x"),
            (attribute::USERNAME, b"second:x"),
            (attribute::PRIORITY, &[0, 0, 0, 1]),
            (attribute::PRIORITY, &[0, 0, 0, 2]),
            (attribute::ICE_CONTROLLING, &[0; 8]),
            (attribute::ICE_CONTROLLED, &[1; 8]),
        ],
    );
    let message = parse(&datagram);
    assert_eq!(message.username, Some("first:x"));
    assert_eq!(message.priority, Some(1));
    assert_eq!(message.role, Some(IceRole::Controlling(0)));
}

#[test]
fn both_types_of_the_nomination_attribute_are_read() {
    for kind in [attribute::NOMINATION, attribute::NOMINATION_DRAFT] {
        let datagram = message(1, &[(kind, &[0, 0, 0, 3])]);
        let message = parse(&datagram);
        assert_eq!(message.nomination, Some(3));
        assert!(message.unknown_attributes.is_empty());
    }
}

#[test]
fn unknown_attributes_are_listed_once_and_only_if_comprehension_is_required() {
    let datagram = message(
        1,
        &[
            (0x0003, b""),
            (0x7fff, b"abc"),
            (0x0003, b"x"),
            (0x8000, b""),
            (0xffff, b""),
        ],
    );
    assert_eq!(parse(&datagram).unknown_attributes[..], [0x0003, 0x7fff]);

    let many: Vec<(u16, &[u8])> = (0x0100..0x0120).map(|kind| (kind, &b""[..])).collect();
    let datagram = message(1, &many);
    assert_eq!(many.len(), ATTRIBUTES_MAX);
    assert_eq!(
        parse(&datagram).unknown_attributes.len(),
        UNKNOWN_ATTRIBUTES_MAX
    );
}

#[test]
fn number_of_attributes_is_bounded() {
    let attributes = [(0x8000, &b""[..]); ATTRIBUTES_MAX + 1];
    assert!(StunMessage::parse(&message(1, &attributes[1..])).is_ok());
    assert_eq!(
        StunMessage::parse(&message(1, &attributes)).unwrap_err(),
        StunError::TooManyAttributes
    );
}

#[test]
fn impossible_attribute_values_are_rejected() {
    let cases: [(u16, &[u8]); 12] = [
        (attribute::USERNAME, b"\xff"),
        (attribute::PRIORITY, b"123"),
        (attribute::ICE_CONTROLLED, b"1234567"),
        (attribute::ICE_CONTROLLING, b"123456789"),
        (attribute::NOMINATION, b""),
        (attribute::MESSAGE_INTEGRITY, &[0; 19]),
        (attribute::FINGERPRINT, &[0; 5]),
        (attribute::XOR_MAPPED_ADDRESS, &[0, 1, 0, 0, 0, 0, 0]),
        (attribute::XOR_MAPPED_ADDRESS, &[0, 2, 0, 0, 0, 0, 0, 0]),
        (attribute::XOR_MAPPED_ADDRESS, &[0, 3, 0, 0, 0, 0, 0, 0]),
        (attribute::ERROR_CODE, &[0, 0, 2, 0]),
        (attribute::ERROR_CODE, &[0, 0, 4, 100]),
    ];
    for (kind, value) in cases {
        let datagram = message(1, &[(kind, value)]);
        assert_eq!(
            StunMessage::parse(&datagram).unwrap_err(),
            StunError::Value(kind)
        );
    }
}

#[test]
fn attribute_longer_than_the_message_is_rejected() {
    let mut datagram = message(1, &[(attribute::USERNAME, b"abcd")]);
    datagram[23] = 5;
    assert_eq!(
        StunMessage::parse(&datagram).unwrap_err(),
        StunError::Overrun(attribute::USERNAME)
    );
}

#[test]
fn fingerprint_must_be_correct_and_last() {
    let mut datagram = bytes(REQUEST);
    let last = datagram.len() - 1;
    datagram[last] ^= 1;
    assert_eq!(
        StunMessage::parse(&datagram).unwrap_err(),
        StunError::Fingerprint
    );

    let mut early = message(1, &[(attribute::FINGERPRINT, &[0; 4]), (0x8000, b"")]);
    let crc = fingerprint(&early[..HEADER_LEN]).to_be_bytes();
    early[24..28].copy_from_slice(&crc);
    assert_eq!(
        StunMessage::parse(&early).unwrap_err(),
        StunError::Fingerprint
    );
}

#[test]
fn debug_output_hides_the_key() {
    let shown = format!("{:?}", IntegrityKey::from_password("secret"));
    assert!(!shown.contains("secret"));
}
