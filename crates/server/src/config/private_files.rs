//! Files that the configuration names and that hold secrets: they must never be served, whatever folder
//! they are in.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::settings::Config;

/// Ends of the names of the history's files: the database, and SQLite's log and index of it, which have the same data.
const HISTORY_ENDS: [&str; 3] = ["", "-wal", "-shm"];

/// Files with secrets: the configuration file, keys of certificates, the files with the secrets of
/// tokens and webhooks, the state directory, and the history of calls.
#[derive(Debug, Clone, Default)]
pub struct PrivateFiles(Vec<PathBuf>);

impl PrivateFiles {
    /// Returns the private files of a configuration.
    pub fn of(config: &Config) -> Self {
        let listeners = config.listeners.iter();
        let keys = listeners.filter_map(|listener| listener.tls_key.as_ref());
        let single = [&config.file, &config.jwt_secret_file, &config.tls_key];
        let single = single.into_iter().filter_map(Option::as_ref);
        let state = (!config.domains.is_empty()).then_some(&config.state_dir);
        let webhooks = config.webhooks.iter();
        let webhooks = webhooks.filter_map(|webhook| webhook.secret_file.as_ref());
        let mut files: Vec<_> = keys.chain(single).chain(state).cloned().collect();
        files.extend(webhooks.cloned());
        if config.history {
            let path = config.history_path();
            files.extend(HISTORY_ENDS.map(|end| with_end(&path, end)));
        }
        Self(files)
    }

    /// Returns a private file that is in `folder`, which is in its canonical form.
    pub fn within(&self, folder: &Path) -> Option<&Path> {
        let is_within =
            |path: &&PathBuf| path.canonicalize().is_ok_and(|it| it.starts_with(folder));
        self.0.iter().find(is_within).map(PathBuf::as_path)
    }

    /// Returns whether a path leads to a private file, also by a link. Files are compared as they are now:
    /// programs that renew certificates exchange them.
    pub fn contains(&self, path: &Path) -> bool {
        let identity = |file: &Metadata| (file.dev(), file.ino());
        let Ok(asked) = path.metadata() else {
            return false;
        };
        let mut private = self.0.iter().filter_map(|path| path.metadata().ok());
        private.any(|it| identity(&it) == identity(&asked))
    }
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_files_of_the_history_are_private() {
        let name = format!("watersmeet-private-history-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let files = PrivateFiles::of(&Config {
            history: true,
            history_file: Some(folder.join("calls.sqlite")),
            ..Config::default()
        });
        for name in ["calls.sqlite", "calls.sqlite-wal", "calls.sqlite-shm"] {
            std::fs::write(folder.join(name), "").unwrap();
            assert!(files.contains(&folder.join(name)), "{name}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn private_files_are_recognised_by_every_path_to_them() {
        let folder = std::env::temp_dir().join(format!("watersmeet-files-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("site/a")).unwrap();
        let folder = folder.canonicalize().unwrap();
        let (file, site) = (folder.join("prod.toml"), folder.join("site"));
        std::fs::write(&file, "").unwrap();
        std::fs::write(site.join("page.toml"), "").unwrap();
        std::os::unix::fs::symlink(&file, site.join("symlink")).unwrap();
        std::fs::hard_link(&file, site.join("hard link")).unwrap();
        let files = PrivateFiles::of(&Config {
            file: Some(folder.join("site/../prod.toml")),
            ..Config::default()
        });
        for path in ["symlink", "hard link", "../prod.toml", "a/../symlink"] {
            assert!(files.contains(&site.join(path)), "{path}");
        }
        for path in ["page.toml", "a", "", "none"] {
            assert!(!files.contains(&site.join(path)), "{path}");
        }
        assert!(files.within(&folder).is_some() && files.within(&site).is_none());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
