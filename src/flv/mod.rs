//! FLV files: tags, a writer, a recorder that makes tags of messages. This room knows no sockets.

pub mod recorder;
pub mod tag;
pub mod timeline;
pub mod writer;
