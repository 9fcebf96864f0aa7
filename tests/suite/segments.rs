//! A recording as several files: together they hold exactly what one file would, each can be played alone, and no
//! other file is touched.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use crate::common::flvcmp::{AUDIO, Flv, SCRIPT, Tag, VIDEO, expect_equal, is_sequence_header};
use crate::common::script_server::{Peer, ScriptServer, clip_with};
use crate::common::{self, Finished, PATIENCE, Running, have, rtmpcat_with, run};

/// A live stream of `frames` pictures, a keyframe each 400 ms, that ends as live streams do.
fn live(frames: u32) -> impl Fn(&mut Peer) -> std::io::Result<()> + Send + Sync + 'static {
    move |peer| {
        peer.begin()?;
        peer.media(&clip_with(frames, None))?;
        peer.status("status", "NetStream.Play.UnpublishNotify")?;
        peer.wait_closed()
    }
}

#[track_caller]
fn record(folder: &Path, name: &str, args: &[&str], server: &ScriptServer) -> Finished {
    let url = server.url("stream");
    let output = folder.join(name);
    let output = output.to_str().unwrap();
    run(&mut rtmpcat_with(["-v", "-r", &url, "-o", output].iter().chain(args)), PATIENCE)
}

fn listing(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The files of a folder in the order of their numbers.
fn files(folder: &Path) -> Vec<Flv> {
    listing(folder).iter().map(|name| Flv::read(folder.join(name))).collect()
}

/// Each file stands alone, and the frames of all of them are those of the clip: in order, to the byte, and to the
/// millisecond if `starts` is when each begins.
#[track_caller]
fn expect_whole(files: &[Flv], frames: u32, starts: Option<&[u32]>) {
    let clip = clip_with(frames, None);
    let headers: Vec<Tag> = clip.iter().filter(|tag| is_sequence_header(tag)).cloned().collect();
    let mut frames = Vec::new();
    for (number, file) in files.iter().enumerate() {
        file.expect_true_flags();
        assert_eq!(file.tags[0].script_name().as_deref(), Some("onMetaData"));
        let media = file.media();
        expect_equal(&headers, &media[..headers.len()]);
        let begins = &media[headers.len()];
        assert!(begins.kind == VIDEO && begins.payload[0] == 0x17 && begins.time == 0, "{begins:?}");
        frames.extend(media[headers.len()..].iter().map(|tag| match starts {
            Some(starts) => Tag { time: tag.time + starts[number], ..tag.clone() },
            None => tag.clone(),
        }));
    }
    let expected: Vec<Tag> =
        clip.iter().filter(|tag| tag.kind != SCRIPT && !is_sequence_header(tag)).cloned().collect();
    if starts.is_none() {
        let without_times = |tags: &[Tag]| tags.iter().map(|tag| Tag { time: 0, ..tag.clone() }).collect::<Vec<_>>();
        expect_equal(&without_times(&expected), &without_times(&frames));
    } else {
        expect_equal(&expected, &frames);
    }
}

#[test]
fn by_time_all_files_together_are_the_recording() {
    for index in ["--index", "--no-index"] {
        let server = ScriptServer::start(live(100));
        let folder = tempfile::tempdir().unwrap();
        let finished = record(folder.path(), "cam-%{n}.flv", &["--segment-time", "1", index], &server);
        finished.expect_code(0).expect_stderr("cam-2.flv is complete: 0.8 s");
        assert_eq!(listing(folder.path()), ["cam-1.flv", "cam-2.flv", "cam-3.flv", "cam-4.flv"]);
        expect_whole(&files(folder.path()), 100, Some(&[0, 1200, 2000, 3200]));
    }
}

#[test]
fn a_new_connection_continues_in_the_same_files() {
    let connections = AtomicUsize::new(0);
    let server = ScriptServer::start(move |peer| {
        let first = connections.fetch_add(1, Ordering::SeqCst) == 0;
        peer.begin()?;
        let tags = clip_with(60, None);
        let half = tags.iter().position(|tag| tag.kind == VIDEO && tag.time == 1200).unwrap();
        if first {
            peer.media(&tags[..half])?;
            return peer.close();
        }
        // Metadata and headers again, the end of the group of pictures, and on.
        peer.media(&tags[..3])?;
        peer.media(&tags[half - 8..])?;
        peer.status("status", "NetStream.Play.UnpublishNotify")?;
        peer.wait_closed()
    });
    let folder = tempfile::tempdir().unwrap();
    let args = ["--segment-time", "0.8", "--retry", "3", "--retry-delay", "0.01"];
    record(folder.path(), "a-%{n}.flv", &args, &server).expect_code(0);
    let files = files(folder.path());
    assert_eq!(files.len(), 3, "{:?}", listing(folder.path()));
    // The end of the group has been there before.
    expect_whole(&files, 60, None);
}

#[test]
fn an_on_demand_stream_that_breaks_continues_where_it_was() {
    // Plays from the keyframe before the point asked for, and breaks off within a group of pictures.
    let server = ScriptServer::start(|peer| {
        peer.handshake()?;
        peer.accept_connect()?;
        peer.accept_create_stream(1)?;
        let from = peer.accept_play()?.args[2].num().unwrap_or(0.0).max(0.0) as u32;
        let clip = clip_with(150, Some(6.0));
        let tags = clip[3..].iter().filter(|tag| tag.time >= from / 400 * 400);
        let tags: Vec<Tag> = clip[..3].iter().chain(tags).cloned().collect();
        if peer.number < 2 {
            peer.media(&tags[..100])?;
            return peer.close();
        }
        peer.media(&tags)?;
        peer.end_of_file()?;
        peer.wait_closed()
    });
    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().join("a-%{n}.flv");
    let args = ["--segment-time", "1", "--retry", "3", "--retry-delay", "0.01"];
    let url = server.url("stream");
    let finished = run(rtmpcat_with(["-r", &url, "-o"]).arg(name).args(args), PATIENCE);
    finished.expect_code(0);
    assert_eq!(server.connections(), 3);
    assert!(server.heard(2).call("play").args[2].num().unwrap() > 1000.0, "not from the beginning each time");
    expect_whole(&files(folder.path()), 150, Some(&[0, 1200, 2000, 3200, 4000, 5200]));
}

#[test]
fn events_tell_of_each_file() {
    let server = ScriptServer::start(live(50));
    let folder = tempfile::tempdir().unwrap();
    let events = folder.path().join("events");
    let args = ["--segment-time", "1", "--events", events.to_str().unwrap()];
    record(folder.path(), "a.flv", &args, &server).expect_code(0);
    let text = fs::read_to_string(&events).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("{\"event\":\"segment\"")).collect();
    assert_eq!(lines.len(), 2, "{text}");
    let name = folder.path().join("a-2.flv");
    let bytes = fs::metadata(&name).unwrap().len();
    for needed in [format!("\"file\":\"{}\"", name.display()), format!("\"bytes\":{bytes}")] {
        assert!(lines[1].contains(&needed), "{}", lines[1]);
    }
    assert!(lines[1].contains("\"number\":2,\"at\":1.2,\"seconds\":0.8"), "{}", lines[1]);
}

