//! Options about Enhanced RTMP: what is announced to the server, and what is kept of what it sends.

use clap::Args;

/// How Enhanced RTMP is dealt with.
#[derive(Debug, Clone, Default, Args)]
pub struct EnhancedArgs {
    /// Do not announce Enhanced RTMP (fourCcList, capsEx, ...): send what Flash Player sent
    #[arg(long, help_heading = "Connect")]
    pub legacy: bool,
    /// Save track N alone of multitrack video; 0 is the first one, and the only one of other streams
    #[arg(long, value_name = "N", help_heading = "Output")]
    pub video_track: Option<u8>,
    /// The same for audio
    #[arg(long, value_name = "N", help_heading = "Output")]
    pub audio_track: Option<u8>,
    /// Save H.264 and AAC that come with the headers of Enhanced RTMP (avc1, mp4a) with the old ones, for players that do
    /// not know these; of several tracks choose one
    #[arg(long, help_heading = "Output")]
    pub legacy_tags: bool,
}
