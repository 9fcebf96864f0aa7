//! After the server has said that the stream is over, or asked to close: what is still in flight is awaited.

use std::time::{Duration, Instant};

use super::end::{EndReason, Notice};
use super::outcome::RecordingStats;

/// An end that was announced. It has come when no media comes any more and no message is half received. Pings and the like
/// continue for ever.
#[derive(Debug)]
pub(super) struct Ending {
    /// What the server said; nothing if it only asked to close.
    notice: Option<Notice>,
    since: Instant,
    quiet_since: Instant,
    /// Stream Begin came since: media would be the next stream's.
    is_next_stream: bool,
}

impl Ending {
    /// The server announces the end; or again, in other words.
    pub(super) fn begin(slot: &mut Option<Self>, notice: Option<Notice>) {
        let now = Instant::now();
        let ending = slot.get_or_insert(Self { notice: None, since: now, quiet_since: now, is_next_stream: false });
        ending.is_next_stream = false;
        ending.notice = notice.or(ending.notice.take());
    }

    /// Media came, or more of a message.
    pub(super) fn not_quiet(&mut self) {
        self.quiet_since = Instant::now();
    }

    /// The server begins a stream.
    pub(super) fn begin_next_stream(&mut self) {
        self.is_next_stream = true;
    }

    /// Whether media that comes now is the next stream's.
    pub(super) fn is_next_stream(&self) -> bool {
        self.is_next_stream
    }

    /// How the recording ends if it ends now; `otherwise` if no end was announced.
    pub(super) fn or(slot: Option<Self>, otherwise: EndReason) -> EndReason {
        match slot {
            Some(Self { notice: Some(notice), .. }) => EndReason::Notice(notice),
            Some(Self { notice: None, .. }) => EndReason::CloseRequested,
            None => otherwise,
        }
    }

    /// When it is over, if nothing comes until then.
    pub(super) fn over_at(&self, in_message: bool, stats: &RecordingStats) -> Instant {
        let quiet = match stats.is_all_there() {
            _ if self.notice.is_none() => QUIET,
            _ if !stats.saved || self.is_next_stream => QUIET_TOO_EARLY,
            Some(true) => QUIET,
            Some(false) => QUIET_TOO_EARLY,
            None => QUIET_UNKNOWN,
        };
        let quiet = if in_message { QUIET_IN_MESSAGE } else { quiet };
        (self.quiet_since + quiet).min(self.since + LONGEST_ENDING)
    }
}

/// After the end was announced, this much silence is the end, if all that was to come has come.
const QUIET: Duration = Duration::from_millis(200);

/// The same where it is unknown what was to come: longer than a lost segment takes to be sent again.
const QUIET_UNKNOWN: Duration = Duration::from_millis(500);

/// The same where something is missing.
const QUIET_TOO_EARLY: Duration = Duration::from_secs(2);

/// The same while a message is half received.
const QUIET_IN_MESSAGE: Duration = Duration::from_secs(3);

/// After the end was announced, media may still come for this long: a slow line with much in flight.
const LONGEST_ENDING: Duration = Duration::from_secs(30);
