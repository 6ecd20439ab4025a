//! `watersmeet health` and `watersmeet --version`: what containers and packages ask the program.

use std::process::Output;

use crate::program::{Program, command};

/// Runs `watersmeet health` for a server on a port of loopback.
fn health(port: u16) -> Output {
    let port = port.to_string();
    let mut command = command();
    command.args([
        "health",
        "--dev",
        "--listen-ip",
        "127.0.0.1",
        "--port",
        &port,
    ]);
    command.output().unwrap()
}

#[test]
fn health_succeeds_while_the_server_runs_and_fails_afterwards() {
    let mut program = Program::start(&[]);
    let port = program.address.port();
    let output = health(port);
    assert!(output.status.success(), "{output:?}");
    program.terminate();
    program.wait();
    let output = health(port);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains(&format!("127.0.0.1:{port}")), "{error}");
}

#[test]
fn health_succeeds_on_a_port_with_tls() {
    let program = Program::start(&["--tls-self-signed"]);
    let output = health(program.address.port());
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn health_needs_a_port_that_is_known_before_the_start() {
    let output = health(0);
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("--port"), "{error}");
}

#[test]
fn version_names_the_version_and_the_commit() {
    let output = command().arg("--version").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let start = format!("watersmeet {} (", env!("CARGO_PKG_VERSION"));
    assert!(text.starts_with(&start) && text.ends_with(")\n"), "{text}");
}
