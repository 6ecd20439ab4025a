//! A minimal TURN client (RFC 8656) over UDP, TCP or TLS, for tests of the embedded server.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use stun_types::attribute::{ErrorCode, Nonce, Realm, Username};
use stun_types::message::{
    IntegrityAlgorithm, LongTermKeyCredentials, Message, MessageClass, MessageWriteVec, Method,
};
use stun_types::prelude::{MessageWrite as _, MessageWriteExt as _};
use turn_types::attribute::{
    ChannelNumber, Data, Lifetime, RequestedTransport, XorPeerAddress, XorRelayedAddress,
};
use turn_types::channel::ChannelData;
use turn_types::message::{ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, DATA, REFRESH, SEND};

/// Longest wait for a response.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Receive buffer of a client that reads slowly, in bytes; the kernel doubles it.
const SLOW_RECEIVE_BUFFER: usize = 8 << 10;

/// Code of a success response.
pub const SUCCESS: u16 = 0;

/// Connection to a TURN server that carries whole messages.
pub trait Transport {
    /// Sends a message or channel data.
    fn send(&mut self, bytes: &[u8]);
    /// Receives a message or channel data; `None` when none comes or the connection is closed.
    fn receive(&mut self) -> Option<Vec<u8>>;
    /// Changes how long to wait.
    fn set_timeout(&mut self, timeout: Duration);
}

impl Transport for UdpSocket {
    fn send(&mut self, bytes: &[u8]) {
        UdpSocket::send(self, bytes).unwrap();
    }

    fn receive(&mut self) -> Option<Vec<u8>> {
        let mut buffer = [0; 2_048];
        let len = self.recv(&mut buffer).ok()?;
        Some(buffer[..len].to_vec())
    }

    fn set_timeout(&mut self, timeout: Duration) {
        self.set_read_timeout(Some(timeout)).unwrap();
    }
}

/// A byte stream: TCP, or TLS above it.
pub struct Framed<S> {
    /// The stream.
    pub stream: S,
    /// Connection below TLS.
    tcp: TcpStream,
}

impl<S: Read + Write> Transport for Framed<S> {
    fn send(&mut self, bytes: &[u8]) {
        let mut padded = bytes.to_vec();
        padded.resize(bytes.len().next_multiple_of(4), 0);
        self.stream.write_all(&padded).unwrap();
    }

    fn receive(&mut self) -> Option<Vec<u8>> {
        let mut frame = vec![0; 4];
        self.stream.read_exact(&mut frame).ok()?;
        let len = usize::from(u16::from_be_bytes([frame[2], frame[3]]));
        let (len, padded_len) = match frame[0] >> 6 {
            0 => (20 + len, 20 + len),
            _ => (4 + len, (4 + len).next_multiple_of(4)),
        };
        frame.resize(padded_len, 0);
        self.stream.read_exact(&mut frame[4..]).ok()?;
        frame.truncate(len);
        Some(frame)
    }

    fn set_timeout(&mut self, timeout: Duration) {
        self.tcp.set_read_timeout(Some(timeout)).unwrap();
    }
}

/// Opens a UDP socket for a server.
pub fn udp(server: SocketAddr) -> UdpSocket {
    let mut socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(server).unwrap();
    socket.set_timeout(TIMEOUT);
    socket
}

/// Connects to a server over TCP.
pub fn tcp(server: SocketAddr) -> Framed<TcpStream> {
    framed(server, |tcp| tcp)
}

/// Connects to a server over TCP with a small receive buffer.
pub fn tcp_slowly(server: SocketAddr) -> Framed<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(SLOW_RECEIVE_BUFFER).unwrap();
    socket.connect(&server.into()).unwrap();
    over(socket.into(), |tcp| tcp)
}

/// Connects to a server over TCP, with something above it.
pub fn framed<S: Read + Write>(
    server: SocketAddr,
    above: impl FnOnce(TcpStream) -> S,
) -> Framed<S> {
    over(TcpStream::connect(server).unwrap(), above)
}

fn over<S: Read + Write>(tcp: TcpStream, above: impl FnOnce(TcpStream) -> S) -> Framed<S> {
    let mut framed = Framed {
        stream: above(tcp.try_clone().unwrap()),
        tcp,
    };
    framed.set_timeout(TIMEOUT);
    framed
}

/// A client of a TURN server.
pub struct TurnClient<T> {
    /// Connection to the server.
    pub transport: T,
    /// User name and password.
    pub credentials: (String, String),
    /// Realm and nonce of the server's last challenge.
    pub challenge: Option<(String, String)>,
    /// Nonce that is sent instead of the server's.
    pub nonce: Option<String>,
}

impl<T: Transport> TurnClient<T> {
    /// Creates a client that knows no challenge yet.
    pub fn new(transport: T, credentials: (String, String)) -> Self {
        Self {
            transport,
            credentials,
            challenge: None,
            nonce: None,
        }
    }

