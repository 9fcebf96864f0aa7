//! What a recording is to do. `cli/resolve` makes it of the command line.

use std::path::PathBuf;
use std::time::Duration;

use crate::cli::events::Events;
use crate::cli::trace::Tracing;
use crate::client::Timeouts;
use crate::flv::recorder;
use crate::proto::session::SessionConfig;
use crate::transport::DialOptions;
use crate::url::Url;

use super::getting_in::Login;
use super::retry::RetryOptions;
use super::rewrite::Rewriting;
use super::segments::SegmentPlan;
use super::swf::Player;
use super::ways::Ways;

/// What a dump is to do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where to, and what to play.
    pub target: Url,
    /// How to get to any target, this one or where it redirects to.
    pub ways: Ways,
    /// How to get to this target.
    pub dial: DialOptions,
    /// What to say there.
    pub session: SessionConfig,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// File to write; `None` is standard output.
    pub output: Option<PathBuf>,
    /// Go on with the file from so many keyframes before its last one, 0 being its end.
    pub resume: Option<u32>,
    /// What to keep.
    pub recorder: recorder::Options,
    /// What is done to media before that.
    pub rewriting: Rewriting,
    /// Where the media begins, in milliseconds of an on-demand stream.
    pub start_ms: u64,
    /// Wall-clock limit.
    pub duration: Option<Duration>,
    /// Size limit in bytes.
    pub max_bytes: Option<u64>,
    /// Who wants to get in, if the server asks.
    pub login: Login,
    /// What is said of the player's SWF file.
    pub player: Player,
    /// Whether a redirect is followed.
    pub follow_redirects: bool,
    /// Progress as hash marks.
    pub hashes: bool,
    /// Set the pace by the server (for the words at the start).
    pub realtime: bool,
    /// rtmpdump's `--stop`, for the words at the start, in milliseconds.
    pub stop_ms: Option<u64>,
    /// When to try again.
    pub retry: RetryOptions,
    /// How often the output is brought to the disk.
    pub fsync: Option<Duration>,
    /// How the recording is cut into files, if it is.
    pub segments: Option<SegmentPlan>,
    /// Who is told what happens.
    pub events: Events,
    /// What is kept of the conversation.
    pub tracing: Tracing,
    /// What is strange about the options but keeps nobody from playing.
    pub warnings: Vec<String>,
}
