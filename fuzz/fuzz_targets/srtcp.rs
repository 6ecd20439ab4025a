//! Script of protected, replayed, forged and random SRTCP packets against a model: a packet is
//! accepted exactly when it is authentic, new and within the replay window, and its contents are
//! those that were protected.
#![no_main]

use std::collections::BTreeSet;

use watersmeet_engine::transport::srtp::{REPLAY_WINDOW, SrtpProfile, SrtpReceiver, SrtpSender};

fn plain(number: usize) -> Vec<u8> {
    let words = number % 40;
    let mut packet = vec![0x80, 201, 0, words as u8 + 1, 1, 2, 3, 4];
    packet.resize(8 + words * 4, number as u8);
    packet
}

libfuzzer_sys::fuzz_target!(|input: (u8, Vec<(u8, u16, u8)>, Vec<u8>)| {
    let (choice, script, mut noise) = input;
    let profile = SrtpProfile::ALL[usize::from(choice) % 3];
    let master = vec![choice; profile.master_len()];
    let mut sender = SrtpSender::new(profile, &master).unwrap();
    let mut receiver = SrtpReceiver::new(profile, &master).unwrap();
    let mut protected: Vec<Vec<u8>> = Vec::new();
    let mut seen = BTreeSet::new();
    for (kind, number, bit) in script {
        for _ in 0..=kind / 4 {
            let mut slot = plain(protected.len());
            let len = slot.len();
            slot.resize(len + sender.rtcp_overhead(), 0);
            assert_eq!(sender.protect_rtcp(&mut slot, len), Some(slot.len()));
            protected.push(slot);
        }
        let number = usize::from(number) % protected.len();
        let mut packet = protected[number].clone();
        if kind % 4 == 0 {
            let at = usize::from(bit) % packet.len();
            packet[at] ^= 1 << (bit % 8);
            assert!(receiver.unprotect_rtcp(&mut packet).is_err());
            continue;
        }
        let newest = seen.last().copied().unwrap_or(0);
        let fresh = !seen.contains(&number) && number + REPLAY_WINDOW as usize > newest;
        match receiver.unprotect_rtcp(&mut packet) {
            Ok(len) => {
                assert!(fresh);
                assert_eq!(packet[..len], plain(number));
                seen.insert(number);
            }
            Err(error) => assert!(!fresh, "{error}"),
        }
    }
    assert!(receiver.unprotect_rtcp(&mut noise).is_err());
});
