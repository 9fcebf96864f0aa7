//! What rtmpdump gets wrong, one test for each fault: ours is right, and the original, where it is installed, still has
//! the fault (otherwise the test would prove nothing). Resuming has tests of its own.

use super::*;
use crate::common::flvcmp::{AUDIO, Flv, SCRIPT, Tag, VIDEO, expect_equal, from_zero};
use crate::common::rtmp_bytes::{Amf, Msg, amf};
use crate::common::script_server::{Peer, ScriptServer, clip, clip_with};
use std::io::Result;

/// What a program made of a stream.
struct Saved {
    finished: Finished,
    flv: Option<Flv>,
}

impl Saved {
    fn code(&self) -> i32 {
        self.finished.code.unwrap_or(-1)
    }

    #[track_caller]
    fn tags(&self) -> Vec<Tag> {
        let flv = self.flv.as_ref();
        flv.unwrap_or_else(|| panic!("nothing was saved; {}", self.finished.stderr)).tags.clone()
    }

    fn media(&self) -> Vec<Tag> {
        self.tags().into_iter().filter(|tag| tag.kind != SCRIPT).collect()
    }
}

/// Saves a stream to a file, with ours and, if it is installed, with the original.
#[track_caller]
fn both(args: &[&str], script: fn(&mut Peer) -> Result<()>) -> (Saved, Option<Saved>) {
    let save = |mut command: Command| {
        let server = ScriptServer::start(script);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("out.flv");
        let finished = run(command.args(["-r", &server.url("stream"), "-o"]).arg(&file).args(args), PATIENCE);
        let bytes = std::fs::read(&file).unwrap_or_default();
        let flv = (!bytes.is_empty()).then(|| Flv::parse(&bytes).unwrap_or_else(|error| panic!("no FLV: {error}")));
        Saved { finished, flv }
    };
    (save(as_rtmpdump()), have(&["rtmpdump"]).then(|| save(Command::new("rtmpdump"))))
}

fn media_of(tags: &[Tag]) -> Vec<Tag> {
    tags.iter().filter(|tag| tag.kind != SCRIPT).cloned().collect()
}

/// The same, `by` milliseconds later; metadata stays at 0.
fn later(tags: &[Tag], by: u32) -> Vec<Tag> {
    let add = |tag: &Tag| Tag { time: if tag.kind == SCRIPT { 0 } else { tag.time.wrapping_add(by) }, ..tag.clone() };
    tags.iter().map(add).collect()
}

// --- Exit codes (3.1) -----------------------------------------------------------------------------------------------

#[test]
fn exit_codes_a_short_clip_that_arrived_whole_is_complete() {
    // Ten seconds whose last frame begins 40 ms before the end: "99.6%".
    let (ours, theirs) = both(&[], |peer| peer.plays(&clip(250)));
    expect_equal(&clip(250), &ours.tags());
    assert_eq!(ours.code(), 0, "{}", ours.finished.stderr);
    ours.finished.expect_stderr("\nDownload complete\n");
    if let Some(theirs) = theirs {
        theirs.finished.expect_code(2).expect_stderr("Download may be incomplete (downloaded about 99.60%)");
    }
}

#[test]
fn exit_codes_a_stop_that_the_server_keeps_is_complete() {
    let (ours, theirs) = both(&["--stop", "1"], |peer| {
        peer.begin()?;
        peer.user_control(4, 1)?;
        let tags: Vec<Tag> = clip(250).into_iter().filter(|tag| tag.time < 1000).collect();
        peer.media(&tags)?;
        peer.end_of_file()?;
        peer.wait_closed()
    });
    assert_eq!(ours.code(), 0, "{}", ours.finished.stderr);
    if let Some(theirs) = theirs {
        theirs.finished.expect_code(2);
    }
}

#[test]
fn exit_codes_a_connection_that_breaks_is_incomplete() {
    // No duration, no word of an end, the connection is closed.
    for args in [&[][..], &["--live"]] {
        let (ours, theirs) = both(args, |peer| {
            peer.begin()?;
            peer.media(&clip_with(50, None))
        });
        expect_equal(&clip_with(50, None), &ours.tags());
        ours.finished.expect_code(2).expect_stderr("server closed the connection");
        if let Some(theirs) = theirs {
            theirs.finished.expect_code(0).expect_stderr("Download complete");
        }
    }
}

