//! The little of HTTP/1.1 (RFC 9112) that a tunnel and a proxy need: heads, and where bodies end. Pure: bytes in, bytes out.
//!
//! ```text
//! POST /send/a1b2/3 HTTP/1.1 ⏎ Name: value ⏎ … ⏎ ⏎ │ body: Content-Length │ chunked: hex size ⏎ data ⏎ … 0 ⏎ ⏎ │ until close
//! ```
//!
//! No redirects, no compression, no pipelining; trailers are read and forgotten.

use std::fmt;

/// Longest head, in bytes, and longest line between chunks: browsers and servers stop at 8 to 64 KiB.
pub const MAX_HEAD: usize = 64 * 1024;

/// Most header fields in a head.
const MAX_FIELDS: usize = 100;

/// What was not HTTP, or more of it than is bearable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpError(&'static str);

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// The first line and the header fields of a request or response.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Head {
    /// The first line, non-ASCII bytes replaced.
    pub start: String,
    fields: Vec<(String, String)>,
}

impl Head {
    /// Parses a head if `input` has a whole one, and says how many bytes it took.
    ///
    /// # Errors
    /// What is no head, or exceeds [`MAX_HEAD`] bytes.
    pub fn parse(input: &[u8]) -> Result<Option<(Head, usize)>, HttpError> {
        let mut head = Head::default();
        let mut offset = 0;
        let mut lines = 0;
        loop {
            let rest = &input[offset..];
            let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
                return if input.len() >= MAX_HEAD { Err(HttpError("the HTTP head is too long")) } else { Ok(None) };
            };
            offset += end + 1;
            if offset > MAX_HEAD {
                return Err(HttpError("the HTTP head is too long"));
            }
            let line = &rest[..end];
            let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line));
            match line.split_once(':') {
                // Empty lines before a head are to be ignored (§2.2).
                _ if line.is_empty() && lines == 0 => continue,
                _ if line.is_empty() => return Ok(Some((head, offset))),
                _ if lines == 0 => head.start = line.into_owned(),
                _ if head.fields.len() >= MAX_FIELDS => return Err(HttpError("the HTTP head has too many fields")),
                Some((name, value)) => head.fields.push((name.trim().to_owned(), value.trim().to_owned())),
                // A folded line (§5.2) belongs to a field that nobody here asks for.
                None if line.starts_with([' ', '\t']) => {}
                None => return Err(HttpError("a line of the HTTP head has no colon")),
            }
            lines += 1;
        }
    }

    /// The value of the first field of that name.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Whether a comma-separated field holds this word.
    fn lists(&self, name: &str, word: &str) -> bool {
        let named = self.fields.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        named.flat_map(|(_, value)| value.split(',')).any(|item| item.trim().eq_ignore_ascii_case(word))
    }

    /// A response's status line.
    pub fn status(&self) -> Result<Status, HttpError> {
        const ERROR: HttpError = HttpError("the answer is not HTTP");
        let mut words = self.start.splitn(3, ' ');
        let version = words.next().and_then(|word| word.strip_prefix("HTTP/1.")).ok_or(ERROR)?;
        let code = words.next().filter(|word| word.len() == 3).and_then(|word| word.parse().ok()).ok_or(ERROR)?;
        let reason = words.next().unwrap_or_default();
        let reason = reason.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(80).collect::<String>();
        Ok(Status { code, reason: reason.trim().to_owned(), persistent: self.is_persistent(version != "0") })
    }

    /// A request's method and target, and whether the connection stays.
    pub fn request(&self) -> Result<(&str, &str, bool), HttpError> {
        const ERROR: HttpError = HttpError("the request is not HTTP");
        let mut words = self.start.split(' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some(method), Some(target), Some(version), None) => {
                let minor = version.strip_prefix("HTTP/1.").ok_or(ERROR)?;
                Ok((method, target, self.is_persistent(minor != "0")))
            }
            _ => Err(ERROR),
        }
    }

    fn is_persistent(&self, by_default: bool) -> bool {
        // Proxies of old answer with a name of their own.
        let says = |word| self.lists("connection", word) || self.lists("proxy-connection", word);
        !says("close") && (by_default || says("keep-alive"))
    }

    /// How a response's body ends.
    pub fn response_body(&self, code: u16) -> Result<Body, HttpError> {
        if matches!(code, 100..=199 | 204 | 304) {
            return Ok(Body::length(0));
        }
        self.body(Body(State::UntilClose))
    }

    /// How a request's body ends.
    pub fn request_body(&self) -> Result<Body, HttpError> {
        self.body(Body::length(0))
    }

    fn body(&self, otherwise: Body) -> Result<Body, HttpError> {
        if self.field("transfer-encoding").is_some() {
            return match self.lists("transfer-encoding", "chunked") {
                true => Ok(Body(State::Size { value: 0, digits: 0, skipping: false, line: 0 })),
                false => Err(HttpError("the HTTP transfer encoding is unknown")),
            };
        }
        match self.field("content-length") {
            None => Ok(otherwise),
            Some(text) if text.bytes().all(|b| b.is_ascii_digit()) => match text.parse() {
                Ok(length) => Ok(Body::length(length)),
                Err(_) => Err(HttpError("the HTTP Content-Length is no number")),
            },
            Some(_) => Err(HttpError("the HTTP Content-Length is no number")),
        }
    }
}

