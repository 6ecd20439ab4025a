//! Wraps the DTLS library `dimpl`: calls it in the order that it requires, and turns its panics
//! into errors, so that a panic ends one handshake instead of the worker. `dimpl` is young: it
//! asserts that a certificate fits the given buffer, and unwraps a value that `handle_timeout` sets
//! first.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use dimpl::Output;

use watersmeet_wire::client_hello::{hello_before_retry, write_client_hello, write_hello_retry};

use super::certificate::{DtlsCertificate, DtlsVersion};
use super::cookie_hmac::{Cookie, with_cookie};

/// Size of the output buffer. It must hold the peer's certificate, or `dimpl` panics. Browsers'
/// certificates have 300 B, and a chain of RSA certificates less than 8 KiB.
const OUTPUT_LEN_MAX: usize = 16 * 1024;

/// Upper bound of outputs after one input. The longest flight has ten datagrams and three events.
const OUTPUTS_MAX: usize = 64;

/// Reason an endpoint cannot be used any more.
#[derive(Debug)]
pub(super) enum EndpointError {
    /// `dimpl` returned an error. All of its errors are final.
    Library(dimpl::Error),
    /// `dimpl` panicked.
    Panicked,
    /// It does not answer a ClientHello with the HelloRetryRequest that the peer has got.
    OtherRetry,
}

/// Outputs of an endpoint after one input.
#[derive(Default)]
pub(super) struct EndpointOutputs {
    /// Datagrams for the peer, in order.
    pub datagrams: Vec<Vec<u8>>,
    /// The peer's certificate, DER.
    pub certificate: Option<Vec<u8>>,
    /// Keying material for SRTP, and the negotiated profile.
    pub keys: Option<(dimpl::KeyingMaterial, dimpl::SrtpProfile)>,
    /// Whether the handshake is complete.
    pub is_connected: bool,
    /// Whether the peer sent close_notify.
    pub is_closed: bool,
    /// Time at which to call [`Endpoint::handle_timeout`].
    pub timeout: Option<Instant>,
}

/// A DTLS endpoint whose panics are caught.
pub(super) struct Endpoint {
    dtls: dimpl::Dtls,
    /// Cookie of the HelloRetryRequest, where we wrote that ourselves.
    retry_cookie: Option<Cookie>,
}

impl Endpoint {
    /// Creates an endpoint in the role of client or server.
    ///
    /// # Errors
    /// Fails when `dimpl` panics.
    pub(super) fn new(
        certificate: &DtlsCertificate,
        version: DtlsVersion,
        is_client: bool,
        now: Instant,
    ) -> Result<Self, EndpointError> {
        let dtls = catch_panics(|| {
            let mut dtls = certificate.new_endpoint(version, is_client, now);
            dtls.set_active(is_client);
            Ok(dtls)
        })?;
        Ok(Self {
            dtls,
            retry_cookie: None,
        })
    }

    /// Creates a server of DTLS 1.3 that has sent a HelloRetryRequest with `cookie`. `hello` is the body of
    /// the ClientHello with that cookie, which [`Self::handle_packet`] takes next.
    ///
    /// # Errors
    /// Fails when the ClientHello before it is not acceptable.
    pub(super) fn after_hello_retry(
        certificate: &DtlsCertificate,
        cookie: Cookie,
        hello: &[u8],
        now: Instant,
    ) -> Result<Self, EndpointError> {
        let first = hello_before_retry(hello).ok_or(EndpointError::OtherRetry)?;
        let mut endpoint = Self::new(certificate, DtlsVersion::V13, false, now)?;
        endpoint.retry_cookie = Some(cookie);
        let outputs = endpoint.handle_packet(now, &write_client_hello(0, &first))?;
        if outputs.datagrams == [write_hello_retry(&cookie)] {
            Ok(endpoint)
        } else {
            Err(EndpointError::OtherRetry)
        }
    }

    /// Handles a datagram of the peer.
    ///
    /// # Errors
    /// Returns why the endpoint cannot be used any more.
    pub(super) fn handle_packet(
        &mut self,
        now: Instant,
        packet: &[u8],
    ) -> Result<EndpointOutputs, EndpointError> {
        self.drive(|dtls| {
            dtls.handle_timeout(now)?;
            dtls.handle_packet(packet)
        })
    }

    /// Retransmits a flight that is due. Must be called before the first packet.
    ///
    /// # Errors
    /// Returns why the endpoint cannot be used any more.
    pub(super) fn handle_timeout(
        &mut self,
        now: Instant,
    ) -> Result<EndpointOutputs, EndpointError> {
        self.drive(|dtls| dtls.handle_timeout(now))
    }

    /// Sends close_notify if the handshake is complete.
    ///
    /// # Errors
    /// Returns why the endpoint cannot be used any more.
    pub(super) fn close(&mut self, now: Instant) -> Result<EndpointOutputs, EndpointError> {
        self.drive(|dtls| {
            dtls.handle_timeout(now)?;
            dtls.close()
        })
    }

    fn drive(
        &mut self,
        input: impl FnOnce(&mut dimpl::Dtls) -> Result<(), dimpl::Error>,
    ) -> Result<EndpointOutputs, EndpointError> {
        let dtls = &mut self.dtls;
        let retry_cookie = self.retry_cookie;
        catch_panics(|| {
            with_cookie(retry_cookie, || input(dtls))?;
            let mut outputs = EndpointOutputs::default();
            // Stored in the endpoint, it would be the largest part of an idle transport. A
            // handshake has four inputs, and allocating it takes half a microsecond.
            let mut buffer = vec![0; OUTPUT_LEN_MAX];
            for _ in 0..OUTPUTS_MAX {
                match dtls.poll_output(&mut buffer) {
                    Output::Packet(datagram) => outputs.datagrams.push(datagram.to_vec()),
                    Output::PeerCert(der) => outputs.certificate = Some(der.to_vec()),
                    Output::KeyingMaterial(keys, profile) => outputs.keys = Some((keys, profile)),
                    Output::Connected => outputs.is_connected = true,
                    Output::CloseNotify => outputs.is_closed = true,
                    Output::Timeout(at) => {
                        outputs.timeout = Some(at);
                        break;
                    }
                    Output::BufferTooSmall { .. } => break,
                    // Application data (SCTP) is not supported yet.
                    _ => {}
                }
            }
            Ok(outputs)
        })
    }
}

/// Runs `work`, and turns a panic into an error. The caller drops the endpoint after an error, so
/// that no inconsistent state remains.
fn catch_panics<T>(work: impl FnOnce() -> Result<T, dimpl::Error>) -> Result<T, EndpointError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(EndpointError::Library),
        Err(_) => Err(EndpointError::Panicked),
    }
}
