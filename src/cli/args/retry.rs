//! What to do when a recording breaks off, or there is no stream yet.

use std::time::Duration;

use clap::Args;

use super::values::{attempts, positive_time, time, time_or_inf};

/// Options of reconnecting.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct RetryArgs {
    /// Reconnect up to N times in a row; inf never gives up
    ///
    /// This is done if the connection breaks or stalls. A live stream continues in the same file at the next keyframe, an on-demand stream where it was. What the server
    /// rejects is not retried.
    #[arg(long, value_name = "N|inf", value_parser = attempts, display_order = 8)]
    pub retry: Option<u32>,
    /// Wait until the stream is available (at most TIME)
    ///
    /// It is waited for if it is not found or not published, or the connection is refused. With --retry also wait for a publisher who has left to come back.
    #[arg(
        long,
        value_name = "TIME|inf",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "inf",
        value_parser = time_or_inf,
        display_order = 9
    )]
    pub wait: Option<Duration>,
    /// Initial retry delay, doubled after each attempt (at most 30 s) [default: 1]
    #[arg(long, value_name = "TIME", value_parser = time, hide_short_help = true, help_heading = "Reconnecting")]
    pub retry_delay: Option<Duration>,
    /// Give up when the stream has been missing for TIME [default: never]
    #[arg(long, value_name = "TIME", value_parser = positive_time, hide_short_help = true, help_heading = "Reconnecting")]
    pub retry_max_time: Option<Duration>,
}
