//! What a file is that is no FLV, by its first bytes.

/// The name of a known type; `None` for FLV, and for what is not known.
pub fn name(beginning: &[u8]) -> Option<&'static str> {
    let starts = |magic: &[u8]| beginning.starts_with(magic);
    let at = |place: usize, magic: &[u8]| beginning.get(place..).is_some_and(|rest| rest.starts_with(magic));
    Some(match beginning {
        _ if at(4, b"ftypqt") => "QuickTime",
        _ if at(4, b"ftyp") || at(4, b"moov") || at(4, b"mdat") || at(4, b"styp") => "MP4",
        _ if starts(b"\x1a\x45\xdf\xa3") => "Matroska or WebM",
        _ if starts(b"\x47") && at(188, b"\x47") => "MPEG-TS",
        _ if starts(b"\0\0\x01\xba") => "MPEG-PS",
        _ if starts(b"RIFF") && at(8, b"AVI ") => "AVI",
        _ if starts(b"RIFF") && at(8, b"WAVE") => "WAV",
        _ if starts(b"OggS") => "Ogg",
        _ if starts(b"fLaC") => "FLAC",
        _ if starts(b"ID3") => "MP3",
        [0xff, second, ..] if second & 0xf6 == 0xf0 => "AAC (ADTS)",
        [0xff, second, ..] if second & 0xe6 == 0xe2 => "MP3",
        _ if starts(b"#EXTM3U") => "an M3U8 playlist",
        _ if starts(b"FWS") || starts(b"CWS") || starts(b"ZWS") => "SWF",
        _ if starts(b"\x0a\x0d\x0d\x0a") => "a pcapng capture (use rtmpcat trace)",
        _ if starts(b"\xd4\xc3\xb2\xa1") || starts(b"\xa1\xb2\xc3\xd4") => "a pcap capture (use rtmpcat trace)",
        _ if starts(b"\x1f\x8b") => "gzip data",
        _ if starts(b"PK\x03\x04") => "a ZIP archive",
        _ if starts(b"\x89PNG") => "PNG",
        _ if starts(b"\xff\xd8\xff") => "JPEG",
        _ if starts(b"\x7fELF") => "an ELF program",
        _ if starts(b"%PDF") => "PDF",
        _ if starts(b"<") => "HTML or XML",
        _ if starts(b"{") => "JSON",
        _ => return None,
    })
}

/// As many bytes are looked at: two packets of MPEG-TS begin in them.
pub const BYTES: usize = 189;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_of_files() {
        let mut ts = [0; BYTES];
        (ts[0], ts[188]) = (0x47, 0x47);
        for (bytes, kind) in [
            (&b"\0\0\0\x20ftypisom"[..], "MP4"),
            (b"\x1a\x45\xdf\xa3", "Matroska or WebM"),
            (&ts, "MPEG-TS"),
            (b"RIFF\x10\0\0\0WAVE", "WAV"),
            (b"\xff\xf1\x50", "AAC (ADTS)"),
            (b"\xff\xfb\x90", "MP3"),
            (b"<!DOCTYPE html>", "HTML or XML"),
        ] {
            assert_eq!(name(bytes), Some(kind));
        }
        for unknown in [&b""[..], b"FLV\x01\x05", b"FL", b"\0\0\0\0", b"garbage", b"\x09\0\0\x10", b"\x47\0"] {
            assert_eq!(name(unknown), None, "{unknown:?}");
        }
    }
}
