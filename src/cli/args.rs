//! The command line: one definition for help, man page and completions.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, CommandFactory, Parser, Subcommand};

use super::endure::EndureArgs;
use super::enhanced::EnhancedArgs;
use super::trace::TraceArgs;

/// Play a live or on-demand RTMP stream and save it as FLV
#[derive(Debug, Parser)]
#[command(
    name = "rtmpcat",
    disable_version_flag = true,
    disable_help_flag = true,
    infer_long_args = true,
    args_override_self = true,
    subcommand_precedence_over_arg = true,
    args_conflicts_with_subcommands = true,
    override_usage = "rtmpcat [OPTIONS] URL\n       rtmpcat COMMAND",
    after_help = "\
Exit codes:
  0  complete
  1  failed: rejected, not found, usage, output
  2  incomplete: media was saved, then it broke off, or a signal came
  3  no session: resolve, connect, handshake

Examples:
  rtmpcat rtmp://host/live/stream -o out.flv
  rtmpcat -v rtmp://host/live/stream | ffplay -"
)]
pub struct Cli {
    /// What to do instead of playing a stream.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Options of playing.
    #[command(flatten)]
    pub dump: DumpArgs,
    /// Print the version
    #[arg(long)]
    pub version: bool,
}

/// The same options without commands: for a program called `rtmpdump`, and where no command was given.
#[derive(Debug, Parser)]
#[command(
    name = "rtmpdump",
    disable_version_flag = true,
    disable_help_flag = true,
    infer_long_args = true,
    args_override_self = true
)]
pub struct Compat {
    /// Options of playing.
    #[command(flatten)]
    pub dump: DumpArgs,
}

/// Other things to do.
// There is one of it, for as long as the program runs.
#[allow(clippy::large_enum_variant)]
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve FLV files, or a live test pattern, over RTMP
    Serve(Box<ServeArgs>),
    /// Start the built-in server, save some seconds of its test pattern to demo.flv, and say what was saved
    Demo(DemoArgs),
    /// Call a method of the server and print its reply as JSON
    Call(Box<super::call::CallArgs>),
    /// Tell whether a server is all right and what is in its stream
    Probe(Box<super::probe::ProbeArgs>),
    /// Tell what is in an FLV file and what is wrong with it
    Inspect(super::inspect::InspectArgs),
    /// Make a sound and seekable FLV of a cut, damaged or foreign one
    Repair(super::repair::RepairArgs),
    /// List the RTMP messages in a capture (pcapng or pcap)
    Trace(super::trace::TraceCommand),
}

/// Options of `serve`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("tls").multiple(true))]
pub struct ServeArgs {
    /// FLV files, or directories of them; none: a live test pattern under any name
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Address and port to listen on for rtmp and rtmpe; port 0 takes a free one
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:1935")]
    pub listen: std::net::SocketAddr,
    /// Speak TLS (rtmps) at this address and port besides
    #[arg(long, value_name = "ADDR:PORT", group = "tls")]
    pub listen_tls: Option<std::net::SocketAddr>,
    /// Take HTTP tunnels (rtmpt, rtmpte) at this address and port besides
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen_tunnel: Option<std::net::SocketAddr>,
    /// Take HTTP tunnels over TLS (rtmpts) at this address and port besides
    #[arg(long, value_name = "ADDR:PORT", group = "tls")]
    pub listen_tunnel_tls: Option<std::net::SocketAddr>,
    /// PEM file of the certificate for TLS, and perhaps of its key; without one a self-signed one is made
    #[arg(long, value_name = "FILE", requires = "tls")]
    pub cert: Option<PathBuf>,
    /// PEM file of the certificate's private key
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,
    /// Write the certificates that were made (one for each TLS port) to this file, for players to trust (rtmpcat --cafile FILE)
    #[arg(long, value_name = "FILE", requires = "tls", conflicts_with = "cert")]
    pub write_cert: Option<PathBuf>,
    /// Chunk size to send with, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 4096)]
    pub chunk_size: u32,
    /// Let in only this user, with the password of --password-file
    #[arg(long, value_name = "NAME", requires = "password_file")]
    pub user: Option<String>,
    /// File with the password in its first line
    #[arg(long, value_name = "FILE", requires = "user")]
    pub password_file: Option<PathBuf>,
    /// How to ask for the password
    #[arg(long, value_name = "SCHEME", value_parser = ["adobe", "llnw"], default_value = "adobe", requires = "user")]
    pub authmod: String,
    /// Let in only who knows this key (SecureToken)
    #[arg(long, value_name = "KEY", allow_hyphen_values = true)]
    pub secure_token: Option<String>,
    /// Let in only who proves to have this SWF file
    #[arg(long, value_name = "FILE")]
    pub swf_verify: Option<String>,
    /// Stop after this many players have come and gone
    #[arg(long, value_name = "N")]
    pub max_clients: Option<u32>,
    /// Send files as fast as the player takes them, whatever buffer it asks for
    #[arg(long)]
    pub fast: bool,
    /// Say nothing
    #[arg(short, long)]
    pub quiet: bool,
    /// Print help
    #[arg(short, long, action = clap::ArgAction::Help)]
    help: Option<bool>,
}

