//! Whatever breaks: every complete tag that was received is in the file, the file parses whole, the exit code and the
//! words at the end are right.

mod common;

use common::flvcmp::{AUDIO, Flv, SCRIPT, Tag, VIDEO, expect_equal, is_sequence_header};
use common::media::{Media, folder};
use common::nginx::{Config, Nginx};
use common::peers::{expect_flvmeta_sound, expect_playable, publish};
use common::relay::{Cut, Faults, Relay};
use common::rtmp_bytes::{Amf, read_amf};
use common::script_server::{Peer, ScriptServer, clip_with};
use common::{Finished, PATIENCE, Running, have, rtmpcat_with, run, wait_until};
use std::io::Result;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A folder with the file that is recorded.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        Place { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self) -> PathBuf {
        self.path("out.flv")
    }

    fn begin(&self, url: &str, args: &[&str]) -> Running {
        Running::start(&mut rtmpcat_with(["-r", url, "-o", self.file().to_str().unwrap()].iter().chain(args)))
    }

    #[track_caller]
    fn record(&self, url: &str, args: &[&str]) -> Finished {
        run(&mut rtmpcat_with(["-r", url, "-o", self.file().to_str().unwrap()].iter().chain(args)), PATIENCE)
    }

    #[track_caller]
    fn flv(&self) -> Flv {
        Flv::read(self.file())
    }
}

/// `frames` frames of a live stream, the first one at `from` milliseconds, without what comes before them.
fn frames(frames: u32, from: u32) -> Vec<Tag> {
    clip_with(frames, None)[3..].iter().map(|tag| Tag { time: tag.time.wrapping_add(from), ..tag.clone() }).collect()
}

/// The same with metadata and sequence headers.
fn stream(count: u32, from: u32) -> Vec<Tag> {
    [clip_with(count, None)[..3].to_vec(), frames(count, from)].concat()
}

/// The payloads of audio and video, one track after the other.
fn payloads(tags: &[Tag]) -> [Vec<Vec<u8>>; 2] {
    [AUDIO, VIDEO].map(|kind| tags.iter().filter(|tag| tag.kind == kind).map(|tag| tag.payload.clone()).collect())
}

/// No track of it steps back.
#[track_caller]
fn expect_monotonic(flv: &Flv) {
    for kind in [AUDIO, VIDEO] {
        let times: Vec<u32> = flv.of(kind).iter().map(|tag| tag.time).collect();
        assert!(times.is_sorted(), "kind {kind}: {times:?}");
    }
}

/// What was sent is there to be read when this is over: the client has answered a ping that came behind it.
fn received(peer: &mut Peer) -> Result<()> {
    peer.user_control(6, 77)?;
    peer.wait_user_control(7).map(drop)
}

const FAST: [&str; 3] = ["-v", "--retry-delay", "0.05"];

fn with<'a>(args: &[&'a str]) -> Vec<&'a str> {
    FAST.iter().chain(args).copied().collect()
}

// --- Live: what breaks is mended ------------------------------------------------------------------------------------

#[test]
fn a_live_stream_goes_on_in_the_same_file_however_it_breaks() {
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
            1 => received(peer).and_then(|()| peer.reset()),
            2 => peer.wait_closed(),
            3 => peer.raw(&[0xc0 | 33, 1, 2, 3]).and_then(|()| peer.wait_closed()),
            _ => peer.status("status", "NetStream.Play.UnpublishNotify").and_then(|()| peer.wait_closed()),
        }
    });
    let place = Place::new();
    let finished = place.record(&server.url("stream"), &with(&["--retry", "3", "-m", "1"]));
    finished.expect_code(0);
    let flv = place.flv();
    let all: Vec<Tag> = [clip_with(20, None)[1..3].to_vec(), (0..5).flat_map(|_| frames(20, 0)).collect()].concat();
    assert_eq!(payloads(&flv.tags), payloads(&all), "all of it, headers once; stderr:\n{}", finished.stderr);
    assert_eq!(flv.of(SCRIPT).len(), 1);
    expect_monotonic(&flv.expect_true_flags().clone());
    // Right behind one another: 5 times 800 ms, and at each seam the distance of two frames.
    let last = flv.media().iter().map(|tag| tag.time).max().unwrap();
    assert!((4 * 800 + 767..4 * 840 + 767).contains(&last), "{last}");
    assert_eq!(finished.stderr.matches("Gap at 0:00:0").count(), 4, "{}", finished.stderr);
    finished.expect_stderr("4 gaps, ").expect_stderr("the stream stalled: no media for 1 s").expect_stderr("(1 of 3)");
    assert_eq!(server.connections(), 5);
}

