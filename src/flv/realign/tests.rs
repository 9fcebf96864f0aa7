use super::*;
use proptest::prelude::*;

const AUDIO: u8 = tag_type::AUDIO;
const VIDEO: u8 = tag_type::VIDEO;
const SCRIPT: u8 = tag_type::SCRIPT;

type Tag = (u8, u32, Vec<u8>);

/// Metadata, sequence headers, then video at 25 frames a second with a keyframe every `gop` frames, and audio every 23 ms.
/// `payload` makes the bytes of a frame from its kind and number.
fn clip(frames: u32, gop: u32, payload: impl Fn(u8, u32) -> Vec<u8>) -> Vec<Tag> {
    let mut tags = vec![
        (SCRIPT, 0, [script::ON_META_DATA, b"\x08\0\0\0\0\0\0\x09"].concat()),
        (VIDEO, 0, vec![0x17, 0, 0, 0, 0, 1, 2, 3]),
        (AUDIO, 0, vec![0xaf, 0, 0x12, 0x10]),
    ];
    let mut audio = 0;
    for frame in 0..frames {
        let key = if frame % gop == 0 { 0x17 } else { 0x27 };
        tags.push((VIDEO, frame * 40, [vec![key, 1, 0, 0, 0], payload(VIDEO, frame)].concat()));
        while audio * 23 < (frame + 1) * 40 {
            tags.push((AUDIO, audio * 23, [vec![0xaf, 1], payload(AUDIO, audio)].concat()));
            audio += 1;
        }
    }
    tags.push((VIDEO, frames * 40, vec![0x17, 2, 0, 0, 0]));
    tags
}

/// Bytes that are like no others.
fn noise(kind: u8, number: u32) -> Vec<u8> {
    let mut state = u64::from(number) << 8 | u64::from(kind);
    (0..80)
        .map(|_| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 56) as u8
        })
        .collect()
}

fn known(tags: &[Tag]) -> Vec<TagFingerprint> {
    tags.iter().map(|(kind, time, payload)| TagFingerprint::of(*kind, *time, payload)).collect()
}

/// A search for the end of `file`, of which `tail` keyframes' worth and the first thirty tags are known.
fn realign(file: &[Tag], tail: usize) -> Realigner {
    let keys: Vec<_> = (0..file.len()).filter(|at| role_of(file[*at].0, &file[*at].2) == Role::Keyframe).collect();
    let from = keys.len().checked_sub(tail).map_or(0, |at| keys[at]);
    Realigner::new(known(&file[..file.len().min(30)]), &known(&file[from..]), 0)
}

/// Where `file` and what was added to it are not the whole.
fn difference(file: &[Tag], new: &[Tag], whole: &[Tag]) -> Option<String> {
    let all = [file, new].concat();
    let at = all.iter().zip(whole).position(|(got, expected)| got != expected);
    let at = at.or((all.len() != whole.len()).then_some(all.len().min(whole.len())))?;
    let show = |tag: Option<&Tag>| {
        tag.map(|(kind, time, payload)| format!("{kind} {time} {:x?}", &payload[..payload.len().min(8)]))
    };
    let (got, expected) = (show(all.get(at)), show(whole.get(at)));
    Some(format!("cut at {}: tag {at} is {got:?}, not {expected:?}; {} of {} tags", file.len(), all.len(), whole.len()))
}

