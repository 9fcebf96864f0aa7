//! Making a server go on with an on-demand stream: pause and unpause (§7.2.2.9), or seek (§7.2.2.8), to where the media
//! broke off, and leaving out what it then repeats.
//!
//! ```text
//! User Control 31 (the client's buffer is full) ─► pause true ─► ◄─ [Stream EOF] Pause.Notify ─► pause false ─► ◄─ media
//! ```
//!
//! Flash Media Server 3.5 and later send as much as the client's buffer takes and then only as fast as it is played, unless
//! asked like this. Does not know the clock: when a stream has stalled is for the caller to say ([`Session::nudge_server`]).

use crate::proto::command::NetStatus;
use crate::proto::message::message_type;
use crate::proto::status::{CommandKind, StatusCode};

use super::{Request, Session};

/// How a stalled stream is revived, in the order in which it is worth trying.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StallAction {
    /// Pausing and unpausing: what a player's button would do.
    Unpause,
    /// Seeking to where it is.
    Seek,
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
    /// The same, and media has come since: the server goes on by itself.
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

    /// Where the media has broken off: the track that is behind, as the other one comes again without harm. One that ended
    /// long ago does not count.
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

impl Session {
    /// Queues what may make a stream go on that has stalled.
    pub fn nudge_server(&mut self, how: StallAction) {
        match how {
            StallAction::Unpause if self.refresh.state == State::Playing => {
                self.pause_for_refresh();
                self.refresh.state = State::PausingStalled;
            }
            StallAction::Unpause => self.unpause_after_refresh(),
            StallAction::Seek => {
                // A seek alone leaves a stream paused.
                if self.refresh.state != State::Playing {
                    self.unpause_after_refresh();
                }
                self.refresh.skip = self.refresh.seen;
                let to_ms = f64::from(self.refresh.place_ms());
                let arguments = vec![crate::proto::amf0::Value::Null, to_ms.into()];
                self.send_command(CommandKind::Seek.name(), arguments, self.stream_id.unwrap_or(1), Request::Auxiliary);
            }
        }
    }

    /// The server has sent what the client's buffer holds and would now wait.
    pub(super) fn take_buffer_empty(&mut self) {
        if self.config.play.as_ref().is_some_and(|play| play.refresh_buffer) {
            match self.refresh.state {
                State::Playing => self.pause_for_refresh(),
                // It has not noticed the pause, or does not say so.
                _ => self.unpause_after_refresh(),
            }
        }
    }

    /// Whether Stream EOF means no more than that a pause of ours has begun.
    pub(super) fn is_eof_of_pause(&self) -> bool {
        matches!(self.refresh.state, State::Pausing | State::PausingStalled)
    }

    pub(super) fn take_pause_notice(&mut self, status: &NetStatus) {
        if status.code == StatusCode::PauseNotify && self.refresh.state != State::Playing {
            self.unpause_after_refresh();
        }
    }

    fn pause_for_refresh(&mut self) {
        self.refresh.state = State::Pausing;
        self.pause(true, self.refresh.place_ms());
    }

    fn unpause_after_refresh(&mut self) {
        self.refresh.state = State::Playing;
        self.refresh.skip = self.refresh.seen;
        self.pause(false, self.refresh.place_ms());
    }

    /// Looks at the audio or video that this stopped at. `false`: it has been received before.
    pub(super) fn take_media(&mut self) -> bool {
        let Some(header) = self.message().map(|message| message.header) else { return false };
        self.refresh.take(header.message_type_id, header.timestamp)
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

/// Audio and video that both go on are not farther apart.
const LARGEST_SKEW_MS: u32 = 10_000;