/// Options of `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// File to write
    #[arg(short, long, value_name = "FILE", default_value = "demo.flv")]
    pub output: PathBuf,
    /// Seconds to save
    #[arg(long, value_name = "SECONDS", default_value_t = 3.0)]
    pub seconds: f64,
    /// Print help
    #[arg(short, long, action = clap::ArgAction::Help)]
    help: Option<bool>,
}

/// Options of playing a stream. Letters and names are rtmpdump's, so are their meanings.
#[derive(Debug, Clone, Args)]
pub struct DumpArgs {
    /// Stream to play: rtmp[t|e|te|s|ts]://host[:port]/app/playpath, with librtmp's key=value words if need be
    ///
    /// rtmps and rtmpts are protected by TLS; rtmpt, rtmpts and rtmpte go through HTTP. rtmpe and rtmpte are obfuscation, not
    /// security: nobody's identity is proved, and their cipher is out of date.
    #[arg(value_name = "URL")]
    pub urls: Vec<String>,

    /// Stream to play, as the positional argument
    #[arg(short = 'r', long, value_name = "URL", allow_hyphen_values = true, help_heading = "Stream")]
    pub rtmp: Vec<String>,
    /// Stream to play, in librtmp's form: "URL key=value key=value"; the keys start and stop are in milliseconds, \20 is a
    /// space in a value
    #[arg(short = 'i', long, value_name = "URL", allow_hyphen_values = true, help_heading = "Stream")]
    pub url: Option<String>,
    /// Host, in place of the URL's
    #[arg(short = 'n', long, value_name = "HOST", allow_hyphen_values = true, help_heading = "Stream")]
    pub host: Option<String>,
    /// Port, in place of the URL's
    #[arg(short = 'c', long, value_name = "PORT", allow_hyphen_values = true, help_heading = "Stream")]
    pub port: Option<String>,
    /// Protocol: 0 rtmp, 1 rtmpt, 2 rtmpe, 3 rtmpte, 4 rtmps, 5 rtmpts
    #[arg(short = 'l', long, value_name = "N", allow_hyphen_values = true, help_heading = "Stream")]
    pub protocol: Option<String>,
    /// Application, in place of the URL's
    #[arg(short = 'a', long, value_name = "APP", allow_hyphen_values = true, help_heading = "Stream")]
    pub app: Option<String>,
    /// Stream name, in place of the URL's; taken as it is
    #[arg(short = 'y', long, value_name = "NAME", allow_hyphen_values = true, help_heading = "Stream")]
    pub playpath: Option<String>,
    /// Send set_playlist before play
    #[arg(short = 'Y', long, help_heading = "Stream")]
    pub playlist: bool,
    /// The stream is live
    #[arg(short = 'v', long, help_heading = "Stream")]
    pub live: bool,
    /// Name for FCSubscribe (with --live: the stream's)
    #[arg(short = 'd', long, value_name = "NAME", allow_hyphen_values = true, help_heading = "Stream")]
    pub subscribe: Option<String>,
    /// Start this many seconds into an on-demand stream
    #[arg(short = 'A', long, value_name = "SECONDS", allow_hyphen_values = true, help_heading = "Stream")]
    pub start: Option<String>,
    /// Stop at this many seconds into the stream; held by rtmpcat itself, for live streams too
    #[arg(short = 'B', long, value_name = "SECONDS", allow_hyphen_values = true, help_heading = "Stream")]
    pub stop: Option<String>,
    /// Buffer length to announce, in milliseconds
    #[arg(short = 'b', long, value_name = "MS", allow_hyphen_values = true, help_heading = "Stream")]
    pub buffer: Option<String>,
    /// Let the server set the pace: no pausing and unpausing when its buffer is empty
    #[arg(short = 'R', long, help_heading = "Stream")]
    pub realtime: bool,