#[test]
fn exit_codes_a_reason_is_given_without_verbose() {
    let (ours, theirs) = both(&["-m", "5"], |peer| {
        peer.handshake()?;
        let call = peer.wait_call("connect")?;
        let information = Amf::obj(&[
            ("level", "error".into()),
            ("code", "NetConnection.Connect.Rejected".into()),
            ("description", "the licence has run out".into()),
        ]);
        peer.answer("_error", &call, Amf::Null, information)?;
        peer.command(0, &["close".into(), 0.0.into(), Amf::Null])
    });
    ours.finished.expect_code(1).expect_stderr("the licence has run out");
    if let Some(theirs) = theirs {
        assert!(!theirs.finished.expect_code(1).stderr.contains("licence"), "{}", theirs.finished.stderr);
    }
}

// --- The file (5.2) -------------------------------------------------------------------------------------------------

#[test]
fn files_an_existing_one_outlives_a_server_that_is_down() {
    let refused = ScriptServer::start(|peer| {
        peer.handshake()?;
        peer.accept_connect()?;
        peer.accept_create_stream(1)?;
        peer.wait_call("play")?;
        peer.send(&Msg::status(1, "error", "NetStream.Play.StreamNotFound", ""))?;
        peer.wait_closed()
    });
    for (url, code) in [("rtmp://127.0.0.1:1/app/stream".to_string(), 3), (refused.url("stream"), 1)] {
        let left_by = |mut command: Command| {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("precious.flv");
            std::fs::write(&file, "precious").unwrap();
            run(command.args(["-r", &url, "-o"]).arg(&file), PATIENCE).expect_code(code);
            std::fs::read_to_string(file).unwrap()
        };
        assert_eq!(left_by(as_rtmpdump()), "precious");
        if have(&["rtmpdump"]) {
            assert_eq!(left_by(Command::new("rtmpdump")), "", "the original empties it");
        }
    }
}

#[test]
fn files_a_failed_connect_leaves_no_empty_one() {
    let leaves = |mut command: Command| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new.flv");
        run(command.args(["-r", "rtmp://127.0.0.1:1/app/stream", "-o"]).arg(&file), PATIENCE).expect_code(3);
        file.exists()
    };
    assert!(!leaves(as_rtmpdump()));
    if have(&["rtmpdump"]) {
        assert!(leaves(Command::new("rtmpdump")));
    }
}

// --- Start and stop (5.4) -------------------------------------------------------------------------------------------

#[test]
fn stop_is_kept_where_the_server_ignores_it() {
    let (ours, theirs) = both(&["--stop", "2"], |peer| peer.plays(&clip(250)));
    let expected: Vec<Tag> = clip(250).into_iter().filter(|tag| tag.time < 2000).collect();
    let got: Vec<Tag> = ours.tags().into_iter().filter(|tag| tag.time < 2000).collect();
    expect_equal(&media_of(&expected), &media_of(&got));
    assert!(ours.tags().iter().all(|tag| tag.time <= 2000));
    assert_eq!(ours.code(), 0, "{}", ours.finished.stderr);
    if let Some(theirs) = theirs {
        assert!(theirs.tags().iter().any(|tag| tag.time > 9000), "the original saves all of it");
    }
}

#[test]
fn stop_before_the_start_is_reached_already() {
    let (ours, original) = both(&["-A", "4", "-B", "2"], |peer| {
        peer.begin()?;
        let _ = peer.media(&clip(50));
        peer.wait_closed()
    });
    for saved in [Some(ours), original].into_iter().flatten() {
        assert_eq!(saved.code(), 0, "{}", saved.finished.stderr);
        saved.finished.expect_stderr("Already Completed\nDownload complete\n");
    }
}

#[test]
fn a_proxy_in_the_environment_that_the_original_would_not_see_is_no_obstacle() {
    let server = ScriptServer::start(|peer| peer.plays(&clip(5)));
    let args = ["-r", &server.url("stream"), "-o", "-"];
    let finished = run(as_rtmpdump().args(args).env("ALL_PROXY", "https://127.0.0.1:1"), PATIENCE);
    finished.expect_code(0).expect_stderr("WARNING: ALL_PROXY: ");
    run(rtmpcat().args(args).env("ALL_PROXY", "https://127.0.0.1:1"), PATIENCE)
        .expect_code(1)
        .expect_stderr("ALL_PROXY");
}

#[test]
fn a_resume_that_cannot_be_matched_names_skip() {
    let server = ScriptServer::start(|peer| peer.plays(&later(&clip(50), 60_000)));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.flv");
    std::fs::write(&file, common::flvcmp::write(true, true, &clip(49))).unwrap();
    let finished = run(as_rtmpdump().args(["-r", &server.url("stream"), "-e", "-k", "1", "-o"]).arg(&file), PATIENCE);
    finished.expect_code(1).expect_stderr("Couldn't resume FLV file, try --skip 2\n");
}

