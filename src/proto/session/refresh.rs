//! Making a server continue an on-demand stream: pause and unpause (§7.2.2.9), or seek (§7.2.2.8), to where the media broke
//! off, and leaving out what it then repeats.
//!
//! ```text
//! User Control 31 (one full client buffer is sent) ─► pause true ─► ◄─ [Stream EOF] Pause.Notify ─► pause false ─► ◄─ media
//! ```
//!
//! Flash Media Server 3.5 and later send as much as the client's buffer takes and then only as fast as it is played, unless
//! asked like this. Does not know the clock: when a stream has stalled is for the caller to say (`Session::nudge_server`).

use crate::proto::message::message_type;

/// What may make a stalled stream continue, in the order in which it is worth trying.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StallAction {
    /// Pause and unpause, as with a player's button.
    Unpause,
    /// Seek to where it is.
    Seek,
}

/// What the session is to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// `pause` with true, at this media time in milliseconds.
    Pause(u32),
    /// `pause` with false, at this media time in milliseconds.
    Unpause(u32),
    /// `seek` to this media time in milliseconds.
    Seek(u32),
}

/// Where this stands, and what was received.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct BufferRefresh {
    state: State,
    /// Time of the last audio and video received, in milliseconds.
    seen: [Option<u32>; 2],
    /// What is not later has been received before: audio and video, in milliseconds.
    skip: [Option<u32>; 2],
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Playing,
    /// `pause` was sent; its notice has not come.
    Pausing,
    /// The same, sent when nothing was on its way any more.
    PausingStalled,
    /// The same, and media has come since: the server continues by itself.
    Resumed,
}

impl BufferRefresh {
    /// Whether audio or video of this time is new. What is, is noted.
    #[inline]
    pub(super) fn take(&mut self, message_type_id: u8, time_ms: u32) -> bool {
        let Some(track) = track(message_type_id) else { return true };
        let (Some(seen), Some(skip)) = (self.seen.get_mut(track), self.skip.get_mut(track)) else { return true };
        if skip.is_some_and(|seen| is_not_later(time_ms, seen)) {
            return false;
        }
        *skip = None;
        *seen = Some(time_ms);
        if self.state == State::PausingStalled {
            self.state = State::Resumed;
        }
        true
    }

    /// Whether audio or video has come.
    pub(super) fn has_begun(&self) -> bool {
        self.seen != [None; 2]
    }

    /// What may make a stream continue that has stalled.
    pub(super) fn nudge(&mut self, how: StallAction) -> Vec<Action> {
        match how {
            StallAction::Unpause if self.state == State::Playing => {
                let pause = self.pause();
                self.state = State::PausingStalled;
                vec![pause]
            }
            StallAction::Unpause => vec![self.unpause()],
            StallAction::Seek => {
                // A seek alone leaves a stream paused.
                let unpause = (self.state != State::Playing).then(|| self.unpause());
                self.skip = self.seen;
                unpause.into_iter().chain([Action::Seek(self.place_ms())]).collect()
            }
        }
    }

    /// The server has sent one full client buffer and pauses.
    pub(super) fn take_buffer_full(&mut self) -> Action {
        match self.state {
            State::Playing => self.pause(),
            // It has not noticed the pause, or does not say so.
            _ => self.unpause(),
        }
    }

    /// The server has paused.
    pub(super) fn take_pause_notice(&mut self) -> Option<Action> {
        (self.state != State::Playing).then(|| self.unpause())
    }

    /// Whether Stream EOF means no more than that a pause of ours has begun.
    pub(super) fn is_pausing(&self) -> bool {
        matches!(self.state, State::Pausing | State::PausingStalled)
    }

    fn pause(&mut self) -> Action {
        self.state = State::Pausing;
        Action::Pause(self.place_ms())
    }

    fn unpause(&mut self) -> Action {
        self.state = State::Playing;
        self.skip = self.seen;
        Action::Unpause(self.place_ms())
    }

    /// Where the media has broken off: on the track that lags, as repeated media of the other one is left out. A track
    /// that ended long ago does not count.
    fn place_ms(&self) -> u32 {
        match self.seen {
            [Some(audio), Some(video)] => {
                let (first, last) = if is_not_later(audio, video) { (audio, video) } else { (video, audio) };
                if last.wrapping_sub(first) <= LARGEST_SKEW_MS { first } else { last }
            }
            [audio, video] => audio.or(video).unwrap_or(0),
        }
    }
}

fn track(message_type_id: u8) -> Option<usize> {
    match message_type_id {
        message_type::AUDIO => Some(0),
        message_type::VIDEO => Some(1),
        _ => None,
    }
}

/// Timestamps count modulo 2³²: half of that is later.
fn is_not_later(time_ms: u32, than_ms: u32) -> bool {
    than_ms.wrapping_sub(time_ms) < 1 << 31
}

/// Audio and video that both continue are not farther apart.
const LARGEST_SKEW_MS: u32 = 10_000;
