//! Faults on a real wire: lost packets, pulled cables, firewalls that swallow or refuse, machines that are gone. Whatever
//! it is, every complete tag that was received is in the file, the file parses whole, and the exit code is right.
//!
//! The relay of tests/endure ends connections the way programs do; what is here happens below TCP.

mod common;

use common::flvcmp::{Flv, Tag, diff, expect_equal};
use common::media::{Media, folder};
use common::netns::{CLIENT, FAR, SERVER, Wire};
use common::nginx::{Config, Nginx};
use common::rtmp_bytes::{Msg, Shape, chunks};
use common::script_server::{Peer, ScriptServer, clip_with};
use common::{PATIENCE, Running, have, rtmpcat_with, wait_until};
use std::io::Result;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::Duration;

/// A folder with the file that is recorded.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("out.flv")
    }

    /// Starts the program on the client's host.
    fn begin(&self, wire: &Wire, url: &str, args: &[&str]) -> Running {
        let mut rtmpcat = rtmpcat_with(["-r", url, "-o"]);
        Running::start(&mut wire.takes(CLIENT, rtmpcat.arg(self.file()).args(args)))
    }

    fn saved(&self) -> usize {
        Flv::media_so_far(self.file()).len()
    }

    /// The media of the file, which parses whole and says truly what it holds.
    #[track_caller]
    fn media(&self) -> Vec<Tag> {
        Flv::read(self.file()).expect_true_flags().media()
    }
}

/// `count` frames of a live stream from `from` on, with metadata and sequence headers before the first.
fn frames(from: u32, count: u32) -> Vec<Tag> {
    let all = clip_with(LONGEST, None);
    let at = |frame: u32| 3 + 2 * frame as usize;
    let first = if from == 0 { 0 } else { at(from) };
    all[first..at(from + count)].to_vec()
}

/// Frames that [`frames`] knows of.
const LONGEST: u32 = 400;

/// All that was sent has arrived: the client has answered a ping behind it.
fn arrived(peer: &mut Peer) -> Result<()> {
    peer.user_control(6, 77)?;
    peer.wait_user_control(7).map(drop)
}

fn live(wire: &Wire, script: impl Fn(&mut Peer) -> Result<()> + Send + Sync + 'static) -> ScriptServer {
    ScriptServer::start_at(&wire.address(SERVER), script)
}

fn unpublished(peer: &mut Peer) -> Result<()> {
    peer.status("status", "NetStream.Play.UnpublishNotify")?;
    peer.wait_closed()
}

/// nginx on the host that can vanish.
fn nginx(wire: &Wire) -> Nginx {
    Nginx::start(Config {
        vod: Some(folder()),
        host: wire.address(FAR),
        launcher: wire.launcher(FAR),
        ..Config::default()
    })
}

#[test]
fn lost_packets_cost_time_and_nothing_else() {
    Wire::run("lost_packets_cost_time_and_nothing_else", |wire| {
        if !have(&["nginx-rtmp", "ffmpeg"]) {
            return;
        }
        let source = Flv::read(Media::Fat.path()).media();
        let nginx = nginx(wire);
        wire.rule("numgen random mod 100 < 3", "drop");
        let place = Place::new();
        let client = place.begin(wire, &nginx.url("vod", Media::Fat.name()), &[]);
        client.finish(PATIENCE).expect_code(0);
        expect_equal(&source, &place.media());
        assert!(wire.counted() > 10, "{} packets were lost", wire.counted());
    });
}

