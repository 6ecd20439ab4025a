//! Types of values other than numbers, texts and addresses.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use watersmeet_engine::egress::window::{EgressWindow, WINDOW_MAX};

use super::secret::Secret;

/// A codec that rooms can offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// Opus (RFC 6716, RFC 7587).
    Opus,
    /// G.711 µ-law (RFC 3551).
    Pcmu,
    /// G.711 A-law (RFC 3551).
    Pcma,
    /// VP8 (RFC 6386, RFC 7741).
    Vp8,
    /// VP9 (RFC 9628).
    Vp9,
    /// H.264 (RFC 6184).
    H264,
    /// AV1 (AOMedia).
    Av1,
}

impl FromStr for Codec {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let all = [
            ("opus", Self::Opus),
            ("pcmu", Self::Pcmu),
            ("pcma", Self::Pcma),
            ("vp8", Self::Vp8),
            ("vp9", Self::Vp9),
            ("h264", Self::H264),
            ("av1", Self::Av1),
        ];
        if let Some((_, codec)) = all.iter().find(|(known, _)| *known == name) {
            return Ok(*codec);
        }
        Err(match name.to_ascii_lowercase().as_str() {
            "red" => "`red` is offered with Opus and need not be listed: see `redundant_audio`"
                .to_owned(),
            "h265" | "hevc" => {
                format!("`{name}` is not supported: choose `h264`, `vp9` or `av1` instead")
            }
            "rtx" => "`rtx` is offered with every video codec and need not be listed".to_owned(),
            _ => {
                let names = all.map(|(known, _)| format!("`{known}`")).join(", ");
                format!("`{name}` is not supported: choose among {names}")
            }
        })
    }
}

impl Codec {
    /// Media type of the codec in RTP parameters.
    pub const fn mime_type(self) -> &'static str {
        match self {
            Self::Opus => "audio/opus",
            Self::Pcmu => "audio/PCMU",
            Self::Pcma => "audio/PCMA",
            Self::Vp8 => "video/VP8",
            Self::Vp9 => "video/VP9",
            Self::H264 => "video/H264",
            Self::Av1 => "video/AV1",
        }
    }
}

/// A codec with optional format parameters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "CodecEntry")]
pub struct CodecChoice {
    /// The codec.
    pub codec: Codec,
    /// Format parameters that replace the usual ones.
    pub parameters: Option<BTreeMap<String, CodecParameter>>,
}

/// A codec in the configuration.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum CodecEntry {
    /// Name only.
    Name(String),
    /// Name and parameters.
    Table(CodecTable),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CodecTable {
    name: String,
    parameters: Option<BTreeMap<String, CodecParameter>>,
}

/// A format parameter of a codec.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum CodecParameter {
    /// A number, such as `packetization-mode`.
    Number(u32),
    /// A text, such as `profile-level-id`.
    Text(String),
}

impl CodecChoice {
    /// Returns the default codecs, best first.
    pub fn defaults() -> Vec<Self> {
        [Codec::Opus, Codec::Vp8, Codec::Vp9, Codec::H264]
            .map(Self::from)
            .to_vec()
    }
}

impl From<Codec> for CodecChoice {
    fn from(codec: Codec) -> Self {
        Self {
            codec,
            parameters: None,
        }
    }
}

impl TryFrom<CodecEntry> for CodecChoice {
    type Error = String;

    fn try_from(entry: CodecEntry) -> Result<Self, String> {
        match entry {
            CodecEntry::Name(name) => Ok(name.parse::<Codec>()?.into()),
            CodecEntry::Table(table) => Ok(Self {
                codec: table.name.parse()?,
                parameters: table.parameters,
            }),
        }
    }
}

/// A video codec that can be the only one of rooms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum VideoCodec {
    /// VP8 (RFC 6386, RFC 7741).
    Vp8,
    /// VP9 (RFC 9628).
    Vp9,
    /// H.264 (RFC 6184).
    H264,
    /// AV1 (AOMedia).
    Av1,
}

impl VideoCodec {
    /// Media type of the codec in RTP parameters.
    pub const fn mime_type(self) -> &'static str {
        match self {
            Self::Vp8 => Codec::Vp8.mime_type(),
            Self::Vp9 => Codec::Vp9.mime_type(),
            Self::H264 => Codec::H264.mime_type(),
            Self::Av1 => Codec::Av1.mime_type(),
        }
    }
}

