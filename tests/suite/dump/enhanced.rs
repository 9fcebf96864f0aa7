//! Enhanced RTMP: what is announced, and each shape of media that it has, saved as it came, as one track, or in the old
//! form.

use super::*;
use scuffle_flv::audio::body::AudioTagBody;
use scuffle_flv::file::FlvFile;
use scuffle_flv::tag::FlvTagData;
use scuffle_flv::video::body::VideoTagBody;

const AVCC: &[u8] = b"\x01\x42\xc0\x1e\xff\xe1\x00\x04\x67\x42\xc0\x1e\x01\x00\x04\x68\xce\x3c\x80";

/// Every shape there is. Tracks are 0 (avc1 or mp4a) and 1 (av01 or Opus).
fn shapes() -> Vec<Tag> {
    let [avcc_size] = [AVCC.len() as u8];
    let mut at = 0;
    let mut tag = |kind: u8, pieces: &[&[u8]]| {
        at += 20;
        Tag::new(kind, at - 20, pieces.concat())
    };
    let numbers = [("videocodecid", f64::from(0x61766331).into()), ("audiocodecid", f64::from(0x6d703461).into())];
    vec![
        Tag::new(SCRIPT, 0, amf(&["onMetaData".into(), Amf::ecma(&numbers)])),
        // SequenceStart of both, of one track and of many, of one codec and of several.
        tag(VIDEO, &[b"\x90avc1", AVCC]),
        tag(VIDEO, &[b"\x96\x00av01\x01", b"\x81\0\0\0"]),
        tag(AUDIO, &[b"\x90mp4a", b"\x12\x10"]),
        tag(AUDIO, &[b"\x95\x00Opus\x01", b"OpusHead\x01\x02\0\0\x80\xbb\0\0\0\0\0"]),
        tag(AUDIO, &[b"\x94Opus\x01\x02\0\0\0\x03"]),
        tag(VIDEO, &[b"\x94avc1", &amf(&["colorInfo".into(), Amf::obj(&[])])]),
        // CodedFrames, CodedFramesX, with ModEx, of many tracks.
        tag(VIDEO, &[b"\x91avc1\0\0\x28", b"\0\0\0\x02\x65\x01"]),
        tag(AUDIO, &[b"\x91mp4a", b"sound"]),
        tag(VIDEO, &[b"\xa3avc1", b"\0\0\0\x02\x41\x02"]),
        tag(VIDEO, &[b"\xa7\x02\0\0\x09\x03avc1", b"\0\0\0\x02\x41\x03"]),
        tag(VIDEO, &[b"\x96\x21avc1\0\0\0\x09\0\0\x28\0\0\0\x02\x65\x04av01\x01\0\0\x03\x0a\x0b\x0c"]),
        tag(AUDIO, &[b"\x95\x21mp4a\0\0\0\x05soundOpus\x01\0\0\x04opus"]),
        tag(VIDEO, &[b"\xa6\x13avc1\0\0\0\x06\0\0\0\x02\x41\x05\x01\0\0\x06\0\0\0\x02\x41\x06"]),
        tag(AUDIO, &[b"\x97\x02\0\0\x09\x05\x11mp4a\0\0\0\x02s0\x01\0\0\x02s1"]),
        tag(VIDEO, &[b"\x96\x10avc1\0\0\0", &[avcc_size], AVCC]),
        // Other codecs, whole in themselves, and ends.
        tag(VIDEO, &[b"\x93hvc1", b"\0\0\0\x02\x26\x01"]),
        tag(AUDIO, &[b"\x91ac-3", b"\x0b\x77"]),
        tag(AUDIO, &[b"\x92mp4a"]),
        tag(VIDEO, &[b"\xd3\0"]),
        tag(VIDEO, &[b"\x92avc1"]),
    ]
}

fn plays_shapes(peer: &mut Peer) -> Result<()> {
    peer.begin()?;
    let mut shapes = shapes();
    // Silence, which no tag stands for.
    shapes.insert(9, Tag::new(AUDIO, 150, []));
    peer.media(&shapes)?;
    peer.end_of_file()?;
    peer.wait_closed()
}

/// The same, three tags to an aggregate.
fn plays_shapes_in_aggregates(peer: &mut Peer) -> Result<()> {
    peer.begin()?;
    for tags in shapes().chunks(3) {
        peer.send(&Msg::new(6, 22, 1, tags[0].time, aggregate(tags)))?;
    }
    peer.end_of_file()?;
    peer.wait_closed()
}

