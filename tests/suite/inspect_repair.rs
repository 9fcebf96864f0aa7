//! `rtmpcat inspect` and `rtmpcat repair`: valid files of every kind are called valid, the verdict on damaged ones is flvmeta's,
//! and what is repaired is valid afterwards.

use crate::common::flvcmp::{Flv, SCRIPT};
use crate::common::media::Media;
use crate::common::{Finished, PATIENCE, have, rtmpcat_with, run};
use crate::docs::man::expect_fields;
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

#[track_caller]
fn rtmpcat<S: AsRef<OsStr>>(args: &[S]) -> Finished {
    run(&mut rtmpcat_with(args), PATIENCE)
}

fn json(path: &Path) -> (Option<i32>, serde_json::Value) {
    let finished = rtmpcat(&[OsStr::new("inspect"), OsStr::new("--json"), path.as_os_str()]);
    let report = serde_json::from_slice(&finished.stdout)
        .unwrap_or_else(|error| panic!("{error}: {:.300} {}", finished.out(), finished.stderr));
    expect_fields(&["rtmpcat-inspect.1"], &report, &["metadata", "color_info"]);
    (finished.code, report)
}

const LEGACY: [Media; 6] =
    [Media::BFrames, Media::Indexed, Media::AudioOnly, Media::VideoOnly, Media::Sorenson, Media::Fat];

#[test]
fn valid_files_are_called_valid() {
    for media in LEGACY {
        let (code, report) = json(&media.path());
        assert_eq!((code, &report["findings"]), (Some(0), &serde_json::json!([])), "{media:?}");
    }
    let (_, report) = json(&Media::BFrames.path());
    let [video, audio] = report["stream"]["tracks"].as_array().unwrap().as_slice() else { panic!("{report}") };
    let told = |track: &serde_json::Value, names: &[&str]| {
        names.iter().map(|name| track[*name].to_string()).collect::<Vec<_>>().join(" ")
    };
    let names = ["codec", "profile", "level", "width", "height", "frame_rate", "nominal_frame_rate", "b_frames"];
    assert_eq!(told(video, &names), "\"h264\" \"High\" \"1.2\" 320 180 25.0 25.0 true");
    assert_eq!(told(&video["gop"], &["keyframes", "groups", "mean_ms", "mean_frames"]), "3 2 2000.0 50.0");
    assert_eq!(told(audio, &["codec", "profile", "sample_rate_hz", "channels"]), "\"aac\" \"LC\" 44100 1");
    let rate = audio["bitrate_bps"].as_u64().unwrap();
    assert!((60_000..68_000).contains(&rate), "{rate}");
    assert_eq!(report["metadata"]["width"], 320);
}

#[test]
fn enhanced_files_are_understood() {
    if !have(&["imageio-ffmpeg"]) {
        return;
    }
    for (media, codec, profile) in
        [(Media::Hevc, "h265", "Range Extensions"), (Media::Av1, "av1", "Main"), (Media::Vp9, "vp9", "Profile 1")]
    {
        let (code, report) = json(&media.path());
        let video = &report["stream"]["tracks"][0];
        assert_eq!((code, &report["findings"]), (Some(0), &serde_json::json!([])), "{media:?}");
        assert_eq!(
            (&video["codec"], &video["profile"], &video["enhanced"]),
            (&codec.into(), &profile.into(), &true.into())
        );
        assert_eq!((&video["width"], &video["height"]), (&320.into(), &180.into()));
    }
}

/// Damage, by name. Offsets are those of `tags`.
fn damaged(bytes: &[u8], tags: &[usize]) -> Vec<(&'static str, Vec<u8>)> {
    let change = |at: usize, to: u8| {
        let mut changed = bytes.to_vec();
        changed[at] = to;
        changed
    };
    let late = tags[tags.len() / 2];
    vec![
        ("as it is", bytes.to_vec()),
        ("version", change(3, 2)),
        ("no tracks in the header", change(4, 0)),
        ("audio alone in the header", change(4, 4)),
        ("reserved flags", change(4, 0xff)),
        ("first PreviousTagSize", change(12, 1)),
        ("a PreviousTagSize", change(late - 1, bytes[late - 1] ^ 1)),
        ("stream ID", change(late + 10, 1)),
        ("first timestamp", change(tags[0] + 6, 9)),
        ("a timestamp goes back", change(late + 5, 0)),
        ("video codec", {
            let video = tags.iter().find(|at| **at > late && bytes[**at] == 9);
            video.map_or_else(|| bytes.to_vec(), |at| change(at + 11, bytes[at + 11] & 0xf0 | 9))
        }),
        ("frame type", {
            let video = tags.iter().find(|at| **at > late && bytes[**at] == 9);
            video.map_or_else(|| bytes.to_vec(), |at| change(at + 11, bytes[at + 11] & 0x0f | 0x60))
        }),
        ("cut within a tag", bytes[..late + 20].to_vec()),
        ("cut before a PreviousTagSize", bytes[..late - 4].to_vec()),
        ("cut after a tag", bytes[..late].to_vec()),
        ("metadata", change(tags[0] + 24, 0x66)),
        ("no metadata", [&bytes[..13], &bytes[tags[1]..]].concat()),
        ("no FLV", b"RIFF and so on, and so on".to_vec()),
    ]
}

