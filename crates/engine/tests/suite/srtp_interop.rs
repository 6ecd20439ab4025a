//! SRTP against an independent implementation (`rtc-srtp`): each side decrypts what the other
//! encrypts, for every profile, RTP and RTCP, over a wrap of the sequence number.

use rtc_srtp::context::Context;
use rtc_srtp::crypto::default_provider;
use rtc_srtp::protection_profile::ProtectionProfile;
use watersmeet_engine::transport::srtp::{SrtpHeader, SrtpProfile, SrtpReceiver, SrtpSender};
use watersmeet_wire::units::{SeqNo, Ssrc};

const SSRC: Ssrc = Ssrc(0xcafe_babe);

/// Fixed header, two contributing sources and a one-byte extension block of one word.
const HEADER_LEN: usize = 28;

/// Returns a master key followed by its salt.
fn master_key(profile: SrtpProfile) -> Vec<u8> {
    (0..profile.master_len() as u8)
        .map(|byte| byte.wrapping_mul(31) ^ 0x5a)
        .collect()
}

/// Returns the other implementation with the same master key.
fn other_context(profile: SrtpProfile) -> Context {
    let master_key = master_key(profile);
    let (key, salt) = master_key.split_at(profile.key_len());
    let profile = match profile {
        SrtpProfile::AeadAes256Gcm => ProtectionProfile::AeadAes256Gcm,
        SrtpProfile::AeadAes128Gcm => ProtectionProfile::AeadAes128Gcm,
        SrtpProfile::AesCm128HmacSha1_80 => ProtectionProfile::Aes128CmHmacSha1_80,
    };
    let provider = default_provider().unwrap();
    Context::new(key, salt, profile, None, None, provider.crypto()).unwrap()
}

fn rtp(seq: SeqNo, payload_len: usize) -> Vec<u8> {
    let mut packet = vec![0x92, 96];
    packet.extend_from_slice(&seq.raw().to_be_bytes());
    packet.extend_from_slice(&90_000_u32.to_be_bytes());
    packet.extend_from_slice(&SSRC.0.to_be_bytes());
    packet.extend_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
    packet.extend_from_slice(&[0xbe, 0xde, 0, 1, 0x10, 7, 0, 0]);
    assert_eq!(packet.len(), HEADER_LEN);
    packet.extend((0..payload_len).map(|at| at as u8));
    packet
}

fn rtcp(number: u8, words: u8) -> Vec<u8> {
    let mut packet = vec![0x80, 206, 0, words + 1];
    packet.extend_from_slice(&SSRC.0.to_be_bytes());
    packet.extend(std::iter::repeat_n(number, usize::from(words) * 4));
    packet
}

/// Returns packets over a wrap of the sequence number, with payloads of 0 to 1,393 bytes.
fn packets() -> impl Iterator<Item = (SeqNo, Vec<u8>)> {
    (0..200_u64).map(|step| {
        let seq = SeqNo(SeqNo::first(65_400).0 + step);
        (seq, rtp(seq, step as usize * 7))
    })
}

#[test]
fn another_implementation_decrypts_what_we_protect() {
    for profile in SrtpProfile::ALL {
        let mut sender = SrtpSender::new(profile, &master_key(profile)).unwrap();
        let mut other = other_context(profile);
        for (seq, plain) in packets() {
            let mut slot = plain.clone();
            slot.resize(plain.len() + sender.overhead(), 0);
            let len = sender.protect_rtp(SSRC, seq, &mut slot, HEADER_LEN, plain.len());
            assert_eq!(len, Some(slot.len()));
            assert_eq!(
                other.decrypt_rtp(&slot).unwrap(),
                plain,
                "{profile:?} {seq:?}"
            );
        }
        for number in 0..100 {
            let plain = rtcp(number, number);
            let mut slot = plain.clone();
            slot.resize(plain.len() + sender.rtcp_overhead(), 0);
            assert_eq!(
                sender.protect_rtcp(&mut slot, plain.len()),
                Some(slot.len())
            );
            assert_eq!(
                other.decrypt_rtcp(&slot).unwrap(),
                plain,
                "{profile:?} {number}"
            );
        }
    }
}

#[test]
fn we_unprotect_what_another_implementation_encrypts() {
    for profile in SrtpProfile::ALL {
        let mut receiver = SrtpReceiver::new(profile, &master_key(profile)).unwrap();
        let mut other = other_context(profile);
        for (seq, plain) in packets() {
            let mut protected = other.encrypt_rtp(&plain).unwrap().to_vec();
            let header = SrtpHeader {
                ssrc: SSRC,
                seq: seq.raw(),
                header_len: HEADER_LEN,
            };
            let len = receiver.unprotect_rtp(header, &mut protected).unwrap();
            assert_eq!(
                protected.get(..len),
                Some(plain.as_slice()),
                "{profile:?} {seq:?}"
            );
        }
        for number in 0..100 {
            let plain = rtcp(number, number);
            let mut protected = other.encrypt_rtcp(&plain).unwrap().to_vec();
            let len = receiver.unprotect_rtcp(&mut protected).unwrap();
            assert_eq!(
                protected.get(..len),
                Some(plain.as_slice()),
                "{profile:?} {number}"
            );
        }
    }
}
