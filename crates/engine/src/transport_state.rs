//! States of ICE and DTLS and reasons for closing, in mediasoup's words.

use serde::Serialize;

/// State of ICE on a transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum IceState {
    /// No authentic check has arrived.
    New,
    /// An authentic check has arrived, but no pair is nominated.
    Connected,
    /// The peer has nominated a pair.
    Completed,
    /// Consent has expired (RFC 7675).
    Disconnected,
    /// The transport is closed.
    Closed,
}

/// State of DTLS on a transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DtlsState {
    /// Waiting for the peer's parameters or for ICE.
    New,
    /// The handshake is in progress.
    Connecting,
    /// Keys are agreed and the peer's fingerprint is verified.
    Connected,
    /// The handshake failed or the fingerprint did not match.
    Failed,
    /// The peer sent a close alert.
    Closed,
}

/// Reason for which the engine closed a transport by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CloseReason {
    /// The peer sent a DTLS close alert.
    DtlsClosed,
    /// The DTLS handshake failed.
    DtlsFailed,
    /// The peer did not renew its consent in time (RFC 7675).
    ConsentLost,
    /// The object it depends on was closed.
    ParentClosed,
    /// Its code panicked; only this transport was closed.
    Fault,
}
