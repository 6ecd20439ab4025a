//! What the operating system lets the program have: file descriptors, of which every person costs
//! one or two.

use rustix::process::{Resource, getrlimit};

use super::Finding;
use crate::config::Config;

/// Descriptors that the program needs for itself: doors, shards, their pollers and wakers.
const OWN: u64 = 256;

/// Descriptors of one person: a signalling connection, and media over TCP.
const PER_PERSON: u64 = 2;

/// Fewer than this and the program is of no use.
const PEOPLE_MIN: u64 = 100;

/// What is found about the limits.
pub fn check(config: &Config) -> Vec<Finding> {
    let limit = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    let people = limit.saturating_sub(OWN) / PER_PERSON;
    let wished = config.caps.sessions_max as u64;
    let needed = wished.saturating_mul(PER_PERSON).saturating_add(OWN);
    let fix = format!(
        "Raise it: LimitNOFILE={needed} in the unit, --ulimit nofile={needed} for a container, or \
         ulimit -Hn {needed};\nor lower `caps.sessions_max`"
    );
    let text = format!("the limit of {limit} open files is enough for {people} people");
    vec![if people < PEOPLE_MIN {
        Finding::wrong("open files", text, fix)
    } else if people < wished {
        let text = format!("{text}; `caps.sessions_max` is {wished}");
        Finding::doubtful("open files", text, fix)
    } else {
        Finding::fine("open files", format!("{limit} are enough"))
    }]
}
