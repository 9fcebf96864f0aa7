//! Real servers and players: what they send is what is saved.

use crate::common::flvcmp::{AUDIO, Flv, Tag, VIDEO, expect_equal, expect_run, from_zero};
use crate::common::media::{Media, folder};
use crate::common::nginx::{Config, Nginx};
use crate::common::peers::{
    NodeMediaServer, Xiu, expect_flvmeta_sound, expect_playable, publish, publish_with, recent_ffmpeg, rtmpdump,
};
use crate::common::serve::Serve;
use crate::common::{self, Finished, PATIENCE, Running, have, rtmpcat_with, run, skip_anyway};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Saves a stream to a file.
#[track_caller]
fn save(url: &str, file: &Path, args: &[&str]) -> Finished {
    run(&mut rtmpcat_with(["-r", url, "-o", file.to_str().unwrap()].iter().chain(args)), PATIENCE)
}

/// Begins to save a stream to a file.
#[track_caller]
fn begin_to_save(url: &str, file: &Path, args: &[&str]) -> Running {
    Running::start(&mut rtmpcat_with(["-r", url, "-o", file.to_str().unwrap()].iter().chain(args)))
}

// --- nginx: files ---------------------------------------------------------------------------------------------------

#[test]
fn nginx_files_arrive_unharmed_at_every_chunk_size() {
    if !have(&["nginx-rtmp", "ffmpeg"]) {
        return;
    }
    let all = [Media::BFrames, Media::Indexed, Media::AudioOnly, Media::VideoOnly, Media::Sorenson, Media::Fat];
    let scratch = tempfile::tempdir().unwrap();
    for media in all {
        media.path();
    }
    for chunk_size in [128, 4096, 65_536] {
        let nginx = Nginx::vod(&folder(), chunk_size);
        for media in all {
            let file = scratch.path().join(media.name());
            save(&nginx.url("vod", media.name()), &file, &[]).expect_code(0);
            let (source, saved) = (Flv::read(media.path()), Flv::read(&file));
            println!("{} in chunks of {chunk_size}", media.name());
            expect_equal(&source.media(), &saved.media());
            saved.expect_true_flags();
        }
    }
}

#[test]
fn nginx_files_keep_their_end_of_sequence_and_metadata() {
    if !have(&["nginx-rtmp", "ffmpeg"]) {
        return;
    }
    let source = Flv::read(Media::BFrames.path());
    assert!(source.tags.iter().any(|tag| tag.payload == [0x17, 2, 0, 0, 0]), "the source has AVC's end of sequence");
    let nginx = Nginx::vod(&folder(), 4096);
    let dump = run(&mut rtmpcat_with(["-r", &nginx.url("vod", Media::BFrames.name())]), PATIENCE);
    let saved = Flv::parse(&dump.expect_code(0).stdout).unwrap();
    expect_equal(&source.media(), &saved.media());
    // On a pipe nothing can be put into the metadata afterwards: it is the source's.
    assert!(saved.tags.contains(&source.tags[0]), "{:?} is not among {:?}", source.tags[0], &saved.tags[..4]);
}

