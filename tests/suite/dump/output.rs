//! Times, and the file.

use std::process::Command;

use super::*;
use crate::as_rtmpdump::as_rtmpdump;

#[test]
fn live_times_begin_at_zero() {
    for base in [1, 3761, 20_000_000, 0x8000_0000] {
        let dump = dump(&["-v"], move |peer| {
            peer.begin()?;
            peer.media(&later(&clip(20), base))?;
            peer.status("status", "NetStream.Play.UnpublishNotify")?;
            peer.wait_closed()
        });
        dump.expect(0, &clip(20));
    }
}

#[test]
fn absolute_timestamps_are_the_servers() {
    let dump = dump(&["-v", "--absolute-timestamps"], |peer| {
        peer.begin()?;
        peer.media(&later(&clip(20), 20_000_000))?;
        peer.status("status", "NetStream.Play.UnpublishNotify")?;
        peer.wait_closed()
    });
    dump.expect(0, &later(&clip(20), 20_000_000));
}

#[test]
fn stop_is_enforced_by_us() {
    for (args, last) in [(&["-v", "--stop", "1"][..], 1000), (&["--stop", "0.5"], 500)] {
        let dump = dump(args, |peer| {
            peer.begin()?;
            // The server goes on until the client has had enough.
            for round in 0..1000 {
                let more = later(&clip_with(50, None)[3..], round * 2000);
                if peer.media(&more).is_err() {
                    break;
                }
            }
            Ok(())
        });
        dump.expect_code(0);
        let flv = dump.flv.as_ref().expect("media");
        let expected: Vec<Tag> = clip_with(50, None)[3..].iter().filter(|tag| tag.time < last).cloned().collect();
        let got: Vec<Tag> = flv.tags.iter().filter(|tag| tag.time < last).cloned().collect();
        expect_equal(&expected, &got);
        assert!(flv.tags.iter().all(|tag| tag.time <= last), "nothing after {last} ms: {:?}", flv.tags.last());
    }
}

#[test]
fn a_stop_before_the_start_is_wrong_usage() {
    for stop in ["4", "1.5"] {
        let args = ["-r", "rtmp://127.0.0.1:1/app/stream", "-A", "4", "-B", stop, "-o", "-"];
        run(&mut rtmpcat_with(args), PATIENCE).expect_code(1).expect_stderr("--stop");
    }
}

#[test]
fn headers_at_0_after_a_short_seek_are_no_beginning() {
    for headers_at in [0, 400] {
        let dump = dump(&["-A", "0.4"], move |peer| {
            peer.begin()?;
            let tags = clip_with(50, Some(2.4));
            peer.media(&tags[..1])?;
            peer.media(&later(&tags[1..3], headers_at))?;
            peer.media(&later(&tags[3..], 400))?;
            peer.end_of_file()?;
            peer.wait_closed()
        });
        dump.expect(0, &clip_with(50, Some(2.4)));
    }
}

#[test]
fn start_is_asked_for_and_not_added_twice() {
    // A server that restarts at 0, and one that sends the file's own times.
    for base in [0, 20_000] {
        let dump = dump(&["-A", "20"], move |peer| {
            peer.handshake()?;
            peer.accept_connect()?;
            peer.accept_create_stream(1)?;
            let play = peer.accept_play()?;
            // A server that restarts at 0 is asked for the beginning as well, to see whether it is the same.
            assert_eq!(play.args[2].num(), Some(if peer.number == 0 { 20_000.0 } else { 0.0 }));
            if peer.number > 0 {
                // The client closes as soon as it has seen enough.
                let _ = peer.media(&clip_with(10, Some(22.0)));
                return Ok(());
            }
            peer.media(&later(&clip_with(50, Some(22.0)), base))?;
            peer.end_of_file()?;
            peer.wait_closed()
        });
        dump.expect_code(0);
        let flv = dump.flv.as_ref().expect("media");
        let media: Vec<Tag> = clip(50).into_iter().filter(|tag| tag.kind != SCRIPT).collect();
        expect_equal(&media, &common::flvcmp::from_zero(&flv.media()));
        assert_eq!(dump.server.trouble(), Vec::<String>::new());
    }
}