#[test]
fn without_the_option_nothing_is_tried_again() {
    let server = ScriptServer::start(|peer| peer.begin().and_then(|()| peer.media(&stream(20, 0))));
    let place = Place::new();
    place.record(&server.url("stream"), &["-v"]).expect_code(2);
    assert_eq!(server.connections(), 1);
    assert_eq!(payloads(&place.flv().tags), payloads(&stream(20, 0)));
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
    let place = Place::new();
    place.record(&server.url("stream"), &with(&["--retry", "1"])).expect_code(0);
    let flv = place.flv();
    let [audio, video] = payloads(&flv.tags);
    let [audio_30, video_30] = payloads(&frames(30, 0));
    let (first, second) = (payloads(&stream(20, 0)), 10..30);
    assert_eq!(video, [&first[1][..], &video_30[second.clone()]].concat());
    assert_eq!(audio, [&first[0][..], &[changed().payload], &audio_30[second]].concat());
    expect_monotonic(&flv);
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
    let place = Place::new();
    place.record(&server.url("stream"), &with(&["--retry", "1"])).expect_code(0);
    let all = [tags(0), tags(1000)[3..].to_vec(), tags(2000)[3..].to_vec()].concat();
    assert_eq!(payloads(&place.flv().tags), payloads(&all));
}

#[test]
fn attempts_end_and_the_code_says_that_it_broke_off() {
    let server = ScriptServer::start(|peer| {
        if peer.number > 0 {
            return Ok(());
        }
        peer.begin()?;
        peer.media(&stream(20, 0))
    });
    let place = Place::new();
    let finished = place.record(&server.url("stream"), &with(&["--retry", "3"]));
    finished.expect_code(2).expect_stderr("(3 of 3)").expect_stderr("Download may be incomplete");
    assert_eq!(server.connections(), 4);
    assert_eq!(payloads(&place.flv().tags), payloads(&stream(20, 0)));
}

#[test]
fn a_limit_of_time_ends_the_attempts() {
    let url = format!("rtmp://127.0.0.1:{}/app/stream", common::free_port());
    let place = Place::new();
    let finished = place.record(&url, &with(&["--retry", "inf", "--retry-max-time", "1"]));
    finished.expect_code(3).expect_stderr("refused");
    assert!(finished.took >= Duration::from_secs(1) && finished.took < Duration::from_secs(5), "{:?}", finished.took);
    let finished = place.record(&url, &with(&["--retry", "inf", "--duration", "1"]));
    assert!(finished.took < Duration::from_secs(5), "{:?}", finished.took);
    finished.expect_code(1).expect_stderr("nothing has come");
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
        let place = Place::new();
        let finished = place.record(&server.url("stream"), &with(&["--retry", "inf"]));
        finished.expect_code(2).expect_stderr(code);
        assert_eq!(server.connections(), 2);
        assert_eq!(payloads(&place.flv().tags), payloads(&stream(20, 0)));
    }
}

#[test]
fn a_signal_ends_a_pause_at_once() {
    let server = ScriptServer::start(|peer| {
        if peer.number > 0 {
            return Ok(());
        }
        peer.begin()?;
        peer.media(&stream(20, 0))
    });
    let place = Place::new();
    let running = place.begin(&server.url("stream"), &["-v", "--retry", "inf", "--retry-delay", "1000"]);
    running.wait_stderr("trying again");
    // What was received is on the disk before it is tried again.
    wait_until("the file", || Flv::media_so_far(place.file()).len() == 42);
    running.signal("INT");
    let finished = running.finish(Duration::from_secs(5));
    finished.expect_code(2);
    assert_eq!(payloads(&place.flv().tags), payloads(&stream(20, 0)));
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
    let place = Place::new();
    place.record(&server.url("stream"), &with(&["--retry", "1"])).expect_code(0);
    assert_eq!(payloads(&place.flv().tags), payloads(&[video(0), video(0)].concat()));
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
    let place = Place::new();
    let args = with(&["--wait", "--first-media-timeout", "1"]);
    let finished = place.record(&server.url("stream"), &args);
    finished.expect_code(0).expect_stderr("waiting for the stream");
    assert_eq!(payloads(&place.flv().tags), payloads(&stream(20, 0)));
    assert_eq!(server.connections(), 5, "the publisher's leaving is the end");
    assert!(!finished.stderr.contains("Gap at"), "{}", finished.stderr);
}

