//! Environment variables of the process and of `.env`.

use std::collections::{BTreeMap, BTreeSet};

use super::dot_env;
use super::error::ConfigError;
use super::service_variables::is_service_variable;
use super::variable_names::PREFIX;

/// Environment variables.
#[derive(Debug, Default)]
pub struct Environment {
    /// Values by name.
    variables: BTreeMap<String, String>,
    /// Names of those that `.env` sets.
    from_file: BTreeSet<String>,
    /// Names of ignored variables with our prefix, which Kubernetes or Docker set for a service.
    ignored: Vec<String>,
}

impl Environment {
    /// Returns the variables of the process, which override those of `.env` in the working
    /// directory.
    ///
    /// # Errors
    /// `.env` cannot be read or parsed.
    pub fn from_process() -> Result<Self, ConfigError> {
        let mut environment = Self::default();
        match std::fs::read_to_string(".env") {
            Ok(text) => environment.add_file(&text)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                let path = ".env".into();
                return Err(ConfigError::File { path, error });
            }
        }
        let process = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        let process: Vec<_> = process.collect();
        environment
            .from_file
            .retain(|name| !process.iter().any(|(other, _)| other == name));
        environment.add(process);
        Ok(environment)
    }

    /// Returns an environment with these variables only.
    #[cfg(test)]
    pub fn from_pairs(variables: &[(&str, &str)]) -> Self {
        let mut environment = Self::default();
        environment.add(
            variables
                .iter()
                .map(|&(name, value)| (name.to_owned(), value.to_owned())),
        );
        environment
    }

    /// Returns the variables of a `.env` text.
    #[cfg(test)]
    pub fn from_text(text: &str) -> Result<Self, ConfigError> {
        let mut environment = Self::default();
        environment.add_file(text)?;
        Ok(environment)
    }

    /// Adds the variables of a `.env` text.
    fn add_file(&mut self, text: &str) -> Result<(), ConfigError> {
        let variables = dot_env::parse(text)?;
        let names = variables.iter().map(|(name, _)| name.clone());
        self.from_file = names.collect();
        self.add(variables);
        Ok(())
    }

    /// Adds variables, which override those of the same name. Those of services are ignored.
    fn add(&mut self, variables: impl IntoIterator<Item = (String, String)>) {
        for (name, value) in variables {
            if !is_service_variable(&name, &value) {
                self.variables.insert(name, value);
            } else if name.starts_with(PREFIX) {
                self.ignored.push(name);
            }
        }
    }

    /// Returns the value of a variable, unless it is empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.variables.get(name)?.trim();
        (!value.is_empty()).then_some(value)
    }

    /// Returns the name of a variable, and where it is set if that is a file.
    pub fn describe(&self, name: &str) -> String {
        match self.from_file.contains(name) {
            true => format!("{name} in .env"),
            false => name.to_owned(),
        }
    }

    /// Returns the names of all variables.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.keys().map(String::as_str)
    }

    /// Returns a line about variables with our prefix that Kubernetes or Docker set, if any.
    pub fn ignored_note(&self) -> Option<String> {
        (!self.ignored.is_empty()).then(|| {
            format!(
                "ignored variables that Kubernetes or Docker set for a service: {}. \
                 `enableServiceLinks: false` removes them",
                self.ignored.join(", ")
            )
        })
    }
}
