//! The directory in which the program keeps what must survive a restart: the account and certificates of
//! ACME, and the generated secret of tokens. Only its owner may read its files. Each is replaced at once,
//! so that a crash leaves the old or the new one.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Permission bits of directories.
const DIRECTORY_MODE: u32 = 0o700;

/// Permission bits of files.
const FILE_MODE: u32 = 0o600;

/// Bits with which group or others could exchange files.
const FOREIGN_WRITE: u32 = 0o022;

/// Longest file that is read, in bytes.
const FILE_LEN_MAX: u64 = 1 << 20;

/// Reason why the directory cannot be used.
#[derive(Debug, Error)]
pub enum StateError {
    /// A directory or file cannot be read or written.
    #[error(
        "`state_dir`: {} cannot be used: {error}. Make it writable for this user, or set --state-dir",
        path.display()
    )]
    Unusable {
        /// The directory or file.
        path: PathBuf,
        /// Error of the system.
        error: io::Error,
    },
    /// Others could exchange files.
    #[error(
        "`state_dir`: others may write to {}, so they could exchange its secrets; fix it with \
         `chmod go-w {}`",
        .0.display(),
        .0.display()
    )]
    Exposed(PathBuf),
}

/// The state directory, or a folder in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDirectory(PathBuf);

impl StateDirectory {
    /// Names a directory, which need not exist.
    pub const fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Returns a folder in it.
    pub fn folder(&self, name: &str) -> Self {
        Self(self.0.join(name))
    }

    /// Returns the path of a file in it.
    pub fn path(&self, file: &str) -> PathBuf {
        self.0.join(file)
    }

    /// Creates the directory, if it does not exist, and checks that others cannot write to it.
    ///
    /// # Errors
    /// It cannot be created, or others may write to it.
    pub fn create(&self) -> Result<(), StateError> {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(DIRECTORY_MODE);
        builder
            .create(&self.0)
            .map_err(|error| unusable(&self.0, error))?;
        let metadata = self
            .0
            .metadata()
            .map_err(|error| unusable(&self.0, error))?;
        match metadata.permissions().mode() & FOREIGN_WRITE {
            0 => Ok(()),
            _ => Err(StateError::Exposed(self.0.clone())),
        }
    }

    /// Reads a file; returns `None` when it does not exist.
    ///
    /// # Errors
    /// It cannot be read, is no text, or is longer than a mebibyte.
    pub fn read(&self, file: &str) -> Result<Option<String>, StateError> {
        let path = self.path(file);
        let opened = match File::open(&path) {
            Ok(opened) => opened,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unusable(&path, error)),
        };
        let mut text = String::new();
        let len = opened.take(FILE_LEN_MAX + 1).read_to_string(&mut text);
        match len.map_err(|error| unusable(&path, error))? as u64 {
            len if len > FILE_LEN_MAX => Err(unusable(&path, io::ErrorKind::FileTooLarge.into())),
            _ => Ok(Some(text)),
        }
    }

    /// Creates the directory and replaces a file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, file: &str, text: &str) -> Result<(), StateError> {
        self.create()?;
        let path = self.path(file);
        let temporary = self.path(&format!("{file}.new"));
        let replace = || {
            // One that a crash left behind may have other permissions.
            match std::fs::remove_file(&temporary) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).mode(FILE_MODE);
            let mut opened = options.open(&temporary)?;
            opened.write_all(text.as_bytes())?;
            opened.sync_all()?;
            std::fs::rename(&temporary, &path)
        };
        replace().map_err(|error| unusable(&path, error))
    }
}

fn unusable(path: &Path, error: io::Error) -> StateError {
    StateError::Unusable {
        path: path.to_owned(),
        error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(name: &str) -> StateDirectory {
        let name = format!("watersmeet-state-{name}-{}", std::process::id());
        StateDirectory::new(std::env::temp_dir().join(name))
    }

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn only_the_owner_can_read_what_is_written() {
        let state = directory("modes");
        let folder = state.folder("acme");
        assert_eq!(folder.read("account.json").unwrap(), None);
        for text in ["first", "second"] {
            folder.write("account.json", text).unwrap();
            assert_eq!(folder.read("account.json").unwrap().as_deref(), Some(text));
        }
        assert_eq!(mode(&state.0), 0o700);
        assert_eq!(mode(&folder.0), 0o700);
        assert_eq!(mode(&folder.path("account.json")), 0o600);
        assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 1);
        std::fs::remove_dir_all(&state.0).unwrap();
    }

    #[test]
    fn directory_that_others_may_write_to_is_refused() {
        let state = directory("exposed");
        state.create().unwrap();
        let open = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(&state.0, open).unwrap();
        let error = state.write("jwt-secret", "x").unwrap_err().to_string();
        assert!(error.contains("chmod go-w"), "{error}");
        std::fs::remove_dir_all(&state.0).unwrap();
    }

    #[test]
    fn file_that_is_too_long_is_refused() {
        let state = directory("long");
        let text = "x".repeat(usize::try_from(FILE_LEN_MAX).unwrap() + 1);
        state.write("long", &text).unwrap();
        assert!(state.read("long").is_err());
        std::fs::remove_dir_all(&state.0).unwrap();
    }
}
