//! Records a stream into a file: `cargo run --example record -- rtmp://host/app/stream out.flv`

use rtmpcat::record::{Event, Listener, Options, RetryOptions, Sink, UNLIMITED};
use rtmpcat::{Interrupt, Url, record};

/// Prints what matters to a person who waits.
struct Progress;

impl Listener for Progress {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Connecting { url, .. } => eprintln!("connecting to {}", url.host),
            Event::Metadata(metadata) => eprintln!("the stream has {} properties", metadata.properties.len()),
            Event::Retrying(retrying) => eprintln!("{}; again in {:.1?}", retrying.reason, retrying.delay),
            _ => {}
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(file)) = (arguments.next(), arguments.next()) else {
        return Err("usage: record URL FILE".into());
    };
    let url: Url = url.parse()?;
    let retry = RetryOptions { attempts: Some(UNLIMITED), ..RetryOptions::default() };
    let options = Options { index: true, retry, ..Options::default() };
    let outcome = record(&url, Sink::file(file), &options, &mut Progress, &Interrupt::default())?;
    println!("{:?}: {} ({} bytes)", outcome.verdict, outcome.end, outcome.stats.bytes);
    Ok(())
}