#[test]
fn a_server_that_does_not_listen_yet_is_waited_for() {
    let place = Place::new();
    let port = common::free_port();
    let running = place.begin(&format!("rtmp://127.0.0.1:{port}/app/stream"), &with(&["--wait", "20"]));
    running.wait_stderr("waiting for the stream");
    let server = ScriptServer::start(|peer| {
        peer.begin()?;
        peer.media(&stream(20, 0))?;
        peer.status("status", "NetStream.Play.UnpublishNotify")?;
        peer.wait_closed()
    });
    let relay = Relay::start_at(port, server.port);
    running.finish(PATIENCE).expect_code(0);
    assert_eq!(payloads(&place.flv().tags), payloads(&stream(20, 0)));
    drop(relay);
}

#[test]
fn a_wait_has_an_end() {
    let url = format!("rtmp://127.0.0.1:{}/app/stream", common::free_port());
    let place = Place::new();
    let finished = place.record(&url, &with(&["--wait", "1"]));
    finished.expect_code(3);
    assert!(finished.took >= Duration::from_secs(1) && finished.took < Duration::from_secs(5), "{:?}", finished.took);
    assert!(!place.file().exists());
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
    let place = Place::new();
    let finished = place.record(&server.url("stream"), &with(&["--retry", "1", "--wait", "2"]));
    // Nobody came back any more: the last one who left is how it ended.
    finished.expect_code(0);
    let all = [stream(20, 0), frames(20, 0), frames(20, 0)].concat();
    assert_eq!(payloads(&place.flv().tags), payloads(&all));
    assert_eq!(finished.stderr.matches("Gap at").count(), 2, "{}", finished.stderr);
}

// --- Seekable at once -----------------------------------------------------------------------------------------------

/// The properties of the file's first onMetaData.
fn properties(flv: &Flv) -> Amf {
    let first = flv.tags.first().expect("tags");
    assert_eq!(first.script_name().as_deref(), Some("onMetaData"));
    read_amf(&first.payload).into_iter().nth(1).expect("properties")
}

/// The keyframes that the metadata lists, each checked against what stands there. Returns how many.
#[track_caller]
fn expect_true_index(path: &Path) -> usize {
    let bytes = std::fs::read(path).unwrap();
    let flv = Flv::parse(&bytes).unwrap();
    let properties = properties(&flv);
    let keyframes = properties.get("keyframes").expect("keyframes");
    let list = |name: &str| match keyframes.get(name) {
        Some(Amf::Array(values)) => values.iter().filter_map(Amf::num).collect::<Vec<f64>>(),
        other => panic!("{name}: {other:?}"),
    };
    let (positions, times) = (list("filepositions"), list("times"));
    assert_eq!(positions.len(), times.len());
    for (position, time) in positions.iter().zip(&times) {
        let tag = &bytes[*position as usize..];
        let at = u32::from_be_bytes([tag[7], tag[4], tag[5], tag[6]]);
        assert!(tag[0] == VIDEO && tag[11] == 0x17 && tag[12] == 1, "a keyframe at {position}: {:02x?}", &tag[..13]);
        assert_eq!(f64::from(at) / 1000.0, *time);
    }
    positions.len()
}

#[test]
fn a_file_has_an_index_and_all_that_the_server_said() {
    let server = ScriptServer::start(|peer| peer.plays(&clip_with(100, Some(4.0))));
    let place = Place::new();
    place.record(&server.url("stream"), &[]).expect_code(0);
    assert_eq!(expect_true_index(&place.file()), 10);
    let flv = place.flv();
    assert_eq!(flv.of(SCRIPT).len(), 1, "one onMetaData, not two");
    let properties = properties(&flv);
    let number = |name: &str| properties.get(name).and_then(Amf::num);
    assert_eq!((number("width"), number("height")), (Some(320.0), Some(180.0)));
    assert_eq!(number("filesize"), Some(std::fs::metadata(place.file()).unwrap().len() as f64));
    assert!((3.9..4.1).contains(&number("duration").unwrap()), "{:?}", number("duration"));
    place.record(&server.url("stream"), &["--no-index"]).expect_code(0);
    expect_equal(&clip_with(100, Some(4.0)), &place.flv().tags);
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
    let place = Place::new();
    let running = place.begin(&server.url("stream"), &["-v"]);
    wait_until("all that was sent", || Flv::media_so_far(place.file()).len() + 1 >= all);
    running.signal("KILL");
    running.finish(PATIENCE);
    let keyframes = expect_true_index(&place.file());
    assert!(keyframes >= 4, "{keyframes} of 10 keyframes");
    expect_playable(&place.file());
    expect_flvmeta_sound(&place.file());
    // What a player gets that seeks to 6 s begins there.
    let mut probe = std::process::Command::new("ffprobe");
    probe.args(["-v", "error", "-read_intervals", "6%+#1", "-select_streams", "v"]);
    probe.args(["-show_entries", "packet=pts_time,flags", "-of", "csv=p=0"]).arg(place.file());
    let packet = run(&mut probe, PATIENCE).expect_code(0).out();
    let time: f64 = packet.split(',').next().and_then(|time| time.trim().parse().ok()).expect("a time");
    assert!((5.9..6.3).contains(&time) && packet.contains('K'), "{packet}");
}

