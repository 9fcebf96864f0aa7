//! Whatever breaks: every complete tag that was received is in the file, the file parses whole, the exit code and the
//! words at the end are right.

mod disk;
mod events;
mod reconnect;

use crate::common::flv_index::{expect_final_index, expect_valid_index, properties};
use crate::common::flvcmp::{AUDIO, Flv, SCRIPT, Tag, VIDEO, expect_equal, payloads};
use crate::common::media::Media;
use crate::common::peers::{expect_flvmeta_valid, expect_playable};
use crate::common::relay::{Cut, Faults, Relay};
use crate::common::rtmp_bytes::Amf;
use crate::common::scratch::Scratch;
use crate::common::script_server::{Peer, ScriptServer, clip_with};
use crate::common::{self, Finished, PATIENCE, have, rtmpcat_with, run, wait_until};
use std::io::Result;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// `frames` frames of a live stream, the first one at `from` milliseconds, without what comes before them.
fn frames(frames: u32, from: u32) -> Vec<Tag> {
    clip_with(frames, None)[3..].iter().map(|tag| Tag { time: tag.time.wrapping_add(from), ..tag.clone() }).collect()
}

/// The same with metadata and sequence headers.
fn stream(count: u32, from: u32) -> Vec<Tag> {
    [clip_with(count, None)[..3].to_vec(), frames(count, from)].concat()
}

/// The program as a line for a shell.
fn shell_line(scratch: &Scratch, url: &str, args: &[&str]) -> String {
    format!("{:?} -r {url} -o {} {}", common::rtmpcat().get_program(), scratch.file().display(), args.join(" "))
}

const FAST: [&str; 3] = ["-v", "--retry-delay", "0.05"];

fn with<'a>(args: &[&'a str]) -> Vec<&'a str> {
    FAST.iter().chain(args).copied().collect()
}

// --- Live: what breaks is mended ------------------------------------------------------------------------------------

#[test]
fn a_live_stream_continues_in_the_same_file_however_it_breaks() {
    let server = ScriptServer::start(|peer| {
        peer.begin()?;
        // Each connection's clock is another one.
        peer.media(&stream(20, [3_000_000, 0, 4_294_967_000, 500, 90_000][peer.number.min(4)]))?;
        match peer.number {
            0 => {
                // A message is cut in its middle.
                let half = common::rtmp_bytes::Msg::new(6, VIDEO, 1, 800, vec![0x27; 3000]);
                let bytes = common::rtmp_bytes::chunks(&half, common::rtmp_bytes::Shape::plain(4096)).concat();
                peer.raw(&bytes[..1500])
            }
            1 => peer.wait_received().and_then(|()| peer.reset()),
            2 => peer.wait_closed(),
            3 => peer.raw(&[0xc0 | 33, 1, 2, 3]).and_then(|()| peer.wait_closed()),
            _ => peer.status("status", "NetStream.Play.UnpublishNotify").and_then(|()| peer.wait_closed()),
        }
    });
    let scratch = Scratch::new();
    let finished = scratch.record(&server.url("stream"), &with(&["--retry", "3", "-m", "1"]));
    finished.expect_code(0);
    let flv = scratch.flv();
    let all: Vec<Tag> = [clip_with(20, None)[1..3].to_vec(), (0..5).flat_map(|_| frames(20, 0)).collect()].concat();
    assert_eq!(payloads(&flv.tags), payloads(&all), "all of it, headers once; stderr:\n{}", finished.stderr);
    assert_eq!(flv.of(SCRIPT).len(), 1);
    flv.expect_true_flags().expect_monotonic();
    // Directly after one another: 5 times 800 ms, and at each seam the distance of two frames.
    let last = flv.media().iter().map(|tag| tag.time).max().unwrap();
    assert!((4 * 800 + 767..4 * 840 + 767).contains(&last), "{last}");
    assert_eq!(finished.stderr.matches("Gap at 0:00:0").count(), 4, "{}", finished.stderr);
    finished.expect_stderr("4 gaps, ").expect_stderr("stream stalled: no media for 1 s").expect_stderr("(1 of 3)");
    assert_eq!(server.connections(), 5);
}

#[test]
fn without_the_option_nothing_is_tried_again() {
    let server = ScriptServer::start(|peer| peer.begin().and_then(|()| peer.media(&stream(20, 0))));
    let scratch = Scratch::new();
    scratch.record(&server.url("stream"), &["-v"]).expect_code(2);
    assert_eq!(server.connections(), 1);
    assert_eq!(payloads(&scratch.flv().tags), payloads(&stream(20, 0)));
}

