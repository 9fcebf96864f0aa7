//! What a server sends, as bytes: a whole session of the library's own two ends, to be replayed to a client as often as
//! one likes. For what counts (time, allocations); what is right is tested against bytes from elsewhere.

use rtmpcat::proto::amf0::{Object, Value};
use rtmpcat::proto::chunk::Limits;
use rtmpcat::proto::handshake::{Kind, Random};
use rtmpcat::proto::message::{Message, message_type};
use rtmpcat::proto::server::{ServerEvent, ServerOptions, ServerSession};
use rtmpcat::proto::session::{ConnectParams, Event, Order, PlayParams, Session, SessionConfig};

/// The shape of a stream.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Bytes a chunk.
    pub chunk_size: u32,
    /// Bytes of each video message; none if 0.
    pub video_bytes: usize,
    /// Bytes of each audio message, of which there are as many.
    pub audio_bytes: usize,
}

/// The server's side of one session.
pub struct Captured {
    random: Random,
    /// Handshake, answers, metadata and sequence headers.
    opening: Vec<u8>,
    /// Frames, nothing but chunks.
    pub media: Vec<u8>,
    /// How many messages are in `media`.
    pub messages: u64,
}

impl Captured {
    /// At least `bytes` of a stream, in whole frames of 40 ms.
    pub fn new(shape: Shape, bytes: usize) -> Captured {
        let random = Random::from_bytes(&[7; Random::BYTES]);
        let mut client = Session::new(config(), 0, &random);
        let options = ServerOptions { chunk_size: Some(shape.chunk_size), ..ServerOptions::default() };
        let mut server = ServerSession::new(options, 0, &random);
        let mut opening = Vec::new();
        let mut stream_id = 0;
        while stream_id == 0 {
            let sent = client.output().to_vec();
            client.sent(sent.len());
            server.read_buffer()[..sent.len()].copy_from_slice(&sent);
            server.bytes_read(sent.len());
            while let Some(event) = server.poll().unwrap() {
                if let ServerEvent::Play(request) = event {
                    stream_id = request.stream_id;
                    server.begin_play(&request, false);
                }
            }
            let answer = take(&mut server);
            deliver(&mut client, &answer, |_| {});
            opening.extend(answer);
        }
        let properties = Object::default().with("videocodecid", 7.0).with("audiocodecid", 10.0);
        server.data(stream_id, 0, &["onMetaData".into(), Value::EcmaArray(properties)]);
        if shape.video_bytes > 0 {
            server.media(stream_id, message_type::VIDEO, 0, &[0x17, 0, 0, 0, 0, 1, 0x64]);
        }
        server.media(stream_id, message_type::AUDIO, 0, &[0xaf, 0, 0x12, 0x10]);
        opening.extend(take(&mut server));

        let (mut media, mut messages) = (Vec::with_capacity(bytes), 0);
        let (mut video, mut audio) = (vec![0x55; shape.video_bytes], vec![0x55; shape.audio_bytes]);
        audio[..2].copy_from_slice(&[0xaf, 1]);
        for frame in 0.. {
            if media.len() >= bytes {
                break;
            }
            let time = frame * 40;
            if let Some(head) = video.get_mut(..5) {
                head.copy_from_slice(&[if frame % 50 == 0 { 0x17 } else { 0x27 }, 1, 0, 0, 0]);
                server.media(stream_id, message_type::VIDEO, time, &video);
                messages += 1;
            }
            server.media(stream_id, message_type::AUDIO, time + 7, &audio);
            messages += 1;
            media.extend(take(&mut server));
        }
        Captured { random, opening, media, messages }
    }

    /// A client that has received everything before the frames; `media` gets metadata and headers.
    pub fn client(&self, media: impl FnMut(&Message<'_>)) -> Session {
        let mut client = Session::new(config(), 0, &self.random);
        feed(&mut client, &self.opening, self.opening.len(), media);
        client
    }
}

/// Gives `bytes` to the client, at most `piece` of them at a time, and its media to `media`. What the client says is let
/// fall: acknowledgements, and at first the dialogue, which the capture has answered already.
pub fn feed(client: &mut Session, bytes: &[u8], piece: usize, mut media: impl FnMut(&Message<'_>)) {
    for piece in bytes.chunks(piece.min(LARGEST_PIECE)) {
        deliver(client, piece, &mut media);
        let said = client.output().len();
        client.sent(said);
    }
}

fn deliver(client: &mut Session, bytes: &[u8], mut media: impl FnMut(&Message<'_>)) {
    let mut rest = bytes;
    while !rest.is_empty() {
        let buffer = client.read_buffer();
        let (now, later) = rest.split_at(rest.len().min(buffer.len()));
        buffer[..now.len()].copy_from_slice(now);
        client.bytes_read(now.len());
        rest = later;
        while client.poll().unwrap() {
            if let Some(Event::Media(message, _)) = client.event() {
                media(&message);
            }
        }
    }
}

fn take(server: &mut ServerSession) -> Vec<u8> {
    let bytes = server.output().to_vec();
    server.sent(bytes.len());
    bytes
}

/// A client that plays a live stream.
pub fn config() -> SessionConfig {
    SessionConfig {
        handshake: Kind::Plain,
        connect: ConnectParams {
            app: "live".to_owned(),
            flash_ver: "LNX 10,0,32,18".to_owned(),
            swf_url: Some("http://host/player.swf".to_owned()),
            tc_url: "rtmp://host:1935/live".to_owned(),
            page_url: Some("http://host/".to_owned()),
            object_encoding: Some(3.0),
            extra_properties: Vec::new(),
            auth: None,
            arguments: Vec::new(),
        },
        play: Some(PlayParams {
            playpath: "stream".to_owned(),
            start_ms: -1000.0,
            length_ms: None,
            buffer_ms: 1000,
            subscribe: None,
            playlist: false,
            ask_length: false,
            refresh_buffer: false,
        }),
        order: Order::Pipelined,
        token: None,
        usher_token: None,
        swf: None,
        limits: Limits::default(),
    }
}

/// The most that a client reads at once, in bytes.
const LARGEST_PIECE: usize = 512 << 10;
