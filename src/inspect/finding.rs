//! What can be wrong or odd, in words and by a code.

use std::fmt;

use serde::Serialize;

use crate::flv::reader::FaultKind;
use crate::flv::tag::FileHeader;
use crate::flv::timeline::first_time;

use super::track::Kind;

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Allowed, and good to know: the trace of a publisher's restart.
    Info,
    /// Players cope, or seek badly.
    Warning,
    /// It is not as the specification has it, or something will not play.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        })
    }
}

/// Something wrong or odd.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Finding {
    /// A fault of the file's framing.
    Framing(FaultKind),
    /// The header says that there is neither audio nor video.
    NoTracksAnnounced,
    /// There are no tags.
    NoTags,
    /// The header does not announce a track that is there.
    NotAnnounced(Kind),
    /// The header announces a track that is not there.
    OnlyAnnounced(Kind),
    /// The first tag's timestamp is not 0.
    FirstTimestamp(u32),
    /// Times go back, of a track.
    TimestampDecrease {
        /// The track.
        kind: Kind,
        /// From, in milliseconds.
        from_ms: u32,
        /// To, in milliseconds.
        to_ms: u32,
    },
    /// Script data has a time more than a second before the tag before it.
    ScriptTimestamp {
        /// From, in milliseconds.
        from_ms: u32,
        /// To, in milliseconds.
        to_ms: u32,
    },
    /// Times overflowed 24 bits and the extension was not used.
    LostExtension(Kind),
    /// Times jump ahead.
    TimestampJump {
        /// The track.
        kind: Kind,
        /// From, in milliseconds.
        from_ms: u32,
        /// To, in milliseconds.
        to_ms: u32,
    },
    /// Video and audio are a second or more apart; by how much video is ahead.
    Desync(i64),
    /// A track ends a second or more before the other.
    EndsEarly {
        /// The track.
        kind: Kind,
        /// By how many milliseconds.
        by_ms: i64,
    },
    /// A payload's header cannot be read.
    BadPayload {
        /// The track.
        kind: Kind,
        /// Why.
        reason: String,
    },
    /// A video payload without a byte.
    EmptyVideo,
    /// A frame type that is not defined.
    UnknownFrameType(u8),
    /// A codec that is not defined.
    UnknownCodec {
        /// The track.
        kind: Kind,
        /// The codec.
        codec: String,
    },
    /// The codec changes within a track.
    CodecChange {
        /// The track.
        kind: Kind,
        /// Before.
        from: String,
        /// After.
        to: String,
    },
    /// The configuration changes within a track.
    ConfigurationChange(Kind),
    /// A sequence header's record cannot be read.
    BadRecord {
        /// The track.
        kind: Kind,
        /// The codec.
        codec: String,
        /// Why.
        reason: String,
    },
    /// Frames come before the sequence header that they need.
    NoSequenceHeader {
        /// The track.
        kind: Kind,
        /// The codec.
        codec: String,
    },
    /// The first video frame is no keyframe.
    NoKeyframeFirst,
    /// There is video, but no keyframe.
    NoKeyframes,
    /// Script data that cannot be read.
    BadScript(String),
    /// Script data without a byte.
    EmptyScript,
    /// There is no onMetaData.
    NoMetadata,
    /// onMetaData is not the first tag.
    MetadataLate,
    /// onMetaData is not at time 0.
    MetadataTime(u32),
    /// A second onMetaData.
    MetadataAgain,
    /// The value of onMetaData is neither an ECMA array nor an object.
    MetadataNoEcmaArray,
    /// A property of onMetaData does not agree with what is there.
    MetadataWrong {
        /// Its name.
        name: &'static str,
        /// What it says.
        says: f64,
        /// What is there.
        is: f64,
    },
    /// An entry of the keyframe index does not lead to a keyframe (or, without video, to a tag).
    IndexWrong {
        /// The entry's offset.
        position: u64,
        /// The entry's number, from 0.
        number: usize,
    },
    /// The keyframe index has not as many times as positions.
    IndexUneven {
        /// Times.
        times: usize,
        /// Positions.
        positions: usize,
    },
}