#[test]
fn an_outage_of_two_seconds_costs_nothing() {
    Wire::run("an_outage_of_two_seconds_costs_nothing", |wire| {
        let server = live(wire, |peer| {
            peer.begin()?;
            // The pace of life is what this is about: most of it is sent into the outage.
            for round in 0..10 {
                peer.media(&frames(10 * round, 10))?;
                std::thread::sleep(Duration::from_millis(250));
            }
            unpublished(peer)
        });
        let place = Place::new();
        let client = place.begin(wire, &server.url("stream"), &["-v", "--retry", "1", "-m", "10"]);
        wait_until("the first frames", || place.saved() >= 22);
        wire.link(SERVER, "down");
        std::thread::sleep(Duration::from_secs(2));
        wire.link(SERVER, "up");
        let finished = client.finish(PATIENCE);
        finished.expect_code(0);
        assert!(!finished.stderr.contains("Gap"), "{}", finished.stderr);
        assert_eq!(server.connections(), 1);
        expect_equal(&frames(0, 100)[1..], &place.media());
    });
}

#[test]
fn an_outage_that_is_taken_for_the_end_leaves_a_gap() {
    Wire::run("an_outage_that_is_taken_for_the_end_leaves_a_gap", |wire| {
        let server = live(wire, |peer| {
            peer.begin()?;
            if peer.number == 0 {
                peer.media(&frames(0, 40))?;
                return peer.wait_closed();
            }
            peer.media(&[&frames(0, 1)[..3], &frames(60, 40)].concat())?;
            unpublished(peer)
        });
        let place = Place::new();
        let args = ["-v", "--retry", "inf", "--retry-delay", "0.1", "-m", "1", "--connect-timeout", "0.5"];
        let client = place.begin(wire, &server.url("stream"), &args);
        wait_until("the frames", || place.saved() >= 82);
        wire.rule(&format!("ip saddr {}", wire.address(SERVER)), "drop");
        // Neither the silence nor the vain attempt to connect is the end.
        client.wait_stderr("stalled");
        client.wait_stderr("no TCP connection");
        wire.mend();
        let finished = client.finish(PATIENCE);
        finished.expect_code(0).expect_stderr("Gap at 0:00:01").expect_stderr("no media for 1 s");
        let payloads = |tags: &[Tag]| tags.iter().map(|tag| tag.payload.clone()).collect::<Vec<_>>();
        let expected = [&frames(0, 40)[1..], &frames(60, 40)].concat();
        assert_eq!(payloads(&place.media()), payloads(&expected), "{}", finished.stderr);
    });
}

#[test]
fn a_black_hole_ends_it_with_all_that_came_before() {
    Wire::run("a_black_hole_ends_it_with_all_that_came_before", |wire| {
        let (hole_is_there, waits) = channel();
        let waits = Mutex::new(waits);
        let server = live(wire, move |peer| {
            peer.begin()?;
            peer.media(&frames(0, 50))?;
            arrived(peer)?;
            // Into the hole.
            let _ = waits.lock().unwrap().recv_timeout(PATIENCE);
            peer.media(&frames(50, 50))?;
            peer.wait_closed()
        });
        let place = Place::new();
        let client = place.begin(wire, &server.url("stream"), &["-v", "-m", "1"]);
        wait_until("the frames", || place.saved() >= 102);
        wire.rule("meta l4proto tcp", "drop");
        hole_is_there.send(()).unwrap();
        let finished = client.finish(PATIENCE);
        finished.expect_code(2).expect_stderr("no media for 1 s");
        assert!(finished.took < Duration::from_secs(8), "{:?}", finished.took);
        expect_equal(&frames(0, 50)[1..], &place.media());
        assert!(wire.counted() > 0, "nothing was swallowed");
    });
}

#[test]
fn nobody_answers_from_the_beginning() {
    Wire::run("nobody_answers_from_the_beginning", |wire| {
        wire.rule("meta l4proto tcp", "drop");
        let place = Place::new();
        let url = format!("rtmp://{}/app/stream", wire.address(SERVER));
        let finished = place.begin(wire, &url, &["--connect-timeout", "1"]).finish(PATIENCE);
        finished.expect_code(3).expect_stderr("no TCP connection within 1 s");
        assert!(!place.file().exists());
        wire.mend();
        // A router that says that there is no way is believed at once.
        wire.rule("meta l4proto tcp", "reject with icmpx host-unreachable");
        let finished = place.begin(wire, &url, &["--connect-timeout", "20"]).finish(PATIENCE);
        finished.expect_code(3).expect_stderr("No route to host");
        assert!(finished.took < Duration::from_secs(10), "{:?}", finished.took);
    });
}

