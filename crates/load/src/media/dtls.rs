//! Client side of the DTLS-SRTP handshake, with one certificate for all scripted peers (RFC 6347,
//! RFC 5764 §4.2, RFC 8122 §5).

use std::io;
use std::sync::Arc;
use std::time::Instant;

use aws_lc_rs::digest;
use dimpl::Output;
use watersmeet_engine::transport::srtp::{MasterKey, SrtpProfile};
use watersmeet_wire::params::DtlsFingerprint;

use super::srtp_offer::SrtpProfileOffer;

/// Bytes of the longest handshake datagram.
const DATAGRAM_LEN_MAX: usize = 1_200;

/// Bytes of the longest output, the server's certificate.
const OUTPUT_LEN_MAX: usize = 16 * 1024;

/// Outputs polled after one input.
const OUTPUTS_MAX: usize = 64;

/// Certificate and DTLS configuration of all scripted peers.
#[derive(Clone)]
pub struct Identity {
    pair: dimpl::DtlsCertificate,
    config: Arc<dimpl::Config>,
    /// The only SRTP profile offered; `None` offers all.
    offer: Option<&'static SrtpProfileOffer>,
    /// SHA-256 fingerprint of the certificate.
    fingerprint: String,
}

impl Identity {
    /// Generates a certificate. `srtp` restricts the offer to one SRTP profile.
    ///
    /// # Errors
    /// Fails when the cryptography library fails.
    pub fn generate(srtp: Option<SrtpProfile>) -> io::Result<Self> {
        let pair =
            dimpl::certificate::generate_self_signed_certificate().map_err(io::Error::other)?;
        let offer = srtp.map(SrtpProfileOffer::of);
        let mut builder = dimpl::Config::builder().mtu(DATAGRAM_LEN_MAX);
        if let Some(offer) = offer {
            builder = builder.with_crypto_provider(offer.provider());
        }
        let hash = digest::digest(&digest::SHA256, &pair.certificate);
        Ok(Self {
            config: Arc::new(builder.build().map_err(io::Error::other)?),
            offer,
            fingerprint: colon_hex(hash.as_ref()),
            pair,
        })
    }

    /// Returns the SHA-256 fingerprint of the certificate in the format of signalling.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

/// SRTP keys of a transport.
pub struct SrtpKeys {
    /// Negotiated profile.
    pub profile: SrtpProfile,
    /// Key for packets sent.
    pub local: MasterKey,
    /// Key for packets received.
    pub remote: MasterKey,
}

/// State of a handshake.
pub enum HandshakeState {
    /// In progress; the time of the next retransmission.
    InProgress(Option<Instant>),
    /// Completed, with the SRTP keys.
    Done(SrtpKeys),
    /// Failed, with the reason.
    Failed(String),
}

/// DTLS handshake of a transport.
pub struct Handshake {
    dtls: dimpl::Dtls,
    offer: Option<&'static SrtpProfileOffer>,
    /// Accepted fingerprints of the server's certificate.
    expected: Vec<DtlsFingerprint>,
    /// Whether the server's certificate has one of these fingerprints.
    is_verified: bool,
    /// Keys exported before the handshake completes.
    keys: Option<SrtpKeys>,
    buffer: Vec<u8>,
}

impl Handshake {
    /// Creates a handshake with a server whose certificate must have one of these fingerprints.
    pub fn new(identity: &Identity, expected: Vec<DtlsFingerprint>, now: Instant) -> Self {
        let config = Arc::clone(&identity.config);
        let mut dtls = dimpl::Dtls::new_12(config, identity.pair.clone(), now);
        dtls.set_active(true);
        Self {
            dtls,
            offer: identity.offer,
            expected,
            is_verified: false,
            keys: None,
            buffer: vec![0; OUTPUT_LEN_MAX],
        }
    }

