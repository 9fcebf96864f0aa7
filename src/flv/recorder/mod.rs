//! Messages → tags: what is written, when the output is opened, at which times.
//!
//! ```text
//! push ─► aggregate split ─► held until the beginning is understood ─► timeline ─► writer ─► index
//! ```
//!
//! The output is opened when audio or video is there, not before: a session that brings nothing touches nothing. The
//! beginning is held for a moment, because the file header says which tracks there are and because times count from the
//! earlier track: on a pipe just until the metadata's tracks are known, in a file a little more patiently. Only sequence
//! headers of both tracks at time 0 go ahead on a pipe: nothing that follows can move them.

mod file;
mod headers;
mod opening;
mod preroll;
mod record;
mod segments;
mod types;

pub use record::Recorder;
pub use types::{Existing, Open, Options, PushResult, Summary};
