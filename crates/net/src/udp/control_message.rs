//! Control messages (`cmsghdr`, cmsg(3)) that the kernel attaches to received datagrams.

/// Bytes of a `cmsghdr`: a length and two integers.
pub(super) const CONTROL_HEADER_LEN: usize = size_of::<libc::cmsghdr>();

/// Bytes for the control messages of one received datagram: a timestamp and a run's length.
pub(super) const CONTROL_LEN: usize = 64;

/// A buffer of control messages, aligned as the kernel requires.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(super) struct ControlBuffer<const LEN: usize>(pub(super) [u8; LEN]);

/// One control message.
pub(super) struct ControlMessage<'a> {
    /// Protocol level, `SOL_…`.
    pub(super) level: libc::c_int,
    /// Type within the level.
    pub(super) kind: libc::c_int,
    /// Bytes behind the header.
    pub(super) value: &'a [u8],
}

/// Returns the messages in `bytes`, up to the first malformed one.
pub(super) fn control_messages(bytes: &[u8]) -> impl Iterator<Item = ControlMessage<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (len, header) = rest.split_first_chunk()?;
        let len = usize::from_ne_bytes(*len);
        let (level, header) = header.split_first_chunk()?;
        let kind = header.first_chunk()?;
        let message = ControlMessage {
            level: libc::c_int::from_ne_bytes(*level),
            kind: libc::c_int::from_ne_bytes(*kind),
            value: rest.get(CONTROL_HEADER_LEN..len)?,
        };
        rest = rest
            .get(len.next_multiple_of(size_of::<usize>())..)
            .unwrap_or_default();
        Some(message)
    })
}

/// Returns the length of a run's datagrams if `message` states it (UDP_GRO).
pub(super) fn segment_len(message: &ControlMessage<'_>) -> Option<usize> {
    if (message.level, message.kind) != (libc::SOL_UDP, libc::UDP_GRO) {
        return None;
    }
    let size = libc::c_int::from_ne_bytes(*message.value.first_chunk()?);
    usize::try_from(size).ok()
}