/// DTLS version offered to browsers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
pub enum DtlsChoice {
    /// DTLS 1.2 (RFC 6347); the server prefers the cheapest SRTP profile.
    #[serde(rename = "1.2")]
    #[value(name = "1.2")]
    V12,
    /// DTLS 1.3 (RFC 9147); the browser's first SRTP profile is used.
    #[serde(rename = "1.3")]
    #[value(name = "1.3")]
    V13,
    /// DTLS 1.3 with browsers whose first SRTP profile uses AES-GCM, DTLS 1.2 with others.
    #[serde(rename = "auto")]
    #[value(name = "auto")]
    Auto,
}

/// Coalescing window: how long media is collected before it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum WindowChoice {
    /// Depends on load.
    Auto,
    /// Media is sent at once.
    Off,
    /// Fixed, in microseconds.
    Micros(u16),
}

impl TryFrom<String> for WindowChoice {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "auto" => return Ok(Self::Auto),
            "off" => return Ok(Self::Off),
            _ => {}
        }
        let micros = text
            .strip_suffix("us")
            .and_then(|it| it.trim().parse().ok());
        let micros = micros.filter(|&it| Duration::from_micros(u64::from(it)) <= WINDOW_MAX);
        micros
            .map(Self::Micros)
            .ok_or_else(|| format!("`{text}` is neither `auto` nor `off` nor `0us` to `2000us`"))
    }
}

impl From<WindowChoice> for EgressWindow {
    fn from(choice: WindowChoice) -> Self {
        match choice {
            WindowChoice::Auto => Self::Auto,
            WindowChoice::Off => Self::Fixed(Duration::ZERO),
            WindowChoice::Micros(micros) => Self::Fixed(Duration::from_micros(micros.into())),
        }
    }
}

/// How media is sent over UDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Egress {
    /// By the network stack.
    Udp,
    /// Past the network stack, as Ethernet frames, where that is possible and cheaper.
    Packet,
}

/// Format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text for people.
    Text,
    /// One JSON object for each line.
    Json,
}

/// Who may enter a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoomPolicy {
    /// Everybody.
    Open,
    /// Holders of a token for the room.
    InviteOnly,
    /// Those whom a host admits.
    Approval,
    /// Only hosts.
    Locked,
}

/// Who may create a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoomCreation {
    /// Everybody, by entering it.
    Anyone,
    /// Holders of a token.
    Token,
}

/// What happens to a connection when the token expires with which it joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExpiredTokens {
    /// Nothing: a token only decides about joining.
    Keep,
    /// It is closed.
    Disconnect,
}

/// A STUN or TURN server announced to browsers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IceServer {
    /// URLs, such as `stun:host:port` or `turn:host:port?transport=udp`.
    #[serde(deserialize_with = "one_or_more")]
    pub urls: Vec<String>,
    /// TURN username.
    #[serde(default)]
    pub username: Option<String>,
    /// TURN password.
    #[serde(default)]
    pub credential: Option<Secret>,
}

/// Deserialises one URL or several, like `RTCIceServer` in browsers.
fn one_or_more<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Urls {
        One(String),
        More(Vec<String>),
    }
    Ok(match Urls::deserialize(from)? {
        Urls::One(url) => vec![url],
        Urls::More(urls) => urls,
    })
}

/// A range of IP addresses: a single address or a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network {
    /// An address of the network.
    address: IpAddr,
    /// Length of the prefix, in bits.
    prefix_len: u8,
}

impl Network {
    /// Whether the network contains an address.
    pub fn contains(self, ip: IpAddr) -> bool {
        let shared = |ours: u128, theirs: u128, width: u8| {
            let rest = u32::from(width.saturating_sub(self.prefix_len));
            ours.checked_shr(rest) == theirs.checked_shr(rest)
        };
        match (self.address, ip.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                shared(ours.to_bits().into(), theirs.to_bits().into(), 32)
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => shared(ours.to_bits(), theirs.to_bits(), 128),
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let error = || format!("`{text}` is neither an address nor a network such as 10.0.0.0/8");
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse().map_err(|_| error())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| error())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(width);
        if bits > width {
            return Err(error());
        }
        Ok(Self {
            address,
            prefix_len: bits,
        })
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}
