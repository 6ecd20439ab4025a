//! Threads that receive: one for the clients' socket, one for each port towards the server, one for
//! each source of commands. Each passes what it receives to the one thread that forwards.

use std::io::{self, BufRead as _};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// Maximum number of inputs that wait to be handled. More datagrams are dropped, as by a full socket.
const INPUTS_MAX: usize = 8_192;

/// Maximum length of a datagram.
const DATAGRAM_LEN_MAX: usize = 65_536;

/// Interval at which a receiving thread checks whether its socket is still in use.
const USE_CHECK: Duration = Duration::from_millis(500);

/// A client: the index of the port it sends to, and its address.
pub type Client = (usize, SocketAddr);

/// What the forwarding thread handles.
#[derive(Debug)]
pub enum Input {
    /// A datagram of a client.
    FromClient(Client, Box<[u8]>),
    /// A datagram of the server for a client.
    FromServer(Client, Box<[u8]>),
    /// A line with a command, and the address to answer; `None` answers on standard output.
    Command(String, Option<SocketAddr>),
    /// The standard input has ended.
    Finished,
}

/// Returns both ends of the queue of inputs.
pub fn inputs() -> (SyncSender<Input>, Receiver<Input>) {
    sync_channel(INPUTS_MAX)
}

/// Starts to receive the datagrams of clients at the port with this index.
///
/// # Errors
/// The socket cannot be shared with a thread.
pub fn receive_from_clients(
    index: usize,
    socket: &UdpSocket,
    inputs: SyncSender<Input>,
) -> io::Result<()> {
    let socket = socket.try_clone()?;
    let input = move |from, bytes| Input::FromClient((index, from), bytes);
    thread::spawn(move || receive(&socket, &inputs, || true, input));
    Ok(())
}

/// Starts to receive commands on a socket.
///
/// # Errors
/// The socket cannot be shared with a thread.
pub fn receive_commands(socket: &UdpSocket, inputs: SyncSender<Input>) -> io::Result<()> {
    let socket = socket.try_clone()?;
    let command = |from, bytes: Box<[u8]>| {
        let line = String::from_utf8_lossy(&bytes).into_owned();
        Input::Command(line, Some(from))
    };
    thread::spawn(move || receive(&socket, &inputs, || true, command));
    Ok(())
}

/// Starts to read commands from the standard input.
pub fn read_standard_input(inputs: SyncSender<Input>) {
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if inputs.send(Input::Command(line, None)).is_err() {
                return;
            }
        }
        let _ = inputs.send(Input::Finished);
    });
}

/// A port towards the server. Its thread ends after it is dropped.
#[derive(Debug)]
pub struct Upstream {
    socket: UdpSocket,
    in_use: Arc<AtomicBool>,
    /// When it was opened.
    opened: Instant,
    /// Time from then until the first datagram was sent.
    first_sent_after: Option<Duration>,
}

impl Upstream {
    /// Opens a port for a client and starts to receive the server's answers.
    ///
    /// # Errors
    /// No port can be opened.
    pub fn open(
        local: SocketAddr,
        server: SocketAddr,
        client: Client,
        inputs: SyncSender<Input>,
    ) -> io::Result<Self> {
        let socket = UdpSocket::bind((local.ip(), 0))?;
        socket.connect(server)?;
        socket.set_read_timeout(Some(USE_CHECK))?;
        let in_use = Arc::new(AtomicBool::new(true));
        let (receiving, flag) = (socket.try_clone()?, Arc::clone(&in_use));
        thread::spawn(move || {
            let is_used = || flag.load(Ordering::Relaxed);
            receive(&receiving, &inputs, is_used, |_, bytes| {
                Input::FromServer(client, bytes)
            });
        });
        Ok(Self {
            socket,
            in_use,
            opened: Instant::now(),
            first_sent_after: None,
        })
    }

    /// Sends a datagram to the server. A datagram that the system refuses is lost.
    pub fn send(&mut self, bytes: &[u8]) {
        let opened = self.opened;
        self.first_sent_after
            .get_or_insert_with(|| opened.elapsed());
        let _ = self.socket.send(bytes);
    }

    /// Returns the time from its opening until the first datagram was sent.
    pub const fn first_sent_after(&self) -> Option<Duration> {
        self.first_sent_after
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.in_use.store(false, Ordering::Relaxed);
    }
}

/// Receives datagrams while the socket is in use.
fn receive(
    socket: &UdpSocket,
    inputs: &SyncSender<Input>,
    is_used: impl Fn() -> bool,
    input: impl Fn(SocketAddr, Box<[u8]>) -> Input,
) {
    let mut buffer = vec![0; DATAGRAM_LEN_MAX];
    while is_used() {
        // Errors are time-outs, or the peer's port is closed just now.
        let Ok((len, from)) = socket.recv_from(&mut buffer) else {
            continue;
        };
        let bytes = buffer.get(..len).unwrap_or_default();
        if !is_used() {
            return;
        }
        if let Err(TrySendError::Disconnected(_)) = inputs.try_send(input(from, bytes.into())) {
            return;
        }
    }
}
