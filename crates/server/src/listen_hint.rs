//! What to do about an address that cannot be bound.

use std::io;

/// Returns what to do about an address that cannot be bound. `port` and `ip` are the settings of it.
pub fn listen_hint(error: &io::Error, port: &str, ip: &str) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!(": another process uses this port; choose one with {port}")
        }
        io::ErrorKind::PermissionDenied => format!(
            ": ports below 1024 need the capability CAP_NET_BIND_SERVICE; or choose one with {port}"
        ),
        io::ErrorKind::AddrNotAvailable => {
            format!(": this machine has no such address; choose one with {ip}")
        }
        _ => String::new(),
    }
}
