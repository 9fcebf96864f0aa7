//! yt-dlp, which calls `rtmpdump` by name, with ours in its place.

use super::*;
use common::flvcmp::{Flv, expect_equal};
use common::media::{Media, folder};
use common::nginx::Nginx;
use common::relay::{Faults, Relay};
use common::{Running, find_program, wait_until};
use std::path::Path;

/// Begins to save `url` to `file` with yt-dlp, which finds the `rtmpdump` of `folder`.
#[track_caller]
fn yt_dlp(folder: &Path, args: &[&str], url: &str, file: &Path) -> Running {
    let home = file.parent().expect("a folder of its own");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(folder.to_path_buf()).chain(std::env::split_paths(&path)));
    let mut command = Command::new(find_program("yt-dlp").expect("yt-dlp is installed"));
    command.env("PATH", path.expect("a path of folders")).env("HOME", home).current_dir(home);
    command.args(["--ignore-config", "--no-cache-dir", "--verbose", "--output"]).arg(file).args(args).arg(url);
    Running::start(&mut command)
}

/// Looked up by the name of the program, as yt-dlp does it.
fn folder_of_the_original() -> Option<std::path::PathBuf> {
    have(&["rtmpdump"])
        .then(|| find_program("rtmpdump").expect("it is there").parent().expect("a folder").to_path_buf())
}

#[test]
fn yt_dlp_saves_a_clip_on_which_the_original_fails() {
    if !have(&["yt-dlp", "nginx-rtmp", "ffmpeg"]) {
        return;
    }
    let source = Flv::read(Media::BFrames.path());
    let nginx = Nginx::vod(&folder(), 4096);
    let url = nginx.url("vod", Media::BFrames.name());
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("clip.flv");
    let finished = yt_dlp(&folder_with_rtmpdump(), ARGS, &url, &file).finish(PATIENCE);
    let said = finished.out() + &finished.stderr;
    assert_eq!(finished.code, Some(0), "{said}");
    expect_equal(&source.media(), &Flv::read(&file).media());
    assert!(said.contains("rtmpdump 2.6-rtmpcat-"), "the version is understood: {said}");
    assert!(said.contains("[download] 100%"), "progress is understood: {said}");
    assert!(!scratch.path().join("clip.flv.part").exists());

    let Some(originals) = folder_of_the_original() else { return };
    let file = scratch.path().join("by-the-original.flv");
    let finished = yt_dlp(&originals, ARGS, &url, &file).finish(PATIENCE);
    let said = finished.out() + &finished.stderr;
    assert_eq!(finished.code, Some(1), "the original does it: {said}");
    assert!(said.contains("rtmpdump exited with code 1"), "{said}");
}

#[test]
fn yt_dlp_resumes_when_the_server_comes_back() {
    if !have(&["yt-dlp", "nginx-rtmp", "ffmpeg"]) {
        return;
    }
    let source = Flv::read(Media::Long.path());
    let mut nginx = Nginx::vod(&folder(), 4096);
    // Slow enough to be broken off half-way.
    let length = std::fs::metadata(Media::Long.path()).unwrap().len();
    let relay = Relay::start(nginx.port, Faults { rate_down: Some(length / 4), ..Faults::default() });
    let url = format!("rtmp://127.0.0.1:{}/vod/{}", relay.port, Media::Long.name());
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("clip.flv");
    let part = scratch.path().join("clip.flv.part");
    // The output of its own is there, too, while it runs.
    let caller = yt_dlp(&folder_with_rtmpdump(), &[], &url, &file);
    wait_until("half of the clip", || std::fs::metadata(&part).is_ok_and(|part| part.len() > length / 3));
    nginx.kill();
    relay.reset_all();
    nginx.restart();
    relay.set(Faults::default());
    let finished = caller.finish(PATIENCE);
    let said = finished.out() + &finished.stderr;
    assert_eq!(finished.code, Some(0), "{said}");
    expect_equal(&source.media(), &Flv::read(&file).media());
    assert!(relay.connections() >= 2, "{said}");
}

#[test]
fn yt_dlp_hears_that_nobody_listens() {
    if !have(&["yt-dlp"]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("none.flv");
    let finished = yt_dlp(&folder_with_rtmpdump(), ARGS, "rtmp://127.0.0.1:1/vod/x", &file).finish(PATIENCE);
    let said = finished.out() + &finished.stderr;
    assert_eq!(finished.code, Some(1), "{said}");
    assert!(said.contains("Could not connect to RTMP server"), "{said}");
}

/// Without these yt-dlp gives --resume --skip 1 at once.
const ARGS: &[&str] = &["--no-continue"];