#[test]
fn by_size() {
    let server = ScriptServer::start(live(100));
    let folder = tempfile::tempdir().unwrap();
    record(folder.path(), "cam-%{n:3}.flv", &["--segment-size", "30000", "--no-index"], &server).expect_code(0);
    let files = files(folder.path());
    assert!((3..10).contains(&files.len()), "{}", files.len());
    expect_whole(&files, 100, None);
    for name in &listing(folder.path())[..files.len() - 1] {
        let bytes = fs::metadata(folder.path().join(name)).unwrap().len();
        assert!((30_000..45_000).contains(&bytes), "{name}: {bytes}");
    }
}

#[test]
fn by_a_change_of_the_codec() {
    let server = ScriptServer::start(|peer| {
        peer.begin()?;
        let mut tags = clip_with(20, None);
        let mut header = tags[1].clone();
        header.payload[6] = 0x42;
        header.time = 400;
        let place = tags.iter().position(|tag| tag.kind == VIDEO && tag.time == 400).unwrap();
        tags.insert(place, header);
        peer.media(&tags)?;
        peer.status("status", "NetStream.Play.UnpublishNotify")?;
        peer.wait_closed()
    });
    let folder = tempfile::tempdir().unwrap();
    record(folder.path(), "a.flv", &["--segment-on", "codec-change"], &server).expect_code(0);
    assert_eq!(listing(folder.path()), ["a-1.flv", "a-2.flv"]);
    let [first, second] = &files(folder.path())[..] else { panic!("two files") };
    let headers = |file: &Flv| -> Vec<u8> {
        file.of(VIDEO).iter().filter(|tag| is_sequence_header(tag)).map(|tag| tag.payload[6]).collect()
    };
    assert_eq!((headers(first), headers(second)), (vec![0x64], vec![0x42]));
    assert_eq!((first.of(AUDIO).len(), second.of(AUDIO).len()), (11, 11));
}

