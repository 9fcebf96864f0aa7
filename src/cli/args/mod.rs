//! The command line in groups, one for each concern. A command takes the groups that it uses, so that an option without effect
//! is refused.

pub mod call;
pub mod connect;
pub mod files;
pub mod flash;
pub mod output;
pub mod probe;
pub mod record;
pub mod retry;
pub mod segments;
pub mod serve;
pub mod stream;
pub mod trace;
pub mod values;
pub mod verbosity;

pub use call::CallArgs;
pub use connect::{ConnectArgs, NetworkArgs};
pub use files::{InspectArgs, RepairArgs};
pub use flash::{FlashArgs, FlashStreamArgs};
pub use output::{OutputArgs, TrackArgs};
pub use probe::{Format, ProbeArgs};
pub use record::RecordArgs;
pub use retry::RetryArgs;
pub use segments::{SegmentArgs, SegmentOn};
pub use serve::{DemoArgs, ServeArgs};
pub use stream::{LimitArgs, StreamArgs, UrlArgs};
pub use trace::{TraceArgs, TraceFileArgs};
pub use verbosity::VerbosityArgs;
