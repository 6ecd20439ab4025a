//! Script of protected, replayed, forged and random SRTP packets against a model: a packet is
//! accepted exactly when it is authentic, new and within the replay window, and its contents are
//! those that were protected.
#![no_main]

use std::collections::BTreeMap;

use watersmeet_engine::transport::srtp::{
    REPLAY_WINDOW, SrtpError, SrtpHeader, SrtpProfile, SrtpReceiver, SrtpSender,
};
use watersmeet_wire::units::{SeqNo, Ssrc};

const HEADER_LEN: usize = 12;
const SSRC: Ssrc = Ssrc(0x1234_5678);

fn plain(index: u64) -> Vec<u8> {
    let mut packet = vec![0x80, 96];
    packet.extend_from_slice(&SeqNo(index).raw().to_be_bytes());
    packet.extend_from_slice(&[0; 4]);
    packet.extend_from_slice(&SSRC.0.to_be_bytes());
    packet.extend_from_slice(&index.to_be_bytes());
    packet.resize(HEADER_LEN + 8 + (index % 50) as usize, 7);
    packet
}

fn protect(sender: &mut SrtpSender, index: u64) -> Vec<u8> {
    let mut slot = plain(index);
    let len = slot.len();
    slot.resize(len + sender.overhead(), 0);
    let seq = SeqNo(SeqNo::first(0).0 + index);
    assert_eq!(
        sender.protect_rtp(SSRC, seq, &mut slot, HEADER_LEN, len),
        Some(slot.len())
    );
    slot
}

libfuzzer_sys::fuzz_target!(|input: (u8, u16, Vec<(u8, i16, u8)>, Vec<u8>)| {
    let (choice, start, script, noise) = input;
    let profile = SrtpProfile::ALL[usize::from(choice) % 3];
    let master = vec![choice; profile.master_len()];
    let mut sender = SrtpSender::new(profile, &master).unwrap();
    let mut receiver = SrtpReceiver::new(profile, &master).unwrap();
    let mut seen: BTreeMap<u64, ()> = BTreeMap::new();
    let mut index = u64::from(start);
    for (kind, step, bit) in script {
        index = index.saturating_add_signed(i64::from(step) / 2);
        let highest = seen.keys().next_back().copied();
        // A packet half the sequence number space away, or a first packet after a wrap, is assigned
        // the wrong rollover count, so its authentication fails.
        let is_index_known = match highest {
            None => index < 0x1_0000,
            Some(highest) => highest.abs_diff(index) < 0x8000,
        };
        let mut packet = protect(&mut sender, index);
        let prefix = SrtpHeader {
            ssrc: SSRC,
            seq: SeqNo(index).raw(),
            header_len: HEADER_LEN,
        };
        if kind % 4 == 0 {
            let at = usize::from(bit) % packet.len();
            packet[at] ^= 1 << (kind / 4 % 8);
            assert!(receiver.unprotect_rtp(prefix, &mut packet).is_err());
            continue;
        }
        let stale = highest.is_some_and(|highest| highest >= index + REPLAY_WINDOW);
        let expected = !seen.contains_key(&index) && !stale;
        match receiver.unprotect_rtp(prefix, &mut packet) {
            Ok(len) => {
                assert!(expected && is_index_known);
                assert_eq!(packet[..len], plain(index));
                seen.insert(index, ());
            }
            Err(SrtpError::Replayed) => assert!(!expected || !is_index_known),
            Err(error) => assert!(!is_index_known, "{error}"),
        }
    }
    let mut noise = noise;
    let header_len = usize::from(start);
    let prefix = SrtpHeader {
        ssrc: Ssrc(u32::from(start)),
        seq: start,
        header_len,
    };
    assert!(receiver.unprotect_rtp(prefix, &mut noise).is_err());
    let prefix = SrtpHeader {
        header_len: HEADER_LEN,
        ..prefix
    };
    assert!(receiver.unprotect_rtp(prefix, &mut noise).is_err());
});