    /// File to write; - or nothing is standard output
    #[arg(short = 'o', long, value_name = "FILE", allow_hyphen_values = true, help_heading = "Output", value_parser = any_path())]
    pub flv: Option<PathBuf>,
    /// Go on with the file where it breaks off (on-demand streams only); the same as without where there is none
    #[arg(short = 'e', long, help_heading = "Output")]
    pub resume: bool,
    /// With --resume: go on from so many keyframes before the last one
    #[arg(short = 'k', long, value_name = "N", allow_hyphen_values = true, help_heading = "Output")]
    pub skip: Option<String>,
    /// Keep the server's timestamps instead of counting from 0
    #[arg(long, help_heading = "Output")]
    pub absolute_timestamps: bool,
    /// Show progress as hash marks
    #[arg(short = '#', long, help_heading = "Output")]
    pub hashes: bool,
    /// Say nothing
    #[arg(short = 'q', long, overrides_with_all = ["verbose", "debug"], help_heading = "Output")]
    pub quiet: bool,
    /// Say more: what is asked for, what is answered
    #[arg(short = 'V', long, overrides_with_all = ["quiet", "debug"], help_heading = "Output")]
    pub verbose: bool,
    /// Say everything, bytes on the wire included
    #[arg(short = 'z', long, overrides_with_all = ["quiet", "verbose"], help_heading = "Output")]
    pub debug: bool,

    /// tcUrl to send with connect
    #[arg(short = 't', long = "tcUrl", value_name = "URL", allow_hyphen_values = true, help_heading = "Connect")]
    pub tc_url: Option<String>,
    /// pageUrl to send with connect
    #[arg(short = 'p', long = "pageUrl", value_name = "URL", allow_hyphen_values = true, help_heading = "Connect")]
    pub page_url: Option<String>,
    /// swfUrl to send with connect
    #[arg(short = 's', long = "swfUrl", value_name = "URL", allow_hyphen_values = true, help_heading = "Connect")]
    pub swf_url: Option<String>,
    /// SWF file of the player, by its URL: sent as swfUrl, fetched (through --proxy, trusting --cafile, where these are given),
    /// and proved to be known when the server asks
    #[arg(short = 'W', long = "swfVfy", value_name = "URL", allow_hyphen_values = true, help_heading = "Connect")]
    pub swf_vfy: Option<String>,
    /// Days for which a fetched SWF file is not asked for again; 0: ask each time [30]
    #[arg(short = 'X', long = "swfAge", value_name = "DAYS", allow_hyphen_values = true, help_heading = "Connect")]
    pub swf_age: Option<String>,
    /// Hash of the unpacked SWF file (HMAC-SHA256, 64 hexadecimal digits), in place of --swfVfy; with --swfsize
    #[arg(short = 'w', long = "swfhash", value_name = "HEX", allow_hyphen_values = true, help_heading = "Connect")]
    pub swf_hash: Option<String>,
    /// Size of the unpacked SWF file in bytes; with --swfhash
    #[arg(short = 'x', long = "swfsize", value_name = "BYTES", allow_hyphen_values = true, help_heading = "Connect")]
    pub swf_size: Option<String>,
    /// Flash Player version to send with connect
    #[arg(short = 'f', long = "flashVer", value_name = "TEXT", allow_hyphen_values = true, help_heading = "Connect")]
    pub flash_ver: Option<String>,
    /// String to append to connect, behind a true
    #[arg(short = 'u', long, value_name = "TEXT", allow_hyphen_values = true, help_heading = "Connect")]
    pub auth: Option<String>,
    /// Value to append to connect: B:0|1, N:number, S:text, Z:, O:1 … O:0 with NB:, NN:, NS:, NO: inside. Repeatable
    #[arg(short = 'C', long, value_name = "TYPE:DATA", allow_hyphen_values = true, help_heading = "Connect")]
    pub conn: Vec<String>,
    /// Key of SecureToken
    #[arg(short = 'T', long, value_name = "KEY", allow_hyphen_values = true, help_heading = "Connect")]
    pub token: Option<String>,
    /// User for servers that ask for one (authmod); also rtmp://USER:PASSWORD@host and RTMPCAT_USER
    #[arg(long, value_name = "NAME", allow_hyphen_values = true, help_heading = "Connect")]
    pub user: Option<String>,
    /// File with the password in its first line; also RTMPCAT_PASSWORD, both of which keep it out of the list of processes
    #[arg(long, value_name = "FILE", help_heading = "Connect")]
    pub password_file: Option<PathBuf>,
    /// Token for NetStream.Authenticate.UsherToken
    #[arg(short = 'j', long, value_name = "JSON", allow_hyphen_values = true, help_heading = "Connect")]
    pub jtv: Option<String>,
    /// Ask for the digest handshake
    #[arg(long, help_heading = "Connect")]
    pub digest: bool,
    /// Wait for each answer before the next command
    #[arg(long, conflicts_with = "fast_start", help_heading = "Connect")]
    pub strict_order: bool,
    /// Send connect, createStream and play together
    #[arg(long, help_heading = "Connect")]
    pub fast_start: bool,
    /// Do not follow redirects
    #[arg(long, help_heading = "Connect")]
    pub no_redirect: bool,

