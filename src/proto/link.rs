//! The chunk link (§5.3, §5.4): the buffers of a connection after its handshake, and what a peer owes without being asked.
//!
//! ```text
//! bytes in ─► [decipher] ─► ChunkDecoder ─► types 1, 2, 3, 5, 6 and pings answered here ─► Message
//! Message  ─► ChunkEncoder ─► [encipher] ─► bytes out
//! ```
//!
//! Both ends use it. Does not look at commands and media.

use super::ProtocolError;
use super::chunk::{ChunkDecoder, ChunkEncoder, CompleteMessage, Limits};
use super::handshake::Cipher;
use super::message::{Message, MessageHeader, message_type};

/// Event types of User Control messages (§7.1.7) and the ones that Flash Media Server added.
pub mod user_control {
    /// The stream has become functional.
    pub const STREAM_BEGIN: u16 = 0;
    /// Playback of data is over.
    pub const STREAM_EOF: u16 = 1;
    /// No more data for the moment.
    pub const STREAM_DRY: u16 = 2;
    /// Client's buffer in milliseconds for a stream.
    pub const SET_BUFFER_LENGTH: u16 = 3;
    /// The stream is a recorded one.
    pub const STREAM_IS_RECORDED: u16 = 4;
    /// Are you there?
    pub const PING_REQUEST: u16 = 6;
    /// Yes.
    pub const PING_RESPONSE: u16 = 7;
    /// The server asks for SWF verification.
    pub const SWF_VERIFICATION_REQUEST: u16 = 26;
    /// The client's answer to it.
    pub const SWF_VERIFICATION_RESPONSE: u16 = 27;
    /// The server has sent one full client buffer and pauses (Flash Media Server).
    pub const BUFFER_EMPTY: u16 = 31;
    /// Counterpart of [`BUFFER_EMPTY`].
    pub const BUFFER_READY: u16 = 32;
}

/// Chunk stream of control messages (§5.4).
pub const CONTROL_CSID: u32 = 2;

/// Counts of what was tolerated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tolerated {
    /// Messages of unknown type.
    pub unknown_messages: u64,
    /// Control messages that were too short or had unknown events.
    pub odd_control: u64,
}

/// Chunk stream, control reactions and buffers of one connection.
#[derive(Debug)]
pub struct ChunkLink {
    input: Buffer,
    decoder: ChunkDecoder,
    ready: Option<CompleteMessage>,
    /// Bytes of `input` that the ready message and its chunk headers take.
    ready_bytes: usize,
    output: Vec<u8>,
    encoder: ChunkEncoder,
    incoming: Option<Cipher>,
    outgoing: Option<Cipher>,
    /// Bytes of `output` that are enciphered already.
    enciphered: usize,
    received: u64,
    acknowledged: u64,
    window: u32,
    peer_acknowledged: u32,
    sent: u64,
    own_window_sent: Option<u32>,
    tolerated: Tolerated,
    /// What was received since it was last taken, deciphered, if it is tapped.
    tapped: Option<Vec<u8>>,
}

impl ChunkLink {
    /// A link with nothing in it. `limits` bound what the peer can make it hold.
    pub fn new(limits: Limits) -> Self {
        Self {
            input: Buffer::default(),
            decoder: ChunkDecoder::new(limits),
            ready: None,
            ready_bytes: 0,
            output: Vec::new(),
            encoder: ChunkEncoder::default(),
            incoming: None,
            outgoing: None,
            enciphered: 0,
            received: 0,
            acknowledged: 0,
            window: DEFAULT_WINDOW,
            peer_acknowledged: 0,
            sent: 0,
            own_window_sent: None,
            tolerated: Tolerated::default(),
            tapped: None,
        }
    }

    /// Room to read bytes from the transport into; never empty. Call [`ChunkLink::bytes_read`] with the number of bytes read.
    pub fn read_buffer(&mut self) -> &mut [u8] {
        self.input.read_buffer()
    }

