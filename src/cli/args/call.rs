//! One call of a server's method.

use clap::Args;

use super::connect::ConnectArgs;
use super::flash::FlashArgs;
use super::trace::TraceArgs;
use super::verbosity::VerbosityArgs;

/// Options of `call`.
#[derive(Debug, Args)]
#[command(
    infer_long_args = true,
    args_override_self = true,
    allow_negative_numbers = true,
    override_usage = "rtmpcat call [OPTIONS] URL METHOD [ARG]...",
    after_help = "\
ARG is JSON (5, true, null, '\"text\"', '[1, 2]', '{\"a\": 1}') or rtmpdump's notation (N:5, B:1, Z:, S:text, O:1 NS:name:text O:0).
What JSON lacks is an object with a name that begins with $: {\"$date\": MS}, {\"$undefined\": true}, {\"$ecma\": {...}},
{\"$class\": \"Name\", \"members\": {...}}, {\"$xmlDocument\": TEXT}, {\"$ref\": N}, {\"$number\": \"NaN\"}; in AMF 3 also {\"$bytes\": BASE64},
{\"$xml\": TEXT}, {\"$array\": [...], \"members\": {...}}, {\"$vector\": \"int\", \"items\": [...]}, {\"$dictionary\": [[KEY, VALUE]...]}.

Each value of the reply is printed as one line of JSON, in the same forms.
Exit codes: 0 replied, 1 rejected or replied with _error, 3 no session (resolve, connect, handshake).

Examples:
  rtmpcat call rtmp://host/app echo '{\"a\": [1, 2.5]}'
  rtmpcat call --amf3 rtmp://host/app echo '{\"$bytes\": \"AAEC\"}' S:text"
)]
pub struct CallArgs {
    /// Server and application: rtmp[t|e|te|s|ts]://host[:port]/app
    #[arg(value_name = "URL", value_hint = clap::ValueHint::Url)]
    pub url: String,
    /// Name of the method
    #[arg(value_name = "METHOD")]
    pub method: String,
    /// Arguments of the method
    #[arg(value_name = "ARG")]
    pub arguments: Vec<String>,
    /// Use AMF 3: announce objectEncoding 3 and encode the arguments in it
    #[arg(long)]
    pub amf3: bool,
    /// Print the whole reply as one object: name, transaction, command object, arguments
    #[arg(long)]
    pub full: bool,
    /// How to get to the server.
    #[command(flatten)]
    pub connect: ConnectArgs,
    /// How much is said.
    #[command(flatten)]
    pub verbosity: VerbosityArgs,
    /// What is kept of the conversation.
    #[command(flatten)]
    pub trace: TraceArgs,
    /// What a Flash Player says of itself.
    #[command(flatten)]
    pub flash: FlashArgs,
}