#[test]
fn stop_ends_a_live_recording() {
    // Ten seconds, then the publisher leaves; the original waits for that.
    let (ours, theirs) = both(&["--live", "--stop", "1"], |peer| {
        peer.begin()?;
        // The client may leave meanwhile.
        let _ = peer.media(&clip_with(250, None));
        let _ = peer.status("status", "NetStream.Play.UnpublishNotify");
        peer.wait_closed()
    });
    assert!(ours.tags().iter().all(|tag| tag.time <= 1000));
    assert!(ours.tags().len() > 45);
    assert_eq!(ours.code(), 0, "{}", ours.finished.stderr);
    if let Some(theirs) = theirs {
        assert!(theirs.tags().iter().any(|tag| tag.time > 9000));
    }
}

#[test]
fn start_is_not_added_to_times_that_have_it() {
    let (ours, theirs) = both(&["--start", "20"], |peer| peer.plays(&later(&clip_with(50, Some(22.0)), 20_000)));
    assert_eq!(ours.code(), 0, "{}", ours.finished.stderr);
    expect_equal(&media_of(&clip(50)), &from_zero(&ours.media()));
    assert!(ours.tags().iter().all(|tag| tag.time < 22_000));
    if let Some(theirs) = theirs {
        assert!(theirs.tags().iter().any(|tag| tag.time >= 40_000), "the original has twice the start");
    }
}

// --- Times and tags (5.5) -------------------------------------------------------------------------------------------

#[test]
fn times_of_a_live_stream_begin_at_zero() {
    let (ours, theirs) = both(&["--live"], |peer| {
        peer.begin()?;
        peer.media(&later(&clip_with(20, None), 3_600_000))?;
        peer.status("status", "NetStream.Play.UnpublishNotify")?;
        peer.wait_closed()
    });
    expect_equal(&clip_with(20, None), &ours.tags());
    if let Some(theirs) = theirs {
        assert!(theirs.media().iter().all(|tag| tag.time >= 3_600_000), "an hour of nothing in front");
    }
}

#[test]
fn times_go_on_where_the_32_bit_clock_wraps() {
    let (ours, theirs) = both(&["--live"], |peer| {
        peer.begin()?;
        peer.media(&later(&clip_with(50, None), 0xffff_fc00))?;
        peer.status("status", "NetStream.Play.UnpublishNotify")?;
        peer.wait_closed()
    });
    expect_equal(&clip_with(50, None), &ours.tags());
    if let Some(theirs) = theirs {
        let times: Vec<u32> = theirs.media().iter().map(|tag| tag.time).collect();
        assert!(times.windows(2).any(|pair| pair[1] < pair[0]), "the original jumps back by 49 days");
    }
}

#[test]
fn tags_a_late_track_is_in_the_header() {
    // Metadata that does not tell, audio a second after video.
    let (ours, theirs) = both(&[], |peer| peer.plays(&late_audio()));
    let flv = ours.flv.as_ref().expect("a file");
    flv.expect_true_flags();
    assert_eq!(flv.of(AUDIO).len(), 26);
    if let Some(theirs) = theirs {
        let flv = theirs.flv.as_ref().expect("a file");
        let flags = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            flv.expect_true_flags();
        }));
        assert!(flags.is_err(), "the original says that there is no audio");
    }
}

fn late_audio() -> Vec<Tag> {
    let mut tags = clip_with(50, Some(2.0));
    tags[0].payload = amf(&["onMetaData".into(), Amf::ecma(&[("duration", 2.0.into())])]);
    tags.retain(|tag| tag.kind != AUDIO || tag.time >= 1000 || tag.time == 0 && tag.payload[1] == 0);
    // Its header comes with it.
    let header = tags.iter().position(|tag| tag.kind == AUDIO).unwrap();
    let mut header = tags.remove(header);
    header.time = 1000;
    let at = tags.iter().position(|tag| tag.kind == AUDIO).unwrap();
    tags.insert(at, header);
    tags
}

#[test]
fn tags_data_messages_are_kept() {
    let (ours, theirs) = both(&[], |peer| peer.plays(&with_captions()));
    expect_equal(&with_captions(), &ours.tags());
    if let Some(theirs) = theirs {
        assert_eq!(
            theirs.tags().iter().filter(|tag| tag.kind == SCRIPT).count(),
            1,
            "the original keeps onMetaData only"
        );
    }
}

fn with_captions() -> Vec<Tag> {
    let mut tags = clip(20);
    tags.insert(14, Tag::new(SCRIPT, 200, amf(&["onTextData".into(), Amf::obj(&[("text", "Grüße".into())])])));
    tags.insert(16, Tag::new(SCRIPT, 240, amf(&["onCuePoint".into(), Amf::obj(&[("name", "ad".into())])])));
    tags
}

