//! ClientHellos field by field, and in fragments.

use super::*;

const SUPPORTED_GROUPS: u16 = 10;

/// Fields of a ClientHello.
#[derive(Clone)]
struct Fields {
    suites: Vec<u16>,
    versions: Vec<[u8; 2]>,
    profiles: Vec<u16>,
    /// Groups of the key shares.
    shares: Vec<u16>,
    cookie: Option<Vec<u8>>,
    padding: Option<usize>,
}

impl Fields {
    /// A client that lists what Firefox does.
    fn firefox() -> Self {
        Self {
            suites: vec![0x1301, 0x1303, 0xc02b],
            versions: vec![DTLS_1_3, DTLS_1_2],
            profiles: vec![7, 8, 1, 2],
            shares: vec![0x11ec, 0x001d],
            cookie: None,
            padding: None,
        }
    }

    fn write(&self) -> Vec<u8> {
        let u16s =
            |list: &[u16]| -> Vec<u8> { list.iter().flat_map(|it| it.to_be_bytes()).collect() };
        let versions = self.versions.concat();
        let shares = self.shares.iter().flat_map(|group| {
            let key = vec![7; if *group == 0x11ec { 1_216 } else { 32 }];
            [&group.to_be_bytes()[..], &prefixed_u16(&key)].concat()
        });
        let profiles = [prefixed_u16(&u16s(&self.profiles)), vec![0]].concat();
        let mut extensions = vec![
            (SUPPORTED_GROUPS, prefixed_u16(&u16s(&self.shares))),
            (extension::SUPPORTED_VERSIONS, prefixed_u8(&versions)),
            (
                extension::KEY_SHARE,
                prefixed_u16(&shares.collect::<Vec<u8>>()),
            ),
        ];
        if let Some(cookie) = &self.cookie {
            extensions.push((extension::COOKIE, prefixed_u16(cookie)));
        }
        extensions.push((extension::USE_SRTP, profiles));
        if let Some(len) = self.padding {
            extensions.push((extension::PADDING, vec![0; len]));
        }
        let extensions: Vec<u8> = extensions
            .into_iter()
            .flat_map(|(kind, data)| [&kind.to_be_bytes()[..], &prefixed_u16(&data)].concat())
            .collect();
        [
            DTLS_1_2.to_vec(),
            vec![5; 32],
            vec![0, 0],
            prefixed_u16(&u16s(&self.suites)),
            vec![1, 0],
            prefixed_u16(&extensions),
        ]
        .concat()
    }

    fn accepts_hello_retry(&self) -> bool {
        ClientHello::parse(&self.write())
            .unwrap()
            .accepts_hello_retry()
    }
}

fn prefixed_u8(bytes: &[u8]) -> Vec<u8> {
    [&[u8::try_from(bytes.len()).unwrap()], bytes].concat()
}

fn prefixed_u16(bytes: &[u8]) -> Vec<u8> {
    let len = u16::try_from(bytes.len()).unwrap();
    [&len.to_be_bytes()[..], bytes].concat()
}

#[test]
fn a_client_accepts_the_hello_retry_request_when_it_offers_all_of_it() {
    let firefox = Fields::firefox();
    assert!(firefox.accepts_hello_retry());
    let cases = [
        Fields {
            versions: vec![DTLS_1_2],
            ..firefox.clone()
        },
        Fields {
            suites: vec![0x1302, 0xc02b],
            ..firefox.clone()
        },
        Fields {
            shares: vec![0x11ec],
            ..firefox.clone()
        },
        Fields {
            shares: vec![],
            ..firefox.clone()
        },
    ];
    for (index, case) in cases.iter().enumerate() {
        assert!(!case.accepts_hello_retry(), "case {index}");
    }
    for group in GROUPS {
        let shares = vec![group];
        assert!(
            Fields {
                shares,
                ..firefox.clone()
            }
            .accepts_hello_retry()
        );
    }
}

#[test]
fn the_first_srtp_profile_counts() {
    let cases: [(&[u16], bool); 5] = [
        (&[8, 7, 1, 2], true),
        (&[7, 1], true),
        (&[1, 8, 7], false),
        (&[9, 8], false),
        (&[], false),
    ];
    for (profiles, expected) in cases {
        let profiles = profiles.to_vec();
        let hello = Fields {
            profiles,
            ..Fields::firefox()
        }
        .write();
        assert_eq!(
            ClientHello::parse(&hello).unwrap().prefers_aes_gcm(),
            expected
        );
    }
}

