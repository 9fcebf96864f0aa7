//! A stalled stream is asked to go on before it is given up.
//!
//! ```text
//! last media ──── half of the time-out: pause, unpause ──── three quarters: seek to where it is ──── time-out
//! ```
//!
//! On demand only: a live stream has nothing to go back to, and whoever pauses it loses some. What the server repeats is
//! left out by the session.

use std::time::Duration;

use crate::cli::log::Log;
use crate::client::Client;
use crate::error::Phase;
use crate::proto::session::StallAction;

/// What has been tried since media last came.
#[derive(Debug, Default)]
pub struct Attempts(usize);

impl Attempts {
    /// Looks whether something is to be tried, and queues it. To be called before each wait.
    pub fn look(&mut self, client: &mut Client, log: &Log) {
        let Some(limit) = client.timeouts().stall.filter(|_| client.phase() == Phase::Media) else { return };
        let silence = client.silence();
        let Some((how, what)) = self.next(silence, limit) else { return };
        log.info(&format!("No media for {:.1} s, trying to resume: {what}", silence.as_secs_f64()));
        client.session().nudge_server(how);
    }

    fn next(&mut self, silence: Duration, limit: Duration) -> Option<(StallAction, &'static str)> {
        // Media has come since.
        if silence < limit / 2 {
            self.0 = 0;
        }
        let (quarters, how, what) = *STEPS.get(self.0)?;
        (silence >= limit / 4 * quarters).then(|| {
            self.0 += 1;
            (how, what)
        })
    }
}

/// When, in quarters of the time-out, and what.
const STEPS: [(u32, StallAction, &str); 2] =
    [(2, StallAction::Unpause, "pausing and unpausing"), (3, StallAction::Seek, "seeking to where it is")];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_tried_once_for_each_stall() {
        let limit = Duration::from_secs(8);
        let mut attempts = Attempts::default();
        let mut tried = |silence_s: &[u64]| -> Vec<Option<StallAction>> {
            let next = |seconds: &u64| attempts.next(Duration::from_secs(*seconds), limit).map(|(how, _)| how);
            silence_s.iter().map(next).collect()
        };
        let (unpause, seek) = (Some(StallAction::Unpause), Some(StallAction::Seek));
        assert_eq!(tried(&[0, 3, 4, 5, 6, 7, 8, 0]), [None, None, unpause, None, seek, None, None, None]);
        // A stall is long before it is looked at: one after the other.
        assert_eq!(tried(&[7, 7, 7, 1, 4, 2, 4]), [unpause, seek, None, None, unpause, None, unpause]);
    }
}
