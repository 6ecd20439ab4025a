//! Published test vectors, boundaries of the replay window, and forged packets.

#![expect(
    clippy::cast_possible_truncation,
    reason = "the numbers of these tests are small"
)]

use watersmeet_wire::units::{SeqNo, Ssrc};

use super::session_key::{KeyDerivation, KeyPurpose, SessionKey};
use super::*;

const SSRC: Ssrc = Ssrc(0x5501_a0b2);

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .map(|byte| (byte as char).to_digit(16).unwrap() as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

fn master_key(profile: SrtpProfile) -> Vec<u8> {
    (0..profile.master_len() as u8)
        .map(|byte| byte.wrapping_mul(7) + 1)
        .collect()
}

fn pair(profile: SrtpProfile) -> (SrtpSender, SrtpReceiver) {
    let master = master_key(profile);
    (
        SrtpSender::new(profile, &master).unwrap(),
        SrtpReceiver::new(profile, &master).unwrap(),
    )
}

fn rtp(ssrc: Ssrc, seq: SeqNo, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, 96];
    packet.extend_from_slice(&seq.raw().to_be_bytes());
    packet.extend_from_slice(&[0; 4]);
    packet.extend_from_slice(&ssrc.0.to_be_bytes());
    packet.extend_from_slice(payload);
    packet
}

fn rtcp(ssrc: Ssrc, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, 201, 0, 1 + (payload.len() / 4) as u8];
    packet.extend_from_slice(&ssrc.0.to_be_bytes());
    packet.extend_from_slice(payload);
    packet
}

fn seal(sender: &mut SrtpSender, ssrc: Ssrc, seq: SeqNo, payload: &[u8]) -> Vec<u8> {
    let mut slot = rtp(ssrc, seq, payload);
    let plain_len = slot.len();
    slot.resize(plain_len + sender.overhead(), 0);
    assert_eq!(
        sender.protect_rtp(ssrc, seq, &mut slot, 12, plain_len),
        Some(slot.len())
    );
    slot
}

fn seal_rtcp(sender: &mut SrtpSender, ssrc: Ssrc, payload: &[u8]) -> Vec<u8> {
    let mut slot = rtcp(ssrc, payload);
    let plain_len = slot.len();
    slot.resize(plain_len + sender.rtcp_overhead(), 0);
    assert_eq!(sender.protect_rtcp(&mut slot, plain_len), Some(slot.len()));
    slot
}

fn header_of(packet: &[u8]) -> SrtpHeader {
    SrtpHeader {
        seq: u16::from_be_bytes([packet[2], packet[3]]),
        ssrc: Ssrc(u32::from_be_bytes([
            packet[8], packet[9], packet[10], packet[11],
        ])),
        header_len: 12,
    }
}

fn open(receiver: &mut SrtpReceiver, packet: &[u8]) -> Result<Vec<u8>, SrtpError> {
    let mut packet = packet.to_vec();
    let plain_len = receiver.unprotect_rtp(header_of(&packet), &mut packet)?;
    packet.truncate(plain_len);
    Ok(packet)
}

fn open_rtcp(receiver: &mut SrtpReceiver, packet: &[u8]) -> Result<Vec<u8>, SrtpError> {
    let mut packet = packet.to_vec();
    let plain_len = receiver.unprotect_rtcp(&mut packet)?;
    packet.truncate(plain_len);
    Ok(packet)
}

#[test]
fn the_key_stream_matches_rfc_3711_b_2() {
    let key = unhex("2b7e151628aed2a6abf7158809cf4f3c");
    let salt = unhex("f0f1f2f3f4f5f6f7f8f9fafbfcfd");
    let mut stream = vec![0; 0xff02 * 16];
    KeyDerivation::new(&key, &salt)
        .unwrap()
        .fill(0, &mut stream)
        .unwrap();
    let block = |number: usize| stream[number * 16..][..16].to_vec();
    assert_eq!(block(0), unhex("e03ead0935c95e80e166b16dd92b4eb4"));
    assert_eq!(block(1), unhex("d23513162b02d0f72a43a2fe4a5f97ab"));
    assert_eq!(block(2), unhex("41e95b3bb0a2e8dd477901e4fca894c0"));
    assert_eq!(block(0xfeff), unhex("ec8cdf7398607cb0f2d21675ea9ea1e4"));
    assert_eq!(block(0xff00), unhex("362b7c3c6773516318a077d7fc5073ae"));
    assert_eq!(block(0xff01), unhex("6a2cc3787889374fbeb4c81b17ba6c44"));
}