fn offsets(bytes: &[u8]) -> Vec<usize> {
    let mut at = 13;
    let mut offsets = Vec::new();
    for tag in Flv::parse(bytes).unwrap().tags {
        offsets.push(at);
        at += tag.payload.len() + 15;
    }
    offsets
}

#[test]
fn the_verdict_is_flvmetas() {
    if !have(&["flvmeta"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.flv");
    for media in LEGACY {
        let bytes = std::fs::read(media.path()).unwrap();
        for (damage, bytes) in damaged(&bytes, &offsets(&bytes)) {
            std::fs::write(&path, &bytes).unwrap();
            let flvmeta = run(Command::new("flvmeta").arg("--check").arg(&path), PATIENCE);
            let ours = rtmpcat(&[OsStr::new("inspect"), path.as_os_str()]);
            let agreed = (flvmeta.code == Some(0)) == (ours.code == Some(0));
            assert!(agreed, "{media:?}, {damage}: flvmeta {:?}\n{}\n{}", flvmeta.code, flvmeta.out(), ours.out());
        }
    }
}

#[test]
fn what_was_damaged_is_valid_after_repair() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.flv");
    let bytes = std::fs::read(Media::BFrames.path()).unwrap();
    let frames = |flv: &Flv| flv.tags.iter().filter(|tag| tag.kind != SCRIPT).cloned().collect::<Vec<_>>();
    let whole = frames(&Flv::parse(&bytes).unwrap());
    for (damage, bytes) in damaged(&bytes, &offsets(&bytes)) {
        // Times, codecs and frame types are the stream's own affair, and what is no FLV stays what it is.
        let framing = !["timestamp", "codec", "frame type", "no FLV"].iter().any(|word| damage.contains(word));
        std::fs::write(&path, &bytes).unwrap();
        let repaired = rtmpcat(&[OsStr::new("repair"), path.as_os_str()]);
        if damage == "no FLV" {
            repaired.expect_code(1).expect_stderr("no audio or video tags");
            assert_eq!(std::fs::read(&path).unwrap(), bytes);
            continue;
        }
        let (code, report) = json(&path);
        repaired.expect_code(if report["errors"] == 0 { 0 } else { 2 });
        if framing {
            assert_eq!((code, &report["warnings"]), (Some(0), &0.into()), "{damage}: {}", report["findings"]);
            assert!(report["metadata"]["keyframes"]["entries"].as_u64() > Some(0), "{damage}: {}", report["metadata"]);
        }
        let kept = frames(&Flv::read(&path));
        assert!(kept.len() > 200 && (!framing || whole.starts_with(&kept)), "{damage}");
    }
}

#[test]
fn repair_into_another_file_leaves_the_first_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("from.flv"), folder.path().join("to.flv"));
    let mut bytes = std::fs::read(Media::BFrames.path()).unwrap();
    bytes.truncate(bytes.len() - 7);
    bytes[4] = 0;
    std::fs::write(&from, &bytes).unwrap();
    let arguments = [OsStr::new("repair"), from.as_os_str(), OsStr::new("-o"), to.as_os_str()];
    let finished = rtmpcat(&arguments);
    finished.expect_code(0).expect_stderr("the file ends within a tag").expect_stderr("flags say nothing, found");
    finished.expect_stderr("to.flv: 1 fault").expect_stderr("3 keyframes in the index");
    assert_eq!((std::fs::read(&from).unwrap() == bytes, json(&to).0), (true, Some(0)));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing else is left");
    let quiet = rtmpcat(&[OsStr::new("repair"), OsStr::new("-q"), to.as_os_str()]);
    assert_eq!((quiet.code, quiet.stderr.as_str(), quiet.stdout.len()), (Some(0), "", 0));
    let missing = folder.path().join("missing.flv");
    rtmpcat(&[OsStr::new("repair"), missing.as_os_str()]).expect_code(1).expect_stderr("missing.flv");
}

