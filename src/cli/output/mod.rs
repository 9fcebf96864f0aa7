//! What the program says: listeners of the rooms below.

mod connect;
mod events;
mod hex;
pub mod probe;
mod record;

pub use connect::{ConnectLog, login_hint};
pub use events::RecordEvents;
pub use hex::taps;
pub use record::{RecordLog, RecordOutput, conclude, log_options};
