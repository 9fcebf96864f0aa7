//! A folder of a test's own, and what is recorded into it.

use super::flvcmp::Flv;
use super::{Finished, PATIENCE, Running, rtmpcat_with, run};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder that is removed with this.
pub struct Scratch(tempfile::TempDir);

impl Scratch {
    /// An empty one.
    pub fn new() -> Scratch {
        Scratch(tempfile::tempdir().expect("a temporary folder"))
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        self.0.path()
    }

    /// A file in it, whether it exists or not.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file in it.
    #[track_caller]
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).expect("a file can be written");
        path
    }

    /// The file that [`Scratch::start`] and [`Scratch::record`] record into.
    pub fn file(&self) -> PathBuf {
        self.path("out.flv")
    }

    /// The program under test with what makes it record a URL into [`Scratch::file`].
    pub fn recorder(&self, url: &str, args: &[&str]) -> Command {
        let mut command = rtmpcat_with(["-r", url, "-o"]);
        command.arg(self.file()).args(args);
        command
    }

    /// Starts recording a URL.
    #[track_caller]
    pub fn start(&self, url: &str, args: &[&str]) -> Running {
        Running::start(&mut self.recorder(url, args))
    }

    /// Records a URL to its end.
    #[track_caller]
    pub fn record(&self, url: &str, args: &[&str]) -> Finished {
        run(&mut self.recorder(url, args), PATIENCE)
    }

    /// The file that was recorded, which has to be a valid FLV.
    #[track_caller]
    pub fn flv(&self) -> Flv {
        Flv::read(self.file())
    }
}
