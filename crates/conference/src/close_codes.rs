//! WebSocket close codes that the conference uses (RFC 6455 §7.4.1 and IANA's registry).

/// The close code of a session that is over, with nobody to blame (RFC 6455 §7.4.1).
pub const CLOSE_NORMAL: u16 = 1000;
/// The close code of a connection that broke the rules (RFC 6455 §7.4.1).
pub const CLOSE_POLICY: u16 = 1008;
/// The close code of a connection whose message is too long (RFC 6455 §7.4.1).
pub const CLOSE_TOO_LONG: u16 = 1009;
/// The close code of a service that starts afresh: come back (IANA's WebSocket close code registry).
pub const CLOSE_RESTART: u16 = 1012;
/// The close code that says "try again later" (IANA's WebSocket close code registry).
pub const CLOSE_TRY_LATER: u16 = 1013;
/// The close code that says "do not come back" to protoo's clients; every other one makes them try
/// again.
pub const CLOSE_PROTOO_FOR_GOOD: u16 = 4000;