// --- Disk -----------------------------------------------------------------------------------------------------------

/// A live stream that goes on until the client has had enough.
fn endless() -> ScriptServer {
    ScriptServer::start(|peer| {
        peer.begin()?;
        peer.media(&stream(50, 0))?;
        for round in 1.. {
            if peer.media(&frames(50, round * 2000)).is_err() {
                break;
            }
        }
        Ok(())
    })
}

/// It holds the beginning of [`endless`], whole tags, and its index is true.
#[track_caller]
fn expect_beginning_of_endless(file: &Path) {
    let flv = Flv::read(file);
    let mut expected = stream(50, 0);
    for round in 1.. {
        if expected.len() > flv.tags.len() {
            break;
        }
        expected.extend(frames(50, round * 2000));
    }
    let media: Vec<Tag> = expected.into_iter().filter(|tag| tag.kind != SCRIPT).collect();
    let got = flv.expect_true_flags().media();
    assert!(got.len() > 50, "{} tags", got.len());
    expect_equal(&media[..got.len()], &got);
    expect_true_index(file);
}

#[test]
fn a_file_that_may_not_grow_stays_whole() {
    let server = endless();
    let place = Place::new();
    // In blocks of 1024 bytes.
    let line = format!("ulimit -f 300; exec {}", shell_line(&place, &server.url("stream"), &["-v"]));
    let finished = run(std::process::Command::new("bash").args(["-c", &line]), PATIENCE);
    finished.expect_code(1).expect_stderr("File too large").expect_stderr("s are saved, in");
    expect_beginning_of_endless(&place.file());
}

/// The program as a line for a shell.
fn shell_line(place: &Place, url: &str, args: &[&str]) -> String {
    format!("{:?} -r {url} -o {} {}", common::rtmpcat().get_program(), place.file().display(), args.join(" "))
}

/// Runs a line for a shell as if it were root, with mounts of its own; `None` where that is not allowed.
fn with_mounts(line: &str) -> Option<Finished> {
    let unshare = |line: &str| {
        let mut command = std::process::Command::new("unshare");
        command.args(["-r", "-m", "bash", "-c", line]);
        run(&mut command, PATIENCE)
    };
    if !have(&["unshare"]) || unshare("mount -t tmpfs none /mnt").code != Some(0) {
        return None;
    }
    Some(unshare(line))
}

#[test]
fn a_full_disk_leaves_a_whole_file() {
    let server = endless();
    let place = Place::new();
    let folder = place.folder.path().display();
    let Some(finished) = with_mounts(&format!(
        "mkdir {folder}/small; mount -t tmpfs -o size=500k none {folder}/small; cd {folder}/small; {} -o small.flv; \
         code=$?; cp small.flv {folder}/out.flv; exit $code",
        shell_line(&place, &server.url("stream"), &["-v"])
    )) else {
        return;
    };
    finished.expect_code(1).expect_stderr("No space left on device");
    expect_beginning_of_endless(&place.file());
}

#[test]
fn a_disk_that_cannot_be_written_is_a_clear_failure() {
    let server = endless();
    let place = Place::new();
    let folder = place.folder.path().display();
    let line = shell_line(&place, &server.url("stream"), &["-v"]);
    let Some(finished) = with_mounts(&format!("mount -t tmpfs -o ro none {folder}; {line}")) else { return };
    finished.expect_code(1).expect_stderr("Read-only file system").expect_stderr("out.flv");
}

#[test]
fn a_file_that_vanishes_is_a_failure_and_not_a_silent_loss() {
    let server = ScriptServer::start(|peer| {
        peer.begin()?;
        peer.media(&stream(50, 0))?;
        for round in 1.. {
            std::thread::sleep(Duration::from_millis(100));
            if peer.media(&frames(2, 2000 + round * 80)).is_err() {
                break;
            }
        }
        Ok(())
    });
    let place = Place::new();
    let folder = place.path("folder");
    std::fs::create_dir(&folder).unwrap();
    let file = folder.join("out.flv");
    let running = place.begin(&server.url("stream"), &["-v", "-o", file.to_str().unwrap()]);
    wait_until("some media", || Flv::media_so_far(&file).len() > 100);
    std::fs::remove_dir_all(&folder).unwrap();
    running.finish(PATIENCE).expect_code(1).expect_stderr("the file was deleted while it was being written");
}

