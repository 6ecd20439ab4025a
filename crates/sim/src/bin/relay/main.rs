//! `watersmeet-relay`: impairs the UDP path between real clients and a server with the simulator's
//! model of a link, in real time. For browsers, whose network nothing else in the tests can change.
//!
//! `watersmeet-relay LISTEN SERVER [CONTROL]` forwards datagrams that arrive at LISTEN to SERVER, from
//! a port of its own for each client, and the answers back. Commands are read from standard input,
//! one a line, and from datagrams to CONTROL; `commands.rs` lists them.

mod commands;
mod forwarding;
mod sockets;

use std::error::Error;
use std::io::Write as _;
use std::net::{SocketAddr, UdpSocket};
use std::process::ExitCode;

use self::forwarding::Relay;

/// How the program is called.
const USAGE: &str = "usage: watersmeet-relay LISTEN SERVER [CONTROL], each as 127.0.0.1:4000";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

/// Reads the arguments and forwards until the standard input ends.
fn run() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (listen, server) = (arguments.next(), arguments.next());
    let (Some(listen), Some(server)) = (listen, server) else {
        return Err(USAGE.into());
    };
    let server: SocketAddr = server.parse().map_err(|_| USAGE)?;
    let listener = UdpSocket::bind(&listen)?;
    let (inputs, received) = sockets::inputs();
    sockets::read_standard_input(inputs.clone());
    let mut lines = format!("relay {} -> {server}", listener.local_addr()?);
    let control = match arguments.next() {
        Some(address) => {
            let control = UdpSocket::bind(address)?;
            lines.push_str(&format!(", control {}", control.local_addr()?));
            sockets::receive_commands(&control, inputs.clone())?;
            Some(control)
        }
        None => None,
    };
    // Tests wait for this line, which names the ports.
    writeln!(std::io::stdout(), "{lines}")?;
    std::io::stdout().flush()?;
    let mut relay = Relay::new(control, inputs);
    relay.listen(listener, server)?;
    relay.run(&received);
    Ok(())
}