#[test]
fn what_changes_is_written_and_what_precedes_a_keyframe_is_not() {
    let changed = || Tag::new(AUDIO, 0, [0xaf, 0, 0x13, 0x90]);
    let server = ScriptServer::start(move |peer| {
        peer.begin()?;
        if peer.number == 0 {
            return peer.media(&stream(20, 0));
        }
        let mut tags = stream(30, 10_000);
        tags[2] = changed();
        // The first keyframe is missing: the next one is the eleventh frame.
        tags.remove(3);
        peer.media(&tags)?;
        peer.status("status", "NetStream.Play.UnpublishNotify")?;
        peer.wait_closed()
    });
    let scratch = Scratch::new();
    scratch.record(&server.url("stream"), &with(&["--retry", "1"])).expect_code(0);
    let flv = scratch.flv();
    let [audio, video] = payloads(&flv.tags);
    let [audio_30, video_30] = payloads(&frames(30, 0));
    let (first, second) = (payloads(&stream(20, 0)), 10..30);
    assert_eq!(video, [&first[1][..], &video_30[second.clone()]].concat());
    assert_eq!(audio, [&first[0][..], &[changed().payload], &audio_30[second]].concat());
    flv.expect_monotonic();
}

#[test]
fn every_track_has_its_header_and_none_is_repeated() {
    // Two tracks of Enhanced RTMP, and the order of the channels beside the configuration.
    let header = |track: u8, kind: u8| {
        let mut payload = vec![0x95, kind, b'O', b'p', b'u', b's', track];
        payload.extend([1, 2, track, kind]);
        if kind == 4 {
            Tag::new(AUDIO, 0, [&[0x94, b'O', b'p', b'u', b's', 0, 2][..]].concat())
        } else {
            Tag::new(AUDIO, 0, payload)
        }
    };
    let tags = move |from: u32| {
        let mut tags = vec![header(0, 0), header(1, 0), header(0, 4)];
        for frame in 0..20u32 {
            for track in 0..2u8 {
                let body = vec![0x95, 1, b'O', b'p', b'u', b's', track, frame as u8, (from >> 8) as u8];
                tags.push(Tag::new(AUDIO, from + frame * 20, body));
            }
        }
        tags
    };
    let server = ScriptServer::start(move |peer| {
        peer.begin()?;
        peer.media(&tags(1000 * peer.number as u32))?;
        if peer.number < 2 {
            return Ok(());
        }
        peer.status("status", "NetStream.Play.UnpublishNotify")?;
        peer.wait_closed()
    });
    let scratch = Scratch::new();
    scratch.record(&server.url("stream"), &with(&["--retry", "1"])).expect_code(0);
    let all = [tags(0), tags(1000)[3..].to_vec(), tags(2000)[3..].to_vec()].concat();
    assert_eq!(payloads(&scratch.flv().tags), payloads(&all));
}

/// A server that breaks off what it plays first, and each later connection at once.
fn breaks_off() -> ScriptServer {
    ScriptServer::start(|peer| {
        if peer.number > 0 {
            return Ok(());
        }
        peer.begin()?;
        peer.media(&stream(20, 0))
    })
}

#[test]
fn attempts_end_and_the_code_says_that_it_broke_off() {
    let server = breaks_off();
    let scratch = Scratch::new();
    let finished = scratch.record(&server.url("stream"), &with(&["--retry", "3"]));
    // Nobody knows how much of a live stream there would have been.
    finished.expect_code(2).expect_stderr("(3 of 3)").expect_stderr("Download may be incomplete\n");
    assert_eq!(server.connections(), 4);
    assert_eq!(payloads(&scratch.flv().tags), payloads(&stream(20, 0)));
}

#[test]
fn a_limit_of_time_ends_the_attempts() {
    let url = format!("rtmp://127.0.0.1:{}/app/stream", common::free_port());
    let scratch = Scratch::new();
    let finished = scratch.record(&url, &with(&["--retry", "inf", "--retry-max-time", "1"]));
    finished.expect_code(3).expect_stderr("refused");
    assert!(finished.took >= Duration::from_secs(1) && finished.took < Duration::from_secs(5), "{:?}", finished.took);
    let finished = scratch.record(&url, &with(&["--retry", "inf", "--duration", "1"]));
    assert!(finished.took < Duration::from_secs(5), "{:?}", finished.took);
    finished.expect_code(1).expect_stderr("elapsed without media");
}