#[test]
fn derived_keys_match_rfc_3711_b_3() {
    let key = unhex("e1f97a0d3e018be0d64fa32c06de4139");
    let salt = unhex("0ec675ad498afeebb6960b3aabe6");
    let derivation = KeyDerivation::new(&key, &salt).unwrap();
    let derive = |label, len| {
        let mut out = vec![0; len];
        derivation.fill(label, &mut out).unwrap();
        out
    };
    assert_eq!(derive(0, 16), unhex("c61e7a93744f39ee10734afe3ff7a087"));
    assert_eq!(derive(2, 14), unhex("30cbbc08863d8c85d49db34a9ae1"));
    assert_eq!(
        derive(1, 20),
        unhex("cebe321f6ff7716b6fd4ab49af256a156d38baa4")
    );
}

/// Packets protected with the key of RFC 3711 B.3, from libsrtp's test driver.
#[test]
fn counter_mode_packets_match_libsrtp() {
    let profile = SrtpProfile::AesCm128HmacSha1_80;
    let master = unhex("e1f97a0d3e018be0d64fa32c06de41390ec675ad498afeebb6960b3aabe6");
    let plain = unhex("800f1234decafbadcafebabeabababababababababababababababab");
    let sealed =
        unhex("800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb");
    let mut sender = SrtpSender::new(profile, &master).unwrap();
    let mut slot = plain.clone();
    slot.resize(plain.len() + 10, 0);
    let seq = SeqNo::first(0x1234);
    sender
        .protect_rtp(Ssrc(0xcafe_babe), seq, &mut slot, 12, plain.len())
        .unwrap();
    assert_eq!(slot, sealed);
    let mut receiver = SrtpReceiver::new(profile, &master).unwrap();
    assert_eq!(open(&mut receiver, &sealed).unwrap(), plain);

    let plain = unhex("81c8000bcafebabeabababababababababababababababab");
    let sealed =
        unhex("81c8000bcafebabe7128035be487b9bdbef89041f977a5a880000001993e08cd54d6c1230798");
    let mut slot = plain.clone();
    slot.resize(plain.len() + 14, 0);
    sender.protect_rtcp(&mut slot, plain.len()).unwrap();
    assert_eq!(slot, sealed);
    assert_eq!(open_rtcp(&mut receiver, &sealed).unwrap(), plain);
}

#[test]
fn gcm_packets_match_rfc_7714() {
    let salt = *unhex("517569642070726f2071756f").first_chunk().unwrap();
    let rtp = unhex(
        "8040f17b8041f8d35501a0b247616c6c696120657374206f6d6e6973206469
         7669736120696e207061727465732074726573",
    );
    let rtcp = unhex(
        "81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61
         deadbeefdeadbeefdeadbeefdeadbeefdeadbeef",
    );
    let cases = [
        (
            16,
            "8040f17b8041f8d35501a0b2f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7
             d19b36de3adf8833899d7f27beb16a9152cf765ee4390cce",
            "81c8000d4d61727363e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce0
             9b4686303ded0bb9275bc84aa45896cf4d2fc5abf87245d9eade800005d4",
        ),
        (
            32,
            "8040f17b8041f8d35501a0b232b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ff
             ae0f1ba63799b87b7aa3db36dfffd6b0f9bb7878d7a76c13",
            "81c8000d4d617273d50ae4d1f5ce5d304ba297e47d470c282c3ece5dbffe0a50a2eaa5c1110555be8415
             f658c61de0476f1b6fad1d1eb30c4446839f57ff6f6cb26ac3be800005d4",
        ),
    ];
    for (key_len, srtp, srtcp) in cases {
        let key: Vec<u8> = (0..key_len).collect();
        let key = SessionKey::gcm(&key, salt).unwrap();
        let (srtp, srtcp) = (unhex(srtp), unhex(srtcp));

        let mut slot = rtp.clone();
        slot.resize(rtp.len() + 16, 0);
        assert_eq!(
            key.seal_rtp(SSRC, 0xf17b, &mut slot, 12, rtp.len()),
            Some(srtp.len())
        );
        assert_eq!(slot, srtp);
        assert_eq!(key.open_rtp(SSRC, 0xf17b, &mut slot, 12), Some(rtp.len()));
        assert_eq!(slot[..rtp.len()], rtp);

        let mars = Ssrc(0x4d61_7273);
        let mut slot = rtcp.clone();
        slot.resize(rtcp.len() + 20, 0);
        assert_eq!(
            key.seal_rtcp(mars, 0x5d4, &mut slot, rtcp.len()),
            Some(srtcp.len())
        );
        assert_eq!(slot, srtcp);
        assert_eq!(key.rtcp_trailer(&slot), Some(0x8000_05d4));
        assert_eq!(
            key.open_rtcp(mars, 0x8000_05d4, &mut slot),
            Some(rtcp.len())
        );
        assert_eq!(slot[..rtcp.len()], rtcp);
    }
}

