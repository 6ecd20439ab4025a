//! Why a webhook cannot be used, as the rest of a sentence that names it.

use thiserror::Error;

use crate::https_client::HttpsClientError;

/// Reason why a webhook cannot be used.
#[derive(Debug, Error)]
pub enum WebhookError {
    /// The URL cannot be used. The configuration is checked before, so that this does not happen.
    #[error("its `url` cannot be used")]
    Url,
    /// The client cannot be created.
    #[error("`ca_file`: {0}")]
    Client(#[from] HttpsClientError),
}
