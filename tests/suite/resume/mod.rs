//! Resuming a file (`--resume`): wherever the file was cut, and whatever a server makes of a start, the file becomes
//! the whole that an unbroken run saves, byte for byte. What cannot be resumed stays unchanged.

mod of_rtmpdump;
mod on_demand_retry;
mod unchanged;

use crate::common::flvcmp::{AUDIO, Flv, SCRIPT, Tag, VIDEO, expect_equal, is_sequence_header};
use crate::common::media::{Media, folder};
use crate::common::nginx::Nginx;
use crate::common::rtmp_bytes::{Amf, Msg, aggregate, amf};
use crate::common::scratch::Scratch;
use crate::common::script_server::{Peer, ScriptServer, clip, metadata};
use crate::common::{self, Dice, Finished, PATIENCE, Running, have, rtmpcat_with, run, wait_until};
use std::io::Result;
use std::path::Path;

/// Audio and video: the metadata may be our own, with an index.
fn media(tags: &[Tag]) -> Vec<Tag> {
    tags.iter().filter(|tag| tag.kind != SCRIPT).cloned().collect()
}

fn is_keyframe(tag: &Tag) -> bool {
    tag.kind == VIDEO && tag.payload[0] >> 4 & 7 == 1 && !is_sequence_header(tag)
}

/// What a server makes of a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// From the keyframe before, with the file's own times.
    Absolute,
    /// From the next keyframe, with the file's own times.
    Late,
    /// The same, but only to every fourth keyframe.
    Sparse,
    /// From the keyframe before, which gets time 0.
    Relative,
    /// From the beginning, every time shifted by the start.
    Shifted,
    /// From the beginning, with the file's own times.
    Deaf,
}

const KINDS: [Kind; 6] = [Kind::Absolute, Kind::Late, Kind::Sparse, Kind::Relative, Kind::Shifted, Kind::Deaf];

impl Kind {
    /// What is sent of a stream.
    fn stream(self, whole: &[Tag], start: u32) -> Vec<Tag> {
        let keys = || (0..whole.len()).filter(|at| is_keyframe(&whole[*at]));
        let from = match self {
            Kind::Absolute | Kind::Relative => keys().rfind(|at| whole[*at].time <= start),
            Kind::Late => keys().find(|at| whole[*at].time >= start).or(keys().next_back()),
            Kind::Sparse => keys().step_by(4).find(|at| whole[*at].time >= start).or(keys().next_back()),
            Kind::Shifted | Kind::Deaf => None,
        };
        let from = from.filter(|at| Some(*at) != keys().next()).unwrap_or(0);
        let base = whole[from].time;
        let time = |time: u32| match self {
            Kind::Relative => time - base,
            Kind::Shifted => time + start,
            _ => time,
        };
        let headers = whole.iter().take(3).take_while(|_| from > 0);
        let headers = headers.map(|tag| Tag { time: if tag.kind == SCRIPT { 0 } else { time(base) }, ..tag.clone() });
        let body = whole.iter().skip(from).map(|tag| Tag { time: time(tag.time), ..tag.clone() });
        headers.chain(body).collect()
    }
}

/// A server of one recorded stream.
fn server(kind: Kind, whole: Vec<Tag>) -> ScriptServer {
    ScriptServer::start(move |peer| {
        let start = begin(peer)?;
        peer.media(&kind.stream(&whole, start))?;
        peer.end_of_file()?;
        peer.wait_closed()
    })
}

/// Everything up to play; the start that was asked for.
fn begin(peer: &mut Peer) -> Result<u32> {
    peer.handshake()?;
    peer.accept_connect()?;
    peer.accept_create_stream(1)?;
    let play = peer.accept_play()?;
    Ok(play.args[2].num().unwrap_or_default().max(0.0) as u32)
}

/// The starts that were asked for, connection by connection.
fn starts(server: &ScriptServer) -> Vec<f64> {
    (0..server.connections()).map(|number| server.heard(number).call("play").args[2].num().unwrap()).collect()
}

