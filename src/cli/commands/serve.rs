//! `rtmpcat serve` and `rtmpcat demo`.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::pattern::PatternOptions;
use crate::proto::server::ServerOptions;
use crate::serve::{Listen, Pace, ServeOptions, Server};
use crate::transport::{Interrupt, ServerTlsOptions};
use crate::util::text::printable;

use crate::cli::args::{DemoArgs, OutputArgs, ServeArgs};
use crate::cli::events::Events;
use crate::cli::exit::Code;
use crate::cli::log::{Level, Log};
use crate::cli::output::{RecordEvents, RecordLog, RecordOutput, conclude};
use crate::cli::progress::Progress;
use crate::cli::resolve::{self, Dialect};
use crate::record::{self, Sink};

/// Serves until a signal arrives or the wanted number of clients has disconnected.
pub fn run(args: &ServeArgs, interrupt: &Interrupt) -> Code {
    let log = Log::new(if args.quiet { Level::Quiet } else { Level::Info });
    let gate = match resolve::access_policy(args) {
        Ok(gate) => gate,
        Err(reason) => {
            log.error(&format!("{reason:#}"));
            return Code::Failed;
        }
    };
    let options = ServeOptions {
        listen: addresses(args),
        paths: args.files.clone(),
        pattern: PatternOptions { start_unix_ms: unix_ms(), ..PatternOptions::default() },
        session: ServerOptions { chunk_size: Some(args.chunk_size), access: gate, ..ServerOptions::default() },
        secure_token: args.secure_token.clone(),
        pace: if args.fast { Pace::Fast } else { Pace::Buffer },
        stop_after: args.max_clients.map(|count| count as usize),
        log: (!args.quiet).then(|| -> crate::serve::Log {
            // From several threads, each line at once.
            Arc::new(|entry| drop(writeln!(std::io::stderr(), "{}", printable(&entry.to_string()))))
        }),
        ..ServeOptions::default()
    };
    let server = match Server::start(options) {
        Ok(server) => server,
        Err(error) => {
            Log::new(Level::Error).error(&error.to_string());
            return Code::Failed;
        }
    };
    let made: String = server.endpoints().iter().filter_map(|endpoint| endpoint.certificate.as_deref()).collect();
    if let Some(file) = &args.write_cert
        && let Err(error) = std::fs::write(file, made)
    {
        log.error(&format!("{}: {error}", file.display()));
        return Code::Failed;
    }
    for url in server.urls() {
        log.line(&format!("Serving {url}"));
    }
    while !interrupt.is_set() && !server.is_finished() {
        std::thread::park_timeout(Duration::from_millis(50));
    }
    server.stop();
    Code::Complete
}

/// The addresses to listen on.
fn addresses(args: &ServeArgs) -> Vec<Listen> {
    let tls = || Some(ServerTlsOptions { cert: args.cert.clone(), key: args.key.clone(), names: Vec::new() });
    let addresses = [
        Some(Listen::plain(args.listen)),
        args.listen_tls.map(|address| Listen { tls: tls(), ..Listen::plain(address) }),
        args.listen_tunnel.map(|address| Listen { tunnel: true, ..Listen::plain(address) }),
        args.listen_rtmfp.map(|address| Listen { rtmfp: true, ..Listen::plain(address) }),
        args.listen_tunnel_tls.map(|address| Listen { tls: tls(), tunnel: true, ..Listen::plain(address) }),
    ];
    addresses.into_iter().flatten().collect()
}

/// Records a few seconds of the test stream from a server of its own.
pub fn demo(args: &DemoArgs, interrupt: &Interrupt) -> Code {
    let log = Log::new(Level::Info);
    let pattern = PatternOptions { start_unix_ms: unix_ms(), ..PatternOptions::default() };
    let server = match Server::start(ServeOptions { pattern, ..ServeOptions::default() }) {
        Ok(server) => server,
        Err(error) => {
            log.error(&error.to_string());
            return Code::Failed;
        }
    };
    let url = server.url();
    log.line(&format!("Serving a test stream at {url}"));
    let code = save(&url, args, &log, interrupt);
    server.stop();
    if code == Code::Complete {
        let size = std::fs::metadata(&args.output).map(|data| data.len()).unwrap_or_default();
        let name = args.output.display();
        let seconds = args.seconds.as_secs_f64();
        log.line(&format!(
            "Saved {seconds} s of video and audio to {name} ({size} bytes). Play it with: ffplay {name}"
        ));
    }
    code
}

/// Records the stream that is served.
fn save(url: &str, args: &DemoArgs, log: &Log, interrupt: &Interrupt) -> Code {
    let stop_ms = Some(args.seconds.as_millis() as u64);
    let options = record::Options { live: true, stop_ms, index: true, ..record::Options::default() };
    let mut output = RecordOutput {
        progress: Progress::new(log, &OutputArgs::default(), Dialect::Own),
        log: RecordLog::new(&options, false, Dialect::Own, log),
        events: RecordEvents::new(&Events::default(), log),
    };
    let recorded = url
        .parse()
        .map_err(anyhow::Error::from)
        .and_then(|url| Ok(record::record(&url, Sink::file(&args.output), &options, &mut output, interrupt)?));
    match recorded {
        Ok(outcome) => conclude(&outcome, Some(&args.output), &output),
        Err(error) => {
            log.error(&format!("{error:#}"));
            Code::Failed
        }
    }
}

/// Unix time in milliseconds.
fn unix_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
