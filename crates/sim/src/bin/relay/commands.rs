//! Commands of the relay:
//!
//! | command | effect |
//! |---|---|
//! | `up\|down\|both [name=value …]` | replaces the properties of a direction; without values it is clean |
//! | `cut all\|media [up\|down\|both]` | drops everything, or all but STUN, so that ICE consent is kept |
//! | `restore` | ends the cut |
//! | `rebind` | sends to the server from new ports, as a NAT does that lost its mapping |
//! | `listen SERVER` | forwards to one more address through the same links; the answer is where clients send to |
//! | `stats` | counters of both directions, and for each port towards the server when it was first used, as JSON |
//!
//! Up is towards the server. Names: `delay`, `jitter`, `queue` in milliseconds, `loss`, `reorder`,
//! `duplicate` as shares from 0 to 1, `bursts=RECEIVED:LOST` as mean lengths of runs in packets, `rate`
//! in bits per second.

use std::net::SocketAddr;
use std::time::Duration;

use watersmeet_sim::network::{LinkProfile, Loss};
use watersmeet_wire::units::Bitrate;

/// A direction of the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From clients to the server.
    Up,
    /// From the server to clients.
    Down,
}

/// What a direction drops while it is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Every datagram.
    All,
    /// Every datagram except STUN.
    Media,
}

/// A command.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Replaces the properties of these directions.
    Impair(Vec<Direction>, LinkProfile),
    /// Cuts these directions.
    Cut(Cut, Vec<Direction>),
    /// Ends the cut of both directions.
    Restore,
    /// Changes the ports towards the server.
    Rebind,
    /// Opens a port for clients whose server is at this address.
    Listen(SocketAddr),
    /// Writes the counters.
    Stats,
}

/// Parses a command.
///
/// # Errors
/// The part that is not understood.
pub fn parse(line: &str) -> Result<Command, String> {
    let mut words = line.split_whitespace();
    let word = words.next().unwrap_or_default();
    let command = match word {
        "cut" => {
            let cut = match words.next().unwrap_or("all") {
                "all" => Cut::All,
                "media" => Cut::Media,
                other => return Err(format!("cut `{other}`: all or media")),
            };
            Command::Cut(cut, directions(words.next().unwrap_or("both"))?)
        }
        "restore" => Command::Restore,
        "rebind" => Command::Rebind,
        "listen" => {
            let address = words.next().unwrap_or_default();
            Command::Listen(
                address
                    .parse()
                    .map_err(|_| format!("listen `{address}`: as 127.0.0.1:4000"))?,
            )
        }
        "stats" => Command::Stats,
        _ => {
            let directions = directions(word)?;
            let mut profile = LinkProfile::clean(Duration::ZERO);
            for word in words.by_ref() {
                set(&mut profile, word)?;
            }
            Command::Impair(directions, profile)
        }
    };
    match words.next() {
        None => Ok(command),
        Some(word) => Err(format!("unexpected `{word}`")),
    }
}

fn directions(word: &str) -> Result<Vec<Direction>, String> {
    match word {
        "up" => Ok(vec![Direction::Up]),
        "down" => Ok(vec![Direction::Down]),
        "both" => Ok(vec![Direction::Up, Direction::Down]),
        _ => Err(format!(
            "unknown command `{word}`: up, down, both, cut, restore, rebind, listen or stats"
        )),
    }
}

/// Sets one property, given as `name=value`.
fn set(profile: &mut LinkProfile, word: &str) -> Result<(), String> {
    let error = || format!("cannot read `{word}`");
    let (name, value) = word.split_once('=').ok_or_else(error)?;
    let milliseconds = || {
        let value: f64 = value.parse().map_err(|_| error())?;
        Duration::try_from_secs_f64(value / 1_000.0).map_err(|_| error())
    };
    let share = || match value.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err(error()),
    };
    match name {
        "delay" => profile.delay = milliseconds()?,
        "jitter" => profile.jitter = milliseconds()?,
        "queue" => profile.queue = milliseconds()?,
        "loss" => profile.loss = Loss::Random(share()?),
        "reorder" => profile.reorder = share()?,
        "duplicate" => profile.duplicate = share()?,
        "rate" => profile.rate = Some(Bitrate::from_bps(value.parse().map_err(|_| error())?)),
        "bursts" => {
            let (received, lost) = value.split_once(':').ok_or_else(error)?;
            profile.loss = Loss::Bursts {
                mean_received: received.parse().map_err(|_| error())?,
                mean_lost: lost.parse().map_err(|_| error())?,
            };
        }
        _ => return Err(error()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_parsed() {
        let both = vec![Direction::Up, Direction::Down];
        let clean = LinkProfile::clean(Duration::ZERO);
        let slow = LinkProfile {
            delay: Duration::from_millis(25),
            jitter: Duration::from_micros(2_500),
            loss: Loss::Random(0.02),
            rate: Some(Bitrate::from_kbps(600)),
            ..clean
        };
        let bursts = Loss::Bursts {
            mean_received: 200.0,
            mean_lost: 4.0,
        };
        let lossy = LinkProfile {
            loss: bursts,
            ..clean
        };
        let table = [
            ("both", Command::Impair(both.clone(), clean)),
            (
                " down delay=25 jitter=2.5 loss=0.02  rate=600000 ",
                Command::Impair(vec![Direction::Down], slow),
            ),
            (
                "up bursts=200:4",
                Command::Impair(vec![Direction::Up], lossy),
            ),
            ("cut", Command::Cut(Cut::All, both)),
            (
                "cut media up",
                Command::Cut(Cut::Media, vec![Direction::Up]),
            ),
            ("restore", Command::Restore),
            ("rebind", Command::Rebind),
            (
                "listen 127.0.0.1:40001",
                Command::Listen(([127, 0, 0, 1], 40_001).into()),
            ),
            ("stats", Command::Stats),
        ];
        for (line, expected) in table {
            assert_eq!(parse(line), Ok(expected), "{line}");
        }
    }

    #[test]
    fn anything_else_is_named_in_the_error() {
        for (line, named) in [
            ("", "``"),
            ("sideways", "sideways"),
            ("up loss=2", "loss=2"),
            ("up delay=-1", "delay=-1"),
            ("up speed=1", "speed=1"),
            ("up delay", "delay"),
            ("up bursts=5", "bursts=5"),
            ("cut some", "some"),
            ("cut all sideways", "sideways"),
            ("listen localhost", "localhost"),
            ("stats now", "now"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.contains(named), "{line}: {error}");
        }
    }
}
