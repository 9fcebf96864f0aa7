use std::str::FromStr;

use super::*;

fn then() -> Zoned {
    Zoned::from_str("2025-01-31T23:05:09+00:00[UTC]").unwrap()
}

fn state(folder: &Path, name: &str) -> State {
    let names = FileNames::parse(folder.join(name).to_str().unwrap()).unwrap();
    State {
        options: SegmentOptions { rules: Rules::default(), names, on_segment: None, keep: None },
        events: Events::default(),
        clock: then,
        fsync: true,
        number: 1,
        open: None,
        post_processor: None,
    }
}

fn listing(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

const SEGMENT: Segment = Segment { number: 1, at_ms: 0, duration_ms: 1, bytes: 1 };

#[test]
fn no_file_is_overwritten() {
    for (name, theirs, ours) in [
        ("a-%{n}.flv", ["a-1.flv", "a-3.flv.part"], ["a-2.flv", "a-4.flv"]),
        ("a-%H.flv", ["a-23.flv", "a-23-3.flv.part"], ["a-23-2.flv", "a-23-4.flv"]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        for name in theirs {
            fs::write(folder.path().join(name), "precious").unwrap();
        }
        let mut state = state(folder.path(), name);
        for _ in 0..2 {
            drop(state.open().unwrap());
            state.complete(&SEGMENT).unwrap();
        }
        let mut expected = [theirs, ours].concat();
        expected.sort_unstable();
        assert_eq!(listing(folder.path()), expected);
        for name in theirs {
            assert_eq!(fs::read(folder.path().join(name)).unwrap(), b"precious");
        }
    }
}

#[test]
fn a_name_that_is_taken_meanwhile_stays_with_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let mut state = state(folder.path(), "a.flv");
    drop(state.open().unwrap());
    assert_eq!(listing(folder.path()), ["a-1.flv.part"]);
    fs::write(folder.path().join("a-1.flv"), "theirs").unwrap();
    state.complete(&SEGMENT).unwrap();
    assert_eq!(listing(folder.path()), ["a-1.flv", "a-3.flv"]);
    assert_eq!(fs::read(folder.path().join("a-1.flv")).unwrap(), b"theirs");
}

#[test]
fn folders_are_made() {
    let folder = tempfile::tempdir().unwrap();
    let mut state = state(folder.path(), "%Y/%m/a.flv");
    drop(state.open().unwrap());
    assert_eq!(listing(&folder.path().join("2025/01")), ["a.flv.part"]);
}