#[test]
fn audio_alone() {
    let server = ScriptServer::start(|peer| {
        peer.begin()?;
        let tags: Vec<Tag> = clip_with(100, None).into_iter().filter(|tag| tag.kind == AUDIO).collect();
        peer.media(&tags)?;
        peer.status("status", "NetStream.Play.UnpublishNotify")?;
        peer.wait_closed()
    });
    let folder = tempfile::tempdir().unwrap();
    record(folder.path(), "a-%{n}.flv", &["--segment-time", "0.5"], &server).expect_code(0);
    let files = files(folder.path());
    assert_eq!(files.len(), 8);
    assert!(files.iter().all(|file| file.has_audio && !file.has_video));
    let frames: usize = files.iter().map(|file| file.of(AUDIO).len() - 1).sum();
    assert_eq!(frames, 100);
}

#[test]
fn absolute_times_go_on_through_the_files() {
    let server = ScriptServer::start(live(50));
    let folder = tempfile::tempdir().unwrap();
    let args = ["--segment-time", "0.4", "--absolute-timestamps"];
    record(folder.path(), "a-%{n}.flv", &args, &server).expect_code(0);
    let times: Vec<u32> = files(folder.path()).iter().map(|file| file.media()[2].time).collect();
    assert_eq!(times, [0, 400, 800, 1200, 1600]);
}

#[test]
fn names_with_the_date_and_others_files() {
    let server = ScriptServer::start(live(50));
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a-2.flv"), "precious").unwrap();
    record(folder.path(), "a-%{n}.flv", &["--segment-time", "1"], &server).expect_code(0);
    assert_eq!(listing(folder.path()), ["a-1.flv", "a-2.flv", "a-3.flv"]);
    assert_eq!(fs::read(folder.path().join("a-2.flv")).unwrap(), b"precious");

    let folder = tempfile::tempdir().unwrap();
    // All within the same second, or nearly.
    record(folder.path(), "%Y/x-%Y%m%d.flv", &["--segment-time", "0.4"], &server).expect_code(0);
    let [year] = &listing(folder.path())[..] else { panic!("one folder") };
    assert!(year.len() == 4 && year.starts_with('2'), "{year}");
    let names = listing(&folder.path().join(year));
    assert_eq!(names.len(), 5, "{names:?}");
    assert!(names.iter().all(|name| name.starts_with(&format!("x-{year}")) && name.ends_with(".flv")), "{names:?}");
}

/// A program that notes its arguments in `log`, a line for each call.
fn noting(folder: &Path, log: &Path, more: &str) -> PathBuf {
    let script = folder.join("on segment");
    let text = format!("#!/bin/sh\necho \"$# $1\" >>'{}'\n{more}\n", log.display());
    let mut file = fs::File::create(&script).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let mut permissions = file.metadata().unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
    file.set_permissions(permissions).unwrap();
    script
}

