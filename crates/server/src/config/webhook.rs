//! A table `[[webhooks]]`: a URL that is told what happens in rooms, and the key that signs it.

use std::net::IpAddr;
use std::path::PathBuf;

use serde::Deserialize;
use url::{Host, Url};
use watersmeet_conference::access::TokenKeys;

use super::error::ConfigError;
use super::secret::Secret;
use crate::private_networks::TargetRule;

/// Upper bound of webhooks: each has a queue of up to 16 MiB and a connection.
pub(super) const WEBHOOKS_MAX: usize = 8;

/// Longest name of a key, in bytes.
const KEY_LEN_MAX: usize = 256;

/// Settings of one webhook.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebhookConfig {
    /// URL to which events are sent by POST: `https://`, or with `private_targets` also `http://`.
    /// `url = "https://app.example.org/webhooks"`
    pub url: String,
    /// Name of the key, the issuer of the signature: what the receiver's SDK calls its API key.
    /// `key = "watersmeet"`
    pub key: String,
    /// Secret of the key, which the receiver has too: at least 32 random bytes. Required, unless
    /// `secret_file` is set.
    /// `secret = ""`
    pub secret: Option<Secret>,
    /// File that contains the secret, instead of `secret`; only its owner may read it.
    /// `secret_file = "/etc/watersmeet/webhook.key"`
    pub secret_file: Option<PathBuf>,
    /// PEM file with the root certificates by which the receiver is trusted, for an authority of your own.
    /// Default: the public ones.
    /// `ca_file = "/etc/watersmeet/ca.pem"`
    pub ca_file: Option<PathBuf>,
    /// Whether the receiver may be on this machine or in a private network, where a URL could otherwise
    /// reach what the internet cannot. Default false.
    /// `private_targets = false`
    pub private_targets: bool,
}

impl WebhookConfig {
    /// Returns to which addresses events may be sent.
    pub const fn target_rule(&self) -> TargetRule {
        match self.private_targets {
            true => TargetRule::Private,
            false => TargetRule::Public,
        }
    }

    /// Checks that events can be sent and signed. The secret of a file is checked once it is read.
    ///
    /// # Errors
    /// Names the first setting that is wrong, and the fix.
    fn check(&self) -> Result<(), String> {
        let url = Url::parse(&self.url).map_err(|error| {
            format!("`url`: {error}. Set it to such as `https://app.example.org/webhooks`")
        })?;
        match (url.scheme(), self.private_targets) {
            ("https", _) | ("http", true) => {}
            ("http", false) => {
                return Err(
                    "`url`: events name people, so that they are sent by `https://`; by `http://` only \
                     with `private_targets = true`, inside your own network"
                        .to_owned(),
                );
            }
            _ => return Err("`url` must begin with `https://`".to_owned()),
        }
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(
                "`url` must have no user name, password and fragment: events are signed with `secret`"
                    .to_owned(),
            );
        }
        let ip = match url.host() {
            Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
            Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
            Some(Host::Domain(_)) | None => None,
        };
        if let Some(ip) = ip.filter(|ip| !self.target_rule().allows(*ip)) {
            return Err(format!(
                "`url`: {ip} is no address of the internet; {}",
                match self.private_targets {
                    true => "events are not sent there",
                    false => "set `private_targets = true` if the receiver is in your own network",
                }
            ));
        }
        if self.key.is_empty() || self.key.len() > KEY_LEN_MAX {
            return Err("`key` must be the name by which the receiver knows the secret".to_owned());
        }
        if self.secret.is_some() == self.secret_file.is_some() {
            return Err("one of `secret` and `secret_file` is needed".to_owned());
        }
        match &self.secret {
            Some(secret) => check_secret("secret", secret),
            None => Ok(()),
        }
    }
}

/// Checks all webhooks.
///
/// # Errors
/// Names the first setting that is wrong, and the fix.
pub(super) fn check(webhooks: &[WebhookConfig]) -> Result<(), ConfigError> {
    if webhooks.len() > WEBHOOKS_MAX {
        return Err(ConfigError::contradiction(format!(
            "there are more than {WEBHOOKS_MAX} `webhooks`"
        )));
    }
    for (index, webhook) in webhooks.iter().enumerate() {
        webhook.check().map_err(|text| in_webhook(index, &text))?;
    }
    Ok(())
}

/// Checks the secret of a webhook.
///
/// # Errors
/// It is short or guessable; says how to make one.
pub(super) fn check_secret(key: &str, secret: &Secret) -> Result<(), String> {
    let checked = TokenKeys::new(secret.expose().as_bytes(), None);
    checked.map(|_| ()).map_err(|weak| {
        let problem = weak.weakness;
        format!("`{key}` {problem}. Make one with `openssl rand -hex 32`, also for the receiver")
    })
}

/// Returns an error about a setting of the webhook with this index.
pub(super) fn in_webhook(index: usize, text: &str) -> ConfigError {
    ConfigError::contradiction(format!("`webhooks`, number {}: {text}", index + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webhook(url: &str) -> WebhookConfig {
        WebhookConfig {
            url: url.to_owned(),
            key: "app".to_owned(),
            secret: Some(Secret::new("k9wPZr3vQmT7xLcB2nHs5yUe8aGd4fJ6".to_owned())),
            ..WebhookConfig::default()
        }
    }

    fn refusal(webhook: WebhookConfig) -> String {
        check(&[webhook]).unwrap_err().to_string()
    }

    #[test]
    fn complete_webhook_is_accepted() {
        check(&[webhook("https://app.example.org/hooks?room=1")]).unwrap();
        let private = WebhookConfig {
            private_targets: true,
            ..webhook("http://127.0.0.1:8080/")
        };
        check(&[private]).unwrap();
        check(&vec![webhook("https://app.example.org"); WEBHOOKS_MAX]).unwrap();
        let many = vec![webhook("https://app.example.org"); WEBHOOKS_MAX + 1];
        assert!(
            check(&many)
                .unwrap_err()
                .to_string()
                .contains("more than 8")
        );
    }

    #[test]
    fn setting_that_is_wrong_is_named_with_its_fix() {
        for (url, word) in [
            ("", "`url`: relative URL"),
            ("app.example.org", "`url`: relative URL"),
            ("http://app.example.org", "`https://`"),
            ("ftp://app.example.org", "`https://`"),
            ("https://user@app.example.org", "no user name"),
            ("https://app.example.org/#part", "fragment"),
            ("https://10.1.2.3/", "private_targets = true"),
            ("https://[::ffff:127.0.0.1]/", "private_targets = true"),
            ("https://2130706433/", "127.0.0.1"),
            ("https://0x7f.1/", "127.0.0.1"),
            ("https://0/", "0.0.0.0"),
        ] {
            let text = refusal(webhook(url));
            assert!(text.contains("number 1") && text.contains(word), "{text}");
        }
        let good = || webhook("https://app.example.org");
        let without_key = WebhookConfig {
            key: String::new(),
            ..good()
        };
        assert!(refusal(without_key).contains("`key`"));
        let without_secret = WebhookConfig {
            secret: None,
            ..good()
        };
        assert!(refusal(without_secret).contains("`secret_file`"));
        let weak = WebhookConfig {
            secret: Some(Secret::new("secret".to_owned())),
            ..good()
        };
        assert!(refusal(weak).contains("openssl rand"));
        let metadata = WebhookConfig {
            private_targets: true,
            ..webhook("http://169.254.169.254/latest/meta-data")
        };
        assert!(refusal(metadata).contains("169.254.169.254"));
    }
}