    /// Handles a datagram, or a timeout if there is none. Datagrams to send are passed to `send`.
    pub fn handle(
        &mut self,
        now: Instant,
        packet: Option<&[u8]>,
        mut send: impl FnMut(&[u8]),
    ) -> HandshakeState {
        let mut result = self.dtls.handle_timeout(now);
        if let Some(packet) = packet {
            result = result.and_then(|()| self.dtls.handle_packet(packet));
        }
        if let Err(error) = result {
            return HandshakeState::Failed(format!("DTLS: {error}"));
        }
        let (mut is_connected, mut timeout) = (false, None);
        for _ in 0..OUTPUTS_MAX {
            match self.dtls.poll_output(&mut self.buffer) {
                Output::Packet(datagram) => {
                    let mut datagram = datagram.to_vec();
                    if let Some(offer) = self.offer {
                        offer.restrict_datagram(&mut datagram);
                    }
                    send(&datagram);
                }
                Output::PeerCert(der) => self.is_verified = has_fingerprint(&self.expected, der),
                Output::KeyingMaterial(material, profile) => {
                    self.keys = split_keys(profile, &material);
                }
                Output::Connected => is_connected = true,
                Output::CloseNotify => return HandshakeState::Failed("DTLS: closed".to_owned()),
                Output::Timeout(at) => {
                    timeout = Some(at);
                    break;
                }
                _ => {}
            }
        }
        match (is_connected, self.is_verified, self.keys.take()) {
            (false, _, keys) => {
                self.keys = keys;
                HandshakeState::InProgress(timeout)
            }
            (true, false, _) => {
                HandshakeState::Failed("the certificate does not match the fingerprint".to_owned())
            }
            (true, true, None) => HandshakeState::Failed("no common SRTP profile".to_owned()),
            (true, true, Some(keys)) => HandshakeState::Done(keys),
        }
    }
}

/// Returns whether a certificate has one of these fingerprints; only SHA-256 is supported.
fn has_fingerprint(expected: &[DtlsFingerprint], der: &[u8]) -> bool {
    let hash = colon_hex(digest::digest(&digest::SHA256, der).as_ref());
    expected.iter().any(|it| {
        it.algorithm.eq_ignore_ascii_case("sha-256") && it.value.eq_ignore_ascii_case(&hash)
    })
}

/// Splits exported keying material into the client's keys.
fn split_keys(profile: dimpl::SrtpProfile, material: &[u8]) -> Option<SrtpKeys> {
    let profile = match profile {
        dimpl::SrtpProfile::AEAD_AES_256_GCM => SrtpProfile::AeadAes256Gcm,
        dimpl::SrtpProfile::AEAD_AES_128_GCM => SrtpProfile::AeadAes128Gcm,
        dimpl::SrtpProfile::AES128_CM_SHA1_80 => SrtpProfile::AesCm128HmacSha1_80,
        _ => return None,
    };
    let (local, remote) = profile.split_keying_material(material)?;
    Some(SrtpKeys {
        profile,
        local,
        remote,
    })
}

/// Formats bytes as upper-case hexadecimal numbers separated by colons.
fn colon_hex(bytes: &[u8]) -> String {
    let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    hex.join(":")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Completes a handshake with a server of the same library, which verifies hashes and signatures.
    fn complete_handshake(srtp: Option<SrtpProfile>) -> SrtpProfile {
        let server = Identity::generate(None).unwrap();
        let client = Identity::generate(srtp).unwrap();
        let mut now = Instant::now();
        let expected = vec![DtlsFingerprint {
            algorithm: "sha-256".to_owned(),
            value: server.fingerprint().to_owned(),
        }];
        let mut handshake = Handshake::new(&client, expected, now);
        let mut other = dimpl::Dtls::new_12(server.config, server.pair, now);
        other.handle_timeout(now).unwrap();
        let mut to_client: Vec<Option<Vec<u8>>> = vec![None];
        let mut buffer = vec![0; OUTPUT_LEN_MAX];
        for _ in 0..20 {
            now += Duration::from_millis(1);
            let mut to_server = Vec::new();
            for packet in to_client.drain(..) {
                let send = |it: &[u8]| to_server.push(it.to_vec());
                match handshake.handle(now, packet.as_deref(), send) {
                    HandshakeState::Done(keys) => return keys.profile,
                    HandshakeState::InProgress(_) => {}
                    HandshakeState::Failed(why) => panic!("{why}"),
                }
            }
            for packet in to_server {
                other.handle_timeout(now).unwrap();
                other.handle_packet(&packet).unwrap();
                for _ in 0..OUTPUTS_MAX {
                    match other.poll_output(&mut buffer) {
                        Output::Packet(datagram) => to_client.push(Some(datagram.to_vec())),
                        Output::Timeout(_) => break,
                        _ => {}
                    }
                }
            }
        }
        panic!("the handshake did not complete");
    }

    #[test]
    fn offered_profile_can_be_restricted() {
        for profile in SrtpProfile::ALL {
            assert_eq!(complete_handshake(Some(profile)), profile);
        }
    }

    #[test]
    fn all_profiles_are_offered_by_default() {
        assert_ne!(complete_handshake(None), SrtpProfile::AesCm128HmacSha1_80);
    }
}