#[test]
fn a_refusal_is_final() {
    for code in ["NetConnection.Connect.Rejected", "NetStream.Play.StreamNotFound"] {
        let server = ScriptServer::start(move |peer| {
            peer.begin()?;
            if peer.number == 0 {
                return peer.media(&stream(20, 0));
            }
            peer.status("error", code)?;
            peer.wait_closed()
        });
        let scratch = Scratch::new();
        let finished = scratch.record(&server.url("stream"), &with(&["--retry", "inf"]));
        finished.expect_code(2).expect_stderr(code);
        assert_eq!(server.connections(), 2);
        assert_eq!(payloads(&scratch.flv().tags), payloads(&stream(20, 0)));
    }
}

#[test]
fn a_signal_ends_a_pause_at_once() {
    let server = breaks_off();
    let scratch = Scratch::new();
    let running = scratch.start(&server.url("stream"), &["-v", "--retry", "inf", "--retry-delay", "1000"]);
    running.wait_stderr("trying again");
    // What was received is on the disk before it is tried again.
    wait_until("the file", || Flv::media_so_far(scratch.file()).len() == 42);
    running.signal("INT");
    let finished = running.finish(Duration::from_secs(5));
    finished.expect_code(0);
    assert_eq!(payloads(&scratch.flv().tags), payloads(&stream(20, 0)));
}

#[test]
fn frames_that_were_still_held_are_saved() {
    // Video alone, for which the beginning waits half a second; it breaks before that.
    let video = |from: u32| frames(5, from).into_iter().filter(|tag| tag.kind == VIDEO).collect::<Vec<_>>();
    let server = ScriptServer::start(move |peer| {
        peer.begin()?;
        peer.media(&video(0))?;
        if peer.number == 1 {
            peer.status("status", "NetStream.Play.UnpublishNotify")?;
            peer.wait_closed()?;
        }
        Ok(())
    });
    let scratch = Scratch::new();
    scratch.record(&server.url("stream"), &with(&["--retry", "1"])).expect_code(0);
    assert_eq!(payloads(&scratch.flv().tags), payloads(&[video(0), video(0)].concat()));
}

// --- A stream that is not there -------------------------------------------------------------------------------------

#[test]
fn a_stream_that_is_not_there_is_waited_for() {
    let server = ScriptServer::start(|peer| {
        peer.handshake()?;
        peer.accept_connect()?;
        peer.accept_create_stream(1)?;
        match peer.number {
            0 => peer.wait_call("play").and_then(|_| peer.status("error", "NetStream.Play.StreamNotFound")),
            // It is there, but nothing comes.
            1 => peer.accept_play().and_then(|_| peer.wait_closed()),
            2 => peer.accept_play().and_then(|_| peer.play_stop()),
            3 => Ok(()),
            _ => {
                peer.accept_play()?;
                peer.media(&stream(20, 0))?;
                peer.status("status", "NetStream.Play.UnpublishNotify")?;
                peer.wait_closed()
            }
        }
    });
    let scratch = Scratch::new();
    let args = with(&["--wait", "--first-media-timeout", "1"]);
    let finished = scratch.record(&server.url("stream"), &args);
    finished.expect_code(0).expect_stderr("waiting for the stream");
    assert_eq!(payloads(&scratch.flv().tags), payloads(&stream(20, 0)));
    assert_eq!(server.connections(), 5, "the publisher's leaving is the end");
    assert!(!finished.stderr.contains("Gap at"), "{}", finished.stderr);
}

#[test]
fn a_server_that_does_not_listen_yet_is_waited_for() {
    let scratch = Scratch::new();
    let port = common::free_port();
    let running = scratch.start(&format!("rtmp://127.0.0.1:{port}/app/stream"), &with(&["--wait", "20"]));
    running.wait_stderr("waiting for the stream");
    let server = ScriptServer::start(|peer| {
        peer.begin()?;
        peer.media(&stream(20, 0))?;
        peer.status("status", "NetStream.Play.UnpublishNotify")?;
        peer.wait_closed()
    });
    let relay = Relay::start_at(port, server.port);
    running.finish(PATIENCE).expect_code(0);
    assert_eq!(payloads(&scratch.flv().tags), payloads(&stream(20, 0)));
    drop(relay);
}

