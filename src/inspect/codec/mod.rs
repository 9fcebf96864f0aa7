//! Codec configuration: what the records in sequence headers say about picture and sound.
//!
//! Records come from anywhere: what is read is bounded and sizes are computed with care. Those of AV1 and AAC are read by
//! crates, which may panic on hostile ones; that counts as unreadable.
//!
//! Frames are not looked into: what only they say (the picture size of VP9 and of codecs without records) is not known.

mod avc;
mod bits;
mod hevc;
mod records;
mod types;

pub use records::{audio, audio_needs_header, is_known_audio, is_known_video, of_sound, video, video_needs_header};
pub use types::Configuration;
