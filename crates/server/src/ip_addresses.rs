//! IP addresses under which this machine can be reached, for ICE candidates, certificates and the
//! startup banner.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::config::{AnnouncedAddress, Config, is_unreachable};
use crate::host_names;

/// Upper bound of announced addresses: each costs every browser two candidates to check.
const ANNOUNCED_MAX: usize = 8;

/// Interval at which announced host names are resolved again: the usual lifetime of such records.
const RESOLVE_INTERVAL: Duration = Duration::from_mins(1);

/// Reason why an announced host name cannot be used.
#[derive(Debug, Error)]
pub enum AnnounceError {
    /// The name cannot be resolved.
    #[error("`announced_ips`: cannot resolve `{name}`: {error}")]
    Resolve {
        /// The host name.
        name: String,
        /// Error of the resolver.
        error: io::Error,
    },
    /// The name has no address that browsers could use.
    #[error(
        "`announced_ips`: `{name}` has no address of a family that media listens on; see \
         `media_listen_ip`"
    )]
    NoAddress {
        /// The host name.
        name: String,
    },
    /// The system has no resources to resolve names.
    #[error(transparent)]
    System(#[from] io::Error),
}

/// Returns the addresses announced to browsers for media, best first: the configured ones, else those of
/// the first domain, and the address that media listens on, or the machine's own with loopback last.
///
/// # Errors
/// A configured host name has no address.
pub async fn announced_ips(config: &Config) -> Result<Vec<IpAddr>, AnnounceError> {
    let listen = config.media_listen_ips();
    let mut announced = Vec::new();
    for address in &config.announced_ips {
        match address {
            AnnouncedAddress::Ip(ip) => announced.push(*ip),
            AnnouncedAddress::Name(name) => announced.extend(resolve(name, &listen).await?),
        }
    }
    if !announced.is_empty() {
        return Ok(announced);
    }
    let mut found = domain_ips(config, &listen).await.unwrap_or_default();
    // A name of this machine itself, as /etc/hosts may have it.
    found.retain(|ip| !ip.is_loopback());
    found.extend(own_ips(config));
    let mut found = without_duplicates(found);
    // The last one is kept: it is loopback, where media listens on all addresses.
    let last = found.pop();
    found.truncate(ANNOUNCED_MAX - 1);
    found.extend(last);
    Ok(found)
}

/// Returns the addresses that media listens on, best first: the configured one, else the machine's own with loopback
/// last.
pub fn own_ips(config: &Config) -> Vec<IpAddr> {
    let listen = config.media_listen_ips();
    if listen.iter().all(|ip| !ip.is_unspecified()) {
        return listen;
    }
    let mut own = local_ips();
    own.retain(|ip| listen.iter().any(|listen| listen.is_ipv4() == ip.is_ipv4()));
    let v4 = listen.iter().any(IpAddr::is_ipv4);
    own.push(if v4 {
        Ipv4Addr::LOCALHOST.into()
    } else {
        Ipv6Addr::LOCALHOST.into()
    });
    own
}

/// Returns the addresses of the first domain, where no address is configured: behind NAT they are those
/// under which browsers reach this machine.
async fn domain_ips(config: &Config, listen: &[IpAddr]) -> Result<Vec<IpAddr>, AnnounceError> {
    let domain = config
        .domains
        .first()
        .filter(|_| config.announced_ips.is_empty());
    match domain {
        Some(name) => resolve(name, listen).await,
        None => Ok(Vec::new()),
    }
}

/// Removes all but the first of equal addresses.
fn without_duplicates(ips: Vec<IpAddr>) -> Vec<IpAddr> {
    let mut unique: Vec<IpAddr> = Vec::new();
    for ip in ips {
        if !unique.contains(&ip) {
            unique.push(ip);
        }
    }
    unique
}

/// Returns the addresses of a host name that media listens on the family of, in a stable order, so
/// that a resolver that rotates its answers does not look like a change.
async fn resolve(name: &str, listen: &[IpAddr]) -> Result<Vec<IpAddr>, AnnounceError> {
    let found = host_names::resolve(name)
        .await
        .map_err(|error| AnnounceError::Resolve {
            name: name.to_owned(),
            error,
        })?;
    let mut ips: Vec<_> = found.iter().map(IpAddr::to_canonical).collect();
    ips.retain(|ip| {
        let is_served = listen.iter().any(|it| it.is_ipv4() == ip.is_ipv4());
        is_served && !is_unreachable(*ip)
    });
    ips.sort_by_key(|ip| (ip.is_ipv6(), *ip));
    ips.dedup();
    ips.truncate(ANNOUNCED_MAX);
    if ips.is_empty() {
        return Err(AnnounceError::NoAddress {
            name: name.to_owned(),
        });
    }
    Ok(ips)
}

/// Resolves announced host names again from time to time and sends the addresses when they change.
/// Returns at once when no name is announced.
pub async fn watch_announced_names(config: Config, announced: watch::Sender<Vec<IpAddr>>) {
    let has_domain = config.announced_ips.is_empty() && !config.domains.is_empty();
    if has_domain || config.announced_ips.iter().any(|it| it.ip().is_none()) {
        let config = Arc::new(config);
        let resolver = || {
            let config = Arc::clone(&config);
            async move {
                // A domain that cannot be resolved for a while stays announced.
                domain_ips(&config, &config.media_listen_ips()).await?;
                announced_ips(&config).await
            }
        };
        watch_resolver(resolver, announced).await;
    }
}

