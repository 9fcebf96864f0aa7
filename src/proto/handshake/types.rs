//! What the files of the handshake share: packets and how they are gathered, and what is said of a peer that is no RTMP
//! peer (§5.2.2 to §5.2.4). Does not know digests.

use std::borrow::Cow;

/// How the client introduces itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// §5.2 to the letter.
    Plain,
    /// With a digest in C1 and a signature in C2, as Flash Player does.
    Digest,
    /// With a digest and a key exchange; the connection is enciphered afterwards.
    Rtmpe,
}

/// What the client waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// S0 and S1.
    AwaitS1,
    /// S2. C2 is written: commands may follow it at once.
    AwaitS2,
    /// Nothing: what comes is the chunk stream.
    Done,
}

/// What the handshake shows about the server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// S0: 3, or for RTMPE 6, 8 or 9; 0 until S1 is complete.
    pub version: u8,
    /// Bytes 4 to 7 of S1: zero by §5.2.3, the version of a server that knows digests.
    pub server_version: [u8; 4],
    /// The scheme in which S1 carries a digest (0 or 1); `None` where it has none or none was looked for.
    pub scheme: Option<u8>,
    /// Whether S2 answers C1: an echo of it or signed for it. `None` until S2 is complete.
    pub s2_matched: Option<bool>,
    /// The last 32 bytes of S1: the key with which SWF verification is answered.
    pub swf_key: [u8; 32],
}

/// The random bytes that one end of a handshake needs, whether server or client.
#[derive(Clone)]
pub struct Random {
    pub(super) packet: [u8; PACKET - HEADER],
    pub(super) signed: [u8; SIGNED],
    pub(super) private_key: [u8; KEY],
}

impl Random {
    /// How many bytes to ask the system's source for.
    pub const BYTES: usize = PACKET - HEADER + SIGNED + KEY;

    /// Random numbers from random bytes.
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let mut random = Self { packet: [0; PACKET - HEADER], signed: [0; SIGNED], private_key: [0; KEY] };
        let behind = |count: usize| bytes.get(count..).unwrap_or_default();
        put(&mut random.packet, 0, bytes);
        put(&mut random.signed, 0, behind(PACKET - HEADER));
        put(&mut random.private_key, 0, behind(PACKET - HEADER + SIGNED));
        random
    }
}

impl std::fmt::Debug for Random {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A private key does not belong in a log.
        f.write_str("Random")
    }
}

/// C1, S1, C2 or S2.
pub(super) type Packet = [u8; PACKET];

/// Bytes of C1, S1, C2 and S2.
pub(super) const PACKET: usize = 1536;

/// Bytes of the time and the version before the random part.
pub(super) const HEADER: usize = 8;

/// Bytes of C2 and S2 that are signed, when they are.
pub(super) const SIGNED: usize = PACKET - 32;

/// Bytes of the numbers of the key exchange.
pub(super) const KEY: usize = 128;

/// The version that §5.2.2 calls RTMP.
pub(super) const VERSION_PLAIN: u8 = 3;

/// The version of RTMPE.
pub(super) const VERSION_RTMPE: u8 = 6;

/// What of a stranger's first line is waited for and shown, in bytes.
pub(super) const MAX_LINE: usize = 80;

/// Collects a packet from pieces of any size.
#[derive(Debug, Default)]
pub(super) struct Gather {
    pub(super) bytes: Vec<u8>,
}

impl Gather {
    /// Takes of `input` what is missing to `length` bytes; how many that was.
    pub(super) fn fill(&mut self, input: &[u8], length: usize) -> usize {
        let missing = length.saturating_sub(self.bytes.len());
        let taken = input.get(..missing).unwrap_or(input);
        self.bytes.extend_from_slice(taken);
        taken.len()
    }

    /// The packet after `skipped` bytes, once it is complete; gathering starts again then.
    pub(super) fn packet(&mut self, skipped: usize) -> Option<Packet> {
        let packet = *self.bytes.get(skipped..)?.first_chunk::<PACKET>()?;
        self.bytes.clear();
        Some(packet)
    }
}

/// C1 or S1: time, version, random bytes.
pub(super) fn first_packet(time_ms: u32, version: [u8; 4], random: &Random) -> Packet {
    let mut packet = [0; PACKET];
    put(&mut packet, 0, &time_ms.to_be_bytes());
    put(&mut packet, 4, &version);
    put(&mut packet, HEADER, &random.packet);
    packet
}

/// Copies `bytes` to `at`; what does not fit is left out.
pub(super) fn put(target: &mut [u8], at: usize, bytes: &[u8]) {
    target.iter_mut().skip(at).zip(bytes).for_each(|(to, from)| *to = *from);
}

/// Whether the echo of a packet is one. The time of reading (§5.2.4, bytes 4 to 7) is the echoing end's own.
pub(super) fn is_echo(echo: &Packet, packet: &Packet) -> bool {
    echo.first_chunk::<4>() == packet.first_chunk::<4>() && echo.get(HEADER..) == packet.get(HEADER..)
}

/// Describes a peer whose first bytes are not RTMP. `None`: more bytes are needed.
pub(super) fn stranger(bytes: &[u8], peer: &str) -> Option<Cow<'static, str>> {
    const HTTP: &[u8] = b"HTTP/";
    let &first = bytes.first()?;
    let is_line_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let line = bytes.split(is_line_end).next().unwrap_or_default();
    let line = line.get(..MAX_LINE).unwrap_or(line);
    let shown = line.escape_ascii();
    Some(if HTTP.starts_with(bytes) || bytes.starts_with(HTTP) {
        if !bytes.iter().take(MAX_LINE).any(is_line_end) && bytes.len() < MAX_LINE {
            return None;
        }
        format!("the answer of an HTTP {peer}: \"{shown}\"").into()
    } else if matches!(first, 0x15 | 0x16) {
        let record = if first == 0x15 { "alert" } else { "handshake record" };
        format!("a TLS {record} (0x{first:02x}): a TLS {peer}").into()
    } else if line.len() > 3 && line.iter().all(|byte| matches!(byte, b' '..=b'~')) {
        format!("text: \"{shown}\"").into()
    } else if matches!(first, b' '..=b'~') {
        format!("0x{first:02x} (\"{}\")", first.escape_ascii()).into()
    } else {
        format!("0x{first:02x}").into()
    })
}
