//! A running handshake: verifies the peer's certificate before keys are exported and datagrams are
//! released.

use std::sync::Arc;
use std::time::Instant;

use watersmeet_wire::units::Time;

use super::certificate::HANDSHAKE_TIMEOUT;
use super::cookie::{CookieOffer, is_hello_verify};
use super::cookie_hmac::Cookie;
use super::endpoint::{Endpoint, EndpointOutputs};
use super::peer_verification::{ExpectedPeer, SrtpKeys, VerifiedPeer};

/// A running handshake.
pub(super) struct Handshake {
    /// DTLS library endpoint. Absent until the peer has returned a cookie, where it must.
    pub(super) endpoint: Option<Endpoint>,
    /// Whether we are a server, which requires a cookie.
    pub(super) requires_cookie: bool,
    /// Whether the endpoint may receive records of DTLS 1.3.
    pub(super) speaks_1_3: bool,
    /// Cookie that a ClientHello may use.
    pub(super) offer: Option<Box<CookieOffer>>,
    /// Time at which a cookie for 1.2 is offered although no complete ClientHello has arrived.
    pub(super) offer_due: Time,
    /// Cookie of the ClientHello for `endpoint`.
    pub(super) accepted_cookie: Option<Cookie>,
    /// Expected peer.
    pub(super) peer: Arc<ExpectedPeer>,
    /// Present once the peer's certificate matched a fingerprint.
    pub(super) verified_peer: Option<VerifiedPeer>,
    /// SRTP keys, exported after verification.
    pub(super) keys: Option<SrtpKeys>,
    /// Whether we sent a flight; an error of the endpoint is final afterwards.
    pub(super) has_sent_flight: bool,
    /// Time at which it fails; set by the first packet in either direction.
    pub(super) deadline: Time,
}

/// State of a handshake after an input.
pub(super) enum HandshakeProgress {
    /// The handshake continues.
    Ongoing {
        datagrams: Vec<Vec<u8>>,
        timeout: Option<Instant>,
    },
    /// The handshake is complete and has keys.
    Done {
        datagrams: Vec<Vec<u8>>,
        timeout: Option<Instant>,
    },
    /// The handshake cannot succeed any more.
    Failed(&'static str),
}

impl Handshake {
    /// Replaces the endpoint by that of an offer whose cookie has returned.
    pub(super) fn accept_cookie(&mut self, endpoint: Endpoint, cookie: Cookie, speaks_1_3: bool) {
        self.endpoint = Some(endpoint);
        self.accepted_cookie = Some(cookie);
        self.speaks_1_3 = speaks_1_3;
        self.verified_peer = None;
        self.keys = None;
        self.has_sent_flight = false;
    }

    /// Returns whether the endpoint repeats the HelloVerifyRequest, which we send ourselves, by timer.
    pub(super) const fn repeats_hello_verify(&self) -> bool {
        self.requires_cookie && !self.speaks_1_3 && !self.has_sent_flight
    }

    /// Starts the deadline with the first packet. A peer may wait before it sends that.
    pub(super) fn start_deadline(&mut self, now: Time) {
        self.deadline = self.deadline.min(now + HANDSHAKE_TIMEOUT);
    }

    /// Verifies the certificate, exports the keys, and only then releases the datagrams.
    pub(super) fn apply_outputs(&mut self, outputs: EndpointOutputs) -> HandshakeProgress {
        let EndpointOutputs {
            mut datagrams,
            certificate,
            keys,
            is_connected,
            is_closed,
            timeout,
        } = outputs;
        if self.repeats_hello_verify() {
            datagrams.retain(|datagram| !is_hello_verify(datagram));
        }
        if let Some(certificate) = certificate {
            self.verified_peer = self.peer.verify(&certificate);
            if self.verified_peer.is_none() {
                return HandshakeProgress::Failed("the certificate matches no fingerprint");
            }
        }
        if let Some((material, profile)) = keys {
            let Some(verified_peer) = &self.verified_peer else {
                return HandshakeProgress::Failed(
                    "keys were exported before a certificate was verified",
                );
            };
            self.keys =
                SrtpKeys::export(verified_peer, profile, &material, self.peer.we_are_client());
        }
        if is_closed {
            return HandshakeProgress::Failed("the peer sent close_notify");
        }
        self.has_sent_flight |= !datagrams.is_empty();
        match (is_connected, &self.keys) {
            (false, _) => HandshakeProgress::Ongoing { datagrams, timeout },
            (true, Some(_)) => HandshakeProgress::Done { datagrams, timeout },
            (true, None) => HandshakeProgress::Failed("no common SRTP profile"),
        }
    }
}
