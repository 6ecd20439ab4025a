//! Datagrams that the kernel dropped at the UDP sockets of a process because nobody read them in time,
//! from the tables in `/proc/PID/net` (proc(5)).

use std::collections::BTreeSet;
use std::fs;

use procfs::process::{FDTarget, Process};

/// Column of the inode in the tables.
const INODE: usize = 9;

/// Column of the number of dropped datagrams.
const DROPS: usize = 12;

/// Returns the datagrams dropped so far at the sockets that the process has open; zero when the
/// process cannot be read.
pub fn of_process(process: &Process) -> u64 {
    let inodes: BTreeSet<u64> = process
        .fd()
        .into_iter()
        .flatten()
        .filter_map(|fd| match fd.ok()?.target {
            FDTarget::Socket(inode) => Some(inode),
            _ => None,
        })
        .collect();
    let tables = ["udp", "udp6"].map(|table| format!("/proc/{}/net/{table}", process.pid));
    let tables = tables
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok());
    tables.map(|table| sum(&table, &inodes)).sum()
}

/// Returns the drops of the sockets with these inodes.
fn sum(table: &str, inodes: &BTreeSet<u64>) -> u64 {
    let drops = table.lines().skip(1).filter_map(|line| {
        let column = |index| line.split_whitespace().nth(index)?.parse::<u64>().ok();
        column(DROPS).filter(|_| column(INODE).is_some_and(|it| inodes.contains(&it)))
    });
    drops.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_of_own_sockets_are_added() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  70: 0100007F:2710 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 501 2 0000000000000000 17
  71: 0100007F:2711 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 502 2 0000000000000000 4
  72: 0100007F:2712 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 503 2 0000000000000000 8
";
        assert_eq!(sum(table, &BTreeSet::from([501, 503])), 25);
        assert_eq!(sum("", &BTreeSet::from([501])), 0);
    }
}