    /// Seconds without media after which the stream counts as stalled; 0: wait for ever
    #[arg(short = 'm', long, value_name = "SECONDS", allow_hyphen_values = true, help_heading = "Time")]
    pub timeout: Option<String>,
    /// Seconds for each step of getting there: resolve, connect, handshake, commands
    #[arg(long, value_name = "SECONDS", help_heading = "Time")]
    pub connect_timeout: Option<f64>,
    /// Seconds from play to the first media
    #[arg(long, value_name = "SECONDS", help_heading = "Time")]
    pub first_media_timeout: Option<f64>,
    /// Stop after this many seconds of wall-clock time
    #[arg(long, value_name = "SECONDS", help_heading = "Time")]
    pub duration: Option<f64>,
    /// Stop when the output has this many bytes
    #[arg(long, value_name = "BYTES", help_heading = "Output")]
    pub max_size: Option<u64>,

    /// Several files instead of one.
    #[command(flatten)]
    pub segments: SegmentArgs,

    /// What to do when something breaks.
    #[command(flatten)]
    pub endure: EndureArgs,
    /// What is made of Enhanced RTMP.
    #[command(flatten)]
    pub enhanced: EnhancedArgs,
    /// What is kept of the conversation.
    #[command(flatten)]
    pub tracing: TraceArgs,

    /// Use IPv4 only
    #[arg(long, conflicts_with = "ipv6", help_heading = "Network")]
    pub ipv4: bool,
    /// Use IPv6 only
    #[arg(long, help_heading = "Network")]
    pub ipv6: bool,
    /// Local address to connect from
    #[arg(long, value_name = "ADDR", help_heading = "Network")]
    pub bind: Option<std::net::IpAddr>,
    /// How to reach the server and whom to trust there.
    #[command(flatten)]
    pub network: NetworkArgs,

    /// Print help
    #[arg(short, long)]
    pub help: bool,
}

/// Options of cutting a recording into files.
#[derive(Debug, Clone, Default, Args)]
pub struct SegmentArgs {
    /// Begin a new file at the first keyframe from every SECONDS of the recording on. In the name (-o) strftime's % stand for
    /// the time at which a file is begun, %{n:4} for its number in four digits at least (without the :4, in as many as it
    /// takes); a name without any gets a hyphen and the number. A file has .part behind its name until it is complete, and never takes the place of another
    #[arg(long, value_name = "SECONDS", value_parser = length_of_time, help_heading = "Segments")]
    pub segment_time: Option<Duration>,
    /// Begin a new file at the first keyframe once one has this many bytes
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Segments")]
    pub segment_size: Option<u64>,
    /// Begin a new file at the first keyframe behind a change
    #[arg(long, value_name = "WHAT", value_enum, help_heading = "Segments")]
    pub segment_on: Option<SegmentOn>,
    /// Program to run (without a shell) for each complete file, with its name; one after the other, beside the recording.
    /// What it writes to standard output goes to standard error
    #[arg(long, value_name = "CMD", help_heading = "Segments")]
    pub on_segment: Option<std::ffi::OsString>,
    /// Keep the newest N complete files; older ones of the same run are removed, once CMD has had them
    #[arg(long, value_name = "N", help_heading = "Segments")]
    pub keep: Option<std::num::NonZeroU32>,
}

/// What begins a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum SegmentOn {
    /// Another codec, or another configuration of it
    CodecChange,
}

/// Any path, an empty one too: that it cannot be opened is said where it is tried.
fn any_path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

fn length_of_time(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    let time = Duration::try_from_secs_f64(seconds).map_err(|_| "no length of time".to_owned())?;
    if time.as_millis() == 0 { Err("no length of time".to_owned()) } else { Ok(time) }
}