#[test]
fn a_reset_in_the_middle_of_a_chunk_takes_that_message_only() {
    Wire::run("a_reset_in_the_middle_of_a_chunk_takes_that_message_only", |wire| {
        for by_firewall in [false, true] {
            let (rule_is_set, waits) = channel();
            let waits = Mutex::new(waits);
            let server = live(wire, move |peer| {
                peer.begin()?;
                peer.media(&frames(0, 50))?;
                // A keyframe of two chunks. Between them is room for a ping.
                let key = chunks(&Msg::tag(1, &frames(50, 1)[0]), Shape::plain(4096));
                peer.raw(&key[0])?;
                arrived(peer)?;
                if by_firewall {
                    let _ = waits.lock().unwrap().recv_timeout(PATIENCE);
                }
                peer.raw(&key[1][..100])?;
                if by_firewall { peer.wait_closed() } else { peer.reset() }
            });
            let place = Place::new();
            let client = place.begin(wire, &server.url("stream"), &["-v"]);
            if by_firewall {
                wait_until("the frames", || place.saved() >= 102);
                // What the client sends, here TCP's acknowledgement, is answered so from now on.
                let from_client = format!("ip saddr {} meta l4proto tcp", wire.address(CLIENT));
                wire.rule(&from_client, "reject with tcp reset");
                rule_is_set.send(()).unwrap();
            }
            let finished = client.finish(PATIENCE);
            finished.expect_code(2).expect_stderr("reset");
            expect_equal(&frames(0, 50)[1..], &place.media());
        }
    });
}

#[test]
fn a_server_that_is_gone_without_a_word_is_noticed() {
    Wire::run("a_server_that_is_gone_without_a_word_is_noticed", |wire| {
        if !have(&["nginx-rtmp", "ffmpeg"]) {
            return;
        }
        let source = Flv::read(Media::BFrames.path()).media();
        let nginx = nginx(wire);
        let place = Place::new();
        // With a short buffer nginx sends at the pace of playing.
        let args = ["-b", "1000", "-R", "-m", "1"];
        let client = place.begin(wire, &nginx.url("vod", Media::BFrames.name()), &args);
        wait_until("some of the file", || place.saved() > 30);
        wire.remove(FAR);
        let finished = client.finish(PATIENCE);
        finished.expect_code(2).expect_stderr("no media for 1 s");
        let got = place.media();
        assert!(got.len() > 30 && got.len() < source.len());
        expect_equal(&source[..got.len()], &got);
    });
}

#[test]
fn a_server_whose_power_comes_back_costs_an_on_demand_stream_nothing() {
    Wire::run("a_server_whose_power_comes_back_costs_an_on_demand_stream_nothing", |wire| {
        if !have(&["nginx-rtmp", "ffmpeg"]) {
            return;
        }
        let source = Flv::read(Media::BFrames.path()).media();
        let mut nginx = nginx(wire);
        let place = Place::new();
        let args = ["-b", "1000", "-R", "-m", "1", "--retry", "inf", "--retry-delay", "0.1", "--connect-timeout", "1"];
        let client = place.begin(wire, &nginx.url("vod", Media::BFrames.name()), &args);
        wait_until("some of the file", || place.saved() > 30);
        wire.remove(FAR);
        client.wait_stderr("no TCP connection");
        wire.add(FAR);
        nginx.restart();
        let finished = client.finish(PATIENCE);
        if let Some(difference) = diff(&source, &place.media()) {
            panic!("{difference}{}", finished.stderr);
        }
        finished.expect_code(0);
    });
}