/// Saves a stream, or resumes it.
#[track_caller]
fn save(url: &str, file: &Path, args: &[&str]) -> Finished {
    run(rtmpcat_with(["-r", url, "-o"]).arg(file).args(args), PATIENCE)
}

/// What an unbroken run saves.
#[track_caller]
fn unbroken(url: &str) -> Vec<u8> {
    let scratch = Scratch::new();
    let path = scratch.path("whole.flv");
    save(url, &path, &[]).expect_code(0);
    std::fs::read(path).unwrap()
}

/// The places where a file is cut: around each keyframe, within tags and headers, at both ends. In words, and in bytes.
fn cuts(bytes: &[u8]) -> Vec<(String, usize)> {
    let tags = Flv::parse(bytes).unwrap().tags;
    let mut ends = vec![13];
    for tag in &tags {
        ends.push(ends[ends.len() - 1] + tag.payload.len() + 15);
    }
    let mut cuts = vec![("no byte".to_string(), 0), ("within the file header".into(), 7), ("a file header".into(), 13)];
    for (key, (at, _)) in tags.iter().enumerate().filter(|(_, tag)| is_keyframe(tag)).enumerate() {
        let (start, end) = (ends[at], ends[at + 1]);
        cuts.push((format!("a tag before keyframe {key}"), ends[at - 1]));
        cuts.push((format!("before keyframe {key}"), start));
        cuts.push((format!("within the header of keyframe {key}"), start + 5));
        cuts.push((format!("within keyframe {key}"), start + 11 + tags[at].payload.len() / 2));
        cuts.push((format!("within the PreviousTagSize of keyframe {key}"), end - 2));
        cuts.push((format!("after keyframe {key}"), end));
        cuts.push((format!("a tag after keyframe {key}"), ends[at + 2]));
    }
    cuts.push(("before the last tag".into(), ends[tags.len() - 1]));
    cuts.push(("within the last tag".into(), bytes.len() - 6));
    cuts.push(("nowhere".into(), bytes.len()));
    cuts
}

/// Cuts what an unbroken run saves at every place, and has it mended.
#[track_caller]
fn matrix(url: &str, what: &str) {
    let whole = unbroken(url);
    let scratch = Scratch::new();
    for (cut, length) in cuts(&whole) {
        let file = scratch.write("saved.flv", &whole[..length]);
        let finished = save(url, &file, &["-e"]);
        let got = std::fs::read(&file).unwrap();
        if got != whole {
            let difference =
                Flv::parse(&got).map(|got| common::flvcmp::diff(&Flv::parse(&whole).unwrap().tags, &got.tags));
            panic!("{what}, cut {cut}: {difference:?}\n{}", finished.stderr);
        }
        assert_eq!(finished.code, Some(0), "{what}, cut {cut}: {}", finished.stderr);
    }
}

#[test]
fn matrix_of_servers_with_absolute_times() {
    let server = server(Kind::Absolute, clip(50));
    matrix(&server.url("stream"), "absolute");
}

#[test]
fn matrix_of_servers_that_begin_late() {
    let server = server(Kind::Late, clip(50));
    matrix(&server.url("stream"), "late");
}

#[test]
fn matrix_of_servers_with_times_from_zero() {
    let server = server(Kind::Relative, clip(50));
    matrix(&server.url("stream"), "relative");
}

#[test]
fn matrix_of_servers_with_shifted_times() {
    let server = server(Kind::Shifted, clip(50));
    matrix(&server.url("stream"), "shifted");
}

#[test]
fn matrix_of_servers_that_do_not_seek() {
    let server = server(Kind::Deaf, clip(50));
    matrix(&server.url("stream"), "from the beginning");
}

#[test]
fn matrix_of_nginx_without_an_index() {
    if !have(&["nginx-rtmp", "ffmpeg"]) {
        return;
    }
    Media::BFrames.path();
    let nginx = Nginx::vod(&folder(), 4096);
    matrix(&nginx.url("vod", Media::BFrames.name()), "nginx without an index");
}