#[test]
fn rtp_and_rtcp_have_different_keys() {
    for profile in SrtpProfile::ALL {
        let master = master_key(profile);
        let mut slots = [KeyPurpose::Rtp, KeyPurpose::Rtcp].map(|purpose| {
            let key = SessionKey::derive(profile, purpose, &master).unwrap();
            let mut slot = vec![0x80; 64];
            key.seal_rtp(SSRC, 1, &mut slot, 12, 40).unwrap();
            slot
        });
        slots.sort();
        assert_ne!(slots[0], slots[1]);
    }
}

#[test]
fn a_key_of_wrong_length_is_refused() {
    for profile in SrtpProfile::ALL {
        for len in (0..64).filter(|len| *len != profile.master_len()) {
            assert!(SrtpSender::new(profile, &vec![1; len]).is_err());
            assert!(SrtpReceiver::new(profile, &vec![1; len]).is_err());
        }
    }
}

#[test]
fn keying_material_is_split_as_both_keys_then_both_salts() {
    for profile in SrtpProfile::ALL {
        let (key, salt) = (profile.key_len(), profile.salt_len());
        let material = [vec![1; key], vec![2; key], vec![3; salt], vec![4; salt]].concat();
        let (client, server) = profile.split_keying_material(&material).unwrap();
        assert_eq!(client.as_slice(), [vec![1; key], vec![3; salt]].concat());
        assert_eq!(server.as_slice(), [vec![2; key], vec![4; salt]].concat());
        assert!(profile.split_keying_material(&material[1..]).is_none());
        assert_eq!(SrtpProfile::from_name(profile.name()), Some(profile));
    }
}

#[test]
fn protected_packets_are_unprotected_over_two_wraps() {
    for profile in SrtpProfile::ALL {
        let (mut sender, mut receiver) = pair(profile);
        let first = SeqNo::first(65_000);
        for step in (0..140_000).step_by(97) {
            let seq = SeqNo(first.0 + step);
            let sealed = seal(&mut sender, SSRC, seq, &step.to_be_bytes());
            let plain = open(&mut receiver, &sealed).unwrap();
            assert_eq!(plain, rtp(SSRC, seq, &step.to_be_bytes()));
        }
    }
}

#[test]
fn a_packet_from_before_a_wrap_is_unprotected_after_it() {
    let (mut sender, mut receiver) = pair(SrtpProfile::AeadAes128Gcm);
    let late = seal(&mut sender, SSRC, SeqNo::first(65_535), b"late");
    for seq in [65_534, 65_536, 65_537] {
        let sealed = seal(
            &mut sender,
            SSRC,
            SeqNo(SeqNo::first(0).0 + seq),
            b"in time",
        );
        open(&mut receiver, &sealed).unwrap();
    }
    assert!(open(&mut receiver, &late).is_ok());
    assert_eq!(open(&mut receiver, &late), Err(SrtpError::Replayed));
}

#[test]
fn a_sender_may_jump_within_its_first_wrap_but_not_before_index_zero() {
    let (mut sender, mut receiver) = pair(SrtpProfile::AeadAes128Gcm);
    let first = seal(&mut sender, SSRC, SeqNo::first(3), b"first");
    open(&mut receiver, &first).unwrap();
    let sealed = seal(&mut sender, SSRC, SeqNo::first(40_000), b"a jump");
    assert!(open(&mut receiver, &sealed).is_ok());
    let mut slot = rtp(SSRC, SeqNo(9), b"never");
    slot.resize(64, 0);
    assert_eq!(sender.protect_rtp(SSRC, SeqNo(9), &mut slot, 12, 17), None);
}

