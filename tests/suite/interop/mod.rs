//! Real servers and players: what they send is what is saved.

mod node_media_server;
mod probe;
mod serve;
mod xiu;

use crate::common::flvcmp::{AUDIO, Flv, Tag, VIDEO, expect_equal, expect_run, from_zero};
use crate::common::media::{Media, folder};
use crate::common::nginx::{Config, Nginx};
use crate::common::peers::{
    NodeMediaServer, Xiu, expect_flvmeta_valid, expect_playable, publish, publish_with, recent_ffmpeg, rtmpdump,
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
        expect_flvmeta_valid(&file);
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
