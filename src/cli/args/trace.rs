//! What is kept of a conversation, and a capture read again.

use std::path::PathBuf;

use clap::Args;

/// Options about a record of the conversation.
#[derive(Debug, Clone, Default, Args)]
pub struct TraceArgs {
    /// Write the conversation to a pcapng file, for Wireshark and rtmpcat trace
    ///
    /// It is written as RTMP over TCP port 1935, without TLS, RTMPE and tunnel, and contains passwords and tokens as sent.
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath, hide_short_help = true, help_heading = "Trace")]
    pub trace: Option<PathBuf>,
    /// Print each message on a line: time, direction, chunk stream, message stream, timestamp, type, length, contents
    ///
    /// With --debug its bytes as well.
    #[arg(long, hide_short_help = true, help_heading = "Trace")]
    pub log_messages: bool,
}

/// Options of `trace`.
#[derive(Debug, Args)]
#[command(after_help = "\
Reads what --trace wrote, and captures of RTMP made by tcpdump -w, dumpcap or Wireshark (pcapng or pcap): every connection
that starts with an RTMP handshake, at any port, and HTTP tunnels (RTMPT). RTMPS and RTMPE can only be read if --trace wrote them.

Exit codes: 0 all of it was read, 1 no RTMP found or the file cannot be read, 2 the file or a connection is damaged.

Examples:
  tcpdump -i any -w server.pcap port 1935
  rtmpcat trace server.pcap")]
pub struct TraceFileArgs {
    /// Capture to read; - is standard input
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub file: PathBuf,
    /// Show only connection number N
    #[arg(long, value_name = "N")]
    pub connection: Option<u32>,
    /// Leave out audio, video and aggregates
    #[arg(long)]
    pub no_media: bool,
    /// Show the bytes of each message as well
    #[arg(short = 'z', long)]
    pub debug: bool,
}
