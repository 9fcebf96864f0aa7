//! Node-Media-Server 2 and 4.

use super::*;

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
