//! Compares H.264 `profile-level-id` values and computes the one of an answer (RFC 6184 §8.1).
//!
//! Several values name the same profile, so that comparing texts would refuse codecs that decode
//! the same bitstream, such as Firefox's `42e01f` and Chrome's `42001f` with constraints.

use watersmeet_wire::params::{FormatParameters, ParameterValue};

/// A profile (ITU-T H.264 Annex A.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Profile {
    ConstrainedBaseline,
    Baseline,
    Main,
    ConstrainedHigh,
    High,
    PredictiveHigh444,
}

/// Encodings of the profiles: `profile_idc`, mask of `profile_iop`, and value under the mask.
const PROFILE_PATTERNS: [(u8, u8, u8, Profile); 9] = [
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

/// Level 1b. On the wire it has the number of level 1.1 and a constraint bit; here it sorts first.
const LEVEL_1B: u8 = 0;

/// Level 1.
const LEVEL_1: u8 = 10;

/// Level 1.1.
const LEVEL_1_1: u8 = 11;

/// Valid level numbers: ten times the level (Table A-1).
const LEVELS: [u8; 16] = [
    10, 11, 12, 13, 20, 21, 22, 30, 31, 32, 40, 41, 42, 50, 51, 52,
];

/// The bit of `profile_iop` that makes level 1.1 level 1b.
const CONSTRAINT_SET_3: u8 = 0x10;

/// A profile and the highest level that is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ProfileLevel {
    profile: Profile,
    /// Level number, or [`LEVEL_1B`].
    level: u8,
}

/// Profile and level of a codec without `profile-level-id`. Follows libwebrtc, not the RFC.
const DEFAULT_PROFILE_LEVEL: ProfileLevel = ProfileLevel {
    profile: Profile::ConstrainedBaseline,
    level: 31,
};

/// Returns whether a codec has no `profile-level-id`, or one of a known profile and level.
pub fn is_known_profile(parameters: &FormatParameters) -> bool {
    profile_level(parameters).is_some()
}

/// Returns the `profile-level-id` with which `own` answers `offered`.
///
/// The outer `None` means that the profiles differ. The inner `None` means that neither side has a
/// `profile-level-id`, so that the answer has none.
pub(super) fn answer_profile(
    own: &FormatParameters,
    offered: &FormatParameters,
) -> Option<Option<String>> {
    let own_profile = profile_level(own)?;
    let offered_profile = profile_level(offered)?;
    if own_profile.profile != offered_profile.profile {
        return None;
    }
    if !has_profile(own) && !has_profile(offered) {
        return Some(None);
    }
    let level = if asymmetry_allowed(own) && asymmetry_allowed(offered) {
        own_profile.level
    } else {
        lower_level(own_profile.level, offered_profile.level)
    };
    Some(write(ProfileLevel {
        profile: own_profile.profile,
        level,
    }))
}

/// Returns whether `profile-level-id` is present.
fn has_profile(parameters: &FormatParameters) -> bool {
    parameters
        .get("profile-level-id")
        .is_some_and(ParameterValue::is_truthy)
}

/// Returns the profile and level of a codec, or `None` when its `profile-level-id` is invalid.
fn profile_level(parameters: &FormatParameters) -> Option<ProfileLevel> {
    match parameters.get("profile-level-id") {
        Some(value) if value.is_truthy() => parse(value.as_text()?),
        _ => Some(DEFAULT_PROFILE_LEVEL),
    }
}

/// Parses six hex digits.
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
    let (.., profile) = PROFILE_PATTERNS
        .iter()
        .find(|(its_idc, mask, value, _)| *its_idc == idc && iop & mask == *value)?;
    Some(ProfileLevel {
        profile: *profile,
        level,
    })
}

/// Writes the canonical six hex digits, or returns `None` for level 1b of a profile without it.
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

/// Returns whether the levels of both directions may differ (`level-asymmetry-allowed`).
fn asymmetry_allowed(parameters: &FormatParameters) -> bool {
    match parameters.get("level-asymmetry-allowed") {
        Some(ParameterValue::Number(number)) => *number == 1.0,
        Some(ParameterValue::Text(text)) => text == "1",
        None => false,
    }
}

/// Returns the lower of two levels. Against level 1b the own level is kept unless it is 1, because
/// mediasoup's clients compute it so, and both sides must get the same result.
fn lower_level(own: u8, offered: u8) -> u8 {
    let own_is_less = if own == LEVEL_1B {
        offered != LEVEL_1 && offered != LEVEL_1B
    } else if offered == LEVEL_1B {
        own != LEVEL_1
    } else {
        own < offered
    };
    if own_is_less { own } else { offered }
}
