//! Checks that packet egress is available if it is configured. Without it media is sent by UDP, so
//! the outcome is at most doubtful.

use std::io;

use watersmeet_net::packet_egress;

use super::finding::Finding;
use crate::config::{Config, Egress};

/// Checks packet egress if it is configured.
pub fn check(config: &Config) -> Vec<Finding> {
    match config.egress {
        Egress::Udp => Vec::new(),
        Egress::Packet => vec![evaluate(packet_egress::probe())],
    }
}

fn evaluate(probed: io::Result<()>) -> Finding {
    let Err(error) = probed else {
        return Finding::fine("egress", "packet egress is available");
    };
    let text = format!("packet egress is not available, media is sent by UDP: {error}");
    let fix = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "Grant the privilege: sudo setcap cap_net_raw=+ep on the program, again after each \
             update;\nAmbientCapabilities=CAP_NET_RAW and the same in CapabilityBoundingSet in its \
             unit;\n--cap-add NET_RAW for a container; or remove `egress`"
        }
        _ => {
            "A unit needs AF_PACKET in RestrictAddressFamilies, and the kernel CONFIG_PACKET;\nor \
             remove `egress`"
        }
    };
    Finding::doubtful("egress", text, fix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Outcome;

    #[test]
    fn missing_privilege_is_reported_with_ways_to_grant_it() {
        let finding = evaluate(Err(io::ErrorKind::PermissionDenied.into()));
        assert_eq!(finding.outcome, Outcome::Doubtful);
        let fix = finding.fix.unwrap();
        for way in [
            "setcap cap_net_raw",
            "AmbientCapabilities=CAP_NET_RAW",
            "--cap-add NET_RAW",
        ] {
            assert!(fix.contains(way), "{fix}");
        }
        let finding = evaluate(Err(io::Error::from_raw_os_error(97)));
        assert!(finding.fix.unwrap().contains("AF_PACKET"));
        assert!(evaluate(Ok(())).is_fine());
    }

    #[test]
    fn packet_egress_is_checked_only_if_configured() {
        assert!(check(&Config::default()).is_empty());
        let config = Config {
            egress: Egress::Packet,
            ..Config::default()
        };
        assert_eq!(check(&config).len(), 1);
    }
}
