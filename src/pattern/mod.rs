//! A live test stream made in code: H.264 and AAC as every server and player takes them, as FLV tags.
//!
//! # How a frame is made
//!
//! `picture.rs` draws colour bars, a clock and a moving square in YUV 4:2:0, limited range. The encoder knows two macroblocks of H.264's
//! Constrained Baseline profile (ITU-T H.264 §7.3.5), so that what is decoded is bit for bit what was drawn:
//!
//! ```text
//! I_PCM    mb_type, bits 0 up to the next byte, 256 bytes of luma, 64 of Cb, 64 of Cr: the samples themselves
//! P_Skip   nothing but a count (mb_skip_run): as in the frame before
//!
//! keyframe   slice of I_PCM alone · other frames: I_PCM where a sample has changed, P_Skip elsewhere
//! video tag  17|27 01 000000 · UI32 size, NAL unit SEI · UI32 size, NAL unit slice          (17 00 …: avcC with SPS and PPS)
//! SEI        user_data_unregistered (§D.1.7): UUID 16 bytes · frame number UI64 · Unix time in milliseconds UI64
//! audio tag  AF 01 · 8 bytes of AAC-LC, always the same                                     (AF 00 …: AudioSpecificConfig)
//! ```
//!
//! The tone: a sine of 2·*m* half bins lies exactly between two bins of the MDCT, whose sine window leaves nothing of it in any other bin, and
//! it has the same phase in each frame of 1024 samples. So two coefficients of equal size, the same in each frame, are a pure tone.
//!
//! The stream is a function of its time: all who begin at the same keyframe get the same bytes. The time of day is an argument
//! ([`PatternOptions::start_unix_ms`]), the room reads no clock and does not sleep.

mod aac;
mod bits;
mod generator;
mod h264;
mod picture;
#[cfg(test)]
mod tests;

pub use aac::SAMPLE_RATE;
pub use generator::{Pattern, PatternOptions, PatternTag};
pub use h264::STAMP_UUID;
