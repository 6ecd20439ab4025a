//! `watersmeet health`: asks the server that has the same configuration whether it is alive, for
//! health checks of containers. Connects only to addresses that this server listens on.

use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::config::{Config, Flags, Loaded};
use crate::current_thread;

/// Time limit of the question and its response. Containers and service managers wait longer.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Path that is asked.
const PATH: &str = "/livez";

/// Asks the server and prints the result. Exits with status 0 when it is alive, else 1.
pub fn run(flags: &Flags) -> ExitCode {
    match check(flags) {
        Ok(()) => {
            // The reader of a pipe may have closed it.
            let _ = writeln!(io::stdout(), "alive");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("watersmeet: {error}");
            ExitCode::FAILURE
        }
    }
}

fn check(flags: &Flags) -> io::Result<()> {
    let config = match Loaded::parse_and_load(flags) {
        (Some((config, _)), _) => config,
        (None, Ok(loaded)) => loaded.config,
        (None, Err(error)) => return Err(io::Error::other(error.to_string())),
    };
    let late = |_| io::Error::other(format!("no response within {} s", TIMEOUT.as_secs()));
    current_thread::block_on(async { timeout(TIMEOUT, ask(&config)).await.map_err(late)? })?
}

/// Asks at the addresses of the first listener, until one of them accepts a connection.
async fn ask(config: &Config) -> io::Result<()> {
    let listeners = config.effective_listeners();
    let missing = || io::Error::other("the configuration has no listener");
    let listener = listeners.first().ok_or_else(missing)?;
    if listener.port == 0 {
        return Err(io::Error::other(
            "the server chose its port at start: name it with --port",
        ));
    }
    let mut failure = missing();
    for address in config.listener_addresses(listener) {
        let address = local(address);
        match TcpStream::connect(address).await {
            Ok(stream) => {
                let status = request(stream, address).await?;
                // A port with TLS serves plain HTTP on loopback, and redirects it elsewhere.
                let is_redirect = status == StatusCode::PERMANENT_REDIRECT && listener.uses_tls();
                if status == StatusCode::OK || is_redirect {
                    return Ok(());
                }
                let text = format!("http://{address}{PATH} returned status {status}");
                return Err(io::Error::other(text));
            }
            Err(error) => {
                failure = io::Error::new(error.kind(), format!("{address}: {error}"));
            }
        }
    }
    Err(failure)
}

/// Returns the address by which this machine reaches a listener.
fn local(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Sends the request over a connection and returns the status of the response.
async fn request(stream: TcpStream, address: SocketAddr) -> io::Result<StatusCode> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    tokio::spawn(connection);
    let request = Request::get(PATH)
        .header(header::HOST, address.to_string())
        .body(Body::empty())
        .map_err(io::Error::other)?;
    let response = sender.send_request(request).await;
    Ok(response.map_err(io::Error::other)?.status())
}
