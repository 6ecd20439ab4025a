//! Order of the security states under packets in random order: STUN authenticated, path known, DTLS
//! running, fingerprint verified, keys, media. No state is reached before those in front of it, and
//! nothing is sent to an unauthenticated path.

use rand_chacha::rand_core::Rng as _;
use watersmeet_engine::command::{DtlsState, IceState, Path};
use watersmeet_engine::transport::dtls::DtlsVersion;
use watersmeet_engine::transport::{Received, WebRtcTransport};
use watersmeet_wire::units::{Rng, Time};

use super::peer::{DtlsOptions, Peer, deliver, drain, random_bytes, rng, rtp, transport, udp};

const NOW: Time = Time::from_millis(1_000);
/// Random packet sequences.
const SEQUENCES: u64 = 400;

/// Steps per sequence.
const STEPS: usize = 60;

/// Genuine inputs that the transport received so far.
#[derive(Default)]
struct GenuineInputs {
    check: bool,
    parameters: bool,
    handshake: bool,
}

/// Asserts that no state was reached before those in front of it.
fn assert_ordered(transport: &mut WebRtcTransport, genuine: &GenuineInputs, case: &str) {
    let has_paths = transport.paths().next().is_some();
    let dtls = transport.dtls_state();
    let has_keys = transport.sender().is_some();
    assert_eq!(has_paths, genuine.check, "{case}");
    assert_eq!(
        transport.ice_state() != IceState::New,
        genuine.check,
        "{case}"
    );
    let may_handshake = genuine.check && genuine.parameters;
    assert_eq!(dtls != DtlsState::New, may_handshake, "{case}");
    assert_eq!(has_keys, dtls == DtlsState::Connected, "{case}");
    assert_eq!(has_keys, transport.path().is_some(), "{case}");
    assert!(!has_keys || genuine.handshake, "{case}");
}

/// Returns a forged or random packet.
fn forged_packet(rng: &mut Rng, peer: &mut Peer) -> Vec<u8> {
    let len = usize::try_from(13 + rng.next_u32() % 150).unwrap();
    let mut packet = match rng.next_u32() % 4 {
        0 => rtp(rng.next_u32(), 1),
        1 => {
            let mut check = peer.check(true, None);
            let at = check.len() - 9;
            check[at] ^= 1;
            check
        }
        _ => random_bytes(rng, len),
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
fn no_packet_sequence_reaches_a_state_out_of_order() {
    let victim = udp("198.51.100.7:50000");
    let elsewhere = udp("203.0.113.66:50000");
    for seed in 0..SEQUENCES {
        let mut rng = rng(seed);
        let mut transport = transport(DtlsVersion::V12, seed);
        let mut peer = Peer::new(&transport, victim, DtlsOptions::BROWSER, NOW);
        let mut genuine = GenuineInputs::default();
        let mut received_media = 0;
        for step in 0..STEPS {
            let case = format!("seed {seed}, step {step}");
            let before = received_media;
            let from = [victim, elsewhere][usize::try_from(rng.next_u32() % 2).unwrap()];
            let packet = match rng.next_u32() % 8 {
                0 => {
                    genuine.check = true;
                    vec![(victim, peer.check(true, None))]
                }
                1 => {
                    genuine.parameters = true;
                    transport.connect(NOW, &peer.parameters()).unwrap();
                    vec![]
                }
                2 | 3 => {
                    genuine.handshake |= genuine.parameters;
                    peer.poll(NOW)
                        .into_iter()
                        .map(|packet| (from, packet))
                        .collect()
                }
                4 if peer.srtp.is_some() => vec![(from, peer.rtp().0)],
                _ => vec![(from, forged_packet(&mut rng, &mut peer))],
            };
            for (path, packet) in packet {
                if let Received::Rtp { .. } = deliver(&mut transport, NOW, path, &packet) {
                    assert!(transport.path().is_some() && path == victim, "{case}");
                    received_media += 1;
                }
            }
            let authenticated: Vec<Path> = transport.paths().collect();
            for (path, packet) in drain(&mut transport) {
                assert!(authenticated.contains(&path), "{case}");
                peer.handle(NOW, &packet);
            }
            assert_ordered(&mut transport, &genuine, &case);
            assert!(received_media <= before + 1, "{case}");
        }
    }
}