#[track_caller]
fn expect_whole(file: &[Tag], new: &[Tag], whole: &[Tag], what: &str) {
    if let Some(difference) = difference(file, new, whole) {
        panic!("{what}: {difference}");
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Absolute,
    Relative,
    /// From the beginning, whatever was asked for.
    Shifted,
}

/// What a server sends that begins at tag `from` of `whole`, headers first.
fn stream(whole: &[Tag], from: usize, style: Style, asked: u32) -> Vec<Tag> {
    let from = if style == Style::Shifted { 0 } else { from };
    let base = whole[from].1;
    let time = |time: u32| match style {
        Style::Absolute => time,
        Style::Relative => time.wrapping_sub(base),
        Style::Shifted => time + asked,
    };
    let headers =
        whole[..3].iter().filter(|(kind, _, payload)| !matches!(role_of(*kind, payload), Role::Keyframe | Role::Frame));
    let preface = headers.filter(|_| from > 0).map(|(kind, _, payload)| (*kind, time(base), payload.clone()));
    let body = whole[from..].iter().map(|(kind, at, payload)| (*kind, time(*at), payload.clone()));
    preface.chain(body).collect()
}

/// What is kept of a stream.
fn kept(realign: &mut Realigner, stream: &[Tag]) -> Result<Vec<Tag>, usize> {
    let mut kept = Vec::new();
    for (at, (kind, time, payload)) in stream.iter().enumerate() {
        match realign.push(*kind, *time, payload) {
            Step::Drop => {}
            Step::Keep(time) => kept.push((*kind, time, payload.clone())),
            Step::TooLate => return Err(at),
        }
    }
    Ok(kept)
}

/// Tags of `whole` at which its `number`th keyframe stands.
fn keyframe(whole: &[Tag], number: usize) -> usize {
    let is_key = |tag: &&usize| role_of(whole[**tag].0, &whole[**tag].2) == Role::Keyframe;
    (0..whole.len()).collect::<Vec<_>>().iter().filter(is_key).nth(number).copied().unwrap()
}

#[test]
fn every_cut_is_mended_whatever_the_times_are() {
    let whole = clip(100, 20, noise);
    for style in [Style::Absolute, Style::Relative, Style::Shifted] {
        for cut in keyframe(&whole, 1) + 1..=whole.len() {
            let file = &whole[..cut];
            let last = (0..5).rev().find(|number| keyframe(&whole, *number) < cut).unwrap();
            for begins in 0..=last {
                let from = keyframe(&whole, begins);
                let mut realign = realign(file, 3);
                realign.begin(whole[from].1);
                let new = kept(&mut realign, &stream(&whole, from, style, whole[from].1));
                let overlap = whole[from..cut]
                    .iter()
                    .filter(|(kind, _, payload)| TagFingerprint::of(*kind, 0, payload).is_coded());
                if style == Style::Relative && from > keyframe(&whole, 0) && overlap.count() < FEW_MET as usize {
                    assert!(new.is_err() || cut == whole.len(), "there is too little to go by");
                    continue;
                }
                let new = new.unwrap();
                expect_whole(file, &new, &whole, &format!("{style:?}, cut at {cut}, from keyframe {begins}"));
                assert!(realign.reached_end(), "{style:?} {cut} {begins}");
                assert_eq!(realign.is_found(), cut < whole.len());
            }
        }
    }
}

#[test]
fn a_server_that_begins_behind_the_end_is_found_out() {
    let whole = clip(100, 20, noise);
    let file = &whole[..keyframe(&whole, 3) - 10];
    let late = keyframe(&whole, 3);
    let mut realign = realign(file, 2);
    realign.begin(2000);
    assert_eq!(kept(&mut realign, &stream(&whole, late, Style::Absolute, 0)), Err(3), "at its first frame");
    realign.begin(2000);
    // Times from 0 do not tell; the end of the stream does.
    assert_eq!(kept(&mut realign, &stream(&whole, late, Style::Relative, 0)), Ok(vec![]));
    assert!(!realign.is_known() && !realign.reached_end());
    realign.begin(1000);
    let new = kept(&mut realign, &stream(&whole, keyframe(&whole, 1), Style::Relative, 0)).unwrap();
    expect_whole(file, &new, &whole, "the second attempt is not hampered by the first");
}

#[test]
fn another_stream_is_given_up() {
    let file = clip(200, 20, noise);
    let other = clip(2000, 20, |kind, number| noise(kind, number + 100_000));
    for style in [Style::Absolute, Style::Relative, Style::Shifted] {
        let mut realign = realign(&file, 3);
        realign.begin(7000);
        let given_up = kept(&mut realign, &stream(&other, keyframe(&other, 8), style, 7000)).unwrap_err();
        assert!(given_up < 3 * 1600, "{style:?}: after {given_up} tags");
        assert!(!realign.is_known());
    }
}

#[test]
fn a_picture_that_stands_still_is_spliced_by_its_times() {
    // Every keyframe is like every other, sound is silence.
    let still = |kind, number| if kind == VIDEO { vec![(number % 20) as u8; 200] } else { vec![0x21; 4] };
    let whole = clip(200, 20, still);
    for style in [Style::Absolute, Style::Shifted] {
        for cut in (keyframe(&whole, 4)..keyframe(&whole, 6)).step_by(3) {
            let from = keyframe(&whole, 2);
            let mut realign = realign(&whole[..cut], 3);
            // Never at a keyframe: a stream that begins there exactly is one with its times shifted.
            realign.begin(whole[from].1 + 300);
            let new = kept(&mut realign, &stream(&whole, from, style, whole[from].1 + 300)).unwrap();
            expect_whole(&whole[..cut], &new, &whole, &format!("{style:?} {cut}"));
        }
    }
    // Times from 0 are like those of a stream from its beginning; that is what it takes then.
    let cut = keyframe(&whole, 6) + 7;
    let mut realign = realign(&whole[..cut], 3);
    realign.begin(whole[keyframe(&whole, 5)].1 + 300);
    let late = stream(&whole, keyframe(&whole, 5), Style::Relative, 0);
    assert_eq!(kept(&mut realign, &late), Ok(vec![]));
    realign.begin(0);
    let new = kept(&mut realign, &whole).unwrap();
    expect_whole(&whole[..cut], &new, &whole, "from the beginning");
}

#[test]
fn a_film_that_begins_and_ends_in_the_dark_is_not_spliced_at_its_beginning() {
    let dark = |number: u32| !(30..150).contains(&number);
    let film = |kind, number: u32| match kind {
        VIDEO if dark(number) => vec![(number % 10) as u8; 100],
        AUDIO if dark(number * 23 / 40) => vec![0x21; 4],
        _ => noise(kind, number),
    };
    let whole = clip(220, 10, film);
    let cut = keyframe(&whole, 17) + 5;
    for style in [Style::Absolute, Style::Shifted] {
        let mut realign = realign(&whole[..cut], 2);
        realign.begin(6150);
        let new = kept(&mut realign, &stream(&whole, keyframe(&whole, 15), style, 6150)).unwrap();
        expect_whole(&whole[..cut], &new, &whole, &format!("{style:?}"));
    }
}

#[test]
fn sound_alone_is_spliced() {
    let whole: Vec<_> = clip(300, 50, noise).into_iter().filter(|(kind, ..)| *kind != VIDEO).collect();
    for cut in (250..whole.len()).step_by(17) {
        for (style, from) in [(Style::Absolute, cut - 200), (Style::Relative, cut - 100), (Style::Shifted, 0)] {
            let mut realign = Realigner::new(known(&whole[..30]), &known(&whole[cut - 150..cut]), 0);
            realign.begin(whole[from].1);
            let new = kept(&mut realign, &stream(&whole, from, style, whole[from].1)).unwrap();
            expect_whole(&whole[..cut], &new, &whole, &format!("{style:?} {cut}"));
        }
    }
}

#[test]
fn silence_is_spliced_by_its_times() {
    let silence = |_, number: u32| if (100..400).contains(&number) { vec![0x21; 4] } else { noise(AUDIO, number) };
    let whole: Vec<_> = clip(300, 50, silence).into_iter().filter(|(kind, ..)| *kind != VIDEO).collect();
    for cut in [200, 300, 401, 420] {
        for style in [Style::Absolute, Style::Relative, Style::Shifted] {
            let from = cut - 60;
            let mut realign = Realigner::new(known(&whole[..30]), &known(&whole[cut - 100..cut]), 0);
            realign.begin(whole[from].1);
            let new = kept(&mut realign, &stream(&whole, from, style, whole[from].1)).unwrap();
            expect_whole(&whole[..cut], &new, &whole, &format!("{style:?} {cut}"));
        }
    }
}

#[test]
fn metadata_and_headers_of_the_new_session_are_left_out_and_those_of_the_stream_kept() {
    let mut whole = clip(100, 20, noise);
    let at = keyframe(&whole, 3);
    // The stream has a cue point and a new sequence header in its middle.
    let time = whole[at].1;
    whole.insert(at, (VIDEO, time, vec![0x17, 0, 0, 0, 0, 9, 9]));
    whole.insert(at, (SCRIPT, time, b"\x02\0\x0aonCuePoint\x05".to_vec()));
    for cut in at - 4..at + 8 {
        let file = &whole[..cut];
        let from = keyframe(&whole, 2);
        let mut sent = stream(&whole, from, Style::Absolute, 0);
        // This server's metadata is new each time, and it sends the headers late.
        sent[0].2 = [script::ON_META_DATA, b"\x03\0\0\x09"].concat();
        let key = sent.remove(3);
        sent.insert(0, key);
        let mut realign = realign(file, 3);
        realign.begin(whole[from].1);
        let new = kept(&mut realign, &sent).unwrap();
        expect_whole(file, &new, &whole, &format!("{cut}"));
    }
}

#[test]
fn frames_lost_on_either_way_do_not_keep_it_from_being_found() {
    let whole = clip(200, 20, noise);
    let cut = keyframe(&whole, 6) + 25;
    let mut file = whole[..cut].to_vec();
    file.remove(cut - 20);
    let mut sent = stream(&whole, keyframe(&whole, 4), Style::Absolute, 0);
    sent.remove(40);
    let mut realign = realign(&file, 3);
    realign.begin(whole[keyframe(&whole, 4)].1);
    assert_eq!(kept(&mut realign, &sent).unwrap(), whole[cut..]);
}

#[test]
fn times_may_wrap_between() {
    let mut whole = clip(100, 20, noise);
    whole.iter_mut().for_each(|(_, time, _)| *time = time.wrapping_add(u32::MAX - 2500));
    let cut = keyframe(&whole, 3) + 12;
    for style in [Style::Absolute, Style::Relative] {
        let from = keyframe(&whole, 2);
        let mut realign = realign(&whole[..cut], 3);
        realign.begin(whole[from].1);
        let new = kept(&mut realign, &stream(&whole, from, style, 0)).unwrap();
        expect_whole(&whole[..cut], &new, &whole, &format!("{style:?}"));
    }
}

#[test]
fn enhanced_keyframes_found_guesses() {
    let mut whole = clip(100, 20, noise);
    for (kind, _, payload) in &mut whole {
        if *kind == VIDEO {
            // hvc1: sequence start, coded frames of both kinds.
            let first = match (payload[0], payload[1]) {
                (_, 0) => 0x90,
                (_, 2) => 0x92,
                (0x17, _) => 0x93,
                _ => 0xa3,
            };
            *payload = [&[first], b"hvc1".as_slice(), &payload[5..]].concat();
        }
    }
    let cut = keyframe(&whole, 3) + 12;
    let from = keyframe(&whole, 2);
    let mut realign = realign(&whole[..cut], 3);
    realign.begin(whole[from].1);
    let new = kept(&mut realign, &stream(&whole, from, Style::Relative, 0)).unwrap();
    expect_whole(&whole[..cut], &new, &whole, "");
}

proptest! {
    #[test]
    fn any_cut_of_any_clip(
        (frames, gop) in (20..150_u32, 1..40_u32),
        (cut, from) in (0.0..1.0, 0.0..1.0),
        shades in 8..60_u32,
        style in prop_oneof![Just(Style::Absolute), Just(Style::Shifted)],
        base in prop_oneof![Just(0_u32), any::<u32>()],
    ) {
        // Frames repeat: there are only so many shades of them.
        let mut whole = clip(frames, gop, |kind, number| noise(kind, number % shades));
        let base = if style == Style::Shifted { 0 } else { base };
        whole.iter_mut().for_each(|tag| tag.1 = tag.1.wrapping_add(base));
        let first = keyframe(&whole, 0) + 1;
        let cut = first + ((whole.len() - first) as f64 * cut) as usize;
        let keys = (0..cut).filter(|at| role_of(whole[*at].0, &whole[*at].2) == Role::Keyframe).collect::<Vec<_>>();
        let from = keys[(keys.len() as f64 * from) as usize];
        let mut realign = realign(&whole[..cut], 3);
        let asked = whole[from].1.wrapping_add(13);
        realign.begin(asked);
        let new = kept(&mut realign, &stream(&whole, from, style, asked)).or_else(|_| {
            // What repeats itself may be too little to go by; the whole stream never is.
            realign.begin(whole[0].1);
            kept(&mut realign, &whole)
        });
        let new = new.map_err(|at| TestCaseError::fail(format!("too late at {at}")))?;
        if let Some(difference) = difference(&whole[..cut], &new, &whole) {
            return Err(TestCaseError::fail(difference));
        }
    }

    #[test]
    fn nothing_makes_it_panic(
        file in proptest::collection::vec((any::<u8>(), any::<u32>(), proptest::collection::vec(any::<u8>(), 0..4)), 0..20),
        sent in proptest::collection::vec((8..10_u8, any::<u32>(), proptest::collection::vec(any::<u8>(), 0..4)), 0..40),
        asked in any::<u32>(),
    ) {
        let mut realign = Realigner::new(known(&file), &known(&file), asked);
        realign.begin(asked);
        for (kind, time, payload) in sent {
            realign.push(kind, time, &payload);
        }
        realign.reached_end();
    }
}