#[test]
fn what_is_saved_from_nginx_is_read_by_ffprobe_and_flvmeta() {
    if !have(&["nginx-rtmp", "ffmpeg", "ffprobe", "flvmeta"]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let nginx = Nginx::vod(&folder(), 4096);
    for (media, codecs) in
        [(Media::BFrames, vec!["aac", "h264"]), (Media::Sorenson, vec!["flv1", "mp3"]), (Media::AudioOnly, vec!["aac"])]
    {
        media.path();
        let file = scratch.path().join(media.name());
        save(&nginx.url("vod", media.name()), &file, &[]).expect_code(0);
        assert_eq!(expect_playable(&file), codecs, "{}", media.name());
        expect_flvmeta_sound(&file);
    }
}

#[test]
fn nginx_mp4_files_arrive_with_equal_frames() {
    if !have(&["nginx-rtmp", "ffmpeg"]) {
        return;
    }
    let (mp4, flv) = (Media::Mp4.path(), Flv::read(Media::BFrames.path()));
    let nginx = Nginx::vod(mp4.parent().unwrap(), 4096);
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("from-mp4.flv");
    save(&nginx.url("vod", "mp4:bframes.mp4"), &file, &["-y", "mp4:bframes.mp4"]).expect_code(0);
    let frames = |flv: &Flv| {
        flv.of(VIDEO).into_iter().filter(|tag| tag.payload[1] == 1).map(|tag| tag.payload).collect::<Vec<_>>()
    };
    assert_eq!(frames(&Flv::read(&file)), frames(&flv));
}

#[test]
fn nginx_killed_in_mid_file_leaves_whole_tags_and_code_2() {
    if !have(&["nginx-rtmp", "ffmpeg"]) {
        return;
    }
    let source = Flv::read(Media::Long.path());
    let mut nginx = Nginx::vod(&folder(), 4096);
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("half.flv");
    // With a short buffer nginx sends at the pace of playing.
    let client = begin_to_save(&nginx.url("vod", Media::Long.name()), &file, &["-b", "1000", "-R"]);
    common::wait_until("some of the file", || Flv::media_so_far(&file).len() > 40);
    nginx.kill();
    client.finish(PATIENCE).expect_code(2);
    let saved = Flv::read(&file).media();
    assert!(saved.len() > 20, "{} tags", saved.len());
    expect_equal(&source.media()[..saved.len()], &saved);
}

#[test]
fn nginx_refusals() {
    if !have(&["nginx-rtmp", "ffmpeg"]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("none.flv");
    let nginx = Nginx::vod(&folder(), 4096);
    save(&nginx.url("vod", "there-is-none.flv"), &file, &[])
        .expect_code(1)
        .expect_stderr("NetStream.Play.StreamNotFound");
    save(&nginx.url("no-such-app", "x"), &file, &["-m", "3"]).expect_code(1).expect_stderr("connect");
    let nobody = save(&nginx.url("live", "nobody"), &file, &["-v", "-m", "1"]);
    nobody.expect_code(1);
    assert!(nobody.took < Duration::from_secs(6), "{:?}", nobody.took);
    assert!(!file.exists(), "nothing came, nothing is written");
}

// --- nginx: live ----------------------------------------------------------------------------------------------------

#[test]
fn nginx_live_from_before_the_beginning_to_the_end() {
    if !have(&["nginx-rtmp", "ffmpeg"]) {
        return;
    }
    let nginx = Nginx::start(Config { publish_notify: true, ..Config::default() });
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("live.flv");
    let client = begin_to_save(&nginx.url("live", "cam"), &file, &["-v", "-m", "20"]);
    common::wait_until("the player's play", || nginx.log().contains("play: name='cam'"));
    publish(&Media::BFrames.path(), &nginx.url("live", "cam")).finish(PATIENCE).expect_code(0);
    client.finish(PATIENCE).expect_code(0);
    let (source, saved) = (Flv::read(Media::BFrames.path()), Flv::read(&file));
    for kind in [AUDIO, VIDEO] {
        expect_equal(&from_zero(&without_end(&source.of(kind))), &from_zero(&without_end(&saved.of(kind))));
    }
    saved.expect_true_flags();
    assert_eq!(expect_playable(&file), ["aac", "h264"]);
}

/// Without AVC's end of sequence, whose time ffmpeg makes up.
fn without_end(tags: &[Tag]) -> Vec<Tag> {
    tags.iter().filter(|tag| tag.payload != [0x17, 2, 0, 0, 0]).cloned().collect()
}

#[test]
fn nginx_live_joined_late() {
    if !have(&["nginx-rtmp", "ffmpeg"]) {
        return;
    }
    // Each takes its six seconds; they take them together.
    std::thread::scope(|scope| {
        for media in [Media::BFrames, Media::AudioOnly, Media::VideoOnly, Media::Sorenson] {
            scope.spawn(move || {
                let nginx = Nginx::start(Config { publish_notify: true, ..Config::default() });
                let publisher = publish(&media.path(), &nginx.url("live", "cam"));
                let scratch = tempfile::tempdir().unwrap();
                let file = scratch.path().join("live.flv");
                let client = begin_to_save(&nginx.url("live", "cam"), &file, &["-v"]);
                publisher.finish(PATIENCE).expect_code(0);
                client.finish(PATIENCE).expect_code(0);
                expect_late_joiner(media, &file);
            });
        }
    });
}

/// From some tag on, everything that the publisher sent.
#[track_caller]
fn expect_late_joiner(media: Media, file: &Path) {
    let (source, saved) = (Flv::read(media.path()), Flv::read(file));
    for kind in [AUDIO, VIDEO] {
        if !source.of(kind).is_empty() {
            let count = expect_run(&source.tags, &saved.tags, kind);
            assert!(count > 40, "{media:?}: {count} tags of type {kind}");
        }
    }
    saved.expect_true_flags();
    let first = saved.media().iter().map(|tag| tag.time).min();
    assert_eq!(first, Some(0), "times begin at 0");
}

#[test]
fn nginx_live_ends_with_stream_eof_and_no_other_word() {
    if !have(&["nginx-rtmp", "ffmpeg"]) {
        return;
    }
    let nginx = Nginx::start(Config::default());
    let publisher = publish(&Media::AudioOnly.path(), &nginx.url("live", "cam"));
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("live.flv");
    let client = begin_to_save(&nginx.url("live", "cam"), &file, &["-v"]);
    publisher.finish(PATIENCE).expect_code(0);
    client.finish(Duration::from_secs(10)).expect_code(0);
    expect_late_joiner(Media::AudioOnly, &file);
}

#[test]
fn nginx_dropping_the_client_is_incomplete() {
    if !have(&["nginx-rtmp", "ffmpeg"]) {
        return;
    }
    let nginx = Nginx::start(Config::default());
    let _publisher = publish(&Media::BFrames.path(), &nginx.url("live", "cam"));
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("live.flv");
    let client = begin_to_save(&nginx.url("live", "cam"), &file, &["-v"]);
    common::wait_until("some media", || Flv::media_so_far(&file).len() > 10);
    assert_eq!(nginx.drop_from("subscriber", "cam"), 1);
    client.finish(PATIENCE).expect_code(2);
    assert!(Flv::read(&file).expect_true_flags().media().len() > 10);
}

#[test]
fn nginx_live_is_stopped_by_us() {
    if !have(&["nginx-rtmp", "ffmpeg"]) {
        return;
    }
    let nginx = Nginx::start(Config::default());
    let _publisher = publish(&Media::BFrames.path(), &nginx.url("live", "cam"));
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("live.flv");
    save(&nginx.url("live", "cam"), &file, &["-v", "--stop", "1.5"]).expect_code(0);
    let last = Flv::read(&file).media().iter().map(|tag| tag.time).max().unwrap();
    assert!((1400..=1500).contains(&last), "{last} ms");
}

#[test]
fn nginx_with_every_handshake_and_order() {
    if !have(&["nginx-rtmp", "ffmpeg"]) {
        return;
    }
    let source = Flv::read(Media::BFrames.path()).media();
    let nginx = Nginx::vod(&folder(), 4096);
    let scratch = tempfile::tempdir().unwrap();
    for option in ["--digest", "--strict-order", "--fast-start"] {
        let file = scratch.path().join(format!("{option}.flv"));
        save(&nginx.url("vod", Media::BFrames.name()), &file, &[option]).expect_code(0);
        expect_equal(&source, &Flv::read(&file).media());
    }
}

// --- Node-Media-Server ----------------------------------------------------------------------------------------------

#[test]
fn node_media_server_2_live_ends_with_a_notice() {
    if !have(&["nms2", "ffmpeg"]) {
        return;
    }
    let server = NodeMediaServer::start("nms2");
    for media in [Media::BFrames, Media::Sorenson] {
        let publisher = publish(&media.path(), &server.url("cam"));
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("live.flv");
        let client = begin_to_save(&server.url("cam"), &file, &["-v"]);
        publisher.finish(PATIENCE).expect_code(0);
        client.finish(PATIENCE).expect_code(0);
        expect_late_joiner(media, &file);
    }
}

#[test]
fn node_media_server_4_live_ends_without_a_word() {
    if !have(&["nms4", "ffmpeg"]) {
        return;
    }
    let server = NodeMediaServer::start("nms4");
    let publisher = publish(&Media::BFrames.path(), &server.url("cam"));
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("live.flv");
    let client = begin_to_save(&server.url("cam"), &file, &["-v", "-m", "2"]);
    publisher.finish(PATIENCE).expect_code(0);
    client.finish(PATIENCE).expect_code(2);
    expect_late_joiner(Media::BFrames, &file);
}

#[test]
fn node_media_server_4_passes_enhanced_rtmp_on() {
    if !have(&["nms4", "imageio-ffmpeg"]) {
        return;
    }
    let server = NodeMediaServer::start("nms4");
    std::thread::scope(|scope| {
        for media in [Media::Hevc, Media::Av1, Media::Vp9] {
            let path = media.path();
            let url = server.url(media.name().trim_end_matches(".flv"));
            scope.spawn(move || {
                let publisher = publish_with(&recent_ffmpeg(), &path, &url, &[]);
                let scratch = tempfile::tempdir().unwrap();
                let file = scratch.path().join(media.name());
                let client = begin_to_save(&url, &file, &["-v", "-m", "2"]);
                publisher.finish(PATIENCE).expect_code(0);
                client.finish(PATIENCE).expect_code(2);
                expect_late_joiner(media, &file);
                assert!(Flv::read(&file).of(VIDEO).iter().all(|tag| tag.payload[0] & 0x80 != 0), "{media:?}");
            });
        }
    });
}

// --- xiu ------------------------------------------------------------------------------------------------------------

#[test]
fn xiu_passes_enhanced_rtmp_on_and_ends_without_a_word() {
    let Some(program) = Xiu::program() else { return skip_anyway("xiu not found") };
    if !have(&["imageio-ffmpeg"]) {
        return;
    }
    let server = Xiu::start(&program);
    std::thread::scope(|scope| {
        for media in [Media::BFrames, Media::Hevc, Media::Av1, Media::Vp9] {
            let path = media.path();
            let url = server.url(media.name().trim_end_matches(".flv"));
            scope.spawn(move || {
                // A player that is there before the publisher is sent away in spite of NetStream.Play.Start.
                let scratch = tempfile::tempdir().unwrap();
                let file = scratch.path().join(media.name());
                save(&url, &file, &["-v"]).expect_code(1).expect_stderr("closed the connection");
                let publisher = publish_with(&recent_ffmpeg(), &path, &url, &[]);
                let client = begin_to_save(&url, &file, &["-v", "-m", "20"]);
                let told = probed(&url, &["--time", "1.5"]);
                assert!(track(&told, "video")["frames"].as_u64() > Some(20), "{told}");
                publisher.finish(PATIENCE).expect_code(0);
                client.finish(PATIENCE).expect_code(2);
                expect_late_joiner(media, &file);
                assert_eq!(Flv::read(&file).of(VIDEO)[0].payload[0] & 0x80 != 0, media != Media::BFrames, "{media:?}");
            });
        }
    });
}

// --- rtmpcat probe, against what others say -------------------------------------------------------------------------

/// What probe says of a stream, which is to be in order.
#[track_caller]
fn probed(url: &str, args: &[&str]) -> serde_json::Value {
    let finished = run(&mut rtmpcat_with(["probe", "--format", "json", url].iter().chain(args)), PATIENCE);
    serde_json::from_slice(&finished.expect_code(0).stdout).unwrap()
}

/// What probe says of the track of a kind.
#[track_caller]
fn track<'a>(told: &'a serde_json::Value, kind: &str) -> &'a serde_json::Value {
    let tracks = told["stream"]["tracks"].as_array().unwrap();
    tracks.iter().find(|track| track["kind"] == kind).unwrap_or_else(|| panic!("no {kind} in {told}"))
}

