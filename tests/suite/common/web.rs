//! A web server that gives out one file, and notes what it was asked.

use super::PATIENCE;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A running server; its thread ends with the program.
pub struct Web {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Web {
    /// Starts one that answers each request for the file with `answer`, which sees the request: status line and further
    /// headers, and the body.
    pub fn start(answer: impl Fn(&str) -> (String, Vec<u8>) + Send + 'static) -> Web {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port to listen on");
        let port = listener.local_addr().expect("its number").port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let noted = requests.clone();
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let Some(request) = read_request(&socket) else { continue };
                let (head, body) = answer(&request);
                noted.lock().unwrap().push(request);
                let head = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                // The client may have heard enough.
                let _ = (&socket).write_all(&[head.as_bytes(), &body].concat());
            }
        });
        Web { port, requests }
    }

    /// One that gives `file` to everyone, and says that it has not changed to those who have it.
    pub fn with_file(file: &[u8]) -> Web {
        let file = file.to_vec();
        Web::start(move |request| {
            if request.to_ascii_lowercase().contains("if-modified-since: sat, 21 nov 2026") {
                ("304 Not Modified".into(), Vec::new())
            } else {
                ("200 OK\r\nLast-Modified: Sat, 21 Nov 2026 04:01:04 GMT".into(), file.clone())
            }
        })
    }

    /// The URL of its file.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/a/player.swf", self.port)
    }

    /// What it was asked so far, each request with its headers.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn read_request(socket: &TcpStream) -> Option<String> {
    socket.set_read_timeout(Some(PATIENCE)).ok()?;
    let mut lines = BufReader::new(socket);
    let mut request = String::new();
    while !request.ends_with("\r\n\r\n") {
        if lines.read_line(&mut request).ok()? == 0 {
            return None;
        }
    }
    Some(request)
}
