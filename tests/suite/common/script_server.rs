//! An RTMP server that does what a test's script says, right or wrong, and notes what the client sent.
//!
//! A script is a function that is called for each connection with its [`Peer`]: it takes the client through the
//! dialogue as far as it likes, and does the rest by hand.
//!
//! ```ignore
//! let server = ScriptServer::start(|peer| {
//!     peer.begin()?;                      // handshake, connect, createStream, play
//!     peer.media(&clip(10))?;
//!     peer.play_stop()
//! });
//! ```
//!
//! A script that ends well closes the connection in order. What the client does wrong (a command that never comes)
//! ends it as well; [`ScriptServer::trouble`] says so.

use super::flvcmp::{AUDIO, SCRIPT, Tag, VIDEO};
use super::heard::call;
pub use super::heard::{Call, Heard};
use super::rtmp_bytes::{Amf, ChunkReader, Msg, Shape, amf, chunks};
use super::{Dice, PATIENCE};
use socket2::SockRef;
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A running server; it ends when this is dropped.
pub struct ScriptServer {
    /// Where it listens.
    pub port: u16,
    host: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    connections: Mutex<Vec<Arc<Conversation>>>,
    trouble: Mutex<Vec<String>>,
    ended: std::sync::atomic::AtomicBool,
}

#[derive(Default)]
struct Conversation {
    heard: Mutex<Heard>,
    changed: Condvar,
}

impl ScriptServer {
    /// Starts one whose connections all follow `script`.
    pub fn start(script: impl Fn(&mut Peer) -> Result<()> + Send + Sync + 'static) -> ScriptServer {
        Self::start_at("127.0.0.1", script)
    }

    /// The same at another address of this host.
    pub fn start_at(host: &str, script: impl Fn(&mut Peer) -> Result<()> + Send + Sync + 'static) -> ScriptServer {
        let listener = TcpListener::bind((host, 0)).expect("a port to listen on");
        let port = listener.local_addr().expect("its number").port();
        let shared = Arc::new(Shared::default());
        let server = ScriptServer { port, host: host.to_owned(), shared: shared.clone() };
        let script = Arc::new(script);
        std::thread::spawn(move || {
            for (number, socket) in listener.incoming().enumerate() {
                let Ok(socket) = socket else { return };
                if shared.ended.load(std::sync::atomic::Ordering::SeqCst) {
                    return;
                }
                let conversation = Arc::new(Conversation::default());
                shared.connections.lock().unwrap().push(conversation.clone());
                let (script, shared) = (script.clone(), shared.clone());
                std::thread::spawn(move || {
                    let mut peer = Peer::new(socket, number, conversation);
                    if let Err(error) = script(&mut peer).and_then(|()| peer.close()) {
                        shared.trouble.lock().unwrap().push(format!("connection {number}: {error}"));
                    }
                });
            }
        });
        server
    }

    /// The URL of `stream` in application `app`.
    pub fn url(&self, stream: &str) -> String {
        format!("rtmp://{}:{}/app/{stream}", self.host, self.port)
    }

    /// How many connections there were.
    pub fn connections(&self) -> usize {
        self.shared.connections.lock().unwrap().len()
    }

    /// What was heard so far on a connection; the first is 0.
    #[track_caller]
    pub fn heard(&self, connection: usize) -> Heard {
        let connections = self.shared.connections.lock().unwrap();
        let conversation = connections.get(connection).expect("there was such a connection").clone();
        drop(connections);
        conversation.heard.lock().unwrap().clone()
    }

    /// What was heard on the first connection, all of it: waits until the client has closed.
    #[track_caller]
    pub fn all_heard(&self) -> Heard {
        let conversation = self.shared.connections.lock().unwrap().first().expect("there was a connection").clone();
        let heard = conversation.heard.lock().unwrap();
        let (heard, late) = conversation.changed.wait_timeout_while(heard, PATIENCE, |heard| !heard.closed).unwrap();
        assert!(!late.timed_out(), "the client did not close: {:?}", heard.calls());
        heard.clone()
    }

