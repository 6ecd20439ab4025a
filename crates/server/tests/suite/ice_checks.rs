//! ICE connectivity checks (RFC 8445 §7.2.2) of the media sockets, over UDP and over TCP (RFC 4571).

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use serde_json::Value;
use watersmeet_wire::stun::{BindingRequest, Class, IceRole, IntegrityKey, StunMessage};

use crate::native_client::Client;
use crate::program::Program;

/// Longest wait for a response.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Address and credentials of a transport, to send ICE checks to.
pub struct IceTarget {
    /// Address of the candidate.
    pub address: SocketAddr,
    username: String,
    key: IntegrityKey,
}

impl IceTarget {
    /// Returns the target of the first candidate with this protocol.
    pub fn new(transport: &Value, protocol: &str) -> Self {
        let candidates = transport["iceCandidates"].as_array().unwrap();
        let candidate = candidates
            .iter()
            .find(|it| it["protocol"] == protocol)
            .unwrap();
        let port = u16::try_from(candidate["port"].as_u64().unwrap()).unwrap();
        let ice = &transport["iceParameters"];
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            username: format!("{}:them", ice["usernameFragment"].as_str().unwrap()),
            key: IntegrityKey::from_password(ice["password"].as_str().unwrap()),
        }
    }

    /// Returns the target with these credentials of a server.
    pub fn with_credentials(address: SocketAddr, ufrag: &str, password: &str) -> Self {
        Self {
            address,
            username: format!("{ufrag}:them"),
            key: IntegrityKey::from_password(password),
        }
    }

    /// Sends a check over UDP and returns whether it is answered within half a second.
    pub fn is_answered(&self, number: u32) -> bool {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket
            .set_read_timeout(Some(Duration::from_millis(500)))
            .unwrap();
        socket.send_to(&self.check(number), self.address).unwrap();
        let mut packet = [0; 1_500];
        let received = socket.recv_from(&mut packet);
        received.is_ok_and(|(len, _)| self.is_response(&packet[..len], number))
    }

    /// Returns a check whose transaction id contains `number`.
    pub fn check(&self, number: u32) -> Vec<u8> {
        let request = BindingRequest {
            transaction_id: transaction(number),
            username: &self.username,
            priority: 1,
            role: IceRole::Controlling(1),
            use_candidate: false,
            nomination: None,
            network_info: None,
        };
        let mut packet = [0; 256];
        let len = request.write(&mut packet, &self.key).unwrap();
        packet[..len].to_vec()
    }

    /// Returns whether `packet` is the response to the check with this number.
    pub fn is_response(&self, packet: &[u8], number: u32) -> bool {
        StunMessage::parse(packet).is_ok_and(|response| {
            response.class == Class::Success
                && response.transaction_id == transaction(number)
                && response.verify(&self.key)
        })
    }
}

fn transaction(number: u32) -> [u8; 12] {
    let mut id = [0; 12];
    id[8..].copy_from_slice(&number.to_be_bytes());
    id
}

#[tokio::test]
async fn checks_are_answered_over_udp_and_tcp() {
    let program = Program::start(&[]);
    let mut ana = Client::join(&program, "standup").await;
    let transport = ana.create_transport("send").await;

    let target = IceTarget::new(&transport, "udp");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(TIMEOUT)).unwrap();
    socket.send_to(&target.check(1), target.address).unwrap();
    let mut packet = [0; 1_500];
    let (len, from) = socket.recv_from(&mut packet).unwrap();
    assert_eq!(from, target.address);
    assert!(target.is_response(&packet[..len], 1));

    let target = IceTarget::new(&transport, "tcp");
    let mut stream = TcpStream::connect(target.address).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    let check = target.check(2);
    let mut frame = u16::try_from(check.len()).unwrap().to_be_bytes().to_vec();
    frame.extend(check);
    stream.write_all(&frame).unwrap();
    let mut len = [0; 2];
    stream.read_exact(&mut len).unwrap();
    let mut response = vec![0; usize::from(u16::from_be_bytes(len))];
    stream.read_exact(&mut response).unwrap();
    assert!(target.is_response(&response, 2));
}

#[tokio::test]
async fn check_with_a_wrong_password_is_not_answered() {
    let program = Program::start(&[]);
    let mut ana = Client::join(&program, "standup").await;
    let transport = ana.create_transport("send").await;
    let mut target = IceTarget::new(&transport, "udp");
    target.key = IntegrityKey::from_password("somebody else's");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    socket.send_to(&target.check(1), target.address).unwrap();
    assert!(socket.recv_from(&mut [0; 1_500]).is_err());
}