/// Payloads of audio and video, in short, and the codec numbers of the metadata.
fn saved(args: &[&str], script: fn(&mut Peer) -> Result<()>) -> (Vec<String>, Vec<Tag>, String) {
    let dump = dump(args, script);
    dump.expect_code(0);
    let tags = dump.flv.as_ref().unwrap().tags.clone();
    let payloads = tags.iter().filter(|tag| tag.kind != SCRIPT);
    (payloads.map(|tag| tag.payload.escape_ascii().to_string()).collect(), tags, dump.stderr.clone())
}

#[test]
fn every_shape_is_saved_as_it_is() {
    let dump = dump(&[], plays_shapes);
    dump.expect(0, &shapes());
    // Another reader finds all of it.
    let mut bytes = std::io::Cursor::new(dump.stdout.clone().into());
    let file = FlvFile::demux(&mut bytes).unwrap();
    let media = |kind| shapes().iter().filter(|tag| tag.kind == kind).count();
    let mut found = (0, 0);
    for tag in &file.tags {
        match &tag.data {
            FlvTagData::Video(video) => found.1 += usize::from(matches!(video.body, VideoTagBody::Enhanced(_))),
            FlvTagData::Audio(audio) => found.0 += usize::from(matches!(audio.body, AudioTagBody::Enhanced(_))),
            _ => {}
        }
    }
    assert_eq!(found, (media(AUDIO), media(VIDEO)));
}

#[test]
fn one_track_is_saved_alone() {
    for script in [plays_shapes, plays_shapes_in_aggregates] {
        let (of_1, tags, _) = saved(&["--video-track", "1", "--audio-track=1"], script);
        assert_eq!(
            of_1,
            [
                r"\x90av01\x81\x00\x00\x00",
                r"\x90OpusOpusHead\x01\x02\x00\x00\x80\xbb\x00\x00\x00\x00\x00",
                r"\x91av01\n\x0b\x0c",
                r"\x91Opusopus",
                r"\xa3avc1\x00\x00\x00\x02A\x06",
                r"\x97\x02\x00\x00\t\x01mp4as1",
                r"\xd3\x00",
            ]
        );
        let times: Vec<u32> = tags.iter().filter(|tag| tag.kind != SCRIPT).map(|tag| tag.time).collect();
        assert_eq!(times, [20, 60, 200, 220, 240, 260, 360]);
        let (of_0, ..) = saved(&["--video-track=0"], script);
        assert!(of_0.contains(&r"\x91avc1\x00\x00(\x00\x00\x00\x02e\x04".to_owned()), "{of_0:#?}");
        assert!(of_0.contains(&r"\x91avc1\x00\x00(\x00\x00\x00\x02e\x01".to_owned()), "not multitrack: track 0");
        assert!(of_0.iter().any(|audio| audio.starts_with(r"\x95!mp4a")), "audio is as it was");
        assert_eq!(of_0.len(), shapes().len() - 2, "the metadata and a tag with track 1 alone are missing");
    }
}

#[test]
fn metadata_is_that_of_the_track() {
    let script = |peer: &mut Peer| {
        peer.begin()?;
        let one = Amf::obj(&[
            ("width", 640.0.into()),
            ("height", 360.0.into()),
            ("videocodecid", f64::from(0x61763031).into()),
        ]);
        let two = Amf::obj(&[("samplerate", 48_000.0.into()), ("audiocodecid", f64::from(0x4f707573).into())]);
        let properties = [
            ("width", 320.0.into()),
            ("videocodecid", f64::from(0x61766331).into()),
            ("audiocodecid", f64::from(0x6d703461).into()),
            ("videoTrackIdInfoMap", Amf::obj(&[("1", one)])),
            ("audioTrackIdInfoMap", Amf::obj(&[("2", two)])),
        ];
        let mut tags = shapes();
        tags[0].payload = amf(&["onMetaData".into(), Amf::ecma(&properties)]);
        peer.media(&tags)?;
        peer.end_of_file()?;
        peer.wait_closed()
    };
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("x.flv");
    let of_file = file.to_str().unwrap();
    for (args, width, codecs) in [
        (&["--video-track=1", "--audio-track=2"][..], 640.0, (f64::from(0x61763031), f64::from(0x4f707573))),
        (&["--video-track=0", "--audio-track=0", "--legacy-tags"], 320.0, (7.0, 10.0)),
    ] {
        let server = ScriptServer::start(script);
        let url = server.url("stream");
        run(&mut rtmpcat_with([&["-r", &url, "-o", of_file], args].concat()), PATIENCE).expect_code(0);
        let told = run(&mut rtmpcat_with(["inspect", "--json", of_file]), PATIENCE).out();
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        let number = |name: &str| told["metadata"][name].as_f64();
        assert_eq!(
            (number("width"), number("videocodecid"), number("audiocodecid")),
            (Some(width), Some(codecs.0), Some(codecs.1)),
            "{told}"
        );
        assert!(told["metadata"]["videoTrackIdInfoMap"].is_null(), "{told}");
    }
    // Without a choice it stays as it is.
    let dump = dump(&[], script);
    let kept = &dump.flv.as_ref().unwrap().tags[0].payload;
    assert!(kept.windows(19).any(|name| name == b"audioTrackIdInfoMap"), "{}", kept.escape_ascii());
}

