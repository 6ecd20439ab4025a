//! Network namespaces for tests and benchmarks: isolated addresses, routes and devices. Requires
//! root, and the command `ip` of iproute2.

use std::fs::File;
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::thread::LinkNameSpaceType;

/// Two namespaces joined by a virtual Ethernet. Our side has `10.77.0.1` and `fd77::1` on device
/// `va`; theirs has `10.77.0.2` and `fd77::2` on `vb`, and `10.78.0.1` as a host behind a router.
pub struct NamespacePair {
    /// Name of our namespace.
    pub ours: String,
    /// Name of their namespace.
    pub theirs: String,
}

impl NamespacePair {
    /// Creates both. Returns `None`, with a message, where they cannot be created outside of CI.
    pub fn new() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = |side| format!("watersmeet-{}-{number}-{side}", std::process::id());
        let pair = Self {
            ours: name("a"),
            theirs: name("b"),
        };
        let created = Command::new("ip")
            .args(["netns", "add", &pair.ours])
            .output();
        let failure = match created {
            Ok(output) if output.status.success() => None,
            Ok(output) => Some(String::from_utf8_lossy(&output.stderr).into_owned()),
            Err(error) => Some(format!("running `ip` of iproute2 failed: {error}")),
        };
        if let Some(failure) = failure {
            let message = format!("creating a network namespace failed (requires root): {failure}");
            assert!(std::env::var_os("CI").is_none(), "{message}");
            eprintln!("test skipped: {message}");
            return None;
        }
        ip(&["netns", "add", &pair.theirs]);
        let Self { ours, theirs } = &pair;
        let link = "link add name va type veth peer name vb netns";
        pair.ours(&format!("{link} {theirs}"));
        for (side, name, number) in [(ours, "va", 1), (theirs, "vb", 2)] {
            let run = |line: &str| ip_in(side, line);
            run("link set lo up");
            run(&format!("address add 10.77.0.{number}/24 dev {name}"));
            run(&format!("address add fd77::{number}/64 dev {name} nodad"));
            run(&format!("link set {name} up"));
        }
        pair.theirs("address add 10.78.0.1/32 dev lo");
        pair.ours("route add 10.78.0.0/24 via 10.77.0.2");
        Some(pair)
    }

    /// Runs `ip` with these arguments in our namespace.
    pub fn ours(&self, line: &str) {
        ip_in(&self.ours, line);
    }

    /// Runs `ip` with these arguments in their namespace.
    pub fn theirs(&self, line: &str) {
        ip_in(&self.theirs, line);
    }
}

impl Drop for NamespacePair {
    fn drop(&mut self) {
        for name in [&self.ours, &self.theirs] {
            let _ = Command::new("ip").args(["netns", "del", name]).output();
        }
    }
}

fn ip(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments:?}: {error}");
}

fn ip_in(namespace: &str, line: &str) {
    let mut arguments = vec!["-n", namespace];
    arguments.extend(line.split(' '));
    ip(&arguments);
}

/// Runs `work` on a separate thread in a namespace. Sockets stay in the namespace that opened them.
pub fn in_namespace<T: Send>(namespace: &str, work: impl FnOnce() -> T + Send) -> T {
    let file = File::open(format!("/run/netns/{namespace}")).unwrap();
    std::thread::scope(|scope| {
        let thread = scope.spawn(move || {
            let kind = Some(LinkNameSpaceType::Network);
            rustix::thread::move_into_link_name_space(file.as_fd(), kind).unwrap();
            work()
        });
        match thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}
