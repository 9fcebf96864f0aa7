//! FLV files: tags, not sockets. `tag` knows the bytes; `reader`, `writer` and `sink` (files, pipes) move them; `timeline`
//! decides on timestamps; `recorder` makes tags of messages with `script`; `index` makes a file seekable while it grows; `tail`
//! and `realign` find where a stream continues after what a file has already.

pub mod index;
pub mod reader;
pub mod realign;
pub mod recorder;
pub mod repair;
pub mod script;
pub mod segmenter;
pub mod sink;
pub mod tag;
pub mod tail;
pub mod timeline;
pub mod writer;