#[test]
fn tags_are_listed_in_text_and_in_json() {
    let path = Media::BFrames.path();
    let list = rtmpcat(&[OsStr::new("inspect"), OsStr::new("--tags"), path.as_os_str()]).out();
    let lines: Vec<&str> = list.lines().collect();
    let flv = Flv::read(&path);
    assert!(lines[0].ends_with("script  onMetaData") && lines[1].contains("H.264 SequenceStart"), "{}", lines[1]);
    assert!(lines[3].contains("H.264 +80 ms CodedFrames key"), "{}", lines[3]);
    assert!(lines[flv.tags.len()].contains("bytes"), "{}", lines[flv.tags.len()]);
    let arguments = ["inspect", "--tags", "--json"].map(OsStr::new);
    let list = rtmpcat(&[&arguments[..], &[path.as_os_str()]].concat()).out();
    let rows: Vec<serde_json::Value> = list.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), flv.tags.len() + 1);
    for (row, tag) in rows.iter().zip(&flv.tags) {
        let row = &row["tag"];
        assert_eq!(
            (&row["type"], &row["time_ms"], &row["bytes"]),
            (&tag.kind.into(), &tag.time.into(), &tag.payload.len().into())
        );
    }
}

#[test]
fn exit_codes_and_odd_inputs() {
    let path = Media::BFrames.path();
    let folder = tempfile::tempdir().unwrap();
    let odd = folder.path().join("odd.flv");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[4] = 1;
    std::fs::write(&odd, &bytes).unwrap();
    let inspect = |options: &[&str], path: &Path| {
        let mut arguments: Vec<&OsStr> = vec![OsStr::new("inspect")];
        arguments.extend(options.iter().map(OsStr::new));
        arguments.push(path.as_os_str());
        rtmpcat(&arguments)
    };
    let warned = inspect(&[], &odd);
    warned.expect_code(0);
    assert!(warned.out().contains("byte 4: warning header-flag-missing"), "{}", warned.out());
    inspect(&["--strict"], &odd).expect_code(1);
    assert_eq!(inspect(&["--strict", "-q"], &odd).expect_code(1).out(), "");
    inspect(&[], folder.path()).expect_code(1);
    inspect(&[], &folder.path().join("none.flv")).expect_code(1).expect_stderr("none.flv");
    let two = rtmpcat(&[OsStr::new("inspect"), OsStr::new("-q"), path.as_os_str(), OsStr::new("/dev/null")]);
    two.expect_code(1);
}

#[test]
fn several_files_are_a_table_and_other_files_are_named() {
    let path = Media::BFrames.path();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let mp4 = file("x.mp4", b"\0\0\0\x18ftypisom\0\0\0\0");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.truncate(bytes.len() - 7);
    let cut = file("cut.flv", &bytes);
    rtmpcat(&[OsStr::new("inspect"), mp4.as_os_str()]).expect_code(1).expect_stderr("not an FLV file: this is MP4");
    let missing = folder.path().join("missing.flv");
    let all = [path.as_path(), &cut, &mp4, &missing].map(Path::as_os_str);
    let listed = rtmpcat(&[&[OsStr::new("inspect")][..], &all].concat());
    let table = listed.expect_code(1).out();
    let verdicts: Vec<&str> = table.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(verdicts, ["VERDICT", "valid", "invalid", "not-flv", "unreadable"], "{table}");
    assert!(table.contains("this is MP4") && table.contains("no such file or directory"), "{table}");
}

#[test]
fn repair_keeps_a_backup_or_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = std::fs::read(Media::BFrames.path()).unwrap();
    bytes.truncate(bytes.len() - 7);
    let [a, b] = ["a.flv", "b.flv.part"].map(|name| folder.path().join(name));
    for path in [&a, &b] {
        std::fs::write(path, &bytes).unwrap();
    }
    let repair = |options: &[&str]| {
        let options = options.iter().map(OsStr::new);
        rtmpcat(
            &[OsStr::new("repair")]
                .into_iter()
                .chain(options)
                .chain([a.as_os_str(), b.as_os_str()])
                .collect::<Vec<_>>(),
        )
    };
    repair(&["--dry-run"]).expect_code(0).expect_stderr("a.flv: 1 fault; not changed").expect_stderr("within a tag");
    assert!([&a, &b].into_iter().all(|path| std::fs::read(path).unwrap() == bytes));
    repair(&["--output", "x"]).expect_code(1).expect_stderr("--output takes one FILE");
    repair(&["--backup"]).expect_code(0);
    assert_eq!((json(&a).0, json(&folder.path().join("b.flv")).0), (Some(0), Some(0)));
    assert!(!b.exists() && std::fs::read(folder.path().join("a.flv.bak")).unwrap() == bytes);
    let again = rtmpcat(&[OsStr::new("repair"), OsStr::new("--backup"), a.as_os_str()]);
    again.expect_code(1).expect_stderr("a.flv.bak already exists");
}
