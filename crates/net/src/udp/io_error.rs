//! Classification of I/O errors: which concern one datagram, and which the whole socket.

use std::io;

/// Returns whether there is nothing to receive, or no room to send, for now.
pub(super) fn is_would_block(error: &io::Error) -> bool {
    // ENOBUFS: the device's queue is full, which passes as a full socket does.
    #[cfg(target_os = "linux")]
    let no_buffers = error.raw_os_error() == Some(libc::ENOBUFS);
    #[cfg(not(target_os = "linux"))]
    let no_buffers = false;
    no_buffers || error.kind() == io::ErrorKind::WouldBlock
}

/// Returns whether the error concerns one datagram or one peer, so that receiving can continue.
pub(super) fn is_transient(error: &io::Error) -> bool {
    use io::ErrorKind;
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::NetworkDown
            | ErrorKind::Interrupted
    )
}

/// Returns whether a send failed because the socket is not open. All other send errors concern one
/// datagram.
pub(super) fn is_bad_descriptor(error: &io::Error) -> bool {
    #[cfg(unix)]
    const BAD_DESCRIPTOR: i32 = 9;
    #[cfg(not(unix))]
    const BAD_DESCRIPTOR: i32 = 10_038;
    error.raw_os_error() == Some(BAD_DESCRIPTOR)
}
