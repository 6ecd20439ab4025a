//! Malformed input through each parser: every truncation and every flipped bit of valid packets,
//! and every length with every first byte. Deterministic, so that every failure can be reproduced.

use std::path::PathBuf;
use std::{fs, io};

use watersmeet_wire::stun::IntegrityKey;

use crate::parser_checks::{
    client_hello, dependency_descriptor, read_rtcp, read_rtp, read_stun, red, rtcp, rtp, stun, twcc,
};
use crate::sdp_checks;

/// Longest tested datagram, in bytes.
const LEN_MAX: usize = 1_500;

/// Returns the valid packets that fuzzing of `target` starts from.
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

/// Runs `check` on each seed, each prefix of it, and each copy of it with one bit flipped.
fn mutations(target: &str, check: fn(&[u8])) {
    let seeds = seeds(target).unwrap_or_default();
    assert!(seeds.len() >= 4, "seeds of {target} are missing");
    for (_, seed) in &seeds {
        check(seed);
        for len in 0..seed.len() {
            check(seed.get(..len).unwrap_or_default());
        }
        for bit in 0..seed.len() * 8 {
            let mut changed = seed.clone();
            if let Some(byte) = changed.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
            check(&changed);
        }
    }
}

/// Returns pseudo-random bytes, equal in every run.
fn random_bytes() -> Vec<u8> {
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

/// Runs `check` on every length with every first byte; `header` fixes the fields after it.
fn every_length(header: impl Fn(&mut [u8]), check: impl Fn(&[u8])) {
    let bytes = random_bytes();
    for len in 0..=LEN_MAX {
        let mut datagram = bytes.get(..len).unwrap_or_default().to_vec();
        header(&mut datagram);
        for first in 0..=255 {
            if let Some(byte) = datagram.first_mut() {
                *byte = first;
            }
            check(&datagram);
        }
    }
}

#[test]
fn truncated_and_flipped_stun_messages_are_handled() {
    mutations("stun", stun);
}

#[test]
fn truncated_and_flipped_rtp_packets_are_handled() {
    mutations("rtp", rtp);
}

#[test]
fn truncated_and_flipped_rtcp_packets_are_handled() {
    mutations("rtcp", rtcp);
}

#[test]
fn feedback_of_truncated_and_flipped_scripts_reports_all_arrivals() {
    mutations("twcc", twcc);
}

#[test]
fn truncated_and_flipped_dependency_descriptors_are_handled() {
    mutations("dependency_descriptor", dependency_descriptor);
}

#[test]
fn truncated_and_flipped_redundant_audio_is_handled() {
    mutations("red", red);
}

#[test]
fn truncated_and_flipped_client_hellos_are_handled() {
    mutations("client_hello", client_hello);
}

#[test]
fn stun_of_every_length_and_first_byte_is_handled() {
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
    every_length(header, |datagram| read_stun(datagram, &key));
}

#[test]
fn rtp_of_every_length_and_first_byte_is_handled() {
    every_length(|_| {}, read_rtp);
    // With an extension block that fills the packet, in both forms.
    for profile in [[0xbe, 0xde], [0x10, 0x00]] {
        let header = |datagram: &mut [u8]| {
            let words = u16::try_from(datagram.len().saturating_sub(16) / 4).unwrap_or(0);
            if let Some(field) = datagram.get_mut(12..14) {
                field.copy_from_slice(&profile);
            }
            if let Some(field) = datagram.get_mut(14..16) {
                field.copy_from_slice(&words.to_be_bytes());
            }
        };
        every_length(header, read_rtp);
    }
}

#[test]
fn rtcp_of_every_length_and_first_byte_is_handled() {
    for kind in [200, 201, 202, 203, 205, 206, 207] {
        let header = |datagram: &mut [u8]| {
            let words = u16::try_from(datagram.len() / 4)
                .unwrap_or(0)
                .saturating_sub(1);
            if let Some(field) = datagram.get_mut(1..4) {
                let [l0, l1] = words.to_be_bytes();
                field.copy_from_slice(&[kind, l0, l1]);
            }
        };
        every_length(header, read_rtcp);
    }
}

#[test]
fn session_descriptions_that_are_cut_or_changed_are_read_without_a_panic() {
    let offers = seeds("sdp").unwrap_or_default();
    assert!(offers.len() >= 4, "seeds of sdp are missing");
    for (_, offer) in &offers {
        sdp_checks::sdp(offer);
        for at in (0..offer.len()).step_by(7) {
            let (before, after) = offer.split_at(at);
            sdp_checks::sdp(before);
            let changed = after.get(1..).unwrap_or_default();
            sdp_checks::sdp(&[before, b";", changed].concat());
        }
    }
}
