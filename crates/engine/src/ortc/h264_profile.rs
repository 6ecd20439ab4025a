//! `profile-level-id` of H.264 (RFC 6184 §8.1): which profiles are the same, and which level an
//! answer may claim. The byte pairs of a profile overlap, so that comparing the texts would keep
//! a Firefox `42e01f` from a Chrome `42001f`-with-constraints although they decode the same.
//!
//! Never touches a bitstream.

use watersmeet_wire::params::{FormatParameters, ParameterValue};

/// A profile as decoders see it (ITU-T H.264 Annex A.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Profile {
    ConstrainedBaseline,
    Baseline,
    Main,
    ConstrainedHigh,
    High,
    PredictiveHigh444,
}

/// How a profile is written: `profile_idc`, the bits of `profile_iop` that matter, their value.
const PATTERNS: [(u8, u8, u8, Profile); 9] = [
    (0x42, 0b0100_1111, 0b0100_0000, Profile::ConstrainedBaseline),
    (0x4d, 0b1000_1111, 0b1000_0000, Profile::ConstrainedBaseline),
    (0x58, 0b1100_1111, 0b1100_0000, Profile::ConstrainedBaseline),
    (0x42, 0b0100_1111, 0b0000_0000, Profile::Baseline),
    (0x58, 0b1100_1111, 0b1000_0000, Profile::Baseline),
    (0x4d, 0b1010_1111, 0b0000_0000, Profile::Main),
    (0x64, 0b1111_1111, 0b0000_0000, Profile::High),
    (0x64, 0b1111_1111, 0b0000_1100, Profile::ConstrainedHigh),
    (0xf4, 0b1111_1111, 0b0000_0000, Profile::PredictiveHigh444),
];

/// Level 1b, which shares 1.1's number and is told apart by a constraint bit. Below all others.
const LEVEL_1B: u8 = 0;

/// Level 1.
const LEVEL_1: u8 = 10;

/// Level 1.1.
const LEVEL_1_1: u8 = 11;

/// Levels by their number, ten times the level (Table A-1).
const LEVELS: [u8; 16] = [
    10, 11, 12, 13, 20, 21, 22, 30, 31, 32, 40, 41, 42, 50, 51, 52,
];

/// The bit of `profile_iop` that makes level 1.1 level 1b.
const CONSTRAINT_SET_3: u8 = 0x10;

/// A profile and the most that is decoded of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ProfileLevel {
    /// The profile.
    profile: Profile,
    /// The level's number, or [`LEVEL_1B`].
    level: u8,
}

/// What a codec without `profile-level-id` is taken for: libwebrtc's choice, not the RFC's.
const DEFAULT: ProfileLevel = ProfileLevel {
    profile: Profile::ConstrainedBaseline,
    level: 31,
};

/// The `profile-level-id` that answers `offered` from `own`, where both have the same profile.
/// The outer `None` means that they have not; the inner one that neither names a profile, and the
/// answer names none either.
pub(super) fn answer(own: &FormatParameters, offered: &FormatParameters) -> Option<Option<String>> {
    let own_profile = profile_level(own)?;
    let offered_profile = profile_level(offered)?;
    if own_profile.profile != offered_profile.profile {
        return None;
    }
    if !names_profile(own) && !names_profile(offered) {
        return Some(None);
    }
    let level = if asymmetry_allowed(own) && asymmetry_allowed(offered) {
        own_profile.level
    } else {
        lower(own_profile.level, offered_profile.level)
    };
    Some(write(ProfileLevel {
        profile: own_profile.profile,
        level,
    }))
}

/// Whether a profile is given at all.
fn names_profile(parameters: &FormatParameters) -> bool {
    parameters
        .get("profile-level-id")
        .is_some_and(ParameterValue::is_truthy)
}

/// The profile of a codec: the default without one, and nothing for one that cannot be read.
fn profile_level(parameters: &FormatParameters) -> Option<ProfileLevel> {
    match parameters.get("profile-level-id") {
        Some(value) if value.is_truthy() => parse(value.as_text()?),
        _ => Some(DEFAULT),
    }
}

/// Reads six hex digits.
fn parse(text: &str) -> Option<ProfileLevel> {
    if text.len() != 6 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let [_, idc, iop, level] = u32::from_str_radix(text, 16).ok()?.to_be_bytes();
    if !LEVELS.contains(&level) {
        return None;
    }
    let is_1b = level == LEVEL_1_1 && iop & CONSTRAINT_SET_3 != 0;
    let level = if is_1b { LEVEL_1B } else { level };
    let (.., profile) = PATTERNS
        .iter()
        .find(|(its_idc, mask, value, _)| *its_idc == idc && iop & mask == *value)?;
    Some(ProfileLevel {
        profile: *profile,
        level,
    })
}

/// Writes the canonical six hex digits; none for level 1b of a profile that has no such level.
fn write(ProfileLevel { profile, level }: ProfileLevel) -> Option<String> {
    if level == LEVEL_1B {
        let text = match profile {
            Profile::ConstrainedBaseline => "42f00b",
            Profile::Baseline => "42100b",
            Profile::Main => "4d100b",
            _ => return None,
        };
        return Some(text.to_owned());
    }
    let prefix = match profile {
        Profile::ConstrainedBaseline => "42e0",
        Profile::Baseline => "4200",
        Profile::Main => "4d00",
        Profile::ConstrainedHigh => "640c",
        Profile::High => "6400",
        Profile::PredictiveHigh444 => "f400",
    };
    Some(format!("{prefix}{level:02x}"))
}

/// Whether the sender may exceed the receiver's level (RFC 6184 §8.1, level-asymmetry-allowed).
fn asymmetry_allowed(parameters: &FormatParameters) -> bool {
    match parameters.get("level-asymmetry-allowed") {
        Some(ParameterValue::Number(number)) => *number == 1.0,
        Some(ParameterValue::Text(text)) => text == "1",
        None => false,
    }
}

/// The level to answer with when both sides must share one. Against level 1b the own level is
/// kept unless it is 1: that is how mediasoup's clients reckon, and both sides must agree.
fn lower(own: u8, offered: u8) -> u8 {
    let own_is_less = if own == LEVEL_1B {
        offered != LEVEL_1 && offered != LEVEL_1B
    } else if offered == LEVEL_1B {
        own != LEVEL_1
    } else {
        own < offered
    };
    if own_is_less { own } else { offered }
}