#[test]
fn matrix_of_nginx_with_an_index() {
    if !have(&["nginx-rtmp", "ffmpeg"]) {
        return;
    }
    Media::Indexed.path();
    let nginx = Nginx::vod(&folder(), 4096);
    matrix(&nginx.url("vod", Media::Indexed.name()), "nginx with an index");
}

#[test]
fn nginx_with_other_media() {
    if !have(&["nginx-rtmp", "ffmpeg"]) {
        return;
    }
    let nginx = Nginx::vod(&folder(), 4096);
    let scratch = Scratch::new();
    for media in [Media::AudioOnly, Media::VideoOnly, Media::Sorenson, Media::Fat, Media::Long, Media::Mp4] {
        media.path();
        let stream = if media == Media::Mp4 { format!("mp4:{}", media.name()) } else { media.name().to_string() };
        let args: &[&str] = &["-y", &stream];
        let url = nginx.url("vod", media.name());
        let whole = {
            let path = scratch.path("whole.flv");
            save(&url, &path, args).expect_code(0);
            std::fs::read(path).unwrap()
        };
        for length in [whole.len() / 10, whole.len() / 2, whole.len() * 3 / 4, whole.len() - 1, whole.len()] {
            let file = scratch.write("saved.flv", &whole[..length]);
            let finished = save(&url, &file, &[args, &["-e"]].concat());
            let got = std::fs::read(&file).unwrap();
            if got != whole {
                let got = Flv::parse(&got).map(|got| got.tags);
                let difference = got.map(|got| common::flvcmp::diff(&Flv::parse(&whole).unwrap().tags, &got));
                panic!("{media:?} cut at {length} of {}: {difference:?}\n{}", whole.len(), finished.stderr);
            }
            assert_eq!(finished.code, Some(0), "{media:?} {length}: {}", finished.stderr);
        }
    }
}

#[test]
fn an_index_stays_true_without_the_option_as_well() {
    let server = server(Kind::Absolute, clip(50));
    let whole = unbroken(&server.url("stream"));
    let scratch = Scratch::new();
    for length in [whole.len() / 2 + 40_000, whole.len() - 1, whole.len()] {
        let file = scratch.write("saved.flv", &whole[..length]);
        save(&server.url("stream"), &file, &["-e", "--no-index"]).expect_code(0);
        assert!(std::fs::read(&file).unwrap() == whole, "cut at {length} of {}", whole.len());
    }
}

// --- What a file can be ---------------------------------------------------------------------------------------------

/// Cuts an unbroken file of `tags` near its end, in mid-tag, and has it mended by servers of every kind.
#[track_caller]
fn mended_by_all(tags: &[Tag], what: &str) {
    for kind in KINDS {
        let server = server(kind, tags.to_vec());
        let whole = unbroken(&server.url("stream"));
        expect_equal(&media(tags), &Flv::parse(&whole).unwrap().media());
        let scratch = Scratch::new();
        for length in [whole.len() * 7 / 10, whole.len() * 19 / 20] {
            let file = scratch.write("saved.flv", &whole[..length]);
            let finished = save(&server.url("stream"), &file, &["-e"]);
            assert_eq!(finished.code, Some(0), "{what} {kind:?}: {}", finished.stderr);
            assert!(std::fs::read(&file).unwrap() == whole, "{what} {kind:?}: not the whole\n{}", finished.stderr);
        }
    }
}

#[test]
fn audio_alone() {
    let mut tags: Vec<Tag> = clip(200).into_iter().filter(|tag| tag.kind == AUDIO).collect();
    tags.insert(0, Tag::new(SCRIPT, 0, amf(&["onMetaData".into(), Amf::ecma(&[("duration", 8.0.into())])])));
    mended_by_all(&tags, "audio");
}

#[test]
fn video_alone() {
    let tags: Vec<Tag> = clip(200).into_iter().filter(|tag| tag.kind != AUDIO).collect();
    let mut metadata = metadata(Some(8.0));
    metadata.payload = amf(&["onMetaData".into(), Amf::ecma(&[("duration", 8.0.into()), ("width", 320.0.into())])]);
    mended_by_all(&[vec![metadata], tags[1..].to_vec()].concat(), "video");
}

