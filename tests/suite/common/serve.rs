//! `rtmpcat serve` as a program of its own.

use super::{Running, free_port, rtmpcat_with, wait_listening};

/// A running server at a free port; it ends when this is dropped.
pub struct Serve {
    /// Where it listens.
    pub port: u16,
    /// The program, for what it prints.
    pub process: Running,
}

impl Serve {
    /// Starts it and waits until it accepts connections.
    #[track_caller]
    pub fn start(args: &[&str]) -> Serve {
        let port = free_port();
        let listen = format!("127.0.0.1:{port}");
        let mut process = Running::start(&mut rtmpcat_with(["serve", "--listen", &listen].iter().chain(args)));
        wait_listening(port, Some(&mut process));
        Serve { port, process }
    }

    /// The URL of a stream.
    pub fn url(&self, stream: &str) -> String {
        self.url_as("", stream)
    }

    /// The same with `user:password@`.
    pub fn url_as(&self, userinfo: &str, stream: &str) -> String {
        format!("rtmp://{userinfo}127.0.0.1:{}/vod/{stream}", self.port)
    }
}
