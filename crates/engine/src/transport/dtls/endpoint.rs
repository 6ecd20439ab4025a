//! The fence around `dimpl`: every call into it is driven in the order it demands, and a panic in
//! it ends one handshake instead of a worker. The crate is young: it asserts on a certificate that
//! does not fit the buffer it is given, and unwraps a random that its first `handle_timeout` sets.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use dimpl::Output;

use super::certificate::{DtlsCertificate, DtlsVersion};

/// Room for one output. Must hold the peer's certificate, or `dimpl` panics; browsers' have
/// 300 B, and a chain of RSA certificates stays under 8 KiB.
const OUTPUT_LEN_MAX: usize = 16 * 1024;

/// Outputs drained after one input: the longest flight has ten datagrams and three events.
const OUTPUTS_MAX: usize = 64;

/// Why an endpoint is of no use any more.
#[derive(Debug)]
pub(super) enum EndpointError {
    /// It said so; every error of `dimpl` is final.
    Refused(dimpl::Error),
    /// Its code failed.
    Panicked,
}

/// Everything that one input brought about.
#[derive(Default)]
pub(super) struct Outputs {
    /// Datagrams for the peer, in order.
    pub datagrams: Vec<Vec<u8>>,
    /// The peer's certificate, DER.
    pub certificate: Option<Vec<u8>>,
    /// Exported for SRTP.
    pub keys: Option<(dimpl::KeyingMaterial, dimpl::SrtpProfile)>,
    /// The handshake is complete.
    pub is_connected: bool,
    /// The peer said goodbye.
    pub is_closed: bool,
    /// When to call [`Endpoint::handle_timeout`].
    pub timeout: Option<Instant>,
}

/// A DTLS endpoint that cannot panic.
pub(super) struct Endpoint {
    dtls: dimpl::Dtls,
}

impl Endpoint {
    /// An endpoint that opens the handshake, or waits for it.
    pub(super) fn new(
        certificate: &DtlsCertificate,
        version: DtlsVersion,
        opens: bool,
        now: Instant,
    ) -> Result<Self, EndpointError> {
        let dtls = catch_panics(|| {
            let mut dtls = certificate.endpoint(version, now);
            dtls.set_active(opens);
            Ok(dtls)
        })?;
        Ok(Self { dtls })
    }

    /// Takes a datagram of the peer.
    pub(super) fn handle_packet(
        &mut self,
        now: Instant,
        packet: &[u8],
    ) -> Result<Outputs, EndpointError> {
        self.drive(|dtls| {
            dtls.handle_timeout(now)?;
            dtls.handle_packet(packet)
        })
    }

    /// Sends again what is due; must come before the first packet.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Result<Outputs, EndpointError> {
        self.drive(|dtls| dtls.handle_timeout(now))
    }

    /// Says goodbye, if there is a secure way to.
    pub(super) fn close(&mut self, now: Instant) -> Result<Outputs, EndpointError> {
        self.drive(|dtls| {
            dtls.handle_timeout(now)?;
            dtls.close()
        })
    }

    fn drive(
        &mut self,
        input: impl FnOnce(&mut dimpl::Dtls) -> Result<(), dimpl::Error>,
    ) -> Result<Outputs, EndpointError> {
        let dtls = &mut self.dtls;
        catch_panics(|| {
            input(dtls)?;
            let mut outputs = Outputs::default();
            // Kept with every endpoint it would be the largest part of an idle transport; a
            // handshake has four inputs, and making it anew for each costs half a microsecond.
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
                    // Data over DTLS has no reader yet.
                    _ => {}
                }
            }
            Ok(outputs)
        })
    }
}

/// Runs `work`; a panic becomes a fault. What it touched is thrown away with the endpoint.
fn catch_panics<T>(work: impl FnOnce() -> Result<T, dimpl::Error>) -> Result<T, EndpointError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(EndpointError::Refused),
        Err(_) => Err(EndpointError::Panicked),
    }
}
