//! Packet egress: the program in one network namespace, a peer in another. Requires root and the
//! command `ip` of iproute2.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use crate::ice_checks::IceTarget;
use crate::metrics::{scrape, sum};
use crate::namespace::{NamespacePair, in_namespace};
use crate::native_client::Client;
use crate::program::start_configured;

/// Longest wait for a response.
const TIMEOUT: Duration = Duration::from_secs(10);

#[test]
fn peer_on_ethernet_is_answered_by_packet_egress() {
    let Some(pair) = NamespacePair::new() else {
        return;
    };
    let peer = in_namespace(&pair.theirs, || UdpSocket::bind("10.77.0.2:0").unwrap());
    peer.set_read_timeout(Some(TIMEOUT)).unwrap();
    in_namespace(&pair.ours, || {
        let settings = "egress = \"packet\"\nmedia_listen_ip = \"10.77.0.1\"\nshards = 1";
        let program = start_configured("packets", settings);
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        runtime.block_on(async {
            let mut ana = Client::join(&program, "standup").await;
            let target = IceTarget::new(&ana.create_transport("recv").await, "udp");
            let address = SocketAddr::from(([10, 77, 0, 1], target.address.port()));
            let start = Instant::now();
            let mut number = 0;
            // The first responses may use UDP, until the kernel has resolved the peer's link address.
            while sum(&scrape(&program), "watersmeet_packet_frames_total", &[]) < 3.0 {
                assert!(
                    start.elapsed() < TIMEOUT,
                    "no response is sent by packet egress"
                );
                number += 1;
                peer.send_to(&target.check(number), address).unwrap();
                let mut answer = [0; 1_500];
                let (len, source) = peer.recv_from(&mut answer).unwrap();
                assert_eq!(source, address);
                assert!(target.is_response(&answer[..len], number), "check {number}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        let dropped = sum(
            &scrape(&program),
            "watersmeet_packet_frames_dropped_total",
            &[],
        );
        assert_eq!(dropped, 0.0);
    });
}
