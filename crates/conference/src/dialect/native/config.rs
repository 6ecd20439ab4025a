//! Configuration of the native dialect.

use super::payloads::ClientOptions;

/// Configuration of the native dialect.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Config {
    /// Options sent to every client in `connected`. `None` leaves the defaults of the client.
    pub client: Option<ClientOptions>,
}
