//! Raises the limit of open file descriptors: each participant needs one or two, and many systems
//! start a program with 1,024.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit of file descriptors to the hard limit. When the system refuses, the
/// program runs with less capacity.
pub fn raise_to_maximum() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    match setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    ) {
        Ok(()) => tracing::debug!(?current, ?maximum, "file descriptor limit raised"),
        Err(error) => tracing::warn!(?current, %error, "file descriptor limit cannot be raised"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn soft_limit_equals_hard_limit_after_raising() {
        raise_to_maximum();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
    }
}
