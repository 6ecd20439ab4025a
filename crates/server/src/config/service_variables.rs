//! Variables that Kubernetes and Docker set for other services. A service named `watersmeet` puts
//! `WATERSMEET_SERVICE_HOST` and `WATERSMEET_PORT=tcp://10.0.0.1:3000` into the environment of every
//! container of its namespace; they are no settings.

/// Ends of names that are followed by a port's number and protocol, or by nothing.
const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];

/// Returns whether a variable has the shape of those that Kubernetes or Docker set for a service.
pub fn is_service_variable(name: &str, value: &str) -> bool {
    let is_url = PROTOCOLS.iter().any(|protocol| {
        let scheme = value.split_once("://").map_or("", |(scheme, _)| scheme);
        scheme.eq_ignore_ascii_case(protocol)
    });
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || (name.ends_with("_PORT") && is_url)
        || is_port_variable(name)
        // Docker's links add the name of both containers, and the variables of the other one.
        || (name.ends_with("_NAME") && value.starts_with('/'))
        || name.contains("_ENV_")
}

/// Returns whether a name is `…_PORT_3000_TCP`, or that with `_ADDR`, `_PORT`, `_PROTO`, `_START` or
/// `_END`.
fn is_port_variable(name: &str) -> bool {
    let Some((_, rest)) = name.split_once("_PORT_") else {
        return false;
    };
    let mut parts = rest.split('_');
    let number = parts.next().unwrap_or_default();
    let protocol = parts.next().unwrap_or_default();
    let detail = parts.next();
    !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && PROTOCOLS.contains(&protocol)
        && detail.is_none_or(|it| matches!(it, "ADDR" | "PORT" | "PROTO" | "START" | "END"))
        && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_services_and_links_are_recognised() {
        for (name, value) in [
            ("WATERSMEET_SERVICE_HOST", "10.0.0.1"),
            ("WATERSMEET_SERVICE_PORT", "3000"),
            ("WATERSMEET_SERVICE_PORT_HTTP", "3000"),
            ("WATERSMEET_PORT", "tcp://10.0.0.1:3000"),
            ("WATERSMEET_RTC_PORT", "udp://10.0.0.1:10000"),
            ("WATERSMEET_PORT_3000_TCP", "tcp://10.0.0.1:3000"),
            ("WATERSMEET_PORT_3000_TCP_ADDR", "10.0.0.1"),
            ("WATERSMEET_MEDIA_PORT_10000_UDP_PROTO", "udp"),
            ("WATERSMEET_NAME", "/page/watersmeet"),
            ("WATERSMEET_ENV_JWT_SECRET", "x"),
        ] {
            assert!(is_service_variable(name, value), "{name}={value}");
        }
        for (name, value) in [
            ("WATERSMEET_PORT", "3000"),
            ("WATERSMEET_PORT", "http://x"),
            ("WATERSMEET_RTC_PORT_MAX", "10001"),
            ("WATERSMEET_PORT_3000", "1"),
            ("WATERSMEET_SERVICE", "1"),
            ("WATERSMEET_PROT", "tcp"),
        ] {
            assert!(!is_service_variable(name, value), "{name}={value}");
        }
    }
}