#[test]
fn a_folder_that_vanishes_before_the_first_media_is_a_failure() {
    let place = Place::new();
    let folder = place.path("folder");
    std::fs::create_dir(&folder).unwrap();
    let doomed = folder.clone();
    let server = ScriptServer::start(move |peer| {
        peer.handshake()?;
        peer.accept_connect()?;
        std::fs::remove_dir(&doomed)?;
        peer.accept_create_stream(1)?;
        peer.accept_play()?;
        peer.media(&stream(50, 0))?;
        peer.wait_closed()
    });
    let file = folder.join("out.flv");
    let finished = place.record(&server.url("stream"), &["-v", "--retry", "inf", "-o", file.to_str().unwrap()]);
    finished.expect_code(1).expect_stderr("folder/out.flv").expect_stderr("No such file");
}

#[test]
fn a_slow_reader_does_not_keep_the_server_waiting_for_answers() {
    let place = Place::new();
    let pipe = place.path("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let server = ScriptServer::start(|peer| {
        peer.begin()?;
        // Far more than a pipe holds.
        peer.media(&stream(1500, 0))?;
        received(peer)?;
        peer.status("status", "NetStream.Play.UnpublishNotify")?;
        peer.wait_closed()
    });
    let running = place.begin(&server.url("stream"), &["-v", "-o", pipe.to_str().unwrap()]);
    let reader = std::fs::File::open(&pipe).unwrap();
    wait_until("the answer to a ping", || {
        server.connections() == 1 && server.heard(0).user_control().iter().any(|(kind, _)| *kind == 7)
    });
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut { reader }, &mut bytes).unwrap();
    running.finish(PATIENCE).expect_code(0);
    expect_equal(&stream(1500, 0), &Flv::parse(&bytes).unwrap().tags);
}

#[test]
fn the_file_is_brought_to_the_disk_as_often_as_was_wished() {
    if !have(&["strace"]) {
        return;
    }
    let server = ScriptServer::start(|peer| {
        peer.begin()?;
        peer.media(&stream(20, 0))?;
        std::thread::sleep(Duration::from_millis(1500));
        peer.status("status", "NetStream.Play.UnpublishNotify")?;
        peer.wait_closed()
    });
    let place = Place::new();
    let log = place.path("calls");
    let line = shell_line(&place, &server.url("stream"), &["-v", "--fsync", "0.4"]);
    let line = format!("exec strace -f -e trace=fdatasync,fsync -o {} {line}", log.display());
    run(std::process::Command::new("bash").args(["-c", &line]), PATIENCE).expect_code(0);
    let calls = std::fs::read_to_string(&log).unwrap();
    let count = calls.matches("sync(").count();
    assert!((2..=6).contains(&count), "{calls}");
}

// --- Events ---------------------------------------------------------------------------------------------------------

/// The lines of a file of events.
#[track_caller]
fn events(text: &str) -> Vec<serde_json::Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

fn names(events: &[serde_json::Value]) -> Vec<&str> {
    events.iter().map(|event| event["event"].as_str().unwrap_or_default()).collect()
}

#[test]
fn events_tell_the_whole_story() {
    let server = ScriptServer::start(|peer| {
        peer.begin()?;
        peer.media(&stream(20, 0))?;
        if peer.number == 0 {
            return Ok(());
        }
        // Silence for a while, though the connection stands.
        std::thread::sleep(Duration::from_millis(3500));
        peer.media(&frames(20, 800))?;
        peer.status("status", "NetStream.Play.UnpublishNotify")?;
        peer.wait_closed()
    });
    let place = Place::new();
    let (log, url) = (place.path("events"), server.url("stream?token=hushhush"));
    place.record(&url, &with(&["--retry", "1", "--events", log.to_str().unwrap()])).expect_code(0);
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(!text.contains("hushhush"), "{text}");
    let events = events(&text);
    let story = [
        "connecting",
        "connected",
        "first-media",
        "keyframes",
        "metadata",
        "retry",
        "connecting",
        "connected",
        "first-media",
        "gap",
        "keyframes",
        "stall",
        "resumed",
        "keyframes",
        "end",
    ];
    let mut told = names(&events);
    told.dedup();
    let keyframes = |names: &[&str]| names.iter().filter(|name| **name != "keyframes").count();
    assert_eq!(keyframes(&told), keyframes(&story), "{text}");
    for name in story {
        assert!(told.contains(&name), "{name} in {told:?}");
    }
    let of = |name: &str| events.iter().find(|event| event["event"] == name).unwrap();
    assert_eq!(of("metadata")["properties"]["width"], 320);
    assert_eq!(of("gap")["at"], 0.807);
    assert!(of("gap")["reason"].as_str().unwrap().contains("closed the connection"));
    let end = of("end");
    assert_eq!((&end["code"], &end["result"], &end["cause"]), (&0.into(), &"complete".into(), &"notice".into()));
    assert_eq!((&end["video"], &end["audio"], &end["gaps"]), (&61.into(), &61.into(), &1.into()));
    assert_eq!(end["bytes"], std::fs::metadata(place.file()).unwrap().len());
    assert!(events.windows(2).all(|pair| pair[0]["elapsed"].as_f64() <= pair[1]["elapsed"].as_f64()));
}

