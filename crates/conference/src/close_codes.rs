//! WebSocket close codes that the conference uses (RFC 6455 §7.4.1 and IANA's registry).

/// Normal end of a session.
pub const CLOSE_NORMAL: u16 = 1000;
/// The client violated a rule of the server.
pub const CLOSE_POLICY: u16 = 1008;
/// A message was too long.
pub const CLOSE_TOO_LONG: u16 = 1009;
/// The server failed while it handled a message of this connection. Clients may reconnect.
pub const CLOSE_INTERNAL: u16 = 1011;
/// The service restarts. Clients should reconnect.
pub const CLOSE_RESTART: u16 = 1012;
/// The server is full. Clients should try again later.
pub const CLOSE_TRY_LATER: u16 = 1013;
/// Makes protoo clients stop reconnecting; they reconnect after every other code.
pub const CLOSE_PROTOO_FOR_GOOD: u16 = 4000;