    /// Sends a request with the credentials, if there was a challenge, and returns the response. A
    /// challenge in it is kept.
    pub fn request(&mut self, method: Method, fill: impl FnOnce(&mut MessageWriteVec)) -> Vec<u8> {
        let mut message = Message::builder_request(method, MessageWriteVec::new());
        fill(&mut message);
        let id = message.transaction_id();
        if let Some((realm, nonce)) = &self.challenge {
            let (username, password) = self.credentials.clone();
            let nonce = self.nonce.as_ref().unwrap_or(nonce);
            let attributes = (
                Username::new(&username),
                Realm::new(realm),
                Nonce::new(nonce),
            );
            message.add_attribute(&attributes.0.unwrap()).unwrap();
            message.add_attribute(&attributes.1.unwrap()).unwrap();
            message.add_attribute(&attributes.2.unwrap()).unwrap();
            let key = LongTermKeyCredentials::new(username, password, realm.clone());
            let signed = message.add_message_integrity(&key.into(), IntegrityAlgorithm::Sha1);
            signed.unwrap();
        }
        self.transport.send(&message.finish());
        let response = self.transport.receive().expect("the server responds");
        let parsed = Message::from_bytes(&response).unwrap();
        assert_eq!(parsed.transaction_id(), id);
        let challenge = (parsed.attribute::<Realm>(), parsed.attribute::<Nonce>());
        if let (Ok(realm), Ok(nonce)) = challenge {
            self.challenge = Some((realm.realm().to_owned(), nonce.nonce().to_owned()));
        }
        response
    }

    /// Requests an allocation; returns the code of the response.
    pub fn try_allocate(&mut self) -> u16 {
        code(&self.request(ALLOCATE, |message| {
            let transport = RequestedTransport::new(RequestedTransport::UDP);
            message.add_attribute(&transport).unwrap();
        }))
    }

    /// Allocates after the server's challenge; returns the relayed address.
    pub fn allocate(&mut self) -> SocketAddr {
        assert_eq!(self.try_allocate(), 401);
        let response = self.request(ALLOCATE, |message| {
            let transport = RequestedTransport::new(RequestedTransport::UDP);
            message.add_attribute(&transport).unwrap();
        });
        assert_eq!(code(&response), SUCCESS);
        let response = Message::from_bytes(&response).unwrap();
        let lifetime = response.attribute::<Lifetime>().unwrap();
        assert_eq!(lifetime.seconds(), 600);
        let relayed = response.attribute::<XorRelayedAddress>().unwrap();
        relayed.addr(response.transaction_id())
    }

    /// Refreshes or ends the allocation; returns the code and the lifetime.
    pub fn refresh(&mut self, seconds: u32) -> (u16, Option<u32>) {
        let response = self.request(REFRESH, |message| {
            message.add_attribute(&Lifetime::new(seconds)).unwrap();
        });
        let lifetime = Message::from_bytes(&response).unwrap();
        let lifetime = lifetime.attribute::<Lifetime>().ok();
        (code(&response), lifetime.map(|it| it.seconds()))
    }

    /// Permits peers; returns the code of the response.
    pub fn permit(&mut self, peers: &[SocketAddr]) -> u16 {
        code(&self.request(CREATE_PERMISSION, |message| {
            let id = message.transaction_id();
            for peer in peers {
                let added = message.add_attribute(&XorPeerAddress::new(*peer, id));
                added.unwrap();
            }
        }))
    }

    /// Binds a channel; returns the code of the response.
    pub fn bind(&mut self, number: u16, peer: SocketAddr) -> u16 {
        code(&self.request(CHANNEL_BIND, |message| {
            let peer = XorPeerAddress::new(peer, message.transaction_id());
            message.add_attribute(&ChannelNumber::new(number)).unwrap();
            message.add_attribute(&peer).unwrap();
        }))
    }

    /// Sends data in a Send indication.
    pub fn send(&mut self, peer: SocketAddr, data: &[u8]) {
        let mut message = Message::builder_indication(SEND, MessageWriteVec::new());
        let peer = XorPeerAddress::new(peer, message.transaction_id());
        message.add_attribute(&peer).unwrap();
        message.add_attribute(&Data::new(data)).unwrap();
        self.transport.send(&message.finish());
    }

    /// Receives the data of a Data indication, with its peer.
    pub fn receive(&mut self) -> Option<(SocketAddr, Vec<u8>)> {
        let bytes = self.transport.receive()?;
        let message = Message::from_bytes(&bytes).unwrap();
        assert_eq!(
            (message.class(), message.method()),
            (MessageClass::Indication, DATA)
        );
        let peer = message.attribute::<XorPeerAddress>().unwrap();
        let data = message.attribute::<Data<'_>>().unwrap();
        Some((peer.addr(message.transaction_id()), data.data().to_vec()))
    }

    /// Sends data on a channel.
    pub fn send_on_channel(&mut self, number: u16, data: &[u8]) {
        let channel = ChannelData::new(number, data);
        let mut bytes = vec![0; 4 + data.len()];
        channel.write_into_unchecked(&mut bytes);
        self.transport.send(&bytes);
    }

    /// Receives data of a channel, with its number.
    pub fn receive_on_channel(&mut self) -> (u16, Vec<u8>) {
        let bytes = self.transport.receive().expect("data arrives");
        let channel = ChannelData::parse(&bytes).unwrap();
        (channel.id(), channel.data().to_vec())
    }
}

/// Returns the error code of a response, or `SUCCESS`.
pub fn code(response: &[u8]) -> u16 {
    let response = Message::from_bytes(response).unwrap();
    match response.class() {
        MessageClass::Success => SUCCESS,
        _ => response.attribute::<ErrorCode>().unwrap().code(),
    }
}
