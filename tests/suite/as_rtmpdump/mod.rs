//! In the place of rtmpdump: the same arguments mean the same, the same words are said, and what the original gets wrong
//! is right. Where the original is installed it is run as well, so that no line here is only somebody's memory of it.

mod faults;
mod grammar;
mod output;
mod requests;
mod ytdlp;

use crate::common::{self, Finished, PATIENCE, have, rtmpcat, run};
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The program under test under the name `rtmpdump`: a symbolic link, as users make one.
pub fn as_rtmpdump() -> Command {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let link = FOLDER.get_or_init(folder_with_rtmpdump).join("rtmpdump");
    let mut command = Command::new(link);
    for (name, value) in rtmpcat().get_envs().filter(|(_, value)| value.is_none()) {
        assert!(value.is_none());
        command.env_remove(name);
    }
    command
}

/// A folder to put first in PATH: `rtmpdump` in it is the program under test.
fn folder_with_rtmpdump() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("as-rtmpdump");
    std::fs::create_dir_all(&folder).expect("a folder for the link");
    // Renamed into place: tests of several runs may be at it.
    let new = folder.join(format!("new-{}-{:?}", std::process::id(), std::thread::current().id()));
    let _ = std::fs::remove_file(&new);
    std::os::unix::fs::symlink(rtmpcat().get_program(), &new).expect("a symbolic link");
    std::fs::rename(&new, folder.join("rtmpdump")).expect("it can be renamed");
    folder
}

/// Runs the program under test in the place of rtmpdump.
#[track_caller]
fn ours<S: AsRef<OsStr>>(args: &[S]) -> Finished {
    run(as_rtmpdump().args(args), PATIENCE)
}

/// Runs the original, if it is installed.
#[track_caller]
fn original<S: AsRef<OsStr>>(args: &[S]) -> Option<Finished> {
    have(&["rtmpdump"]).then(|| run(Command::new("rtmpdump").args(args), PATIENCE))
}