#[test]
fn h264_and_aac_are_saved_in_the_old_form() {
    for script in [plays_shapes, plays_shapes_in_aggregates] {
        let args = ["--legacy-tags", "--video-track=0", "--audio-track=0"];
        let (payloads, tags, stderr) = saved(&args, script);
        assert_eq!(
            payloads,
            [
                &format!(r"\x17\x00\x00\x00\x00{}", AVCC.escape_ascii()),
                r"\xaf\x00\x12\x10",
                r"\x94Opus\x01\x02\x00\x00\x00\x03",
                r"\x17\x01\x00\x00(\x00\x00\x00\x02e\x01",
                r"\xaf\x01sound",
                r"\'\x01\x00\x00\x00\x00\x00\x00\x02A\x02",
                r"\'\x01\x00\x00\x00\x00\x00\x00\x02A\x03",
                r"\x17\x01\x00\x00(\x00\x00\x00\x02e\x04",
                r"\xaf\x01sound",
                r"\'\x01\x00\x00\x00\x00\x00\x00\x02A\x05",
                r"\xaf\x01s0",
                &format!(r"\x17\x00\x00\x00\x00{}", AVCC.escape_ascii()),
                r"\x93hvc1\x00\x00\x00\x02&\x01",
                r"\x91ac-3\x0bw",
                r"\x17\x02\x00\x00\x00",
            ]
        );
        let numbers = [("videocodecid", 7.0.into()), ("audiocodecid", 10.0.into())];
        assert_eq!(tags[0].payload, amf(&["onMetaData".into(), Amf::ecma(&numbers)]));
        for codec in ["H.265 has no legacy FLV form", "AC-3 has no legacy FLV form", "Opus has no legacy FLV form"] {
            assert!(stderr.contains(codec), "{stderr}");
        }
    }
    let (_, _, stderr) = saved(&["--legacy-tags"], plays_shapes);
    assert!(stderr.contains("several tracks has no legacy FLV form; choose one with --video-track"), "{stderr}");
}

#[test]
fn legacy_announces_nothing_new() {
    let names = |args: &[&str]| {
        let dump = dump(args, plays_shapes);
        let Amf::Obj(object) = &dump.server.all_heard().call("connect").args[0] else { panic!() };
        let function = object.iter().find(|(name, _)| name == "videoFunction").unwrap().1.num();
        (object.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>(), function)
    };
    let (old, function) = names(&["--legacy"]);
    let first = "app flashVer tcUrl fpad capabilities audioCodecs videoCodecs videoFunction";
    assert_eq!((old.join(" ").as_str(), function), (first, Some(1.0)));
    let (new, function) = names(&[]);
    // Numbers only: old servers do not survive other types.
    assert_eq!((new.join(" "), function), (format!("{first} capsEx"), Some(7.0)));
    for (args, caps) in [(&[][..], 15.0), (&["--no-redirect"], 14.0)] {
        let connect = dump(args, plays_shapes).server.all_heard().call("connect").args[0].clone();
        assert_eq!(connect.get("capsEx").and_then(Amf::num), Some(caps), "{args:?}");
    }
    // Who only calls does not go elsewhere when asked to: that bit is missing.
    let server = ScriptServer::start(|peer| {
        peer.handshake()?;
        peer.accept_connect()?;
        let call = peer.wait_call("echo")?;
        peer.answer("_result", &call, Amf::Null, 5.0.into())?;
        peer.wait_closed()
    });
    run(&mut rtmpcat_with(["call", &server.url("x"), "echo"]), PATIENCE).expect_code(0);
    assert_eq!(server.all_heard().call("connect").args[0].get("capsEx").and_then(Amf::num), Some(14.0));
}
