//! Checks the limit of open files: each participant needs one or two file descriptors.

use rustix::process::{Resource, getrlimit};

use super::finding::Finding;
use crate::config::Config;

/// Descriptors of the program itself: listeners, media sockets, pollers and wakers.
const PROGRAM_DESCRIPTORS: u64 = 256;

/// Descriptors of a participant: a signalling connection, and media over TCP.
const PARTICIPANT_DESCRIPTORS: u64 = 2;

/// Participants below which the limit counts as wrong.
const PARTICIPANTS_MIN: u64 = 100;

/// Checks the limit of open files.
pub fn check(config: &Config) -> Vec<Finding> {
    let limit = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    let participants = limit.saturating_sub(PROGRAM_DESCRIPTORS) / PARTICIPANT_DESCRIPTORS;
    let wanted = config.caps.sessions_max as u64;
    let needed = wanted
        .saturating_mul(PARTICIPANT_DESCRIPTORS)
        .saturating_add(PROGRAM_DESCRIPTORS);
    let fix = format!(
        "Raise it: LimitNOFILE={needed} in the unit, --ulimit nofile={needed} for a container, or \
         ulimit -Hn {needed};\nor lower `caps.sessions_max`"
    );
    let text = format!("the limit of {limit} open files is enough for {participants} participants");
    vec![if participants < PARTICIPANTS_MIN {
        Finding::wrong("open files", text, fix)
    } else if participants < wanted {
        let text = format!("{text}; `caps.sessions_max` is {wanted}");
        Finding::doubtful("open files", text, fix)
    } else {
        Finding::fine("open files", format!("{limit} are enough"))
    }]
}
