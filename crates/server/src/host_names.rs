//! Resolves host names with the system's hosts file and name servers (`/etc/hosts`,
//! `/etc/resolv.conf`). Never calls the resolver of the C library: its plugins (NSS) cannot be loaded
//! by a statically linked program.

use std::io;
use std::net::IpAddr;

use hickory_resolver::config::{LookupIpStrategy, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::{Resolver, TokioResolver};

/// Returns the addresses of a host name, IPv4 first. An IP address is returned as it is.
///
/// # Errors
/// The name does not exist or has no address, or no name server answers.
pub async fn resolve(name: &str) -> io::Result<Vec<IpAddr>> {
    // Without usable name servers, names in the hosts file are still found.
    let mut builder = TokioResolver::builder_tokio().unwrap_or_else(|_| {
        Resolver::builder_with_config(
            ResolverConfig::from_name_servers(Vec::new()),
            TokioRuntimeProvider::default(),
        )
    });
    builder.options_mut().ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    let resolver = builder.build().map_err(io::Error::other)?;
    let found = resolver.lookup_ip(name).await.map_err(describe)?;
    Ok(found.iter().collect())
}

/// Returns an error in words for operators.
fn describe(error: NetError) -> io::Error {
    if error.is_nx_domain() {
        return io::Error::other("the name does not exist");
    }
    if error.is_no_records_found() {
        return io::Error::other("the name has no address");
    }
    match error {
        NetError::Timeout => io::Error::other("no name server of /etc/resolv.conf answers"),
        NetError::NoConnections => {
            io::Error::other("no name server of /etc/resolv.conf can be reached")
        }
        error => io::Error::other(error),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    #[tokio::test]
    async fn addresses_and_local_names_need_no_name_server() {
        let v6 = IpAddr::V6(Ipv6Addr::LOCALHOST);
        assert_eq!(resolve("::1").await.unwrap(), [v6]);
        let localhost = resolve("localhost").await.unwrap();
        assert_eq!(localhost.first(), Some(&IpAddr::V4(Ipv4Addr::LOCALHOST)));
    }

    #[tokio::test]
    async fn name_that_does_not_exist_is_an_error_in_words() {
        let error = resolve("nowhere.invalid").await.unwrap_err().to_string();
        assert!(error.starts_with("the name "), "{error}");
    }
}