#[test]
fn events_go_to_standard_output_or_a_descriptor() {
    let server = ScriptServer::start(|peer| {
        peer.begin()?;
        peer.media(&stream(20, 0))?;
        peer.status("status", "NetStream.Play.UnpublishNotify")?;
        peer.wait_closed()
    });
    let place = Place::new();
    let finished = place.record(&server.url("stream"), &["-v", "--events", "-"]);
    assert_eq!(names(&events(&finished.expect_code(0).out())).last(), Some(&"end"));
    let line = format!("{} 5>&1 >/dev/null", shell_line(&place, &server.url("stream"), &["-v", "--events", "5"]));
    let finished = run(std::process::Command::new("bash").args(["-c", &line]), PATIENCE);
    assert_eq!(names(&events(&finished.expect_code(0).out())).last(), Some(&"end"));
    let finished = run(&mut rtmpcat_with(["-r", &server.url("stream"), "--events", "-"]), PATIENCE);
    assert!(finished.expect_code(1).stdout.is_empty());
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
            let place = Place::new();
            let url = format!("rtmp://127.0.0.1:{}/app/stream", relay.port);
            let finished = place.record(&url, &with(&["--retry", "2", "-m", "1"]));
            finished.expect_code(2);
            let flv = place.flv();
            expect_monotonic(&flv);
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
    let place = Place::new();
    let url = format!("rtmp://127.0.0.1:{}/app/stream", relay.port);
    let running = place.begin(&url, &with(&["--retry", "1"]));
    wait_until("the first frames", || Flv::media_so_far(place.file()).len() >= 22);
    relay.outage(true);
    std::thread::sleep(Duration::from_secs(2));
    relay.outage(false);
    let finished = running.finish(PATIENCE);
    finished.expect_code(0);
    assert!(!finished.stderr.contains("Gap"), "{}", finished.stderr);
    let all = [stream(10, 0), (1..5).flat_map(|round| frames(10, round * 400)).collect()].concat();
    expect_equal(&all[1..], &place.flv().media());
}

