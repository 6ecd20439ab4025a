//! The order of the security states, under packets in any order: STUN authenticated, path known,
//! DTLS running, fingerprint verified, keys, media. Whatever comes, what was reached is always a
//! beginning of that chain, and nothing is sent to who has not proven himself.

use rand_chacha::rand_core::Rng as _;
use watersmeet_engine::command::{DtlsState, IceState, Path};
use watersmeet_engine::transport::dtls::DtlsVersion;
use watersmeet_engine::transport::{Received, WebRtcTransport};
use watersmeet_wire::units::{Rng, Time};

use super::peer::{Manner, Peer, deliver, drain, noise, rng, rtp, transport, udp};

const NOW: Time = Time::from_millis(1_000);
const SEQUENCES: u64 = 400;
const STEPS: usize = 60;

/// What has honestly happened.
#[derive(Default)]
struct Honest {
    has_checked: bool,
    has_connected: bool,
    has_shaken_hands: bool,
}

/// Asserts that nothing was reached without what comes before it.
fn assert_ordered(transport: &mut WebRtcTransport, honest: &Honest, case: &str) {
    let has_paths = transport.paths().next().is_some();
    let dtls = transport.dtls_state();
    let has_keys = transport.sender().is_some();
    assert_eq!(has_paths, honest.has_checked, "{case}");
    assert_eq!(
        transport.ice_state() != IceState::New,
        honest.has_checked,
        "{case}"
    );
    let may_shake = honest.has_checked && honest.has_connected;
    assert_eq!(dtls != DtlsState::New, may_shake, "{case}");
    assert_eq!(has_keys, dtls == DtlsState::Connected, "{case}");
    assert_eq!(has_keys, transport.path().is_some(), "{case}");
    assert!(!has_keys || honest.has_shaken_hands, "{case}");
}

/// A packet of somebody who proves nothing.
fn dishonest(rng: &mut Rng, peer: &mut Peer) -> Vec<u8> {
    let len = usize::try_from(13 + rng.next_u32() % 150).unwrap();
    let mut packet = match rng.next_u32() % 4 {
        0 => rtp(rng.next_u32(), 1),
        1 => {
            let mut check = peer.check(true, None);
            let at = check.len() - 9;
            check[at] ^= 1;
            check
        }
        _ => noise(rng, len),
    };
    match rng.next_u32() % 4 {
        0 => packet[0] = 22,
        1 => packet[0] = 0x80,
        2 => packet[0] = 0,
        _ => {}
    }
    packet
}

#[test]
fn no_packet_reaches_a_state_before_its_turn() {
    let victim = udp("198.51.100.7:50000");
    let elsewhere = udp("203.0.113.66:50000");
    for seed in 0..SEQUENCES {
        let mut rng = rng(seed);
        let mut transport = transport(DtlsVersion::V12, seed);
        let mut peer = Peer::new(&transport, victim, Manner::BROWSER, NOW);
        let mut honest = Honest::default();
        let mut received_media = 0;
        for step in 0..STEPS {
            let case = format!("seed {seed}, step {step}");
            let before = received_media;
            let from = [victim, elsewhere][usize::try_from(rng.next_u32() % 2).unwrap()];
            let packet = match rng.next_u32() % 8 {
                0 => {
                    honest.has_checked = true;
                    vec![(victim, peer.check(true, None))]
                }
                1 => {
                    honest.has_connected = true;
                    transport.connect(NOW, &peer.parameters()).unwrap();
                    vec![]
                }
                2 | 3 => {
                    honest.has_shaken_hands |= honest.has_connected;
                    peer.poll(NOW)
                        .into_iter()
                        .map(|packet| (from, packet))
                        .collect()
                }
                4 if peer.srtp.is_some() => vec![(from, peer.rtp().0)],
                _ => vec![(from, dishonest(&mut rng, &mut peer))],
            };
            for (path, packet) in packet {
                if let Received::Rtp { .. } = deliver(&mut transport, NOW, path, &packet) {
                    assert!(transport.path().is_some() && path == victim, "{case}");
                    received_media += 1;
                }
            }
            let proven: Vec<Path> = transport.paths().collect();
            for (path, packet) in drain(&mut transport) {
                assert!(proven.contains(&path), "{case}");
                peer.handle(NOW, &packet);
            }
            assert_ordered(&mut transport, &honest, &case);
            assert!(received_media <= before + 1, "{case}");
        }
    }
}
