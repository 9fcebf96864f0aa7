//! yt-dlp, which calls `rtmpdump` by name, with ours in its place.

use super::*;
use crate::common::flvcmp::{Flv, expect_equal};
use crate::common::media::{Media, folder};
use crate::common::nginx::Nginx;
use crate::common::relay::{Faults, Relay};
use crate::common::{Running, find_program};
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
    let finished = yt_dlp(&folder_with_rtmpdump(), &[], &url, &file).finish(PATIENCE);
    let said = finished.out() + &finished.stderr;
    assert_eq!(finished.code, Some(0), "{said}");
    expect_equal(&source.media(), &Flv::read(&file).media());
    assert!(said.contains("rtmpdump 2.6-rtmpcat-"), "the version is understood: {said}");
    assert!(said.contains("[download] 100%"), "progress is understood: {said}");
    assert!(!scratch.path().join("clip.flv.part").exists());

    let Some(originals) = folder_of_the_original() else { return };
    let file = scratch.path().join("by-the-original.flv");
    let finished = yt_dlp(&originals, &[], &url, &file).finish(PATIENCE);
    let said = finished.out() + &finished.stderr;
    assert_eq!(finished.code, Some(1), "the original does it: {said}");
    assert!(said.contains("rtmpdump exited with code 1"), "{said}");
}

#[test]
fn yt_dlp_reports_a_refused_connection() {
    if !have(&["yt-dlp"]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("none.flv");
    let finished = yt_dlp(&folder_with_rtmpdump(), &[], "rtmp://127.0.0.1:1/vod/x", &file).finish(PATIENCE);
    let said = finished.out() + &finished.stderr;
    assert_eq!(finished.code, Some(1), "{said}");
    assert!(said.contains("Could not connect to RTMP server"), "{said}");
}

#[test]
fn yt_dlp_resumes_when_the_server_was_killed_half_way() {
    if !have(&["yt-dlp", "nginx-rtmp", "ffmpeg"]) {
        return;
    }
    for media in [Media::Long, Media::BFrames] {
        // One file with a keyframe index, one without: nginx begins elsewhere after a seek.
        let source = Flv::read(media.path());
        let size = std::fs::metadata(media.path()).unwrap().len();
        let mut nginx = Nginx::vod(&folder(), 4096);
        // The relay is slow enough for the server to be killed half-way.
        let relay = Relay::start(nginx.port, Faults { rate_down: Some(size / 3), ..Faults::default() });
        let url = format!("rtmp://127.0.0.1:{}/vod/{}", relay.port, media.name());
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("clip.flv");
        let running = yt_dlp(&folder_with_rtmpdump(), &[], &url, &file);
        common::wait_until("half of the file", || relay.bytes_down() > size / 2);
        nginx.kill();
        relay.reset_all();
        nginx.restart();
        relay.set(Faults::default());
        let finished = running.finish(2 * PATIENCE);
        let said = finished.out() + &finished.stderr;
        assert_eq!(finished.code, Some(0), "{said}");
        assert!(said.contains("Resuming download at"), "{said}");
        expect_equal(&source.media(), &Flv::read(&file).media());
    }
}