#[test]
fn a_replay_is_refused_at_every_distance_and_over_a_wrap() {
    for start in [1_u16, 65_000] {
        let (mut sender, mut receiver) = pair(SrtpProfile::AeadAes128Gcm);
        let newest = 1_500;
        let packets: Vec<_> = (0..=newest)
            .map(|step| seal(&mut sender, SSRC, SeqNo(SeqNo::first(start).0 + step), b"x"))
            .collect();
        for packet in &packets {
            open(&mut receiver, packet).unwrap();
        }
        for packet in &packets {
            assert_eq!(open(&mut receiver, packet), Err(SrtpError::Replayed));
        }
    }
}

#[test]
fn a_late_packet_is_accepted_once_within_the_window_and_never_behind_it() {
    for distance in 0..=REPLAY_WINDOW + 80 {
        let (mut sender, mut receiver) = pair(SrtpProfile::AeadAes128Gcm);
        let newest = SeqNo(SeqNo::first(0).0 + 70_000);
        let older = seal(&mut sender, SSRC, SeqNo(newest.0 - 3_000), b"x");
        let packet = seal(&mut sender, SSRC, SeqNo(newest.0 - distance), b"x");
        // The receiver follows the stream from its start, so that it counts the wrap.
        for seq in [100, 30_000, 60_000] {
            let sealed = seal(&mut sender, SSRC, SeqNo(SeqNo::first(0).0 + seq), b"x");
            open(&mut receiver, &sealed).unwrap();
        }
        open(&mut receiver, &older).unwrap();
        if distance > 0 {
            let sealed = seal(&mut sender, SSRC, newest, b"x");
            open(&mut receiver, &sealed).unwrap();
        }
        let once = if distance < REPLAY_WINDOW {
            None
        } else {
            Some(SrtpError::Replayed)
        };
        assert_eq!(
            open(&mut receiver, &packet).err(),
            once,
            "distance {distance}"
        );
        assert_eq!(open(&mut receiver, &packet), Err(SrtpError::Replayed));
    }
}

#[test]
fn rtcp_is_unprotected_once_in_any_order() {
    for profile in SrtpProfile::ALL {
        let (mut sender, mut receiver) = pair(profile);
        let packets: Vec<_> = (0..40_u32)
            .map(|n| seal_rtcp(&mut sender, SSRC, &n.to_be_bytes()))
            .collect();
        for (number, packet) in packets.iter().enumerate().rev() {
            let plain = open_rtcp(&mut receiver, packet).unwrap();
            assert_eq!(plain, rtcp(SSRC, &(number as u32).to_be_bytes()));
        }
        for packet in &packets {
            assert_eq!(open_rtcp(&mut receiver, packet), Err(SrtpError::Replayed));
        }
    }
}

#[test]
fn rtcp_that_is_not_encrypted_is_refused() {
    for profile in SrtpProfile::ALL {
        let (mut sender, mut receiver) = pair(profile);
        let mut packet = seal_rtcp(&mut sender, SSRC, b"abcd");
        let back = if profile == SrtpProfile::AesCm128HmacSha1_80 {
            14
        } else {
            4
        };
        let at = packet.len() - back;
        packet[at] &= 0x7f;
        assert_eq!(
            open_rtcp(&mut receiver, &packet),
            Err(SrtpError::AuthFailed)
        );
    }
}

#[test]
fn a_change_of_any_byte_is_refused_and_changes_no_state() {
    for profile in SrtpProfile::ALL {
        let (mut sender, mut receiver) = pair(profile);
        let sealed = seal(
            &mut sender,
            SSRC,
            SeqNo::first(500),
            b"twenty bytes of media",
        );
        let control = seal_rtcp(&mut sender, SSRC, b"four");
        for at in 0..sealed.len() {
            let mut forged = sealed.clone();
            forged[at] ^= 0x40;
            assert!(open(&mut receiver, &forged).is_err(), "byte {at}");
        }
        for at in 0..control.len() {
            let mut forged = control.clone();
            forged[at] ^= 0x40;
            assert!(open_rtcp(&mut receiver, &forged).is_err(), "byte {at}");
        }
        assert_eq!(
            (receiver.rtp_replay.len(), receiver.rtcp_replay.len()),
            (0, 0)
        );
        assert!(open(&mut receiver, &sealed).is_ok());
        assert!(open_rtcp(&mut receiver, &control).is_ok());
    }
}

