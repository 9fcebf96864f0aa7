//! What benches/compare.sh needs beside the programs that it compares.
//!
//! ```text
//! floor send FILE          listens, prints its port, sends FILE to each who connects
//! floor recv PORT OUT KiB  connects, and writes what comes to OUT with a buffer of so many KiB: nothing can do less
//! floor file FLV CHUNK     an RTMP server that plays FLV by sendfile in chunks of that size, and prints its port
//! floor live FLV CHUNK     the same at the pace of life, over and over
//! floor relay PORT MS      listens, prints its port, relays to PORT with MS milliseconds each way
//! floor first COMMAND …    runs COMMAND, prints the milliseconds until its standard output has carried an audio or
//!                          video tag of an FLV, and ends it
//! ```

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

mod generator;
#[allow(dead_code)]
#[path = "../../tests/suite/common/relay.rs"]
mod relay;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["send", file] => send(file),
        ["recv", port, out, kib] => recv(number(port)?, out, number::<usize>(kib)? << 10),
        ["file", flv, chunk_size] => generator::file(flv, number(chunk_size)?),
        ["live", flv, chunk_size] => generator::live(flv, number(chunk_size)?),
        ["relay", port, delay_ms] => {
            let delay = Duration::from_millis(number(delay_ms)?);
            let relay = relay::Relay::start(number(port)?, relay::Faults { delay, ..Default::default() });
            println!("{}", relay.port);
            loop {
                std::thread::park();
            }
        }
        ["first", program, ref rest @ ..] => first(program, rest),
        // `cargo bench` runs every program here; this one measures nothing by itself.
        _ => Ok(()),
    }
}

fn number<T: std::str::FromStr>(text: &str) -> io::Result<T> {
    text.parse().map_err(|_| io::Error::other(format!("not a number: {text}")))
}

fn send(file: &str) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?.port());
    for socket in listener.incoming() {
        // A reader that leaves early is no reason to stop.
        let _ = io::copy(&mut std::fs::File::open(file)?, &mut socket?);
    }
    Ok(())
}

fn recv(port: u16, out: &str, buffer: usize) -> io::Result<()> {
    let mut socket = TcpStream::connect(("127.0.0.1", port))?;
    let mut out = std::fs::File::create(out)?;
    let mut buffer = vec![0; buffer];
    loop {
        match socket.read(&mut buffer)? {
            0 => return Ok(()),
            count => out.write_all(&buffer[..count])?,
        }
    }
}

fn first(program: &str, arguments: &[&str]) -> io::Result<()> {
    let begun = Instant::now();
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut stdout = child.stdout.take().ok_or_else(|| io::Error::other("no pipe"))?;
    let mut bytes = Vec::new();
    let mut buffer = [0; 65536];
    let took = loop {
        match stdout.read(&mut buffer)? {
            0 => break None,
            count => bytes.extend_from_slice(&buffer[..count]),
        }
        if holds_media(&bytes) {
            break Some(begun.elapsed());
        }
    };
    let _ = child.kill();
    child.wait()?;
    match took {
        Some(took) => println!("{:.1}", took.as_secs_f64() * 1000.0),
        None => println!("none"),
    }
    Ok(())
}

/// True once a whole audio or video tag has come.
fn holds_media(flv: &[u8]) -> bool {
    let mut at = 13;
    while let Some(header) = flv.get(at..at + 11) {
        let size = u32::from_be_bytes([0, header[1], header[2], header[3]]) as usize;
        if matches!(header[0], 8 | 9) && flv.len() >= at + 11 + size {
            return true;
        }
        at += 15 + size;
    }
    false
}