/// Bits in a second of a kind of tag, over the time that the file has them for.
fn true_rate(flv: &Flv, kind: u8, header_bytes: usize) -> f64 {
    let tags = flv.of(kind);
    let (first, last) = (tags[0].time, tags[tags.len() - 1].time);
    let bytes: usize = tags[..tags.len() - 1].iter().map(|tag| tag.payload.len().saturating_sub(header_bytes)).sum();
    bytes as f64 * 8000.0 / f64::from(last - first)
}

#[test]
fn probe_and_ffprobe_say_the_same_of_what_nginx_plays() {
    if !have(&["nginx-rtmp", "ffmpeg", "ffprobe"]) {
        return;
    }
    let nginx = Nginx::vod(&folder(), 4096);
    for media in [Media::BFrames, Media::AudioOnly, Media::VideoOnly, Media::Sorenson, Media::Fat] {
        let path = media.path();
        let mut ffprobe = Command::new("ffprobe");
        ffprobe.args(["-v", "error", "-show_streams", "-of", "json"]).arg(&path);
        let theirs: serde_json::Value =
            serde_json::from_str(&run(&mut ffprobe, PATIENCE).expect_code(0).out()).unwrap();
        // All of the file, so that the rates are those of the file.
        let ours = probed(&nginx.url("vod", media.name()), &["--time", "60"]);
        assert_eq!(ours["end"], "ended", "{media:?}: {ours}");
        let streams = theirs["streams"].as_array().unwrap();
        assert_eq!(streams.len(), ours["stream"]["tracks"].as_array().unwrap().len(), "{media:?}: {ours}");
        for stream in streams {
            let kind = stream["codec_type"].as_str().unwrap();
            let track = track(&ours, kind);
            let codec = stream["codec_name"].as_str().unwrap().replace("flv1", "h263");
            assert_eq!(track["codec"], codec.as_str(), "{media:?}");
            for (our_name, their_name) in [("width", "width"), ("height", "height"), ("channels", "channels")] {
                assert_eq!(track[our_name], stream[their_name], "{media:?}: {our_name}");
            }
            let text = |value: &serde_json::Value| value.to_string().trim_matches('"').to_owned();
            if kind == "audio" {
                assert_eq!(text(&track["sample_rate_hz"]), text(&stream["sample_rate"]), "{media:?}");
            } else {
                assert_eq!(format!("{}/1", track["frame_rate"]), format!("{:.1}/1", 25.0), "{media:?}");
                assert_eq!(text(&stream["avg_frame_rate"]), "25/1", "{media:?}");
            }
            if codec == "h264" {
                let level = stream["level"].as_i64().unwrap();
                assert_eq!(track["profile"], stream["profile"], "{media:?}");
                assert_eq!(track["level"], format!("{}.{}", level / 10, level % 10).as_str(), "{media:?}");
            }
            if codec == "aac" {
                assert_eq!(track["profile"], stream["profile"], "{media:?}");
            }
        }
    }
}

