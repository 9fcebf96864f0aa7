//! `--video-track`, `--audio-track`, `--legacy-tags`: what is done to media between the session and the recorder.
//!
//! ```text
//! Message ─► the track alone ─► the old form ─► Message, its payload here
//! ```
//!
//! What metadata says of the chosen track takes the place of what it says of the first. What cannot be had in the form that
//! was asked for passes as it is. Without these options there is no [`Rewriter`].

use std::collections::BTreeSet;

use crate::cli::log::Log;
use crate::proto::media::{
    AudioTag, FourCc, Rewrite, VideoTag, audio_to_legacy, select_audio_track, select_video_track, video_to_legacy,
};
use crate::proto::message::{Message, MessageHeader, message_type};

use super::track_metadata::of_tracks;

/// What is to be done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rewriting {
    /// The one track of video to keep.
    pub video_track: Option<u8>,
    /// The one track of audio to keep.
    pub audio_track: Option<u8>,
    /// Put H.264 and AAC into the form of before Enhanced RTMP.
    pub legacy_tags: bool,
}

/// Does it.
#[derive(Debug)]
pub struct Rewriter {
    rewriting: Rewriting,
    log: Log,
    /// What was said to have no old form.
    said: BTreeSet<String>,
    /// The payload of one track, the same in the old form: kept for the next message.
    track: Vec<u8>,
    old: Vec<u8>,
}

impl Rewriter {
    /// A rewriter, if there is something to do.
    pub fn new(rewriting: Rewriting, log: &Log) -> Option<Self> {
        (rewriting != Rewriting::default()).then(|| Self {
            rewriting,
            log: log.clone(),
            said: BTreeSet::new(),
            track: Vec::new(),
            old: Vec::new(),
        })
    }

    /// What is left of a message. `None`: nothing.
    pub fn pass<'a>(&'a mut self, message: Message<'a>) -> Option<Message<'a>> {
        let payload = self.payload(message.header.message_type_id, message.payload)?;
        let header = MessageHeader { length: payload.len() as u32, ..message.header };
        Some(Message { header, payload })
    }

    fn payload<'a>(&'a mut self, message_type_id: u8, payload: &'a [u8]) -> Option<&'a [u8]> {
        let Self { rewriting, log, said, track, old, .. } = self;
        track.clear();
        old.clear();
        let (selected, to_legacy): (_, ToLegacy) = match message_type_id {
            message_type::VIDEO => {
                (rewriting.video_track.map(|id| select_video_track(payload, id, track)), video_to_legacy)
            }
            message_type::AUDIO => {
                (rewriting.audio_track.map(|id| select_audio_track(payload, id, track)), audio_to_legacy)
            }
            message_type::DATA_AMF0 => {
                let is_new = of_tracks(payload, rewriting.video_track, rewriting.audio_track, track);
                let payload = if is_new { track } else { payload };
                if !rewriting.legacy_tags {
                    return Some(payload);
                }
                old.extend_from_slice(payload);
                old_codec_numbers(old);
                return Some(old);
            }
            _ => return Some(payload),
        };
        let selected = match selected {
            None | Some(Rewrite::Same | Rewrite::Impossible) => payload,
            Some(Rewrite::Rewritten) => track,
            Some(Rewrite::Nothing) => return None,
        };
        if !rewriting.legacy_tags {
            return Some(selected);
        }
        match to_legacy(selected, old) {
            Rewrite::Same => Some(selected),
            Rewrite::Rewritten => Some(old),
            Rewrite::Nothing => None,
            Rewrite::Impossible => {
                say_impossible(said, log, message_type_id, selected);
                Some(selected)
            }
        }
    }
}

/// Once for each codec.
fn say_impossible(said: &mut BTreeSet<String>, log: &Log, message_type_id: u8, payload: &[u8]) {
    if said.len() >= MAX_SAID {
        return;
    }
    let what = if message_type_id == message_type::VIDEO {
        VideoTag::parse(payload).ok().and_then(|tag| {
            let codec = tag.tracks().next()?.codec.to_string();
            Some((codec, tag.multitrack.is_some(), "--video-track"))
        })
    } else {
        AudioTag::parse(payload).ok().and_then(|tag| {
            let codec = tag.tracks().next()?.codec.to_string();
            Some((codec, tag.multitrack.is_some(), "--audio-track"))
        })
    };
    let text = match what {
        Some((codec, true, option)) => format!("{codec} of several tracks has no old form; choose one with {option}"),
        Some((codec, false, _)) => format!("{codec} has no old form, it is saved as it is"),
        None => "media that cannot be read is saved as it is".to_owned(),
    };
    if !said.contains(&text) {
        log.warning(&format!("--legacy-tags: {text}"));
        said.insert(text);
    }
}

/// Puts the old numbers in the place of FourCCs in onMetaData: they take as many bytes.
fn old_codec_numbers(payload: &mut [u8]) {
    for (name, codec, number) in
        [(&b"\0\x0cvideocodecid\0"[..], FourCc::AVC, OLD_AVC), (&b"\0\x0caudiocodecid\0"[..], FourCc::AAC, OLD_AAC)]
    {
        let from = [name, &f64::from(codec.number()).to_be_bytes()].concat();
        let to = [name, &number.to_be_bytes()].concat();
        if let Some(at) = payload.windows(from.len()).position(|bytes| bytes == from)
            && let Some(place) = payload.get_mut(at..at + to.len())
        {
            place.copy_from_slice(&to);
        }
    }
}

/// Appends the old form of a payload.
type ToLegacy = fn(&[u8], &mut Vec<u8>) -> Rewrite;

/// `videocodecid` of H.264.
const OLD_AVC: f64 = 7.0;

/// `audiocodecid` of AAC.
const OLD_AAC: f64 = 10.0;

/// Codecs that are spoken of: whoever sends more of them wants to fill the log.
const MAX_SAID: usize = 16;
