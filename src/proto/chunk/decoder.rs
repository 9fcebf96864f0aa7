//! Chunks → messages (§5.3; layout: see the parent module). An incomplete header changes nothing; payload is taken as it
//! comes. Does not act on control messages.

use std::collections::HashMap;
use std::ops::Range;

use crate::proto::bytes::u24;
use crate::proto::message::{Message, MessageHeader};
use crate::proto::{Layer, ProtocolError};

use super::{DEFAULT_CHUNK_SIZE, EXTENDED, MAX_CHUNK_SIZE};

/// What a peer may make the decoder hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest message, in bytes. The length field has 24 bits.
    pub message_bytes: usize,
    /// Chunk streams that are remembered. Real servers use fewer than twenty; a stream costs about a hundred bytes.
    pub chunk_streams: usize,
    /// Bytes of half-received messages, over all chunk streams.
    pub held_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { message_bytes: 0xFF_FFFF, chunk_streams: 8192, held_bytes: 48 << 20 }
    }
}

/// Reassembles messages (§5.3). Bytes are lent; a message that lies whole in one chunk is not copied.
#[derive(Debug)]
pub struct ChunkDecoder {
    limits: Limits,
    chunk_size: usize,
    streams: Vec<ChunkStream>,
    /// Index in `streams` of the one-byte chunk stream IDs; `NONE` if not seen yet.
    short: [u16; 64],
    long: HashMap<u32, u16>,
    /// The chunk whose data is being read: index in `streams`, bytes still to come.
    current: Option<(usize, usize)>,
    /// The stream whose reassembly buffer was handed out by the last call and is free again now.
    handed_out: Option<usize>,
    /// Capacity of all reassembly buffers together, in bytes.
    held: usize,
    /// Bytes consumed since the beginning of the chunk stream.
    offset: u64,
    /// What the peer does with the extended timestamp on fmt 3 chunks, once it has shown it.
    repeats_extended: Option<bool>,
    dropped_partials: u64,
}

/// A complete message, and where its payload lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompleteMessage {
    /// Its header.
    pub header: MessageHeader,
    payload: Payload,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Payload {
    /// In the bytes given to `decode`.
    Input(Range<usize>),
    /// In the reassembly buffer of the chunk stream with this index.
    Assembled(usize),
}

#[derive(Debug)]
struct ChunkStream {
    header: MessageHeader,
    /// What a fmt 3 chunk that begins a message adds to the timestamp.
    delta: u32,
    /// The last header was fmt 0: its "delta" is an absolute time.
    delta_is_absolute: bool,
    /// The extended timestamp of the last header, if it had one.
    extended: Option<u32>,
    /// Payload received so far; empty between messages.
    partial: Vec<u8>,
    in_message: bool,
}

impl ChunkStream {
    /// Takes the chunks that continue the message, as far as they are complete and follow one another with headers of one
    /// byte: nearly all there are where chunks are small. Returns how many bytes that were.
    fn take_continuations(&mut self, input: &[u8], chunk_size: usize) -> usize {
        let length = self.header.length as usize;
        let Some(csid) = u8::try_from(self.header.chunk_stream_id).ok().filter(|csid| *csid < 64) else { return 0 };
        let mut rest = input;
        while self.partial.len() < length
            && let [first, data @ ..] = rest
            && *first == FMT_3 | csid
            && let Some((data, after)) = data.split_at_checked(chunk_size.min(length - self.partial.len()))
        {
            self.partial.extend_from_slice(data);
            rest = after;
        }
        input.len() - rest.len()
    }
}

/// A chunk header, parsed but not yet acted on.
struct ChunkHeader {
    bytes: usize,
    index: usize,
    is_new_stream: bool,
    csid: u32,
    begins: Option<Begin>,
}

/// The start of a message, as its chunk header describes it.
struct Begin {
    header: MessageHeader,
    delta: u32,
    delta_is_absolute: bool,
    extended: Option<u32>,
}

