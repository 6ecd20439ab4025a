//! Several addresses on one interface: UDP responses leave from the address that was asked. Requires
//! root and the command `ip` of iproute2.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use serde_json::Value;

use crate::ice_checks::IceTarget;
use crate::namespace::{NamespacePair, in_namespace};
use crate::native_client::Client;
use crate::program::start_configured;

/// Longest wait for a response.
const TIMEOUT: Duration = Duration::from_secs(10);

/// One IP version in the test.
struct Family {
    /// Address on which media listens.
    listen: &'static str,
    /// Address of the client.
    client: &'static str,
    /// Addresses of the program's interface, in the order in which they were added.
    addresses: [&'static str; 2],
}

const FAMILIES: [Family; 2] = [
    Family {
        listen: "0.0.0.0",
        client: "10.77.0.2:0",
        addresses: ["10.77.0.1", "10.77.0.3"],
    },
    Family {
        listen: "::",
        client: "[fd77::2]:0",
        addresses: ["fd77::1", "fd77::3"],
    },
];

/// Starts the program with these settings on an interface with two addresses of the family, and sends
/// an ICE check to each. Returns the sources of the responses and the announced addresses, or `None`
/// without root.
fn ask_both_addresses(name: &str, family: &Family, settings: &str) -> Option<[Vec<String>; 2]> {
    let pair = NamespacePair::new()?;
    pair.ours("address add 10.77.0.3/24 dev va");
    pair.ours("address add fd77::3/64 dev va nodad");
    let client = in_namespace(&pair.theirs, || UdpSocket::bind(family.client).unwrap());
    client.set_read_timeout(Some(TIMEOUT)).unwrap();
    in_namespace(&pair.ours, || {
        let listen = family.listen;
        let settings = format!("media_listen_ip = \"{listen}\"\nshards = 1\n{settings}");
        let program = start_configured(name, &settings);
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        let (_ana, transport) = runtime.block_on(async {
            let mut ana = Client::join(&program, "standup").await;
            let transport = ana.create_transport("recv").await;
            (ana, transport)
        });
        let target = IceTarget::new(&transport, "udp");
        let port = target.address.port();
        let ask = |(address, number): (&str, u32)| {
            let address = SocketAddr::new(address.parse().unwrap(), port);
            client.send_to(&target.check(number), address).unwrap();
            let mut response = [0; 1_500];
            let (len, source) = client.recv_from(&mut response).unwrap();
            assert!(target.is_response(&response[..len], number), "{address}");
            assert_eq!(source.port(), port);
            source.ip().to_string()
        };
        // Each twice: an address may be known from the datagram before.
        let asked = family.addresses.into_iter().cycle().zip(1..=4);
        let sources = asked.map(ask).collect();
        let candidates = transport["iceCandidates"].as_array().unwrap();
        let udp = candidates.iter().filter(|it| it["protocol"] == "udp");
        let ip = |it: &Value| it["ip"].as_str().unwrap().to_owned();
        Some([sources, udp.map(ip).collect()])
    })
}

#[test]
fn udp_responses_leave_from_the_address_that_was_asked() {
    for family in &FAMILIES {
        for egress in ["udp", "packet"] {
            let name = format!("addresses-{egress}");
            let settings = format!("egress = \"{egress}\"");
            let Some([sources, _]) = ask_both_addresses(&name, family, &settings) else {
                return;
            };
            let [first, second] = family.addresses;
            assert_eq!(sources, [first, second, first, second], "{egress}");
        }
    }
}

#[test]
fn announced_address_is_the_source_though_the_kernel_would_choose_another() {
    for family in &FAMILIES {
        for announced in family.addresses {
            let address: IpAddr = announced.parse().unwrap();
            let settings = format!("announced_ips = [\"{address}\"]");
            let Some([sources, candidates]) =
                ask_both_addresses("addresses-announced", family, &settings)
            else {
                return;
            };
            assert_eq!(candidates, [announced]);
            assert_eq!(&sources[..2], family.addresses);
        }
    }
}