#[test]
fn a_command_for_each_file_once_and_the_newest_are_kept() {
    let server = ScriptServer::start(live(100));
    let (tools, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let log = tools.path().join("log");
    // It looks at the file: it is there, and has its name already.
    let command = noting(tools.path(), &log, "echo said; test -s \"$1\" || echo lacking >&2");
    let args = ["--segment-time", "0.4", "--keep", "2", "--on-segment", command.to_str().unwrap()];
    let finished = record(folder.path(), "$(x) -%{n:2}.flv", &args, &server);
    finished.expect_code(0).expect_stderr("said");
    assert_eq!(finished.stdout, b"");
    assert!(!finished.stderr.contains("lacking"), "{}", finished.stderr);
    let names: Vec<String> = (1..=10).map(|n| format!("$(x) -{n:02}.flv")).collect();
    let calls: Vec<String> = names.iter().map(|name| format!("1 {}", folder.path().join(name).display())).collect();
    assert_eq!(fs::read_to_string(&log).unwrap().lines().collect::<Vec<_>>(), calls);
    assert_eq!(listing(folder.path()), names[8..]);
}

#[test]
fn a_command_that_fails_or_is_not_there_is_told_of() {
    for (command, words) in [("false", "exit status: 1"), ("/no/such/program", "No such file")] {
        let server = ScriptServer::start(live(20));
        let folder = tempfile::tempdir().unwrap();
        let args = ["--segment-time", "0.4", "--on-segment", command];
        record(folder.path(), "a.flv", &args, &server).expect_code(0).expect_stderr(words);
        assert_eq!(listing(folder.path()).len(), 2);
    }
}

/// Sends a stream and then nothing, until the client has gone; says when all is sent.
fn unending(frames: u32) -> (ScriptServer, mpsc::Receiver<()>) {
    let (sent, is_sent) = mpsc::channel();
    let server = ScriptServer::start(move |peer| {
        peer.begin()?;
        peer.media(&clip_with(frames, None))?;
        let _ = sent.send(());
        peer.wait_closed()
    });
    (server, is_sent)
}

/// Waits until the program has written this much of a file.
fn wait_bytes(path: &Path, bytes: u64) {
    common::wait_until("bytes in the file", || fs::metadata(path).is_ok_and(|metadata| metadata.len() >= bytes));
}

#[test]
fn interrupted_the_last_file_is_complete_too() {
    let (server, sent) = unending(55);
    let (tools, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let log = tools.path().join("log");
    let command = noting(tools.path(), &log, "");
    let url = server.url("stream");
    let output = folder.path().join("a-%{n}.flv");
    let args = [
        "-v",
        "-r",
        &url,
        "-o",
        output.to_str().unwrap(),
        "--segment-time",
        "1",
        "--no-index",
        "--on-segment",
        command.to_str().unwrap(),
    ];
    let running = Running::start(&mut rtmpcat_with(args));
    sent.recv_timeout(PATIENCE).unwrap();
    wait_bytes(&folder.path().join("a-2.flv"), 1);
    // All of it was received: the flushed file has it.
    wait_bytes(&folder.path().join("a-3.flv.part"), 8_500);
    running.signal("INT");
    running.finish(PATIENCE).expect_code(0);
    assert_eq!(listing(folder.path()), ["a-1.flv", "a-2.flv", "a-3.flv"]);
    expect_whole(&files(folder.path()), 55, Some(&[0, 1200, 2000]));
    assert_eq!(fs::read_to_string(&log).unwrap().lines().count(), 3);
}

#[test]
fn killed_it_leaves_a_part_that_plays_and_the_next_run_completes() {
    let (server, sent) = unending(55);
    let folder = tempfile::tempdir().unwrap();
    let url = server.url("stream");
    let output = folder.path().join("a-%{n}.flv");
    let args = ["-v", "-r", &url, "-o", output.to_str().unwrap(), "--segment-time", "1", "--no-index"];
    let running = Running::start(&mut rtmpcat_with(args));
    sent.recv_timeout(PATIENCE).unwrap();
    let last = folder.path().join("a-3.flv.part");
    wait_bytes(&last, 8_500);
    running.signal("KILL");
    running.finish(PATIENCE);
    assert_eq!(listing(folder.path()), ["a-1.flv", "a-2.flv", "a-3.flv.part"]);
    let part = Flv::read(&last);
    assert!(part.has_video && part.of(VIDEO).len() == 6, "{:?}", part.of(VIDEO).len());
    // The next run completes it.
    let again = ScriptServer::start(live(20));
    let finished = record(folder.path(), "a-%{n}.flv", &["--segment-time", "10"], &again);
    finished.expect_code(0).expect_stderr("a-3.flv of an earlier run is complete now");
    assert_eq!(listing(folder.path()), ["a-1.flv", "a-2.flv", "a-3.flv", "a-4.flv"]);
    let recovered = Flv::read(folder.path().join("a-3.flv"));
    assert_eq!((recovered.of(VIDEO).len(), recovered.of(AUDIO).len()), (part.of(VIDEO).len(), part.of(AUDIO).len()));
}

#[test]
fn kept_files_are_counted_over_all_runs() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a-1.flv", "a-2.flv", "mine.flv"] {
        fs::write(folder.path().join(name), "x").unwrap();
    }
    let server = ScriptServer::start(live(20));
    record(folder.path(), "a-%{n}.flv", &["--segment-time", "10", "--keep", "2"], &server).expect_code(0);
    assert_eq!(listing(folder.path()), ["a-2.flv", "a-3.flv", "mine.flv"]);
}

