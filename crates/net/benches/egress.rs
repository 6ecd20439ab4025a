//! CPU time of sending a datagram of 1,200 B, in nanoseconds: through the stack one by one and in
//! runs, and past the stack. Measured over a device that drops (`ifb`), for the cost of sending alone,
//! and over a virtual Ethernet whose other side drops on arrival, which includes the transfer.
//! Requires root: `cargo bench -p watersmeet-net --bench egress`.

#![cfg_attr(
    all(target_os = "linux", feature = "packet-egress"),
    expect(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        reason = "this is a benchmark"
    )
)]

#[cfg(all(target_os = "linux", feature = "packet-egress"))]
#[path = "../tests/support/namespace.rs"]
mod namespace;

#[cfg(all(target_os = "linux", feature = "packet-egress"))]
fn main() {
    linux::run();
}

#[cfg(not(all(target_os = "linux", feature = "packet-egress")))]
fn main() {
    println!("packet egress requires Linux and the feature packet-egress");
}

#[cfg(all(target_os = "linux", feature = "packet-egress"))]
mod linux {
    use std::net::SocketAddr;
    use std::time::Duration;

    use rustix::time::{ClockId, clock_gettime};
    use watersmeet_net::packet_egress::PacketEgressOptions;
    use watersmeet_net::udp::{Transmit, UdpOptions, UdpSocket};

    use crate::namespace::{NamespacePair, in_namespace};

    /// Bytes of a datagram.
    const LEN: u16 = 1_200;

    /// Number of destinations.
    const DESTINATIONS: u8 = 64;

    /// Batches per sample.
    const BATCHES: u32 = 100;

    /// Samples of each method, interleaved; the median is reported.
    const ROUNDS: usize = 15;

    /// A method of sending: name, datagrams per destination and batch, whether past the stack.
    type Method = (&'static str, u16, bool);

    const METHODS: [Method; 8] = [
        ("stack, sendmmsg", 1, false),
        ("stack, runs of 2", 2, false),
        ("stack, runs of 3", 3, false),
        ("stack, runs of 4", 4, false),
        ("stack, runs of 8", 8, false),
        ("past the stack", 1, true),
        ("past the stack, 2 at a time", 2, true),
        ("past the stack, 8 at a time", 8, true),
    ];

    pub fn run() {
        let Some(pair) = NamespacePair::new() else {
            return;
        };
        pair.theirs("route add blackhole 10.99.0.0/16");
        pair.ours("route add 10.99.0.0/17 via 10.77.0.2");
        pair.ours("link add drop type ifb");
        pair.ours("address add 10.88.0.1/24 dev drop");
        pair.ours("link set drop up");
        pair.ours("neighbour replace 10.88.0.2 lladdr 02:00:00:00:00:02 dev drop nud permanent");
        pair.ours("route add 10.99.128.0/17 via 10.88.0.2");
        println!("| 1,200 B to {DESTINATIONS} destinations, ns | ifb | | veth | |");
        println!("|---|---|---|---|---|");
        let (ifb, veth) = in_namespace(&pair.ours, || (measure(128), measure(0)));
        for (index, (name, ..)) in METHODS.iter().enumerate() {
            let cells = [&ifb, &veth].map(|costs| {
                let ratio = costs[0] / costs[index];
                format!("{:.0} | {ratio:.2}x", costs[index])
            });
            println!("| {name} | {} |", cells.join(" | "));
        }
    }

    /// Returns the median cost of each method to `10.99.{net}.*`.
    fn measure(net: u8) -> Vec<f64> {
        let mut sockets = METHODS.map(|(_, _, is_past_stack)| {
            let address = SocketAddr::from(([0, 0, 0, 0], 0));
            let mut socket = UdpSocket::bind(address, UdpOptions::default()).unwrap();
            if is_past_stack {
                socket
                    .enable_packet_egress(PacketEgressOptions { run_min: u16::MAX })
                    .unwrap();
            }
            socket
        });
        // Resolve the neighbour, and look up every destination.
        for _ in 0..30 {
            for (socket, (_, run, _)) in sockets.iter_mut().zip(METHODS) {
                sample(socket, net, run, 1);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let mut samples = METHODS.map(|_| Vec::new());
        for _ in 0..ROUNDS {
            for ((socket, (_, run, _)), samples) in
                sockets.iter_mut().zip(METHODS).zip(&mut samples)
            {
                samples.push(sample(socket, net, run, BATCHES));
            }
        }
        for (socket, (name, _, is_past_stack)) in sockets.iter().zip(METHODS) {
            let stats = socket.packet_egress_stats().unwrap_or_default();
            let all = u64::from(BATCHES) * u64::from(DESTINATIONS) * ROUNDS as u64;
            assert!(!is_past_stack || stats.frames >= all, "{name}: {stats:?}");
        }
        let median = |mut samples: Vec<f64>| {
            samples.sort_by(f64::total_cmp);
            samples[samples.len() / 2]
        };
        samples.into_iter().map(median).collect()
    }

    /// Returns this thread's CPU time per datagram of `batches`, in nanoseconds.
    fn sample(socket: &mut UdpSocket, net: u8, run: u16, batches: u32) -> f64 {
        let run_len = usize::from(LEN * run);
        let arena = vec![0x5a; run_len * usize::from(DESTINATIONS)];
        let transmits: Vec<_> = (0..DESTINATIONS)
            .map(|number| Transmit {
                destination: ([10, 99, net, number], 9).into(),
                source: None,
                range: usize::from(number) * run_len..(usize::from(number) + 1) * run_len,
                segment_size: (run > 1).then_some(LEN),
            })
            .collect();
        let before = clock_gettime(ClockId::ThreadCPUTime);
        for _ in 0..batches {
            let taken = socket.send_batch(&arena, &transmits).unwrap();
            assert_eq!(taken, transmits.len());
        }
        let after = clock_gettime(ClockId::ThreadCPUTime);
        let took = Duration::try_from(after).unwrap() - Duration::try_from(before).unwrap();
        let datagrams = batches * u32::from(DESTINATIONS) * u32::from(run);
        took.as_nanos() as f64 / f64::from(datagrams)
    }
}
