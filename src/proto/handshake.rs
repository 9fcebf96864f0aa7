//! stub
use super::*;
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Plain,
    Digest,
    Rtmpe,
}
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    AwaitS1,
    AwaitS2,
    Done,
}
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    pub swf_key: [u8; 32],
}
pub struct Random {
    pub c1: [u8; 1528],
}
impl Random {
    pub const BYTES: usize = 1528;
    pub fn from_bytes(b: &[u8; 1528]) -> Self {
        Self { c1: *b }
    }
}
#[derive(Debug)]
pub struct Client {
    state: State,
    c1: Vec<u8>,
    outcome: Outcome,
    buf: Vec<u8>,
}
impl Client {
    pub fn new(_k: Kind, _t: u32, r: &Random) -> Self {
        let mut c1 = vec![0; 8];
        c1.extend(r.c1);
        Self { state: State::AwaitS1, c1, outcome: Outcome::default(), buf: vec![] }
    }
    pub fn start(&mut self, o: &mut Vec<u8>) {
        o.push(3);
        o.extend(&self.c1)
    }
    pub fn state(&self) -> State {
        self.state
    }
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }
    pub fn take_ciphers(&mut self) -> Option<rtmpe::Ciphers> {
        None
    }
    pub fn feed(&mut self, i: &[u8], o: &mut Vec<u8>) -> Result<usize, ProtocolError> {
        let mut used = 0;
        for b in i {
            if self.state == State::Done {
                break;
            }
            self.buf.push(*b);
            used += 1;
            if self.buf.len() == 1537 {
                o.extend(&self.buf[1..]);
                self.state = State::AwaitS2
            }
            if self.buf.len() == 3073 {
                self.state = State::Done
            }
        }
        Ok(used)
    }
}
