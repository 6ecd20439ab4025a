//! Where values come from, which source wins, and what is refused.

use super::*;

fn flags(arguments: &[&str]) -> Flags {
    Flags::try_parse_from(std::iter::once(&"watersmeet").chain(arguments)).unwrap()
}

fn config(arguments: &[&str], variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::gather(flags(arguments), Environment::of(variables))
}

#[test]
fn nothing_said_is_the_default() {
    assert_eq!(config(&[], &[]).unwrap(), Config::default());
}

#[test]
fn a_flag_outranks_the_environment_and_that_the_file() {
    let folder = std::env::temp_dir().join(format!("watersmeet-config-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("rank.toml");
    std::fs::write(&path, "port = 1\nrtc_port = 2\nshards = 3\n").unwrap();
    let file = path.to_str().unwrap();
    let variables = [("PORT", "10"), ("MEDIASOUP_MIN_PORT", "20")];
    let config = config(&["--config", file, "--port", "100"], &variables).unwrap();
    assert_eq!(
        (config.port, config.rtc_port, config.shards),
        (100, 20, Some(3))
    );
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn names_of_mediasoup_servers_are_understood() {
    let variables = [
        ("MEDIASOUP_LISTEN_IP", "127.0.0.2"),
        ("MEDIASOUP_ANNOUNCED_IP", "192.0.2.1, 2001:db8::1"),
        ("MEDIASOUP_LISTEN_PORT", "44444"),
        ("LOG_LEVEL", "debug"),
    ];
    let config = config(&[], &variables).unwrap();
    assert_eq!(config.media_listen_ips(), [IpAddr::from([127, 0, 0, 2])]);
    assert_eq!(config.announced_ips.len(), 2);
    assert_eq!(config.media_port(1), 44_445);
    assert_eq!(config.log, "debug");
}

#[test]
fn every_kind_of_value_can_come_from_the_environment() {
    let variables = [
        ("WATERSMEET_UDP", "off"),
        ("WATERSMEET_DTLS", "1.3"),
        ("WATERSMEET_VIDEO_CODEC", "vp9"),
        ("WATERSMEET_SHARDS", "2"),
        ("PORT", ""),
    ];
    let config = config(&[], &variables).unwrap();
    assert!(!config.udp);
    assert_eq!(config.dtls, DtlsChoice::V13);
    assert_eq!(config.video_codec, Some(VideoCodec::Vp9));
    assert_eq!((config.shard_count(), config.port), (2, 3000));
}

#[test]
fn an_unknown_key_is_refused_by_name() {
    let error = config(&[], &[("WATERSMEET_PROT", "1")])
        .unwrap_err()
        .to_string();
    assert!(error.contains("prot"), "{error}");
}

#[test]
fn a_value_of_the_wrong_kind_is_refused_with_its_key_and_place() {
    let error = config(&[], &[("PORT", "many")]).unwrap_err().to_string();
    assert!(
        error.contains("PORT") && error.contains("environment"),
        "{error}"
    );
    let error = config(&[], &[("PORT", "65536")]).unwrap_err().to_string();
    assert!(error.contains("PORT"), "{error}");
}

#[test]
fn contradictions_are_refused() {
    for arguments in [
        &["--no-udp", "--no-tcp"][..],
        &["--tls-cert", "a.pem"],
        &[
            "--tls-self-signed",
            "--tls-cert",
            "a.pem",
            "--tls-key",
            "b.pem",
        ],
        &["--shards", "0"],
        &["--shards", "65"],
        &["--rtc-port", "20000", "--rtc-port-max", "19999"],
        &["--rtc-port", "65535", "--shards", "2"],
    ] {
        let outcome = config(arguments, &[]);
        assert!(
            matches!(outcome, Err(ConfigError::Contradiction(_))),
            "{arguments:?}"
        );
    }
    assert!(matches!(
        config(&["--config", "/none"], &[]),
        Err(ConfigError::NoFile(_))
    ));
}

#[test]
fn a_port_range_bounds_the_shards() {
    let arguments = [
        "--rtc-port",
        "10000",
        "--rtc-port-max",
        "10001",
        "--shards",
        "8",
    ];
    assert_eq!(config(&arguments, &[]).unwrap().shard_count(), 2);
}