impl Finding {
    /// How bad it is.
    pub fn severity(&self) -> Severity {
        match self {
            Finding::ConfigurationChange(_) | Finding::MetadataAgain => Severity::Info,
            Finding::NotAnnounced(_)
            | Finding::OnlyAnnounced(_)
            | Finding::TimestampJump { .. }
            | Finding::Desync(_)
            | Finding::EndsEarly { .. }
            | Finding::EmptyVideo
            | Finding::UnknownCodec { kind: Kind::Audio, .. }
            | Finding::CodecChange { .. }
            | Finding::NoKeyframeFirst
            | Finding::NoKeyframes
            | Finding::EmptyScript
            | Finding::NoMetadata
            | Finding::MetadataLate
            | Finding::MetadataTime(_)
            | Finding::MetadataWrong { .. }
            | Finding::IndexWrong { .. }
            | Finding::IndexUneven { .. } => Severity::Warning,
            _ => Severity::Error,
        }
    }

    /// A name for programs, which stays.
    pub fn code(&self) -> &'static str {
        match self {
            Finding::Framing(kind) => match kind {
                FaultKind::NotFlv => "not-flv",
                FaultKind::Version(_) => "version",
                FaultKind::HeaderFlags(_) => "header-reserved-flags",
                FaultKind::DataOffset(_) => "data-offset",
                FaultKind::PreviousTagSize { .. } => "previous-tag-size",
                FaultKind::StreamId(_) => "stream-id",
                FaultKind::ReservedBits(_) => "reserved-bits",
                FaultKind::UnknownType(_) => "unknown-tag-type",
                FaultKind::SecondHeader => "second-header",
                FaultKind::Garbage { .. } => "garbage",
                FaultKind::Truncated { .. } => "truncated",
                FaultKind::MissingTrailer => "missing-trailer",
            },
            Finding::NoTracksAnnounced => "header-no-tracks",
            Finding::NoTags => "no-tags",
            Finding::NotAnnounced(_) => "header-flag-missing",
            Finding::OnlyAnnounced(_) => "header-flag-false",
            Finding::FirstTimestamp(_) => "first-timestamp",
            Finding::TimestampDecrease { .. } => "timestamp-decrease",
            Finding::ScriptTimestamp { .. } => "script-timestamp",
            Finding::LostExtension(_) => "timestamp-extension-lost",
            Finding::TimestampJump { .. } => "timestamp-jump",
            Finding::Desync(_) => "desync",
            Finding::EndsEarly { .. } => "track-ends-early",
            Finding::BadPayload { .. } => "bad-payload",
            Finding::EmptyVideo => "empty-video",
            Finding::UnknownFrameType(_) => "unknown-frame-type",
            Finding::UnknownCodec { .. } => "unknown-codec",
            Finding::CodecChange { .. } => "codec-change",
            Finding::ConfigurationChange(_) => "configuration-change",
            Finding::BadRecord { .. } => "bad-sequence-header",
            Finding::NoSequenceHeader { .. } => "no-sequence-header",
            Finding::NoKeyframeFirst => "no-keyframe-first",
            Finding::NoKeyframes => "no-keyframes",
            Finding::BadScript(_) => "bad-script",
            Finding::EmptyScript => "empty-script",
            Finding::NoMetadata => "no-metadata",
            Finding::MetadataLate => "metadata-late",
            Finding::MetadataTime(_) => "metadata-time",
            Finding::MetadataAgain => "metadata-again",
            Finding::MetadataNoEcmaArray => "metadata-no-ecma-array",
            Finding::MetadataWrong { .. } => "metadata-wrong",
            Finding::IndexWrong { .. } => "index-wrong",
            Finding::IndexUneven { .. } => "index-uneven",
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::Framing(kind) => kind.fmt(f),
            Finding::NoTracksAnnounced => f.write_str("the header announces neither audio nor video"),
            Finding::NoTags => f.write_str("no tags"),
            Finding::NotAnnounced(kind) => write!(f, "the header does not announce {kind}, which the file has"),
            Finding::OnlyAnnounced(kind) => write!(f, "the header announces {kind}, but the file has none"),
            Finding::FirstTimestamp(time) => write!(f, "the first timestamp is {} ms, not 0", first_time(*time)),
            Finding::TimestampDecrease { kind, from_ms, to_ms } => {
                write!(f, "{kind} goes back from {} to {} ms", first_time(*from_ms), first_time(*to_ms))
            }
            Finding::ScriptTimestamp { from_ms, to_ms } => {
                write!(f, "script data at {} ms after a tag at {} ms", first_time(*to_ms), first_time(*from_ms))
            }
            Finding::LostExtension(kind) => {
                write!(f, "{kind} timestamps wrap after 24 bits: the extended byte is not used")
            }
            Finding::TimestampJump { kind, from_ms, to_ms } => {
                write!(f, "{kind} jumps from {} to {} ms", first_time(*from_ms), first_time(*to_ms))
            }
            Finding::Desync(by) if *by > 0 => write!(f, "video runs {by} ms ahead of audio"),
            Finding::Desync(by) => write!(f, "audio runs {} ms ahead of video", -by),
            Finding::EndsEarly { kind, by_ms } => write!(f, "{kind} ends {by_ms} ms before the other track"),
            Finding::BadPayload { kind, reason } => write!(f, "unreadable {kind} header: {reason}"),
            Finding::EmptyVideo => f.write_str("an empty video tag"),
            Finding::UnknownFrameType(number) => write!(f, "unknown frame type {number}"),
            Finding::UnknownCodec { kind, codec } => write!(f, "unknown {kind} codec: {codec}"),
            Finding::CodecChange { kind, from, to } => write!(f, "the {kind} codec changes from {from} to {to}"),
            Finding::ConfigurationChange(kind) => write!(f, "the {kind} configuration changes"),
            Finding::BadRecord { kind, codec, reason } => {
                write!(f, "unreadable {kind} sequence header ({codec}): {reason}")
            }
            Finding::NoSequenceHeader { kind, codec } => {
                write!(f, "no sequence header for {kind} ({codec})")
            }
            Finding::NoKeyframeFirst => f.write_str("video does not begin with a keyframe"),
            Finding::NoKeyframes => f.write_str("no keyframes"),
            Finding::BadScript(reason) => write!(f, "unreadable script data: {reason}"),
            Finding::EmptyScript => f.write_str("empty script data"),
            Finding::NoMetadata => f.write_str("no onMetaData"),
            Finding::MetadataLate => f.write_str("onMetaData is not the first tag"),
            Finding::MetadataTime(time) => write!(f, "onMetaData is at {} ms, not 0", first_time(*time)),
            Finding::MetadataAgain => f.write_str("duplicate onMetaData"),
            Finding::MetadataNoEcmaArray => f.write_str("the value of onMetaData is no ECMA array and no object"),
            Finding::MetadataWrong { name, says, is } => write!(f, "onMetaData says {name} {says}, found {is}"),
            Finding::IndexWrong { position, number } => {
                write!(f, "entry {number} of the keyframe index points to byte {position}, where no keyframe is")
            }
            Finding::IndexUneven { times, positions } => {
                write!(f, "the keyframe index has {times} times and {positions} positions")
            }
        }
    }
}

/// The flag of the file header that announces a track.
pub(super) fn flag(kind: Kind) -> u8 {
    match kind {
        Kind::Video => FileHeader::VIDEO,
        Kind::Audio => FileHeader::AUDIO,
    }
}
