use super::*;
use crate::flv::script;
use proptest::prelude::*;

const KEY: &[u8] = &[0x17, 1, 0, 0, 0, 9];
const INTER: &[u8] = &[0x27, 1, 0, 0, 0, 9];
const AAC: &[u8] = &[0xaf, 1, 9];

fn whole(index: &mut Index, file_bytes: u64) -> Vec<u8> {
    index.encode(file_bytes)
}

fn decode(bytes: &[u8]) -> Object {
    let (_, used) = amf0::decode(&bytes[ON_META_DATA.len()..]).unwrap();
    assert_eq!(used + ON_META_DATA.len(), bytes.len(), "nothing is left over");
    script::metadata(bytes).unwrap()
}

fn numbers(object: &Object, name: &str) -> Vec<f64> {
    let keyframes = object.get("keyframes").and_then(Value::as_object).unwrap();
    let Some(Value::StrictArray(values)) = keyframes.get(name) else { panic!("{name}") };
    values.iter().map(|value| value.as_number().unwrap()).collect()
}

#[test]
fn our_properties_come_first_and_the_servers_stay() {
    let server = Object::default()
        .with("duration", 99.0)
        .with("width", 640.0)
        .with("encoder", "Lavf")
        .with("framerate", 30.0)
        .with("keyframes", Object::default().with("times", Value::StrictArray(vec![Value::Number(3.0)])))
        .with("old", Value::Reference(1));
    let mut index = Index::new(Some(&server), 16);
    index.observe(18, 0, &[0; 100], 13);
    index.observe(9, 0, &[0x17, 0, 0, 0, 0, 1], 200);
    for i in 0..50 {
        index.observe(9, i * 40, if i % 25 == 0 { KEY } else { INTER }, 1000 + i * 21);
        index.observe(8, i * 40 + 10, AAC, 1000 + i * 21 + 10);
    }
    let bytes = whole(&mut index, 5000);
    let object = decode(&bytes);
    assert_eq!(object.properties[0], ("duration".to_owned(), Value::Number(2.01)));
    let number = |name: &str| object.get(name).and_then(Value::as_number);
    assert_eq!(number("filesize"), Some(5000.0));
    assert_eq!(number("lasttimestamp"), Some(1.97));
    assert_eq!(number("lastkeyframetimestamp"), Some(1.0));
    assert_eq!(number("lastkeyframelocation"), Some(1000.0 + 25.0 * 21.0));
    assert_eq!((number("width"), number("framerate")), (Some(640.0), Some(30.0)));
    assert_eq!((number("videocodecid"), number("audiocodecid")), (Some(7.0), Some(10.0)));
    assert_eq!(object.get("encoder").and_then(Value::as_str), Some("Lavf"));
    assert_eq!((object.get("old"), object.get("hasKeyframes")), (None, Some(&Value::Boolean(true))));
    assert_eq!(numbers(&object, "times"), [0.0, 1.0]);
    assert_eq!(numbers(&object, "filepositions"), [1000.0, 1525.0]);
    assert_eq!(object.properties.iter().filter(|(name, _)| name == "keyframes").count(), 1);
    let count = u32::from_be_bytes(bytes[14..18].try_into().unwrap());
    assert_eq!(count as usize, object.properties.len());
}

#[test]
fn a_full_index_is_thinned_evenly() {
    let mut index = Index::new(None, 8);
    let size = whole(&mut index, 0).len();
    for i in 0..100 {
        index.observe(9, i * 1000, KEY, i);
        assert!(index.entries.len() <= 8);
        assert_eq!(index.entries[0].offset, 0);
        let steps: Vec<u64> = index.entries.windows(2).map(|pair| pair[1].offset - pair[0].offset).collect();
        assert!(steps.iter().all(|step| *step == index.stride), "{steps:?} at {i}");
    }
    assert_eq!((index.stride, index.entries.len()), (16, 7));
    assert_eq!(index.last_keyframe.unwrap().offset, 99);
    assert_eq!(whole(&mut index, 0).len(), size);
}

#[test]
fn patches_make_of_any_earlier_state_the_present_one() {
    let mut index = Index::new(None, 8);
    let mut file = whole(&mut index, 0);
    for i in 0..60 {
        index.observe(9, i * 500, KEY, 100 + i);
        if i % 3 == 0 {
            let patch = index.patch(1000 * i);
            file[..patch.len()].copy_from_slice(&patch);
            assert_eq!(file, whole(&mut index, 1000 * i), "after {i}");
            decode(&file);
        }
    }
}