#[test]
fn enhanced_keyframes() {
    let tags: Vec<Tag> = clip(200)
        .into_iter()
        .map(|mut tag| {
            if tag.kind == VIDEO {
                let packet = if tag.payload[1] == 0 { 0 } else { 3 };
                let first = 0x80 | (tag.payload[0] & 0xf0) | packet;
                tag.payload = [&[first], b"hvc1".as_slice(), &tag.payload[5..]].concat();
            }
            tag
        })
        .collect();
    mended_by_all(&tags, "HEVC");
}

#[test]
fn no_file_is_a_beginning() {
    let server = server(Kind::Absolute, clip(20));
    let scratch = Scratch::new();
    let file = scratch.path("new.flv");
    save(&server.url("stream"), &file, &["--resume"]).expect_code(0).expect_stderr("Starting download at: 0.000 kB");
    expect_equal(&media(&clip(20)), &Flv::read(&file).media());
    assert_eq!(starts(&server), [0.0]);
}

#[test]
fn a_complete_file_is_left_alone() {
    for kind in KINDS {
        let server = server(kind, clip(50));
        let scratch = Scratch::new();
        let file = scratch.write("saved.flv", unbroken(&server.url("stream")));
        let before = std::fs::metadata(&file).unwrap().modified().unwrap();
        let finished = save(&server.url("stream"), &file, &["-e"]);
        finished.expect_code(0).expect_stderr("Resuming download at: ").expect_stderr("Download complete");
        assert_eq!(std::fs::metadata(&file).unwrap().modified().unwrap(), before, "{kind:?}: it was written to");
        expect_equal(&media(&clip(50)), &Flv::read(&file).media());
    }
}

#[test]
fn a_complete_file_whose_server_says_nothing_at_the_end() {
    for closes in [true, false] {
        let server = ScriptServer::start(move |peer| {
            let start = begin(peer)?;
            peer.media(&Kind::Absolute.stream(&clip(50), start))?;
            if closes { Ok(()) } else { peer.wait_closed() }
        });
        let scratch = Scratch::new();
        let whole = common::flvcmp::write(true, true, &clip(50));
        let file = scratch.write("saved.flv", &whole);
        save(&server.url("stream"), &file, &["-e", "-m", "1"]).expect_code(0);
        assert!(std::fs::read(&file).unwrap() == whole);
    }
}

#[test]
fn a_recording_that_was_killed_is_brought_up_to_date() {
    // All of the stream, or half of it, had come; what the file says of itself was still of its beginning.
    for count in [400, 200] {
        let tags = clip(200);
        let sent = tags.clone();
        let server = ScriptServer::start(move |peer| {
            let start = begin(peer)?;
            if peer.number == 1 {
                peer.media(&sent[..count])?;
                return peer.wait_closed();
            }
            peer.media(&Kind::Absolute.stream(&sent, start))?;
            peer.end_of_file()?;
            peer.wait_closed()
        });
        let whole = unbroken(&server.url("stream"));
        let scratch = Scratch::new();
        let file = scratch.path("killed.flv");
        let run = Running::start(rtmpcat_with(["-r", &server.url("stream"), "-o"]).arg(&file));
        wait_until("what was sent", || {
            std::fs::read(&file).is_ok_and(|bytes| Flv::parse(&bytes).is_ok_and(|flv| flv.tags.len() == count))
        });
        run.signal("KILL");
        run.finish(PATIENCE);
        save(&server.url("stream"), &file, &["-e"]).expect_code(0);
        assert!(std::fs::read(&file).unwrap() == whole, "{count}");
    }
}

#[test]
fn damage_at_the_end_is_cut_off() {
    let server = server(Kind::Absolute, clip(100));
    let whole = unbroken(&server.url("stream"));
    let scratch = Scratch::new();
    for damage in [vec![0; 3000], Dice(7).bytes(3000), b"FLV\x01\x05\0\0\0\x09\0\0\0\0".to_vec()] {
        for kept in [whole.len() * 2 / 3, whole.len()] {
            let file = scratch.write("saved.flv", [&whole[..kept], &damage].concat());
            save(&server.url("stream"), &file, &["-e"]).expect_code(0);
            assert!(std::fs::read(&file).unwrap() == whole, "{kept} {damage:02x?}");
        }
    }
}

