//! Faults on a real network: lost packets, pulled cables, firewalls that swallow or refuse, machines that are gone. Whatever
//! it is, every complete tag that was received is in the file, the file parses whole, and the exit code is right.
//!
//! The relay of `reliability` ends connections the way programs do; what is here happens below TCP.

use crate::common::flvcmp::{Flv, Tag, diff, expect_equal};
use crate::common::media::{Media, folder};
use crate::common::netns::{CLIENT, FAR, Network, SERVER};
use crate::common::nginx::{Config, Nginx};
use crate::common::rtmp_bytes::{Msg, Shape, chunks};
use crate::common::scratch::Scratch;
use crate::common::script_server::{Peer, ScriptServer, clip_with};
use crate::common::{PATIENCE, Running, have, wait_until};
use std::io::Result;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::Duration;

/// Starts recording on the client's host.
fn start(scratch: &Scratch, network: &Network, url: &str, args: &[&str]) -> Running {
    Running::start(&mut network.takes(CLIENT, &scratch.recorder(url, args)))
}

/// How many audio and video tags the file has so far.
fn saved(scratch: &Scratch) -> usize {
    Flv::media_so_far(scratch.file()).len()
}

/// The media of the file, which is valid and has the right flags in its header.
#[track_caller]
fn media(scratch: &Scratch) -> Vec<Tag> {
    scratch.flv().expect_true_flags().media()
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

fn live(network: &Network, script: impl Fn(&mut Peer) -> Result<()> + Send + Sync + 'static) -> ScriptServer {
    ScriptServer::start_at(&network.address(SERVER), script)
}

fn unpublished(peer: &mut Peer) -> Result<()> {
    peer.status("status", "NetStream.Play.UnpublishNotify")?;
    peer.wait_closed()
}

/// nginx on the host that can vanish.
fn nginx(network: &Network) -> Nginx {
    Nginx::start(Config {
        vod: Some(folder()),
        host: network.address(FAR),
        launcher: network.launcher(FAR),
        ..Config::default()
    })
}

#[test]
fn lost_packets_cost_time_and_nothing_else() {
    Network::run("network_faults::lost_packets_cost_time_and_nothing_else", |network| {
        if !have(&["nginx-rtmp", "ffmpeg"]) {
            return;
        }
        let source = Flv::read(Media::Fat.path()).media();
        let nginx = nginx(network);
        network.rule("numgen random mod 100 < 3", "drop");
        let scratch = Scratch::new();
        let client = start(&scratch, network, &nginx.url("vod", Media::Fat.name()), &[]);
        client.finish(PATIENCE).expect_code(0);
        expect_equal(&source, &media(&scratch));
        assert!(network.counted() > 10, "{} packets were lost", network.counted());
    });
}

#[test]
fn an_outage_of_two_seconds_costs_nothing() {
    Network::run("network_faults::an_outage_of_two_seconds_costs_nothing", |network| {
        let server = live(network, |peer| {
            peer.begin()?;
            // The pace of life is what this is about: most of it is sent into the outage.
            for round in 0..10 {
                peer.media(&frames(10 * round, 10))?;
                std::thread::sleep(Duration::from_millis(250));
            }
            unpublished(peer)
        });
        let scratch = Scratch::new();
        let client = start(&scratch, network, &server.url("stream"), &["-v", "--retry", "1", "-m", "10"]);
        wait_until("the first frames", || saved(&scratch) >= 22);
        network.link(SERVER, "down");
        std::thread::sleep(Duration::from_secs(2));
        network.link(SERVER, "up");
        let finished = client.finish(PATIENCE);
        finished.expect_code(0);
        assert!(!finished.stderr.contains("Gap"), "{}", finished.stderr);
        assert_eq!(server.connections(), 1);
        expect_equal(&frames(0, 100)[1..], &media(&scratch));
    });
}

#[test]
fn an_outage_that_is_taken_for_the_end_leaves_a_gap() {
    Network::run("network_faults::an_outage_that_is_taken_for_the_end_leaves_a_gap", |network| {
        let server = live(network, |peer| {
            peer.begin()?;
            if peer.number == 0 {
                peer.media(&frames(0, 40))?;
                return peer.wait_closed();
            }
            peer.media(&[&frames(0, 1)[..3], &frames(60, 40)].concat())?;
            unpublished(peer)
        });
        let scratch = Scratch::new();
        let args = ["-v", "--retry", "inf", "--retry-delay", "0.1", "-m", "1", "--connect-timeout", "0.5"];
        let client = start(&scratch, network, &server.url("stream"), &args);
        wait_until("the frames", || saved(&scratch) >= 82);
        network.rule(&format!("ip saddr {}", network.address(SERVER)), "drop");
        // Neither the silence nor the vain attempt to connect is the end.
        client.wait_stderr("stalled");
        client.wait_stderr("no TCP connection");
        network.mend();
        let finished = client.finish(PATIENCE);
        finished.expect_code(0).expect_stderr("Gap at 0:00:01").expect_stderr("no media for 1 s");
        let payloads = |tags: &[Tag]| tags.iter().map(|tag| tag.payload.clone()).collect::<Vec<_>>();
        let expected = [&frames(0, 40)[1..], &frames(60, 40)].concat();
        assert_eq!(payloads(&media(&scratch)), payloads(&expected), "{}", finished.stderr);
    });
}

#[test]
fn a_black_hole_ends_it_with_all_that_came_before() {
    Network::run("network_faults::a_black_hole_ends_it_with_all_that_came_before", |network| {
        let (hole_is_there, waits) = channel();
        let waits = Mutex::new(waits);
        let server = live(network, move |peer| {
            peer.begin()?;
            peer.media(&frames(0, 50))?;
            peer.wait_received()?;
            // Into the hole.
            let _ = waits.lock().unwrap().recv_timeout(PATIENCE);
            peer.media(&frames(50, 50))?;
            peer.wait_closed()
        });
        let scratch = Scratch::new();
        let client = start(&scratch, network, &server.url("stream"), &["-v", "-m", "1"]);
        wait_until("the frames", || saved(&scratch) >= 102);
        network.rule("meta l4proto tcp", "drop");
        hole_is_there.send(()).unwrap();
        let finished = client.finish(PATIENCE);
        finished.expect_code(2).expect_stderr("no media for 1 s");
        assert!(finished.took < Duration::from_secs(8), "{:?}", finished.took);
        expect_equal(&frames(0, 50)[1..], &media(&scratch));
        assert!(network.counted() > 0, "nothing was swallowed");
    });
}

#[test]
fn nobody_answers_from_the_beginning() {
    Network::run("network_faults::nobody_answers_from_the_beginning", |network| {
        network.rule("meta l4proto tcp", "drop");
        let scratch = Scratch::new();
        let url = format!("rtmp://{}/app/stream", network.address(SERVER));
        let finished = start(&scratch, network, &url, &["--connect-timeout", "1"]).finish(PATIENCE);
        finished.expect_code(3).expect_stderr("no TCP connection within 1 s");
        assert!(!scratch.file().exists());
        network.mend();
        // A router that says that there is no way is believed at once.
        network.rule("meta l4proto tcp", "reject with icmpx host-unreachable");
        let finished = start(&scratch, network, &url, &["--connect-timeout", "20"]).finish(PATIENCE);
        finished.expect_code(3).expect_stderr("no route to host");
        assert!(finished.took < Duration::from_secs(10), "{:?}", finished.took);
    });
}

#[test]
fn a_reset_in_the_middle_of_a_chunk_takes_that_message_only() {
    Network::run("network_faults::a_reset_in_the_middle_of_a_chunk_takes_that_message_only", |network| {
        for by_firewall in [false, true] {
            let (rule_is_set, waits) = channel();
            let waits = Mutex::new(waits);
            let server = live(network, move |peer| {
                peer.begin()?;
                peer.media(&frames(0, 50))?;
                // A keyframe of two chunks. Between them is room for a ping.
                let key = chunks(&Msg::tag(1, &frames(50, 1)[0]), Shape::plain(4096));
                peer.raw(&key[0])?;
                peer.wait_received()?;
                if by_firewall {
                    let _ = waits.lock().unwrap().recv_timeout(PATIENCE);
                }
                peer.raw(&key[1][..100])?;
                if by_firewall { peer.wait_closed() } else { peer.reset() }
            });
            let scratch = Scratch::new();
            let client = start(&scratch, network, &server.url("stream"), &["-v"]);
            if by_firewall {
                wait_until("the frames", || saved(&scratch) >= 102);
                // What the client sends, here TCP's acknowledgement, is answered so from now on.
                let from_client = format!("ip saddr {} meta l4proto tcp", network.address(CLIENT));
                network.rule(&from_client, "reject with tcp reset");
                rule_is_set.send(()).unwrap();
            }
            let finished = client.finish(PATIENCE);
            finished.expect_code(2).expect_stderr("reset");
            expect_equal(&frames(0, 50)[1..], &media(&scratch));
        }
    });
}

#[test]
fn a_server_that_is_gone_without_a_word_is_noticed() {
    Network::run("network_faults::a_server_that_is_gone_without_a_word_is_noticed", |network| {
        if !have(&["nginx-rtmp", "ffmpeg"]) {
            return;
        }
        let source = Flv::read(Media::BFrames.path()).media();
        let nginx = nginx(network);
        let scratch = Scratch::new();
        // With a short buffer nginx sends at the pace of playing.
        let args = ["-b", "1000", "-R", "-m", "1"];
        let client = start(&scratch, network, &nginx.url("vod", Media::BFrames.name()), &args);
        wait_until("some of the file", || saved(&scratch) > 30);
        network.remove(FAR);
        let finished = client.finish(PATIENCE);
        finished.expect_code(2).expect_stderr("no media for 1 s");
        let got = media(&scratch);
        assert!(got.len() > 30 && got.len() < source.len());
        expect_equal(&source[..got.len()], &got);
    });
}

#[test]
fn a_server_whose_power_comes_back_costs_an_on_demand_stream_nothing() {
    Network::run("network_faults::a_server_whose_power_comes_back_costs_an_on_demand_stream_nothing", |network| {
        if !have(&["nginx-rtmp", "ffmpeg"]) {
            return;
        }
        let source = Flv::read(Media::BFrames.path()).media();
        let mut nginx = nginx(network);
        let scratch = Scratch::new();
        let args = ["-b", "1000", "-R", "-m", "1", "--retry", "inf", "--retry-delay", "0.1", "--connect-timeout", "1"];
        let client = start(&scratch, network, &nginx.url("vod", Media::BFrames.name()), &args);
        wait_until("some of the file", || saved(&scratch) > 30);
        network.remove(FAR);
        client.wait_stderr("no TCP connection");
        network.add(FAR);
        nginx.restart();
        let finished = client.finish(PATIENCE);
        if let Some(difference) = diff(&source, &media(&scratch)) {
            panic!("{difference}{}", finished.stderr);
        }
        finished.expect_code(0);
    });
}