#[test]
fn tags_set_data_frame_is_understood() {
    let (ours, theirs) = both(&[], |peer| {
        peer.begin()?;
        let mut tags = clip(20);
        tags[0].payload = [amf(&["@setDataFrame".into()]), tags[0].payload.clone()].concat();
        peer.media(&tags)?;
        peer.end_of_file()?;
        peer.wait_closed()
    });
    expect_equal(&clip(20), &ours.tags());
    ours.finished.expect_stderr("INFO:   duration              0.80");
    if let Some(theirs) = theirs {
        assert!(!theirs.finished.stderr.contains("INFO:   duration"), "{}", theirs.finished.stderr);
        assert_eq!(theirs.tags().iter().filter(|tag| tag.kind == SCRIPT).count(), 0, "the original loses the metadata");
    }
}

#[test]
fn tags_the_end_of_sequence_is_kept() {
    let (ours, theirs) = both(&[], |peer| peer.plays(&[clip(20), vec![end_of_sequence()]].concat()));
    expect_equal(&[clip(20), vec![end_of_sequence()]].concat(), &ours.tags());
    if let Some(theirs) = theirs {
        assert!(!theirs.tags().contains(&end_of_sequence()), "the original drops packets of five bytes");
    }
}

fn end_of_sequence() -> Tag {
    Tag::new(VIDEO, 800, [0x17, 2, 0, 0, 0])
}

#[test]
fn tags_media_sent_before_play_start_is_kept() {
    let (ours, theirs) = both(&["--live", "-m", "5"], |peer| {
        peer.handshake()?;
        peer.accept_connect()?;
        peer.accept_create_stream(1)?;
        peer.wait_call_on("play", Some(1))?;
        // Sequence headers and the first frames, and only then the words.
        let tags = clip_with(20, None);
        peer.media(&tags[..7])?;
        peer.status("status", "NetStream.Play.Start")?;
        peer.media(&tags[7..])?;
        peer.status("status", "NetStream.Play.UnpublishNotify")?;
        peer.wait_closed()
    });
    expect_equal(&clip_with(20, None), &ours.tags());
    if let Some(theirs) = theirs {
        assert!(!theirs.media().contains(&clip_with(20, None)[1]), "the original drops the sequence header");
    }
}

#[test]
fn tags_a_long_playpath_is_asked_for() {
    let name = "x".repeat(1100);
    let asked = |mut command: Command| {
        let server = ScriptServer::start(|peer| {
            peer.handshake()?;
            peer.accept_connect()?;
            peer.accept_create_stream(1)?;
            peer.accept_play()?;
            peer.media(&clip(10))?;
            peer.end_of_file()?;
            peer.wait_closed()
        });
        let url = server.url("stream");
        let finished = run(command.args(["-r", &url, "-y", &name, "-m", "2", "-o", "/dev/null"]), PATIENCE);
        let heard = server.all_heard();
        let play = heard.calls().into_iter().find(|call| call.name == "play");
        (finished.code, play.and_then(|play| play.args.get(1).and_then(Amf::text).map(str::len)))
    };
    assert_eq!(asked(as_rtmpdump()), (Some(0), Some(1100)));
    if have(&["rtmpdump"]) {
        assert_eq!(asked(Command::new("rtmpdump")), (Some(1), None), "the original does not send play");
    }
}

// --- Options (1) ----------------------------------------------------------------------------------------------------

#[test]
fn options_a_bad_hash_is_no_crash() {
    let args = ["-r", "rtmp://127.0.0.1:1/a/s", "-w", "zz", "-x", "5", "-o", "/dev/null"];
    let ours = ours(&args);
    assert!(matches!(ours.code, Some(1 | 3)), "{:?}: {}", ours.status, ours.stderr);
    if let Some(theirs) = original(&args) {
        assert_eq!(theirs.code, None, "the original crashes: {:?}", theirs.status);
    }
}

#[test]
fn options_standard_output_that_goes_away_ends_it() {
    // `rtmpdump … | head -c 100`: code 1, and not for ever.
    let server = ScriptServer::start(|peer| {
        peer.begin()?;
        for _ in 0..1000 {
            if peer.media(&clip_with(50, None)[3..]).is_err() {
                break;
            }
        }
        Ok(())
    });
    for (program, name) in [(as_rtmpdump(), "ours"), (Command::new("rtmpdump"), "theirs")] {
        if name == "theirs" && !have(&["rtmpdump"]) {
            continue;
        }
        let line =
            format!("\"$0\" -v -q -m 5 -r {} | head -c 100 >/dev/null; exit ${{PIPESTATUS[0]}}", server.url("stream"));
        let finished = run(Command::new("bash").args(["-c", &line]).arg(program.get_program()), PATIENCE);
        assert_eq!(finished.code, Some(1), "{name}: {}", finished.stderr);
    }
}
