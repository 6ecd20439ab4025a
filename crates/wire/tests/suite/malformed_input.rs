//! Nothing that arrives may do harm: every truncation and every flipped bit of sound packets,
//! every length with every first byte, through each parser. Deterministic, so that a failure is a
//! failure for everybody.

use std::path::PathBuf;
use std::{fs, io};

use watersmeet_wire::stun::IntegrityKey;

use crate::parser_checks::{rtcp, rtp, stun, twcc, walk_rtcp, walk_rtp, walk_stun};

/// Longest datagram tried.
const LEN_MAX: usize = 1_500;

/// The seeds that fuzzing starts from are sound packets; tests take the same.
fn seeds(target: &str) -> io::Result<Vec<(String, Vec<u8>)>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/seeds")
        .join(target);
    let mut seeds = Vec::new();
    for entry in fs::read_dir(root)? {
        let path = entry?.path();
        seeds.push((path.display().to_string(), fs::read(path)?));
    }
    seeds.sort();
    Ok(seeds)
}

/// Each seed, each of its beginnings, and each copy of it with one bit flipped.
fn mutations(target: &str, question: fn(&[u8])) {
    let seeds = seeds(target).unwrap_or_default();
    assert!(seeds.len() >= 4, "there are seeds for {target}");
    for (_, seed) in &seeds {
        question(seed);
        for len in 0..seed.len() {
            question(seed.get(..len).unwrap_or_default());
        }
        for bit in 0..seed.len() * 8 {
            let mut changed = seed.clone();
            if let Some(byte) = changed.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
            question(&changed);
        }
    }
}

/// Noise from a generator that is simple and the same everywhere.
fn noise() -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(LEN_MAX + 8);
    while bytes.len() < LEN_MAX {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_be_bytes());
    }
    bytes
}

/// Every length with every first byte; `header` mends what comes after it.
fn every_length(header: impl Fn(&mut [u8]), question: impl Fn(&[u8])) {
    let noise = noise();
    for len in 0..=LEN_MAX {
        let mut datagram = noise.get(..len).unwrap_or_default().to_vec();
        header(&mut datagram);
        for first in 0..=255 {
            if let Some(byte) = datagram.first_mut() {
                *byte = first;
            }
            question(&datagram);
        }
    }
}

#[test]
fn cut_and_flipped_stun_messages_do_no_harm() {
    mutations("stun", stun);
}

#[test]
fn cut_and_flipped_rtp_packets_do_no_harm() {
    mutations("rtp", rtp);
}

#[test]
fn cut_and_flipped_control_packets_do_no_harm() {
    mutations("rtcp", rtcp);
}

#[test]
fn cut_and_flipped_arrivals_are_told_as_they_are() {
    mutations("twcc", twcc);
}

#[test]
fn stun_of_every_length_and_first_byte_does_no_harm() {
    let key = IntegrityKey::from_password("password");
    let header = |datagram: &mut [u8]| {
        let len = u16::try_from(datagram.len().saturating_sub(20)).unwrap_or(0);
        if let Some(field) = datagram.get_mut(2..4) {
            field.copy_from_slice(&len.to_be_bytes());
        }
        if let Some(cookie) = datagram.get_mut(4..8) {
            cookie.copy_from_slice(&[0x21, 0x12, 0xa4, 0x42]);
        }
    };
    every_length(header, |datagram| walk_stun(datagram, &key));
}

#[test]
fn rtp_of_every_length_and_first_byte_does_no_harm() {
    every_length(|_| {}, walk_rtp);
    // With an extension that fills what there is, in both forms.
    for profile in [[0xbe, 0xde], [0x10, 0x00]] {
        let header = |datagram: &mut [u8]| {
            let words = u16::try_from(datagram.len().saturating_sub(16) / 4).unwrap_or(0);
            if let Some(place) = datagram.get_mut(12..14) {
                place.copy_from_slice(&profile);
            }
            if let Some(place) = datagram.get_mut(14..16) {
                place.copy_from_slice(&words.to_be_bytes());
            }
        };
        every_length(header, walk_rtp);
    }
}

#[test]
fn control_packets_of_every_length_and_first_byte_do_no_harm() {
    for kind in [200, 201, 202, 203, 205, 206, 207] {
        let header = |datagram: &mut [u8]| {
            let words = u16::try_from(datagram.len() / 4)
                .unwrap_or(0)
                .saturating_sub(1);
            if let Some(place) = datagram.get_mut(1..4) {
                let [l0, l1] = words.to_be_bytes();
                place.copy_from_slice(&[kind, l0, l1]);
            }
        };
        every_length(header, walk_rtcp);
    }
}
