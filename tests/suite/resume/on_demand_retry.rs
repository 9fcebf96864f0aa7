//! On-demand streams go on where they were, in a file and in a pipe.

use crate::common::flv_index::{expect_final_index, properties};
use crate::common::flvcmp::{AUDIO, Flv, Tag, VIDEO, diff, expect_equal, is_sequence_header};
use crate::common::media::{Media, folder};
use crate::common::nginx::{Config, Nginx};
use crate::common::peers::{expect_playable, publish};
use crate::common::rtmp_bytes::Amf;
use crate::common::scratch::Scratch;
use crate::common::script_server::{ScriptServer, clip_with};
use crate::common::{PATIENCE, have, rtmpcat_with, run, wait_until};

/// A server of [`clip_with`]'s clip that plays from the keyframe before the point asked for and breaks off three times;
/// `relative`: its times begin at 0 wherever it begins.
fn breaking_vod(frames: u32, relative: bool) -> ScriptServer {
    ScriptServer::start(move |peer| {
        peer.handshake()?;
        peer.accept_connect()?;
        peer.accept_create_stream(1)?;
        let play = peer.accept_play()?;
        let from = play.args[2].num().unwrap_or(0.0).max(0.0) as u32;
        let clip = clip_with(frames, Some(f64::from(frames) / 25.0));
        let key = (from / 400) * 400;
        let base = if relative { key } else { 0 };
        let rest = clip[3..].iter().filter(|tag| tag.time >= key);
        let rest = rest.map(|tag| Tag { time: tag.time - base, ..tag.clone() });
        let tags: Vec<Tag> = clip[..3].iter().cloned().chain(rest).collect();
        if peer.number < 3 {
            // Somewhere within a group of pictures, and between a video frame and its audio.
            peer.media(&tags[..tags.len().min(58 + 50 * peer.number)])?;
            return match peer.number {
                0 => peer.wait_received().and_then(|()| peer.reset()),
                1 => peer.wait_closed(),
                _ => peer.play_stop().and_then(|()| peer.wait_closed()),
            };
        }
        peer.media(&tags)?;
        peer.end_of_file()?;
        peer.wait_closed()
    })
}

#[test]
fn an_on_demand_stream_continues_without_loss_or_repetition() {
    for relative in [false, true] {
        let server = breaking_vod(150, relative);
        let scratch = Scratch::new();
        let finished = scratch.record(&server.url("stream"), &["--retry", "3", "--retry-delay", "0.05", "-m", "1"]);
        finished.expect_code(0);
        let source: Vec<Tag> = clip_with(150, None)[1..].to_vec();
        if let Some(difference) = diff(&source, &scratch.flv().media()) {
            panic!("relative {relative}: {difference}{}", finished.stderr);
        }
        assert_eq!(server.connections(), 4);
        assert!(!finished.stderr.contains("Gap"), "{}", finished.stderr);
        assert_eq!(expect_final_index(&scratch.file()), 15);
        assert_eq!(properties(&scratch.flv()).get("duration").and_then(Amf::num), Some(6.007));
    }
}

#[test]
fn an_on_demand_stream_on_a_pipe_gets_each_tag_once() {
    for relative in [false, true] {
        let server = breaking_vod(150, relative);
        let args = ["-r", &server.url("stream"), "--retry", "3", "--retry-delay", "0.05", "-m", "1"];
        let finished = run(&mut rtmpcat_with(args), PATIENCE);
        finished.expect_code(0);
        if let Some(difference) = diff(&clip_with(150, None)[1..], &Flv::parse(&finished.stdout).unwrap().media()) {
            panic!("relative {relative}: {difference}{}", finished.stderr);
        }
        assert_eq!(server.connections(), 4);
        // Not from the beginning each time.
        let start = server.heard(3).call("play").args[2].num().unwrap();
        assert!(start > 1000.0, "asked for {start}");
    }
}

#[test]
fn a_named_pipe_gets_each_tag_once_as_well() {
    if !have(&["mkfifo"]) {
        return;
    }
    let (server, scratch) = (breaking_vod(150, false), Scratch::new());
    run(std::process::Command::new("mkfifo").arg(scratch.file()), PATIENCE).expect_code(0);
    let path = scratch.file();
    let reader = std::thread::spawn(move || std::fs::read(path).unwrap());
    scratch.record(&server.url("stream"), &["--retry", "3", "--retry-delay", "0.05", "-m", "1"]).expect_code(0);
    expect_equal(&clip_with(150, None)[1..], &Flv::parse(&reader.join().unwrap()).unwrap().media());
}

#[test]
fn nginx_killed_and_started_again_costs_an_on_demand_stream_nothing() {
    if !have(&["nginx-rtmp", "ffmpeg"]) {
        return;
    }
    let source = Flv::read(Media::Long.path());
    let mut nginx = Nginx::vod(&folder(), 4096);
    let scratch = Scratch::new();
    let url = nginx.url("vod", Media::Long.name());
    // With a short buffer nginx sends at the pace of playing.
    let client = scratch.start(&url, &["-b", "1000", "-R", "--retry", "inf", "--retry-delay", "0.2"]);
    for tags in [100, 500] {
        wait_until("some of the file", || Flv::media_so_far(scratch.file()).len() > tags);
        nginx.kill();
        client.wait_stderr("trying again");
        nginx.restart();
    }
    client.finish(PATIENCE).expect_code(0);
    expect_equal(&source.media(), &scratch.flv().media());
    expect_final_index(&scratch.file());
}

#[test]
fn nginx_killed_and_started_again_with_its_publisher_leaves_a_gap() {
    if !have(&["nginx-rtmp", "ffmpeg", "ffprobe"]) {
        return;
    }
    let source = Flv::read(Media::BFrames.path());
    let mut nginx = Nginx::start(Config { publish_notify: true, ..Config::default() });
    let scratch = Scratch::new();
    let url = nginx.url("live", "cam");
    let first = publish(&Media::BFrames.path(), &url);
    let client = scratch.start(&url, &["-v", "--retry", "inf", "--retry-delay", "0.05"]);
    wait_until("some media", || Flv::media_so_far(scratch.file()).len() > 60);
    nginx.kill();
    first.finish(PATIENCE);
    client.wait_stderr("trying again");
    let before = Flv::media_so_far(scratch.file()).len();
    nginx.restart();
    publish(&Media::BFrames.path(), &url).finish(PATIENCE).expect_code(0);
    let finished = client.finish(PATIENCE);
    finished.expect_code(0).expect_stderr("Gap at 0:00:0");
    let flv = scratch.flv();
    flv.expect_true_flags().expect_monotonic();
    assert!(flv.media().len() > before + 100, "{} tags after {before}", flv.media().len());
    // Both halves are unharmed runs of the source.
    for kind in [AUDIO, VIDEO] {
        let bodies = |tags: &[Tag]| -> Vec<usize> {
            let frames = tags.iter().filter(|tag| tag.kind == kind && !is_sequence_header(tag));
            // A picture that does not change is the same as the one before.
            frames.map(|tag| source.tags.iter().position(|other| other.payload == tag.payload).unwrap()).collect()
        };
        let (all, got) = (bodies(&source.tags), bodies(&flv.tags));
        let is_run = |part: &[usize]| all.windows(part.len().max(1)).any(|window| window == part);
        let seams = (1..got.len()).filter(|at| is_run(&got[..*at]) && is_run(&got[*at..])).count();
        assert!(seams > 0, "kind {kind}: {got:?}");
    }
    assert_eq!(expect_playable(&scratch.file()), ["aac", "h264"]);
    expect_final_index(&scratch.file());
}
