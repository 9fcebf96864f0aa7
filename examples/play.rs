//! Pulls the frames of a stream and counts them: `cargo run --example play -- rtmp://host/app/stream`

use std::time::{Duration, Instant};

use rtmpcat::connect::{Failure, Options};
use rtmpcat::proto::message::message_type;
use rtmpcat::proto::session::{Event, SessionEvent, StatusKind};
use rtmpcat::{Connector, Interrupt, Url};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url: Url = std::env::args().nth(1).ok_or("usage: play URL")?.parse()?;
    let mut connector = Connector::new(&url, &Options::default())?;
    let mut client = connector.connect(&mut |_| {}, &Interrupt::default())?;
    let (mut audio, mut video, mut bytes, mut told) = (0, 0, 0, Instant::now());
    let end = 'stream: loop {
        // The client stands at the event that showed that the server plays; the payload is lent until the next poll.
        loop {
            match client.event() {
                Some(Event::Media(message, _)) => {
                    bytes += message.payload.len();
                    match message.header.message_type_id {
                        message_type::AUDIO => audio += 1,
                        message_type::VIDEO => video += 1,
                        _ => {}
                    }
                }
                Some(Event::Session(SessionEvent::Status(StatusKind::Ended, status))) => {
                    break 'stream status.to_string();
                }
                _ => {}
            }
            match client.poll() {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => break 'stream Failure::from(error).to_string(),
            }
        }
        if told.elapsed() >= Duration::from_secs(1) {
            told = Instant::now();
            println!("{audio} audio and {video} video messages, {bytes} bytes");
        }
        if let Err(error) = client.wait(Instant::now() + Duration::from_secs(1)) {
            break error.to_string();
        }
    };
    println!("{end}");
    client.close();
    Ok(())
}
