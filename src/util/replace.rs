//! A file that takes another one's place in one step: readers see the old one or the new one, never a part.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A new file beside its target. It is removed again unless it takes the target's place.
#[derive(Debug)]
pub struct Replacement {
    target: PathBuf,
    /// What is replaced, if there is something.
    replaced: Option<Metadata>,
    /// `None` once it has become the target.
    part: Option<PathBuf>,
    file: File,
}

impl Replacement {
    /// Creates it, for reading and writing, in the folder of `target`. A link stays one: what it points to is replaced.
    /// Where there is something to replace, only the user can read the new file until it has the same permissions.
    ///
    /// # Errors
    /// Those of the file system; `InvalidInput` if the target is no file (a folder, a pipe or a device).
    pub fn new(target: &Path) -> io::Result<Self> {
        let replaced = match fs::metadata(target) {
            Ok(found) if !found.is_file() => return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file")),
            Ok(found) => Some(found),
            Err(_) => None,
        };
        let target = if replaced.is_some() { fs::canonicalize(target)? } else { target.to_owned() };
        let name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        if replaced.is_some() {
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        }
        for attempt in 0..MAX_ATTEMPTS {
            let mut part = std::ffi::OsString::from(".");
            part.push(&name);
            part.push(format!(".{}-{attempt}.part", std::process::id()));
            let part = target.with_file_name(part);
            match options.open(&part) {
                Ok(file) => return Ok(Self { target, replaced, part: Some(part), file }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// The new file, to be written.
    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Gives it the permissions and, where the system allows that, the owner of what it replaces, and its place. With
    /// `sync`, everything is on the disk before.
    ///
    /// # Errors
    /// Those of the file system; then the target is as it was.
    pub fn commit(mut self, sync: bool) -> io::Result<()> {
        if let Some(replaced) = &self.replaced {
            keep_access(&self.file, replaced)?;
        }
        if sync {
            self.file.sync_all()?;
        }
        if let Some(part) = &self.part {
            fs::rename(part, &self.target)?;
        }
        self.part = None;
        Ok(())
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if let Some(part) = &self.part {
            let _ = fs::remove_file(part);
        }
    }
}

/// Puts `bytes` in the place of the file `target`, or creates it.
///
/// # Errors
/// Those of the file system; then the target is as it was.
pub fn replace(target: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut new = Replacement::new(target)?;
    new.file().write_all(bytes)?;
    new.commit(false)
}

#[cfg(unix)]
fn keep_access(file: &File, replaced: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
    let own = file.metadata()?;
    let mut mode = replaced.mode() & 0o777;
    if (own.uid(), own.gid()) != (replaced.uid(), replaced.gid()) {
        // Only root may give a file away, and others only to a group of theirs; what the old group could do is for that
        // group alone.
        let given = fchown(file, Some(replaced.uid()), Some(replaced.gid())).is_ok()
            || fchown(file, None, Some(replaced.gid())).is_ok();
        if !given {
            mode &= 0o707;
        }
    }
    file.set_permissions(fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn keep_access(file: &File, replaced: &Metadata) -> io::Result<()> {
    file.set_permissions(replaced.permissions())
}

/// Names that are tried: others are left over from runs that were killed.
const MAX_ATTEMPTS: u32 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_new_file_takes_the_place_or_goes() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a");
        replace(&target, b"one").unwrap();
        let mut abandoned = Replacement::new(&target).unwrap();
        abandoned.file().write_all(b"half").unwrap();
        // Names of other runs are passed over.
        let other = Replacement::new(&target).unwrap();
        assert_eq!(names(folder.path()).len(), 3);
        drop((abandoned, other));
        assert_eq!(fs::read(&target).unwrap(), b"one");
        replace(&target, b"two").unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"two");
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn only_files_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(replace(folder.path(), b"x").unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(replace(&folder.path().join("no/a"), b"x").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(names(folder.path()).is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn permissions_are_kept_and_set_before_the_content() {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a");
        for kept in [0o640, 0o600, 0o444] {
            let _ = fs::remove_file(&target);
            fs::write(&target, b"old").unwrap();
            fs::set_permissions(&target, fs::Permissions::from_mode(kept)).unwrap();
            let new = Replacement::new(&target).unwrap();
            assert_eq!(mode(new.part.as_deref().unwrap()), 0o600);
            new.commit(true).unwrap();
            assert_eq!((mode(&target), fs::read(&target).unwrap()), (kept, Vec::new()));
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_one() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("a"), folder.path().join("link"));
        fs::write(&target, b"old").unwrap();
        std::os::unix::fs::symlink("a", &link).unwrap();
        replace(&link, b"new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&target).unwrap(), b"new");
    }
}
