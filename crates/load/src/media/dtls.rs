//! The client's side of a DTLS handshake: one certificate for all scripted peers, and SRTP keys at
//! its end (RFC 6347, RFC 5764 §4.2, RFC 8122 §5).

use std::io;
use std::sync::Arc;
use std::time::Instant;

use aws_lc_rs::digest;
use dimpl::Output;
use watersmeet_engine::transport::srtp::{MasterKey, SrtpProfile};
use watersmeet_wire::params::DtlsFingerprint;

use super::offer::Offer;

/// Longest datagram of a handshake.
const DATAGRAM_LEN_MAX: usize = 1_200;

/// Room for one output: the server's certificate.
const OUTPUT_LEN_MAX: usize = 16 * 1024;

/// Outputs after one input.
const OUTPUTS_MAX: usize = 64;

/// What all scripted peers show.
#[derive(Clone)]
pub struct Identity {
    pair: dimpl::DtlsCertificate,
    config: Arc<dimpl::Config>,
    /// The only profile to offer; none offers all.
    offer: Option<&'static Offer>,
    /// The hash of the certificate.
    fingerprint: String,
}

impl Identity {
    /// Makes a certificate. `srtp` is the only profile to offer, if there is to be one only.
    ///
    /// # Errors
    /// When the machine's cryptography is broken.
    pub fn generate(srtp: Option<SrtpProfile>) -> io::Result<Self> {
        let pair =
            dimpl::certificate::generate_self_signed_certificate().map_err(io::Error::other)?;
        let offer = srtp.map(Offer::of);
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

    /// The SHA-256 of the certificate, as signalling carries it.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

/// What media is sealed and opened with.
pub struct Keys {
    /// The profile agreed on.
    pub profile: SrtpProfile,
    /// What we seal with.
    pub local: MasterKey,
    /// What the server seals with.
    pub remote: MasterKey,
}

/// Where a handshake stands.
pub enum Progress {
    /// It goes on, and wants to be called again at that moment.
    Going(Option<Instant>),
    /// It is over.
    Done(Keys),
    /// It failed.
    Failed(String),
}

/// One transport's handshake.
pub struct Handshake {
    dtls: dimpl::Dtls,
    offer: Option<&'static Offer>,
    /// Any of these will do.
    expected: Vec<DtlsFingerprint>,
    /// Whether the server's certificate has one of them.
    is_verified: bool,
    /// Exported before the end.
    keys: Option<Keys>,
    buffer: Vec<u8>,
}

impl Handshake {
    /// A handshake with the server whose certificate has one of these fingerprints.
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

    /// Takes a datagram, or begins or sends again what is due when there is none. What is to be
    /// sent goes to `send`.
    pub fn handle(
        &mut self,
        now: Instant,
        packet: Option<&[u8]>,
        mut send: impl FnMut(&[u8]),
    ) -> Progress {
        let mut result = self.dtls.handle_timeout(now);
        if let Some(packet) = packet {
            result = result.and_then(|()| self.dtls.handle_packet(packet));
        }
        if let Err(error) = result {
            return Progress::Failed(format!("DTLS: {error}"));
        }
        let (mut is_connected, mut timeout) = (false, None);
        for _ in 0..OUTPUTS_MAX {
            match self.dtls.poll_output(&mut self.buffer) {
                Output::Packet(datagram) => {
                    let mut datagram = datagram.to_vec();
                    if let Some(offer) = self.offer {
                        offer.narrow_datagram(&mut datagram);
                    }
                    send(&datagram);
                }
                Output::PeerCert(der) => self.is_verified = matches(&self.expected, der),
                Output::KeyingMaterial(material, profile) => {
                    self.keys = cut(profile, &material);
                }
                Output::Connected => is_connected = true,
                Output::CloseNotify => return Progress::Failed("DTLS: closed".to_owned()),
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
                Progress::Going(timeout)
            }
            (true, false, _) => Progress::Failed("the certificate is another's".to_owned()),
            (true, true, None) => Progress::Failed("no common SRTP profile".to_owned()),
            (true, true, Some(keys)) => Progress::Done(keys),
        }
    }
}

/// Whether a certificate has one of these fingerprints, as far as they are of SHA-256.
fn matches(expected: &[DtlsFingerprint], der: &[u8]) -> bool {
    let hash = colon_hex(digest::digest(&digest::SHA256, der).as_ref());
    expected.iter().any(|it| {
        it.algorithm.eq_ignore_ascii_case("sha-256") && it.value.eq_ignore_ascii_case(&hash)
    })
}

/// The client's view of exported keys.
fn cut(profile: dimpl::SrtpProfile, material: &[u8]) -> Option<Keys> {
    let profile = match profile {
        dimpl::SrtpProfile::AEAD_AES_256_GCM => SrtpProfile::AeadAes256Gcm,
        dimpl::SrtpProfile::AEAD_AES_128_GCM => SrtpProfile::AeadAes128Gcm,
        dimpl::SrtpProfile::AES128_CM_SHA1_80 => SrtpProfile::AesCm128HmacSha1_80,
        _ => return None,
    };
    let (local, remote) = profile.split_keying_material(material)?;
    Some(Keys {
        profile,
        local,
        remote,
    })
}

/// Upper-case hex bytes with colons between them.
fn colon_hex(bytes: &[u8]) -> String {
    let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    hex.join(":")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A handshake with a server of the same library, which proves the hashes and signatures.
    fn shake(srtp: Option<SrtpProfile>) -> SrtpProfile {
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
                    Progress::Done(keys) => return keys.profile,
                    Progress::Going(_) => {}
                    Progress::Failed(why) => panic!("{why}"),
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
        panic!("no end");
    }

    #[test]
    fn a_profile_can_be_forced() {
        for profile in SrtpProfile::ALL {
            assert_eq!(shake(Some(profile)), profile);
        }
    }

    #[test]
    fn all_profiles_are_offered_otherwise() {
        assert_ne!(shake(None), SrtpProfile::AesCm128HmacSha1_80);
    }
}