#[test]
fn forged_sequence_numbers_do_not_move_the_rollover_counter() {
    let (mut sender, mut receiver) = pair(SrtpProfile::AeadAes128Gcm);
    let before = seal(&mut sender, SSRC, SeqNo::first(65_000), b"x");
    open(&mut receiver, &before).unwrap();
    for seq in 0..=u16::MAX {
        let mut forged = before.clone();
        forged[2..4].copy_from_slice(&seq.to_be_bytes());
        assert!(open(&mut receiver, &forged).is_err());
    }
    let after = seal(&mut sender, SSRC, SeqNo(SeqNo::first(65_000).0 + 1), b"x");
    assert!(open(&mut receiver, &after).is_ok());
}

#[test]
fn quiet_ssrcs_lose_their_window_but_keep_refusing_replays() {
    let (mut sender, mut receiver) = pair(SrtpProfile::AeadAes128Gcm);
    let most = (STREAMS_MAX + RETIRED_STREAMS_MAX) as u32;
    let packets: Vec<_> = (0..most)
        .map(|n| seal(&mut sender, Ssrc(n), SeqNo::first(9), b"x"))
        .collect();
    for packet in &packets {
        open(&mut receiver, packet).unwrap();
    }
    assert_eq!(receiver.rtp_replay.len(), STREAMS_MAX);
    for packet in &packets {
        assert_eq!(open(&mut receiver, packet), Err(SrtpError::Replayed));
    }
    let one_more = seal(&mut sender, Ssrc(most), SeqNo::first(9), b"x");
    assert_eq!(open(&mut receiver, &one_more), Err(SrtpError::TooManySsrcs));
    // The quietest SSRC sends again: earlier packets stay refused.
    let older = seal(&mut sender, Ssrc(0), SeqNo::first(8), b"x");
    let newer = seal(&mut sender, Ssrc(0), SeqNo::first(10), b"x");
    open(&mut receiver, &newer).unwrap();
    assert_eq!(open(&mut receiver, &older), Err(SrtpError::Replayed));
    assert_eq!(open(&mut receiver, &packets[0]), Err(SrtpError::Replayed));
    assert_eq!(receiver.rtp_replay.len(), STREAMS_MAX);
}

#[test]
fn a_packet_is_not_protected_without_room_for_the_tag() {
    for profile in SrtpProfile::ALL {
        let (mut sender, _) = pair(profile);
        for room in 0..profile.rtp_overhead() {
            let mut slot = vec![0x80; 100 + room];
            assert_eq!(
                sender.protect_rtp(SSRC, SeqNo::first(1), &mut slot, 12, 100),
                None
            );
            slot.fill(0x80);
        }
        for room in 0..profile.rtcp_overhead() {
            let mut slot = vec![0x80; 100 + room];
            assert_eq!(sender.protect_rtcp(&mut slot, 100), None);
        }
        let mut slot = vec![0x80; 200];
        assert_eq!(
            sender.protect_rtp(SSRC, SeqNo::first(2), &mut slot, 101, 100),
            None
        );
        assert_eq!(
            sender.protect_rtp(SSRC, SeqNo::first(3), &mut slot, 300, 300),
            None
        );
    }
}

#[test]
fn packets_of_every_length_and_second_byte_are_refused() {
    for profile in SrtpProfile::ALL {
        let (_, mut receiver) = pair(profile);
        let mut packet = vec![0x80; 1_500];
        for len in 0..=1_500 {
            for second in 0..=255_u8 {
                let packet = &mut packet[..len];
                if let Some(byte) = packet.get_mut(1) {
                    *byte = second;
                }
                let header_len = if second % 2 == 0 {
                    12
                } else {
                    usize::from(second) * 8
                };
                let header = SrtpHeader {
                    ssrc: SSRC,
                    seq: 0,
                    header_len,
                };
                assert!(receiver.unprotect_rtp(header, packet).is_err());
                if let Some(byte) = packet.last_mut() {
                    *byte |= 0x80;
                }
                assert!(receiver.unprotect_rtcp(packet).is_err());
            }
        }
        assert_eq!(
            (receiver.rtp_replay.len(), receiver.rtcp_replay.len()),
            (0, 0)
        );
    }
}

#[test]
#[should_panic(expected = "two packets with index")]
fn protecting_two_packets_with_one_index_fails_a_test() {
    let (mut sender, _) = pair(SrtpProfile::AeadAes128Gcm);
    seal(&mut sender, SSRC, SeqNo::first(1), b"one");
    seal(&mut sender, SSRC, SeqNo::first(1), b"two");
}
