//! Command line of a load run.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, ValueEnum};
use watersmeet_engine::transport::srtp::SrtpProfile;

use crate::camera::Pacing;

/// Behaviour of the peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// Every peer sends and receives.
    Meeting,
    /// One peer sends, many receive.
    Webinar,
    /// Ten peers send audio, many receive it.
    Audio,
    /// Many small rooms.
    Rooms,
    /// Transports are connected; no media is sent.
    Idle,
    /// Peers keep joining a running meeting.
    Joins,
    /// Peers keep leaving and joining.
    Churn,
    /// Peers keep pausing and resuming consumers and choosing layers; Watersmeet only.
    Storm,
}

/// An SRTP protection profile.
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
    /// Returns the profile.
    pub const fn profile(self) -> SrtpProfile {
        match self {
            Self::Aes128Gcm => SrtpProfile::AeadAes128Gcm,
            Self::Aes256Gcm => SrtpProfile::AeadAes256Gcm,
            Self::Aes128Cm => SrtpProfile::AesCm128HmacSha1_80,
        }
    }
}

/// A switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

impl Switch {
    /// Returns whether it is on.
    pub fn is_on(self) -> bool {
        self == Self::On
    }
}

/// Load generator: thousands of scripted peers over real sockets against any server that speaks the
/// native protocol. Prints one table of loss, latency and the server's resource usage.
#[derive(Debug, Clone, Parser)]
#[command(name = "watersmeet-load", version)]
pub struct Options {
    /// WebSocket URL of the server
    #[arg(long, default_value = "ws://127.0.0.1:3000/")]
    pub url: String,
    /// Access token for the connection
    #[arg(long)]
    pub token: Option<String>,
    /// Behaviour of the peers
    #[arg(long, value_enum, default_value = "meeting")]
    pub profile: Profile,
    /// Number of rooms
    #[arg(long)]
    pub rooms: Option<u32>,
    /// Peers per room that send and receive; in the profiles webinar and audio they only send
    #[arg(long)]
    pub publishers: Option<u32>,
    /// Peers per room that only receive
    #[arg(long)]
    pub subscribers: Option<u32>,
    /// Bitrate of a camera in kbit/s, 0 for no video
    #[arg(long)]
    pub video_kbps: Option<u32>,
    /// Whether publishers have microphones
    #[arg(long, action = ArgAction::Set, default_value_t = true)]
    pub audio: bool,
    /// Payload length of every audio packet; by default it varies from 80 to 120 bytes
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u16).range(40..=1_200))]
    pub audio_bytes: Option<u16>,
    /// Cameras send three simulcast layers
    #[arg(long)]
    pub simulcast: bool,
    /// Offer this SRTP profile only
    #[arg(long, value_enum)]
    pub srtp: Option<Srtp>,
    /// Seconds to measure
    #[arg(long, default_value_t = 10.0)]
    pub seconds: f64,
    /// Seconds between the last join and the start of the measurement
    #[arg(long, default_value_t = 3.0)]
    pub warmup: f64,
    /// Joins per second until all peers have joined
    #[arg(long, default_value_t = 50.0)]
    pub join_rate: f64,
    /// Operations per second during the measurement (profiles joins, churn, storm)
    #[arg(long, default_value_t = 10.0)]
    pub rate: f64,
    /// Seed of all random numbers
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Receive with UDP_GRO, which real clients do not do
    #[arg(long, value_enum, default_value = "off")]
    pub gro: Switch,
    /// How the packets of a video frame are spread over time
    #[arg(long, value_enum, default_value = "burst")]
    pub pacing: Pacing,
    /// Decrypt and check one of this many packets; sequence numbers of all are checked
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub verify: u32,
    /// Number of media threads
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub threads: u32,
    /// Microseconds between two polls of the sockets
    #[arg(long, default_value_t = 250, value_name = "MICROSECONDS")]
    pub tick: u64,
    /// Monitored processes and output
    #[command(flatten)]
    pub report: ReportArgs,
}

/// Monitored processes and output of a run.
#[derive(Debug, Default, Clone, Args)]
pub struct ReportArgs {
    /// Process of the server, whose CPU time, memory and context switches are measured; may be given
    /// several times
    #[arg(long = "pid", value_name = "PID")]
    pub pids: Vec<i32>,
    /// URL of the server's metrics, from which the lengths of GSO runs are read
    #[arg(long, value_name = "URL")]
    pub metrics: Option<String>,
    /// API key for the server's metrics, if they are not public
    #[arg(long, value_name = "KEY", requires = "metrics")]
    pub api_key: Option<String>,
    /// Network between server and generator, for the heading
    #[arg(long, value_name = "NAME", default_value = "loopback")]
    pub network: String,
    /// Thresholds to show beside the metrics: L1, webinar and so on; an unknown name lists them
    #[arg(long, value_name = "NAME")]
    pub bar: Option<String>,
    /// File to write the outcome to, as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

impl Options {
    /// Returns the numbers of rooms and peers, with the defaults of the profile.
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

    /// Returns the length of the measurement.
    pub fn measurement(&self) -> Duration {
        Duration::from_secs_f64(self.seconds.clamp(0.1, 86_400.0))
    }

    /// Returns the time between two joins before the measurement.
    pub fn join_interval(&self) -> Duration {
        interval(self.join_rate)
    }

    /// Returns the time between two operations.
    pub fn operation_interval(&self) -> Duration {
        interval(self.rate)
    }
}

/// Returns the time between two of `rate` events per second.
fn interval(rate: f64) -> Duration {
    Duration::from_secs_f64(1.0 / rate.clamp(0.01, 100_000.0))
}

/// Numbers of rooms and peers, and the media of a publisher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Number of rooms.
    pub rooms: u32,
    /// Peers per room that send.
    pub publishers: u32,
    /// Peers per room that only receive.
    pub subscribers: u32,
    /// Bitrate of a camera in kbit/s, 0 for no video.
    pub video_kbps: u32,
    /// Whether publishers have microphones.
    pub audio: bool,
    /// Whether publishers receive as well.
    pub publishers_receive: bool,
}

impl Shape {
    /// Returns the number of producers of a publisher.
    pub fn producers_each(&self) -> u32 {
        u32::from(self.video_kbps > 0) + u32::from(self.audio)
    }

    /// Returns the number of consumers once every peer consumes everything.
    pub fn consumers(&self) -> u64 {
        let publishers = u64::from(self.publishers);
        let others = if self.publishers_receive {
            publishers.saturating_sub(1)
        } else {
            0
        };
        let streams_each = publishers * others + publishers * u64::from(self.subscribers);
        u64::from(self.rooms) * streams_each * u64::from(self.producers_each())
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
    fn profiles_have_their_default_numbers() {
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
    fn nothing_is_published_without_camera_and_microphone() {
        let shape = shape(&["--video-kbps", "0", "--audio", "false"]);
        assert_eq!((shape.producers_each(), shape.consumers()), (0, 0));
    }
}