impl ChunkDecoder {
    /// A decoder at the beginning of a chunk stream, with the default chunk size of 128 bytes.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            chunk_size: DEFAULT_CHUNK_SIZE,
            streams: Vec::new(),
            short: [NONE; 64],
            long: HashMap::new(),
            current: None,
            handed_out: None,
            held: 0,
            offset: 0,
            repeats_extended: None,
            dropped_partials: 0,
        }
    }

    /// Reads chunks from `input` until a message is complete or the bytes run out. Returns how many bytes were used up and
    /// the message, if one is complete; its payload is fetched with [`ChunkDecoder::message`] from the same `input`.
    ///
    /// # Errors
    /// Broken framing and exceeded [`Limits`]; the decoder is of no use afterwards.
    pub fn decode(&mut self, input: &[u8]) -> Result<(usize, Option<CompleteMessage>), ProtocolError> {
        if let Some((used, ready)) = self.decode_whole(input, |_| true) {
            return Ok((used, Some(ready)));
        }
        let mut at = 0;
        let result = self.decode_from(input, &mut at);
        self.offset += at as u64;
        result.map(|ready| (at, ready))
    }

    /// The same where a complete message is there in the shortest form: in one chunk, after a header of fmt 1 or 2, as
    /// most do where they are small, and is of a type that `wanted` says yes to. `None`: [`ChunkDecoder::decode`] takes a
    /// closer look.
    #[inline]
    pub fn decode_whole(&mut self, input: &[u8], wanted: impl Fn(u8) -> bool) -> Option<(usize, CompleteMessage)> {
        if self.handed_out.is_some() {
            self.reclaim_buffer();
        }
        let whole = self.whole_message(input, wanted);
        self.offset += whole.as_ref().map_or(0, |(used, _)| *used as u64);
        whole
    }

    /// The message that `ready` stands for. `input` is what the call of `decode` that returned it was given.
    #[inline]
    pub fn message<'a>(&'a self, ready: &CompleteMessage, input: &'a [u8]) -> Message<'a> {
        let payload = match &ready.payload {
            Payload::Input(range) => input.get(range.clone()),
            Payload::Assembled(index) => self.streams.get(*index).map(|s| s.partial.as_slice()),
        };
        Message { header: ready.header, payload: payload.unwrap_or_default() }
    }

    /// Set Chunk Size (§5.4.1), in force from the next chunk on.
    ///
    /// # Errors
    /// A size of 0.
    pub fn set_chunk_size(&mut self, size: u32) -> Result<(), ProtocolError> {
        // The top bit is to be zero; peers that set it mean the rest.
        let size = (size & 0x7FFF_FFFF) as usize;
        if size == 0 {
            return Err(self.error("a chunk size of at least 1", "0"));
        }
        self.chunk_size = size.min(MAX_CHUNK_SIZE);
        Ok(())
    }

    /// The peer's chunk size, in bytes.
    pub fn chunk_size(&self) -> usize {
        self.chunk_size
    }

    /// Abort Message (§5.4.2): forgets the half-received message of a chunk stream. Unknown IDs do nothing.
    pub fn abort(&mut self, chunk_stream_id: u32) {
        if let Some(stream) = self.find(chunk_stream_id).and_then(|i| self.streams.get_mut(i)) {
            stream.partial.clear();
            stream.in_message = false;
        }
    }

    /// Whether some message has been received in part.
    pub fn in_message(&self) -> bool {
        self.current.is_some() || self.streams.iter().any(|s| s.in_message)
    }

    /// Bytes received of messages of some types that are not complete yet.
    pub fn partial_bytes(&self, is_counted: impl Fn(u8) -> bool) -> usize {
        let unfinished = self.streams.iter().filter(|s| s.in_message && is_counted(s.header.message_type_id));
        unfinished.map(|s| s.partial.len()).sum()
    }

    /// Messages that were given up because another began on their chunk stream.
    pub fn dropped_partials(&self) -> u64 {
        self.dropped_partials
    }

    /// Bytes consumed since the beginning of the chunk stream.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    #[inline]
    fn whole_message(&mut self, input: &[u8], wanted: impl Fn(u8) -> bool) -> Option<(usize, CompleteMessage)> {
        let [first, t2, t1, t0, rest @ ..] = input else { return None };
        if self.current.is_some() || !matches!(first >> 6, 1 | 2) || first & 0x3F < 2 {
            return None;
        }
        let delta = u24([*t2, *t1, *t0]);
        let index = usize::from(*self.short.get(usize::from(first & 0x3F))?);
        let stream = self.streams.get_mut(index).filter(|stream| !stream.in_message && delta != EXTENDED)?;
        let mut header = stream.header;
        let mut rest = rest;
        if first >> 6 == 1 {
            let [l2, l1, l0, kind, after @ ..] = rest else { return None };
            header.length = u24([*l2, *l1, *l0]);
            header.message_type_id = *kind;
            rest = after;
        }
        let length = header.length as usize;
        let is_here = length <= rest.len() && length <= self.chunk_size && length <= self.limits.message_bytes;
        if !is_here || !wanted(header.message_type_id) {
            return None;
        }
        header.timestamp = header.timestamp.wrapping_add(delta);
        stream.header = header;
        stream.delta = delta;
        stream.delta_is_absolute = false;
        stream.extended = None;
        let from = input.len() - rest.len();
        Some((from + length, CompleteMessage { header, payload: Payload::Input(from..from + length) }))
    }

    fn decode_from(&mut self, input: &[u8], at: &mut usize) -> Result<Option<CompleteMessage>, ProtocolError> {
        loop {
            let (index, remaining) = match self.current.take() {
                Some(current) => current,
                None => {
                    let rest = input.get(*at..).unwrap_or_default();
                    let Some(chunk) = self.parse_header(rest, *at)? else { return Ok(None) };
                    *at += chunk.bytes;
                    self.apply(chunk, *at)?
                }
            };
            let rest = input.get(*at..).unwrap_or_default();
            let Some(stream) = self.streams.get_mut(index) else { return Ok(None) };
            let length = stream.header.length as usize;
            if stream.partial.is_empty() && remaining == length && rest.len() >= length {
                let range = *at..*at + length;
                *at += length;
                stream.in_message = false;
                return Ok(Some(CompleteMessage { header: stream.header, payload: Payload::Input(range) }));
            }
            let taken = rest.get(..remaining).unwrap_or(rest);
            let before = stream.partial.capacity();
            stream.partial.extend_from_slice(taken);
            *at += taken.len();
            if taken.len() == remaining && stream.extended.is_none() {
                *at += stream.take_continuations(rest.get(remaining..).unwrap_or_default(), self.chunk_size);
            }
            self.held += stream.partial.capacity() - before;
            if taken.len() < remaining {
                self.current = Some((index, remaining - taken.len()));
            }
            if stream.partial.len() == length {
                stream.in_message = false;
                self.handed_out = Some(index);
                return Ok(Some(CompleteMessage { header: stream.header, payload: Payload::Assembled(index) }));
            }
            if self.held > self.limits.held_bytes {
                self.free_idle_buffers()?;
            }
            if self.current.is_some() {
                return Ok(None);
            }
        }
    }

    /// Reads a chunk header without changing anything; `None` if more bytes are needed.
    fn parse_header(&mut self, input: &[u8], at: usize) -> Result<Option<ChunkHeader>, ProtocolError> {
        let [first, rest @ ..] = input else { return Ok(None) };
        let fmt = first >> 6;
        let (csid, mut rest) = match (first & 0x3F, rest) {
            (0, [low, rest @ ..]) => (64 + u32::from(*low), rest),
            (1, [low, high, rest @ ..]) => (64 + u32::from(*low) + 256 * u32::from(*high), rest),
            (0 | 1, _) => return Ok(None),
            (csid, rest) => (u32::from(csid), rest),
        };
        let header_bytes = match fmt {
            0 => 11,
            1 => 7,
            2 => 3,
            _ => 0,
        };
        let Some((fields, after)) = rest.split_at_checked(header_bytes) else { return Ok(None) };
        rest = after;
        let index = self.find(csid);
        let previous = index.and_then(|i| self.streams.get(i));

        let begins = if fmt == 3 {
            let Some(stream) = previous else {
                return Err(self.error_at(
                    at,
                    "a chunk with a full header on a new chunk stream",
                    format!("fmt 3 on csid {csid}"),
                ));
            };
            let mut time = stream.extended;
            if let Some(extended) = stream.extended {
                match repeated_extended(rest, stream, self.repeats_extended) {
                    Repeated::NeedMore => return Ok(None),
                    Repeated::No => {
                        if self.repeats_extended.is_none() {
                            self.repeats_extended = Some(false);
                        }
                    }
                    Repeated::Yes(value) => {
                        if value == extended {
                            self.repeats_extended = Some(true);
                        }
                        time = Some(value);
                        rest = rest.get(4..).unwrap_or_default();
                    }
                }
            }
            (!stream.in_message).then(|| begin_again(stream, time))
        } else {
            if fmt == 2 && previous.is_none() {
                return Err(self.error_at(
                    at,
                    "a chunk with a full header on a new chunk stream",
                    format!("fmt 2 on csid {csid}"),
                ));
            }
            let field = fields.first_chunk().copied().map_or(0, u24);
            let extended = if field == EXTENDED {
                let Some((value, after)) = rest.split_first_chunk::<4>() else { return Ok(None) };
                rest = after;
                Some(u32::from_be_bytes(*value))
            } else {
                None
            };
            Some(begin(fmt, csid, fields, extended.unwrap_or(field), extended, previous))
        };
        Ok(Some(ChunkHeader {
            bytes: input.len() - rest.len(),
            index: index.unwrap_or(self.streams.len()),
            is_new_stream: index.is_none(),
            csid,
            begins,
        }))
    }

    /// Takes a complete chunk header into account. Returns the index of its stream and how many bytes of data follow.
    fn apply(&mut self, chunk: ChunkHeader, at: usize) -> Result<(usize, usize), ProtocolError> {
        if let Some(begin) = &chunk.begins
            && begin.header.length as usize > self.limits.message_bytes
        {
            let expected = format!("a message of at most {} bytes", self.limits.message_bytes);
            return Err(self.error_at(at, expected, begin.header.length.to_string()));
        }
        if chunk.is_new_stream {
            self.add_stream(chunk.csid, at)?;
        }
        let chunk_size = self.chunk_size;
        let Some(stream) = self.streams.get_mut(chunk.index) else { return Ok((chunk.index, 0)) };
        if let Some(begin) = chunk.begins {
            if stream.in_message {
                stream.partial.clear();
                self.dropped_partials += 1;
            }
            stream.header = begin.header;
            stream.delta = begin.delta;
            stream.delta_is_absolute = begin.delta_is_absolute;
            stream.extended = begin.extended;
            stream.in_message = true;
        }
        let missing = (stream.header.length as usize).saturating_sub(stream.partial.len());
        Ok((chunk.index, missing.min(chunk_size)))
    }

    fn find(&self, csid: u32) -> Option<usize> {
        let index = match self.short.get(csid as usize) {
            Some(&index) => index,
            None => self.long.get(&csid).copied().unwrap_or(NONE),
        };
        (index != NONE).then_some(index as usize)
    }

    fn add_stream(&mut self, csid: u32, at: usize) -> Result<(), ProtocolError> {
        let index = self.streams.len();
        if index >= self.limits.chunk_streams.min(NONE as usize) {
            return Err(self.error_at(at, format!("at most {index} chunk streams"), "one more"));
        }
        match self.short.get_mut(csid as usize) {
            Some(slot) => *slot = index as u16,
            None => {
                self.long.insert(csid, index as u16);
            }
        }
        self.streams.push(ChunkStream {
            header: MessageHeader {
                chunk_stream_id: csid,
                message_type_id: 0,
                timestamp: 0,
                message_stream_id: 0,
                length: 0,
            },
            delta: 0,
            delta_is_absolute: false,
            extended: None,
            partial: Vec::new(),
            in_message: false,
        });
        Ok(())
    }

    /// The buffer that the last message was lent from is free: kept for the next message unless it is large.
    fn reclaim_buffer(&mut self) {
        if let Some(stream) = self.handed_out.take().and_then(|i| self.streams.get_mut(i)) {
            if stream.partial.capacity() > KEPT_BYTES {
                self.held -= stream.partial.capacity();
                stream.partial = Vec::new();
            }
            stream.partial.clear();
        }
    }

    /// Gives back what idle buffers hold; too much in half-received messages is an error.
    fn free_idle_buffers(&mut self) -> Result<(), ProtocolError> {
        for stream in self.streams.iter_mut().filter(|s| !s.in_message) {
            self.held -= stream.partial.capacity();
            stream.partial = Vec::new();
        }
        if self.held > self.limits.held_bytes {
            let expected = format!("at most {} bytes of unfinished messages", self.limits.held_bytes);
            return Err(self.error(expected, self.held.to_string()));
        }
        Ok(())
    }

    fn error(
        &self,
        expected: impl Into<std::borrow::Cow<'static, str>>,
        got: impl Into<std::borrow::Cow<'static, str>>,
    ) -> ProtocolError {
        self.error_at(0, expected, got)
    }

    fn error_at(
        &self,
        at: usize,
        expected: impl Into<std::borrow::Cow<'static, str>>,
        got: impl Into<std::borrow::Cow<'static, str>>,
    ) -> ProtocolError {
        ProtocolError::new(Layer::Chunk, self.offset + at as u64, expected, got)
    }
}

