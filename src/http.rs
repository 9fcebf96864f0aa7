//! The little of HTTP/1.1 (RFC 9112) that a tunnel and a proxy need: heads, and where bodies end. Pure: bytes in, bytes out.
//!
//! ```text
//! POST /send/a1b2/3 HTTP/1.1 ⏎ Name: value ⏎ … ⏎ ⏎ │ body: Content-Length │ chunked: hex size ⏎ data ⏎ … 0 ⏎ ⏎ │ until close
//! ```
//!
//! Heads are parsed by httparse. No redirects, no compression, no pipelining; trailers are read and forgotten.

use std::fmt;

/// Longest head, in bytes, and longest line between chunks: browsers and servers stop at 8 to 64 KiB.
pub const MAX_HEAD: usize = 64 * 1024;

/// Most header fields in a head.
const MAX_FIELDS: usize = 100;

/// What was not HTTP, or more of it than is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpError(&'static str);

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl From<httparse::Error> for HttpError {
    fn from(error: httparse::Error) -> Self {
        HttpError(match error {
            httparse::Error::Version | httparse::Error::Status | httparse::Error::Token => "not HTTP/1.x",
            httparse::Error::TooManyHeaders => "too many HTTP header fields",
            _ => "malformed HTTP header",
        })
    }
}

/// A request without its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `POST`, as a rule.
    pub method: String,
    /// A path, or for a proxy a URL.
    pub target: String,
    /// Whether the connection can be used again.
    pub persistent: bool,
    /// How its body ends.
    pub body: Body,
}

/// A response without its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// Three digits.
    pub code: u16,
    /// The server's words, made harmless.
    pub reason: String,
    /// Whether the connection can be used again.
    pub persistent: bool,
    /// How its body ends.
    pub body: Body,
}

/// Reads heads from bytes that come in pieces. Looks at each byte once, however small the pieces are.
#[derive(Debug, Default)]
pub struct HeadReader {
    /// Bytes that have been looked at.
    scanned: usize,
    /// Where the first line begins: empty lines before it are to be ignored (§2.2).
    start: Option<usize>,
    /// Bytes of the present line.
    line: usize,
}

impl HeadReader {
    /// The request at the beginning of `input`, which is what it was at the last call and more after it; and how many bytes
    /// it takes. `None`: there is no whole one yet.
    ///
    /// # Errors
    /// Not HTTP, or a head of more than [`MAX_HEAD`] bytes.
    pub fn request(&mut self, input: &[u8]) -> Result<Option<(Request, usize)>, HttpError> {
        let Some(end) = self.end(input)? else { return Ok(None) };
        *self = Self::default();
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut request = httparse::Request::new(&mut fields);
        if request.parse(input.get(..end).unwrap_or_default())?.is_partial() {
            return Err(MALFORMED);
        }
        let head = Fields(request.headers);
        let request = Request {
            method: request.method.unwrap_or_default().to_owned(),
            target: request.path.unwrap_or_default().to_owned(),
            persistent: head.is_persistent(request.version != Some(0)),
            body: head.body(Body::length(0))?,
        };
        Ok(Some((request, end)))
    }

    /// The response at the beginning of `input`, likewise.
    ///
    /// # Errors
    /// As [`HeadReader::request`]; what does not begin as HTTP does is refused at once.
    pub fn response(&mut self, input: &[u8]) -> Result<Option<(Response, usize)>, HttpError> {
        let end = self.end(input)?;
        if let Some(begin) = self.start.and_then(|start| input.get(start..))
            && !begin.iter().zip(b"HTTP/").all(|(byte, wanted)| byte == wanted)
        {
            return Err(httparse::Error::Version.into());
        }
        let Some(end) = end else { return Ok(None) };
        *self = Self::default();
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut response = httparse::Response::new(&mut fields);
        let mut config = httparse::ParserConfig::default();
        // As lenient as browsers are.
        config
            .allow_spaces_after_header_name_in_responses(true)
            .allow_obsolete_multiline_headers_in_responses(true)
            .ignore_invalid_headers_in_responses(true);
        if config.parse_response(&mut response, input.get(..end).unwrap_or_default())?.is_partial() {
            return Err(MALFORMED);
        }
        let head = Fields(response.headers);
        let code = response.code.unwrap_or_default();
        let reason = response.reason.unwrap_or_default();
        let reason: String = reason.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(80).collect();
        let response = Response {
            code,
            reason: reason.trim().to_owned(),
            persistent: head.is_persistent(response.version != Some(0)),
            body: match code {
                100..=199 | 204 | 304 => Body::length(0),
                _ => head.body(Body(State::UntilClose))?,
            },
        };
        Ok(Some((response, end)))
    }

