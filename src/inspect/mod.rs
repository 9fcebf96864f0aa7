//! What is in a stream: codecs, rates, keyframes, times, and what is wrong with it.
//!
//! ```text
//! file: flv::reader ─► file.rs (framing, header, index) ─┐
//! live: messages of a session ───────────────────────────┴─► Analyser::observe ─► findings · Analyser::report
//! ```
//!
//! Pure: no clock, no printing; time of arrival is an argument. Memory does not grow with the stream: tracks are as many as
//! have numbers, findings are handed out at once and only counted here, and a [`series::Timeline`] has a fixed number of points.

mod analyser;
pub mod codec;
pub mod file;
mod finding;
pub mod series;
mod track;

pub use analyser::{Analyser, AvOffsetReport, Report};
pub use finding::{Finding, Severity};
pub use track::{GopReport, Kind, TrackReport};
