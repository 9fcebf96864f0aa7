//! xiu.

use super::probe::{probed, track};
use super::*;

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
