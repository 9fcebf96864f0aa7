//! RTMPT: HTTP in TCP connections → both directions of the RTMP sessions that run through it.
//!
//! ```text
//! client: POST /open/1 │ POST /send/ID/1, body: bytes of the session │ POST /idle/ID/2 │ POST /close/ID/3
//! server: ID ⏎         │ interval (1 byte) · bytes of the session … │ the same        │ a byte
//! ```
//!
//! Answers belong to requests in their order. A session is known by its ID, whichever TCP connections it runs over; its
//! messages stand under the number of the one that opened it. Nothing is asked again, redirected or unpacked.

use std::collections::{BTreeMap, VecDeque};

use crate::http::{Body, HeadReader, Request, Response};

use super::conversation::{Conversation, Seen, StreamStart, Why};
use super::direction::Direction;
use super::event::Event;

/// The sessions of a capture that run through tunnels.
#[derive(Debug, Default)]
pub struct Tunnels {
    sessions: BTreeMap<String, Session>,
    clock: u64,
}

#[derive(Debug)]
struct Session {
    /// Of the TCP connection that opened it.
    number: u32,
    conversation: Conversation,
    /// When something was last heard of it.
    used: u64,
}

impl Tunnels {
    /// A session; of one that was not seen from its beginning, it is only looked whether it begins now.
    fn session(&mut self, id: &str, number: u32, begins: StreamStart) -> &mut Session {
        if !self.sessions.contains_key(id)
            && self.sessions.len() >= MAX_SESSIONS
            && let Some(oldest) = self.sessions.iter().min_by_key(|(_, session)| session.used).map(|(id, _)| id.clone())
        {
            self.sessions.remove(&oldest);
        }
        self.clock += 1;
        let new = || Session { number, conversation: Conversation::new(begins), used: 0 };
        let session = self.sessions.entry(id.to_owned()).or_insert_with(new);
        session.used = self.clock;
        session
    }

    fn feed(&mut self, id: &str, from: Direction, bytes: &[u8], number: u32, take: &mut impl FnMut(u32, Event<'_>)) {
        let Session { number, conversation, .. } = self.session(id, number, StreamStart::Perhaps);
        conversation.feed(from, bytes, |seen| take(*number, Event::Said(from, seen)));
    }
}

/// A TCP connection that carries HTTP.
#[derive(Debug, Default)]
pub struct HttpConnection {
    client: Half,
    server: Half,
    /// What was asked and not answered yet.
    asked: VecDeque<Asked>,
    /// The session it was last used for.
    last: Option<String>,
    /// Something was asked that only a tunnel asks.
    is_tunnel: bool,
}

/// One direction of it.
#[derive(Debug, Default)]
struct Half {
    reads: Reads,
    heads: HeadReader,
    /// What was fed and not used up: the beginning of a head.
    rest: Vec<u8>,
}

#[derive(Debug, Default)]
enum Reads {
    #[default]
    Head,
    Body(Body, Data),
    Broken,
}

/// What a body holds.
#[derive(Debug)]
enum Data {
    /// The ID of a session that is opened.
    Id(Vec<u8>),
    /// Bytes of a session, perhaps after an interval.
    Bytes { id: String, interval: bool },
    /// Nothing of interest.
    Other,
}

#[derive(Debug)]
enum Asked {
    Open,
    Exchange(String),
    Other,
}

impl HttpConnection {
    /// Whether what a client says first is a request as tunnels have them.
    pub fn begins_with(bytes: &[u8]) -> bool {
        let wanted = b"POST ";
        !bytes.is_empty() && bytes.iter().zip(wanted).all(|(byte, wanted)| byte == wanted)
    }

