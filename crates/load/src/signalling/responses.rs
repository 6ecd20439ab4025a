//! Parses responses of the server, tolerating unknown fields.

use std::net::SocketAddr;

use serde_json::{Value, json};
use watersmeet_wire::params::{DtlsParameters, IceCandidate, IceParameters, IceProtocol};

use super::{SignallingError, text};
use crate::media::ice::RemoteIce;

/// Parses the ICE and DTLS parameters of a created transport.
///
/// # Errors
/// Fails when a field is missing or malformed.
pub fn parse_transport(created: &Value) -> Result<(RemoteIce, DtlsParameters), SignallingError> {
    fn part<T: serde::de::DeserializeOwned>(
        created: &Value,
        name: &'static str,
    ) -> Result<T, SignallingError> {
        let value = created.get(name).cloned().unwrap_or_default();
        serde_json::from_value(value).map_err(|_| SignallingError::Malformed(name))
    }
    let ice: IceParameters = part(created, "iceParameters")?;
    let dtls: DtlsParameters = part(created, "dtlsParameters")?;
    // Candidates of unknown form are ignored.
    let mut candidates: Vec<IceCandidate> = list(created, "iceCandidates")
        .filter_map(|it| serde_json::from_value(with_address(it)).ok())
        .filter(|it: &IceCandidate| it.protocol == IceProtocol::Udp)
        .collect();
    candidates.sort_by_key(|it| std::cmp::Reverse(it.priority));
    let addresses = candidates.iter().filter_map(|it| {
        let ip = it.address.parse().or_else(|_| it.ip.parse());
        Some(SocketAddr::new(ip.ok()?, it.port))
    });
    let remote = RemoteIce {
        ufrag: ice.username_fragment,
        password: ice.password,
        candidates: addresses.collect(),
    };
    Ok((remote, dtls))
}

/// Returns a candidate with both fields for the address: older servers send `ip`, newer ones
/// `address`.
fn with_address(candidate: &Value) -> Value {
    let mut candidate = candidate.clone();
    let address = text(&candidate, "address").or_else(|| text(&candidate, "ip"));
    let address = address.unwrap_or_default().to_owned();
    if let Some(fields) = candidate.as_object_mut() {
        for name in ["address", "ip"] {
            fields.entry(name).or_insert_with(|| json!(address));
        }
    }
    candidate
}

/// Returns the elements of an array field of a payload.
pub fn list<'a>(payload: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    let list = payload.get(name).and_then(Value::as_array);
    list.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transport_of_an_older_server_is_parsed() {
        let created = json!({
            "transportId": "t", "direction": "send", "unknown": {},
            "iceParameters": { "usernameFragment": "u", "password": "p", "iceLite": true },
            "iceCandidates": [
                { "foundation": "tcp", "priority": 9, "ip": "10.0.0.1", "protocol": "tcp",
                  "port": 7, "type": "host", "tcpType": "passive" },
                { "foundation": "udp", "priority": 5, "ip": "10.0.0.1", "protocol": "udp",
                  "port": 8, "type": "host" },
                { "foundation": "udp", "priority": 6, "address": "10.0.0.2", "protocol": "udp",
                  "port": 9, "type": "host" },
                { "foundation": "udp", "priority": 4, "address": "a.example", "protocol": "udp",
                  "port": 9, "type": "host" },
            ],
            "dtlsParameters": {
                "role": "auto",
                "fingerprints": [{ "algorithm": "sha-256", "value": "AA" }],
            },
        });
        let (remote, dtls) = parse_transport(&created).unwrap();
        let addresses: Vec<String> = remote.candidates.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["10.0.0.2:9", "10.0.0.1:8"]);
        assert_eq!(dtls.fingerprints.len(), 1);
        assert!(parse_transport(&json!({})).is_err());
    }
}
