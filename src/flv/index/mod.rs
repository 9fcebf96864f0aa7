//! The onMetaData of our own: duration, sizes, and the keyframe index, in a tag whose size never changes.
//!
//! ```text
//! "onMetaData" · ECMA array { our properties · keyframes { filepositions[], times[] } · the server's other properties
//!                           · filler: strict array of zeros } 00 00 09
//! ```
//!
//! The tag is written first, with room for thousands of keyframes, and overwritten in place from then on. The room that is
//! not used is an array of the number 0: nine zero bytes each, which any AMF decoder passes over (a string would not do:
//! ffmpeg gives up on one above 1 KiB). Only what stands before the filler has to be written again. When the room is used up,
//! every other keyframe is dropped from the index, and from then on only every other one comes in.

mod build;
mod restore;

pub use build::{Index, RESERVED_KEYFRAMES};
pub use restore::{is_ours, restore};