#[test]
fn an_existing_file_survives_a_failed_connect() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("precious.flv");
    std::fs::write(&file, "not to be lost").unwrap();
    let server = ScriptServer::start(|peer| {
        peer.handshake()?;
        peer.accept_connect()?;
        peer.accept_create_stream(1)?;
        peer.wait_call("play")?;
        peer.send(&Msg::status(1, "error", "NetStream.Play.StreamNotFound", ""))?;
        peer.wait_closed()
    });
    let url = server.url("stream");
    let out = file.to_str().unwrap();
    run(&mut rtmpcat_with(["-r", &url, "-o", out]), PATIENCE).expect_code(1);
    assert_eq!(std::fs::read(&file).unwrap(), b"not to be lost");
    drop(server);
    run(&mut rtmpcat_with(["-r", &url, "-o", out]), PATIENCE).expect_code(3);
    assert_eq!(std::fs::read(&file).unwrap(), b"not to be lost");
}

#[test]
fn no_empty_file_is_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("new.flv");
    let server = ScriptServer::start(|peer| {
        peer.begin()?;
        peer.play_stop()?;
        peer.wait_closed()
    });
    let finished = run(&mut rtmpcat_with(["-r", &server.url("stream"), "-o", file.to_str().unwrap()]), PATIENCE);
    finished.expect_code(1);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the folder is empty");
}

#[test]
fn a_late_track_is_in_the_header_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("late.flv");
    let server = ScriptServer::start(|peer| {
        peer.begin()?;
        let (audio, video): (Vec<Tag>, Vec<Tag>) = clip_with(100, None).into_iter().partition(|tag| tag.kind == AUDIO);
        peer.media(&video)?;
        peer.media(&later(&audio, 4000))?;
        peer.end_of_file()?;
        peer.wait_closed()
    });
    run(&mut rtmpcat_with(["-r", &server.url("stream"), "-o", file.to_str().unwrap()]), PATIENCE).expect_code(0);
    let flv = Flv::read(&file);
    flv.expect_true_flags();
    assert_eq!(flv.of(AUDIO).len(), 101);
    assert_eq!(flv.of(VIDEO).len(), 101);
}

#[test]
fn a_frame_is_on_the_pipe_when_it_has_come() {
    let tags = clip_with(20, None);
    let so_far = common::flvcmp::write(true, true, &tags[..9]).len();
    let server = ScriptServer::start(move |peer| {
        peer.begin()?;
        peer.media(&clip_with(20, None)[..9])?;
        // Nothing more comes until the test, which has seen what came, ends the client.
        peer.wait_closed()
    });
    let running = common::Running::start(&mut rtmpcat_with(["-v", "-r", &server.url("stream"), "-o", "-"]));
    running.wait_stdout_bytes(so_far);
    let flv = Flv::parse(&running.stdout_so_far()).expect("whole tags");
    expect_equal(&tags[..9], &flv.tags);
}

#[test]
fn a_signal_leaves_a_valid_file() {
    let live = |signal: &str, options: &[&str]| stopped_by(signal, rtmpcat_with(options), None);
    for signal in ["INT", "TERM", "HUP"] {
        // A live recording is over when it is told to stop.
        live(signal, &["-v"]).expect_code(0);
    }
    for signal in ["INT", "TERM"] {
        // Nothing says that it is recorded.
        live(signal, &[]).expect_code(0);
        stopped_by(signal, common::rtmpcat(), Some(10.0)).expect_code(2);
        stopped_by(signal, as_rtmpdump(), None).expect_code(2);
    }
    let mut as_rtmpdump_live = as_rtmpdump();
    as_rtmpdump_live.arg("-v");
    stopped_by("INT", as_rtmpdump_live, None).expect_code(2);
}