#[test]
fn probe_knows_what_node_media_server_4_passes_on() {
    if !have(&["nms4", "imageio-ffmpeg"]) {
        return;
    }
    let server = NodeMediaServer::start("nms4");
    std::thread::scope(|scope| {
        for (media, codec, profile, chroma) in [
            (Media::Hevc, "h265", "Range Extensions", "4:4:4"),
            (Media::Av1, "av1", "Main", "4:2:0"),
            (Media::Vp9, "vp9", "Profile 1", "4:4:4"),
        ] {
            let path = media.path();
            let url = server.url(media.name().trim_end_matches(".flv"));
            scope.spawn(move || {
                let _publisher = publish_with(&recent_ffmpeg(), &path, &url, &[]);
                let told = probed(&url, &["--require", &format!("video={codec}"), "--require", "audio=aac"]);
                let (video, audio) = (track(&told, "video"), track(&told, "audio"));
                for (name, value) in [("codec", codec), ("profile", profile), ("chroma", chroma)] {
                    assert_eq!(video[name], value, "{media:?}: {told}");
                }
                assert_eq!((&video["enhanced"], &video["sequence_header"]), (&true.into(), &true.into()));
                assert_eq!(
                    (&video["width"], &video["height"], &video["bit_depth"]),
                    (&320.into(), &180.into(), &8.into())
                );
                assert_eq!((&audio["codec"], &audio["profile"]), (&"aac".into(), &"LC".into()));
                assert_eq!((&audio["sample_rate_hz"], &audio["channels"]), (&44100.into(), &1.into()));
                let near = |value: &serde_json::Value, expected: f64, by: f64| {
                    let value = value.as_f64().unwrap();
                    assert!((value / expected - 1.0).abs() < by, "{media:?}: {value}, not {expected}: {told}");
                };
                near(&video["frame_rate"], 25.0, 0.01);
                near(&video["gop"]["max_ms"], 1000.0, 0.05);
                // One group of pictures differs from another, and has not 1 s or 2 s of them.
                near(&video["bitrate_bps"], true_rate(&Flv::read(&path), VIDEO, 5), 0.6);
                near(&audio["bitrate_bps"], true_rate(&Flv::read(&path), AUDIO, 2), 0.1);
                assert_eq!(told["findings"], serde_json::json!([]), "{told}");
                let mut wrong = rtmpcat_with(["probe", "--format", "nagios", "--require", "video=h264", &url]);
                let line = run(&mut wrong, PATIENCE).expect_code(2).out();
                assert!(line.starts_with(&format!("RTMP CRITICAL - video is {codec}, not h264, ")), "{line}");
            });
        }
    });
}

