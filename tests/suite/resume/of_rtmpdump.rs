//! What rtmpdump makes of the files that ours resumes.

use super::*;

/// Each fault of rtmpdump (§ 5.2 of the notes on it): ours mends the file, the original, where it is installed, does not.
#[track_caller]
fn fault_of_the_original(kind: Kind, bytes: &[u8], tags: &[Tag]) {
    let whole = common::flvcmp::write(true, true, tags);
    let server = server(kind, tags.to_vec());
    let scratch = Scratch::new();
    let file = scratch.write("saved.flv", bytes);
    save(&server.url("stream"), &file, &["-e", "--no-index"]).expect_code(0);
    assert!(std::fs::read(&file).unwrap() == whole);
    if have(&["rtmpdump"]) {
        let file = scratch.write("saved.flv", bytes);
        let file = file.to_str().unwrap();
        let finished = common::peers::rtmpdump(&["-r", &server.url("stream"), "-o", file, "-e", "-m", "3"]);
        let is_right = finished.code == Some(0) && std::fs::read(file).unwrap() == whole;
        assert!(!is_right, "the original does it right: {}", finished.stderr);
    }
}

#[test]
fn fault_absolute_times_after_a_seek() {
    fault_of_the_original(Kind::Absolute, &tags_before(&clip(200), 4000), &clip(200));
}

#[test]
fn fault_a_complete_file_is_not_seen_to_be_complete() {
    let whole = common::flvcmp::write(true, true, &clip(55));
    fault_of_the_original(Kind::Absolute, &whole, &clip(55));
}

#[test]
fn fault_a_file_cut_inside_a_tag() {
    let bytes = tags_before(&clip(200), 4000);
    fault_of_the_original(Kind::Relative, &bytes[..bytes.len() - 20], &clip(200));
}

#[test]
fn fault_an_empty_file_and_one_of_a_header() {
    let whole = common::flvcmp::write(true, true, &clip(50));
    for length in [0, 13] {
        fault_of_the_original(Kind::Relative, &whole[..length], &clip(50));
    }
}

#[test]
fn fault_a_file_whose_only_keyframe_is_at_0_gets_a_second_header() {
    fault_of_the_original(Kind::Absolute, &tags_before(&clip(50), 300), &clip(50));
}

/// A file of all tags before a time.
fn tags_before(tags: &[Tag], time: u32) -> Vec<u8> {
    common::flvcmp::write(true, true, &tags.iter().filter(|tag| tag.time < time).cloned().collect::<Vec<_>>())
}