#[test]
fn a_wait_has_an_end() {
    let url = format!("rtmp://127.0.0.1:{}/app/stream", common::free_port());
    let scratch = Scratch::new();
    let finished = scratch.record(&url, &with(&["--wait", "1"]));
    finished.expect_code(3);
    assert!(finished.took >= Duration::from_secs(1) && finished.took < Duration::from_secs(5), "{:?}", finished.took);
    assert!(!scratch.file().exists());
}

#[test]
fn a_publisher_who_comes_back_is_recorded_in_the_same_file() {
    let server = ScriptServer::start(|peer| {
        if peer.number == 2 {
            peer.handshake()?;
            peer.accept_connect()?;
            peer.accept_create_stream(1)?;
            peer.wait_call("play")?;
            peer.status("error", "NetStream.Play.StreamNotFound")?;
            return peer.wait_closed();
        }
        peer.begin()?;
        if peer.number < 4 {
            peer.media(&stream(20, 0))?;
        }
        peer.status("status", "NetStream.Play.UnpublishNotify")?;
        peer.wait_closed()
    });
    let scratch = Scratch::new();
    let finished = scratch.record(&server.url("stream"), &with(&["--retry", "1", "--wait", "2"]));
    // Nobody came back any more: the last one who left is how it ended.
    finished.expect_code(0);
    let all = [stream(20, 0), frames(20, 0), frames(20, 0)].concat();
    assert_eq!(payloads(&scratch.flv().tags), payloads(&all));
    assert_eq!(finished.stderr.matches("Gap at").count(), 2, "{}", finished.stderr);
}

// --- Seekable at once -----------------------------------------------------------------------------------------------

#[test]
fn a_file_has_an_index_and_all_that_the_server_said() {
    let server = ScriptServer::start(|peer| {
        peer.begin()?;
        peer.media(&clip_with(100, Some(4.0)))?;
        peer.end_of_file()?;
        peer.wait_closed()
    });
    let scratch = Scratch::new();
    scratch.record(&server.url("stream"), &[]).expect_code(0);
    assert_eq!(expect_final_index(&scratch.file()), 10);
    let flv = scratch.flv();
    assert_eq!(flv.of(SCRIPT).len(), 1, "one onMetaData, not two");
    let properties = properties(&flv);
    let number = |name: &str| properties.get(name).and_then(Amf::num);
    assert_eq!((number("width"), number("height")), (Some(320.0), Some(180.0)));
    assert_eq!(number("filesize"), Some(std::fs::metadata(scratch.file()).unwrap().len() as f64));
    assert!((3.9..4.1).contains(&number("duration").unwrap()), "{:?}", number("duration"));
    scratch.record(&server.url("stream"), &["--no-index"]).expect_code(0);
    expect_equal(&clip_with(100, Some(4.0)), &scratch.flv().tags);
}

#[test]
fn a_kill_leaves_a_file_that_plays_and_seeks() {
    if !have(&["ffmpeg", "ffprobe", "flvmeta"]) {
        return;
    }
    let source = Flv::read(Media::Long.path());
    let (tags, all) = (source.tags.clone(), source.media().len());
    let server = ScriptServer::start(move |peer| {
        peer.begin()?;
        let (first, rest) = tags.split_at(tags.len() / 2);
        peer.media(first)?;
        // The last patch is later than what came first, and earlier than the rest.
        std::thread::sleep(Duration::from_millis(1500));
        peer.media(rest)?;
        peer.wait_closed()
    });
    let scratch = Scratch::new();
    let running = scratch.start(&server.url("stream"), &["-v"]);
    wait_until("all that was sent", || Flv::media_so_far(scratch.file()).len() + 1 >= all);
    running.signal("KILL");
    running.finish(PATIENCE);
    let keyframes = expect_valid_index(&scratch.file());
    assert!(keyframes >= 4, "{keyframes} of 10 keyframes");
    expect_playable(&scratch.file());
    expect_flvmeta_valid(&scratch.file());
    // What a player gets that seeks to 6 s begins there.
    let mut probe = std::process::Command::new("ffprobe");
    probe.args(["-v", "error", "-read_intervals", "6%+#1", "-select_streams", "v"]);
    probe.args(["-show_entries", "packet=pts_time,flags", "-of", "csv=p=0"]).arg(scratch.file());
    let packet = run(&mut probe, PATIENCE).expect_code(0).out();
    let time: f64 = packet.split(',').next().and_then(|time| time.trim().parse().ok()).expect("a time");
    assert!((5.9..6.3).contains(&time) && packet.contains('K'), "{packet}");
}

