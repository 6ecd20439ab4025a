//! Environment variables of the process and of `.env`.

use std::collections::BTreeMap;

use super::error::ConfigError;

/// Environment variables.
#[derive(Debug, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Returns the variables of the process, which override those of `.env` in the working
    /// directory.
    ///
    /// # Errors
    /// `.env` cannot be read or parsed.
    pub fn from_process() -> Result<Self, ConfigError> {
        let mut variables = BTreeMap::new();
        match std::fs::read_to_string(".env") {
            Ok(text) => variables.extend(parse(&text)?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                let path = ".env".into();
                return Err(ConfigError::File { path, error });
            }
        }
        let process = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        variables.extend(process);
        Ok(Self(variables))
    }

    /// Returns an environment with these variables only.
    #[cfg(test)]
    pub fn from_pairs(variables: &[(&str, &str)]) -> Self {
        Self(
            variables
                .iter()
                .map(|&(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        )
    }

    /// Returns the variables of a `.env` text.
    #[cfg(test)]
    pub fn from_text(text: &str) -> Result<Self, ConfigError> {
        Ok(Self(parse(text)?.into_iter().collect()))
    }

    /// Returns the value of a variable, unless it is empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.get(name)?.trim();
        (!value.is_empty()).then_some(value)
    }

    /// Returns the names of all variables.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// Parses the variables of a `.env` file.
fn parse(text: &str) -> Result<Vec<(String, String)>, ConfigError> {
    let line_error = |parsed: usize| {
        // The library reports no line: it is the last line of the shortest prefix that fails.
        let lines: Vec<&str> = text.lines().collect();
        let is_valid = |count: usize| {
            let part = lines.get(..count).unwrap_or_default().join("\n");
            dotenvy::from_read_iter(part.as_bytes()).all(|line| line.is_ok())
        };
        let line = (1..=lines.len()).find(|&count| !is_valid(count));
        ConfigError::DotEnv {
            line: line.unwrap_or(parsed),
        }
    };
    let mut variables = Vec::new();
    for line in dotenvy::from_read_iter(text.as_bytes()) {
        variables.push(line.map_err(|_| line_error(variables.len()))?);
    }
    Ok(variables)
}