/// A message that begins with a header of fmt 0, 1 or 2. `time` is its timestamp or timestamp delta.
fn begin(fmt: u8, csid: u32, fields: &[u8], time: u32, extended: Option<u32>, previous: Option<&ChunkStream>) -> Begin {
    let mut header = previous.map_or(
        MessageHeader { chunk_stream_id: csid, message_type_id: 0, timestamp: 0, message_stream_id: 0, length: 0 },
        |stream| stream.header,
    );
    if let [_, _, _, l2, l1, l0, kind] = fields.get(..7).unwrap_or_default() {
        header.length = u24([*l2, *l1, *l0]);
        header.message_type_id = *kind;
    }
    if let Some(id) = fields.get(7..).and_then(|f| f.first_chunk::<4>()) {
        header.message_stream_id = u32::from_le_bytes(*id);
    }
    header.timestamp = if fmt == 0 { time } else { header.timestamp.wrapping_add(time) };
    Begin { header, delta: time, delta_is_absolute: fmt == 0, extended }
}

/// A message that begins with a fmt 3 chunk: everything as before, one delta later (§5.3.1.2.4).
fn begin_again(stream: &ChunkStream, extended: Option<u32>) -> Begin {
    let delta = extended.unwrap_or(stream.delta);
    let mut header = stream.header;
    // After fmt 0 the delta is by the letter the timestamp itself. That doubles a live timestamp for peers that mean "the
    // same time again" (nginx's rtmp module), so it is believed only where it can be the distance of two messages.
    let step = if stream.delta_is_absolute && delta >= ABSURD_DELTA_MS { 0 } else { delta };
    header.timestamp = header.timestamp.wrapping_add(step);
    Begin { header, delta, delta_is_absolute: stream.delta_is_absolute, extended }
}

