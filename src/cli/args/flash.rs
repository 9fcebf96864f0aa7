//! What a Flash Player says of itself: needed for few servers of today, and last in the help.

use clap::Args;

/// Heading of these options.
pub const HEADING: &str = "Flash-era options";

/// Options of the connect command, the handshake and SWF verification.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = HEADING)]
pub struct FlashArgs {
    /// tcUrl to send with connect [default: from the URL]
    #[arg(short = 't', long = "tcUrl", value_name = "URL", value_parser = super::values::name(), allow_hyphen_values = true, hide_short_help = true)]
    pub tc_url: Option<String>,
    /// pageUrl to send with connect
    #[arg(short = 'p', long = "pageUrl", value_name = "URL", allow_hyphen_values = true, hide_short_help = true)]
    pub page_url: Option<String>,
    /// swfUrl to send with connect
    #[arg(short = 's', long = "swfUrl", value_name = "URL", allow_hyphen_values = true, hide_short_help = true)]
    pub swf_url: Option<String>,
    /// URL of the player's SWF file, for SWF verification; also sent as swfUrl
    #[arg(short = 'W', long = "swfVfy", value_name = "URL", allow_hyphen_values = true, hide_short_help = true)]
    pub swf_vfy: Option<String>,
    /// Cache a downloaded SWF file for DAYS days; 0 revalidates every time [default: 30]
    #[arg(short = 'X', long = "swfAge", value_name = "DAYS", allow_hyphen_values = true, hide_short_help = true)]
    pub swf_age: Option<u32>,
    /// HMAC-SHA256 of the decompressed SWF file (64 hex digits), instead of --swfVfy
    #[arg(short = 'w', long = "swfhash", value_name = "HEX", allow_hyphen_values = true, hide_short_help = true)]
    pub swf_hash: Option<String>,
    /// Size of the decompressed SWF file in bytes, for --swfhash
    #[arg(
        short = 'x',
        long = "swfsize",
        value_name = "BYTES",
        value_parser = clap::value_parser!(u32).range(1..),
        allow_hyphen_values = true,
        hide_short_help = true
    )]
    pub swf_size: Option<u32>,
    /// Flash Player version to send with connect [default: LNX 10,0,32,18]
    #[arg(short = 'f', long = "flashVer", value_name = "TEXT", allow_hyphen_values = true, hide_short_help = true)]
    pub flash_ver: Option<String>,
    /// Append the boolean true and this string to connect
    #[arg(short = 'u', long, value_name = "TEXT", allow_hyphen_values = true, hide_short_help = true)]
    pub auth: Option<String>,
    /// Append a value to connect: B:0|1, N:NUMBER, S:TEXT, Z:, O:1 ... O:0 with NB:, NN:, NS:, NO: inside; repeatable
    #[arg(short = 'C', long, value_name = "TYPE:DATA", allow_hyphen_values = true, hide_short_help = true)]
    pub conn: Vec<String>,
    /// Key for SecureToken
    #[arg(short = 'T', long, value_name = "KEY", allow_hyphen_values = true, hide_short_help = true)]
    pub token: Option<String>,
    /// Token for NetStream.Authenticate.UsherToken
    #[arg(short = 'j', long, value_name = "JSON", allow_hyphen_values = true, hide_short_help = true)]
    pub jtv: Option<String>,
    /// Request the digest handshake
    #[arg(long, hide_short_help = true)]
    pub digest: bool,
    /// Do not announce Enhanced RTMP (fourCcList, capsEx, ...)
    #[arg(long, hide_short_help = true)]
    pub legacy: bool,
}

/// Options of the commands that lead to a stream.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = HEADING)]
pub struct FlashStreamArgs {
    /// Stream name for FCSubscribe [default with --live: the stream's name]
    #[arg(short = 'd', long, value_name = "NAME", value_parser = super::values::name(), allow_hyphen_values = true, hide_short_help = true)]
    pub subscribe: Option<String>,
    /// Send set_playlist before play
    #[arg(short = 'Y', long, hide_short_help = true)]
    pub playlist: bool,
    /// Wait for each reply before sending the next command
    #[arg(long, conflicts_with = "fast_start", hide_short_help = true)]
    pub strict_order: bool,
    /// Send connect, createStream and play together
    #[arg(long, hide_short_help = true)]
    pub fast_start: bool,
}