// --- On demand ------------------------------------------------------------------------------------------------------

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
            // Somewhere within a group of pictures, and between a picture and its sound.
            peer.media(&tags[..tags.len().min(58 + 50 * peer.number)])?;
            return match peer.number {
                0 => received(peer).and_then(|()| peer.reset()),
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
fn an_on_demand_stream_goes_on_without_loss_or_repetition() {
    for relative in [false, true] {
        let server = breaking_vod(150, relative);
        let place = Place::new();
        let finished = place.record(&server.url("stream"), &["--retry", "3", "--retry-delay", "0.05", "-m", "1"]);
        finished.expect_code(0);
        let source: Vec<Tag> = clip_with(150, None)[1..].to_vec();
        if let Some(difference) = common::flvcmp::diff(&source, &place.flv().media()) {
            panic!("relative {relative}: {difference}{}", finished.stderr);
        }
        assert_eq!(server.connections(), 4);
        assert!(!finished.stderr.contains("Gap"), "{}", finished.stderr);
        assert_eq!(expect_true_index(&place.file()), 15);
        assert_eq!(properties(&place.flv()).get("duration").and_then(Amf::num), Some(6.007));
    }
}

#[test]
fn an_on_demand_stream_on_a_pipe_is_not_begun_again() {
    let server = breaking_vod(150, false);
    let args = ["-r", &server.url("stream"), "--retry", "inf", "--retry-delay", "0.05"];
    let finished = run(&mut rtmpcat_with(args), PATIENCE);
    finished.expect_code(2);
    assert_eq!(server.connections(), 1);
    expect_equal(&clip_with(150, None)[1..58], &Flv::parse(&finished.stdout).unwrap().media());
}

#[test]
fn nginx_killed_and_started_again_costs_an_on_demand_stream_nothing() {
    if !have(&["nginx-rtmp", "ffmpeg"]) {
        return;
    }
    let source = Flv::read(Media::Long.path());
    let mut nginx = Nginx::vod(&folder(), 4096);
    let place = Place::new();
    let url = nginx.url("vod", Media::Long.name());
    // With a short buffer nginx sends at the pace of playing.
    let client = place.begin(&url, &["-b", "1000", "-R", "--retry", "inf", "--retry-delay", "0.2"]);
    for tags in [100, 500] {
        wait_until("some of the file", || Flv::media_so_far(place.file()).len() > tags);
        nginx.kill();
        client.wait_stderr("trying again");
        nginx.restart();
    }
    client.finish(PATIENCE).expect_code(0);
    expect_equal(&source.media(), &place.flv().media());
    expect_true_index(&place.file());
}

#[test]
fn nginx_killed_and_started_again_with_its_publisher_leaves_a_gap() {
    if !have(&["nginx-rtmp", "ffmpeg", "ffprobe"]) {
        return;
    }
    let source = Flv::read(Media::BFrames.path());
    let mut nginx = Nginx::start(Config { publish_notify: true, ..Config::default() });
    let place = Place::new();
    let url = nginx.url("live", "cam");
    let first = publish(&Media::BFrames.path(), &url);
    let client = place.begin(&url, &with(&["--retry", "inf"]));
    wait_until("some media", || Flv::media_so_far(place.file()).len() > 60);
    nginx.kill();
    first.finish(PATIENCE);
    client.wait_stderr("trying again");
    let before = Flv::media_so_far(place.file()).len();
    nginx.restart();
    publish(&Media::BFrames.path(), &url).finish(PATIENCE).expect_code(0);
    let finished = client.finish(PATIENCE);
    finished.expect_code(0).expect_stderr("Gap at 0:00:0");
    let flv = place.flv();
    expect_monotonic(flv.expect_true_flags());
    assert!(flv.media().len() > before + 100, "{} tags behind {before}", flv.media().len());
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
    assert_eq!(expect_playable(&place.file()), ["aac", "h264"]);
    expect_true_index(&place.file());
}

// --- Enhanced RTMP: the server asks for another connection ----------------------------------------------------------

fn reconnect_request(peer: &mut Peer, tc_url: Option<&str>) -> Result<()> {
    let mut information = vec![("level", "status".into()), ("code", "NetConnection.Connect.ReconnectRequest".into())];
    information.extend(tc_url.map(|url| ("tcUrl", url.into())));
    peer.command(0, &["onStatus".into(), 0.0.into(), Amf::Null, Amf::obj(&information)])
}

/// A live source of 100 frames, at ten times the pace of life, that every connection of a server sees alike: from the last
/// keyframe before the present on.
fn live_source(
    peer: &mut Peer,
    began: Instant,
    shift: u32,
    at_frame: impl FnMut(&mut Peer, u32) -> Result<bool>,
) -> Result<()> {
    live_source_of(&clip_with(100, None), peer, began, shift, at_frame)
}

/// The same with the clip in another form.
fn live_source_of(
    tags: &[Tag],
    peer: &mut Peer,
    began: Instant,
    shift: u32,
    mut at_frame: impl FnMut(&mut Peer, u32) -> Result<bool>,
) -> Result<()> {
    let now = || (began.elapsed().as_millis() / 4) as u32;
    peer.media(&tags[..3])?;
    let first = (now() / 10 * 10).min(90);
    for frame in first..100 {
        if !at_frame(peer, frame)? {
            return Ok(());
        }
        while now() < frame {
            std::thread::sleep(Duration::from_millis(1));
        }
        let at = 3 + 2 * frame as usize;
        let shifted = |tag: &Tag| Tag { time: tag.time + shift, ..tag.clone() };
        peer.media(&tags[at..at + 2].iter().map(shifted).collect::<Vec<_>>())?;
    }
    peer.status("status", "NetStream.Play.UnpublishNotify")?;
    peer.wait_closed()
}

#[test]
fn a_reconnect_request_is_followed_without_losing_a_frame() {
    for with_url in [false, true] {
        let began = Instant::now() + Duration::from_millis(300);
        let other = ScriptServer::start(move |peer| {
            peer.begin()?;
            live_source(peer, began, 0, |_, _| Ok(true))
        });
        let url = other.url("stream").replace("/stream", "");
        let server = ScriptServer::start(move |peer| {
            peer.begin()?;
            let request = peer.number == 0;
            live_source(peer, began, 0, |peer, frame| {
                if request && frame == 25 {
                    reconnect_request(peer, with_url.then_some(url.as_str()))?;
                }
                Ok(true)
            })
        });
        let place = Place::new();
        let finished = place.record(&server.url("stream"), &["-v"]);
        finished.expect_code(0).expect_stderr("The new connection takes over");
        expect_equal(&clip_with(100, None)[1..], &place.flv().media());
        let expected = if with_url { (1, 1) } else { (2, 0) };
        assert_eq!((server.connections(), other.connections()), expected);
    }
}

#[test]
fn the_new_connection_is_rewritten_and_traced_as_the_first_one() {
    // H.264 and AAC with the headers of Enhanced RTMP.
    let enhanced = |tag: &Tag| {
        let payload = match (tag.kind, &tag.payload[..]) {
            (VIDEO, [first, kind, time @ ..]) => {
                let (time, data) = time.split_at(3);
                let time = if *kind == 1 { time } else { &[] };
                [&[0x80 | first & 0x70 | kind], &b"avc1"[..], time, data].concat()
            }
            (AUDIO, [_, kind, data @ ..]) => [&[0x90 | kind], &b"mp4a"[..], data].concat(),
            (_, other) => other.to_vec(),
        };
        Tag { payload, ..tag.clone() }
    };
    let began = Instant::now() + Duration::from_millis(300);
    let server = ScriptServer::start(move |peer| {
        peer.begin()?;
        let tags: Vec<Tag> = clip_with(100, None).iter().map(enhanced).collect();
        let first = peer.number == 0;
        live_source_of(&tags, peer, began, 0, |peer, frame| {
            if first && frame == 25 {
                reconnect_request(peer, None)?;
            }
            Ok(true)
        })
    });
    let place = Place::new();
    let trace = place.file().with_extension("pcapng");
    let args = ["-v", "--legacy-tags", "--trace", trace.to_str().unwrap()];
    place.record(&server.url("stream"), &args).expect_code(0).expect_stderr("The new connection takes over");
    expect_equal(&clip_with(100, None)[1..], &place.flv().media());
    let list = run(&mut rtmpcat_with(["trace", trace.to_str().unwrap()]), PATIENCE).expect_code(0).out();
    assert_eq!((list.matches("connect 1 {").count(), list.matches(" - closed").count()), (2, 2), "{list}");
    assert!(list.contains("NetConnection.Connect.ReconnectRequest"));
}

#[test]
fn another_clock_is_stitched_on_at_a_keyframe() {
    let began = Instant::now() + Duration::from_millis(300);
    let server = ScriptServer::start(move |peer| {
        peer.begin()?;
        let number = peer.number as u32;
        live_source(peer, began, number * 1_000_000, |peer, frame| {
            if number == 0 && frame == 25 {
                reconnect_request(peer, None)?;
            }
            Ok(true)
        })
    });
    let place = Place::new();
    place.record(&server.url("stream"), &["-v"]).expect_code(0).expect_stderr("takes over");
    let flv = place.flv();
    expect_monotonic(&flv);
    let [_, video] = payloads(&flv.tags);
    let [_, all] = payloads(&frames(100, 0));
    let places: Vec<usize> =
        video[1..].iter().map(|payload| all.iter().position(|other| other == payload).unwrap()).collect();
    let seam = places.windows(2).position(|pair| pair[0] + 1 != pair[1]).expect("a group of pictures comes twice");
    assert_eq!(places[seam + 1] % 10, 0, "the seam is at a keyframe: {places:?}");
    assert_eq!((places[0], places.last()), (0, Some(&99)));
}

#[test]
fn the_present_connection_stays_if_the_new_one_fails_and_the_new_one_comes_if_it_ends() {
    let began = Instant::now() + Duration::from_millis(300);
    let server = ScriptServer::start(move |peer| {
        if peer.number > 0 {
            return Ok(());
        }
        peer.begin()?;
        live_source(peer, began, 0, |peer, frame| {
            if frame == 25 {
                reconnect_request(peer, None)?;
            }
            Ok(true)
        })
    });
    let place = Place::new();
    place.record(&server.url("stream"), &["-v"]).expect_code(0).expect_stderr("the present one stays");
    expect_equal(&clip_with(100, None)[1..], &place.flv().media());
    // The server does not wait for its player to go.
    let began = Instant::now() + Duration::from_millis(300);
    let server = ScriptServer::start(move |peer| {
        peer.begin()?;
        let number = peer.number;
        live_source(peer, began, 0, |peer, frame| {
            if number == 0 && frame == 25 {
                reconnect_request(peer, None)?;
            }
            Ok(number > 0 || frame < 25)
        })
    });
    let finished = place.record(&server.url("stream"), &["-v"]);
    finished.expect_code(0).expect_stderr("takes over");
    let [_, video] = payloads(&place.flv().tags);
    let [_, all] = payloads(&frames(100, 0));
    assert_eq!(video[1..26], all[..25], "all that came");
    assert_eq!(video.last(), all.last());
    expect_monotonic(&place.flv());
}
