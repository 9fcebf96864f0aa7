//! The words of commands (§7.2): NetStatus codes and command names. Outside `proto` neither is compared as text.
//!
//! ```text
//! code   NetConnection.Connect.Success … NetStream.Play.Start …     in the information object of onStatus, _result, _error
//! name   connect · createStream · play … _result · onStatus …       at the beginning of a command message
//! ```
//!
//! Does not say what a status means to a player: that is `session`'s classification.

use std::fmt;

/// Defines [`StatusCode`] with both directions of its text.
macro_rules! status_codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)+) => {
        /// The code of a NetStatus information object (§7.2.2).
        #[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
        #[non_exhaustive]
        pub enum StatusCode {
            /// There is no code.
            #[default]
            Missing,
            $($(#[$doc])* $name,)+
            /// One that the program does not act on, as it came.
            Other(String),
        }

        impl StatusCode {
            /// The code as it is sent; empty if there is none. That of [`StatusCode::Other`] is not yet made safe for a
            /// terminal.
            pub fn as_str(&self) -> &str {
                match self {
                    StatusCode::Missing => "",
                    $(StatusCode::$name => $text,)+
                    StatusCode::Other(text) => text,
                }
            }
        }

        impl From<&str> for StatusCode {
            fn from(text: &str) -> Self {
                match text {
                    "" => StatusCode::Missing,
                    $($text => StatusCode::$name,)+
                    other => StatusCode::Other(other.to_owned()),
                }
            }
        }
    };
}

status_codes! {
    /// `connect` was accepted.
    ConnectSuccess = "NetConnection.Connect.Success",
    /// `connect` was refused, also with a redirect or a request for a login.
    ConnectRejected = "NetConnection.Connect.Rejected",
    /// The server could not accept the connection.
    ConnectFailed = "NetConnection.Connect.Failed",
    /// The server closes the connection.
    ConnectClosed = "NetConnection.Connect.Closed",
    /// There is no such application.
    ConnectInvalidApp = "NetConnection.Connect.InvalidApp",
    /// The application is being shut down.
    ConnectAppShutdown = "NetConnection.Connect.AppShutdown",
    /// The client is to continue on another connection (Enhanced RTMP v2).
    ReconnectRequest = "NetConnection.Connect.ReconnectRequest",
    /// A call failed: usually there is no such method.
    CallFailed = "NetConnection.Call.Failed",
    /// A call had an argument that the method cannot take.
    CallBadValue = "NetConnection.Call.BadValue",
    /// A call was answered with a status.
    CallStatus = "NetConnection.Call.Status",
    /// Something about the stream failed.
    StreamFailed = "NetStream.Failed",
    /// The playlist was reset: what follows is the stream of the last `play`.
    PlayReset = "NetStream.Play.Reset",
    /// The stream begins.
    PlayStart = "NetStream.Play.Start",
    /// The server stops sending.
    PlayStop = "NetStream.Play.Stop",
    /// A recorded stream has been sent to its end.
    PlayComplete = "NetStream.Play.Complete",
    /// Playing failed.
    PlayFailed = "NetStream.Play.Failed",
    /// There is no such stream.
    PlayStreamNotFound = "NetStream.Play.StreamNotFound",
    /// The file cannot be read as media.
    PlayFileStructureInvalid = "NetStream.Play.FileStructureInvalid",
    /// The file has no track that can be played.
    PlayNoSupportedTrackFound = "NetStream.Play.NoSupportedTrackFound",
    /// The client reads too slowly: frames are left out.
    PlayInsufficientBandwidth = "NetStream.Play.InsufficientBW",
    /// A publisher has come.
    PlayPublishNotify = "NetStream.Play.PublishNotify",
    /// The publisher has left.
    PlayUnpublishNotify = "NetStream.Play.UnpublishNotify",
    /// `pause` took effect.
    PauseNotify = "NetStream.Pause.Notify",
    /// `pause` with false took effect.
    UnpauseNotify = "NetStream.Unpause.Notify",
    /// `seek` took effect.
    SeekNotify = "NetStream.Seek.Notify",
    /// `seek` failed.
    SeekFailed = "NetStream.Seek.Failed",
    /// Publishing may begin.
    PublishStart = "NetStream.Publish.Start",
    /// Publishing under this name is refused.
    PublishBadName = "NetStream.Publish.BadName",
    /// Not a code but the name of a command that some CDNs send in place of one: the publisher has left.
    OnFcUnsubscribe = "onFCUnsubscribe",
}

impl StatusCode {
    /// Whether there is no code.
    pub fn is_missing(&self) -> bool {
        *self == StatusCode::Missing
    }

    /// Whether it is about the connection (`NetConnection.…`), calls left out.
    pub fn is_about_connection(&self) -> bool {
        self.as_str().starts_with("NetConnection.") && !self.as_str().starts_with("NetConnection.Call.")
    }

    /// Whether it can only be the answer to `connect`, or its withdrawal (`NetConnection.Connect.…`).
    pub fn is_about_connect(&self) -> bool {
        self.as_str().starts_with("NetConnection.Connect.")
    }

    /// Whether it is about a stream (`NetStream.…`).
    pub fn is_about_stream(&self) -> bool {
        self.as_str().starts_with("NetStream.")
    }

    /// Whether it is about playing a stream (`NetStream.Play.…`).
    pub fn is_about_play(&self) -> bool {
        self.as_str().starts_with("NetStream.Play.")
    }
}

impl fmt::Display for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Defines [`CommandKind`] with both directions of its text.
macro_rules! command_kinds {
    ($($(#[$doc:meta])* $name:ident = $text:literal $(| $alias:literal)*,)+) => {
        /// Which command a name stands for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum CommandKind {
            $($(#[$doc])* $name,)+
            /// A name that the program does not act on; also every method that a caller names.
            Other,
        }

        impl CommandKind {
            /// The command with this name.
            pub fn of_name(name: &str) -> Self {
                match name {
                    $($text $(| $alias)* => CommandKind::$name,)+
                    _ => CommandKind::Other,
                }
            }

            /// Its name; `call` for [`CommandKind::Other`].
            pub fn name(self) -> &'static str {
                match self {
                    $(CommandKind::$name => $text,)+
                    CommandKind::Other => "call",
                }
            }
        }
    };
}

command_kinds! {
    /// §7.2.1.1.
    Connect = "connect",
    /// §7.2.1.3.
    CreateStream = "createStream",
    /// §7.2.2.1.
    Play = "play",
    /// §7.2.2.6.
    Publish = "publish",
    /// §7.2.2.9.
    Pause = "pause" | "pauseRaw",
    /// §7.2.2.8.
    Seek = "seek",
    /// §7.2.2.4.
    ReceiveAudio = "receiveAudio",
    /// §7.2.2.5.
    ReceiveVideo = "receiveVideo",
    /// Ends a stream; its ID stays in use.
    CloseStream = "closeStream",
    /// §7.2.2.3.
    DeleteStream = "deleteStream",
    /// Asks for the length of a recorded stream in seconds (Flash Media Server).
    GetStreamLength = "getStreamLength",
    /// The list of streams to be played (Flash Media Server; rtmpdump's `--playlist`).
    SetPlaylist = "set_playlist",
    /// Before `play` at content delivery networks.
    FcSubscribe = "FCSubscribe",
    /// Takes `FCSubscribe` back.
    FcUnsubscribe = "FCUnsubscribe",
    /// Before `publish`, by encoders.
    ReleaseStream = "releaseStream",
    /// Before `publish`, by encoders.
    FcPublish = "FCPublish",
    /// Takes `FCPublish` back.
    FcUnpublish = "FCUnpublish",
    /// The answer to a SecureToken challenge (Wowza).
    SecureTokenResponse = "secureTokenResponse",
    /// A token for the stream (Justin.tv; rtmpdump's `--jtv`).
    UsherToken = "NetStream.Authenticate.UsherToken",
    /// The client asks for a bandwidth check.
    CheckBandwidth = "_checkbw",
    /// The server's bandwidth check, which wants an answer.
    OnBandwidthCheck = "_onbwcheck" | "onBWCheck",
    /// The server's bandwidth check is over.
    OnBandwidthDone = "onBWDone",
    /// The answer to a command.
    Result = "_result",
    /// The answer to a command that failed.
    Error = "_error",
    /// A NetStatus.
    OnStatus = "onStatus",
    /// A NetStatus about a playlist, usually in a data message.
    OnPlayStatus = "onPlayStatus",
    /// The answer to `FCSubscribe`.
    OnFcSubscribe = "onFCSubscribe",
    /// The publisher has left, at content delivery networks.
    OnFcUnsubscribe = "onFCUnsubscribe",
    /// Asks for `pong`.
    Ping = "ping",
    /// The answer to `ping`.
    Pong = "pong",
    /// The peer wants the connection closed.
    Close = "close",
}

impl fmt::Display for CommandKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_keep_their_text() {
        for text in ["", "NetStream.Play.Start", "NetStream.Play.InsufficientBW", "netstream.play.start", "x"] {
            assert_eq!(StatusCode::from(text).as_str(), text);
        }
        assert_eq!(StatusCode::from("NetStream.Play.StreamNotFound"), StatusCode::PlayStreamNotFound);
        assert!(StatusCode::default().is_missing());
    }

    #[test]
    fn codes_know_what_they_are_about() {
        let about = |text: &str| {
            let code = StatusCode::from(text);
            [code.is_about_connection(), code.is_about_connect(), code.is_about_stream(), code.is_about_play()]
        };
        assert_eq!(about("NetConnection.Connect.Rejected"), [true, true, false, false]);
        assert_eq!(about("NetConnection.Call.Failed"), [false; 4]);
        assert_eq!(about("NetStream.Seek.Notify"), [false, false, true, false]);
        assert_eq!(about("NetStream.Play.Strange"), [false, false, true, true]);
        assert_eq!(about(""), [false; 4]);
    }

    #[test]
    fn commands_are_known_by_any_of_their_names() {
        assert_eq!(CommandKind::of_name("onBWCheck"), CommandKind::OnBandwidthCheck);
        assert_eq!(CommandKind::of_name("_onbwcheck"), CommandKind::OnBandwidthCheck);
        assert_eq!(CommandKind::of_name("Connect"), CommandKind::Other);
        assert_eq!(CommandKind::of_name(CommandKind::CreateStream.name()), CommandKind::CreateStream);
    }
}
