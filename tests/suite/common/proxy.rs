//! A proxy on loopback: SOCKS 4, 4a and 5 and HTTP, told apart by what the client begins with. Whatever name it is asked
//! for is at 127.0.0.1. It notes what it was asked, and refuses as a test wants.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

/// What the proxy is like.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// User and password it insists on, but with SOCKS4, which has none.
    pub login: Option<(&'static str, &'static str)>,
    /// Its answer to the final request, whatever that is, after which it closes.
    pub refusal: Option<Vec<u8>>,
    /// Takes connections and says nothing.
    pub silent: bool,
}

/// A running proxy; it ends when this is dropped.
pub struct Proxy {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    asked: Arc<Mutex<Vec<String>>>,
    ended: Arc<AtomicBool>,
}

impl Proxy {
    /// Starts one.
    pub fn start(rules: Rules) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port to listen on");
        let port = listener.local_addr().expect("its number").port();
        let proxy = Proxy { port, asked: Arc::default(), ended: Arc::default() };
        let (asked, ended) = (proxy.asked.clone(), proxy.ended.clone());
        std::thread::spawn(move || {
            let mut kept = Vec::new();
            for client in listener.incoming().flatten() {
                if ended.load(SeqCst) {
                    return;
                }
                let _ = client.set_nodelay(true);
                if rules.silent {
                    kept.push(client);
                    continue;
                }
                let (rules, asked) = (rules.clone(), asked.clone());
                std::thread::spawn(move || {
                    let mut talk = Talk { client, asked, rules };
                    if let Ok(Some((server, ahead))) = talk.negotiate() {
                        let _ = relay(talk.client, server, &ahead);
                    }
                });
            }
        });
        proxy
    }

    /// What it was asked so far: `socks4 127.0.0.1:80`, `socks5 name:80`, `CONNECT name:80`, `POST name:80`.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.ended.store(true, SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

struct Talk {
    client: TcpStream,
    asked: Arc<Mutex<Vec<String>>>,
    rules: Rules,
}

impl Talk {
    /// The server, and bytes that it is to get first; nothing when the client was turned away.
    fn negotiate(&mut self) -> Result<Option<(TcpStream, Vec<u8>)>> {
        match self.take(1)?[0] {
            4 => self.socks_4(),
            5 => self.socks_5(),
            first => self.http(first),
        }
    }

    fn socks_4(&mut self) -> Result<Option<(TcpStream, Vec<u8>)>> {
        let head = self.take(7)?;
        let port = u16::from_be_bytes([head[1], head[2]]);
        self.take_text()?;
        let host = match &head[3..] {
            [0, 0, 0, 1..=255] => self.take_text()?,
            ip => Ipv4Addr::new(ip[0], ip[1], ip[2], ip[3]).to_string(),
        };
        self.enter("socks4", &host, port, &[0, 90, 0, 0, 0, 0, 0, 0])
    }

    fn socks_5(&mut self) -> Result<Option<(TcpStream, Vec<u8>)>> {
        let count = usize::from(self.take(1)?[0]);
        let methods = self.take(count)?;
        match self.rules.login {
            Some(_) if !methods.contains(&2) => {
                self.client.write_all(&[5, 0xff])?;
                return Ok(None);
            }
            Some((user, password)) => {
                self.client.write_all(&[5, 2])?;
                let length = usize::from(self.take(2)?[1]);
                let given_user = self.take(length)?;
                let length = usize::from(self.take(1)?[0]);
                let given = (given_user, self.take(length)?);
                let right = given == (user.into(), password.into());
                self.client.write_all(&[1, u8::from(!right)])?;
                if !right {
                    return Ok(None);
                }
            }
            None => self.client.write_all(&[5, 0])?,
        }
        let kind = self.take(4)?[3];
        let host = match kind {
            1 => Ipv4Addr::from(<[u8; 4]>::try_from(self.take(4)?).unwrap()).to_string(),
            4 => Ipv6Addr::from(<[u8; 16]>::try_from(self.take(16)?).unwrap()).to_string(),
            _ => {
                let length = usize::from(self.take(1)?[0]);
                String::from_utf8_lossy(&self.take(length)?).into_owned()
            }
        };
        let port = self.take(2)?;
        let port = u16::from_be_bytes([port[0], port[1]]);
        self.enter("socks5", &host, port, &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])
    }

    fn http(&mut self, first: u8) -> Result<Option<(TcpStream, Vec<u8>)>> {
        let mut head = vec![first];
        while !head.ends_with(b"\r\n\r\n") {
            head.extend(self.take(1)?);
        }
        let text = String::from_utf8_lossy(&head).into_owned();
        // user:password, in Base64.
        let right = self.rules.login.is_none_or(|(user, password)| {
            use base64::Engine;
            let login = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
            text.contains(&format!("Proxy-Authorization: Basic {login}\r\n"))
        });
        if !right {
            self.client.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")?;
            return Ok(None);
        }
        let mut words = text.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let place = target.trim_start_matches("http://").split('/').next().unwrap_or_default();
        let (host, port) = place.rsplit_once(':').unwrap_or((place, "80"));
        let port = port.parse().map_err(|_| Error::from(ErrorKind::InvalidData))?;
        if method == "CONNECT" {
            return self.enter(method, host, port, b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n");
        }
        Ok(self.enter(method, host, port, b"")?.map(|(server, _)| (server, head)))
    }

    fn enter(&mut self, how: &str, host: &str, port: u16, yes: &[u8]) -> Result<Option<(TcpStream, Vec<u8>)>> {
        self.asked.lock().unwrap().push(format!("{how} {host}:{port}"));
        if let Some(refusal) = &self.rules.refusal {
            self.client.write_all(refusal)?;
            return Ok(None);
        }
        let server = TcpStream::connect(("127.0.0.1", port))?;
        server.set_nodelay(true)?;
        self.client.write_all(yes)?;
        Ok(Some((server, Vec::new())))
    }

    fn take(&mut self, count: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.client.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Up to a zero.
    fn take_text(&mut self) -> Result<String> {
        let mut text = Vec::new();
        loop {
            match self.take(1)?[0] {
                0 => return Ok(String::from_utf8_lossy(&text).into_owned()),
                byte => text.push(byte),
            }
        }
    }
}

/// Both ways until both are finished.
fn relay(client: TcpStream, mut server: TcpStream, ahead: &[u8]) -> Result<()> {
    server.write_all(ahead)?;
    let (mut up_from, mut up_to) = (client.try_clone()?, server.try_clone()?);
    let up = std::thread::spawn(move || {
        let _ = std::io::copy(&mut up_from, &mut up_to);
        let _ = up_to.shutdown(Shutdown::Write);
    });
    let mut client = client;
    let _ = std::io::copy(&mut server, &mut client);
    let _ = client.shutdown(Shutdown::Write);
    let _ = up.join();
    Ok(())
}
