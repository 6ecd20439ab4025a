//! What is asked for on the command line.

use std::time::Duration;

use clap::{ArgAction, Parser, ValueEnum};
use watersmeet_engine::transport::srtp::SrtpProfile;

use crate::camera::Pacing;
use crate::table::ReportArgs;

/// What peers do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// All send and receive.
    Meeting,
    /// One sends, many receive.
    Webinar,
    /// Ten speak, many listen.
    Audio,
    /// Many small rooms.
    Rooms,
    /// Transports are connected, and nothing is sent.
    Idle,
    /// People keep joining, while some are in a meeting.
    Joins,
    /// People keep leaving and joining.
    Churn,
    /// People keep pausing, resuming and choosing layers; our own server only.
    Storm,
}

/// An SRTP profile by its short name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Srtp {
    /// `AEAD_AES_128_GCM`
    #[value(name = "aes128gcm")]
    Aes128Gcm,
    /// `AEAD_AES_256_GCM`
    #[value(name = "aes256gcm")]
    Aes256Gcm,
    /// `AES_CM_128_HMAC_SHA1_80`
    #[value(name = "aes128cm")]
    Aes128Cm,
}

impl Srtp {
    /// The profile.
    pub const fn profile(self) -> SrtpProfile {
        match self {
            Self::Aes128Gcm => SrtpProfile::AeadAes128Gcm,
            Self::Aes256Gcm => SrtpProfile::AeadAes256Gcm,
            Self::Aes128Cm => SrtpProfile::AesCm128HmacSha1_80,
        }
    }
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

impl Switch {
    /// Whether it is on.
    pub fn is_on(self) -> bool {
        self == Self::On
    }
}

/// Thousands of scripted peers over real sockets against any server that speaks the native
/// protocol, and one table of what they saw and what serving them cost.
#[derive(Debug, Clone, Parser)]
#[command(name = "watersmeet-load", version)]
pub struct Options {
    /// The server's WebSocket
    #[arg(long, default_value = "ws://127.0.0.1:3000/")]
    pub url: String,
    /// A token to show when connecting
    #[arg(long)]
    pub token: Option<String>,
    /// What peers do
    #[arg(long, value_enum, default_value = "meeting")]
    pub profile: Profile,
    /// Rooms
    #[arg(long)]
    pub rooms: Option<u32>,
    /// Peers in each room that send and receive; in a webinar and an audio room they only send
    #[arg(long)]
    pub publishers: Option<u32>,
    /// Peers in each room that only receive
    #[arg(long)]
    pub subscribers: Option<u32>,
    /// Rate of a camera, 0 for none
    #[arg(long)]
    pub video_kbps: Option<u32>,
    /// Whether publishers have microphones
    #[arg(long, action = ArgAction::Set, default_value_t = true)]
    pub audio: bool,
    /// Length of every packet of audio; by default they vary from 80 to 120 bytes
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u16).range(40..=1_200))]
    pub audio_bytes: Option<u16>,
    /// Cameras send three encodings
    #[arg(long)]
    pub simulcast: bool,
    /// Offer this SRTP profile only
    #[arg(long, value_enum)]
    pub srtp: Option<Srtp>,
    /// Seconds to measure
    #[arg(long, default_value_t = 10.0)]
    pub seconds: f64,
    /// Seconds between the last join and the start of what is measured
    #[arg(long, default_value_t = 3.0)]
    pub warmup: f64,
    /// Joins per second until all are there
    #[arg(long, default_value_t = 50.0)]
    pub join_rate: f64,
    /// Joins, leaves or other operations per second while it is measured (joins, churn, storm)
    #[arg(long, default_value_t = 10.0)]
    pub rate: f64,
    /// Seed of all chance
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Let the kernel join received datagrams to runs, which real clients do not do
    #[arg(long, value_enum, default_value = "off")]
    pub gro: Switch,
    /// When the packets of a frame leave
    #[arg(long, value_enum, default_value = "burst")]
    pub pacing: Pacing,
    /// Decrypt and check one of so many packets; sequence numbers of all are checked
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub verify: u32,
    /// Threads that move media
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub threads: u32,
    /// Microseconds between two looks at the sockets
    #[arg(long, default_value_t = 250, value_name = "MICROSECONDS")]
    pub tick: u64,
    /// What is watched and how it is told
    #[command(flatten)]
    pub report: ReportArgs,
}

