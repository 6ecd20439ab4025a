//! Names of environment variables for keys.

/// Name of the environment as a source of values.
pub const SOURCE_NAME: &str = "the environment";

/// Prefix of the variables that are named after keys.
pub const PREFIX: &str = "WATERSMEET_";

/// Returns the variable of a key, such as `WATERSMEET_CAPS_ROOMS_MAX` for `["caps", "rooms_max"]`.
pub fn variable_name(path: &[String]) -> String {
    format!("{PREFIX}{}", path.join("_").to_ascii_uppercase())
}
