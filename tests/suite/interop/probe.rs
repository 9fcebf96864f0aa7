//! `rtmpcat probe` against what other programs say of the same stream.

use super::*;

/// What probe says of a stream, which is to be in order.
#[track_caller]
pub fn probed(url: &str, args: &[&str]) -> serde_json::Value {
    let finished = run(&mut rtmpcat_with(["probe", "--format", "json", url].iter().chain(args)), PATIENCE);
    serde_json::from_slice(&finished.expect_code(0).stdout).unwrap()
}

/// What probe says of the track of a kind.
#[track_caller]
pub fn track<'a>(told: &'a serde_json::Value, kind: &str) -> &'a serde_json::Value {
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