// --- rtmpcat serve, played by others --------------------------------------------------------------------------------

#[test]
fn serve_plays_files_to_rtmpdump() {
    if !have(&["rtmpdump", "ffmpeg"]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    for media in [Media::BFrames, Media::Sorenson, Media::Fat] {
        for chunk_size in ["128", "65536"] {
            let path = media.path();
            let serve = Serve::start(&[path.to_str().unwrap(), "--chunk-size", chunk_size]);
            let file = scratch.path().join(media.name());
            let name = media.name().trim_end_matches(".flv");
            let dumped = rtmpdump(&["-r", &serve.url(name), "-o", file.to_str().unwrap()]);
            // 2: rtmpdump takes a short clip for incomplete because its last frame begins before the end.
            assert!(matches!(dumped.code, Some(0 | 2)), "{dumped:?}");
            // It drops video of 5 bytes or less.
            let small = |tag: &Tag| tag.kind == VIDEO && tag.payload.len() <= 5;
            let expected: Vec<Tag> = Flv::read(&path).media().into_iter().filter(|tag| !small(tag)).collect();
            expect_equal(&expected, &Flv::read(&file).media());
        }
    }
}

#[test]
fn serve_plays_files_to_ffmpeg() {
    if !have(&["ffmpeg"]) {
        return;
    }
    for media in [Media::BFrames, Media::AudioOnly, Media::Sorenson] {
        let path = media.path();
        let serve = Serve::start(&[path.to_str().unwrap()]);
        let name = media.name().trim_end_matches(".flv");
        let expected = packets(path.to_str().unwrap());
        assert!(expected.len() > 100);
        assert_eq!(packets(&serve.url(name)), expected, "{media:?}");
    }
}

/// The hashes of all packets that ffmpeg gets from a source, without its times, which it makes its own.
#[track_caller]
fn packets(source: &str) -> Vec<String> {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-v", "error", "-nostdin", "-i", source, "-map", "0", "-dn", "-c", "copy", "-f", "framemd5", "-"]);
    let hashed = run(&mut ffmpeg, PATIENCE).expect_code(0).out();
    let mut packets: Vec<String> = hashed
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            format!("{} {}", line.split(',').next().unwrap_or("").trim(), line.rsplit(',').next().unwrap_or("").trim())
        })
        .collect();
    packets.sort();
    packets
}