#[test]
fn audio_alone_is_indexed_every_other_second_until_video_comes() {
    let mut index = Index::new(None, 64);
    for i in 0..500 {
        index.observe(8, i * 20, AAC, i);
    }
    let object = decode(&whole(&mut index, 1));
    assert_eq!(numbers(&object, "times"), [0.0, 2.0, 4.0, 6.0, 8.0]);
    assert_eq!(object.get("hasKeyframes"), Some(&Value::Boolean(false)));
    assert_eq!(object.get("lastkeyframelocation"), None);
    index.observe(9, 10_000, KEY, 777);
    assert_eq!(numbers(&decode(&whole(&mut index, 1)), "filepositions"), [777.0]);
}

#[test]
fn late_metadata_is_taken_over_where_it_fits() {
    let mut index = Index::new(None, 4);
    let size = whole(&mut index, 1).len();
    index.merge_server_metadata(&Object::default().with("big", "x".repeat(5000).as_str()));
    assert!(!index.has_server_metadata());
    index.merge_server_metadata(&Object::default().with("width", 320.0));
    index.merge_server_metadata(&Object::default().with("width", 640.0));
    let bytes = whole(&mut index, 1);
    assert_eq!((bytes.len(), decode(&bytes).get("width")), (size, Some(&Value::Number(320.0))));
}

#[test]
fn metadata_of_a_restart_adds_what_is_new() {
    let first = Object::default().with("width", 320.0).with("encoder", "a");
    let mut index = Index::new(Some(&first), 4);
    let size = whole(&mut index, 1).len();
    let second = Object::default().with("width", 640.0).with("duration", 0.0).with("title", "b");
    index.merge_server_metadata(&second.with("big", "x".repeat(5000).as_str()));
    let bytes = whole(&mut index, 1);
    let object = decode(&bytes);
    assert_eq!((bytes.len(), object.get("width")), (size, Some(&Value::Number(320.0))));
    assert_eq!((object.get("title").and_then(Value::as_str), object.get("big")), (Some("b"), None));
}

#[test]
fn monstrous_metadata_is_not_taken_over() {
    let server = Object::default().with("comment", "x".repeat(MAX_SERVER_BYTES).as_str());
    let mut index = Index::new(Some(&server), 4);
    assert!(!index.has_server_metadata());
    assert!(whole(&mut index, 1).len() < 8 << 10);
}

#[test]
fn a_cut_file_is_not_pointed_beyond() {
    let mut index = Index::new(None, 8);
    for i in 0..5 {
        index.observe(9, i * 1000, KEY, 100 * i);
    }
    index.forget_beyond(300);
    let object = decode(&whole(&mut index, 300));
    assert_eq!(numbers(&object, "filepositions"), [0.0, 100.0, 200.0]);
    assert_eq!(object.get("lastkeyframelocation"), Some(&Value::Number(200.0)));
}

#[test]
fn codecs_are_named_as_the_specifications_do() {
    assert_eq!(video_codec(&[0x17, 0, 0, 0, 0]), Some(7.0));
    assert_eq!(video_codec(b"\x90av01"), Some(1_635_135_537.0));
    assert_eq!(video_codec(b"\x97\x02\0\0\x09\x06\x21av01\x00\0\0\x00"), Some(1_635_135_537.0));
    assert_eq!(video_codec(b"\x97\0\0\0\0"), None);
    assert_eq!(video_codec(&[0x57, 0]), None, "a command");
    assert_eq!(audio_codec(&[0xaf, 0]), Some(10.0));
    assert_eq!(audio_codec(b"\x90Opus"), Some(1_332_770_163.0));
    assert_eq!((audio_codec(&[]), video_codec(&[])), (None, None));
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<f64>().prop_map(Value::Number),
        ".{0,80}".prop_map(Value::String),
        any::<bool>().prop_map(Value::Boolean),
        Just(Value::Null),
        proptest::collection::vec(any::<f64>().prop_map(Value::Number), 0..9).prop_map(Value::StrictArray),
    ]
}

proptest! {
    #[test]
    fn the_tag_keeps_its_size_and_stays_readable(
        server in proptest::option::of(proptest::collection::vec(("[a-z]{1,12}", any_value()), 0..20)),
        capacity in 0usize..40,
        tags in proptest::collection::vec((0u8..4, 0u64..100_000, any::<u32>()), 0..200),
    ) {
        let server = server.map(|properties| Object { properties });
        let mut index = Index::new(server.as_ref(), capacity);
        let mut file = whole(&mut index, 0);
        for (i, (kind, time, offset)) in tags.into_iter().enumerate() {
            let (kind, payload) = [(9, KEY), (9, INTER), (8, AAC), (18, AAC)][kind as usize];
            index.observe(kind, time, payload, offset.into());
            if i % 5 == 0 {
                let patch = index.patch(i as u64);
                file[..patch.len()].copy_from_slice(&patch);
                decode(&file);
            }
        }
    }
}
