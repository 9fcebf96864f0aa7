//! What happens while a connection is made, for whoever wants to tell it.

use super::route::RouteWarning;
use crate::proto::session::SessionEvent;
use crate::swf::{SwfError, SwfHash};
use crate::url::Url;

/// Something that happened on the way to a session.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum ConnectEvent<'a> {
    /// A connection to this place is about to be made, and this should be known before.
    Warning(&'a Url, RouteWarning),
    /// The hash of the player's SWF file is known.
    SwfFound(&'a SwfHash),
    /// It could not be found out; SWF verification will not be answered.
    SwfUnavailable(&'a SwfError),
    /// The server redirects to this place, which is connected to next.
    Redirected(&'a Url),
    /// The server asks for user and password; this user logs in.
    LoggingIn(&'a str),
    /// The connection failed in a way that may be mended: the next one is made like this.
    Fallback(Fallback),
    /// The session says something.
    Session(&'a SessionEvent),
}

/// What is done differently in the next connection, because the last one failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// Enhanced RTMP is not announced: some servers reject a connect that does, or close.
    WithoutAnnouncement,
    /// Each command waits for the answer to the one before.
    StrictOrder,
    /// `getStreamLength` is not sent: some servers close, or stop answering, because of it.
    WithoutStreamLength,
}
