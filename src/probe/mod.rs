//! Is a server healthy, and what is in its stream? One connection on [`Connector`](crate::connect::Connector), its facts as
//! plain values, and a verdict by limits.
//!
//! ```text
//! probe(url, options) ─► ProbeResult ─► judge(result, limits) ─► Verdict
//! ```

mod engine;
mod judge;
mod result;

pub use engine::{DEFAULT_SECONDS, Listener, Purpose, probe};
pub use judge::{Figures, Limit, Limits, Problem, Requirement, Status, Verdict, judge, seconds, worst};
pub use result::{Found, ProbeResult, Timing};