    /// `count` bytes were read into [`ChunkLink::read_buffer`].
    pub fn bytes_read(&mut self, count: usize) {
        let new = self.input.bytes_read(count);
        if let Some(cipher) = &mut self.incoming {
            cipher.apply(new);
        }
        if let Some(tapped) = &mut self.tapped {
            tapped.extend_from_slice(new);
        }
        self.received += count as u64;
    }

    /// The bytes of the handshake that were read and not yet consumed.
    pub fn handshake_input(&self) -> &[u8] {
        self.input.bytes()
    }

    /// `count` bytes of [`ChunkLink::handshake_input`] are done with.
    pub fn consume_handshake(&mut self, count: usize) {
        self.input.consume(count);
    }

    /// Where the handshake appends what it sends, in the clear.
    pub fn handshake_output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// What is queued from here on is enciphered (RTMPE, after C2 or S2).
    pub fn encipher(&mut self, cipher: Cipher) {
        self.enciphered = self.output.len();
        self.outgoing = Some(cipher);
    }

    /// The handshake is over: what is left of the input, and all that comes, is the chunk stream, enciphered if `cipher`
    /// is given. Acknowledgements count from here.
    pub fn begin(&mut self, cipher: Option<Cipher>) {
        self.incoming = cipher;
        let rest = self.input.bytes_mut();
        if let Some(cipher) = &mut self.incoming {
            cipher.apply(rest);
        }
        if let Some(tapped) = &mut self.tapped {
            // What came together with the end of the handshake was taken as it was.
            tapped.truncate(tapped.len().saturating_sub(rest.len()));
            tapped.extend_from_slice(rest);
        }
        self.received = rest.len() as u64;
    }

    /// Goes on to the next message that is not handled here. `false`: more bytes are needed.
    ///
    /// # Errors
    /// Broken framing; nothing can be read from this peer any more.
    pub fn poll(&mut self) -> Result<bool, ProtocolError> {
        loop {
            self.input.consume(std::mem::take(&mut self.ready_bytes));
            self.ready = None;
            let (used, ready) = self.decoder.decode(self.input.bytes())?;
            let Some(ready) = ready else {
                self.input.consume(used);
                self.acknowledge();
                return Ok(false);
            };
            let kind = ready.header.message_type_id;
            self.ready = Some(ready);
            self.ready_bytes = used;
            if kind > message_type::SET_PEER_BANDWIDTH || (kind == message_type::USER_CONTROL && !self.is_ping()) {
                return Ok(true);
            }
            self.control()?;
        }
    }

    /// Goes on to the next message if that is audio or video and lies there whole in one chunk: a short way that many small
    /// messages are worth. Its type and timestamp; `None`: see what [`ChunkLink::poll`] says.
    #[inline]
    pub fn poll_frame(&mut self) -> Option<(u8, u32)> {
        self.input.consume(std::mem::take(&mut self.ready_bytes));
        self.ready = None;
        let is_frame = |kind| matches!(kind, message_type::AUDIO | message_type::VIDEO);
        let (used, ready) = self.decoder.decode_whole(self.input.bytes(), is_frame)?;
        let MessageHeader { message_type_id, timestamp, .. } = ready.header;
        self.ready = Some(ready);
        self.ready_bytes = used;
        Some((message_type_id, timestamp))
    }