#[test]
fn serve_plays_files_to_rtmpcat() {
    if !have(&["ffmpeg"]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    for media in [Media::BFrames, Media::Indexed, Media::VideoOnly, Media::Sorenson, Media::Fat] {
        let path = media.path();
        let serve = Serve::start(&[path.to_str().unwrap()]);
        let file = scratch.path().join(media.name());
        save(&serve.url(media.name().trim_end_matches(".flv")), &file, &[]).expect_code(0);
        expect_equal(&Flv::read(&path).media(), &Flv::read(&file).media());
    }
}

#[test]
fn serves_test_pattern_is_played_by_everyone() {
    if !have(&["rtmpdump", "ffmpeg", "ffprobe"]) {
        return;
    }
    let serve = Serve::start(&[]);
    let scratch = tempfile::tempdir().unwrap();
    let (ours, theirs, ffmpegs) =
        (scratch.path().join("ours.flv"), scratch.path().join("theirs.flv"), scratch.path().join("ffmpegs.flv"));
    save(&serve.url("pattern"), &ours, &["-v", "--stop", "2"]).expect_code(0);
    let dump = Running::start(Command::new("rtmpdump").args([
        "-v",
        "-r",
        &serve.url("pattern"),
        "-o",
        theirs.to_str().unwrap(),
    ]));
    common::wait_until("some of the pattern", || std::fs::metadata(&theirs).is_ok_and(|data| data.len() > 50_000));
    dump.signal("INT");
    dump.finish(PATIENCE);
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg
        .args(["-v", "error", "-nostdin", "-rtmp_live", "live", "-i", &serve.url("pattern"), "-t", "2", "-c", "copy"])
        .arg(&ffmpegs);
    run(&mut ffmpeg, PATIENCE).expect_code(0);
    for file in [&ours, &theirs, &ffmpegs] {
        let codecs = expect_playable(file);
        assert_eq!(codecs.len(), 2, "a picture and a tone: {codecs:?}");
        assert!(Flv::read(file).of(VIDEO).len() > 5);
    }
}

#[test]
fn several_players_at_once() {
    if !have(&["ffmpeg"]) {
        return;
    }
    let path = Media::BFrames.path();
    let serve = Serve::start(&[path.to_str().unwrap()]);
    let url = serve.url("bframes");
    let players: Vec<Running> = (0..8).map(|_| Running::start(&mut rtmpcat_with(["-r", &url, "-o", "-"]))).collect();
    let expected = Flv::read(&path).media();
    for player in players {
        let finished = player.finish(PATIENCE);
        expect_equal(&expected, &Flv::parse(&finished.expect_code(0).stdout).unwrap().media());
    }
}

#[test]
fn a_stream_that_serve_has_not_is_not_found() {
    if !have(&["rtmpdump", "ffmpeg"]) {
        return;
    }
    let serve = Serve::start(&[Media::BFrames.path().to_str().unwrap()]);
    let dumped = rtmpdump(&["-r", &serve.url("nothing-like-it"), "-o", "-"]);
    dumped.expect_code(1).expect_stderr("NetStream.Play.StreamNotFound");
}

#[test]
fn the_demo_saves_a_file_that_plays() {
    if !have(&["ffprobe", "ffmpeg"]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let finished = run(rtmpcat_with(["demo"]).current_dir(scratch.path()), PATIENCE);
    finished.expect_code(0);
    let file = scratch.path().join("demo.flv");
    assert_eq!(expect_playable(&file).len(), 2);
    assert!((finished.out() + &finished.stderr).contains("demo.flv"));
}
