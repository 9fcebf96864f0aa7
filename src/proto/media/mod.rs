//! What stands at the beginning of audio and video messages (§7.1.4, §7.1.5): the tag headers of FLV (E.4.2, E.4.3) and
//! those of Enhanced RTMP v1 and v2.
//!
//! ```text
//! video, old   frame type UB4 (< 8) · codec UB4 · if codec is 7, 12, 13: packet type UI8 · composition time SI24
//! video, new   1 · frame type UB3 · packet type UB4 · ModEx* · either of
//!                command UI8                                             (frame type 5, packet type not Metadata)
//!                FourCC · packet
//!                kind UB4 · packet type UB4 · [FourCC] · ( [FourCC] · track UI8 · [size UI24] · packet )+   (Multitrack)
//! audio, old   format UB4 (≠ 9) · rate UB2 · size UB1 · channels UB1 · if format is 10: packet type UI8
//! audio, new   9 UB4 · packet type UB4 · ModEx* · FourCC · packet, or Multitrack as above
//! ModEx        size−1 UI8, or FF and size−1 UI16 · data · kind UB4 · packet type UB4 (again ModEx, or what follows)
//! ```
//!
//! [`Class::of`] says what a payload is by its first bytes; [`VideoTag`] and [`AudioTag`] take one apart in full;
//! [`video_to_legacy`] and its relatives put it into other forms. Neither the records of codecs nor frames are looked into.

mod audio;
mod class;
mod header;
mod legacy;
mod types;
mod video;

#[cfg(test)]
mod tests;

pub use audio::{AudioCodec, AudioPacket, AudioTag, AudioTrack, AudioTracks, ChannelOrder, Channels, Sound};
pub use class::{Class, Kind, Track, audio_header_slot, video_header_slot};
pub use class::{
    is_audio_coded, is_audio_sequence_header, is_video_coded, is_video_keyframe, is_video_sequence_header,
};
pub use header::{FourCc, MAX_MOD_EX, MAX_TRACKS, ModEx, ModExList, Multitrack};
pub use legacy::{Rewrite, audio_to_legacy, select_audio_track, select_video_track, video_to_legacy};
pub use video::{FrameType, VideoCodec, VideoCommand, VideoPacket, VideoTag, VideoTrack, VideoTracks};
