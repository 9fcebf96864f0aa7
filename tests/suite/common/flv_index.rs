//! The metadata at the start of a file, and the index of keyframes in it.

use super::flvcmp::{AUDIO, Flv, Tag, VIDEO};
use super::rtmp_bytes::{Amf, read_amf};
use std::path::Path;

/// The properties of the file's first onMetaData.
pub fn properties(flv: &Flv) -> Amf {
    let first = flv.tags.first().expect("tags");
    assert_eq!(first.script_name().as_deref(), Some("onMetaData"));
    read_amf(&first.payload).into_iter().nth(1).expect("properties")
}

/// The keyframes that the metadata lists, each checked against what stands there. Returns how many.
#[track_caller]
pub fn expect_valid_index(path: &Path) -> usize {
    let bytes = std::fs::read(path).unwrap();
    let flv = Flv::parse(&bytes).unwrap();
    let properties = properties(&flv);
    let keyframes = properties.get("keyframes").expect("keyframes");
    let list = |name: &str| match keyframes.get(name) {
        Some(Amf::Array(values)) => values.iter().filter_map(Amf::num).collect::<Vec<f64>>(),
        other => panic!("{name}: {other:?}"),
    };
    let (positions, times) = (list("filepositions"), list("times"));
    assert_eq!(positions.len(), times.len());
    for (position, time) in positions.iter().zip(&times) {
        let tag = &bytes[*position as usize..];
        let at = u32::from_be_bytes([tag[7], tag[4], tag[5], tag[6]]);
        assert!(tag[0] == VIDEO && tag[11] == 0x17 && tag[12] == 1, "a keyframe at {position}: {:02x?}", &tag[..13]);
        assert_eq!(f64::from(at) / 1000.0, *time);
    }
    positions.len()
}

/// The same, and what is said of the file is true to its very end.
#[track_caller]
pub fn expect_final_index(path: &Path) -> usize {
    let flv = Flv::read(path);
    let properties = properties(&flv);
    let number = |name: &str| properties.get(name).and_then(Amf::num).unwrap_or_default();
    let of_kind = |kind: u8| flv.of(kind).iter().map(|tag| tag.payload.len() as f64 + 11.0).sum::<f64>();
    let told = ["filesize", "videosize", "audiosize", "lasttimestamp", "lastkeyframetimestamp"].map(number);
    let last = flv.media().iter().map(|tag| tag.time).max().unwrap_or(0);
    let size = std::fs::metadata(path).unwrap().len() as f64;
    let is_key = |tag: &&Tag| tag.payload[..2] == [0x17, 1];
    let key = flv.of(VIDEO).iter().filter(is_key).map(|tag| tag.time).max().unwrap_or(0);
    let end = [last, key].map(|time| f64::from(time) / 1000.0);
    assert_eq!(told.to_vec(), [&[size, of_kind(VIDEO), of_kind(AUDIO)], &end[..]].concat());
    let longer = number("duration") - f64::from(last) / 1000.0;
    assert!((0.0..0.1).contains(&longer), "{longer} s longer than the last tag's time");
    expect_valid_index(path)
}