    /// The message that [`ChunkLink::poll`] stopped at.
    #[inline]
    pub fn message(&self) -> Option<Message<'_>> {
        self.ready.as_ref().map(|ready| self.decoder.message(ready, self.input.bytes()))
    }

    /// Queues a message. Its length is the payload's.
    pub fn send(&mut self, header: MessageHeader, payload: &[u8]) {
        self.encoder.encode(header, payload, &mut self.output);
    }

    /// Queues a control message (types 1–6).
    pub fn send_control(&mut self, message_type_id: u8, payload: &[u8]) {
        let header = MessageHeader {
            chunk_stream_id: CONTROL_CSID,
            message_type_id,
            timestamp: 0,
            message_stream_id: 0,
            length: 0,
        };
        self.send(header, payload);
    }

    /// Queues a User Control message (§7.1.7).
    pub fn send_user_control(&mut self, event: u16, data: &[u8]) {
        let mut payload = event.to_be_bytes().to_vec();
        payload.extend_from_slice(data);
        self.send_control(message_type::USER_CONTROL, &payload);
    }

    /// Queues Set Chunk Size (§5.4.1) and cuts into chunks of `size` bytes from then on.
    pub fn send_chunk_size(&mut self, size: u32) {
        let size = size.clamp(1, super::chunk::MAX_CHUNK_SIZE as u32);
        self.send_control(message_type::SET_CHUNK_SIZE, &size.to_be_bytes());
        self.encoder.set_chunk_size(size as usize);
    }

    /// Queues Window Acknowledgement Size (§5.4.4), in bytes.
    pub fn send_window(&mut self, bytes: u32) {
        self.send_control(message_type::WINDOW_ACKNOWLEDGEMENT_SIZE, &bytes.to_be_bytes());
        self.own_window_sent = Some(bytes);
    }

    /// What is to be written to the transport. Call [`ChunkLink::sent`] with the number of bytes written.
    pub fn output(&mut self) -> &[u8] {
        if let Some(cipher) = &mut self.outgoing {
            cipher.apply(self.output.get_mut(self.enciphered..).unwrap_or_default());
            self.enciphered = self.output.len();
        }
        &self.output
    }

    /// The first `count` bytes of [`ChunkLink::output`] were written.
    pub fn sent(&mut self, count: usize) {
        let count = count.min(self.output.len());
        self.output.drain(..count);
        self.enciphered = self.enciphered.saturating_sub(count);
        self.sent += count as u64;
        if self.output.is_empty() && self.output.capacity() > 1 << 20 {
            self.output = Vec::new();
        }
    }

    /// What is to be written to the transport, before it is enciphered; to be called before [`ChunkLink::output`].
    pub fn pending(&self) -> &[u8] {
        &self.output
    }

    /// From now on what is received is kept for [`ChunkLink::take_tapped`].
    pub fn enable_tap(&mut self) {
        self.tapped.get_or_insert_default();
    }

    /// What was received since the last call, deciphered: to be called after each [`ChunkLink::poll`], and during the handshake
    /// not between `bytes_read` and what becomes of it.
    pub fn take_tapped(&mut self) -> Vec<u8> {
        self.tapped.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Bytes received since the handshake.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Bytes written, the handshake included.
    pub fn bytes_sent(&self) -> u64 {
        self.sent
    }

    /// The last running total that the peer acknowledged (modulo 2³²).
    pub fn peer_acknowledged(&self) -> u32 {
        self.peer_acknowledged
    }

    /// The peer's chunk size, in bytes.
    pub fn peer_chunk_size(&self) -> usize {
        self.decoder.chunk_size()
    }

    /// The acknowledgement window that the peer asked for, in bytes.
    pub fn window(&self) -> u32 {
        self.window
    }

    /// Whether bytes of an unfinished message are held.
    pub fn in_message(&self) -> bool {
        self.decoder.in_message() || !self.input.bytes().is_empty()
    }

    /// Bytes received of audio, video and aggregates that are not complete yet.
    pub fn partial_media(&self) -> usize {
        self.decoder
            .partial_bytes(|kind| matches!(kind, message_type::AUDIO | message_type::VIDEO | message_type::AGGREGATE))
    }

    /// What was tolerated.
    pub fn tolerated(&self) -> Tolerated {
        self.tolerated
    }

    /// Counts a message of unknown type.
    pub fn count_unknown(&mut self) {
        self.tolerated.unknown_messages += 1;
    }

    /// Counts a control message that made no sense.
    pub fn count_odd_control(&mut self) {
        self.tolerated.odd_control += 1;
    }

    fn is_ping(&self) -> bool {
        self.message().is_some_and(|m| m.payload.starts_with(&user_control::PING_REQUEST.to_be_bytes()))
    }

    /// Acts on the ready message, which is of type 0 to 6.
    fn control(&mut self) -> Result<(), ProtocolError> {
        let Some(message) = self.message() else { return Ok(()) };
        let kind = message.header.message_type_id;
        let number = message.payload.first_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes));
        let limit_type = message.payload.get(4).copied();
        match (kind, number) {
            (message_type::USER_CONTROL, _) => {
                let ping = message.payload.get(2..).unwrap_or_default();
                // The field is four bytes; more would make a reflector of this end.
                let ping = ping.get(..MAX_PING).unwrap_or(ping).to_vec();
                if self.output.len() < MAX_QUEUED_REPLIES {
                    self.send_user_control(user_control::PING_RESPONSE, &ping);
                }
            }
            (message_type::SET_CHUNK_SIZE, Some(size)) => self.decoder.set_chunk_size(size)?,
            (message_type::ABORT, Some(csid)) => self.decoder.abort(csid),
            (message_type::ACKNOWLEDGEMENT, Some(total)) => self.peer_acknowledged = total,
            // A window of nothing would ask for acknowledgements of acknowledgements.
            (message_type::WINDOW_ACKNOWLEDGEMENT_SIZE, Some(window @ 1..)) => self.window = window,
            (message_type::SET_PEER_BANDWIDTH, Some(window @ 1..)) => {
                // §5.4.5: answered with Window Acknowledgement Size where it differs from the last one sent. Dynamic (2)
                // counts only after Hard (0), which makes no difference to a peer that follows both.
                if limit_type != Some(2)
                    && self.own_window_sent != Some(window)
                    && self.output.len() < MAX_QUEUED_REPLIES
                {
                    self.send_window(window);
                }
            }
            (0, _) => self.tolerated.unknown_messages += 1,
            _ => self.tolerated.odd_control += 1,
        }
        Ok(())
    }

    /// Sends an Acknowledgement (§5.4.3) where one is due: at half the window, so that a peer that stops at the whole
    /// window never has to.
    fn acknowledge(&mut self) {
        if self.received - self.acknowledged >= u64::from(self.window / 2).max(1) {
            self.acknowledged = self.received;
            let total = self.received as u32;
            self.send_control(message_type::ACKNOWLEDGEMENT, &total.to_be_bytes());
        }
    }
}

