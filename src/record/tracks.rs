//! Which tracks are saved, and in which form: what is done to media between the session and the recorder.
//!
//! ```text
//! Message ─► the track alone ─► the legacy form ─► Message, its payload here
//! ```
//!
//! What metadata says of the chosen track replaces what it says of the first. What cannot be had in the form that was asked
//! for passes as it is. Without these options there is no filter.

use std::collections::BTreeSet;

use crate::proto::media::{
    AudioTag, FourCc, Rewrite, VideoTag, audio_to_legacy, select_audio_track, select_video_track, video_to_legacy,
};
use crate::proto::message::{Message, MessageHeader, message_type};

use super::track_metadata::of_tracks;

/// Which tracks are saved, and in which form.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TrackOptions {
    /// The one track of video to keep.
    pub video: Option<u8>,
    /// The one track of audio to keep.
    pub audio: Option<u8>,
    /// Put H.264 and AAC into the form that they had before Enhanced RTMP.
    pub legacy_tags: bool,
}

/// Media that has no legacy form, and is saved as it came.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NoLegacyForm {
    /// It is video.
    pub is_video: bool,
    /// Its codec; `None`: it cannot be read.
    pub codec: Option<String>,
    /// It holds several tracks, of which one can be chosen.
    pub is_multitrack: bool,
}

/// Picks tracks, and puts them into another form.
#[derive(Debug)]
pub(super) struct TrackFilter {
    options: TrackOptions,
    /// What was found to have no legacy form, and what of it was not reported yet.
    known: BTreeSet<NoLegacyForm>,
    unreported: Vec<NoLegacyForm>,
    /// The payload of one track, the same in the legacy form: kept for the next message.
    track: Vec<u8>,
    legacy: Vec<u8>,
}

impl TrackFilter {
    /// A filter, if there is something to do.
    pub(super) fn new(options: TrackOptions) -> Option<Self> {
        (options != TrackOptions::default()).then(|| Self {
            options,
            known: BTreeSet::new(),
            unreported: Vec::new(),
            track: Vec::new(),
            legacy: Vec::new(),
        })
    }

    /// What is left of a message. `None`: nothing.
    pub(super) fn pass<'a>(&'a mut self, message: Message<'a>) -> Option<Message<'a>> {
        let payload = self.payload(message.header.message_type_id, message.payload)?;
        let header = MessageHeader { length: payload.len() as u32, ..message.header };
        Some(Message { header, payload })
    }

    /// What was found to have no legacy form since the last call: each codec once.
    pub(super) fn take_unreported(&mut self) -> Vec<NoLegacyForm> {
        std::mem::take(&mut self.unreported)
    }

    fn payload<'a>(&'a mut self, message_type_id: u8, payload: &'a [u8]) -> Option<&'a [u8]> {
        let Self { options, known, unreported, track, legacy } = self;
        track.clear();
        legacy.clear();
        let (selected, to_legacy): (_, ToLegacy) = match message_type_id {
            message_type::VIDEO => (options.video.map(|id| select_video_track(payload, id, track)), video_to_legacy),
            message_type::AUDIO => (options.audio.map(|id| select_audio_track(payload, id, track)), audio_to_legacy),
            message_type::DATA_AMF0 => {
                let is_new = of_tracks(payload, options.video, options.audio, track);
                let payload = if is_new { track } else { payload };
                if !options.legacy_tags {
                    return Some(payload);
                }
                legacy.extend_from_slice(payload);
                legacy_codec_numbers(legacy);
                return Some(legacy);
            }
            _ => return Some(payload),
        };
        let selected = match selected {
            None | Some(Rewrite::Same | Rewrite::Impossible) => payload,
            Some(Rewrite::Rewritten) => track,
            Some(Rewrite::Nothing) => return None,
        };
        if !options.legacy_tags {
            return Some(selected);
        }
        match to_legacy(selected, legacy) {
            Rewrite::Same => Some(selected),
            Rewrite::Rewritten => Some(legacy),
            Rewrite::Nothing => None,
            Rewrite::Impossible => {
                // A server that sends ever more codecs would only fill memory and log.
                if known.len() < MAX_REPORTED {
                    let form = no_legacy_form(message_type_id == message_type::VIDEO, selected);
                    unreported.extend(known.insert(form.clone()).then_some(form));
                }
                Some(selected)
            }
        }
    }
}

fn no_legacy_form(is_video: bool, payload: &[u8]) -> NoLegacyForm {
    let found = if is_video {
        VideoTag::parse(payload)
            .ok()
            .and_then(|tag| Some((tag.tracks().next()?.codec.to_string(), tag.multitrack.is_some())))
    } else {
        AudioTag::parse(payload)
            .ok()
            .and_then(|tag| Some((tag.tracks().next()?.codec.to_string(), tag.multitrack.is_some())))
    };
    let is_multitrack = found.as_ref().is_some_and(|(_, several)| *several);
    NoLegacyForm { is_video, codec: found.map(|(codec, _)| codec), is_multitrack }
}

/// Replaces FourCCs by the legacy numbers in onMetaData: they take as many bytes.
fn legacy_codec_numbers(payload: &mut [u8]) {
    for (name, codec, number) in [
        (&b"\0\x0cvideocodecid\0"[..], FourCc::AVC, LEGACY_AVC),
        (&b"\0\x0caudiocodecid\0"[..], FourCc::AAC, LEGACY_AAC),
    ] {
        let from = [name, &f64::from(codec.number()).to_be_bytes()].concat();
        let to = [name, &number.to_be_bytes()].concat();
        if let Some(at) = payload.windows(from.len()).position(|bytes| bytes == from)
            && let Some(place) = payload.get_mut(at..at + to.len())
        {
            place.copy_from_slice(&to);
        }
    }
}

/// Appends the legacy form of a payload.
type ToLegacy = fn(&[u8], &mut Vec<u8>) -> Rewrite;

/// `videocodecid` of H.264.
const LEGACY_AVC: f64 = 7.0;

/// `audiocodecid` of AAC.
const LEGACY_AAC: f64 = 10.0;

/// Codecs that are reported.
const MAX_REPORTED: usize = 16;
