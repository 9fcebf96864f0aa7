//! Saving a stream, whatever happens: the main verb of this crate.
//!
//! ```text
//! Url ─► connect ─► engine (receive, tick, wait) ─► output (tracks, resume) ─► flv::recorder ─► Sink
//!          ▲            │  stall · reconnect
//!          └── retry ◄──┘  what happens: Event ─► Listener; how it ended: Outcome
//! ```
//!
//! [`record`] takes plain [`Options`] and answers with an [`Outcome`]. It prints nothing and knows no exit codes.

mod activity;
mod end;
mod ending;
mod engine;
mod error;
mod file_names;
mod gaps;
mod listener;
mod novelty;
mod options;
mod outcome;
mod output;
mod received;
mod reconnect;
mod resume;
mod retry;
mod run;
mod segments;
mod stall;
mod start_check;
mod track_metadata;
mod tracks;

pub use end::{EndReason, Notice, Unmatched};
pub use error::Error;
pub use file_names::{BadName, FileNames};
pub use gaps::{Gap, Gaps};
pub use listener::{Event, Listener, Position, Retrying};
pub use options::{Options, Sink};
pub use outcome::{Outcome, RecordingStats, Verdict};
pub use reconnect::ReconnectError;
pub use retry::{RetryOptions, UNLIMITED};
pub use run::record;
pub use segments::{SegmentEvent, SegmentOptions};
pub use tracks::{NoLegacyForm, TrackOptions};
