//! File descriptors: every person costs one or two, and many systems start a program with 1,024.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the number of descriptors that the process may open to the most it is allowed to ask
/// for. A refusal costs capacity, not service.
pub fn raise() {
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
        Err(error) => tracing::warn!(?current, %error, "the file descriptor limit stays low"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn afterwards_nothing_more_could_be_asked_for() {
        raise();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
    }
}
