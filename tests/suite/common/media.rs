//! Small test files, made with ffmpeg when first wanted and kept in `target/test-media`.

use super::peers::recent_ffmpeg;
use super::{PATIENCE, run, target_dir};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// A test file: seconds long, small, made the same way every time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// 6 s of H.264 with B-frames (composition times, a keyframe every 2 s) and AAC, with ffmpeg's usual metadata.
    BFrames,
    /// The same with a keyframe index in its metadata.
    Indexed,
    /// 20 s of the same kind, with an index: for what needs time, such as killing the server half-way.
    Long,
    /// 6 s of AAC alone.
    AudioOnly,
    /// 6 s of H.264 alone.
    VideoOnly,
    /// 6 s of Sorenson H.263 and MP3: no sequence headers.
    Sorenson,
    /// 4 s at a high rate: tags of up to some 100 KB.
    Fat,
    /// H.264 and AAC in MP4.
    Mp4,
    /// 5 s of HEVC and AAC in Enhanced RTMP's tags; needs `imageio-ffmpeg`, as do the next two.
    Hevc,
    /// The same with AV1.
    Av1,
    /// The same with VP9.
    Vp9,
}

impl Media {
    /// Where the file is; it is made if it is not there.
    #[track_caller]
    pub fn path(self) -> PathBuf {
        static MAKING: Mutex<()> = Mutex::new(());
        let _one_at_a_time = MAKING.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let path = folder().join(self.name());
        if !path.exists() {
            let recent = matches!(self, Media::Hevc | Media::Av1 | Media::Vp9);
            make(&if recent { recent_ffmpeg() } else { "ffmpeg".into() }, &path, &self.arguments());
        }
        path
    }

    /// Its file name.
    pub fn name(self) -> &'static str {
        match self {
            Media::BFrames => "bframes.flv",
            Media::Indexed => "indexed.flv",
            Media::Long => "long.flv",
            Media::AudioOnly => "audio.flv",
            Media::VideoOnly => "video.flv",
            Media::Sorenson => "sorenson.flv",
            Media::Fat => "fat.flv",
            Media::Mp4 => "bframes.mp4",
            Media::Hevc => "hevc.flv",
            Media::Av1 => "av1.flv",
            Media::Vp9 => "vp9.flv",
        }
    }

    fn arguments(self) -> String {
        let picture = "-f lavfi -i testsrc=size=320x180:rate=25";
        let noise = "-f lavfi -i nullsrc=size=640x360:rate=25,geq=random(1)*255:128:128";
        let tone = "-f lavfi -i sine=frequency=440:sample_rate=44100";
        let h264 = "-c:v libx264 -preset veryfast -bf 2 -g 50 -keyint_min 50 -sc_threshold 0 -pix_fmt yuv420p";
        let aac = "-c:a aac -b:a 64k";
        match self {
            Media::BFrames | Media::Mp4 => format!("{picture} {tone} {h264} {aac} -t 6"),
            Media::Indexed => format!("{picture} {tone} {h264} {aac} -t 6 -flvflags add_keyframe_index"),
            Media::Long => format!("{picture} {tone} {h264} {aac} -t 20 -flvflags add_keyframe_index"),
            Media::AudioOnly => format!("{tone} {aac} -t 6"),
            Media::VideoOnly => format!("{picture} {h264} -t 6"),
            Media::Sorenson => format!("{picture} {tone} -c:v flv -g 25 -c:a libmp3lame -b:a 64k -t 6"),
            Media::Fat => {
                format!("{noise} {tone} -c:v libx264 -preset ultrafast -qp 20 -g 25 -pix_fmt yuv420p {aac} -t 4")
            }
            Media::Hevc => format!("{picture} {tone} -c:v libx265 -x265-params log-level=none -g 25 {aac} -t 5"),
            Media::Av1 => format!("{picture} {tone} -c:v libsvtav1 -svtav1-params log-level=none -g 25 {aac} -t 5"),
            Media::Vp9 => format!("{picture} {tone} -c:v libvpx-vp9 -deadline realtime -g 25 {aac} -t 5"),
        }
    }
}

/// The folder that holds them all.
pub fn folder() -> PathBuf {
    let folder = target_dir().join("test-media");
    std::fs::create_dir_all(&folder).expect("target/test-media can be made");
    folder
}

/// Has ffmpeg make a file; only a finished one ever stands under its name.
#[track_caller]
fn make(ffmpeg: &Path, path: &Path, arguments: &str) {
    let extension = path.extension().expect("a media file has an extension").to_string_lossy();
    let draft = path.with_extension(format!("{}.{extension}", std::process::id()));
    let mut ffmpeg = Command::new(ffmpeg);
    ffmpeg
        .args(["-v", "error", "-nostdin", "-y"])
        .args(arguments.split(' '))
        .args(["-fflags", "+bitexact"])
        .arg(&draft);
    run(&mut ffmpeg, PATIENCE).expect_code(0);
    std::fs::rename(&draft, path).expect("the finished file gets its name");
}