/// What a status line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Three digits.
    pub code: u16,
    /// The server's words, made harmless.
    pub reason: String,
    /// Whether the connection can be used again.
    pub persistent: bool,
}

/// Finds a body's data in the bytes received, as they come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body(State);

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// So much data to come, then the end.
    Length(u64),
    /// Data until the connection closes.
    UntilClose,
    /// In a chunk's size line: the number so far, and whether it is over.
    Size { value: u64, digits: u32, skipping: bool, line: usize },
    /// In a chunk: so much data to come.
    Chunk(u64),
    /// In the line end behind a chunk.
    ChunkEnd,
    /// In the trailer: bytes of it so far, and of its present line.
    Trailer { total: usize, line: usize },
    /// Over.
    Done,
}

impl Body {
    fn length(length: u64) -> Self {
        Body(if length == 0 { State::Done } else { State::Length(length) })
    }

    /// Whether it is over.
    pub fn is_done(&self) -> bool {
        self.0 == State::Done
    }

    /// Whether it ends with the connection.
    pub fn is_until_close(&self) -> bool {
        self.0 == State::UntilClose
    }

    /// Notes the connection's end, where that is the body's.
    pub fn end(&mut self) {
        if self.is_until_close() {
            self.0 = State::Done;
        }
    }

    /// How many of the bytes to come are data for certain: they may be received directly to where they belong, and are
    /// then to be told with [`Body::received`].
    pub fn data_ahead(&self) -> u64 {
        match self.0 {
            State::Length(left) | State::Chunk(left) => left,
            State::UntilClose => u64::MAX,
            _ => 0,
        }
    }

    /// Notes that so much data has come, no more than [`Body::data_ahead`].
    pub fn received(&mut self, count: usize) {
        let left = |left: u64| left.saturating_sub(count as u64);
        self.0 = match self.0 {
            State::Length(all) if left(all) == 0 => State::Done,
            State::Length(all) => State::Length(left(all)),
            State::Chunk(all) if left(all) == 0 => State::ChunkEnd,
            State::Chunk(all) => State::Chunk(left(all)),
            ref other => other.clone(),
        };
    }

