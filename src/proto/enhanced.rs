//! stub
pub fn is_video_keyframe(p: &[u8]) -> bool {
    p.first().is_some_and(|b| b >> 4 & 7 == 1 && !(b & 0x80 != 0 && b & 15 == 4))
}
pub fn is_video_sequence_header(p: &[u8]) -> bool {
    match p {
        [b, ..] if b & 0x80 != 0 => matches!(b & 15, 0 | 5),
        [b, 0, ..] => matches!(b & 15, 7 | 12 | 13),
        _ => false,
    }
}
pub fn is_audio_sequence_header(p: &[u8]) -> bool {
    match p {
        [b, ..] if b >> 4 == 9 => matches!(b & 15, 0 | 4),
        [b, 0, ..] => b >> 4 == 10,
        _ => false,
    }
}
pub fn is_video_coded(p: &[u8]) -> bool {
    match p {
        [b, ..] if b & 0x80 != 0 => matches!(b & 15, 1 | 3 | 6 | 7) && b >> 4 & 7 != 5,
        [b, t, ..] if matches!(b & 15, 7 | 12 | 13) => *t == 1 && b >> 4 != 5,
        [b, ..] => b >> 4 != 5,
        _ => false,
    }
}
pub fn is_audio_coded(p: &[u8]) -> bool {
    match p {
        [b, ..] if b >> 4 == 9 => matches!(b & 15, 1 | 5 | 7),
        [b, t, ..] if b >> 4 == 10 => *t == 1,
        [_, ..] => true,
        _ => false,
    }
}