#[test]
fn a_client_hello_without_extensions_is_parsed() {
    let hello = [&DTLS_1_2[..], &[5; 32], &[0, 0, 0, 2, 0xc0, 0x2b, 1, 0]].concat();
    let parsed = ClientHello::parse(&hello).unwrap();
    assert!(!parsed.accepts_hello_retry() && !parsed.prefers_aes_gcm());
    assert_eq!(parsed.retry_cookie(), None);
    assert_eq!(hello_before_retry(&hello), None);
    for len in 0..hello.len() {
        assert_eq!(ClientHello::parse(&hello[..len]), None, "{len}");
    }
    assert_eq!(ClientHello::parse(&[&hello[..], &[0]].concat()), None);
}

#[test]
fn the_first_client_hello_is_restored_from_the_one_with_the_cookie() {
    let cookie = vec![3; COOKIE_LEN];
    // Behind a padded first one there is less padding: by the cookie with both of its headers.
    let cookie_len = EXTENSION_HEADER_LEN + 2 + COOKIE_LEN;
    for padding in [None, Some(cookie_len), Some(500)] {
        let first = Fields {
            padding,
            ..Fields::firefox()
        };
        let second = Fields {
            cookie: Some(cookie.clone()),
            padding: padding.map(|len| len - cookie_len),
            ..first.clone()
        };
        let second = second.write();
        let parsed = ClientHello::parse(&second).unwrap();
        assert_eq!(parsed.retry_cookie(), Some(&cookie[..]));
        assert_eq!(hello_before_retry(&second), Some(first.write()));
    }
    assert_eq!(hello_before_retry(&Fields::firefox().write()), None);
}

#[test]
fn a_hello_retry_request_ends_with_its_cookie() {
    let cookie = [9; COOKIE_LEN];
    let datagram = write_hello_retry(&cookie);
    assert_eq!(
        datagram.len(),
        13 + 12 + 2 + 32 + 4 + 2 + 6 + 6 + COOKIE_LEN
    );
    assert_eq!(usize::from(datagram[12]), datagram.len() - 13);
    assert_eq!(usize::from(datagram[16]), datagram.len() - 25);
    assert!(datagram.ends_with(&cookie));
}

/// Returns the fragment of a message that starts at `offset`.
fn fragment(body: &[u8], offset: usize, len: usize) -> HelloFragment<'_> {
    HelloFragment {
        seq: 0,
        message_len: body.len(),
        offset,
        bytes: &body[offset..body.len().min(offset + len)],
    }
}

#[test]
fn client_hellos_are_reassembled_from_any_number_of_fragments() {
    let body = Fields::firefox().write();
    for len in [1, 100, body.len() - 1, body.len()] {
        let mut reassembly = HelloReassembly::default();
        for offset in (0..body.len()).step_by(len) {
            let is_last = offset + len >= body.len();
            let expected = is_last.then(|| body.clone());
            assert_eq!(reassembly.add(&fragment(&body, offset, len)), expected);
        }
    }
}

#[test]
fn forged_fragments_do_not_keep_a_client_hello_from_being_read() {
    let body = Fields::firefox().write();
    let mut forged = body.clone();
    *forged.last_mut().unwrap() ^= 1;
    let mut reassembly = HelloReassembly::default();
    reassembly.add(&fragment(&body, 0, 1_000));
    for _ in 0..PARTIAL_HELLOS_MAX {
        // What is known already replaces nothing else.
        reassembly.add(&fragment(&forged, 0, 1_000));
        assert_eq!(
            reassembly.add(&fragment(&forged, 1_000, 1_000)),
            Some(forged.clone())
        );
    }
    let last = fragment(&body, 1_000, 1_000);
    assert_eq!(reassembly.add(&last), Some(body.clone()));
}

#[test]
fn incomplete_client_hellos_are_bounded() {
    let mut reassembly = HelloReassembly::default();
    let body = vec![0; HELLO_LEN_MAX + 1];
    assert_eq!(reassembly.add(&fragment(&body, 0, body.len())), None);
    assert!(reassembly.is_empty());
    let bodies: Vec<_> = (0..=u8::try_from(PARTIAL_HELLOS_MAX).unwrap())
        .map(|byte| vec![byte; HELLO_LEN_MAX])
        .collect();
    for body in &bodies {
        reassembly.add(&fragment(body, 0, 1_000));
    }
    // The oldest one is gone.
    let rest = fragment(&bodies[0], 1_000, HELLO_LEN_MAX);
    let completed = reassembly.add(&rest).unwrap();
    assert_eq!(completed[0], bodies[PARTIAL_HELLOS_MAX][0]);
    let overrun = HelloFragment {
        offset: HELLO_LEN_MAX,
        ..rest
    };
    assert_eq!(reassembly.add(&overrun), None);
}