    /// Where scripts could not go on, and what clients sent that makes no sense.
    pub fn trouble(&self) -> Vec<String> {
        let mut trouble = self.shared.trouble.lock().unwrap().clone();
        trouble.extend(self.garbled());
        trouble
    }

    /// What clients sent that makes no sense.
    pub fn garbled(&self) -> Option<String> {
        let conversations = self.shared.connections.lock().unwrap().clone();
        conversations.iter().find_map(|conversation| conversation.heard.lock().unwrap().garbled.clone())
    }
}

impl Drop for ScriptServer {
    fn drop(&mut self) {
        self.shared.ended.store(true, std::sync::atomic::Ordering::SeqCst);
        let _ = TcpStream::connect((self.host.as_str(), self.port));
    }
}

/// The server's end of one connection.
pub struct Peer {
    /// Which connection to the server this is, from 0.
    pub number: usize,
    /// The stream that media goes on; set by [`Peer::accept_create_stream`].
    pub stream: u32,
    /// Bytes a chunk, as announced by [`Peer::set_chunk_size`].
    pub chunk_size: usize,
    /// Bytes sent so far.
    pub sent: u64,
    socket: Option<Arc<TcpStream>>,
    conversation: Arc<Conversation>,
    reader: Option<JoinHandle<()>>,
}

impl Peer {
    fn new(socket: TcpStream, number: usize, conversation: Arc<Conversation>) -> Peer {
        let _ = socket.set_nodelay(true);
        let _ = socket.set_read_timeout(Some(PATIENCE));
        let _ = socket.set_write_timeout(Some(PATIENCE));
        Peer { number, stream: 1, chunk_size: 128, sent: 0, socket: Some(Arc::new(socket)), conversation, reader: None }
    }

    fn socket(&self) -> Result<&TcpStream> {
        self.socket
            .as_deref()
            .ok_or_else(|| Error::new(ErrorKind::NotConnected, "the script has closed the connection"))
    }

    // --- Bytes ------------------------------------------------------------------------------------------------------