    /// The next bytes of one direction of connection `number`.
    pub fn feed(
        &mut self,
        from: Direction,
        bytes: &[u8],
        number: u32,
        tunnels: &mut Tunnels,
        take: &mut impl FnMut(u32, Event<'_>),
    ) {
        self.half(from).rest.extend_from_slice(bytes);
        let mut read = self.read(from, number, tunnels, take);
        if read.is_ok() && from == Direction::Client {
            // An answer may have been captured before its question.
            read = self.read(Direction::Server, number, tunnels, take);
        }
        if let Err(why) = read {
            self.client = Half { reads: Reads::Broken, ..Half::default() };
            self.server = Half { reads: Reads::Broken, ..Half::default() };
            // Of the web at large no sense is to be made.
            let why = if self.is_tunnel { why } else { Why::Other("HTTP, but not a tunnel") };
            take(number, Event::Said(from, Seen::Broken(&why)));
        }
    }

    /// Nothing more of this direction is fed: bytes are missing. Returns whether that makes a difference.
    pub fn give_up(&mut self, from: Direction, tunnels: &mut Tunnels) -> bool {
        let half = self.half(from);
        let was_broken = matches!(half.reads, Reads::Broken);
        *half = Half { reads: Reads::Broken, ..Half::default() };
        if let Some(session) = self.last.as_ref().and_then(|id| tunnels.sessions.get_mut(id)) {
            session.conversation.give_up(from);
        }
        !was_broken
    }

    fn half(&mut self, from: Direction) -> &mut Half {
        match from {
            Direction::Client => &mut self.client,
            Direction::Server => &mut self.server,
        }
    }

    fn read(
        &mut self,
        from: Direction,
        number: u32,
        tunnels: &mut Tunnels,
        take: &mut impl FnMut(u32, Event<'_>),
    ) -> Result<(), Why> {
        let Half { mut reads, mut heads, rest } = std::mem::take(self.half(from));
        let mut used = 0;
        loop {
            let bytes = rest.get(used..).unwrap_or_default();
            match &mut reads {
                Reads::Broken => {
                    *self.half(from) = Half { reads, ..Half::default() };
                    return Ok(());
                }
                Reads::Head => {
                    let waits = from == Direction::Server && self.asked.is_empty();
                    if bytes.is_empty() || waits {
                        break;
                    }
                    let next = match from {
                        Direction::Client => {
                            heads.request(bytes).map_err(Why::Http)?.map(|(r, taken)| (self.request(r), taken))
                        }
                        Direction::Server => {
                            heads.response(bytes).map_err(Why::Http)?.map(|(r, taken)| (Ok(self.answer(r)), taken))
                        }
                    };
                    let Some((next, taken)) = next else { break };
                    used += taken;
                    reads = next?;
                }
                Reads::Body(body, data) => {
                    let (taken, found) = body.advance(bytes, usize::MAX).map_err(Why::Http)?;
                    used += taken;
                    match data {
                        Data::Id(id) => id.extend(found.iter().take(MAX_ID.saturating_sub(id.len()))),
                        Data::Bytes { id, interval } => {
                            let found = match found.split_first() {
                                Some((_, behind)) if std::mem::take(interval) => behind,
                                Some(_) => found,
                                None => &[],
                            };
                            if !found.is_empty() {
                                tunnels.feed(id, from, found, number, take);
                            }
                        }
                        Data::Other => {}
                    }
                    if body.is_done() {
                        if let Data::Id(id) = data {
                            let id = String::from_utf8_lossy(id).trim().to_owned();
                            tunnels.sessions.remove(&id);
                            tunnels.session(&id, number, StreamStart::Here);
                            self.last = Some(id);
                        }
                        reads = Reads::Head;
                    } else if taken == 0 {
                        break;
                    }
                }
            }
        }
        let rest = rest.get(used..).unwrap_or_default().to_vec();
        *self.half(from) = Half { reads, heads, rest };
        Ok(())
    }

    fn request(&mut self, request: Request) -> Result<Reads, Why> {
        let Request { method, target, body, .. } = request;
        if method != "POST" {
            return Err(Why::Other("HTTP, but not a tunnel"));
        }
        // A proxy is asked with the whole URL.
        let path = match target.split_once("://") {
            Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
            None => target.trim_start_matches('/'),
        };
        let words: Vec<&str> = path.split('/').collect();
        let (asked, data) = match words[..] {
            ["open", _] => {
                self.is_tunnel = true;
                (Asked::Open, Data::Other)
            }
            ["send" | "idle", id, _] if (1..=MAX_ID).contains(&id.len()) => {
                (self.last, self.is_tunnel) = (Some(id.to_owned()), true);
                (Asked::Exchange(id.to_owned()), Data::Bytes { id: id.to_owned(), interval: false })
            }
            _ => (Asked::Other, Data::Other),
        };
        // The byte that some send with what needs none.
        let data = if words.first() == Some(&"idle") { Data::Other } else { data };
        if self.asked.len() >= MAX_ASKED {
            return Err(Why::Other("HTTP requests without a response"));
        }
        self.asked.push_back(asked);
        Ok(Reads::Body(body, data))
    }

    fn answer(&mut self, response: Response) -> Reads {
        // 100 Continue and its relatives come before the answer.
        let asked = if response.code < 200 { None } else { self.asked.pop_front() };
        let data = match asked {
            Some(Asked::Open) if response.code == 200 => Data::Id(Vec::new()),
            Some(Asked::Exchange(id)) if response.code == 200 => Data::Bytes { id, interval: true },
            _ => Data::Other,
        };
        Reads::Body(response.body, data)
    }
}

/// Sessions that are followed at a time; the one that was silent for longest makes room for another.
const MAX_SESSIONS: usize = 64;

/// Bytes of a session's ID; Flash Media Server has 16.
const MAX_ID: usize = 128;

/// Requests before an answer: tunnels wait for each.
const MAX_ASKED: usize = 64;