/// Records some media of a stream, whose duration is in its metadata, and sends `signal`. The file must have all of it.
fn stopped_by(signal: &str, mut program: Command, duration: Option<f64>) -> common::Finished {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out.flv");
    let server = ScriptServer::start(move |peer| {
        peer.begin()?;
        peer.media(&clip_with(20, duration))?;
        // Answered when all that came before has been read.
        peer.user_control(6, 1)?;
        peer.wait_user_control(7)?;
        peer.command(0, &["probe".into(), 4711.0.into(), Amf::Null])?;
        peer.wait_call("_error")?;
        peer.wait_closed()
    });
    let running = common::Running::start(program.args(["-r", &server.url("stream"), "-o"]).arg(&file));
    common::wait_until("the answer to the server's call", || {
        server.connections() == 1 && server.heard(0).names().contains(&"_error".to_string())
    });
    running.signal(signal);
    let finished = running.finish(PATIENCE);
    let flv = Flv::read(&file);
    flv.expect_true_flags();
    expect_equal(&clip_with(20, duration)[1..], &flv.media());
    finished
}

#[test]
fn every_wait_can_be_interrupted() {
    type Script = fn(&mut Peer) -> Result<()>;
    let scripts: [(&str, Script); 4] = [
        ("handshake", Peer::wait_closed),
        ("connect", |peer| peer.handshake().and_then(|()| peer.wait_closed())),
        ("play", |peer| {
            peer.handshake()?;
            peer.accept_connect()?;
            peer.wait_closed()
        }),
        ("media", |peer| peer.begin().and_then(|()| peer.wait_closed())),
    ];
    for (name, script) in scripts {
        let server = ScriptServer::start(script);
        let running = common::Running::start(&mut rtmpcat_with(["-v", "-r", &server.url("stream"), "-o", "-"]));
        common::wait_until("a connection", || server.connections() == 1);
        running.signal("INT");
        let finished = running.finish(Duration::from_secs(5));
        assert!(finished.code == Some(1) && finished.stdout.is_empty(), "{name}: {finished:?}");
    }
}

#[test]
fn nothing_listens() {
    let url = format!("rtmp://127.0.0.1:{}/app/stream", common::free_port());
    let finished = run(&mut rtmpcat_with(["-r", &url, "-o", "-"]), PATIENCE);
    finished.expect_code(3);
    assert!(finished.stdout.is_empty());
}

#[test]
fn quiet_prints_errors_and_twice_quiet_nothing() {
    let url = format!("rtmp://127.0.0.1:{}/app/stream", common::free_port());
    let finished = run(&mut rtmpcat_with(["-q", "-r", &url, "-o", "-"]), PATIENCE);
    let said = finished.expect_code(3).stderr.clone();
    assert!(said.contains("Z ERROR: ") && said.lines().count() == 1, "{said}");
    let finished = run(&mut rtmpcat_with(["-qq", "-r", &url, "-o", "-"]), PATIENCE);
    assert_eq!(finished.expect_code(3).stderr, "");
}

#[test]
fn off_a_terminal_there_is_no_status_line_unless_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let said = |args: &[&str]| {
        let server = ScriptServer::start(|peer| {
            peer.begin()?;
            peer.media(&clip_with(20, None))?;
            peer.wait_closed()
        });
        let (url, file) = (server.url("stream"), folder.path().join("out.flv"));
        let all = ["-v", "-B", "0.5", "-o", file.to_str().unwrap(), &url];
        run(&mut rtmpcat_with(all.iter().chain(args)), PATIENCE).expect_code(0).stderr.clone()
    };
    let quiet = said(&[]);
    assert!(!quiet.contains(" kB /") && !quiet.contains("Metadata"), "{quiet}");
    // Lines that somebody reads later have a time.
    assert!(quiet.lines().all(|line| line.get(10..11) == Some("T") && line.get(19..20) == Some("Z")), "{quiet}");
    assert!(said(&["--progress"]).contains(" kB /"));
    assert!(said(&["-V"]).contains("Metadata"));
}

#[test]
fn a_live_stream_is_not_resumed_and_the_file_stays() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out.flv");
    std::fs::write(&file, "precious").unwrap();
    let args = ["-v", "-e", "-o", file.to_str().unwrap(), "rtmp://127.0.0.1:1/a/s"];
    run(&mut rtmpcat_with(args), PATIENCE).expect_code(1).expect_stderr("--resume cannot be used with a live stream");
    assert_eq!(std::fs::read(&file).unwrap(), b"precious");
}

