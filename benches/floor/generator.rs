//! An RTMP server that costs as little as can be: a file's chunks are prepared, and sendfile(2) sends them; a live stream's
//! messages are prepared, and one thread writes each of them to every client when its time has come.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rtmpcat::flv::reader::Reader;
use rtmpcat::flv::tag::tag_type::VIDEO;
use rtmpcat::proto::chunk::ChunkEncoder;
use rtmpcat::proto::handshake::Random;
use rtmpcat::proto::message::MessageHeader;
use rtmpcat::proto::server::{EndOfPlay, ServerEvent, ServerOptions, ServerSession};

/// Serves a file, as fast as it is taken, to each who plays anything. Prints its port.
pub fn file(flv: &str, chunk_size: u32) -> io::Result<()> {
    let chunks = format!("{flv}.{chunk_size}");
    let mut encoder = ChunkEncoder::default();
    encoder.set_chunk_size(chunk_size as usize);
    let mut out = io::BufWriter::new(File::create(&chunks)?);
    let mut bytes = Vec::new();
    for message in messages(flv)? {
        bytes.clear();
        encoder.encode(message.header(message.time), &message.payload, &mut bytes);
        out.write_all(&bytes)?;
    }
    out.flush()?;
    let listener = announce()?;
    for socket in listener.incoming() {
        let (socket, chunks) = (socket?, chunks.clone());
        std::thread::spawn(move || -> io::Result<()> {
            let mut client = Client::accept(socket, chunk_size)?;
            // The standard library sends a file to a socket by sendfile.
            io::copy(&mut File::open(chunks)?, &mut client.socket)?;
            client.session.end_play(client.stream_id, EndOfPlay::Complete, 0, 0.0, 0.0);
            client.flush()?;
            io::copy(&mut client.socket, &mut io::sink()).map(drop)
        });
    }
    Ok(())
}

/// Plays a file over and over at its own pace to all who play anything. Prints its port.
pub fn live(flv: &str, chunk_size: u32) -> io::Result<()> {
    let messages = messages(flv)?;
    let listener = announce()?;
    let players: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
    let headers: Vec<u8> = messages.iter().filter(|it| it.is_header).flat_map(|it| it.chunks(chunk_size, 0)).collect();
    let joining = players.clone();
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let (joining, headers) = (joining.clone(), headers.clone());
            std::thread::spawn(move || -> io::Result<()> {
                let mut client = Client::accept(socket, chunk_size)?;
                client.socket.write_all(&headers)?;
                joining.lock().unwrap().push(client.socket.try_clone()?);
                io::copy(&mut client.socket, &mut io::sink()).map(drop)
            });
        }
    });
    let (begun, mut round) = (Instant::now(), 0);
    let length = messages.last().map_or(0, |message| message.time) + 40;
    loop {
        for message in messages.iter().filter(|message| !message.is_header) {
            let time = round * length + message.time;
            let due = begun + Duration::from_millis(u64::from(time));
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let bytes = message.chunks(chunk_size, time);
            players.lock().unwrap().retain_mut(|player| player.write_all(&bytes).is_ok());
        }
        round += 1;
    }
}

fn announce() -> io::Result<TcpListener> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?.port());
    Ok(listener)
}

struct Prepared {
    kind: u8,
    time: u32,
    /// Metadata and sequence headers.
    is_header: bool,
    payload: Vec<u8>,
}

impl Prepared {
    fn header(&self, timestamp: u32) -> MessageHeader {
        let (chunk_stream_id, length) = (u32::from(self.kind), self.payload.len() as u32);
        MessageHeader { chunk_stream_id, message_type_id: self.kind, timestamp, message_stream_id: 1, length }
    }

    /// Its chunks with a full header, which needs no message before it.
    fn chunks(&self, chunk_size: u32, time: u32) -> Vec<u8> {
        let mut encoder = ChunkEncoder::default();
        encoder.set_chunk_size(chunk_size as usize);
        let mut bytes = Vec::new();
        encoder.encode(self.header(time), &self.payload, &mut bytes);
        bytes
    }
}

fn messages(flv: &str) -> io::Result<Vec<Prepared>> {
    let mut reader = Reader::new(BufReader::new(File::open(flv)?));
    let mut messages = Vec::new();
    while let Some(tag) = reader.next_tag().map_err(io::Error::other)? {
        let kind = tag.tag_type();
        let is_header = kind != VIDEO && tag.payload.get(1) == Some(&0) && tag.payload.first() == Some(&0xaf)
            || kind == VIDEO && tag.payload.get(1) == Some(&0)
            || kind == 18;
        messages.push(Prepared { kind, time: tag.timestamp_ms(), is_header, payload: tag.payload.to_vec() });
    }
    Ok(messages)
}

/// A client that plays.
struct Client {
    socket: TcpStream,
    session: ServerSession,
    stream_id: u32,
}

impl Client {
    /// Everything up to the answer to play.
    fn accept(socket: TcpStream, chunk_size: u32) -> io::Result<Client> {
        socket.set_nodelay(true)?;
        let options = ServerOptions { chunk_size: Some(chunk_size), ..ServerOptions::default() };
        let session = ServerSession::new(options, 0, &Random::from_bytes(&[7; Random::BYTES]));
        let mut client = Client { socket, session, stream_id: 0 };
        while client.stream_id == 0 {
            let count = client.socket.read(client.session.read_buffer())?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            client.session.bytes_read(count);
            while let Some(event) = client.session.poll().map_err(io::Error::other)? {
                match event {
                    ServerEvent::GetStreamLength { transaction_id, .. } => {
                        client.session.stream_length(transaction_id, 0.0)
                    }
                    ServerEvent::Play(request) => {
                        client.stream_id = request.stream_id;
                        client.session.begin_play(&request, false);
                    }
                    _ => {}
                }
            }
            client.flush()?;
        }
        Ok(client)
    }

    fn flush(&mut self) -> io::Result<()> {
        while !self.session.output().is_empty() {
            let count = self.socket.write(self.session.output())?;
            self.session.sent(count);
        }
        Ok(())
    }
}
