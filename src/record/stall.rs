//! A stalled server is asked to continue before it is given up.
//!
//! ```text
//! last media ──── half of the time-out: pause, unpause ──── three quarters: seek to where it is ──── time-out
//! ```
//!
//! On demand only: a live stream has nothing to go back to, and pausing it loses some. What the server repeats is left
//! out by the session.

use std::time::Duration;

use crate::connect::{Client, Phase};
use crate::proto::session::StallAction;

/// What has been tried since media last came.
#[derive(Debug, Default)]
pub(super) struct StallRecovery(usize);

impl StallRecovery {
    /// Looks whether something is to be tried, and queues it. To be called before each wait. Returns what, and after how
    /// much silence.
    pub(super) fn act(&mut self, client: &mut Client) -> Option<(Duration, StallAction)> {
        let limit = client.timeouts().stall.filter(|_| client.phase() == Phase::Media)?;
        let silence = client.silence();
        let action = self.next(silence, limit)?;
        client.session().nudge_server(action);
        Some((silence, action))
    }

    fn next(&mut self, silence: Duration, limit: Duration) -> Option<StallAction> {
        // Media has come since.
        if silence < limit / 2 {
            self.0 = 0;
        }
        let (quarters, action) = *STEPS.get(self.0)?;
        (silence >= limit / 4 * quarters).then(|| {
            self.0 += 1;
            action
        })
    }
}

/// When, in quarters of the time-out, and what.
const STEPS: [(u32, StallAction); 2] = [(2, StallAction::Unpause), (3, StallAction::Seek)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_tried_once_for_each_stall() {
        let limit = Duration::from_secs(8);
        let mut recovery = StallRecovery::default();
        let mut tried = |silence_s: &[u64]| -> Vec<Option<StallAction>> {
            let next = |seconds: &u64| recovery.next(Duration::from_secs(*seconds), limit);
            silence_s.iter().map(next).collect()
        };
        let (unpause, seek) = (Some(StallAction::Unpause), Some(StallAction::Seek));
        assert_eq!(tried(&[0, 3, 4, 5, 6, 7, 8, 0]), [None, None, unpause, None, seek, None, None, None]);
        // A stall is long before it is looked at: one after the other.
        assert_eq!(tried(&[7, 7, 7, 1, 4, 2, 4]), [unpause, seek, None, None, unpause, None, unpause]);
    }
}
