//! Socket options that neither the standard library nor `socket2` offers.

use std::io;
use std::os::fd::AsRawFd;

/// Sets a socket option to `value`, in the byte layout that the kernel expects.
///
/// # Errors
/// Errors of `setsockopt`.
pub(crate) fn set(
    socket: &impl AsRawFd,
    level: libc::c_int,
    option: libc::c_int,
    value: &[u8],
) -> io::Result<()> {
    let len = libc::socklen_t::try_from(value.len()).map_err(io::Error::other)?;
    #[expect(unsafe_code, reason = "no safe library sets these options")]
    // SAFETY: pointer and length are those of `value`, which outlives the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            value.as_ptr().cast(),
            len,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Sets a socket option whose value is one integer.
///
/// # Errors
/// Errors of `setsockopt`.
pub(crate) fn set_number(
    socket: &impl AsRawFd,
    level: libc::c_int,
    option: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    set(socket, level, option, &value.to_ne_bytes())
}
