//! `rtmpcat serve`, played by other programs.

use super::*;

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
    common::wait_until("some of the pattern", || Flv::media_so_far(&theirs).len() > 40);
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