#[test]
fn a_full_disk_is_an_error_and_what_is_there_is_valid() {
    // Root may mount; others have no disk that can be full.
    let folder = tempfile::tempdir().unwrap();
    let mount =
        std::process::Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "none"]).arg(folder.path()).output();
    if !mount.is_ok_and(|mount| mount.status.success()) {
        println!("skipped: no file system can be mounted");
        return;
    }
    let server = ScriptServer::start(live(400));
    let finished = record(folder.path(), "a-%{n}.flv", &["--segment-time", "1", "--no-index"], &server);
    let saved: Vec<(String, Vec<u8>)> = listing(folder.path())
        .into_iter()
        .map(|name| (name.clone(), fs::read(folder.path().join(name)).unwrap()))
        .collect();
    let unmounted = std::process::Command::new("umount").arg(folder.path()).status();
    assert!(unmounted.is_ok_and(|status| status.success()));
    finished.expect_code(1).expect_stderr("No space left");
    let ((last, rest), complete) = saved.split_last().unwrap();
    assert!(!complete.is_empty());
    for (name, bytes) in complete {
        assert!(name.ends_with(".flv"), "{name}");
        Flv::parse(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    assert!(last.ends_with(".part"), "{last}");
    finished.expect_stderr("is incomplete but playable");
    assert!(rest.is_empty() || Flv::parse(rest).is_ok());
}

#[test]
fn a_slow_command_does_not_hold_up_the_recording() {
    let done = Arc::new(AtomicBool::new(false));
    let was_sent = done.clone();
    let server = ScriptServer::start(move |peer| {
        live(100)(peer)?;
        was_sent.store(true, Ordering::SeqCst);
        Ok(())
    });
    let (tools, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (log, gate) = (tools.path().join("log"), tools.path().join("gate"));
    // The first call waits until somebody reads what it has to say.
    assert!(std::process::Command::new("mkfifo").arg(&gate).status().unwrap().success());
    let command = noting(tools.path(), &log, &format!("case $1 in *a-1.flv) echo open >'{}';; esac", gate.display()));
    let url = server.url("stream");
    let output = folder.path().join("a-%{n}.flv");
    let args = [
        "-v",
        "-r",
        &url,
        "-o",
        output.to_str().unwrap(),
        "--segment-time",
        "1",
        "--on-segment",
        command.to_str().unwrap(),
    ];
    let mut running = Running::start(&mut rtmpcat_with(args));
    common::wait_until("the last file", || folder.path().join("a-4.flv").exists());
    assert!(running.is_running(), "it waits for the command");
    assert_eq!(fs::read_to_string(&log).unwrap().lines().count(), 1);
    assert_eq!(fs::read_to_string(&gate).unwrap(), "open\n");
    running.finish(PATIENCE).expect_code(0);
    assert_eq!(fs::read_to_string(&log).unwrap().lines().count(), 4);
    assert!(done.load(Ordering::SeqCst));
}

#[test]
fn wrong_usage_is_said_before_anything_is_connected_to() {
    for (args, words) in [
        (&["--segment-time", "1"][..], "-o"),
        (&["-o", "a.flv", "--keep", "2"], "--segment-time"),
        (&["-o", "a%{x}.flv", "--segment-size", "5"], "%{n}"),
        (&["-o", "a.flv", "--segment-size", "5", "--resume"], "--resume"),
        (&["-o", "a.flv", "--segment-time", "0"], "--segment-time"),
        (&["-o", "a.flv", "--segment-time", "1", "--keep", "0"], "--keep"),
    ] {
        let all = ["-r", "rtmp://127.0.0.1:1/a/b"].iter().chain(args);
        run(&mut rtmpcat_with(all), PATIENCE).expect_code(1).expect_stderr(words);
    }
}

#[test]
fn ffmpeg_plays_each_file() {
    if !have(&["ffmpeg"]) {
        return;
    }
    let source = common::media::Media::BFrames.path();
    let port = common::free_port();
    let listen = format!("127.0.0.1:{port}");
    let source = source.to_str().unwrap();
    let mut serve = Running::start(&mut rtmpcat_with(["serve", source, "--listen", &listen, "--fast"]));
    common::wait_listening(port, Some(&mut serve));
    let folder = tempfile::tempdir().unwrap();
    let url = format!("rtmp://{listen}/app/{}", Path::new(source).file_stem().unwrap().to_str().unwrap());
    let output = folder.path().join("a-%{n}.flv");
    let args = ["-r", &url, "-o", output.to_str().unwrap(), "--segment-time", "1"];
    run(&mut rtmpcat_with(args), PATIENCE).expect_code(0);
    let names = listing(folder.path());
    assert!(names.len() > 1, "{names:?}");
    for name in names {
        let mut ffmpeg = std::process::Command::new("ffmpeg");
        ffmpeg.args(["-v", "error", "-xerror", "-i"]).arg(folder.path().join(&name)).args(["-f", "null", "-"]);
        let played = run(&mut ffmpeg, PATIENCE);
        assert_eq!(played.expect_code(0).stderr, "", "{name}");
    }
}
