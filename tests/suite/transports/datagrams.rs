//! RTMFP on paths that lose datagrams.

use super::{Endpoints, dump};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Passes datagrams on between one client and a server, and loses some of them both ways, as a seed says.
struct LossyPath {
    port: u16,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl LossyPath {
    fn new(server: u16, loss_percent: u64) -> LossyPath {
        let bind = || {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
            socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a limit for waits");
            Arc::new(socket)
        };
        let (near, far) = (bind(), bind());
        far.connect(("127.0.0.1", server)).expect("the server's port");
        let port = near.local_addr().expect("an address").port();
        let stop = Arc::new(AtomicBool::new(false));
        let client: Arc<std::sync::Mutex<Option<SocketAddr>>> = Arc::default();
        let up = {
            let (near, far, stop, client) = (near.clone(), far.clone(), stop.clone(), client.clone());
            std::thread::spawn(move || {
                let mut buffer = [0; 65_536];
                for n in (0u64..).take_while(|_| !stop.load(Ordering::Relaxed)) {
                    let Ok((count, from)) = near.recv_from(&mut buffer) else { continue };
                    *client.lock().expect("the client's address") = Some(from);
                    if !is_lost(n, loss_percent) {
                        let _ = far.send(&buffer[..count]);
                    }
                }
            })
        };
        let down = {
            let stop = stop.clone();
            std::thread::spawn(move || {
                let mut buffer = [0; 65_536];
                for n in (1_000_000u64..).take_while(|_| !stop.load(Ordering::Relaxed)) {
                    let Ok(count) = far.recv(&mut buffer) else { continue };
                    let client = *client.lock().expect("the client's address");
                    if let Some(client) = client.filter(|_| !is_lost(n, loss_percent)) {
                        let _ = near.send_to(&buffer[..count], client);
                    }
                }
            })
        };
        LossyPath { port, stop, threads: vec![up, down] }
    }
}

impl Drop for LossyPath {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}

/// SplitMix64 of a datagram's number.
fn is_lost(number: u64, percent: u64) -> bool {
    let mut mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ mixed >> 31) % 100 < percent
}

#[test]
fn the_same_file_as_over_tcp_whatever_is_lost() {
    let endpoints = Endpoints::new();
    let plain = dump::<&str>(&endpoints.url("rtmp", "127.0.0.1"), &[]);
    for loss in [0, 1, 5, 20] {
        let path = LossyPath::new(endpoints.port("rtmfp"), loss);
        let url = format!("rtmfp://127.0.0.1:{}/vod/{}", path.port, endpoints.name);
        let got = dump::<&str>(&url, &[]);
        assert!(got.expect_code(0).stdout == plain.stdout, "{loss} % loss: not the bytes of plain RTMP");
    }
}

#[test]
fn the_stream_may_stand_after_a_hash() {
    let endpoints = Endpoints::new();
    let plain = dump::<&str>(&endpoints.url("rtmp", "127.0.0.1"), &[]);
    let url = format!("rtmfp://127.0.0.1:{}/vod#{}", endpoints.port("rtmfp"), endpoints.name);
    assert!(dump::<&str>(&url, &[]).expect_code(0).stdout == plain.stdout);
}

#[test]
fn a_server_that_does_not_answer_is_told() {
    let silent = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let url = format!("rtmfp://127.0.0.1:{}/live/a", silent.local_addr().expect("an address").port());
    let got = dump(&url, &["--timeout", "1"]);
    got.expect_code(3).expect_stderr("no answer over UDP (is it an RTMFP server?) within 1 s");
}

#[test]
fn a_proxy_is_not_passed_by() {
    let endpoints = Endpoints::new();
    let got = dump(&endpoints.url("rtmfp", "127.0.0.1"), &["--proxy", "socks5://127.0.0.1:9"]);
    got.expect_code(3).expect_stderr("UDP does not go through a proxy");
}