/// Bytes read and not yet consumed. Memory is touched only as far as reads fill it.
#[derive(Debug)]
struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Default for Buffer {
    fn default() -> Self {
        Self { bytes: vec![0; FIRST_READ], start: 0, end: 0 }
    }
}

impl Buffer {
    #[inline]
    fn bytes(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.start..self.end).unwrap_or_default()
    }

    fn read_buffer(&mut self) -> &mut [u8] {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.bytes.len() {
            self.grow();
        }
        self.bytes.get_mut(self.end..).unwrap_or_default()
    }

    fn bytes_read(&mut self, count: usize) -> &mut [u8] {
        let from = self.end;
        self.end = (from + count).min(self.bytes.len());
        if self.end == self.bytes.len() && self.bytes.len() < LARGEST_READ {
            self.grow();
        }
        self.bytes.get_mut(from..self.end).unwrap_or_default()
    }

    /// A read filled it all: the next one may bring more at once. Large reads halve the processor time of a fast stream.
    fn grow(&mut self) {
        let size = (self.bytes.len() * 4).min(LARGEST_READ.max(self.bytes.len() + FIRST_READ));
        let mut larger = vec![0; size];
        larger.iter_mut().zip(self.bytes()).for_each(|(to, from)| *to = *from);
        self.end -= self.start;
        self.start = 0;
        self.bytes = larger;
    }

    #[inline]
    fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
    }
}

/// Acknowledgement window until the peer names one: Flash Player's.
const DEFAULT_WINDOW: u32 = 2_500_000;

/// First size of the read buffer.
const FIRST_READ: usize = 16 << 10;

/// Size up to which the read buffer grows while reads fill it.
const LARGEST_READ: usize = 512 << 10;

/// Bytes of a ping that are sent back.
const MAX_PING: usize = 64;

/// Replies to a flood of pings stop here until the transport has taken them.
const MAX_QUEUED_REPLIES: usize = 64 << 10;

#[cfg(test)]
mod tests;
