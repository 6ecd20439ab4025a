//! Interoperability of our ICE-lite agent with a full agent (the `is` crate): checks, nomination,
//! consent, a lost network and a restart.

use std::net::SocketAddr;
use std::time::Duration;

use is::stun::{StunMessage, StunPacket};
use is::{Candidate, IceAgent, IceAgentEvent, IceConnectionState, IceCreds, Protocol};
use watersmeet_engine::command::{IceState, Path};
use watersmeet_engine::transport::dtls::DtlsVersion;
use watersmeet_engine::transport::{CONSENT_TIMEOUT, TransportEvent, WebRtcTransport};
use watersmeet_wire::units::Time;

use super::peer::{events, rng, settings, transport, udp};

/// Address of the transport.
const SERVER: &str = "192.0.2.1:40000";
/// First network of the agent.
const WIRELESS: &str = "198.51.100.7:50000";
/// Second network of the agent.
const MOBILE: &str = "203.0.113.9:51000";

/// HMAC-SHA1 for the full agent.
#[derive(Debug)]
struct Sha1;

impl is::Sha1HmacProvider for Sha1 {
    fn sha1_hmac(&self, key: &[u8], payloads: &[&[u8]]) -> [u8; 20] {
        let algorithm = aws_lc_rs::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY;
        let key = aws_lc_rs::hmac::Key::new(algorithm, key);
        let mut context = aws_lc_rs::hmac::Context::with_key(&key);
        for payload in payloads {
            context.update(payload);
        }
        *context.sign().as_ref().first_chunk().unwrap()
    }
}

/// A full agent and a transport.
struct Call {
    agent: IceAgent,
    transport: WebRtcTransport,
    now: Time,
    /// Local address of the pair that the agent nominated last.
    nominated: Option<SocketAddr>,
    /// Events of the transport.
    events: Vec<TransportEvent>,
}

impl Call {
    fn new(networks: &[&str]) -> Self {
        let transport = transport(DtlsVersion::V12, 1);
        let creds = IceCreds {
            ufrag: "full".to_owned(),
            pass: "0123456789abcdefghijkl".to_owned(),
        };
        let mut agent = IceAgent::with_hmac(creds, &Sha1);
        agent.set_controlling(true);
        for network in networks {
            let address: SocketAddr = network.parse().unwrap();
            agent.add_local_candidate(Candidate::host(address, "udp").unwrap());
        }
        let server: SocketAddr = SERVER.parse().unwrap();
        agent.add_remote_candidate(Candidate::host(server, "udp").unwrap());
        let mut call = Self {
            agent,
            transport,
            now: Time::from_millis(1_000),
            nominated: None,
            events: Vec::new(),
        };
        call.learn_credentials();
        call
    }

    fn learn_credentials(&mut self) {
        let ice = self.transport.ice_parameters();
        let creds = IceCreds {
            ufrag: ice.username_fragment,
            pass: ice.password,
        };
        self.agent.set_remote_credentials(creds);
    }

    fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        let epoch = settings(DtlsVersion::V12).epoch;
        let server: SocketAddr = SERVER.parse().unwrap();
        while self.now < end {
            let at = epoch + self.now.since_origin();
            self.agent.handle_timeout(at);
            self.transport.handle_timeout(self.now);
            while let Some(transmit) = self.agent.poll_transmit() {
                let path = udp(&transmit.source.to_string());
                let mut packet = transmit.contents.to_vec();
                self.transport.receive(self.now, path, &mut packet);
            }
            while let Some((path, packet)) = self.transport.poll_transmit() {
                let packet = StunPacket {
                    proto: Protocol::Udp,
                    source: server,
                    destination: path.remote,
                    message: StunMessage::parse(&packet).unwrap(),
                };
                self.agent.handle_packet(at, packet);
            }
            while let Some(event) = self.agent.poll_event() {
                if let IceAgentEvent::NominatedSend { source, .. } = event {
                    self.nominated = Some(source);
                }
            }
            self.events.extend(events(&mut self.transport));
            self.now = self.now + Duration::from_millis(10);
        }
    }

    fn assert_agreed(&self) {
        assert!(
            self.agent.state().is_connected(),
            "{:?}",
            self.agent.state()
        );
        assert_eq!(self.transport.ice_state(), IceState::Completed);
        let selected = self.transport.selected_path().map(|path: Path| path.remote);
        assert_eq!(selected, self.nominated);
    }
}

#[test]
fn a_full_agent_connects_within_a_second() {
    let mut call = Call::new(&[WIRELESS]);
    call.run_for(Duration::from_secs(1));
    call.assert_agreed();
}

#[test]
fn both_agents_select_the_same_pair_when_the_full_agent_has_two_networks() {
    let mut call = Call::new(&[WIRELESS, MOBILE]);
    call.run_for(Duration::from_secs(3));
    call.assert_agreed();
    assert_eq!(call.transport.paths().count(), 2);
}

#[test]
fn consent_lasts_while_the_full_agent_sends_checks() {
    let mut call = Call::new(&[WIRELESS]);
    call.run_for(Duration::from_secs(120));
    call.assert_agreed();
    assert!(
        !call
            .events
            .contains(&TransportEvent::IceStateChanged(IceState::Disconnected))
    );
    assert_ne!(call.agent.state(), IceConnectionState::Disconnected);
    let gone = call.now + CONSENT_TIMEOUT;
    call.transport.handle_timeout(gone);
    assert_eq!(call.transport.ice_state(), IceState::Disconnected);
}

#[test]
fn the_path_moves_when_the_full_agent_loses_a_network() {
    let mut call = Call::new(&[WIRELESS, MOBILE]);
    call.run_for(Duration::from_secs(3));
    let lost = call.nominated.unwrap();
    call.agent
        .invalidate_candidate(&Candidate::host(lost, "udp").unwrap());
    call.run_for(Duration::from_secs(10));
    assert_ne!(call.nominated, Some(lost));
    call.assert_agreed();
}

#[test]
fn an_ice_restart_connects_and_retires_the_old_credentials() {
    let mut call = Call::new(&[WIRELESS]);
    call.run_for(Duration::from_secs(1));
    let old = call.transport.ice_parameters().username_fragment;
    call.transport
        .restart_ice("srv00002".to_owned(), &mut rng(2));
    let creds = IceCreds {
        ufrag: "anew".to_owned(),
        pass: "lkjihgfedcba9876543210".to_owned(),
    };
    call.agent.ice_restart(creds, true);
    call.learn_credentials();
    let server: SocketAddr = SERVER.parse().unwrap();
    call.agent
        .add_remote_candidate(Candidate::host(server, "udp").unwrap());
    call.run_for(Duration::from_secs(2));
    call.assert_agreed();
    assert!(call.events.contains(&TransportEvent::UfragRetired(old)));
}
