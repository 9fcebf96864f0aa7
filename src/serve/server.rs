//! The listening side: endpoints, their threads, and one thread for each client.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::rtmfp;
use crate::transport::Interrupt;
use crate::transport::listen::{ListenOptions, Listener};
use crate::util::percent::{self, AsciiSet, RESERVED};

use super::catalogue::Catalogue;
use super::connection::ClientConnection;
use super::shared::{Counted, Shared};
use super::types::{Listen, LogEntry, ServeError, ServeOptions};

/// A server that runs in threads of its own until it is stopped or dropped.
#[derive(Debug)]
pub struct Server {
    endpoints: Vec<Endpoint>,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// An address that clients connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its URL scheme. RTMPE is accepted wherever RTMP is, tunnels included.
    pub scheme: &'static str,
    /// The address with the real port.
    pub address: SocketAddr,
    /// The certificate that was made for it, as PEM; a client has to trust it.
    pub certificate: Option<String>,
}

impl Server {
    /// Listens and serves.
    ///
    /// # Errors
    /// An address cannot be listened on, a certificate cannot be used, or a path cannot be read or is not an FLV file.
    pub fn start(options: ServeOptions) -> Result<Self, ServeError> {
        let catalogue = Catalogue::new(&options.paths)?;
        let stop = Interrupt::default();
        let bound = options.listen.iter().map(|listen| bind(listen, options.write_timeout, &stop));
        let listeners = bound.collect::<Result<Vec<Listener>, ServeError>>()?;
        let endpoints = options.listen.iter().zip(&listeners).map(|(listen, listener)| Endpoint {
            scheme: listen.scheme(),
            address: listener.local_addr(),
            certificate: listener.made_certificate().map(str::to_owned),
        });
        let endpoints = endpoints.collect();
        let shared = Arc::new(Shared::new(options, catalogue, stop));
        // Made before the threads: if one cannot be started, dropping this stops the others.
        let mut server = Self { endpoints, shared, threads: Vec::new() };
        for listener in listeners {
            let shared = server.shared.clone();
            let thread = std::thread::Builder::new().name("serve".to_owned());
            server.threads.push(thread.spawn(move || accept(&shared, listener)).map_err(ServeError::Thread)?);
        }
        Ok(server)
    }

    /// The first address that is listened on.
    pub fn addr(&self) -> SocketAddr {
        self.endpoints.first().map_or(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0), |endpoint| endpoint.address)
    }

    /// The addresses that clients connect to, in the order of [`ServeOptions::listen`].
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// A URL to play: of the first file, or of the test stream.
    pub fn url(&self) -> String {
        self.urls().into_iter().next().unwrap_or_default()
    }

    /// URLs to play: of each single file, and of the test stream, at every endpoint.
    pub fn urls(&self) -> Vec<String> {
        let at = |endpoint: &Endpoint| {
            let base = format!("{}://{}", endpoint.scheme, endpoint.address);
            let names = self.shared.catalogue.names().map(|name| format!("vod/{}", escaped(&name)));
            names.chain(["live/test".to_owned()]).map(move |path| format!("{base}/{path}")).collect::<Vec<_>>()
        };
        self.endpoints.iter().flat_map(at).collect()
    }

    /// Milliseconds since the live stream began.
    pub fn stream_time_ms(&self) -> u64 {
        self.shared.stream_time_ms()
    }

    /// Clients that are connected.
    pub fn clients(&self) -> usize {
        self.shared.clients.load(Ordering::Relaxed)
    }

    /// Whether it has stopped ([`ServeOptions::stop_after`]).
    pub fn is_finished(&self) -> bool {
        self.threads.iter().all(JoinHandle::is_finished)
    }

    /// Stops listening, ends all connections and waits for it.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.shared.stop.raise();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

fn bind(listen: &Listen, write_timeout: Duration, stop: &Interrupt) -> Result<Listener, ServeError> {
    let options = ListenOptions { tls: listen.tls.clone(), tunnel: listen.tunnel, write_timeout };
    let bound = if listen.rtmfp {
        rtmfp::responder().and_then(|responder| Listener::bind_datagrams(listen.address, responder, &options, stop))
    } else {
        Listener::bind(listen.address, &options, stop)
    };
    bound.map_err(|source| ServeError::Listen { address: listen.address, source })
}

/// Accepts clients, with a thread for each, until the server is to stop; then waits for them to end.
fn accept(shared: &Arc<Shared>, listener: Listener) {
    let mut threads: Vec<JoinHandle<()>> = Vec::new();
    while !shared.stop.is_set() && !shared.has_served_all() {
        let stream = listener.accept(Instant::now() + ACCEPT_WAIT);
        threads.retain(|thread| !thread.is_finished());
        let Some(stream) = stream else { continue };
        if shared.clients.load(Ordering::Relaxed) >= shared.options.max_clients {
            shared.log(LogEntry::Full { client: stream.peer_addr().to_string() });
            continue;
        }
        let counted = Counted::new(shared);
        let thread = std::thread::Builder::new().name("client".to_owned());
        let spawned = thread.spawn(move || {
            if let Ok(client) = ClientConnection::new(counted.shared(), stream) {
                client.run();
            }
        });
        threads.extend(spawned);
    }
    drop(listener);
    for thread in threads {
        let _ = thread.join();
    }
}

/// A name as it stands in a URL.
fn escaped(name: &str) -> String {
    const IN_PATHS: &AsciiSet = &RESERVED.remove(b':');
    percent::encode(name, IN_PATHS)
}

/// Longest wait for a client; after it the server looks whether to stop.
const ACCEPT_WAIT: Duration = Duration::from_millis(200);