// --- A bad line -----------------------------------------------------------------------------------------------------

/// A relay whose connections are cut after some bytes down: what was received whole before the cut is saved.
#[test]
fn every_complete_tag_is_saved_wherever_the_line_is_cut() {
    for how in [Cut::Close, Cut::Reset, Cut::Silence] {
        for after in [40_000u64, 41_111, 52_345] {
            let ends: Arc<Mutex<Vec<Vec<u64>>>> = Arc::default();
            let sent = ends.clone();
            let server = ScriptServer::start(move |peer| {
                peer.begin()?;
                if peer.number == 3 {
                    peer.status("error", "NetStream.Play.StreamNotFound")?;
                    return peer.wait_closed();
                }
                let place = {
                    let mut sent = sent.lock().unwrap();
                    sent.push(Vec::new());
                    sent.len() - 1
                };
                for tag in stream(100, 0) {
                    peer.media(std::slice::from_ref(&tag))?;
                    sent.lock().unwrap()[place].push(peer.sent);
                }
                peer.wait_closed()
            });
            let relay = Relay::start(server.port, Faults { cut_down: Some((after, how)), ..Faults::default() });
            let scratch = Scratch::new();
            let url = format!("rtmp://127.0.0.1:{}/app/stream", relay.port);
            let finished = scratch.record(&url, &with(&["--retry", "2", "-m", "1"]));
            finished.expect_code(2);
            let flv = scratch.flv();
            flv.expect_monotonic();
            let [_, video] = payloads(&flv.tags);
            let all = payloads(&frames(100, 0));
            // Each connection's frames, beginning with the first keyframe.
            let parts: Vec<&[Vec<u8>]> = video[1..].split_inclusive_at(|payload| *payload == all[1][0]);
            let (ends, whole) = (ends.lock().unwrap(), stream(100, 0));
            assert_eq!((parts.len(), ends.len()), (3, 3));
            for (number, part) in parts.iter().enumerate() {
                let there = ends[number].iter().zip(&whole).filter(|(end, tag)| **end <= after && tag.kind == VIDEO);
                let there = there.count() - 1;
                assert_eq!(*part, &all[1][..part.len()]);
                // A reset takes what the system has received and the client has not read yet.
                let enough = if how == Cut::Reset { part.len() <= there } else { part.len() == there };
                assert!(enough, "{how:?} after {after}, connection {number}: {} of {there} frames", part.len());
            }
        }
    }
}

trait SplitAt<T> {
    fn split_inclusive_at(&self, begins: impl Fn(&T) -> bool) -> Vec<&[T]>;
}

impl<T> SplitAt<T> for [T] {
    /// Parts that each begin with such an element.
    fn split_inclusive_at(&self, begins: impl Fn(&T) -> bool) -> Vec<&[T]> {
        let mut starts: Vec<usize> = (0..self.len()).filter(|at| begins(&self[*at])).collect();
        starts.push(self.len());
        starts.windows(2).map(|pair| &self[pair[0]..pair[1]]).collect()
    }
}

#[test]
fn an_outage_that_ends_costs_nothing() {
    let server = ScriptServer::start(|peer| {
        peer.begin()?;
        // A second at the pace of life, half of it in the outage.
        peer.media(&stream(10, 0))?;
        for round in 1..5 {
            std::thread::sleep(Duration::from_millis(400));
            peer.media(&frames(10, round * 400))?;
        }
        peer.status("status", "NetStream.Play.UnpublishNotify")?;
        peer.wait_closed()
    });
    let relay = Relay::start(server.port, Faults::default());
    let scratch = Scratch::new();
    let url = format!("rtmp://127.0.0.1:{}/app/stream", relay.port);
    let running = scratch.start(&url, &with(&["--retry", "1"]));
    wait_until("the first frames", || Flv::media_so_far(scratch.file()).len() >= 22);
    relay.outage(true);
    std::thread::sleep(Duration::from_secs(2));
    relay.outage(false);
    let finished = running.finish(PATIENCE);
    finished.expect_code(0);
    assert!(!finished.stderr.contains("Gap"), "{}", finished.stderr);
    let all = [stream(10, 0), (1..5).flat_map(|round| frames(10, round * 400)).collect()].concat();
    expect_equal(&all[1..], &scratch.flv().media());
}