enum Repeated {
    NeedMore,
    No,
    Yes(u32),
}

/// Whether a fmt 3 chunk of a stream with an extended timestamp carries the field again. The specification says so
/// (§5.3.1.3), its older text did not, and peers do either: the bytes are compared with the value that would be there.
fn repeated_extended(rest: &[u8], stream: &ChunkStream, habit: Option<bool>) -> Repeated {
    let expected = stream.extended.unwrap_or_default().to_be_bytes();
    if habit == Some(false) {
        return Repeated::No;
    }
    match rest.first_chunk::<4>() {
        Some(value) if *value == expected => Repeated::Yes(u32::from_be_bytes(*value)),
        // A new message of a peer that repeats the field may carry a new value in it.
        Some(value) if habit == Some(true) && !stream.in_message => Repeated::Yes(u32::from_be_bytes(*value)),
        Some(_) => Repeated::No,
        None if expected.starts_with(rest) => Repeated::NeedMore,
        None if habit == Some(true) && !stream.in_message => Repeated::NeedMore,
        None => Repeated::No,
    }
}

/// fmt 3 in a basic header.
const FMT_3: u8 = 3 << 6;

/// Not an index: `limits.chunk_streams` stays below.
const NONE: u16 = u16::MAX;

/// A reassembly buffer up to this size is kept between messages; larger messages are rare enough to allocate again.
const KEPT_BYTES: usize = 1 << 20;

/// A fmt 3 chunk right after fmt 0 repeats the timestamp as delta; from here on that is no distance between messages.
const ABSURD_DELTA_MS: u32 = 10_000;