    /// Sends bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) -> Result<()> {
        self.sent += bytes.len() as u64;
        self.socket()?.write_all(bytes)
    }

    /// Sends bytes in pieces of `size`, each in a write of its own.
    pub fn trickle(&mut self, bytes: &[u8], size: usize) -> Result<()> {
        bytes.chunks(size).try_for_each(|piece| self.raw(piece))
    }

    /// Reads exactly `count` bytes; only before the handshake is done.
    pub fn read(&mut self, count: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.socket()?.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    // --- Handshake --------------------------------------------------------------------------------------------------

    /// The plain handshake (§5.2).
    pub fn handshake(&mut self) -> Result<()> {
        self.handshake_with(|_| {}, usize::MAX)
    }

    /// The same, with S0 + S1 + S2 changed by `spoil` and sent in pieces of `piece` bytes.
    pub fn handshake_with(&mut self, spoil: impl FnOnce(&mut Vec<u8>), piece: usize) -> Result<()> {
        let c0_c1 = self.read(1537)?;
        let mut answer = vec![3];
        answer.extend([0; 8]);
        answer.extend(Dice(1).bytes(1528));
        answer.extend(&c0_c1[1..]);
        spoil(&mut answer);
        self.trickle(&answer, piece)?;
        self.read(1536)?;
        self.listen();
        Ok(())
    }

    /// From here on, what the client sends is read by a thread of its own, and taken for chunks.
    pub fn listen(&mut self) {
        self.read_on(true);
    }

    fn read_on(&mut self, is_chunks: bool) {
        let (conversation, socket) = (self.conversation.clone(), self.socket.clone().expect("an open connection"));
        self.reader = Some(std::thread::spawn(move || {
            let mut chunks = ChunkReader::default();
            let mut buffer = [0; 16384];
            loop {
                let count = match (&*socket).read(&mut buffer) {
                    Ok(count @ 1..) => count,
                    Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => continue,
                    _ => break,
                };
                if !is_chunks {
                    continue;
                }
                chunks.feed(&buffer[..count]);
                let mut heard = conversation.heard.lock().unwrap();
                while let Some(message) = chunks.next() {
                    heard.messages.push(message);
                    heard.last = Some(Instant::now());
                }
                heard.garbled.clone_from(&chunks.garbled);
                conversation.changed.notify_all();
            }
            conversation.heard.lock().unwrap().closed = true;
            conversation.changed.notify_all();
        }));
    }

    // --- Waiting for the client -------------------------------------------------------------------------------------

    /// Whether the client has closed the connection.
    pub fn has_closed(&self) -> bool {
        self.conversation.heard.lock().unwrap().closed
    }

    /// Whether the client has called this.
    pub fn has_heard(&self, name: &str) -> bool {
        self.conversation.heard.lock().unwrap().names().iter().any(|heard| heard == name)
    }

    fn wait<T>(&self, what: &str, limit: Duration, mut look: impl FnMut(&mut Heard) -> Option<T>) -> Result<T> {
        let deadline = Instant::now() + limit;
        let mut heard = self.conversation.heard.lock().unwrap();
        loop {
            if let Some(found) = look(&mut heard) {
                return Ok(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if heard.closed || left.is_zero() {
                let how = if heard.closed { "the client closed" } else { "too late" };
                return Err(Error::new(ErrorKind::TimedOut, format!("no {what} ({how}); heard {:?}", heard.names())));
            }
            heard = self.conversation.changed.wait_timeout(heard, left).unwrap().0;
        }
    }

    /// Waits for a command. Each is found once; others may come before it.
    pub fn wait_call(&self, name: &str) -> Result<Call> {
        self.wait_call_on(name, None)
    }

    /// Waits for a command on a message stream.
    pub fn wait_call_on(&self, name: &str, msid: Option<u32>) -> Result<Call> {
        self.wait(name, PATIENCE, |heard| {
            let fits = |message: &Msg| {
                call(message).filter(|call| call.name == name && msid.is_none_or(|msid| msid == call.msid))
            };
            let (at, call) = heard.messages.iter().enumerate().find_map(|(at, message)| {
                if heard.taken.contains(&at) { None } else { fits(message).map(|call| (at, call)) }
            })?;
            heard.taken.push(at);
            Some(call)
        })
    }

    /// Waits for an Acknowledgement of at least `bytes`.
    pub fn wait_ack(&self, bytes: u32, limit: Duration) -> Result<u32> {
        self.wait("Acknowledgement", limit, |heard| heard.acks().into_iter().rfind(|ack| *ack >= bytes))
    }

    /// Waits for a User Control event.
    pub fn wait_user_control(&self, event: u16) -> Result<Vec<u8>> {
        self.wait("User Control event", PATIENCE, |heard| {
            heard.user_control().into_iter().find(|(kind, _)| *kind == event).map(|(_, data)| data)
        })
    }

    /// Waits until the client has received all that was sent: it has answered a ping sent after it.
    pub fn wait_received(&mut self) -> Result<()> {
        self.user_control(6, 77)?;
        self.wait_user_control(7).map(drop)
    }

    /// Waits, saying nothing, until the client has had enough.
    pub fn wait_closed(&mut self) -> Result<()> {
        if self.reader.is_none() {
            // The handshake was never done: these are no chunks.
            self.read_on(false);
        }
        self.wait("end of the connection", 4 * PATIENCE, |heard| heard.closed.then_some(()))
    }

    // --- Messages ---------------------------------------------------------------------------------------------------

    /// Sends a message in the plainest chunks.
    pub fn send(&mut self, message: &Msg) -> Result<()> {
        let bytes = chunks(message, Shape::plain(self.chunk_size)).concat();
        self.raw(&bytes)
    }

    /// Set Chunk Size, obeyed from here on.
    pub fn set_chunk_size(&mut self, size: u32) -> Result<()> {
        self.send(&Msg::control(1, size.to_be_bytes()))?;
        self.chunk_size = size as usize;
        Ok(())
    }

    /// Window Acknowledgement Size.
    pub fn window_ack_size(&mut self, size: u32) -> Result<()> {
        self.send(&Msg::control(5, size.to_be_bytes()))
    }

    /// Set Peer Bandwidth: 0 hard, 1 soft, 2 dynamic.
    pub fn peer_bandwidth(&mut self, size: u32, limit: u8) -> Result<()> {
        let mut payload = size.to_be_bytes().to_vec();
        payload.push(limit);
        self.send(&Msg::control(6, payload))
    }

    /// A User Control event with one number.
    pub fn user_control(&mut self, event: u16, value: u32) -> Result<()> {
        let mut payload = event.to_be_bytes().to_vec();
        payload.extend(value.to_be_bytes());
        self.send(&Msg::control(4, payload))
    }

    /// A command on a message stream.
    pub fn command(&mut self, msid: u32, values: &[Amf]) -> Result<()> {
        self.send(&Msg::command(msid, values))
    }

    /// An onStatus on the media stream.
    pub fn status(&mut self, level: &str, code: &str) -> Result<()> {
        self.send(&Msg::status(self.stream, level, code, ""))
    }

    /// `_result` or `_error` to a command.
    pub fn answer(&mut self, name: &str, to: &Call, object: Amf, information: Amf) -> Result<()> {
        self.command(0, &[name.into(), to.transaction.into(), object, information])
    }

    // --- The dialogue -----------------------------------------------------------------------------------------------

    /// Handshake, connect, createStream and play, all well.
    pub fn begin(&mut self) -> Result<()> {
        self.handshake()?;
        self.accept_connect()?;
        self.accept_create_stream(1)?;
        self.accept_play()?;
        Ok(())
    }

    /// Waits for connect and accepts it; chunks are 4096 bytes from here on.
    pub fn accept_connect(&mut self) -> Result<Call> {
        let call = self.wait_call("connect")?;
        self.window_ack_size(2_500_000)?;
        self.peer_bandwidth(2_500_000, 2)?;
        self.set_chunk_size(4096)?;
        self.answer("_result", &call, connect_properties(), connect_information())?;
        Ok(call)
    }

    /// Waits for createStream and gives out `stream`.
    pub fn accept_create_stream(&mut self, stream: u32) -> Result<Call> {
        let call = self.wait_call("createStream")?;
        self.stream = stream;
        self.answer("_result", &call, Amf::Null, f64::from(stream).into())?;
        Ok(call)
    }

    /// Waits for play on the stream and starts it: Stream Begin, Play.Reset, Play.Start.
    pub fn accept_play(&mut self) -> Result<Call> {
        let call = self.wait_call_on("play", Some(self.stream))?;
        self.user_control(0, self.stream)?;
        self.status("status", "NetStream.Play.Reset")?;
        self.status("status", "NetStream.Play.Start")?;
        Ok(call)
    }

    /// Sends tags as messages.
    pub fn media(&mut self, tags: &[Tag]) -> Result<()> {
        tags.iter().try_for_each(|tag| self.send(&Msg::tag(self.stream, tag)))
    }

    /// All of a file, as it should be: from the handshake to its end, then until the client has gone.
    pub fn plays(&mut self, tags: &[Tag]) -> Result<()> {
        self.begin()?;
        self.media(tags)?;
        self.end_of_file()?;
        self.wait_closed()
    }

    // --- Ends -------------------------------------------------------------------------------------------------------

    /// Stream EOF, NetStream.Play.Complete (in a data message), NetStream.Play.Stop: the end of a file, as nginx says it.
    pub fn end_of_file(&mut self) -> Result<()> {
        self.user_control(1, self.stream)?;
        self.play_complete()?;
        self.play_stop()
    }

    /// The data message onPlayStatus with NetStream.Play.Complete.
    pub fn play_complete(&mut self) -> Result<()> {
        let information = Amf::obj(&[
            ("level", "status".into()),
            ("code", "NetStream.Play.Complete".into()),
            ("duration", 0.0.into()),
            ("bytes", 0.0.into()),
        ]);
        self.send(&Msg::new(5, 18, self.stream, 0, amf(&["onPlayStatus".into(), information])))
    }

    /// NetStream.Play.Stop.
    pub fn play_stop(&mut self) -> Result<()> {
        self.status("status", "NetStream.Play.Stop")
    }

    /// Closes in order: a FIN, then waits for the client's. Scripts that end well do this by themselves.
    pub fn close(&mut self) -> Result<()> {
        let Some(socket) = &self.socket else { return Ok(()) };
        let _ = socket.shutdown(Shutdown::Write);
        let left = self.wait_closed();
        self.drop_socket();
        left
    }

    /// Closes with a reset.
    pub fn reset(&mut self) -> Result<()> {
        SockRef::from(self.socket()?).set_linger(Some(Duration::ZERO))?;
        self.drop_socket();
        Ok(())
    }

    /// The last handle must go for the system to close the connection.
    fn drop_socket(&mut self) {
        if let Some(socket) = &self.socket {
            let _ = socket.shutdown(Shutdown::Read);
        }
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        self.conversation.heard.lock().unwrap().closed = true;
        self.conversation.changed.notify_all();
        self.socket = None;
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(socket) = &self.socket {
            let _ = socket.shutdown(Shutdown::Both);
        }
        self.drop_socket();
    }
}

/// What servers say of themselves in connect's `_result`.
pub fn connect_properties() -> Amf {
    Amf::obj(&[("fmsVer", "FMS/3,0,1,123".into()), ("capabilities", 31.0.into())])
}

/// NetConnection.Connect.Success.
pub fn connect_information() -> Amf {
    Amf::obj(&[
        ("level", "status".into()),
        ("code", "NetConnection.Connect.Success".into()),
        ("description", "Connection succeeded.".into()),
        ("objectEncoding", 0.0.into()),
    ])
}

// --- Something to send ----------------------------------------------------------------------------------------------

/// A clip of `frames` video frames (25 a second, a keyframe every 10) with audio: metadata, sequence headers, then
/// frames in the order of their times, with bytes that no codec made and every one of which counts.
pub fn clip(frames: u32) -> Vec<Tag> {
    clip_with(frames, Some(f64::from(frames) / 25.0))
}

/// The same, with what the metadata says of the duration.
pub fn clip_with(frames: u32, duration: Option<f64>) -> Vec<Tag> {
    let mut dice = Dice(u64::from(frames));
    let mut tags = vec![
        metadata(duration),
        Tag::new(
            VIDEO,
            0,
            [
                &[0x17, 0, 0, 0, 0, 1, 0x64, 0, 0x0d, 0xff, 0xe1, 0, 4, 0x67, 0x64, 0, 0x0d, 1, 0, 3, 0x68, 0xee, 0x3c]
                    [..],
            ]
            .concat(),
        ),
        Tag::new(AUDIO, 0, [0xaf, 0, 0x12, 0x10]),
    ];
    for frame in 0..frames {
        let key = frame % 10 == 0;
        let mut video = vec![if key { 0x17 } else { 0x27 }, 1, 0, 0, 0];
        video.extend(dice.bytes(if key { 5000 } else { 700 }));
        tags.push(Tag::new(VIDEO, frame * 40, video));
        let mut audio = vec![0xaf, 1];
        audio.extend(dice.bytes(130));
        tags.push(Tag::new(AUDIO, frame * 40 + 7, audio));
    }
    tags
}

/// onMetaData.
pub fn metadata(duration: Option<f64>) -> Tag {
    let mut properties = vec![
        ("width", 320.0.into()),
        ("height", 180.0.into()),
        ("videocodecid", 7.0.into()),
        ("audiocodecid", 10.0.into()),
    ];
    if let Some(duration) = duration {
        properties.insert(0, ("duration", duration.into()));
    }
    Tag::new(SCRIPT, 0, amf(&["onMetaData".into(), Amf::ecma(&properties)]))
}
