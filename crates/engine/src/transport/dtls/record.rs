//! Reads the record headers of a DTLS datagram before it is passed to the DTLS library. Filters
//! datagrams that are malformed or must not be accepted unauthenticated.
//!
//! RFC 6347 §4.1, §4.2.2; RFC 9147 §4.

use watersmeet_wire::client_hello::HelloFragment;

/// Length of a record header of DTLS 1.2, and of plaintext in 1.3 (RFC 6347 §4.1).
const RECORD_HEADER_LEN: usize = 13;

/// Length of a handshake header (RFC 6347 §4.2.2).
const HANDSHAKE_HEADER_LEN: usize = 12;

/// Upper bound of records in one datagram, and of messages in one record. A server's first flight
/// has five records.
const RECORDS_MAX: usize = 16;

/// Content type of alerts.
const ALERT: u8 = 21;

/// Content type of handshake messages.
const HANDSHAKE: u8 = 22;

/// Handshake type of a ClientHello.
const CLIENT_HELLO: u8 = 1;

/// Offset of the length of the session id in a ClientHello: after version and random.
const SESSION_ID_OFFSET: usize = 2 + 32;

/// Properties of a datagram with consistent lengths.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct DatagramSummary<'a> {
    /// The ClientHello, or the fragment of one, with which it starts.
    pub first_hello: Option<Hello<'a>>,
    /// Whether it has a ClientHello elsewhere.
    pub other_hello: bool,
    /// Whether it has an unauthenticated alert.
    pub plain_alert: bool,
    /// Whether it has a record that exists only in DTLS 1.3.
    pub needs_1_3: bool,
}

/// A ClientHello, or a fragment of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hello<'a> {
    /// Position and bytes. The number of the message is zero without a cookie.
    pub fragment: HelloFragment<'a>,
}

impl Hello<'_> {
    /// Returns whether it is the first fragment.
    pub(super) const fn is_start(&self) -> bool {
        self.fragment.offset == 0
    }

    /// Returns whether it has this cookie of a HelloVerifyRequest.
    pub(super) fn has_cookie(&self, cookie: &[u8]) -> bool {
        self.cookie().is_some_and(|it| it == cookie)
    }

    fn cookie(&self) -> Option<&[u8]> {
        let rest = self.fragment.bytes.get(SESSION_ID_OFFSET..)?;
        let rest = rest.get(1 + usize::from(*rest.first()?)..)?;
        rest.get(1..1 + usize::from(*rest.first()?))
            .filter(|_| self.is_start())
    }
}

impl<'a> DatagramSummary<'a> {
    /// Parses the headers of `packet`, or returns `None` when their lengths are inconsistent. This
    /// is stricter than `dimpl`, which keeps a record with a malformed handshake message and fails
    /// the handshake later.
    pub(super) fn parse(packet: &'a [u8]) -> Option<Self> {
        let mut summary = Self::default();
        let mut rest = packet;
        for index in 0..RECORDS_MAX {
            let Some(first) = rest.first() else {
                return (index > 0).then_some(summary);
            };
            match first {
                0x20..=0x3f => {
                    // RFC 9147 §4: the rest is encrypted.
                    summary.needs_1_3 = true;
                    return Some(summary);
                }
                20..=23 => {}
                25..=26 => summary.needs_1_3 = true,
                _ => return None,
            }
            let (header, after) = rest.split_first_chunk::<RECORD_HEADER_LEN>()?;
            let &[kind, 0xfe, _, epoch_0, epoch_1, .., len_0, len_1] = header else {
                return None;
            };
            let len = usize::from(u16::from_be_bytes([len_0, len_1]));
            let (body, after) = after.split_at_checked(len)?;
            if epoch_0 == 0 && epoch_1 == 0 {
                summary.plain_alert |= kind == ALERT;
                if kind == HANDSHAKE {
                    summary.read_messages(index == 0, body)?;
                }
            }
            rest = after;
        }
        None
    }

    /// Parses the headers of the handshake messages, or fragments of them, in one plaintext record.
    fn read_messages(&mut self, is_first_record: bool, body: &'a [u8]) -> Option<()> {
        let mut rest = body;
        for index in 0..RECORDS_MAX {
            if rest.is_empty() {
                return (index > 0).then_some(());
            }
            let (header, after) = rest.split_first_chunk::<HANDSHAKE_HEADER_LEN>()?;
            let &[kind, l0, l1, l2, seq_0, seq_1, o0, o1, o2, f0, f1, f2] = header;
            let len = u32::from_be_bytes([0, l0, l1, l2]);
            let offset = u32::from_be_bytes([0, o0, o1, o2]);
            let fragment_len = u32::from_be_bytes([0, f0, f1, f2]);
            if offset.checked_add(fragment_len)? > len {
                return None;
            }
            let (fragment, after) = after.split_at_checked(usize::try_from(fragment_len).ok()?)?;
            rest = after;
            if kind == CLIENT_HELLO && is_first_record && index == 0 {
                self.first_hello = Some(Hello {
                    fragment: HelloFragment {
                        seq: u16::from_be_bytes([seq_0, seq_1]),
                        message_len: usize::try_from(len).ok()?,
                        offset: usize::try_from(offset).ok()?,
                        bytes: fragment,
                    },
                });
            } else if kind == CLIENT_HELLO {
                self.other_hello = true;
            }
        }
        None
    }
}