    /// Takes from `input` what stands before data, then data of at most `room` bytes. Gives the number of bytes taken and
    /// the data at their end. Without data, all that can be taken has been.
    ///
    /// # Errors
    /// Chunks that are none.
    pub fn advance<'a>(&mut self, input: &'a [u8], room: usize) -> Result<(usize, &'a [u8]), HttpError> {
        let mut taken = 0;
        while let Some(byte) = input.get(taken) {
            let ahead = self.data_ahead();
            if ahead > 0 {
                let rest = &input[taken..];
                let count = rest.len().min(room).min(usize::try_from(ahead).unwrap_or(usize::MAX));
                self.received(count);
                return Ok((taken + count, &rest[..count]));
            }
            if self.is_done() {
                break;
            }
            self.framing(*byte)?;
            taken += 1;
        }
        Ok((taken, &[]))
    }

    /// One byte between data.
    fn framing(&mut self, byte: u8) -> Result<(), HttpError> {
        const BAD: HttpError = HttpError("an HTTP chunk is malformed");
        match &mut self.0 {
            State::Size { value, digits, skipping, line } => {
                *line += 1;
                match (byte, char::from(byte).to_digit(16)) {
                    (b'\n', _) if *digits > 0 => {
                        self.0 = if *value == 0 { State::Trailer { total: 0, line: 0 } } else { State::Chunk(*value) };
                    }
                    // 2^60 bytes in one chunk are not meant.
                    (_, Some(digit)) if !*skipping && *digits < 15 => {
                        *value = *value << 4 | u64::from(digit);
                        *digits += 1;
                    }
                    (b';' | b' ' | b'\t' | b'\r', _) if *digits > 0 => *skipping = true,
                    _ if *skipping && *line <= MAX_HEAD => {}
                    _ => return Err(BAD),
                }
            }
            State::ChunkEnd => match byte {
                b'\r' => {}
                b'\n' => self.0 = State::Size { value: 0, digits: 0, skipping: false, line: 0 },
                _ => return Err(BAD),
            },
            State::Trailer { total, line } => {
                *total += 1;
                match byte {
                    b'\n' if *line == 0 => self.0 = State::Done,
                    b'\n' => *line = 0,
                    b'\r' => {}
                    _ if *total > MAX_HEAD => return Err(HttpError("the HTTP trailer is too long")),
                    _ => *line += 1,
                }
            }
            State::Length(_) | State::UntilClose | State::Chunk(_) | State::Done => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn head(text: &str) -> Head {
        Head::parse(text.as_bytes()).unwrap().unwrap().0
    }

    /// The data of a body fed in pieces of this size, and the bytes left over.
    fn collect(
        mut body: Body,
        mut input: &[u8],
        piece: usize,
        room: usize,
    ) -> Result<(Vec<u8>, usize, Body), HttpError> {
        let mut data = Vec::new();
        while !input.is_empty() {
            let window = &input[..input.len().min(piece)];
            let (taken, found) = body.advance(window, room)?;
            data.extend_from_slice(found);
            if taken == 0 {
                break;
            }
            input = &input[taken..];
        }
        Ok((data, input.len(), body))
    }

    #[test]
    fn a_head_in_all_its_cuts() {
        let text = b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 17\r\nX: a:b \r\n\r\nbody";
        let end = text.len() - 4;
        for cut in 0..end {
            assert_eq!(Head::parse(&text[..cut]).unwrap(), None, "{cut}");
        }
        let (head, taken) = Head::parse(text).unwrap().unwrap();
        assert_eq!(taken, end);
        assert_eq!(head.field("content-length"), Some("17"));
        assert_eq!(head.field("x"), Some("a:b"));
        assert_eq!(head.status().unwrap(), Status { code: 200, reason: "OK".to_owned(), persistent: true });
    }

    #[test]
    fn status_lines() {
        for (line, code, reason) in [
            ("HTTP/1.0 404 Not Found", 404, "Not Found"),
            ("HTTP/1.1 500", 500, ""),
            ("HTTP/1.1 503 a\x1b[2Jb", 503, "a[2Jb"),
        ] {
            let status = head(&format!("{line}\n\n")).status().unwrap();
            assert_eq!((status.code, status.reason.as_str()), (code, reason));
        }
        for line in ["", "RTMP", "HTTP/2 200 OK", "HTTP/1.1", "HTTP/1.1 20 OK", "HTTP/1.1 2000 OK", "ICY 200 OK"] {
            assert!(head(&format!("{line} \n\n")).status().is_err(), "{line}");
        }
    }

    #[test]
    fn persistence() {
        for (text, stays) in [
            ("HTTP/1.1 200 OK\n\n", true),
            ("HTTP/1.1 200 OK\nConnection: Close\n\n", false),
            ("HTTP/1.1 200 OK\nConnection: foo, close\n\n", false),
            ("HTTP/1.0 200 OK\n\n", false),
            ("HTTP/1.0 200 OK\nConnection: Keep-Alive\n\n", true),
            ("HTTP/1.0 200 OK\nProxy-Connection: keep-alive\n\n", true),
        ] {
            assert_eq!(head(text).status().unwrap().persistent, stays, "{text}");
        }
    }

    #[test]
    fn requests() {
        let request = head("POST /send/ab/1 HTTP/1.1\nHost: x\n\n");
        assert_eq!(request.request().unwrap(), ("POST", "/send/ab/1", true));
        for line in ["POST", "POST /", "POST / HTTP/1.1 x", "POST / FTP/1.1"] {
            assert!(head(&format!("{line}\n\n")).request().is_err(), "{line}");
        }
        assert!(request.request_body().unwrap().is_done());
    }

    #[test]
    fn heads_have_their_limits() {
        let endless = vec![b'a'; MAX_HEAD];
        assert!(Head::parse(&endless[..MAX_HEAD - 1]).unwrap().is_none());
        assert!(Head::parse(&endless).is_err());
        let many = format!("HTTP/1.1 200 OK\n{}\n", "a: b\n".repeat(MAX_FIELDS + 1));
        assert!(Head::parse(many.as_bytes()).is_err());
        let long = format!("HTTP/1.1 200 OK\n{}\n", format!("a: {}\n", "b".repeat(10_000)).repeat(7));
        assert!(Head::parse(long.as_bytes()).is_err());
        assert!(Head::parse(b"HTTP/1.1 200 OK\nno colon\n\n").is_err());
        assert!(Head::parse(b"HTTP/1.1 200 OK\na: b\n c\n\n").unwrap().is_some());
    }

    #[test]
    fn lengths() {
        let body = |text: &str| head(&format!("HTTP/1.1 200 OK\n{text}\n")).response_body(200);
        for bad in ["-1", "1x", "", "99999999999999999999", "0x10", "+1"] {
            assert!(body(&format!("Content-Length: {bad}\n")).is_err() || bad.is_empty(), "{bad}");
        }
        assert_eq!(body("Content-Length: 0\n").unwrap(), Body(State::Done));
        assert!(body("").unwrap().is_until_close());
        assert!(body("Transfer-Encoding: gzip\n").is_err());
        let (data, left, body) = collect(body("Content-Length: 5\n").unwrap(), b"helloHTTP", 100, 100).unwrap();
        assert_eq!((data.as_slice(), left, body.is_done()), (&b"hello"[..], 4, true));
        assert!(head("HTTP/1.1 204 No\n\n").response_body(204).unwrap().is_done());
    }

    const CHUNKED: &[u8] =
        b"4\r\nWiki\r\n06;ext=\"x\"\r\npedia \r\nD \nin \r\n\r\nchunks\r\n0\r\nTrailer: yes\r\n\r\nHTTP";

    fn chunked() -> Body {
        head("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nContent-Length: 3\n\n").response_body(200).unwrap()
    }

    #[test]
    fn chunks_however_they_are_cut() {
        for piece in [1, 2, 3, 7, 1000] {
            for room in [1, 5, 1000] {
                let (data, left, body) = collect(chunked(), CHUNKED, piece, room).unwrap();
                assert_eq!(data, b"Wikipedia in \r\n\r\nchunks", "{piece} {room}");
                assert_eq!(left, 4);
                assert!(body.is_done());
            }
        }
        for cut in 0..CHUNKED.len() - 4 {
            assert!(!collect(chunked(), &CHUNKED[..cut], 1000, 1000).unwrap().2.is_done(), "{cut}");
        }
    }

    #[test]
    fn data_received_elsewhere_counts() {
        let mut body = chunked();
        assert_eq!(body.data_ahead(), 0);
        assert_eq!(body.advance(b"a\r\n", 100).unwrap(), (3, &b""[..]));
        assert_eq!(body.data_ahead(), 10);
        body.received(9);
        assert_eq!(body.advance(b"x\r\n0\r\n\r\n", 100).unwrap(), (1, &b"x"[..]));
        assert_eq!(body.advance(b"\r\n0\r\n\r\n", 100).unwrap(), (7, &b""[..]));
        assert!(body.is_done());
    }

    #[test]
    fn bad_chunks() {
        for bad in ["\r\n", "x", "-1\r\n", ";a\r\n", "1\r\nabc", "1234567890abcdef0\r\n"] {
            assert!(collect(chunked(), bad.as_bytes(), 1000, 1000).is_err(), "{bad:?}");
        }
        let mut endless = b"1;".to_vec();
        endless.resize(2 * MAX_HEAD, b'a');
        assert!(collect(chunked(), &endless, 1000, 1000).is_err());
        let mut endless = b"0\r\n".to_vec();
        endless.resize(2 * MAX_HEAD, b'a');
        assert!(collect(chunked(), &endless, 1000, 1000).is_err());
    }

    proptest! {
        #[test]
        fn garbage_neither_panics_nor_stalls(input in prop::collection::vec(any::<u8>(), 0..300), piece in 1usize..50) {
            if let Ok(Some((head, taken))) = Head::parse(&input) {
                prop_assert!(taken <= input.len());
                let _ = (head.status(), head.request(), head.request_body());
            }
            let _ = collect(chunked(), &input, piece, 10);
        }
    }
}
