//! Whether media can go past the network stack, where that is wanted: what the system demands for
//! it. Without it media takes the stack, so nothing here is worse than doubtful.

use std::io;

use watersmeet_net::packet_egress;

use super::Finding;
use crate::config::{Config, Egress};

/// What is found about the way past the stack.
pub fn check(config: &Config) -> Vec<Finding> {
    match config.egress {
        Egress::Udp => Vec::new(),
        Egress::Packet => vec![found(packet_egress::probe())],
    }
}

fn found(probed: io::Result<()>) -> Finding {
    let Err(error) = probed else {
        return Finding::fine("egress", "packets may go past the network stack");
    };
    let text = format!("packets take the network stack: {error}");
    let fix = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "Give the program the privilege: sudo setcap cap_net_raw=+ep on it, anew after each \
             update;\nAmbientCapabilities=CAP_NET_RAW and the same in CapabilityBoundingSet in its \
             unit;\n--cap-add NET_RAW for a container; or leave `egress` away"
        }
        _ => {
            "A unit needs AF_PACKET in RestrictAddressFamilies, and the kernel CONFIG_PACKET;\nor \
             leave `egress` away"
        }
    };
    Finding::doubtful("egress", text, fix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    #[test]
    fn a_missing_privilege_is_told_with_the_ways_to_give_it() {
        let finding = found(Err(io::ErrorKind::PermissionDenied.into()));
        assert_eq!(finding.outcome, Outcome::Doubtful);
        let fix = finding.fix.unwrap();
        for way in [
            "setcap cap_net_raw",
            "AmbientCapabilities=CAP_NET_RAW",
            "--cap-add NET_RAW",
        ] {
            assert!(fix.contains(way), "{fix}");
        }
        let finding = found(Err(io::Error::from_raw_os_error(97)));
        assert!(finding.fix.unwrap().contains("AF_PACKET"));
        assert!(found(Ok(())).is_fine());
    }

    #[test]
    fn nothing_is_said_where_the_stack_is_wanted() {
        assert!(check(&Config::default()).is_empty());
        let config = Config {
            egress: Egress::Packet,
            ..Config::default()
        };
        assert_eq!(check(&config).len(), 1);
    }
}