#[test]
fn metadata_may_have_changed() {
    let whole = clip(50);
    let tags = whole.clone();
    let server = ScriptServer::start(move |peer| {
        let start = begin(peer)?;
        let mut stream = Kind::Absolute.stream(&tags, start);
        let fresh = Amf::ecma(&[("duration", 2.0.into()), ("date", f64::from(peer.number as u32).into())]);
        stream[0].payload = amf(&["onMetaData".into(), fresh]);
        peer.media(&stream)?;
        peer.end_of_file()?;
        peer.wait_closed()
    });
    let scratch = Scratch::new();
    let bytes = common::flvcmp::write(true, true, &whole);
    let file = scratch.write("saved.flv", &bytes[..bytes.len() * 2 / 3]);
    save(&server.url("stream"), &file, &["-e"]).expect_code(0);
    expect_equal(&whole, &Flv::read(&file).tags);
}

#[test]
fn aggregates_are_looked_into() {
    let whole = clip(50);
    let tags = whole.clone();
    let server = ScriptServer::start(move |peer| {
        let start = begin(peer)?;
        for some in Kind::Absolute.stream(&tags, start).chunks(5) {
            peer.send(&Msg::new(6, 22, peer.stream, some[0].time, aggregate(some)))?;
        }
        peer.end_of_file()?;
        peer.wait_closed()
    });
    let scratch = Scratch::new();
    let bytes = common::flvcmp::write(true, true, &whole);
    let file = scratch.write("saved.flv", &bytes[..bytes.len() * 2 / 3]);
    save(&server.url("stream"), &file, &["-e"]).expect_code(0);
    expect_equal(&whole, &Flv::read(&file).tags);
}

/// Half of a stream of 8 seconds.
fn half() -> Vec<u8> {
    let bytes = common::flvcmp::write(true, true, &clip(200));
    bytes[..bytes.len() / 2 + 7].to_vec()
}

// --- Within one run -------------------------------------------------------------------------------------------------

#[test]
fn a_recording_that_breaks_off_continues_where_it_was() {
    let tags = clip(200);
    let bytes = common::flvcmp::write(true, true, &tags);
    for kind in KINDS {
        for begun in [None, Some(&bytes[..bytes.len() / 5])] {
            let sent = tags.clone();
            let server = ScriptServer::start(move |peer| {
                let start = begin(peer)?;
                let stream = kind.stream(&sent, start);
                // Of each connection but the last one a part comes.
                let count = if peer.number < 3 { stream.len().min(130 + 90 * peer.number) } else { stream.len() };
                peer.media(&stream[..count])?;
                if count < stream.len() {
                    return Ok(());
                }
                peer.end_of_file()?;
                peer.wait_closed()
            });
            let scratch = Scratch::new();
            let file = begun.map_or_else(|| scratch.path("new.flv"), |bytes| scratch.write("saved.flv", bytes));
            let finished = save(&server.url("stream"), &file, &["-e", "--retry", "9", "--retry-delay", "0"]);
            if let Some(difference) = common::flvcmp::diff(&media(&tags), &Flv::read(&file).media()) {
                panic!("{kind:?}, {}: {difference}{}", begun.is_some(), finished.stderr);
            }
            finished.expect_code(0);
        }
    }
}

// --- Options --------------------------------------------------------------------------------------------------------

#[test]
fn what_is_live_or_goes_to_a_pipe_is_not_resumed() {
    let server = server(Kind::Absolute, clip(20));
    let to_stdout = run(&mut rtmpcat_with(["-r", &server.url("stream"), "-e"]), PATIENCE);
    to_stdout.expect_code(0).expect_stderr("WARNING: Can't resume in stdout mode, ignoring --resume option");
    expect_equal(&clip(20), &Flv::parse(&to_stdout.stdout).unwrap().tags);
    let scratch = Scratch::new();
    let file = scratch.write("saved.flv", half());
    let refused = save(&server.url("stream"), &file, &["-e", "-v"]);
    refused.expect_code(1).expect_stderr("ERROR: --resume cannot be used with a live stream");
    assert!(std::fs::read(&file).unwrap() == half(), "the file is not touched");
}