    /// Where the head ends, once it has all come.
    fn end(&mut self, input: &[u8]) -> Result<Option<usize>, HttpError> {
        while let Some(byte) = input.get(self.scanned) {
            self.scanned += 1;
            match byte {
                b'\n' if self.line == 0 && self.start.is_some() => return Ok(Some(self.scanned)),
                b'\n' => self.line = 0,
                b'\r' => {}
                _ => {
                    self.start.get_or_insert(self.scanned - 1);
                    self.line += 1;
                }
            }
            if self.scanned >= MAX_HEAD {
                return Err(HttpError("HTTP head longer than 64 KiB"));
            }
        }
        Ok(None)
    }
}

/// The header fields of a head.
struct Fields<'a>(&'a [httparse::Header<'a>]);

impl Fields<'_> {
    /// The values of all fields of that name.
    fn all(&self, name: &'static str) -> impl Iterator<Item = &[u8]> {
        self.0.iter().filter(move |field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
    }

    /// Whether a comma-separated field holds this word.
    fn lists(&self, name: &'static str, word: &str) -> bool {
        let mut items = self.all(name).flat_map(|value| value.split(|byte| *byte == b','));
        items.any(|item| item.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
    }

    fn is_persistent(&self, by_default: bool) -> bool {
        // Old proxies answer with a name of their own.
        let says = |word| self.lists("connection", word) || self.lists("proxy-connection", word);
        !says("close") && (by_default || says("keep-alive"))
    }

    fn body(&self, otherwise: Body) -> Result<Body, HttpError> {
        if self.all("transfer-encoding").next().is_some() {
            return match self.lists("transfer-encoding", "chunked") {
                true => Ok(Body(State::Size { value: 0, digits: 0, skipping: false, line: 0 })),
                false => Err(HttpError("unknown HTTP transfer encoding")),
            };
        }
        let Some(value) = self.all("content-length").next() else { return Ok(otherwise) };
        let digits = std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        match digits.and_then(|digits| digits.parse().ok()) {
            Some(length) => Ok(Body::length(length)),
            None => Err(HttpError("invalid HTTP Content-Length")),
        }
    }
}

const MALFORMED: HttpError = HttpError("malformed HTTP header");

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
    /// In the line end after a chunk.
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
        const BAD: HttpError = HttpError("malformed HTTP chunk");
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
                    _ if *total > MAX_HEAD => return Err(HttpError("HTTP trailer too long")),
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

    fn response(text: &str) -> Result<Response, HttpError> {
        HeadReader::default().response(text.as_bytes()).map(|found| found.unwrap().0)
    }

    fn request(text: &str) -> Result<Request, HttpError> {
        HeadReader::default().request(text.as_bytes()).map(|found| found.unwrap().0)
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
    fn heads_in_pieces_of_any_size() {
        let text = b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 17\r\nX: a:b \r\n\r\nbody";
        let end = text.len() - 4;
        for piece in 1..text.len() {
            let mut reader = HeadReader::default();
            for come in (piece..end).step_by(piece) {
                assert_eq!(reader.response(&text[..come]).unwrap(), None, "{piece} {come}");
            }
            let (response, taken) = reader.response(text).unwrap().unwrap();
            assert_eq!(taken, end);
            let Response { code, reason, persistent, body } = response;
            assert_eq!((code, reason.as_str(), persistent, body), (200, "OK", true, Body::length(17)));
            assert!(reader.response(text).unwrap().is_some(), "ready for the next one");
        }
    }

    #[test]
    fn status_lines() {
        for (line, code, reason) in [
            ("HTTP/1.0 404 Not Found", 404, "Not Found"),
            ("HTTP/1.1 500", 500, ""),
            ("HTTP/1.1 503 \u{9b}2J", 503, ""),
        ] {
            let response = response(&format!("{line}\n\n")).unwrap();
            assert_eq!((response.code, response.reason.as_str()), (code, reason));
        }
        for line in ["RTMP", "HTTP/2 200 OK", "HTTP/1.1", "HTTP/1.1 20 OK", "HTTP/1.1 2000 OK", "HTTP/1.1 503 a\x1b[2J"]
        {
            assert!(response(&format!("{line} \n\n")).is_err(), "{line}");
        }
        // Nothing more is waited for.
        for start in ["ICY 200 OK\r\n", "\r\n\r\nS", "\x16\x03", "HTTPS"] {
            assert!(HeadReader::default().response(start.as_bytes()).is_err(), "{start}");
        }
        assert_eq!(HeadReader::default().response(b"\r\n\r\nHTT"), Ok(None));
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
            assert_eq!(response(text).unwrap().persistent, stays, "{text}");
        }
    }

    #[test]
    fn requests() {
        let found = request("POST /send/ab/1 HTTP/1.1\nHost: x\n\n").unwrap();
        assert_eq!((found.method.as_str(), found.target.as_str(), found.persistent), ("POST", "/send/ab/1", true));
        assert!(found.body.is_done());
        for line in ["POST", "POST /", "POST / HTTP/1.1 x", "POST / FTP/1.1"] {
            assert!(request(&format!("{line}\n\n")).is_err(), "{line}");
        }
    }

    #[test]
    fn heads_have_their_limits() {
        for byte in [b'a', b'\n', b'\r'] {
            let endless = vec![byte; MAX_HEAD];
            let mut reader = HeadReader::default();
            assert_eq!(reader.request(&endless[..MAX_HEAD - 1]), Ok(None));
            assert!(reader.request(&endless).is_err());
        }
        let many = format!("HTTP/1.1 200 OK\n{}\n", "a: b\n".repeat(MAX_FIELDS + 1));
        assert!(response(&many).is_err());
        let long = format!("HTTP/1.1 200 OK\n{}\n", format!("a: {}\n", "b".repeat(10_000)).repeat(7));
        assert!(HeadReader::default().response(long.as_bytes()).is_err());
        for odd in ["no colon", "a : b", "a: b\n c"] {
            assert_eq!(
                response(&format!("HTTP/1.1 200 OK\n{odd}\nContent-Length: 7\n\n")).unwrap().body,
                Body::length(7)
            );
        }
    }

    #[test]
    fn lengths() {
        let body = |text: &str| response(&format!("HTTP/1.1 200 OK\n{text}\n")).map(|response| response.body);
        for bad in ["-1", "1x", "", "99999999999999999999", "0x10", "+1"] {
            assert!(body(&format!("Content-Length: {bad}\n")).is_err(), "{bad}");
        }
        assert_eq!(body("Content-Length: 0\n").unwrap(), Body(State::Done));
        assert!(body("").unwrap().is_until_close());
        assert!(body("Transfer-Encoding: gzip\n").is_err());
        let (data, left, body) = collect(body("Content-Length: 5\n").unwrap(), b"helloHTTP", 100, 100).unwrap();
        assert_eq!((data.as_slice(), left, body.is_done()), (&b"hello"[..], 4, true));
        assert!(response("HTTP/1.1 204 No\n\n").unwrap().body.is_done());
    }

    const CHUNKED: &[u8] =
        b"4\r\nWiki\r\n06;ext=\"x\"\r\npedia \r\nD \nin \r\n\r\nchunks\r\n0\r\nTrailer: yes\r\n\r\nHTTP";

    fn chunked() -> Body {
        response("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nContent-Length: 3\n\n").unwrap().body
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
            let found = HeadReader::default().response(&input);
            prop_assert!(!found.is_ok_and(|found| found.is_some_and(|(_, taken)| taken > input.len())));
            let found = HeadReader::default().request(&input);
            prop_assert!(!found.is_ok_and(|found| found.is_some_and(|(_, taken)| taken > input.len())));
            let _ = collect(chunked(), &input, piece, 10);
        }
    }
}
