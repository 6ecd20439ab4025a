//! Orders a certificate (RFC 8555 §7.4): registers an account, answers one challenge for each domain,
//! and fetches the certificate. Decides neither when, nor what happens with it.

use std::path::PathBuf;
use std::time::Duration;

use instant_acme::{
    Account, AccountCredentials, AuthorizationHandle, AuthorizationStatus, ChallengeType, Error,
    Identifier, NewAccount, NewOrder, Order, OrderStatus, RetryPolicy,
};

use super::authority_client::AuthorityClient;
use super::challenges::PendingChallenges;
use super::error::{AcmeError, description};
use crate::config::Config;
use crate::state_directory::StateDirectory;

/// File of the account, with its private key.
const ACCOUNT_FILE: &str = "account.json";

/// Problem of an account that the authority does not know (RFC 8555 §6.7).
const ACCOUNT_UNKNOWN: &str = "urn:ietf:params:acme:error:accountDoesNotExist";

/// How the authority is asked whether it has finished: at first twice a second, for at most a minute.
const POLLING: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_millis(500))
    .backoff(1.5)
    .timeout(Duration::from_mins(1));

/// Account at a certificate authority, which is registered when it is needed first.
pub struct AcmeAccount {
    /// Directory URL of the authority.
    directory_url: String,
    /// Mail address of the operator.
    contact: Option<String>,
    /// Root certificates by which the authority is trusted.
    ca_file: Option<PathBuf>,
    /// Folder that has the account.
    folder: StateDirectory,
}

impl AcmeAccount {
    /// Takes the settings of a configuration.
    pub fn new(config: &Config, folder: StateDirectory) -> Self {
        Self {
            directory_url: config.acme_directory_url.clone(),
            contact: config.acme_contact.clone(),
            ca_file: config.acme_ca_file.clone(),
            folder,
        }
    }

    /// Obtains a certificate for these names, which are validated by the first of `kinds` that the authority
    /// offers. Returns its private key and chain (PEM).
    ///
    /// # Errors
    /// The authority cannot be reached, refuses, or cannot validate a name.
    pub async fn obtain(
        &self,
        names: &[String],
        challenges: &PendingChallenges,
        kinds: &[ChallengeType],
    ) -> Result<String, AcmeError> {
        let account = self.open().await?;
        let names: Vec<_> = names.iter().cloned().map(Identifier::Dns).collect();
        let mut order = match account.new_order(&NewOrder::new(&names)).await {
            Ok(order) => order,
            Err(error) => return Err(self.forget_if_unknown(error)),
        };
        answer_challenges(&mut order, challenges, kinds).await?;
        match order.poll_ready(&POLLING).await {
            Ok(OrderStatus::Ready) => {}
            Ok(_) | Err(Error::Api(_)) => return Err(validation_error(&mut order).await),
            Err(error) => return Err(error.into()),
        }
        let key = order.finalize().await?;
        let chain = order.poll_certificate(&POLLING).await?;
        Ok(key + &chain)
    }

    /// Opens the stored account, or registers one and stores it.
    async fn open(&self) -> Result<Account, AcmeError> {
        let client = Box::new(AuthorityClient::new(self.ca_file.as_deref())?);
        let builder = Account::builder_with_http(client);
        let stored = self.folder.read(ACCOUNT_FILE)?;
        let stored = stored.and_then(|text| serde_json::from_str::<AccountCredentials>(&text).ok());
        if let Some(credentials) = stored {
            return Ok(builder.from_credentials(credentials).await?);
        }
        let contact = self.contact.as_ref().map(|it| format!("mailto:{it}"));
        let contact: Vec<_> = contact.iter().map(String::as_str).collect();
        let new = NewAccount {
            contact: &contact,
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let registered = builder.create(&new, self.directory_url.clone(), None).await;
        let (account, credentials) = registered?;
        let text = serde_json::to_string(&credentials).map_err(Error::Json)?;
        self.folder.write(ACCOUNT_FILE, &text)?;
        Ok(account)
    }

    /// Removes an account that the authority does not know, so that the next attempt registers another.
    fn forget_if_unknown(&self, error: Error) -> AcmeError {
        if let Error::Api(problem) = &error
            && problem.r#type.as_deref() == Some(ACCOUNT_UNKNOWN)
            && let Err(error) = std::fs::remove_file(self.folder.path(ACCOUNT_FILE))
        {
            tracing::error!(%error, "account that the certificate authority does not know not removed");
        }
        error.into()
    }
}

/// Answers one challenge for each name that the authority has not validated yet.
async fn answer_challenges(
    order: &mut Order,
    pending: &PendingChallenges,
    kinds: &[ChallengeType],
) -> Result<(), AcmeError> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        if authorization.status == AuthorizationStatus::Pending {
            answer_challenge(&mut authorization, pending, kinds).await?;
        }
    }
    Ok(())
}

async fn answer_challenge<'a>(
    authorization: &'a mut AuthorizationHandle<'a>,
    pending: &PendingChallenges,
    kinds: &[ChallengeType],
) -> Result<(), AcmeError> {
    let offered = &authorization.challenges;
    let kind = kinds
        .iter()
        .find(|&kind| offered.iter().any(|it| it.r#type == *kind));
    let kind = kind.cloned().ok_or(AcmeError::NoChallenge)?;
    let is_http = kind == ChallengeType::Http01;
    let mut challenge = authorization
        .challenge(kind)
        .ok_or(AcmeError::NoChallenge)?;
    let key = challenge.key_authorization();
    match is_http {
        true => pending.add_key_authorization(&challenge.token, key.as_str())?,
        false => {
            let domain = challenge.identifier().to_string();
            pending.add_certificate(&domain, key.digest().as_ref())?;
        }
    }
    Ok(challenge.set_ready().await?)
}

/// Returns which name could not be validated, and why.
async fn validation_error(order: &mut Order) -> AcmeError {
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let Ok(state) = authorization.refresh().await else {
            break;
        };
        let failed = state.challenges.iter().find(|it| it.error.is_some());
        if let Some((challenge, problem)) = failed.and_then(|it| Some((it, it.error.as_ref()?))) {
            let by = match challenge.r#type {
                ChallengeType::Http01 => "HTTP on port 80",
                _ => "TLS on port 443",
            };
            let (name, reason) = (state.identifier(), description(problem));
            return AcmeError::NotValidated(format!("{name} by {by}: {reason}"));
        }
    }
    AcmeError::NotValidated("a domain, and gave no reason".to_owned())
}