#[test]
fn skipped_keyframes_are_fetched_again() {
    for kind in KINDS {
        let server = server(kind, clip(200));
        let whole = unbroken(&server.url("stream"));
        let scratch = Scratch::new();
        // Something is wrong with the last tags: that is what the option is for.
        let mut spoilt = whole[..whole.len() / 2].to_vec();
        let at = spoilt.len() - 300;
        spoilt[at] ^= 1;
        for args in [&["--resume", "--skip", "1", "--resume", "--skip", "1"][..], &["-ek3"], &["-e", "-k", "99"]] {
            let file = scratch.write("saved.flv", &spoilt);
            let finished = save(&server.url("stream"), &file, args);
            assert_eq!(finished.code, Some(0), "{kind:?} {args:?}: {}", finished.stderr);
            assert!(std::fs::read(&file).unwrap() == whole, "{kind:?} {args:?}: {}", finished.stderr);
        }
        let file = scratch.write("saved.flv", &whole);
        save(&server.url("stream"), &file, &["-e", "-k", "2"]).expect_code(0);
        assert!(std::fs::read(&file).unwrap() == whole, "{kind:?}: a complete file");
    }
}

#[test]
fn stop_counts_from_the_files_beginning() {
    let server = server(Kind::Absolute, clip(200));
    let scratch = Scratch::new();
    let expected = scratch.path("expected.flv");
    save(&server.url("stream"), &expected, &["--stop", "6"]).expect_code(0);
    for bytes in [half(), std::fs::read(&expected).unwrap()] {
        let file = scratch.write("saved.flv", &bytes);
        save(&server.url("stream"), &file, &["--resume", "--stop", "6"]).expect_code(0);
        expect_equal(&Flv::read(&expected).media(), &Flv::read(&file).media());
    }
}

#[test]
fn what_was_begun_at_a_start_is_resumed_from_there() {
    for kind in [Kind::Absolute, Kind::Late, Kind::Relative] {
        let server = server(kind, clip(250));
        let scratch = Scratch::new();
        let expected = scratch.path("expected.flv");
        save(&server.url("stream"), &expected, &["--start", "4"]).expect_code(0);
        let whole = std::fs::read(&expected).unwrap();
        for args in [&["-e", "--start", "4"][..], &["-e"]] {
            let file = scratch.write("saved.flv", &whole[..whole.len() / 2]);
            let finished = save(&server.url("stream"), &file, args);
            assert!(std::fs::read(&file).unwrap() == whole, "{kind:?} {args:?}: {}", finished.stderr);
        }
    }
}

#[test]
fn what_is_said() {
    let server = server(Kind::Absolute, clip(200));
    let scratch = Scratch::new();
    let finished = save(&server.url("stream"), &scratch.write("saved.flv", half()), &["-e", "-V"]);
    let (_, line) =
        finished.stderr.lines().find_map(|line| line.split_once("Resuming download at: ")).unwrap_or_else(|| {
            panic!("{}", finished.stderr);
        });
    let numbers: Vec<f64> =
        line.split(|c: char| !c.is_ascii_digit() && c != '.').filter_map(|number| number.parse().ok()).collect();
    let [kilobytes, seconds, percent] = numbers[..] else { panic!("{line}") };
    assert!((half().len() as f64 / 1024.0 - kilobytes).abs() < 6.0, "{line}");
    assert!((3.5..4.5).contains(&seconds) && (seconds / 0.08 - percent).abs() < 0.2, "{line}");
    assert!(finished.stderr.contains("INFO:   duration              8.00"), "{}", finished.stderr);
    assert!(finished.stderr.contains("Download complete\n"), "{}", finished.stderr);
}