/// Options of the layers below RTMP.
#[derive(Debug, Clone, Default, Args)]
pub struct NetworkArgs {
    /// SOCKS4 proxy; its port is 1080 unless given
    #[arg(
        short = 'S',
        long,
        value_name = "HOST[:PORT]",
        allow_hyphen_values = true,
        conflicts_with = "proxy",
        help_heading = "Network"
    )]
    pub socks: Option<String>,
    /// Proxy: [socks4|socks4a|socks5|socks5h|http]://[user:password@]host[:port]; without it that of ALL_PROXY, unless
    /// NO_PROXY names the host; "" is none at all
    #[arg(long, value_name = "URL", help_heading = "Network")]
    pub proxy: Option<String>,
    /// Ask for /fcs/ident2 before a tunnel is opened, as Flash Player does (rtmpt, rtmpts, rtmpte)
    #[arg(long, help_heading = "Network")]
    pub tunnel_ident: bool,
    /// Trust the certificates in this PEM file instead of the system's (rtmps, rtmpts)
    #[arg(long, value_name = "FILE", help_heading = "Network")]
    pub cafile: Option<PathBuf>,
    /// Accept only servers with this public key, besides all other checks; several with ; between them
    #[arg(long, value_name = "sha256//BASE64", help_heading = "Network")]
    pub pin: Option<crate::transport::Pins>,
    /// Accept any certificate: anybody on the way can then read and change everything
    #[arg(long, help_heading = "Network")]
    pub insecure: bool,
    /// PEM file of a client certificate, and perhaps of its key
    #[arg(long, value_name = "FILE", help_heading = "Network")]
    pub cert: Option<PathBuf>,
    /// PEM file of the client certificate's private key
    #[arg(long, value_name = "FILE", requires = "cert", help_heading = "Network")]
    pub key: Option<PathBuf>,
}

/// The definition as clap's own type: for help, man page and completions.
pub fn command() -> clap::Command {
    Cli::command()
}

/// The number at the beginning of a text, as C's atof reads it: 0 where there is none.
pub fn leading_number(text: &str) -> f64 {
    let text = text.trim_start();
    let end = (1..=text.len()).rev().find(|end| {
        text.get(..*end).is_some_and(|t| t.parse::<f64>().is_ok_and(f64::is_finite) && !t.ends_with(['e', 'E']))
    });
    end.and_then(|end| text.get(..end)).and_then(|t| t.parse().ok()).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        command().debug_assert();
        Compat::command().debug_assert();
    }

    #[test]
    fn helps_have_no_line_breaks_in_the_middle_of_words() {
        // clap takes this for one.
        for argument in command().get_arguments() {
            let help = argument.get_long_help().or(argument.get_help()).map(ToString::to_string).unwrap_or_default();
            assert!(!help.contains("{n}"), "{help}");
        }
    }

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        for (text, number) in
            [("30", 30.0), ("1.5s", 1.5), (" 7x", 7.0), ("x", 0.0), ("", 0.0), ("-3", -3.0), ("1e3", 1000.0)]
        {
            assert_eq!(leading_number(text), number, "{text}");
        }
    }

    fn parse(args: &[&str]) -> DumpArgs {
        Cli::try_parse_from(["rtmpcat"].iter().chain(args)).unwrap().dump
    }

    #[test]
    fn gnu_habits() {
        let args = parse(&[
            "-vqr",
            "rtmp://h/a/s",
            "--swfU=x",
            "-o",
            "-",
            "--conn",
            "S:",
            "-CB:1",
            "--tcUrl",
            "-odd",
            "-m",
            "3",
            "-m5",
        ]);
        assert!(args.live && args.quiet);
        assert_eq!(args.rtmp, ["rtmp://h/a/s"]);
        assert_eq!(args.swf_url.as_deref(), Some("x"));
        assert_eq!(args.flv, Some("-".into()));
        assert_eq!(args.conn, ["S:", "B:1"]);
        assert_eq!(args.tc_url.as_deref(), Some("-odd"));
        assert_eq!(args.timeout.as_deref(), Some("5"));
        assert_eq!(parse(&["rtmp://h/a/s", "-V", "-V"]).urls, ["rtmp://h/a/s"]);
    }

    #[test]
    fn commands_and_urls_do_not_mix() {
        let cli = Cli::try_parse_from(["rtmpcat", "serve", "a.flv", "--listen", "127.0.0.1:0"]).unwrap();
        assert!(matches!(cli.command, Some(Command::Serve(args)) if args.files == [PathBuf::from("a.flv")]));
        assert!(Compat::try_parse_from(["rtmpdump", "serve", "-r", "x"]).unwrap().dump.urls == ["serve"]);
    }
}
