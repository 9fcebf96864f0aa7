//! Names of the files that a recording writes.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use jiff::Zoned;
use jiff::fmt::strtime;

use crate::cli::args::RecordArgs;

/// Refuses two outputs in one file: each would overwrite the other. `file`: where the media goes, unless to standard output.
///
/// # Errors
/// Which two.
pub fn check_distinct(args: &RecordArgs, file: Option<&Path>) -> Result<()> {
    let mut taken: Vec<(&str, Place)> = Vec::new();
    let media = file.unwrap_or(Path::new("-"));
    let outputs =
        [("-o", Some(media)), ("--events", args.output.events.as_deref()), ("--trace", args.trace.trace.as_deref())];
    for (option, path) in outputs.into_iter().filter_map(|(option, path)| Some((option, path?))) {
        let place = Place::of(path, option != "--trace", option == "--events");
        if let Some((other, _)) = taken.iter().find(|(_, other)| place.is_same(other)) {
            bail!("{other} and {option} write to the same file: {}", path.display());
        }
        taken.push((option, place));
    }
    Ok(())
}

/// Where an output goes.
enum Place {
    /// An open descriptor: 1 is standard output.
    Descriptor(PathBuf, bool),
    /// A path.
    Path(PathBuf),
}

impl Place {
    /// `dash`: - is standard output. `number`: a number is a descriptor.
    fn of(path: &Path, dash: bool, number: bool) -> Self {
        let text = path.to_string_lossy();
        match text.as_ref() {
            "-" if dash => Self::Descriptor("/dev/fd/1".into(), true),
            digits if number && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Self::Descriptor(Path::new("/dev/fd").join(digits), digits.trim_start_matches('0') == "1")
            }
            _ => Self::Path(path.to_owned()),
        }
    }

    fn path(&self) -> &Path {
        let (Self::Descriptor(path, _) | Self::Path(path)) = self;
        path
    }

    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Descriptor(_, true), Self::Descriptor(_, true)) => true,
            _ => is_same_file(self.path(), other.path()),
        }
    }
}

/// Whether two paths lead to one regular file, which may not exist yet. Devices and pipes can take several outputs.
fn is_same_file(a: &Path, b: &Path) -> bool {
    match (std::fs::metadata(a), std::fs::metadata(b)) {
        #[cfg(unix)]
        (Ok(a), Ok(b)) => {
            use std::os::unix::fs::MetadataExt;
            (a.is_file() || std::os::unix::fs::FileTypeExt::is_fifo(&a.file_type()))
                && (a.dev(), a.ino()) == (b.dev(), b.ino())
        }
        #[cfg(not(unix))]
        (Ok(_), Ok(_)) => std::fs::canonicalize(a).ok() == std::fs::canonicalize(b).ok(),
        (Err(_), Err(_)) => in_folder(a).is_some_and(|a| Some(a) == in_folder(b)),
        _ => false,
    }
}

/// The path of a file that does not exist, in its folder's own name. A link to a file that does not exist is that file.
fn in_folder(path: &Path) -> Option<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let Ok(target) = std::fs::read_link(&path) else { break };
        path = path.parent().unwrap_or(Path::new("")).join(target);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Some(std::fs::canonicalize(folder).ok()?.join(path.file_name()?))
}

/// As many links in a row are followed, as by Linux.
const MAX_LINKS: u32 = 40;

/// The name of a single file, with strftime's characters replaced.
///
/// # Errors
/// A `%` that means nothing.
pub fn with_time(path: PathBuf, now: &Zoned) -> Result<PathBuf> {
    let Some(text) = path.to_str().filter(|text| text.contains('%')) else { return Ok(path) };
    if text.contains("%{") {
        bail!("-o {text}: %{{n}} requires --segment-time, --segment-size or --segment-on");
    }
    let name = strtime::format(text, now).with_context(|| format!("-o {text}: invalid % (write %% for a %)"))?;
    Ok(name.into())
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use clap::Parser;

    use super::*;
    use crate::cli::parse::Cli;

    fn distinct(words: &[&str]) -> Result<()> {
        let cli = Cli::try_parse_from(["rtmpcat", "rtmp://h/a/b"].iter().chain(words)).unwrap();
        check_distinct(&cli.record, cli.record.output.flv.as_deref().filter(|path| *path != Path::new("-")))
    }

    #[test]
    fn one_file_for_two_outputs_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (a, b) = (file("a"), file("b"));
        std::fs::write(&b, "").unwrap();
        std::fs::hard_link(&b, file("c")).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("a", file("link")).unwrap();
        for words in [
            &["-o", &a, "--events", &a][..],
            &["-o", &a, "--trace", &file("./a")],
            &["-o", &b, "--events", &file("c")],
            &["-o", "x", "--events", &a, "--trace", &a],
            #[cfg(unix)]
            &["-o", &a, "--events", &file("link")],
            &["--events", "1"],
            &["--events", "-"],
            &["-o", "-", "--events", "01"],
        ] {
            assert!(distinct(words).is_err(), "{words:?}");
        }
        for words in [
            &["-o", &a, "--events", &b][..],
            &["-o", &a, "--events", "-"],
            &["-o", &a, "--events", "1", "--trace", &b],
            &["-o", "/dev/null", "--events", "/dev/null"],
        ] {
            assert!(distinct(words).is_ok(), "{words:?}");
        }
    }

    #[test]
    fn names_hold_the_time() {
        let now = Zoned::from_str("2025-01-31T23:05:09+00:00[UTC]").unwrap();
        let name = |text: &str| with_time(text.into(), &now).map(|path| path.to_str().unwrap().to_owned());
        assert_eq!(name("cam-%Y%m%d-%H%M%S.flv").unwrap(), "cam-20250131-230509.flv");
        assert_eq!((name("a.flv").unwrap(), name("100%%.flv").unwrap()), ("a.flv".to_owned(), "100%.flv".to_owned()));
        assert!(["%", "%!", "%{n}.flv"].iter().all(|text| name(text).is_err()));
    }
}