impl Options {
    /// How many of what, after the profile's own choices.
    pub fn shape(&self) -> Shape {
        let (rooms, publishers, subscribers, video_kbps) = match self.profile {
            Profile::Meeting | Profile::Storm => (1, 20, 0, 1_200),
            Profile::Webinar => (1, 1, 200, 1_200),
            Profile::Audio => (1, 10, 200, 0),
            Profile::Rooms => (50, 4, 0, 1_200),
            Profile::Idle => (1, 0, 100, 0),
            Profile::Joins => (1, 4, 0, 300),
            Profile::Churn => (1, 8, 0, 300),
        };
        Shape {
            rooms: self.rooms.unwrap_or(rooms),
            publishers: self.publishers.unwrap_or(publishers),
            subscribers: self.subscribers.unwrap_or(subscribers),
            video_kbps: self.video_kbps.unwrap_or(video_kbps),
            audio: self.audio && self.profile != Profile::Idle,
            publishers_receive: !matches!(self.profile, Profile::Webinar | Profile::Audio),
        }
    }

    /// Time to measure.
    pub fn measured(&self) -> Duration {
        Duration::from_secs_f64(self.seconds.clamp(0.1, 86_400.0))
    }

    /// Time between two joins before that.
    pub fn join_interval(&self) -> Duration {
        interval(self.join_rate)
    }

    /// Time between two operations.
    pub fn operation_interval(&self) -> Duration {
        interval(self.rate)
    }
}

/// Time between two of `rate` events a second.
fn interval(rate: f64) -> Duration {
    Duration::from_secs_f64(1.0 / rate.clamp(0.01, 100_000.0))
}

/// How many of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Rooms.
    pub rooms: u32,
    /// Peers in each that send.
    pub publishers: u32,
    /// Peers in each that only receive.
    pub subscribers: u32,
    /// Rate of a camera, 0 for none.
    pub video_kbps: u32,
    /// Whether publishers have microphones.
    pub audio: bool,
    /// Whether publishers receive too.
    pub publishers_receive: bool,
}

impl Shape {
    /// Cameras and microphones of a publisher.
    pub fn sources_each(&self) -> u32 {
        u32::from(self.video_kbps > 0) + u32::from(self.audio)
    }

    /// Consumers, once all have everything.
    pub fn consumers(&self) -> u64 {
        let publishers = u64::from(self.publishers);
        let others = if self.publishers_receive {
            publishers.saturating_sub(1)
        } else {
            0
        };
        let receptions = publishers * others + publishers * u64::from(self.subscribers);
        u64::from(self.rooms) * receptions * u64::from(self.sources_each())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(arguments: &[&str]) -> Shape {
        let program = ["watersmeet-load"];
        Options::parse_from(program.iter().chain(arguments)).shape()
    }

    #[test]
    fn profiles_have_their_numbers() {
        assert_eq!(shape(&[]).consumers(), 20 * 19 * 2);
        assert_eq!(shape(&["--profile", "webinar"]).consumers(), 400);
        assert_eq!(shape(&["--profile", "audio"]).consumers(), 2_000);
        assert_eq!(
            shape(&["--profile", "rooms", "--video-kbps", "0"]).consumers(),
            600
        );
        assert_eq!(shape(&["--profile", "idle"]).consumers(), 0);
    }

    #[test]
    fn nothing_is_published_without_sources() {
        let shape = shape(&["--video-kbps", "0", "--audio", "false"]);
        assert_eq!((shape.sources_each(), shape.consumers()), (0, 0));
    }
}