/// Calls a resolver at an interval and sends the addresses when they change.
async fn watch_resolver<F>(resolver: impl Fn() -> F, announced: watch::Sender<Vec<IpAddr>>)
where
    F: Future<Output = Result<Vec<IpAddr>, AnnounceError>>,
{
    let mut failed = false;
    loop {
        sleep(RESOLVE_INTERVAL).await;
        match resolver().await {
            Ok(ips) => {
                let changed = announced.send_if_modified(|known| {
                    let changed = *known != ips;
                    *known = ips;
                    changed
                });
                if changed {
                    tracing::info!(
                        "announced host names have other addresses: new transports use them"
                    );
                }
                failed = false;
            }
            Err(error) if !failed => {
                tracing::warn!(%error, "announced host names keep their addresses");
                failed = true;
            }
            Err(_) => {}
        }
    }
}

/// Returns the machine's own addresses that others may reach, the one of the default route first.
/// Link-local addresses are left out: they need a zone, which candidates cannot carry.
pub fn local_ips() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot list the addresses of this machine");
        Vec::new()
    });
    let mut found: Vec<IpAddr> = interfaces
        .iter()
        .filter(|interface| !interface.is_loopback() && !interface.is_link_local())
        .map(if_addrs::Interface::ip)
        .collect();
    let first = default_route_ip();
    found.sort_by_key(|&ip| (Some(ip) != first, ip.is_ipv6(), ip));
    found.dedup();
    found
}

/// Returns the machine's addresses of the family of `ip`, link-local ones included, loopback ones not.
pub fn ips_of_family(ip: IpAddr) -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let mut found: Vec<IpAddr> = interfaces
        .iter()
        .filter(|interface| !interface.is_loopback())
        .map(if_addrs::Interface::ip)
        .filter(|found| found.is_ipv4() == ip.is_ipv4())
        .collect();
    found.sort();
    found.dedup();
    found
}

/// Returns the source address of the default route. Connecting a UDP socket sends nothing; the
/// destination is reserved for documentation (RFC 5737).
fn default_route_ip() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    socket
        .local_addr()
        .ok()
        .map(|address: SocketAddr| address.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_configured_addresses_are_announced() {
        let ip = IpAddr::from([192, 0, 2, 7]);
        let config = Config {
            announced_ips: vec![ip.into()],
            ..Config::default()
        };
        assert_eq!(announced_ips(&config).await.unwrap(), [ip]);
        let config = Config {
            media_listen_ip: Some(ip),
            ..Config::default()
        };
        assert_eq!(announced_ips(&config).await.unwrap(), [ip]);
    }

    #[tokio::test]
    async fn domain_that_is_this_machine_itself_or_unknown_changes_nothing() {
        let ip = IpAddr::from([192, 0, 2, 7]);
        for domain in ["localhost", "nowhere.invalid"] {
            let config = Config {
                domains: vec![domain.to_owned()],
                media_listen_ip: Some(ip),
                ..Config::default()
            };
            assert_eq!(announced_ips(&config).await.unwrap(), [ip], "{domain}");
        }
        assert_eq!(without_duplicates(vec![ip, ip]), [ip]);
    }

    #[tokio::test]
    async fn loopback_is_announced_last_by_default() {
        let found = announced_ips(&Config::default()).await.unwrap();
        assert_eq!(found.last(), Some(&IpAddr::V4(Ipv4Addr::LOCALHOST)));
        assert!(found.len() <= ANNOUNCED_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn addresses_of_announced_names_follow_the_resolver() {
        let (sender, mut announced) = watch::channel(vec![ip(1)]);
        let answers = std::sync::Mutex::new(vec![
            Ok(vec![ip(2)]),
            Err(AnnounceError::NoAddress {
                name: "media.example".to_owned(),
            }),
            Ok(vec![ip(1)]),
        ]);
        // Later answers are errors, which change nothing.
        let resolver = move || {
            let answer = answers.lock().unwrap().pop().unwrap_or_else(|| {
                Err(AnnounceError::NoAddress {
                    name: "media.example".to_owned(),
                })
            });
            std::future::ready(answer)
        };
        let watching = tokio::spawn(watch_resolver(resolver, sender));
        announced.changed().await.unwrap();
        assert_eq!(*announced.borrow(), [ip(2)]);
        let more = tokio::time::timeout(RESOLVE_INTERVAL * 5, announced.changed());
        assert!(more.await.is_err(), "{:?}", announced.borrow());
        watching.abort();
    }

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[tokio::test]
    async fn announced_name_is_resolved_to_families_that_media_listens_on() {
        let announced = async |name: &str| {
            let config = Config {
                announced_ips: vec![name.parse().unwrap()],
                media_listen_ip: Some(Ipv4Addr::UNSPECIFIED.into()),
                ..Config::default()
            };
            announced_ips(&config).await
        };
        assert_eq!(announced("localhost").await.unwrap(), [Ipv4Addr::LOCALHOST]);
        let error = announced("nowhere.invalid").await.unwrap_err().to_string();
        assert!(error.contains("nowhere.invalid"), "{error}");
    }
}
