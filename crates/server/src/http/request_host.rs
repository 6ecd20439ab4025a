//! Host of a request, and the names under which this server is reached.

use url::Host;

use crate::config::Config;
use crate::origin::{Authority, HostPattern, OriginPattern, is_never_foreign};

/// File with the name of this machine (Linux).
const HOSTNAME_FILE: &str = "/proc/sys/kernel/hostname";

/// Host of a request.
#[derive(Debug, Clone)]
pub struct RequestHost {
    /// Host and port; `None` for a request by HTTP/1.0 that names none.
    pub authority: Option<Authority>,
    /// Whether a page that was loaded from there is our own.
    pub is_known: bool,
}

/// Names under which this server is reached.
#[derive(Debug, Clone, Default)]
pub struct KnownNames {
    /// Names of the configuration and of this machine.
    names: Vec<HostPattern>,
}

impl KnownNames {
    /// Takes the names from `host_names`, `domains`, `base_url`, `cors_origins` and announced host names,
    /// and that of this machine. Addresses, and names that no page of the internet can have, need not be
    /// listed.
    pub fn new(config: &Config) -> Self {
        let listed = config.host_names.iter().chain(&config.domains);
        let listed = listed.filter_map(|it| it.parse().ok());
        let announced = config.announced_ips.iter().map(ToString::to_string);
        let machine = std::fs::read_to_string(HOSTNAME_FILE).unwrap_or_default();
        let own = announced.chain([machine]);
        let origins = config.cors_origins.iter().filter_map(|it| {
            let pattern: OriginPattern = it.parse().ok()?;
            pattern.host()
        });
        let base_url = config
            .base_url
            .as_deref()
            .and_then(|url| url::Url::parse(url).ok());
        let base_name = base_url.as_ref().and_then(|url| url.host_str());
        let names = listed
            .chain(own.filter_map(|name| name.trim().parse().ok()))
            .chain(origins)
            .chain(base_name.and_then(|name| name.parse().ok()));
        Self {
            names: names.collect(),
        }
    }

    /// Returns whether this server is reached under a host.
    pub fn contains(&self, host: &Host) -> bool {
        is_never_foreign(host) || self.names.iter().any(|name| name.matches(host))
    }
}