#[test]
fn a_second_recording_into_one_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out.flv");
    let server = ScriptServer::start(|peer| {
        peer.begin()?;
        peer.media(&clip_with(20, None))?;
        peer.wait_closed()
    });
    let url = server.url("stream");
    let args = ["-v", "-o", file.to_str().unwrap(), &url];
    let first = common::Running::start(&mut rtmpcat_with(args));
    common::wait_until("the file", || std::fs::metadata(&file).is_ok_and(|it| it.len() > 0));
    let second = run(&mut rtmpcat_with(args), PATIENCE);
    second.expect_code(1).expect_stderr("another rtmpcat is writing to this file");
    first.signal("INT");
    first.finish(PATIENCE).expect_code(0);
    expect_equal(&clip_with(20, None)[1..], &Flv::read(&file).media());
}

#[test]
fn metadata_of_a_live_stream_says_what_came() {
    // No metadata at all is fine as well.
    let dump = dump(&["-v"], |peer| {
        peer.begin()?;
        peer.media(&clip(10)[1..])?;
        peer.status("status", "NetStream.Play.UnpublishNotify")?;
        peer.wait_closed()
    });
    let flv = dump.flv.as_ref().expect("media");
    expect_equal(&clip(10)[1..], &flv.media());
    dump.expect_code(0);
    assert_eq!(metadata(None).script_name().as_deref(), Some("onMetaData"));
}

#[test]
fn what_has_come_is_in_the_file_soon_and_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out.flv");
    let server = ScriptServer::start(|peer| {
        peer.begin()?;
        peer.media(&clip_with(20, None))?;
        peer.wait_closed()
    });
    let running =
        common::Running::start(&mut rtmpcat_with(["-v", "-r", &server.url("stream"), "-o", file.to_str().unwrap()]));
    let all = clip_with(20, None).len() - 1;
    common::wait_until("all that was sent", || Flv::media_so_far(&file).len() >= all);
    running.signal("KILL");
    assert_eq!(running.finish(PATIENCE).code, None);
    expect_equal(&clip_with(20, None)[1..], &Flv::read(&file).media());
}

/// A live stream that never ends by itself.
fn endless() -> ScriptServer {
    ScriptServer::start(|peer| {
        peer.begin()?;
        for round in 0.. {
            let more = later(&clip_with(50, None)[usize::from(round > 0) * 3..], round * 2000);
            if peer.media(&more).is_err() {
                break;
            }
        }
        Ok(())
    })
}

#[test]
fn a_full_disk_is_a_failure() {
    let server = endless();
    let finished = run(&mut rtmpcat_with(["-v", "-r", &server.url("stream"), "-o", "/dev/full"]), PATIENCE);
    finished.expect_code(1).expect_stderr("No space left");
}

#[test]
fn a_folder_that_is_not_there_is_a_failure() {
    let server = endless();
    let finished = run(&mut rtmpcat_with(["-v", "-r", &server.url("stream"), "-o", "/nowhere/at/all.flv"]), PATIENCE);
    finished.expect_code(1).expect_stderr("/nowhere/at/all.flv");
}

#[test]
fn a_reader_that_goes_away_is_a_failure_and_no_crash() {
    let server = endless();
    let line = format!(
        "{:?} -v -r {} -o - | head -c 5000 | wc -c; echo ${{PIPESTATUS[0]}}",
        rtmpcat().get_program(),
        server.url("stream")
    );
    let finished = run(std::process::Command::new("bash").args(["-c", &line]), PATIENCE);
    assert_eq!(finished.out().split_whitespace().collect::<Vec<_>>(), ["5000", "1"], "{}", finished.stderr);
    assert!(!finished.stderr.contains("panicked"), "{}", finished.stderr);
}

