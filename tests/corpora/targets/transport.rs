//! Answers of web servers and tunnels.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use rtmpcat::http::{Body, HeadReader};
use rtmpcat::transport::{DialOptions, Interrupt, Recv, Transport, TunnelOptions};

use super::pieces;

/// cut · a head and its body. Every cut gives the same data.
pub fn http(data: &[u8]) {
    let Some((&cut, input)) = data.split_first() else { return };
    let mut bodies = Vec::new();
    if let Ok(Some((request, taken))) = HeadReader::default().request(input) {
        bodies.push((request.body, taken));
    }
    let whole = HeadReader::default().response(input);
    let mut reader = HeadReader::default();
    let mut come = 0;
    let mut in_pieces = Ok(None);
    for piece in pieces(input, cut) {
        come += piece.len();
        in_pieces = reader.response(&input[..come]);
        if !matches!(in_pieces, Ok(None)) {
            break;
        }
    }
    // The beginning alone may be enough for an error.
    assert!(in_pieces == whole || in_pieces.is_err() || whole.is_err());
    if let Ok(Some((response, taken))) = whole {
        bodies.push((response.body, taken));
    }
    for (body, taken) in bodies {
        assert!(taken <= input.len());
        let whole = collect(body.clone(), &input[taken..], 0);
        let cut = collect(body, &input[taken..], cut);
        assert_eq!(whole.is_ok(), cut.is_ok());
        if let (Ok(whole), Ok(cut)) = (whole, cut) {
            assert_eq!(whole, cut);
        }
    }
}

/// The data of a body, and how much follows it.
fn collect(mut body: Body, input: &[u8], cut: u8) -> Result<(Vec<u8>, usize), ()> {
    let mut data = Vec::new();
    let mut left = input.len();
    for mut piece in pieces(input, cut) {
        while !piece.is_empty() {
            let (taken, found) = body.advance(piece, 1000).map_err(drop)?;
            data.extend_from_slice(found);
            left -= taken;
            if taken == 0 {
                assert!(body.is_done());
                return Ok((data, left));
            }
            piece = &piece[taken..];
        }
    }
    body.end();
    Ok((data, left))
}

/// Answers of an RTMPT server, each after its length (2 bytes; the highest bit closes the connection after it).
pub fn rtmpt(data: &[u8]) {
    let played = played();
    *played.answers.lock().unwrap() = data.to_vec();
    let options = DialOptions {
        host: "127.0.0.1".to_owned(),
        port: played.port,
        tunnel: Some(TunnelOptions { ident: data.first().is_some_and(|byte| byte & 0x40 != 0) }),
        connect_timeout: Duration::from_millis(100),
        write_timeout: Duration::from_millis(100),
        ..DialOptions::default()
    };
    let Ok(mut transport) = Transport::open(&options, &Interrupt::default()) else { return };
    let until = Instant::now() + Duration::from_millis(15);
    let mut buffer = [0; 5000];
    let mut received = 0;
    while Instant::now() < until {
        match transport.recv(&mut buffer, Instant::now() + Duration::from_millis(2)) {
            Ok(Recv::Bytes(count)) => {
                received += count;
                assert!(count > 0 && received <= data.len(), "more data than was sent");
                if transport.send(&buffer[..count.min(10)]).is_err() {
                    break;
                }
            }
            Ok(Recv::Idle) => {}
            Ok(Recv::Closed) | Err(_) => break,
        }
    }
}

/// A server that answers requests with what it is told.
struct Played {
    port: u16,
    answers: Mutex<Vec<u8>>,
}

fn played() -> &'static Played {
    static PLAYED: OnceLock<Played> = OnceLock::new();
    PLAYED.get_or_init(|| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let port = listener.local_addr().expect("bound").port();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
                let _ = stream.set_nodelay(true);
                answer(stream, played());
            }
        });
        Played { port, answers: Mutex::default() }
    })
}

/// Reads requests and takes an answer for each.
fn answer(mut stream: TcpStream, played: &Played) {
    let mut buffer = [0; 8192];
    while let Ok(1..) = stream.read(&mut buffer) {
        let (answer, closes) = {
            let mut answers = played.answers.lock().unwrap();
            let Some(&[high, low]) = answers.first_chunk() else { return };
            let end = (2 + usize::from(u16::from_be_bytes([high & 0x3f, low]))).min(answers.len());
            let answer: Vec<u8> = answers.drain(..end).skip(2).collect();
            (answer, high & 0x80 != 0)
        };
        if stream.write_all(&answer).is_err() || closes {
            return;
        }
    }
}
