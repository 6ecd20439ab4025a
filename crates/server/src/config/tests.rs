//! Tests of sources, their precedence, and refused values.

use std::time::Duration;

use clap::Parser as _;
use watersmeet_engine::egress::window::EgressWindow;

use std::net::{IpAddr, SocketAddr};

use super::values::{Codec, VideoCodec};
use super::variables::Environment;
use super::*;

/// 32 random bytes, as `openssl rand -hex 32` prints them.
const SECRET: &str = "9f3c1e7a5b8d2046c7e91fa35d6b80427ce31f9a0b5d846273fe1c9a0d5b8e64";

fn flags(arguments: &[&str]) -> Flags {
    Flags::try_parse_from(std::iter::once(&"watersmeet").chain(arguments)).unwrap()
}

fn load(arguments: &[&str], variables: &[(&str, &str)]) -> Result<Loaded, ConfigError> {
    Loaded::load(&flags(arguments), &Environment::from_pairs(variables))
}

/// Loads a configuration with a valid secret.
fn config(arguments: &[&str], variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let secret = [("JWT_SECRET", SECRET)];
    let variables: Vec<_> = secret.iter().chain(variables).copied().collect();
    load(arguments, &variables).map(|loaded| loaded.config)
}

/// Loads a configuration file with a valid secret in the environment.
fn config_from_file(name: &str, text: &str) -> Result<Config, ConfigError> {
    let path = std::env::temp_dir().join(format!("watersmeet-{}-{name}.toml", std::process::id()));
    std::fs::write(&path, text).unwrap();
    let outcome = config(&["--config", path.to_str().unwrap()], &[]);
    std::fs::remove_file(&path).unwrap();
    outcome
}

fn refusal(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    config(arguments, variables).unwrap_err().to_string()
}

#[test]
fn only_the_secret_is_required() {
    let expected = Config {
        jwt_secret: Some(Secret::new(SECRET.to_owned())),
        ..Config::default()
    };
    assert_eq!(config(&[], &[]).unwrap(), expected);
}

