//! Which file a stream's name means. Names come from clients: nothing outside the given files and directories is opened.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use crate::flv::tag::{DATA_OFFSET_BYTES, FileHeader};

use super::types::ServeError;

/// The files that are served: single ones by name, and everything below directories.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    files: Vec<PathBuf>,
    directories: Vec<PathBuf>,
}

impl Catalogue {
    /// Serves `paths`: FLV files, and directories of them.
    ///
    /// # Errors
    /// A path that cannot be read, or a file that is not FLV.
    pub fn new(paths: &[PathBuf]) -> Result<Self, ServeError> {
        let mut catalogue = Self::default();
        for path in paths {
            let unreadable = |source| ServeError::Path { path: path.clone(), source };
            // Resolved once, so that a later change of the working directory or of links on the way changes nothing.
            let resolved = path.canonicalize().map_err(unreadable)?;
            if resolved.is_dir() {
                catalogue.directories.push(resolved);
            } else if is_flv(&resolved).map_err(unreadable)? {
                catalogue.files.push(resolved);
            } else {
                return Err(ServeError::NotFlv { path: path.clone() });
            }
        }
        Ok(catalogue)
    }

    /// Whether nothing is served.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.directories.is_empty()
    }

    /// Names to put into a URL: of the single files.
    pub fn names(&self) -> impl Iterator<Item = String> {
        self.files.iter().filter_map(|file| file.file_stem()).map(|stem| stem.to_string_lossy().into_owned())
    }

    /// The file for a stream `name` in an application `app`: `mp4:`, `flv:` and a query are taken off, `.flv` may be left out;
    /// what follows the first part of the application may be a directory (clients cut URLs at different slashes).
    pub fn find(&self, app: &str, name: &str) -> Option<PathBuf> {
        let name = name.split_once('?').map_or(name, |(name, _)| name);
        let name = ["mp4:", "flv:", "mp3:"].iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name);
        let name = name.strip_suffix(".flv").unwrap_or(name).trim_start_matches('/');
        if name.is_empty() || name.contains('\0') {
            return None;
        }
        let single = self.files.iter().find(|file| {
            let file_name = file.file_name().map(|n| n.to_string_lossy());
            let stem = file.file_stem().map(|n| n.to_string_lossy());
            stem.is_some_and(|stem| stem == name) || file_name.is_some_and(|file_name| file_name == name)
        });
        if let Some(file) = single {
            return Some(file.clone());
        }
        let in_app = app.split_once('/').map(|(_, rest)| format!("{rest}/{name}"));
        let names = [Some(name.to_owned()), in_app];
        names.iter().flatten().find_map(|name| self.directories.iter().find_map(|root| within(root, name)))
    }
}

/// Whether a file begins as FLV does.
fn is_flv(path: &Path) -> io::Result<bool> {
    let mut start = Vec::new();
    File::open(path)?.take(DATA_OFFSET_BYTES as u64).read_to_end(&mut start)?;
    Ok(start.first_chunk().and_then(FileHeader::decode).is_some())
}

/// `name`.flv below `root`, if it exists and really is below.
fn within(root: &Path, name: &str) -> Option<PathBuf> {
    let relative = PathBuf::from(format!("{name}.flv"));
    let is_plain =
        |part: Component<'_>| matches!(part, Component::Normal(part) if !part.as_encoded_bytes().starts_with(b"."));
    if !relative.components().all(is_plain) {
        return None;
    }
    // A link that leads out of the directory is no better than `..`.
    let path = root.join(relative).canonicalize().ok()?;
    (path.starts_with(root) && path.is_file()).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_files_and_never_out() {
        let root = tempfile::tempdir().unwrap();
        let shown = root.path().join("shown");
        std::fs::create_dir_all(shown.join("dir")).unwrap();
        for file in ["shown/a b.flv", "shown/dir/movie.flv", "secret.flv", "shown/.hidden.flv", "shown/x.txt"] {
            std::fs::write(root.path().join(file), crate::flv::tag::file_header(5)).unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink(root.path().join("secret.flv"), shown.join("link.flv")).unwrap();
        let catalogue = Catalogue::new(&[shown.clone(), root.path().join("shown/x.txt")]).unwrap();
        let shown = shown.canonicalize().unwrap();
        let movie = Some(shown.join("dir/movie.flv"));
        for name in ["dir/movie", "dir/movie.flv", "mp4:dir/movie", "flv:dir/movie.flv?token=1/../2", "/dir/movie"] {
            assert_eq!(catalogue.find("vod", name), movie, "{name}");
        }
        assert_eq!(catalogue.find("vod/dir", "movie"), movie);
        assert_eq!(catalogue.find("vod", "a b"), Some(shown.join("a b.flv")));
        assert_eq!(catalogue.find("vod", "x"), Some(shown.join("x.txt")));
        let outside = [
            "../secret",
            "dir/../../secret",
            "..",
            "",
            "link",
            ".hidden",
            "dir",
            "movie",
            "/etc/passwd",
            "a\0b",
            "mp4:../secret.flv",
            "./a b",
        ];
        for name in outside {
            assert_eq!(catalogue.find("vod", name), None, "{name}");
        }
        assert_eq!(catalogue.find("vod/..", "secret"), None);
    }

    #[test]
    fn only_flv_files_and_directories_are_accepted() {
        let root = tempfile::tempdir().unwrap();
        let message = |name: &str| {
            let error = Catalogue::new(&[root.path().join(name)]).unwrap_err().to_string();
            error.replace(&root.path().display().to_string(), "")
        };
        assert!(message("absent.flv").starts_with("cannot read /absent.flv: "), "{}", message("absent.flv"));
        let others: [(&str, &[u8]); 3] =
            [("a.mp4", b"\0\0\0\x20ftypisom\0\0\x02\0"), ("empty.flv", b""), ("short.flv", b"FLV\x01\x05")];
        for (name, bytes) in others {
            std::fs::write(root.path().join(name), bytes).unwrap();
            assert!(message(name).starts_with(&format!("/{name} is not an FLV file (")), "{}", message(name));
        }
    }
}