#[test]
fn a_named_pipe_is_written_like_standard_output() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let server = ScriptServer::start(|peer| peer.plays(&clip(20)));
    let reader = common::Running::start(std::process::Command::new("cat").arg(&pipe));
    run(&mut rtmpcat_with(["-r", &server.url("stream"), "-o", pipe.to_str().unwrap()]), PATIENCE).expect_code(0);
    expect_equal(&clip(20), &Flv::parse(&reader.finish(PATIENCE).stdout).unwrap().tags);
}

#[test]
fn a_signal_ends_a_wait_for_a_reader() {
    // Of a named pipe that is never opened, and of one that is never read.
    for opened in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let server = endless();
        let client = common::Running::start(&mut rtmpcat_with([
            "-v",
            "-r",
            &server.url("stream"),
            "-o",
            pipe.to_str().unwrap(),
        ]));
        let reader = opened.then(|| std::fs::File::open(&pipe).unwrap());
        client.wait_stderr("Starting Live Stream");
        // Long enough to fill the pipe.
        std::thread::sleep(Duration::from_millis(500));
        client.signal("INT");
        let finished = client.finish(PATIENCE);
        // Without a reader there is nothing. With one it depends on whether the pipe was full: if so, media is missing.
        let expected: &[i32] = if opened { &[0, 2] } else { &[1] };
        assert!(finished.code.is_some_and(|code| expected.contains(&code)), "{finished:?}");
        drop(reader);
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    // The reader of the pipe does not read: the last bytes cannot be written.
    let server = endless();
    let line = format!("exec {:?} -v -r {} -o - | sleep 25", rtmpcat().get_program(), server.url("stream"));
    let shell = common::Running::start(std::process::Command::new("bash").args(["-c", &line]));
    let client = || child_of(shell.id(), "rtmpcat");
    common::wait_until("the client", || client().is_some());
    common::wait_until("a connection", || {
        server.connections() == 1 && server.heard(0).names().contains(&"play".into())
    });
    let id = client().unwrap().to_string();
    let signal = || std::process::Command::new("kill").args(["-s", "INT", &id]).status().unwrap();
    signal();
    std::thread::sleep(Duration::from_millis(200));
    signal();
    common::wait_until("its end", || client().is_none());
}

/// The process of that name which `parent` started.
fn child_of(parent: u32, name: &str) -> Option<u32> {
    let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).ok()?;
    children.split_whitespace().filter_map(|id| id.parse().ok()).find(|id: &u32| {
        std::fs::read_to_string(format!("/proc/{id}/status"))
            .is_ok_and(|status| status.contains(&format!("Name:\t{name}\n")) && !status.contains("State:\tZ"))
    })
}

/// As Python's `subprocess.DEVNULL` opens it. Whoever discards the media still gets the exit code of the stream.
#[test]
#[cfg(unix)]
fn a_null_device_open_for_reading_and_writing_takes_the_media() {
    let server = ScriptServer::start(|peer| {
        peer.begin()?;
        peer.media(&clip(20))?;
        peer.end_of_file()?;
        peer.wait_closed()
    });
    let mut command = std::process::Command::new("sh");
    let program = rtmpcat();
    command.args(["-c", "exec \"$0\" -r \"$1\" -o - 1<>/dev/null", program.get_program().to_str().unwrap()]);
    command.arg(server.url("stream"));
    run(&mut command, PATIENCE).expect_code(0).expect_stderr("Download complete");
}

/// Whatever is refused, and an output that cannot be created, must leave the other files as they are.
#[test]
fn what_is_refused_empties_no_file() {
    let scratch = common::scratch::Scratch::new();
    for option in ["--trace", "--events"] {
        let old = scratch.write("old", b"as it was");
        let (old, url) = (old.to_str().unwrap(), "rtmp://127.0.0.1:1/app/stream");
        let missing = scratch.path("none/new.flv");
        for args in [
            &["-o", old, option, old][..],
            &["-o", missing.to_str().unwrap(), option, old],
            &["-o", "-", "-e", "-v", option, old],
            &["-o", "new.flv", "--skip", "1", option, old],
        ] {
            run(rtmpcat_with(args).arg(url).current_dir(scratch.folder()), PATIENCE).expect_code(1);
            assert_eq!(std::fs::read(old).unwrap(), b"as it was", "{args:?}");
        }
    }
}