#[test]
fn flags_override_the_environment_which_overrides_the_file() {
    let path = std::env::temp_dir().join(format!("watersmeet-rank-{}.toml", std::process::id()));
    std::fs::write(&path, "port = 1\nrtc_port = 2\nshards = 3\n").unwrap();
    let file = path.to_str().unwrap();
    let variables = [("PORT", "10"), ("MEDIASOUP_MIN_PORT", "20")];
    let config = config(&["--config", file, "--port", "100"], &variables).unwrap();
    assert_eq!(
        (config.page_port(), config.rtc_port, config.shards),
        (100, 20, Some(3))
    );
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn variables_of_mediasoup_servers_are_accepted() {
    let variables = [
        ("MEDIASOUP_LISTEN_IP", "127.0.0.2"),
        ("MEDIASOUP_ANNOUNCED_IP", "192.0.2.1, 2001:db8::1"),
        ("MEDIASOUP_LISTEN_PORT", "44444"),
        ("MEDIASOUP_NUM_WORKERS", "3"),
        ("CORS_ORIGIN", "http://localhost:5173,https://a.example"),
        ("HTTPS_CERT_FULLCHAIN", "/a.pem"),
        ("SSL_KEY", "/b.pem"),
        ("LOG_LEVEL", "warn"),
        ("MEDIASOUP_LOG_LEVEL", "none"),
    ];
    let config = config(&[], &variables).unwrap();
    assert_eq!(config.media_listen_ips(), [IpAddr::from([127, 0, 0, 2])]);
    assert_eq!(config.announced_ips.len(), 2);
    assert_eq!(config.media_port(1), 44_445);
    assert_eq!(config.shards, Some(3));
    assert_eq!(config.cors_origins.len(), 2);
    assert!(config.tls_cert.is_some() && config.tls_key.is_some());
    assert_eq!(config.log, "warn,watersmeet_engine=off,watersmeet_net=off");
}

#[test]
fn every_alias_names_a_key() {
    for (name, key) in aliases::ALIASES {
        let error = config(&[], &[(name, "\u{1}")]).err();
        let error = error.map_or_else(String::new, |error| error.to_string());
        assert!(!error.contains("no key"), "{name} means {key}: {error}");
    }
}

#[test]
fn contradicting_variables_cause_a_warning_that_names_the_effective_one() {
    let variables = [
        ("JWT_SECRET", SECRET),
        ("PUBLIC_IP", "192.0.2.1"),
        ("ANNOUNCED_IP", "192.0.2.1"),
        ("MEDIASOUP_MIN_PORT", "20000"),
        ("WATERSMEET_RTC_PORT", "30000"),
    ];
    let loaded = load(&[], &variables).unwrap();
    assert_eq!(loaded.config.rtc_port, 30_000);
    assert_eq!(
        loaded.warnings,
        [
            "MEDIASOUP_MIN_PORT and WATERSMEET_RTC_PORT disagree about `rtc_port`: \
          WATERSMEET_RTC_PORT holds"
        ]
    );
    let other = SECRET.replace('9', "8");
    let both = [("JWT_SECRET", SECRET), ("WATERSMEET_JWT_SECRET", &other)];
    let warnings = load(&[], &both).unwrap().warnings.join("\n");
    assert!(warnings.contains("`jwt_secret`"), "{warnings}");
    assert!(!warnings.contains(&SECRET[..8]) && !warnings.contains(&other[..8]));
}

#[test]
fn values_of_every_type_can_be_set_by_variables() {
    let variables = [
        ("WATERSMEET_UDP", "off"),
        ("WATERSMEET_DTLS", "1.3"),
        ("WATERSMEET_VIDEO_CODEC", "vp9"),
        ("WATERSMEET_CODECS", "vp9, opus, av1"),
        ("WATERSMEET_SHARDS", "2"),
        ("WATERSMEET_LAST_N_VIDEO", "300"),
        ("WATERSMEET_TOP_N_AUDIO", "64"),
        ("WATERSMEET_CAPS_PARTICIPANTS_MAX", "7"),
        ("WATERSMEET_LIMITS_LOOPBACK", "true"),
        ("WATERSMEET_TRUSTED_PROXIES", "10.0.0.0/8"),
        ("ICE_SERVERS", r#"[{"urls":"stun:stun.example:3478"}]"#),
        ("PORT", ""),
    ];
    let config = config(&[], &variables).unwrap();
    assert!(!config.udp && config.limits.loopback);
    assert_eq!(config.dtls, DtlsChoice::V13);
    assert_eq!(config.video_codec, Some(VideoCodec::Vp9));
    let codecs: Vec<_> = config.codecs.iter().map(|it| it.codec).collect();
    assert_eq!(codecs, [Codec::Vp9, Codec::Opus, Codec::Av1]);
    assert_eq!(config.caps.participants_max, 7);
    assert_eq!((config.last_n_video, config.top_n_audio), (300, 64));
    assert_eq!(config.ice_servers[0].urls, ["stun:stun.example:3478"]);
    assert_eq!((config.shard_count(), config.page_port()), (2, 3000));
}

#[test]
fn egress_options_can_be_configured() {
    let egress = |window| {
        let variables = [
            ("WATERSMEET_EGRESS_WINDOW", window),
            ("WATERSMEET_EGRESS_PADDING", "16"),
            ("WATERSMEET_BUSY_POLL_US", "50"),
            ("WATERSMEET_PIN_CORES", "yes"),
            ("WATERSMEET_MEDIA_RECEIVE_BUFFER", "1048576"),
        ];
        config(&[], &variables).map(|config| {
            assert!(config.pin_cores && config.busy_poll_us == 50);
            assert_eq!(config.media_receive_buffer, 1 << 20);
            assert_eq!(config.egress_options().padding_max, 16);
            config.egress_options().window
        })
    };
    assert_eq!(egress("auto").unwrap(), EgressWindow::Auto);
    assert_eq!(egress("off").unwrap(), EgressWindow::Fixed(Duration::ZERO));
    let millisecond = EgressWindow::Fixed(Duration::from_millis(1));
    assert_eq!(egress("1000us").unwrap(), millisecond);
    for window in ["2001us", "2ms", "1000", "fast"] {
        let error = egress(window).unwrap_err().to_string();
        assert!(error.contains(window), "{error}");
    }
    let error = refusal(&[], &[("WATERSMEET_BUSY_POLL_US", "10001")]);
    assert!(error.contains("busy_poll_us"), "{error}");
    let error = refusal(&[], &[("WATERSMEET_MEDIA_SEND_BUFFER", "1000")]);
    assert!(error.contains("media_send_buffer"), "{error}");
}

#[test]
fn unknown_key_is_refused_with_a_suggestion() {
    let error = refusal(&[], &[("WATERSMEET_PROT", "1")]);
    assert!(error.contains("WATERSMEET_PROT") && error.contains("did you mean `port`?"));
    let error = refusal(&[], &[("WATERSMEET_CAPS_ROOM_MAX", "1")]);
    assert!(error.contains("did you mean `rooms_max`?"), "{error}");
    for (name, text, meant) in [
        ("key", "anounced_ips = []", "`announced_ips`"),
        (
            "table",
            "[limits]\nconection_burst = 1",
            "`connections_burst`",
        ),
        (
            "listener",
            "[[listeners]]\nport = 1\nmount = []",
            "`mounts`",
        ),
        ("variant", "room_policy = \"invite\"", "`invite-only`"),
    ] {
        let error = config_from_file(name, text).unwrap_err().to_string();
        assert!(error.contains(&format!("did you mean {meant}?")), "{error}");
        assert!(error.contains(".toml"), "{error}");
    }
    let error = config_from_file("far", "xyzzy = 1")
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("no key `xyzzy`") && !error.contains("mean"),
        "{error}"
    );
    let unknown = Flags::try_parse_from(["watersmeet", "--lissen-ip", "::1"]).unwrap_err();
    assert!(unknown.to_string().contains("--listen-ip"), "{unknown}");
}

#[test]
fn value_of_the_wrong_type_is_refused_with_its_key_and_origin() {
    for value in ["many", "65536", "-1"] {
        let error = refusal(&[], &[("PORT", value)]);
        assert!(
            error.contains("`port`") && error.contains("PORT"),
            "{error}"
        );
    }
    let error = config_from_file("slip", "port = 1\nshards = \n")
        .unwrap_err()
        .to_string();
    assert!(error.contains("line 2"), "{error}");
    let error = Environment::from_text("PORT=1\n\nno value here\n")
        .unwrap_err()
        .to_string();
    assert!(error.contains("line 3"), "{error}");
}

#[test]
fn contradicting_values_are_refused() {
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
        &["--max-incoming-bitrate", "0"],
        &["--initial-outgoing-bitrate", "0"],
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
fn invalid_or_ineffective_values_are_refused() {
    for (name, value, word) in [
        ("WATERSMEET_EGRESS", "xdp", "egress"),
        ("CORS_ORIGIN", "*", "cannot be `*`"),
        ("CORS_ORIGIN", "https://a.example/path", "no origin"),
        ("CORS_ORIGIN", "a.example", "no origin"),
        ("CORS_ORIGIN", "https://*", "no origin"),
        ("CORS_ORIGIN", "https://*.org", "no origin"),
        ("CORS_ORIGIN", "https://a.*.example.org", "no origin"),
        ("WATERSMEET_EMBED_ORIGINS", "*", "no origin"),
        ("WATERSMEET_EMBED_ORIGINS", "a.example", "no origin"),
        ("WATERSMEET_EMBED_ORIGINS", "https://*.org", "no origin"),
        ("WATERSMEET_EMBED_ORIGINS", "null", "cannot embed"),
        (
            "WATERSMEET_EMBED_ORIGINS",
            "capacitor://localhost",
            "cannot embed",
        ),
        ("WATERSMEET_EMBED_ORIGINS", "https://[::1]", "cannot embed"),
        ("WATERSMEET_HOST_NAMES", "https://a.example", "no host name"),
        ("BASE_URL", "meet.example", "base_url"),
        ("BASE_URL", "https://a.example/meet?x", "base_url"),
        ("BASE_URL", "https://a.example/meet#x", "base_url"),
        ("BASE_URL", "https://ana@a.example/", "base_url"),
        ("BASE_URL", "ftp://a.example/", "base_url"),
        ("BASE_URL", "https://a.example/api", "`/api`"),
        ("BASE_URL", "https:///meet", "its host"),
        ("BASE_URL", "http://0.0.0.0:3000", "its host"),
        ("BASE_URL", "http://[::]:3000", "its host"),
        ("BASE_URL", "https://a.example/a b", "its host"),
        (
            "WATERSMEET_CODECS",
            r#"[{"name":"h264","parameters":{"profile-level-id":"zz"}}]"#,
            "`profile-level-id`",
        ),
        (
            "WATERSMEET_CODECS",
            r#"[{"name":"h264","parameters":{"profile-level-id":"42e0ff"}}]"#,
            "`profile-level-id`",
        ),
        ("BASE_URL", "https://a.example/a//b", "base_url"),
        ("WATERSMEET_LOG", "loud", "set by WATERSMEET_LOG"),
        ("RUST_LOG", "loud", "set by RUST_LOG"),
        ("TURN_SECRET", "abc", "needed together"),
        ("TURN_URLS", "turn:a.example", "needed together"),
        (
            "ICE_SERVERS",
            r#"[{"urls":["http://a.example"]}]"#,
            "`ice_servers`: `http://a.example` is no address",
        ),
        ("TURN_URLS", "turn://a.example", "set by TURN_URLS"),
        ("TURN_URL", "turn:a.example:99999", "set by TURN_URL"),
        ("TURN_URLS", "a.example:3478", "`turn_urls`"),
        ("WATERSMEET_TURN_TTL_S", "5", "turn_ttl_s"),
        ("WATERSMEET_HISTORY_DAYS", "0", "`history_days`"),
        (
            "WATERSMEET_HISTORY_SIZE_MAX_MB",
            "0",
            "`history_size_max_mb`",
        ),
        (
            "WATERSMEET_HISTORY_INTERVAL_S",
            "21",
            "`history_interval_s`",
        ),
        ("WATERSMEET_HISTORY_NAMES", "true", "set `history`"),
        ("WATERSMEET_HISTORY_FILE", "/tmp/h.sqlite", "set `history`"),
        ("WATERSMEET_TURN_PORT", "0", "`turn_port`"),
        ("WATERSMEET_TURN_TLS_PORT", "5349", "certificate"),
        ("WATERSMEET_TURN_HOST", "a.example:80", "`turn_host`"),
        ("WATERSMEET_TURN_HOST", "2001:db8::1", "`turn_host`"),
        (
            "WATERSMEET_TURN_ALLOCATIONS_MAX",
            "0",
            "turn_allocations_max",
        ),
        ("WATERSMEET_TOP_N_AUDIO", "65", "top_n_audio"),
        ("WATERSMEET_CODECS", "vp10", "codecs"),
        ("WATERSMEET_CODECS", "opus, vp10", "choose among `opus`"),
        ("WATERSMEET_CODECS", "opus, red", "see `redundant_audio`"),
        (
            "WATERSMEET_CODECS",
            "opus, h265",
            "choose `h264`, `vp9` or `av1`",
        ),
        ("WATERSMEET_CODECS", r#"[{"name":"HEVC"}]"#, "choose `h264`"),
        ("WATERSMEET_CAPS_ROOMS_MAX", "0", "caps.rooms_max"),
        ("WATERSMEET_CAPS_TRANSPORTS_MAX", "1", "caps.transports_max"),
        (
            "WATERSMEET_LIMITS_REQUESTS_BURST",
            "0",
            "limits.requests_burst",
        ),
        ("WATERSMEET_DEFAULT_ROOM", &"a".repeat(257), "default_room"),
        ("API_KEY", "short", "`api_key`"),
        ("JWT_SECRET_PREVIOUS", "short", "`jwt_secret_previous`"),
        ("TRUSTED_PROXIES", "10.0.0.0/33", "trusted_proxies"),
        ("TRUSTED_PROXIES", "proxy.example", "trusted_proxies"),
    ] {
        let error = refusal(&[], &[(name, value)]);
        assert!(error.contains(word), "{name}={value}: {error}");
    }
    for (name, value) in [
        (
            "CORS_ORIGIN",
            "https://A.example:443/,https://*.example.org,capacitor://localhost,null",
        ),
        (
            "WATERSMEET_EMBED_ORIGINS",
            "https://A.example:443/,https://*.example.org:8443,http://localhost:5173",
        ),
        (
            "WATERSMEET_HOST_NAMES",
            "meet.example.org,*.meet.example.org",
        ),
        ("BASE_URL", "https://a.example/meet/"),
        ("LOG_LEVEL", "loud"),
    ] {
        config(&[], &[(name, value)]).unwrap();
    }
    assert!(refusal(&["--log", "loud"], &[]).contains("there is no level `loud`"));
    let past = [("WATERSMEET_EGRESS", "packet"), ("WATERSMEET_UDP", "false")];
    assert!(refusal(&[], &past).contains("`udp` is off"));
    let only = [("WATERSMEET_CODECS", "opus"), ("VIDEO_CODEC", "vp8")];
    assert!(refusal(&[], &only).contains("not among"));
}

#[test]
fn embedded_turn_server_has_a_random_secret_unless_one_is_set() {
    let port = ("WATERSMEET_TURN_PORT", "3478");
    let secret = |variables: &[(&str, &str)]| config(&[], variables).unwrap().turn_secret;
    let random = secret(&[port]).unwrap();
    assert!(random.expose().len() == 64 && Some(random) != secret(&[port]));
    let set = secret(&[port, ("TURN_SECRET", "shared")]).unwrap();
    assert_eq!(set.expose(), "shared");
    assert_eq!(secret(&[]), None);
    let urls = ("TURN_URLS", "turn:a.example");
    assert!(refusal(&[], &[port, urls]).contains("needed together"));
    assert!(refusal(&["--no-udp"], &[port]).contains("`udp` is off"));
}

#[test]
fn port_range_with_fewer_ports_than_shards_is_refused() {
    let range = ["--rtc-port", "10000", "--rtc-port-max", "10001", "--shards"];
    let with = |shards: &'static str| config(&[&range[..], &[shards]].concat(), &[]);
    assert_eq!(with("2").unwrap().shard_count(), 2);
    let error = with("8").unwrap_err().to_string();
    for word in [
        "`rtc_port_max` is set by --rtc-port-max",
        "8 shards",
        "10007",
        "`shards` to 2",
    ] {
        assert!(error.contains(word), "{error}");
    }
    let variables = [
        ("RTC_MIN_PORT", "40000"),
        ("RTC_MAX_PORT", "40000"),
        ("NUM_WORKERS", "2"),
    ];
    let error = refusal(&[], &variables);
    assert!(
        error.contains("`rtc_port_max` is set by RTC_MAX_PORT"),
        "{error}"
    );
}

#[test]
fn announced_addresses_that_no_browser_reaches_are_refused() {
    for (name, value, word) in [
        ("MEDIASOUP_ANNOUNCED_IP", "0.0.0.0", "0.0.0.0"),
        ("PUBLIC_IP", "::", "::"),
        ("ANNOUNCED_IP", "192.0.2.1, 224.0.0.1", "224.0.0.1"),
        ("ANNOUNCED_IP", "255.255.255.255", "255.255.255.255"),
        ("ANNOUNCED_IP", "::ffff:0.0.0.0", "0.0.0.0"),
        ("ANNOUNCED_IP", "0.0.0.1", "0.0.0.1"),
        ("ANNOUNCED_IP", "240.0.0.1", "240.0.0.1"),
        ("ANNOUNCED_IP", "fe80::1", "fe80::1"),
        ("ANNOUNCED_IP", "192.0.2.300", "192.0.2.300"),
        ("ANNOUNCED_IP", "192.0.2.1:10000", "192.0.2.1:10000"),
        (
            "PUBLIC_IP",
            "http://media.example.org",
            "http://media.example.org",
        ),
    ] {
        let error = refusal(&[], &[(name, value)]);
        assert!(error.contains(word) && error.contains(name), "{error}");
    }
    let error = refusal(
        &["--announced-ip", "0.0.0.0"],
        &[("PUBLIC_IP", "192.0.2.1")],
    );
    assert!(error.contains("set by --announced-ip"), "{error}");
    for (listen, announced) in [("0.0.0.0", "2001:db8::1"), ("::1", "192.0.2.1")] {
        let variables = [("MEDIASOUP_LISTEN_IP", listen), ("PUBLIC_IP", announced)];
        let error = refusal(&[], &variables);
        assert!(error.contains("set by PUBLIC_IP"), "{error}");
        assert!(error.contains("set by MEDIASOUP_LISTEN_IP"), "{error}");
    }
}

#[test]
fn announced_address_can_be_a_host_name() {
    let variables = [("PUBLIC_IP", "Media.Example.org, 192.0.2.1")];
    let announced = config(&[], &variables).unwrap().announced_ips;
    let shown: Vec<_> = announced.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["media.example.org", "192.0.2.1"]);
}

#[test]
fn wildcard_ipv6_address_listens_on_both_families() {
    let listening = config(&["--listen-ip", "::"], &[]).unwrap();
    let families = |ips: Vec<IpAddr>| ips.iter().map(IpAddr::is_ipv4).collect::<Vec<_>>();
    assert_eq!(families(listening.media_listen_ips()), [true, false]);
    let listener = &listening.effective_listeners()[0];
    assert_eq!(listening.listener_addresses(listener).len(), 2);
    config(&["--listen-ip", "::", "--announced-ip", "192.0.2.1"], &[]).unwrap();
}

#[test]
fn variables_of_kubernetes_services_are_ignored_with_one_line() {
    let variables = [
        ("JWT_SECRET", SECRET),
        ("WATERSMEET_SERVICE_HOST", "10.96.0.7"),
        ("WATERSMEET_SERVICE_PORT_HTTP", "3000"),
        ("WATERSMEET_PORT", "tcp://10.96.0.7:3000"),
        ("WATERSMEET_PORT_3000_TCP_ADDR", "10.96.0.7"),
        ("MEDIASOUP_LISTEN_PORT", "tcp://10.96.0.8:3000"),
        ("PORT", "4000"),
    ];
    let loaded = load(&[], &variables).unwrap();
    assert_eq!(
        (loaded.config.page_port(), loaded.config.rtc_port),
        (4000, 10_000)
    );
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    let [note] = &loaded.notes[..] else {
        panic!("{:?}", loaded.notes)
    };
    assert!(
        note.contains("WATERSMEET_PORT,") || note.ends_with("WATERSMEET_PORT"),
        "{note}"
    );
    assert!(load(&[], &variables[..1]).unwrap().notes.is_empty());
}

#[test]
fn file_with_a_byte_order_mark_is_read() {
    let config = config_from_file("mark", "\u{feff}port = 4000").unwrap();
    assert_eq!(config.port, Some(4000));
    let environment = Environment::from_text("\u{feff}PORT=4000\nJWT_SECRET=a$b").unwrap();
    assert_eq!(environment.get("PORT"), Some("4000"));
    assert_eq!(environment.get("JWT_SECRET"), Some("a$b"));
}

#[test]
fn site_must_be_a_folder_with_a_page_and_without_secrets() {
    let folder = std::env::temp_dir().join(format!("watersmeet-site-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.to_str().unwrap();
    let error = |arguments: &[&str]| refusal(arguments, &[]);
    assert!(error(&["--site", "/none"]).contains("/none"));
    assert!(error(&["--site", path]).contains("index.html"));
    let page = folder.join("index.html");
    std::fs::write(&page, "").unwrap();
    assert!(error(&["--site", page.to_str().unwrap()]).contains("no folder"));
    config(&["--site", path], &[]).unwrap();
    let key = folder.join("key.pem");
    std::fs::write(&key, "").unwrap();
    let key = key.to_str().unwrap();
    let tls = ["--site", path, "--tls-cert", "/c.pem", "--tls-key", key];
    assert!(error(&tls).contains("key.pem"));
    let file = folder.join("prod.toml");
    std::fs::write(&file, "").unwrap();
    let configured = ["--site", path, "--config", file.to_str().unwrap()];
    assert!(error(&configured).contains("prod.toml"));
    std::fs::write(folder.join("watersmeet.toml"), "").unwrap();
    assert!(error(&["--site", path]).contains("watersmeet.toml"));
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn missing_or_weak_secret_is_accepted_only_in_development() {
    for secret in ["", "short", "your-secret-key-change", &"secret".repeat(8)] {
        let error = load(&[], &[("JWT_SECRET", secret)]).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, ConfigError::Secret { .. }), "{text}");
        assert!(text.contains("`jwt_secret`") && text.contains("openssl rand -hex 32"));
        assert!(secret.is_empty() || !text.contains(secret), "{text}");

        let loaded = load(&["--dev"], &[("JWT_SECRET", secret)]).unwrap();
        assert!(loaded.secret_is_generated);
        assert_eq!(loaded.warnings.is_empty(), secret.is_empty());
        assert!(loaded.config.keys().is_ok());
    }
    let one = load(&["--dev"], &[]).unwrap().config.jwt_secret;
    assert_ne!(one, load(&["--dev"], &[]).unwrap().config.jwt_secret);
    let given = load(&["--dev"], &[("JWT_SECRET", SECRET)]).unwrap();
    assert!(!given.secret_is_generated);
}

#[test]
fn secret_file_must_be_readable_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let path = std::env::temp_dir().join(format!("watersmeet-key-{}", std::process::id()));
    std::fs::write(&path, format!("{SECRET}\n")).unwrap();
    let mode = |mode| std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
    let arguments = ["--jwt-secret-file", path.to_str().unwrap()];
    mode(0o644);
    let error = load(&arguments, &[]).unwrap_err().to_string();
    assert!(error.contains("chmod 600"), "{error}");
    mode(0o600);
    let loaded = load(&arguments, &[]).unwrap();
    assert_eq!(loaded.config.jwt_secret.unwrap().expose(), SECRET);
    std::fs::write(&path, format!("\u{feff}{SECRET}\r\n")).unwrap();
    let loaded = load(&arguments, &[]).unwrap();
    assert_eq!(loaded.config.jwt_secret.unwrap().expose(), SECRET);
    assert!(load(&arguments, &[("JWT_SECRET", SECRET)]).is_err());
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn secret_file_that_cannot_be_used_is_named_with_its_key_and_fix() {
    let folder = std::env::temp_dir();
    let folder = folder.to_str().unwrap();
    for (path, word) in [("/none/jwt.key", "openssl rand"), (folder, "is no file")] {
        let error = load(&[], &[("JWT_SECRET_FILE", path)]).unwrap_err();
        let error = error.to_string();
        for word in [word, path, "`jwt_secret_file`", "set by JWT_SECRET_FILE"] {
            assert!(error.contains(word), "{word}: {error}");
        }
    }
    let error = refusal(&[], &[("API_KEY", "short")]);
    assert!(
        error.contains("set `api_key`") && !error.contains("JWT_SECRET"),
        "{error}"
    );
    let error = refusal(&["--config", folder], &[]);
    assert!(error.contains("folder"), "{error}");
}

#[test]
fn variables_of_dot_env_are_named_with_the_file() {
    let environment = Environment::from_text("PORT=many\nLOG_LEVEL=info\n").unwrap();
    let error = Loaded::load(&flags(&["--dev"]), &environment).unwrap_err();
    assert!(error.to_string().contains("PORT in .env"), "{error}");
}

#[test]
fn secrets_are_not_printed_in_debug_output_or_errors() {
    let other = SECRET.replace('9', "8");
    let variables = [
        ("JWT_SECRET_PREVIOUS", other.as_str()),
        ("API_KEY", SECRET),
        ("TURN_SECRET", SECRET),
        ("TURN_URLS", "turn:turn.example"),
    ];
    let shown = format!("{:?}", config(&[], &variables).unwrap());
    assert!(
        !shown.contains(&SECRET[..8]) && !shown.contains(&other[..8]),
        "{shown}"
    );
    for text in [
        "jwt_secret_previous = 12345678",
        "api_key = [\"12345678\"]",
        "turn_secret = 12345678x",
    ] {
        let words = config_from_file("secret", text).unwrap_err().to_string();
        assert!(!words.contains("12345678"), "{words}");
    }
}

#[test]
fn default_listener_serves_everything() {
    let config = config(&["--dev", "--tls-self-signed"], &[]).unwrap();
    let [listener] = &config.effective_listeners()[..] else {
        panic!("one listener")
    };
    assert!(listener.uses_tls() && Mount::ALL.iter().all(|&mount| listener.serves(mount)));
    let ips: Vec<_> = config
        .listener_addresses(listener)
        .iter()
        .map(SocketAddr::ip)
        .collect();
    assert!(ips.iter().all(IpAddr::is_loopback), "{ips:?}");
    let wide = Config {
        dev: false,
        ..config
    };
    assert!(
        wide.listener_addresses(&wide.effective_listeners()[0])[0]
            .ip()
            .is_unspecified()
    );
}

#[test]
fn listeners_have_their_own_address_mounts_and_token_requirement() {
    let text = "
        [[listeners]]
        port = 443
        tls_self_signed = true
        mounts = [\"page\", \"native\"]
        token_required = true
        [[listeners]]
        port = 9090
        listen_ip = \"127.0.0.1\"
        mounts = [\"metrics\"]
    ";
    let config = config_from_file("listeners", text).unwrap();
    let [page, metrics] = &config.effective_listeners()[..] else {
        panic!("two listeners")
    };
    assert!(page.uses_tls() && page.token_required && !page.serves(Mount::Metrics));
    assert!(metrics.serves(Mount::Metrics) && !metrics.serves(Mount::Native));
    assert_eq!(
        config.listener_addresses(metrics),
        ["127.0.0.1:9090".parse().unwrap()]
    );

    for (entry, word) in [
        ("port = 1\nmounts = []", "empty"),
        ("port = 1\ntls_cert = \"a\"", "needed together"),
        ("port = 1\n[[listeners]]\nport = 1", "listener 2"),
        (
            "port = 1\nmounts = [\"metrics\"]\ntoken_required = true",
            "token_required",
        ),
    ] {
        let error =
            config_from_file("bad-listener", &format!("[[listeners]]\n{entry}")).unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn network_contains_only_its_addresses() {
    let holds = |network: &str, ip: &str| {
        let network: Network = network.parse().unwrap();
        network.contains(ip.parse().unwrap())
    };
    assert!(holds("10.0.0.0/8", "10.255.0.1") && !holds("10.0.0.0/8", "11.0.0.1"));
    assert!(holds("10.0.0.0/8", "::ffff:10.0.0.1"));
    assert!(holds("192.0.2.7", "192.0.2.7") && !holds("192.0.2.7", "192.0.2.8"));
    assert!(holds("0.0.0.0/0", "192.0.2.8") && !holds("0.0.0.0/0", "2001:db8::1"));
    assert!(holds("2001:db8::/32", "2001:db8:1::1") && !holds("::1", "::2"));
    assert!(holds("::/0", "2001:db8:1::1"));
}
