use super::super::tests::{AVCC, MANY, MANY_CODECS, ONE};
use super::*;

#[test]
fn h264_and_aac_in_the_old_form() {
    let old_video = |payload: &[u8]| {
        let mut out = vec![0xcc];
        let what = video_to_legacy(payload, &mut out);
        (what, out.split_off(1))
    };
    let old_audio = |payload: &[u8]| {
        let mut out = vec![0xcc];
        let what = audio_to_legacy(payload, &mut out);
        (what, out.split_off(1))
    };
    use Rewrite::*;
    let start = [b"\x90avc1", AVCC].concat();
    assert_eq!(old_video(&start), (Rewritten, [b"\x17\0\0\0\0", AVCC].concat()));
    assert_eq!(old_video(b"\xa1avc1\0\0\x28frame"), (Rewritten, b"\x27\x01\0\0\x28frame".to_vec()));
    assert_eq!(old_video(b"\xa1avc1\xff\xff\xfeframe"), (Rewritten, b"\x27\x01\xff\xff\xfeframe".to_vec()));
    assert_eq!(old_video(b"\x93avc1frame"), (Rewritten, b"\x17\x01\0\0\0frame".to_vec()));
    assert_eq!(old_video(b"\x97\x02\0\0\x09\x03avc1frame"), (Rewritten, b"\x17\x01\0\0\0frame".to_vec()));
    assert_eq!(old_video(b"\x92avc1"), (Rewritten, b"\x17\x02\0\0\0".to_vec()));
    for (payload, what) in [
        (&b"\x17\x01\0\0\0frame"[..], Same),
        (b"", Same),
        (b"\x94avc1\x02\0\x09colorInfo\x06", Nothing),
        (b"\xd1\0", Nothing),
        (b"\x91hvc1\0\0\0frame", Impossible),
        (MANY, Impossible),
        (b"\x96\x00avc1\x00config", Impossible),
        (b"\x91avc1\0", Impossible),
    ] {
        assert_eq!(old_video(payload), (what, vec![]), "{payload:x?}");
    }
    assert_eq!(old_audio(b"\x90mp4a\x12\x10"), (Rewritten, b"\xaf\0\x12\x10".to_vec()));
    assert_eq!(old_audio(b"\x91mp4a!"), (Rewritten, b"\xaf\x01!".to_vec()));
    for (payload, what) in [
        (&b"\xaf\x01!"[..], Same),
        (b"", Same),
        (b"\x92mp4a", Nothing),
        (b"\x94mp4a\0\x02", Nothing),
        (b"\x91Opus!", Impossible),
        (b"\x95\x01mp4a\0!", Impossible),
        (b"\x91mp", Impossible),
    ] {
        assert_eq!(old_audio(payload), (what, vec![]), "{payload:x?}");
    }
}

#[test]
fn one_track_out_of_many() {
    let select = |payload: &[u8], id: u8| {
        let mut out = vec![];
        (select_video_track(payload, id, &mut out), out)
    };
    use Rewrite::*;
    assert_eq!(select(MANY, 0), (Rewritten, b"\x91avc1\0\0\x28ab".to_vec()));
    assert_eq!(select(MANY, 3), (Rewritten, b"\x91avc1\0\0\0".to_vec()));
    assert_eq!(select(MANY, 1), (Nothing, vec![]));
    assert_eq!(select(MANY_CODECS, 1), (Rewritten, b"\xa1hvc1\0\0\x05z".to_vec()));
    assert_eq!(select(ONE, 7), (Rewritten, b"\x90hvc1config".to_vec()));
    let with_mod_ex = b"\xa7\x02\0\0\x09\x27\0\x01\x06\x23av01\x02\0\0\x01z";
    assert_eq!(select(with_mod_ex, 2), (Rewritten, b"\xa7\x02\0\0\x09\x27\0\x01\x03av01z".to_vec()));
    for (payload, id, what) in [
        (&b"\x17\x01\0\0\0frame"[..], 0, Same),
        (b"\x17\x01\0\0\0frame", 1, Nothing),
        (b"\x57\x00", 1, Same),
        (b"\x91av01frame", 0, Same),
        (b"\x91av01frame", 1, Nothing),
        (b"\xd6\x00", 1, Same),
        (b"\x96\x31avc1", 0, Impossible),
        (b"", 5, Same),
    ] {
        assert_eq!(select(payload, id), (what, vec![]), "{payload:x?}");
    }
    let mut out = vec![];
    assert_eq!(select_audio_track(b"\x95\x11Opus\0\0\0\x01a\x01\0\0\x02bc", 1, &mut out), Rewritten);
    assert_eq!(out, b"\x91Opusbc");
    let mut out = vec![];
    assert_eq!(select_audio_track(b"\x95\x0bmp4a\x01new", 1, &mut out), Rewritten);
    assert_eq!(out, b"\x9bmp4anew", "a packet type of the future");
    let mut out = vec![];
    for (payload, id, what) in [
        (&b"\xaf\x01!"[..], 0, Same),
        (b"\xaf\x01!", 1, Nothing),
        (b"", 1, Same),
        (b"\x91Opus!", 0, Same),
        (b"\x91Opus!", 2, Nothing),
        (b"\x95\x11Opus\0\0\0\x09a", 0, Impossible),
    ] {
        assert_eq!(select_audio_track(payload, id, &mut out), what, "{payload:x?}");
    }
    assert!(out.is_empty());
}
