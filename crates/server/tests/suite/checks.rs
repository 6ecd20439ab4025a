//! Connectivity checks (RFC 8445 §7.2.2) against the media sockets, over UDP and over TCP with the
//! frames of RFC 4571.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use serde_json::Value;
use watersmeet_wire::stun::{BindingRequest, Class, IceRole, IntegrityKey, StunMessage};

use crate::client::Client;
use crate::program::Program;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is needed to check a transport.
pub struct Target {
    /// Its port.
    pub address: SocketAddr,
    username: String,
    key: IntegrityKey,
}

impl Target {
    /// The target of the first candidate with this protocol.
    pub fn of(transport: &Value, protocol: &str) -> Self {
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

    /// A check whose answer will carry `number`.
    pub fn check(&self, number: u32) -> Vec<u8> {
        let request = BindingRequest {
            transaction_id: transaction(number),
            username: &self.username,
            priority: 1,
            role: IceRole::Controlling(1),
            use_candidate: false,
            nomination: None,
        };
        let mut packet = [0; 256];
        let len = request.write(&mut packet, &self.key).unwrap();
        packet[..len].to_vec()
    }

    /// Whether `packet` is the answer to the check with this number.
    pub fn answers(&self, packet: &[u8], number: u32) -> bool {
        StunMessage::parse(packet).is_ok_and(|answer| {
            answer.class == Class::Success
                && answer.transaction_id == transaction(number)
                && answer.verify(&self.key)
        })
    }
}

fn transaction(number: u32) -> [u8; 12] {
    let mut id = [0; 12];
    id[8..].copy_from_slice(&number.to_be_bytes());
    id
}

#[tokio::test]
async fn a_check_is_answered_over_udp_and_over_tcp() {
    let program = Program::start(&[]);
    let mut ana = Client::join(&program, "standup").await;
    let transport = ana.transport("send").await;

    let target = Target::of(&transport, "udp");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.send_to(&target.check(1), target.address).unwrap();
    let mut packet = [0; 1_500];
    let (len, from) = socket.recv_from(&mut packet).unwrap();
    assert_eq!(from, target.address);
    assert!(target.answers(&packet[..len], 1));

    let target = Target::of(&transport, "tcp");
    let mut stream = TcpStream::connect(target.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let check = target.check(2);
    let mut frame = u16::try_from(check.len()).unwrap().to_be_bytes().to_vec();
    frame.extend(check);
    stream.write_all(&frame).unwrap();
    let mut len = [0; 2];
    stream.read_exact(&mut len).unwrap();
    let mut answer = vec![0; usize::from(u16::from_be_bytes(len))];
    stream.read_exact(&mut answer).unwrap();
    assert!(target.answers(&answer, 2));
}

#[tokio::test]
async fn a_check_with_another_password_is_not_answered() {
    let program = Program::start(&[]);
    let mut ana = Client::join(&program, "standup").await;
    let transport = ana.transport("send").await;
    let mut target = Target::of(&transport, "udp");
    target.key = IntegrityKey::from_password("somebody else's");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    socket.send_to(&target.check(1), target.address).unwrap();
    assert!(socket.recv_from(&mut [0; 1_500]).is_err());
}
